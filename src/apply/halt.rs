//! Why a run cannot go on at the moment.

use std::fmt;

use super::record::Stand;
use crate::progress::Interrupted;
use crate::server::fault::Fault;

/// The number that stands for a cut of a test; no server has it.
pub(super) const CUT: u16 = u16::MAX - 1;

/// Why a run cannot go on at the moment.
#[derive(Debug)]
pub enum Halt {
    /// The connection is gone: connect again, and go on by what the journal says.
    Lost(Fault),
    /// A statement failed or a verification does not hold; the journal says where.
    Failed(Stand),
    /// What happened cannot be told.
    Stopped(Stand),
    /// A test cut it off here: nothing more may be sent.
    Cut,
    /// An error that is none of the plan's: the person interrupted, or the server refuses our own questions.
    Error(anyhow::Error),
}

/// What may halt.
pub type Course<T> = Result<T, Halt>;

impl Halt {
    /// A stop with what is seen and what to do.
    pub fn stopped(unit: &str, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Stopped(Stand { unit: unit.to_owned(), why: why.into(), next: next.into() })
    }

    /// A failure with what is seen and what to do.
    pub fn failed(unit: &str, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Failed(Stand { unit: unit.to_owned(), why: why.into(), next: next.into() })
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        if fault.number == CUT {
            Self::Cut
        } else if fault.is_connection_lost() {
            Self::Lost(fault)
        } else {
            Self::Error(fault.into())
        }
    }
}

impl From<Interrupted> for Halt {
    fn from(interrupted: Interrupted) -> Self {
        Self::Error(interrupted.into())
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Fault>() {
            Ok(fault) => fault.into(),
            Err(error) => match error.chain().find_map(|link| link.downcast_ref::<Fault>()) {
                Some(fault) if fault.is_connection_lost() => Self::Lost(fault.clone()),
                _ => Self::Error(error),
            },
        }
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(fault) => write!(f, "{fault}"),
            Self::Failed(stand) | Self::Stopped(stand) => write!(f, "{}: {}", stand.unit, stand.why),
            Self::Cut => f.write_str("cut off"),
            Self::Error(error) => write!(f, "{error:#}"),
        }
    }
}

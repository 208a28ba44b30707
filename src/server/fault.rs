//! Server errors as values, and the questions that callers ask of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error that a server raised, or the loss of the connection to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// The server's error number; 0 when the connection was lost and no number came.
    pub number: u16,
    /// The five-character SQLSTATE; `HY000` where the server gave none.
    pub state: String,
    /// The server's own words.
    pub message: String,
}

impl Fault {
    /// The connection broke: the server went away, or ended the session.
    pub fn connection_lost(message: impl Into<String>) -> Self {
        Self { number: 0, state: "08S01".to_owned(), message: message.into() }
    }

    /// The session can no longer be used.
    pub fn is_connection_lost(&self) -> bool {
        matches!(self.number, 0 | 1053 | 1152 | 1159 | 1160 | 1161 | 1927 | 2006 | 2013 | 3169 | 4031)
    }

    /// 1205: a metadata lock or a row lock was waited for too long; the number does not tell which (measured).
    pub fn is_lock_wait_timeout(&self) -> bool {
        self.number == 1205
    }

    /// 1213: InnoDB chose this transaction as the deadlock's victim and rolled it back.
    pub fn is_deadlock(&self) -> bool {
        self.number == 1213
    }

    /// 1317, 1969 and 3024: killed, or past a statement time-out.
    pub fn is_interrupted(&self) -> bool {
        matches!(self.number, 1317 | 1969 | 3024)
    }

    /// 1064 and 1149: the server cannot read the statement.
    pub fn is_syntax(&self) -> bool {
        matches!(self.number, 1064 | 1149)
    }

    /// 1045, 1142, 1143, 1227, 1370, 1044: the account may not do this.
    pub fn is_access_denied(&self) -> bool {
        matches!(self.number, 1044 | 1045 | 1142 | 1143 | 1227 | 1370)
    }

    /// 1845 and 1846: the algorithm or lock that the statement asked for cannot serve it.
    pub fn is_algorithm_refused(&self) -> bool {
        matches!(self.number, 1845 | 1846)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.number == 0 {
            write!(f, "connection lost: {}", self.message)
        } else {
            write!(f, "error {} ({}): {}", self.number, self.state, self.message)
        }
    }
}

impl std::error::Error for Fault {}

//! What a DDL will do.

use serde::{Deserialize, Serialize};

use crate::replay::record::{Algorithm, DdlLock, TwinAnswer};

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForecastBasis {
    /// The server's manual, applied to the table's definition. Not measured.
    Manual,
    /// The server itself, asked on an empty twin of the table.
    Twin,
}

/// What a DDL will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DdlForecast {
    /// How the server will carry it out, as it would be told after the run: `instant` is whatever changes definitions
    /// alone, also where the server calls that INPLACE.
    pub algorithm: Algorithm,
    /// It writes the table (or some of its partitions) anew.
    pub rebuilds: bool,
    /// What others can do meanwhile, but for the moments at its begin and end that every DDL takes for itself.
    pub lock: DdlLock,
    /// The strictest clause that the server takes with it: `ALGORITHM=INSTANT`, `ALGORITHM=INPLACE, LOCK=NONE`, …; empty
    /// where its grammar takes none.
    pub explicit: String,
    /// Who says so.
    pub basis: ForecastBasis,
    /// Why the server will refuse the statement. The rest then tells what it would do without the ALGORITHM and LOCK that
    /// are refused; a statement that is refused in any case changes nothing (`instant`).
    pub refused: Option<String>,
    /// Why it goes this way, as a sentence.
    pub why: String,
}

impl DdlForecast {
    /// The forecast that an empty twin's answer is.
    pub fn from_twin(answer: &TwinAnswer) -> Self {
        let why = answer.note.clone().unwrap_or_else(|| match answer.explicit.as_str() {
            "" => "So an empty twin of the table did.".to_owned(),
            explicit => format!("An empty twin of the table took it with {explicit}."),
        });
        Self {
            algorithm: answer.algorithm,
            rebuilds: answer.rebuilds,
            lock: answer.lock,
            explicit: answer.explicit.clone(),
            basis: ForecastBasis::Twin,
            refused: answer.refused.as_ref().map(ToString::to_string),
            why,
        }
    }

    /// True when it reads or writes rows: its time grows with the table.
    pub fn grows_with_the_table(&self) -> bool {
        self.algorithm != Algorithm::Instant
    }
}

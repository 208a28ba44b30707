//! What carrying out one statement yields.

use serde::{Deserialize, Serialize};

use crate::server::fault::Fault;

/// What became of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "fault")]
pub enum Outcome {
    /// It ended well.
    Done,
    /// The server refused or undid it.
    Failed(Fault),
    /// It waited too long for a lock, or ran past a time-out.
    TimedOut(Fault),
    /// It was not run: an earlier one failed.
    Skipped,
}

impl Outcome {
    /// `done`, `failed`, `timed_out` or `skipped`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::TimedOut(_) => "timed_out",
            Self::Skipped => "skipped",
        }
    }

    /// The server's error, when there was one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Failed(fault) | Self::TimedOut(fault) => Some(fault),
            Self::Done | Self::Skipped => None,
        }
    }
}

/// How the server carried a DDL out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Only definitions changed.
    Instant,
    /// Inside the engine; `rebuilds` tells whether the table was written anew.
    Inplace,
    /// Row by row into a new table.
    Copy,
}

/// Which lock a DDL left to others while it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DdlLock {
    /// Reads and writes went on.
    None,
    /// Reads went on.
    Shared,
    /// Nothing went on.
    Exclusive,
}

/// How a DDL was carried out, read off the server after it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DdlFacts {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The table was written anew.
    pub rebuilds: bool,
    /// What others could do meanwhile, where it could be told.
    pub lock: Option<DdlLock>,
}

/// What an empty twin of a table answered to a DDL, asked for each algorithm and lock in order (dba.md D17).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinAnswer {
    /// How the server carries it out.
    pub algorithm: Algorithm,
    /// It writes the table anew.
    pub rebuilds: bool,
    /// What others can do meanwhile, but for the moments at its begin and end that every DDL takes for itself.
    pub lock: DdlLock,
    /// The strictest clause that the server accepted with it: `ALGORITHM=INSTANT`, `ALGORITHM=INPLACE, LOCK=NONE`; empty
    /// where its grammar takes none.
    pub explicit: String,
    /// The server's refusal of what the statement itself asks for; the rest then tells what it does unasked.
    pub refused: Option<Fault>,
    /// What the answer was corrected by, as a sentence.
    pub note: Option<String>,
}

/// Rows that a statement (or a group of look-alikes) dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Changed, as the server's OK packet tells it.
    pub affected: u64,
    /// Matched by the WHERE (an UPDATE that changes nothing matches all the same).
    pub matched: Option<u64>,
    /// Read by the engine's handlers.
    pub examined: Option<u64>,
    /// Locked, as `innodb_trx` told before the commit.
    pub locked: Option<u64>,
    /// Changed in other tables by foreign-key cascades and triggers.
    pub cascaded: Option<u64>,
    /// Returned to the client.
    pub returned: u64,
}

/// A warning that the server raised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Warning {
    /// `Note`, `Warning` or `Error`.
    pub level: String,
    /// Its number.
    pub number: u16,
    /// Its words.
    pub message: String,
}

/// What running one action yielded.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// Its window at the witness, where what others suffered is kept.
    pub window: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Statements that it stands for: the batches of a walk, else 1.
    pub count: u64,
    /// When it began, on the experiment's clock.
    pub at: f64,
    /// Its own time.
    pub seconds: f64,
    /// The slowest batch; equal to `seconds` for one statement.
    pub longest_seconds: f64,
    /// The commit's time, where it committed by itself and that was timed.
    pub commit_seconds: Option<f64>,
    /// Number of its transaction.
    pub transaction: Option<u32>,
    /// Warnings counted.
    pub warning_count: u64,
    /// Their words, at most ten.
    pub warnings: Vec<Warning>,
    /// Rows.
    pub rows: RowCounts,
    /// For DDL: how it was carried out.
    pub ddl: Option<DdlFacts>,
    /// For DDL: what its table's empty twin answered before.
    pub twin: Option<TwinAnswer>,
    /// Deadlocks and lock time-outs after which it was run again.
    pub retries: u64,
}

impl Ran {
    /// A statement that ended well, of which nothing more is known yet.
    pub fn new(window: u64, at: f64, seconds: f64, transaction: Option<u32>) -> Self {
        Self {
            window,
            outcome: Outcome::Done,
            count: 1,
            at,
            seconds,
            longest_seconds: seconds,
            commit_seconds: None,
            transaction,
            warning_count: 0,
            warnings: Vec::new(),
            rows: RowCounts::default(),
            ddl: None,
            twin: None,
            retries: 0,
        }
    }
}

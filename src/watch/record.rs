//! The values that watching yields. All times are seconds on the experiment's own monotonic clock.

use serde::{Deserialize, Serialize};

use crate::sql::record::TableName;

/// What a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// SELECT by key.
    Read,
    /// SELECT … FOR UPDATE by key, rolled back.
    Lock,
    /// UPDATE of an indexed column by key, rolled back.
    Update,
    /// INSERT at the end, rolled back (tables without transactions: INSERT … SELECT … WHERE 1=0).
    Insert,
    /// UPDATE and COMMIT of our own one-row table.
    Commit,
}

impl ProbeKind {
    /// The word of reports: `read`, `lock`, `update`, `insert`, `commit`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Lock => "lock",
            Self::Update => "update",
            Self::Insert => "insert",
            Self::Commit => "commit",
        }
    }

    /// True for what an application would call a write.
    pub fn is_write(self) -> bool {
        self != Self::Read
    }
}

/// How one kind of request on one table fared while something ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blocked {
    /// The table; our own one for the commit probe.
    pub table: TableName,
    /// What was asked.
    pub probe: ProbeKind,
    /// The longest wait of one request, from when it was due.
    pub longest_seconds: f64,
    /// The union of the intervals in which a request would have waited more than 50 ms.
    pub total_seconds: f64,
    /// `total_seconds` as a share of the statement's time (and of its transaction's, where locks outlive it).
    pub share: f64,
    /// When the first such wait began, seconds after the statement began.
    pub from_seconds: f64,
    /// Requests that waited more than 50 ms, those included that were due while one waited.
    pub waits: u64,
    /// Longest wait by key position (`first`, `last`, `quantile`, `random`, `touched`), where the probe has keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_key: Vec<(String, f64)>,
    /// Requests asked in all during the statement.
    #[serde(default)]
    pub asked: u64,
}

/// Requests that failed instead of waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The table.
    pub table: TableName,
    /// What was asked.
    pub probe: ProbeKind,
    /// The server's error number.
    pub error: u16,
    /// Its words, the first time.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// A lock that the upgrade's session held, from sampling `metadata_locks` (and row-lock counts).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockHeld {
    /// `app.orders`, `global`, `schema app`.
    pub object: String,
    /// The server's own word: `SHARED_WRITE`, `EXCLUSIVE`; `rows` for row locks.
    pub mode: String,
    /// From the first to the last sample that showed it.
    pub held_seconds: f64,
}

/// What a statement cost the server besides time. Differences of counters and files, in bytes unless said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Footprint {
    /// Binary log written.
    pub binlog_bytes: Option<u64>,
    /// Redo log written (`Innodb_os_log_written`).
    pub redo_bytes: Option<u64>,
    /// Growth of the data directory at its highest during the statement.
    pub disk_bytes: Option<u64>,
    /// Undo history list length at the end (entries).
    pub history_list: Option<u64>,
    /// Rows that waited for a lock elsewhere (`Innodb_row_lock_waits`).
    pub row_lock_waits: Option<u64>,
}

/// A stretch of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// `steady`, `run` or `settle`.
    pub name: String,
    /// When it began.
    pub from_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// What was waited for, or why it ended: `purge done`, `gave up after 300 s: history list 120000`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// How closely the watchers looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Samples of the server's views.
    pub samples: u64,
    /// The longest stretch without one.
    pub longest_gap_seconds: f64,
}

/// One line of `timeline.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// A statement ran.
    Statement {
        /// When it began.
        at: f64,
        /// How long it took.
        seconds: f64,
        /// Its id.
        statement: String,
        /// `done`, or the fault.
        outcome: String,
    },
    /// A probe waited or failed.
    Probe {
        /// When it was due.
        at: f64,
        /// From due to answered.
        seconds: f64,
        /// The table asked.
        table: TableName,
        /// What was asked.
        probe: ProbeKind,
        /// Error number; 0 for an answer.
        error: u16,
    },
    /// A measured value at a moment: `history_list`, `threads_running`, `data_directory_bytes`; `metadata_lock_queue` and
    /// `row_lock_queue`, how many sessions waited for one, when that changes.
    Sample {
        /// When.
        at: f64,
        /// What.
        series: String,
        /// How much.
        value: f64,
    },
    /// A phase began or ended.
    Phase(Phase),
    /// Somebody waited for somebody, as the server saw it.
    Wait {
        /// When it was seen.
        at: f64,
        /// The waiting session's role (`stranger` for none of ours).
        waiter: String,
        /// The session that held the lock.
        holder: String,
        /// What was waited for: the object and the mode.
        lock: String,
    },
}

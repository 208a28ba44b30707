//! What one experiment showed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::execute::record::{Algorithm, DdlFacts, DdlLock, Outcome, RowCounts, Warning};
use crate::sql::record::{Statement, TableName};
use crate::watch::record::{Blocked, Coverage, Failed, Footprint, LockHeld, Phase};

/// What an experiment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentKind {
    /// The upgrade as written.
    Upgrade,
    /// An alternative to one of its statements.
    Trial,
    /// Something that goes wrong.
    Drill,
    /// The plan.
    Plan,
    /// The plan's undo.
    Undo,
}

/// What one statement, or a group of consecutive look-alikes, did. Look-alikes fold; what blocked is never folded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The statement, or the first of the group.
    pub statement: Statement,
    /// How many it stands for.
    pub count: u64,
    /// Id of the group's last one.
    pub last_id: String,
    /// What became of it; of a group, the worst.
    pub outcome: Outcome,
    /// When it began, on the experiment's clock.
    pub at_seconds: f64,
    /// Its own time, without the commit and without our own waits; of a group, the sum.
    pub seconds: f64,
    /// The slowest of the group; equal to `seconds` for one.
    pub longest_seconds: f64,
    /// The commit's time, where it committed by itself.
    pub commit_seconds: Option<f64>,
    /// Number of the transaction it belongs to, from 1; none outside of any.
    pub transaction: Option<u32>,
    /// Warnings counted by the server.
    pub warning_count: u64,
    /// The first of them, at most ten.
    pub warnings: Vec<Warning>,
    /// Rows.
    pub rows: RowCounts,
    /// For DDL: how it was carried out; none where it could not be told.
    pub ddl: Option<DdlFacts>,
    /// Locks that were seen.
    pub locks: Vec<LockHeld>,
    /// Id of the statement at whose end its locks were freed (its own, or its transaction's COMMIT).
    pub locks_until: Option<String>,
    /// Who waited (loud run only).
    pub blocked: Vec<Blocked>,
    /// Who failed (loud run only).
    pub failed: Vec<Failed>,
    /// What it cost.
    pub footprint: Footprint,
}

impl Observation {
    /// The longest wait of a probe that `choose` picks; 0 when none waited.
    pub fn longest_blocked(&self, choose: impl Fn(&Blocked) -> bool) -> f64 {
        self.blocked.iter().filter(|blocked| choose(blocked)).map(|blocked| blocked.longest_seconds).fold(0.0, f64::max)
    }
}

/// What a table was before and after an experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableChange {
    /// Rows before; none when there was no such table.
    pub rows_before: Option<u64>,
    /// Rows after.
    pub rows_after: Option<u64>,
    /// Bytes before.
    pub bytes_before: Option<u64>,
    /// Bytes after.
    pub bytes_after: Option<u64>,
    /// Definition before and after as a unified diff; empty when it stayed the same.
    pub schema_diff: String,
}

/// One experiment's outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// `upgrade-loud`, `upgrade-quiet`, `s7-truncate`: unique in its run.
    pub id: String,
    /// What it was for.
    pub kind: ExperimentKind,
    /// The statement that a trial or drill is about.
    pub statement: Option<String>,
    /// Probes and watchers ran.
    pub loud: bool,
    /// From the first statement's begin to the last one's end.
    pub seconds: f64,
    /// Every statement ended well.
    pub completed: bool,
    /// Steady, run, settle.
    pub phases: Vec<Phase>,
    /// What each statement did, in order.
    pub observations: Vec<Observation>,
    /// How closely it was watched.
    pub coverage: Coverage,
    /// Seconds of CPU that the server used during the run phase.
    pub server_cpu_seconds: Option<f64>,
    /// Requests during the steady phase: the longest wait by table and probe, the noise that counts as none.
    pub steady: Vec<Blocked>,
    /// What could not be seen, in sentences, by statement (empty: all of it).
    pub unchecked: Vec<(String, String)>,
}

/// The proof that two scripts lead to the same state, or what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Nothing differs but what is excluded.
    pub same_result: bool,
    /// Each difference as a sentence that names the object.
    pub differences: Vec<String>,
    /// What the same script without its cure (AUTO_INCREMENT put back) would leave different.
    pub without_cure: Vec<String>,
    /// `db.table.column` that two runs of the original already differ in.
    pub excluded_columns: Vec<String>,
    /// What was compared.
    pub basis: ProofBasis,
}

/// What a proof compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofBasis {
    /// Definitions, row counts and checksums of every table.
    Checksum,
    /// Definitions and row counts.
    Counts,
    /// Nothing could be compared.
    #[default]
    NotComparable,
}

/// Tables by name, before and after.
pub type TableChanges = BTreeMap<TableName, TableChange>;

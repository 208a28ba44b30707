//! What one experiment showed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::execute::record::{Algorithm, DdlFacts, DdlLock, Outcome, RowCounts, TwinAnswer, Warning};
use crate::server::fault::Fault;
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
    /// For DDL: what an empty twin of its table answered before it ran (quiet run only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<TwinAnswer>,
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
    /// What went wrong on purpose.
    #[serde(default)]
    pub happened: Happened,
}

/// What an experiment's condition came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// How long somebody held the table.
    pub held_seconds: Option<f64>,
    /// Times that the statement gave up waiting (error 1205) and was sent again.
    pub timed_out: u64,
    /// The statement was killed.
    pub killed: Option<Killed>,
    /// What a backup met that read from a snapshot older than the script.
    pub reads: Vec<SnapshotRead>,
    /// Undo history list length (entries) at the end, with the old snapshot still open.
    pub history_held: Option<u64>,
    /// The same a second after it was closed.
    pub history_free: Option<u64>,
}

/// How somebody holds a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// One slow SELECT of it.
    SlowRead,
    /// A transaction that has read it and does nothing more.
    IdleReader,
    /// A transaction that has written to it and does nothing more.
    IdleWriter,
}

/// A statement that was killed on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Killed {
    /// Seconds that it had run.
    pub after_seconds: f64,
    /// Rows that it had changed by then, as far as the server told; 0 where it tells nothing.
    pub rows: u64,
    /// From the kill to the statement's answer: until then its locks stay.
    pub rollback_seconds: f64,
    /// Who waited meanwhile.
    pub blocked: Vec<Blocked>,
}

/// One look at a table through an old snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRead {
    /// The statement after which it was made.
    pub statement: String,
    /// The table.
    pub table: TableName,
    /// What the server said; none when it answered.
    pub error: Option<Fault>,
}

/// How the remark begins (in [`Rehearsal::unchecked`]) of a statement that was run again after a deadlock.
pub const MET_A_DEADLOCK: &str = "it met a deadlock or a lock time-out";

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

/// Something that goes wrong, rehearsed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// The statement that it is about: of an interruption, the last one that ran.
    pub statement: String,
    /// The experiment that showed it.
    pub experiment: String,
    /// Share of production's rows that the tables held.
    pub scale: f64,
    /// What it showed.
    #[serde(flatten)]
    pub showed: Showed,
}

/// What a drill showed, by its `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Showed {
    /// Somebody held the table when a DDL arrived.
    Queue(Queue),
    /// The statement was killed on its way.
    Kill(Kill),
    /// The upgrade was cut off after a statement, and run again from its start.
    Interruption(Interruption),
    /// A backup or report that began before the upgrade read on.
    Snapshot(Snapshot),
}

/// Who queued behind a DDL that waited for a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// How the table was held.
    pub holder: HoldKind,
    /// The table that was held.
    pub held: TableName,
    /// What that table is to the statement's own.
    pub relation: Relation,
    /// For how long it was held.
    pub held_seconds: f64,
    /// From the DDL's arrival to its end.
    pub seconds: f64,
    /// Requests that waited more than 50 ms meanwhile, those included that were due while one waited.
    pub queued: u64,
    /// The longest wait of one request.
    pub longest_seconds: f64,
    /// Who waited.
    pub blocked: Vec<Blocked>,
    /// The DDL gave up by the script's own `lock_wait_timeout`.
    pub gave_up: bool,
    /// The same with a low `lock_wait_timeout` and retries.
    pub bounded: Option<BoundedQueue>,
}

/// What a table is to the one that a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It is that table.
    Itself,
    /// A foreign key of it leads there.
    Parent,
    /// A foreign key leads from there to it.
    Child,
}

/// The queue behind a DDL that gives up early and tries again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundedQueue {
    /// `lock_wait_timeout` of its session, in seconds.
    pub lock_wait_timeout: u64,
    /// Times that it was sent, the last one included.
    pub tries: u64,
    /// It ended well.
    pub done: bool,
    /// Requests that waited more than 50 ms.
    pub queued: u64,
    /// The longest wait of one request.
    pub longest_seconds: f64,
    /// Who waited.
    pub blocked: Vec<Blocked>,
}

/// A statement that was killed on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kill {
    /// The share of its work after which it was to be killed.
    pub at: f64,
    /// Seconds that it had run by then, beside the probes.
    pub after_seconds: f64,
    /// Rows that it had changed by then; 0 where the server tells nothing.
    pub rows: u64,
    /// From the kill to the statement's answer: until then its locks stay.
    pub rollback_seconds: f64,
    /// Its own time when nobody kills it.
    pub whole_seconds: f64,
    /// Who waited from the kill on.
    pub blocked: Vec<Blocked>,
}

/// The upgrade, cut off after a statement and run again from its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interruption {
    /// The rerun ends well, and leaves what an upgrade without interruption leaves.
    pub rerun_safe: bool,
    /// The statement at which the rerun fails; none when it gets to its end.
    pub fails_at: Option<String>,
    /// The server's words there.
    pub error: Option<Fault>,
    /// What the rerun leaves different, in sentences: one that fails, from what it met; one that ends well, from what an
    /// upgrade without interruption leaves.
    pub differences: Vec<String>,
    /// Columns (`db.table.column`), and tables (`db.table`) whose number of rows, in which two whole runs of the upgrade
    /// differ already: no rerun can be held to them, so they were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
    /// Going on with the next statement instead was run, and leaves what an upgrade without interruption leaves.
    pub resume_safe: Option<bool>,
    /// The statement to go on with, with its place; none after the last one.
    pub resume_at: Option<String>,
    /// Statements that take back what ran, last first, so that the upgrade can be run again from its start; empty where
    /// one of them cannot be taken back.
    pub cleanup: Vec<String>,
}

/// A reader that began before the upgrade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Tables that it could not read any more after the statement (error 1412 and others).
    pub broken: Vec<SnapshotRead>,
    /// Tables that it could.
    pub read: Vec<TableName>,
    /// A reader that has read the table and is still open holds the statement up.
    pub holds_up: Option<bool>,
    /// Undo history list length (entries) after the upgrade, with the reader still open.
    pub history_held: Option<u64>,
    /// The same a second after it ended.
    pub history_free: Option<u64>,
}

/// Interruptions one after the other that a rerun meets alike, as the first and the last of them and how many they are;
/// every other drill stands alone.
pub fn grouped(drills: &[Drill]) -> Vec<(&Drill, &Drill, usize)> {
    let alike = |one: &Drill, other: &Drill| match (&one.showed, &other.showed) {
        (Showed::Interruption(one), Showed::Interruption(other)) => {
            one.rerun_safe == other.rerun_safe
                && one.fails_at == other.fails_at
                && one.error == other.error
                && one.differences == other.differences
        }
        _ => false,
    };
    let mut groups: Vec<(&Drill, &Drill, usize)> = Vec::new();
    for drill in drills {
        match groups.last_mut() {
            Some(group) if alike(group.1, drill) => *group = (group.0, drill, group.2 + 1),
            _ => groups.push((drill, drill, 1)),
        }
    }
    groups
}

//! `report.json`: the keys that other programs may rely on. Keys are only ever added; a changed meaning is a new
//! [`SCHEMA_VERSION`].
//!
//! Times are seconds, sizes bytes. A number that was not measured has a sibling `…_basis`; a number that nobody has is
//! `null`, never 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::advise::record::{BudgetLine, Finding, Unchecked};
use crate::replay::record::{Algorithm, DdlLock, Drill, Proof, Warning};
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::sql::record::{Kind, TableName};
use crate::survey::record::Basis;
use crate::watch::record::{Blocked, Coverage, Failed, Footprint, LockHeld, Phase};

/// The version of the keys below.
pub const SCHEMA_VERSION: u32 = 1;

/// One rehearsal, for people and programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Within the budget, or not.
    pub verdict: Verdict,
    /// What was rehearsed: the scenario's name, else the upgrade file's.
    pub name: String,
    /// Why the scenario exists; empty without one.
    #[serde(default)]
    pub about: String,
    /// When the run began (RFC 3339, UTC).
    pub started: String,
    /// What made this report.
    pub tool: Tool,
    /// The machine that the sandbox ran on.
    pub environment: Environment,
    /// Share of production's rows that the sandbox held; 1 for all.
    pub scale: f64,
    /// The servers that were rehearsed on.
    pub members: Vec<Member>,
    /// The upgrade as written.
    pub upgrade: Upgrade,
    /// Steady, run, settle, of the upgrade's loud run.
    pub phases: Vec<Phase>,
    /// Tables that the upgrade touches, by name.
    pub tables: Vec<Table>,
    /// Statements, look-alikes as one, in order.
    pub statements: Vec<Statement>,
    /// Everything that ran.
    pub experiments: Vec<Experiment>,
    /// Risks: by statement, then severity, then rule.
    pub findings: Vec<Finding>,
    /// What nobody looked at, and why.
    pub unchecked: Vec<Unchecked>,
    /// What was rehearsed to go wrong. Empty: no drill ran.
    pub drills: Vec<Drill>,
    /// The application's pools. Empty: no workload ran.
    pub pools: Vec<Value>,
    /// The budget held against what was seen.
    pub budget: Vec<BudgetLine>,
    /// The plan that was drafted.
    pub plan: Option<PlanReference>,
    /// Waits of the probes while nothing ran: what counts as noise.
    #[serde(default)]
    pub noise: Vec<Blocked>,
    /// How closely the upgrade was watched.
    #[serde(default)]
    pub coverage: Coverage,
    /// What else the run wrote, by what it is (`plan`, `upgrade`).
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// Within the budget, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing above the limits.
    Pass,
    /// A limit was passed, a finding is an error, or a statement failed.
    Fail,
}

/// What made a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// The version of `rehearse`.
    pub version: String,
}

/// A machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Processors that the sandbox could use.
    pub cpus: u32,
    /// Memory; none when it could not be told.
    pub memory_bytes: Option<u64>,
}

/// A server that was rehearsed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// `primary`, `replica-1`.
    pub name: String,
    /// `primary` or `replica`.
    pub role: String,
    /// Vendor and version.
    pub flavor: Flavor,
    /// The whole version string.
    pub version: String,
    /// `container`, `process` or `existing`.
    pub sandbox: String,
    /// The image or the binary.
    #[serde(default)]
    pub engine: String,
    /// Settings of production that it did not get, each as a sentence.
    #[serde(default)]
    pub not_carried: Vec<String>,
    /// The seeded data was taken from an earlier run's cache.
    #[serde(default)]
    pub seeded_from_cache: bool,
}

/// The upgrade as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgrade {
    /// Digest of its statements.
    pub digest: String,
    /// How many statements it has.
    pub statements: u64,
}

/// A table that the upgrade touches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// Rows in production; none for a table that is not there.
    pub production_rows: Option<u64>,
    /// Where that number comes from, when it was not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production_rows_basis: Option<Basis>,
    /// Rows in the sandbox before the upgrade.
    pub rows_before: Option<u64>,
    /// Rows in the sandbox after it.
    pub rows_after: Option<u64>,
    /// Bytes before, as the server's statistics tell them.
    pub bytes_before: Option<u64>,
    /// Bytes after.
    pub bytes_after: Option<u64>,
    /// How its definition changed, as a unified diff; empty when it did not.
    pub schema_diff: String,
}

/// A statement, or a group of consecutive look-alikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// `s3`.
    pub id: String,
    /// The name that its comment gave it.
    pub name: Option<String>,
    /// Its verb.
    pub kind: Kind,
    /// Its text, or its first 4,000 characters.
    pub text: String,
    /// The text above is not the whole.
    #[serde(default)]
    pub text_cut: bool,
    /// What look-alikes share.
    pub digest: String,
    /// How many statements this stands for.
    pub count: u64,
    /// The last of them.
    #[serde(default)]
    pub last_id: String,
    /// `upgrade.sql:12`.
    pub origin: String,
    /// The session it ran on.
    pub session: u32,
    /// The transaction it belongs to; none when it is one of its own.
    pub transaction: Option<u32>,
    /// Tables that it touches.
    pub tables: Vec<TableName>,
    /// `done`, `failed`, `timed_out` or `skipped`.
    pub outcome: String,
    /// The server's error.
    pub error: Option<Fault>,
    /// The server's warnings, at most ten.
    pub warnings: Vec<Warning>,
    /// How many warnings there were.
    #[serde(default)]
    pub warning_count: u64,
    /// Its time: the quiet run's, where one was made, else the loud run's.
    pub seconds: Option<f64>,
    /// `quiet` or `loud`: the run that `seconds` is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_run: Option<String>,
    /// Its time while the probes asked.
    #[serde(default)]
    pub loud_seconds: Option<f64>,
    /// The slowest of the group.
    #[serde(default)]
    pub longest_seconds: Option<f64>,
    /// Rows it dealt with.
    pub rows: Rows,
    /// How a DDL was carried out; none for DML, and where it could not be told.
    pub algorithm: Option<Algorithm>,
    /// Locks that were seen.
    pub locks: Vec<LockHeld>,
    /// The statement at whose end its locks were freed.
    pub locks_until: Option<String>,
    /// Who waited.
    pub blocked: Vec<Blocked>,
    /// Who failed instead of waiting.
    pub failed: Vec<Failed>,
    /// The commit's own time.
    pub commit_seconds: Option<f64>,
    /// The table was written anew.
    pub rebuilds: bool,
    /// What a DDL left to others.
    pub lock: Option<DdlLock>,
    /// What it cost.
    pub footprint: Footprint,
    /// Other ways to do its work.
    pub alternatives: Vec<Alternative>,
}

/// Rows that a statement dealt with; none where nobody could tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Changed.
    pub affected: Option<u64>,
    /// Matched by its condition.
    pub matched: Option<u64>,
    /// Read.
    pub examined: Option<u64>,
    /// Locked.
    pub locked: Option<u64>,
    /// Changed in other tables, by foreign keys and triggers.
    #[serde(default)]
    pub cascaded: Option<u64>,
}

/// Another way to do a statement's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// `truncate`, `swap`, `batches`.
    pub id: String,
    /// Ids of the statements right after it that it stands in for as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// One line for people.
    pub title: String,
    /// What it runs; batches as one entry that says so.
    pub script: Vec<String>,
    /// Its own time; none when it was not tried.
    pub seconds: Option<f64>,
    /// Binary log that it wrote, in its quiet run; none when it was not tried, or nobody could tell.
    #[serde(default)]
    pub binlog_bytes: Option<u64>,
    /// Who waited.
    pub blocked: Vec<Blocked>,
    /// Who failed instead of waiting.
    #[serde(default)]
    pub failed: Vec<Failed>,
    /// Whether it leaves the same; none when it was not tried.
    pub proof: Option<Proof>,
    /// It may be tried.
    pub eligible: bool,
    /// Why not.
    pub reason: Option<String>,
    /// The plan takes it.
    pub chosen: bool,
    /// It was tried and ended well; none when it was not tried.
    #[serde(default)]
    pub completed: Option<bool>,
    /// What to know before choosing it.
    #[serde(default)]
    pub caveats: Vec<String>,
}

/// Something that ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// `upgrade-loud`, `s7-truncate-quiet`.
    pub id: String,
    /// `upgrade`, `trial`, `drill`, `plan` or `undo`.
    pub kind: crate::replay::record::ExperimentKind,
    /// The statement it is about.
    pub statement: Option<String>,
    /// From the first statement's begin to the last one's end.
    pub seconds: f64,
    /// `done` or `failed`.
    pub outcome: String,
}

/// Where the plan is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReference {
    /// The file, from the directory of this report.
    pub path: String,
    /// Its digest.
    pub digest: String,
}

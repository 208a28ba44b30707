//! One run to be made: a script (or a slice of it), who watches, and what happens before and after.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::record::{ExperimentKind, HoldKind, Rehearsal};
use crate::sql::record::TableName;
use crate::sql::script::Script;

/// Seconds of probes before the first statement, where nobody asks for another time.
pub const STEADY: f64 = 2.0;
/// The same for a trial or a drill, whose noise is known from the upgrade's own run: until every probe has asked a few times.
pub const BRIEFLY_STEADY: f64 = 0.5;

/// What goes wrong while the script runs. A script that is cut off after its first statements needs no condition: its
/// experiment takes only those, and the session's end is the client's.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Condition {
    /// Nothing.
    #[default]
    Alone,
    /// Somebody holds a table when the experiment's statement arrives.
    Holder(Holder),
    /// The experiment's statement is killed (`KILL QUERY`) on its way.
    KillAt(Kill),
    /// A backup reads from a snapshot that it took before the script began.
    Snapshot,
}

/// A session that holds on to a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// The table.
    pub table: TableName,
    /// How it holds it.
    pub how: HoldKind,
    /// For how long, in seconds.
    pub seconds: f64,
    /// The statement gives up early and tries again; none: it waits as long as the script lets it.
    pub patience: Option<Patience>,
}

/// How a statement waits for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// `lock_wait_timeout` of its session, in seconds.
    pub lock_wait_timeout: u64,
    /// Times that it tries again.
    pub tries: u64,
    /// Rest between two tries, in which whoever queued behind it goes on.
    pub pause: Duration,
}

/// When a statement is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kill {
    /// Share of its work that is done by then: 0.5 is half-way.
    pub share: f64,
    /// Its own time, in seconds.
    pub seconds: f64,
    /// Rows that it changes, where its progress can be told by them.
    pub rows: Option<u64>,
}

/// One run to be made, from the bytes that the instance holds when it starts.
#[derive(Clone, Debug)]
pub struct Experiment<'a> {
    /// Unique in its run: `upgrade-loud`, `s7-truncate-quiet`.
    pub id: String,
    /// What it is for.
    pub kind: ExperimentKind,
    /// The statement that a trial or drill is about.
    pub statement: Option<String>,
    /// What to run.
    pub script: &'a Script,
    /// Actions of the script to pass over first.
    pub skip: u64,
    /// How many actions to run; none for all that are left.
    pub take: Option<u64>,
    /// Statements that bring the first session to the state it has after the skipped actions.
    pub preamble: Vec<String>,
    /// The database in use when it begins; empty for none.
    pub database: String,
    /// Probes and watchers run beside it; else it runs alone, with time and random numbers fixed.
    pub loud: bool,
    /// Seconds of probes before the first statement, to know what counts as noise.
    pub steady: f64,
    /// Wait afterwards until the server is at rest again, and record that time.
    pub settle: bool,
    /// Tables to probe, instead of those that the script touches and what these reach.
    pub probe_tables: Option<Vec<TableName>>,
    /// Tables to probe besides.
    pub extra_probes: Vec<TableName>,
    /// Where the timeline goes, one JSON document a line.
    pub timeline: Option<&'a Path>,
    /// Go on after a statement that failed, as `mysql --force` does.
    pub keep_going: bool,
    /// What goes wrong.
    pub condition: Condition,
}

impl<'a> Experiment<'a> {
    /// A whole script, quiet, without settling: the plainest experiment.
    pub fn quiet(id: impl Into<String>, kind: ExperimentKind, script: &'a Script, database: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            statement: None,
            script,
            skip: 0,
            take: None,
            preamble: Vec::new(),
            database: database.into(),
            loud: false,
            steady: STEADY,
            settle: false,
            probe_tables: None,
            extra_probes: Vec::new(),
            timeline: None,
            keep_going: false,
            condition: Condition::Alone,
        }
    }
}

/// An experiment that ended before its time, with what it had measured until then. The cause is its
/// [`source`](std::error::Error::source): a lost connection, a dead server, or
/// [`Interrupted`](crate::progress::Interrupted).
#[derive(Debug)]
pub struct Broken {
    /// What was measured; `completed` is false.
    pub rehearsal: Box<Rehearsal>,
    /// Why it ended.
    pub cause: anyhow::Error,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done: u64 = self.rehearsal.observations.iter().map(|seen| seen.count).sum();
        write!(f, "the experiment {} broke off after {done} statements", self.rehearsal.id)
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.cause.as_ref())
    }
}

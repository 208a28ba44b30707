//! One run to be made: a script (or a slice of it), who watches, and what happens before and after.

use std::fmt;
use std::path::Path;

use super::record::{ExperimentKind, Rehearsal};
use crate::sql::record::TableName;
use crate::sql::script::Script;

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
            settle: false,
            probe_tables: None,
            extra_probes: Vec::new(),
            timeline: None,
            keep_going: false,
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

//! One experiment of the pipeline, as it is asked of the one loop; and the list of those that ran.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::stage::{Ran, Stage};
use crate::progress::{Progress, Unit};
use crate::replay::experiment::{BRIEFLY_STEADY, Condition, Experiment, STEADY};
use crate::replay::record::{ExperimentKind, Rehearsal};
use crate::server::role::Role;
use crate::sql::script::Script;
use crate::survey::fingerprint::{self, Depth};
use crate::survey::record::Fingerprint;

/// What to run, and how.
pub struct Run<'a> {
    /// Unique in the rehearsal: `upgrade-loud`, `s7-truncate-quiet`.
    pub id: String,
    /// What for.
    pub kind: ExperimentKind,
    /// The statement that a trial is about.
    pub statement: Option<String>,
    /// The script.
    pub script: &'a Script,
    /// Its part: actions to leave out first, and how many to run then (none: to the end).
    pub slice: (u64, Option<u64>),
    /// Statements that bring a fresh session to where the slice begins.
    pub preamble: Vec<String>,
    /// With probes and watchers.
    pub loud: bool,
    /// Wait for purge and the other after-pains.
    pub settle: bool,
    /// Where the timeline goes.
    pub timeline: Option<PathBuf>,
    /// What goes wrong on purpose.
    pub condition: Condition,
}

impl<'a> Run<'a> {
    /// The whole of a script, alone and timed.
    pub fn quiet(id: impl Into<String>, kind: ExperimentKind, script: &'a Script) -> Self {
        Self {
            id: id.into(),
            kind,
            statement: None,
            script,
            slice: (0, None),
            preamble: Vec::new(),
            loud: false,
            settle: false,
            timeline: None,
            condition: Condition::Alone,
        }
    }
}

impl Stage {
    /// Runs an experiment on the sandbox as it stands.
    ///
    /// # Errors
    /// When the server or a connection is lost, or the person asked to stop.
    pub fn run(&mut self, run: &Run<'_>, progress: &dyn Progress) -> Result<Rehearsal> {
        let experiment = Experiment {
            id: run.id.clone(),
            kind: run.kind,
            statement: run.statement.clone(),
            script: run.script,
            skip: run.slice.0,
            take: run.slice.1,
            preamble: run.preamble.clone(),
            database: self.database.clone(),
            loud: run.loud,
            steady: if run.kind == ExperimentKind::Upgrade { STEADY } else { BRIEFLY_STEADY },
            settle: run.settle,
            probe_tables: None,
            extra_probes: self.extra_probes.clone(),
            timeline: run.timeline.as_deref(),
            keep_going: self.keep_going,
            condition: run.condition.clone(),
        };
        let rehearsal = crate::replay::run(&experiment, self.sandbox.instance(), &self.survey, progress)
            .with_context(|| format!("experiment {} could not be completed", run.id))?;
        self.ran.push(Ran {
            id: run.id.clone(),
            kind: run.kind,
            statement: run.statement.clone(),
            seconds: rehearsal.seconds,
            completed: rehearsal.completed,
        });
        Ok(rehearsal)
    }

    /// What the sandbox holds now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn print(&mut self, depth: Depth, progress: &dyn Progress) -> Result<Fingerprint> {
        progress.stage("comparing what the tables hold", Unit::Waiting, None);
        let mut reader = self.sandbox.instance().reader(Role::Surveyor).context("cannot look at the sandbox")?;
        fingerprint::take(&mut reader, &self.databases(), depth, progress)
    }

    /// The databases that are compared: those of the survey. What an upgrade creates beside them shows as a new table
    /// of theirs, or as a statement of its own.
    fn databases(&self) -> Vec<String> {
        self.survey.databases.keys().cloned().collect()
    }
}

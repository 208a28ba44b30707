//! Everything that a run needs, resolved: plain values, nothing left to look up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::advise::gate::Gate;
use crate::advise::record::{Allowance, Budget, Severity};
use crate::capture::live::access::Template;
use crate::capture::live::command::Until;
use crate::capture::live::enclosure::Network;
use crate::capture::live::record::HostName;
use crate::plan::choice::Choices;
use crate::quantity::Count;
use crate::sandbox::Kind;
use crate::scenario::expect::Expect;
use crate::server::flavor::Flavor;

/// A run to be made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The scenario's name; the first upgrade file's stem without one.
    pub name: String,
    /// Why the scenario exists; empty without one.
    pub about: String,
    /// What is rehearsed.
    pub upgrade: Upgrade,
    /// What production holds.
    pub production: Production,
    /// The flavour and version asked for; none: the survey's, else whichever server there is.
    pub server: Option<Flavor>,
    /// The container image asked for.
    pub image: Option<String>,
    /// Where the sandbox runs.
    pub sandbox: Kind,
    /// Production's global variables, as typed; over those of a survey.
    pub settings: BTreeMap<String, String>,
    /// Placeholders of the upgrade's text and what they stand for.
    pub variables: BTreeMap<String, String>,
    /// What the upgrade may do to the application.
    pub budget: Budget,
    /// Findings that somebody accepted.
    pub allow: Vec<Allowance>,
    /// Severities of rules, over their own.
    pub severity: BTreeMap<String, Severity>,
    /// Ways that a person wants for statements, by name or id, over what the rehearsal would choose.
    pub choose: Choices,
    /// Tables to be probed besides those that the upgrade touches, as typed.
    pub probes: Vec<String>,
    /// The directory that the run writes.
    pub out: PathBuf,
    /// Go on after a statement that failed.
    pub keep_going: bool,
    /// Rehearse what goes wrong, too: queues, kills, interruptions, old snapshots.
    pub drills: bool,
    /// Other ways, the upgrade's own time and the plan, too; else only what it blocks, breaks and leaves, for a gate.
    pub whole: bool,
    /// From which severity on a finding fails the run.
    pub fail_on: FailOn,
    /// Keep the seeded store for the next run, and take one that is kept.
    pub cache: bool,
    /// What the scenario expects; `run` does not look at it, `test` does.
    pub expect: Option<Expect>,
}

impl Settings {
    /// How what a gate finds counts, on a day such as `2026-11-20`.
    pub fn gate<'a>(&'a self, today: &'a str) -> Gate<'a> {
        Gate { allow: &self.allow, severity: &self.severity, today }
    }
}

/// What is rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// SQL files, and directories of them, in order. Each exists and can be read.
    Sql(Vec<PathBuf>),
    /// A command that upgrades the database it is pointed at.
    Command(Box<Live>),
}

/// A command, and how it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The command and its arguments; words in braces are filled.
    pub command: Vec<String>,
    /// Where it runs.
    pub network: Network,
    /// What its configuration calls the database.
    pub hosts: Vec<HostName>,
    /// Where it looks for the server's socket, besides the usual places.
    pub sockets: Vec<PathBuf>,
    /// Files of which it sees a filled copy.
    pub templates: Vec<Template>,
    /// Addresses to be asked for once it runs.
    pub visits: Vec<String>,
    /// When it is over.
    pub until: Until,
    /// This program.
    pub launcher: PathBuf,
}

/// What production holds. At least one of `schema`, `survey` and `data` is there, and each that is exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Production {
    /// A file (or directory) of CREATE statements.
    pub schema: Option<PathBuf>,
    /// A saved survey.
    pub survey: Option<PathBuf>,
    /// A dump with its rows, or a directory of them.
    pub data: Option<PathBuf>,
    /// Rows by table, as typed: `table` (of `database`) or `database.table`.
    pub rows: BTreeMap<String, Count>,
    /// Share of production's rows that the sandbox gets: more than 0, and 1 for all.
    pub scale: f64,
    /// The most rows that a table gets; none: as many as it has at this scale.
    pub at_most: Option<u64>,
    /// The database that a schema file fills when it names none.
    pub database: String,
}

/// From which severity on a finding fails the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailOn {
    /// Errors.
    #[default]
    Error,
    /// Warnings and errors.
    Warning,
    /// Never.
    Never,
}

impl FailOn {
    /// The severity itself; none for never.
    pub fn from_severity(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Never => None,
        }
    }

    /// True when a finding of this severity fails the run.
    pub fn fails(self, severity: Severity) -> bool {
        self.from_severity().is_some_and(|from| severity >= from)
    }
}

//! The plan: what people sign and what a program carries out. Saved as `plan.yaml`.

use serde::{Deserialize, Serialize};

use super::choice::Choices;
pub use super::demand::Demand;
pub use super::identity::{Identity, RowBand};
use super::loss::Loss;
use super::restored::{Instead, Restored, Undone};
use super::step::RawStep;
pub use super::step::Step;
use crate::sql::record::TableName;

pub mod groups;
mod script;
pub mod stops;
pub mod summary;
pub mod told;

pub use self::script::{PlanScript, Rehearsed, ScriptPhase, Shell, ShellProgram};

/// The format line of a plan.
pub const FORMAT: &str = "rehearse/plan@1";

/// What to do, in which order, guarded how, and how to get back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawPlan")]
pub struct Plan {
    /// Always [`FORMAT`].
    pub format: String,
    /// What was rehearsed.
    pub name: String,
    /// What the plan is true for.
    pub identity: Identity,
    /// The way that is taken for each statement that has several which ran: an alternative's id, or `as-written`. To be
    /// edited; then the plan is drafted again.
    #[serde(default, skip_serializing_if = "Choices::is_empty")]
    pub choices: Choices,
    /// Why the plan must not be carried out as it is; empty when nothing speaks against it.
    pub blockers: Vec<String>,
    /// What to look at before the first step.
    pub preflight: Vec<Check>,
    /// What is kept before it is destroyed.
    pub backups: Vec<Backup>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What each step asks of the server; empty in plans of earlier versions.
    pub demands: Vec<Demand>,
    /// Statements of the upgrade that are no step of their own, and why.
    pub left_out: Vec<LeftOut>,
    /// What to drop in the end, and when.
    pub cleanup: Vec<Cleanup>,
    /// What to know and do when it goes wrong, in sentences.
    pub trouble: Vec<String>,
    /// What it costs to kill a step, or to wait for it, where that was rehearsed.
    pub stops: Vec<Stop>,
    /// What a rerun of the upgrade as written meets where it was cut off, as far as that was rehearsed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub half_done: Vec<HalfDone>,
    /// Who signs.
    pub sign_off: Vec<String>,
    /// The scripts for the stock client, in the order in which a rehearsal of the plan runs them.
    pub scripts: Vec<PlanScript>,
}

impl Plan {
    /// Notes what running a script in the sandbox showed; false when the plan has no such script.
    pub fn mark(&mut self, path: &str, rehearsed: Rehearsed) -> bool {
        match self.scripts.iter_mut().find(|script| script.path == path) {
            Some(script) => {
                script.rehearsed = Some(rehearsed);
                true
            }
            None => false,
        }
    }

    /// The backup of this id.
    pub fn backup(&self, id: &str) -> Option<&Backup> {
        self.backups.iter().find(|backup| backup.id == id)
    }

    /// The scripts that belong to a step.
    pub fn scripts_of<'a>(&'a self, step: &'a str) -> impl Iterator<Item = &'a PlanScript> {
        self.scripts.iter().filter(move |script| script.step.as_deref() == Some(step))
    }
}

/// A plan as a file holds it: nobody has looked yet whether what it destroys is covered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlan {
    format: String,
    name: String,
    identity: Identity,
    #[serde(default)]
    choices: Choices,
    #[serde(default)]
    blockers: Vec<String>,
    preflight: Vec<Check>,
    backups: Vec<Backup>,
    steps: Vec<RawStep>,
    #[serde(default)]
    demands: Vec<Demand>,
    #[serde(default)]
    left_out: Vec<LeftOut>,
    #[serde(default)]
    cleanup: Vec<Cleanup>,
    #[serde(default)]
    trouble: Vec<String>,
    #[serde(default)]
    stops: Vec<Stop>,
    #[serde(default)]
    half_done: Vec<HalfDone>,
    #[serde(default)]
    sign_off: Vec<String>,
    scripts: Vec<PlanScript>,
}

impl TryFrom<RawPlan> for Plan {
    type Error = String;

    fn try_from(raw: RawPlan) -> Result<Self, String> {
        if raw.format != FORMAT {
            return Err(format!("the format is '{}', not '{FORMAT}'", raw.format));
        }
        let steps = raw.steps.into_iter().map(|step| step.check(&raw.backups)).collect::<Result<_, _>>()?;
        Ok(Self {
            format: raw.format,
            name: raw.name,
            identity: raw.identity,
            choices: raw.choices,
            blockers: raw.blockers,
            preflight: raw.preflight,
            backups: raw.backups,
            steps,
            demands: raw.demands,
            left_out: raw.left_out,
            cleanup: raw.cleanup,
            trouble: raw.trouble,
            stops: raw.stops,
            half_done: raw.half_done,
            sign_off: raw.sign_off,
            scripts: raw.scripts,
        })
    }
}

/// A step that was killed on its way in the sandbox: what to weigh when it takes too long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// The step.
    pub step: String,
    /// Share of its work that was done.
    pub at: f64,
    /// Seconds that it had run.
    pub ran_seconds: f64,
    /// Kill: seconds that the rollback took.
    pub rollback_seconds: f64,
    /// Wait: seconds that were still to go.
    pub rest_seconds: f64,
    /// Who waited during the rollback, worst first.
    pub blocked: Vec<String>,
    /// Help: what to turn off meanwhile, killed or not.
    pub turn_off: Vec<TableName>,
}

/// The upgrade as written, cut off in the sandbox and run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HalfDone {
    /// The statement after which it was cut off.
    pub after: String,
    /// The last of several places where the same comes of it; the same statement where it is one place.
    pub up_to: String,
    /// How many places they are.
    pub places: u64,
    /// It may be run again from its start: that ends well and leaves what it should.
    pub rerun_safe: bool,
    /// What a rerun from the start meets and leaves, in a sentence.
    pub rerun: String,
    /// What to do instead, in a sentence; empty where the rerun is safe.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instead: String,
    /// Statements that take back what ran, last first, so that it can be run again from its start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleanup: Vec<String>,
}

/// Something to look at before the first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// `long-transactions`.
    pub id: String,
    /// What is asked.
    pub title: String,
    /// The query that answers it; none where a person must look elsewhere.
    #[serde(default)]
    pub query: Option<String>,
    /// A shell command, where SQL cannot tell.
    #[serde(default)]
    pub command: Option<String>,
    /// The answer that lets the plan go on.
    pub expect: String,
    /// Why it matters.
    pub why: String,
}

/// What is kept before it is destroyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// `b1`.
    pub id: String,
    /// The table (or database: then `table` is empty) that it is of.
    pub of: TableName,
    /// How.
    pub way: Way,
    /// One sentence: what it keeps.
    pub keeps: String,
    /// What it does not keep, and until when it is good; sentences.
    #[serde(default)]
    pub limits: Vec<String>,
    /// Room it takes, roughly: the table's share.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Other kinds of backup that would do; none of them was rehearsed.
    #[serde(default)]
    pub alternatives: Vec<Instead>,
    /// What restoring it in the sandbox showed; none: it was not restored.
    #[serde(default)]
    pub restored: Option<Restored>,
}

/// How something is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Way {
    /// The step itself puts the old table aside.
    KeptTable {
        /// Its name from then on.
        kept: TableName,
    },
    /// The rows that the step changes, copied in the same transaction.
    RowCopy {
        /// The table that takes them.
        copy: TableName,
    },
    /// All rows.
    TableCopy {
        /// The table that takes them.
        copy: TableName,
    },
    /// The key and some columns of all rows.
    ColumnCopy {
        /// The table that takes them.
        copy: TableName,
        /// The columns, without the key.
        columns: Vec<String>,
    },
    /// The definition, as the survey read it; the undo holds it.
    Definition,
    /// A dump that the operator makes with the stock tools.
    Dump {
        /// The command.
        command: String,
    },
}

impl Way {
    /// The table that holds what is kept, where it is a table.
    pub fn table(&self) -> Option<&TableName> {
        match self {
            Self::KeptTable { kept: table }
            | Self::RowCopy { copy: table }
            | Self::TableCopy { copy: table }
            | Self::ColumnCopy { copy: table, .. } => Some(table),
            Self::Definition | Self::Dump { .. } => None,
        }
    }
}

/// What stands around a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// `SET SESSION` statements before it.
    pub settings: Vec<String>,
    /// What to do when the guard trips.
    pub when_tripped: String,
    /// What to look at while it runs, and the query.
    pub watch: Vec<Watch>,
    /// When to stop it by hand: sentences with the numbers of the rehearsal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_when: Vec<String>,
}

/// Something to look at while a step runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// What it shows, and when to worry.
    pub what: String,
    /// The query.
    pub query: String,
}

/// A range of seconds with where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duration {
    /// Shortest.
    pub low_seconds: f64,
    /// Longest.
    pub high_seconds: f64,
    /// `measured in the sandbox, twice`, or why it says little.
    pub basis: String,
}

/// How to see that a step did what it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The query; its first column of its first row is the answer.
    pub query: String,
    /// The answer, in words.
    pub expect: String,
    /// The answer exactly, where there is but one.
    #[serde(default)]
    pub equals: Option<String>,
}

/// How to go back behind a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Statements, in order; empty when there is none.
    pub sql: Vec<String>,
    /// Until when it is good, and what it loses; or why there is none.
    pub limit: String,
    /// What carrying it out in the sandbox showed; none: it was not.
    #[serde(default)]
    pub shown: Option<Undone>,
}

/// A statement that is no step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Its id.
    pub statement: String,
    /// Why.
    pub why: String,
}

/// What to drop in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cleanup {
    /// The table.
    pub table: TableName,
    /// When it may go.
    pub when: String,
    /// What to mind.
    pub mind: String,
    /// Statements that make it small before it is dropped.
    #[serde(default)]
    pub before: Vec<String>,
}

impl Backup {
    /// One that nobody has restored yet.
    pub fn new(id: String, of: TableName, way: Way, keeps: String) -> Self {
        Self { id, of, way, keeps, limits: Vec::new(), bytes: None, alternatives: Vec::new(), restored: None }
    }

    /// What it is of, for people: a table, a database or all of them.
    pub fn what(&self) -> String {
        match (self.of.database.as_str(), self.of.table.as_str()) {
            ("", "") => "all databases".to_owned(),
            (database, "") => format!("database {database}"),
            _ => self.of.to_string(),
        }
    }

    /// The proof that this backup covers a loss; none when it does not.
    pub fn covering(&self, loss: &Loss) -> Option<super::step::Covered> {
        super::step::Covered::by(self, loss)
    }
}

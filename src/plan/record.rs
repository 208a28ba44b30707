//! The plan: what people sign and what a program carries out. Saved as `plan.yaml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::step::{RawStep, Step};
use crate::server::flavor::Flavor;
use crate::sql::record::TableName;

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
    /// Why the plan must not be carried out as it is; empty when nothing speaks against it.
    pub blockers: Vec<String>,
    /// What to look at before the first step.
    pub preflight: Vec<Check>,
    /// What is kept before it is destroyed.
    pub backups: Vec<Backup>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Statements of the upgrade that are no step of their own, and why.
    pub left_out: Vec<LeftOut>,
    /// What to drop in the end, and when.
    pub cleanup: Vec<Cleanup>,
    /// What to know and do when it goes wrong, in sentences.
    pub trouble: Vec<String>,
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
    blockers: Vec<String>,
    preflight: Vec<Check>,
    backups: Vec<Backup>,
    steps: Vec<RawStep>,
    #[serde(default)]
    left_out: Vec<LeftOut>,
    #[serde(default)]
    cleanup: Vec<Cleanup>,
    #[serde(default)]
    trouble: Vec<String>,
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
            blockers: raw.blockers,
            preflight: raw.preflight,
            backups: raw.backups,
            steps,
            left_out: raw.left_out,
            cleanup: raw.cleanup,
            trouble: raw.trouble,
            sign_off: raw.sign_off,
            scripts: raw.scripts,
        })
    }
}

/// What a plan is true for: when one of these has changed, rehearse again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Digest of the upgrade's statements.
    pub upgrade_digest: String,
    /// How many there are.
    pub upgrade_statements: u64,
    /// Digest of the definitions before the upgrade.
    pub schema_digest: String,
    /// Vendor and version.
    pub flavor: Flavor,
    /// The whole version string.
    pub version: String,
    /// When and where it was rehearsed, as a sentence.
    pub rehearsed: String,
    /// Share of production's rows that the sandbox held.
    pub scale: f64,
    /// Rows that each table may hold.
    pub rows: BTreeMap<TableName, RowBand>,
}

/// How many rows a table may hold for the plan to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowBand {
    /// As surveyed.
    pub surveyed: u64,
    /// In the sandbox; none when it was not counted.
    pub rehearsed: Option<u64>,
    /// Fewest.
    pub low: u64,
    /// Most.
    pub high: u64,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Statements, in order; empty when there is none.
    pub sql: Vec<String>,
    /// Until when it is good, and what it loses; or why there is none.
    pub limit: String,
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
}

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptPhase {
    /// Looks, changes nothing.
    Preflight,
    /// Keeps what a step destroys.
    Backup,
    /// Does it.
    Step,
    /// Looks whether it did.
    Verify,
    /// Goes back; after these the state is the one before.
    Undo,
    /// Drops what was kept.
    Cleanup,
}

/// A script for the stock client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanScript {
    /// Its file, from the directory of the plan: `plan/20-003-tracking-delete-2-step.sql`.
    pub path: String,
    /// What it is for.
    pub phase: ScriptPhase,
    /// The step that it belongs to.
    #[serde(default)]
    pub step: Option<String>,
    /// One line: what it does.
    pub title: String,
    /// When to run it.
    pub when: String,
    /// The statements, as the stock client reads them (DELIMITER included); the header comment is not in it.
    pub sql: String,
    /// What running it in the sandbox showed; none: it was not run.
    #[serde(default)]
    pub rehearsed: Option<Rehearsed>,
}

/// What running a script in the sandbox showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsed {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// How long it took.
    pub seconds: f64,
    /// `done`, or the server's error.
    pub outcome: String,
    /// It ended well.
    pub ok: bool,
}

impl Backup {
    /// The proof that this backup covers a loss; none when it does not.
    pub fn covering(&self, loss: &Loss) -> Option<super::step::Covered> {
        super::step::Covered::by(self, loss)
    }
}

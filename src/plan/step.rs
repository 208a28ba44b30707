//! A step, and the rule that one which destroys something cannot be made without the backup that covers it.

use serde::{Deserialize, Serialize};

use super::choice::OtherWay;
use super::loss::Loss;
use super::record::{Backup, Duration, Guard, Undo, Verify, Way};
use super::work::Task;

/// One step of a plan.
///
/// What it destroys and what covers it cannot be set from outside:
///
/// ```compile_fail
/// use mysql_rehearsal::plan::step::{Step, StepBody};
/// fn forge(body: StepBody) -> Step {
///     Step { body, destroys: Vec::new(), covered_by: Vec::new() } // private fields
/// }
/// ```
///
/// and a destructive one wants a [`Covered`], which only [`Backup::covering`] gives:
///
/// ```compile_fail
/// use mysql_rehearsal::plan::{loss::Destruction, step::{Covered, Step, StepBody}};
/// fn forge(body: StepBody, destruction: Destruction) -> Step {
///     Step::destructive(body, destruction, vec![Covered { backup: "b1".to_owned() }]) // private field
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// All that can be said freely.
    #[serde(flatten)]
    pub body: StepBody,
    destroys: Vec<Loss>,
    covered_by: Vec<String>,
}

/// What can be said about a step freely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepBody {
    /// `step-003`.
    pub id: String,
    /// The upgrade's statements that it carries out: first and last id.
    pub statements: (String, String),
    /// How many they are.
    pub count: u64,
    /// One line for people.
    pub title: String,
    /// The alternative that stands in for the statement: its id.
    #[serde(default)]
    pub instead: Option<String>,
    /// Other ways that ran in the sandbox, with what speaks for and against each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherWay>,
    /// What a person must know before: caveats of the alternative, differences of the proof.
    #[serde(default)]
    pub know: Vec<String>,
    /// What brings a fresh session to where the tasks need it.
    pub session: Vec<String>,
    /// What it runs, in order.
    pub tasks: Vec<Task>,
    /// What stands around it.
    pub guard: Guard,
    /// How long it takes; none when it was not measured.
    pub takes: Option<Duration>,
    /// What it blocks, in sentences; empty: nothing waited.
    pub blocks: Vec<String>,
    /// How to see that it did what it should.
    pub verify: Vec<Verify>,
    /// How to go back behind it.
    pub undo: Undo,
}

/// The proof that a backup covers a loss. Only [`Backup::covering`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    backup: String,
    loss: Loss,
}

impl Covered {
    pub(super) fn by(backup: &Backup, loss: &Loss) -> Option<Self> {
        let same_table = loss.table().is_some_and(|table| *table == backup.of);
        let whole_database = backup.of.table.is_empty()
            && loss.table().is_none_or(|table| backup.of.database.is_empty() || table.database == backup.of.database);
        let enough = match (&backup.way, loss) {
            (Way::Dump { .. }, _) => whole_database || same_table,
            (_, Loss::Anything) => false,
            (Way::KeptTable { .. } | Way::TableCopy { .. }, _) => same_table,
            (Way::RowCopy { .. }, Loss::Rows { .. } | Loss::Values { .. }) => same_table,
            (Way::ColumnCopy { columns, .. }, Loss::Columns { columns: lost, .. }) => {
                same_table && lost.iter().all(|lost| columns.iter().any(|kept| kept.eq_ignore_ascii_case(lost)))
            }
            (Way::Definition, Loss::Definition { .. }) => same_table,
            (Way::RowCopy { .. } | Way::ColumnCopy { .. } | Way::Definition, _) => false,
        };
        enough.then(|| Self { backup: backup.id.clone(), loss: loss.clone() })
    }
}

impl Step {
    /// A step that destroys nothing.
    pub fn harmless(body: StepBody, _nothing: super::loss::Nothing) -> Self {
        Self { body, destroys: Vec::new(), covered_by: Vec::new() }
    }

    /// A step that destroys something: each loss with the proof that it is covered.
    ///
    /// # Errors
    /// A sentence that names a loss without its cover.
    pub fn destructive(
        body: StepBody,
        destruction: super::loss::Destruction,
        covered: Vec<Covered>,
    ) -> Result<Self, String> {
        let losses = destruction.losses();
        if let Some(bare) = losses.iter().find(|loss| !covered.iter().any(|covered| covered.loss == **loss)) {
            return Err(format!("{} destroys {bare}, and no backup covers it", body.id));
        }
        let mut covered_by: Vec<String> = covered.into_iter().map(|covered| covered.backup).collect();
        covered_by.dedup();
        Ok(Self { body, destroys: losses.to_vec(), covered_by })
    }

    /// What it destroys; empty when nothing.
    pub fn destroys(&self) -> &[Loss] {
        &self.destroys
    }

    /// The backups that cover it.
    pub fn covered_by(&self) -> &[String] {
        &self.covered_by
    }
}

/// A step as a file holds it.
#[derive(Deserialize)]
pub(super) struct RawStep {
    #[serde(flatten)]
    body: StepBody,
    #[serde(default)]
    destroys: Vec<Loss>,
}

impl RawStep {
    /// The step, when what it destroys is covered by these backups.
    pub(super) fn check(self, backups: &[Backup]) -> Result<Step, String> {
        match super::loss::class(self.destroys) {
            Err(nothing) => Ok(Step::harmless(self.body, nothing)),
            Ok(destruction) => {
                let covered = destruction
                    .losses()
                    .iter()
                    .filter_map(|loss| backups.iter().find_map(|backup| backup.covering(loss)))
                    .collect();
                Step::destructive(self.body, destruction, covered)
            }
        }
    }
}

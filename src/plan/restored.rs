//! What a rehearsal showed of the way back: backups restored and compared, undos timed, and what they lose.

use serde::{Deserialize, Serialize};

use super::record::Plan;
use crate::quantity;

/// A backup that was restored in the sandbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// How long the undo of its step took.
    pub seconds: f64,
    /// What it is of held the same as before the step: definition, rows and content.
    pub same: bool,
    /// What differed, in sentences.
    #[serde(default)]
    pub differences: Vec<String>,
    /// Bytes of what was kept, where it is a file.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// An undo that was carried out in the sandbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undone {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// How long it took.
    pub seconds: f64,
    /// What became of rows that were written after the step; none when that was not tried.
    #[serde(default)]
    pub written: Option<Written>,
}

/// Rows that another session wrote after a step, and what its undo left of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// New rows.
    pub inserted: u64,
    /// Of these, gone after the undo.
    pub inserted_gone: u64,
    /// Rows changed.
    pub updated: u64,
    /// Of these, changed back or gone after the undo.
    pub updated_gone: u64,
    /// Of all that were gone, back after the merge; none without a merge.
    #[serde(default)]
    pub merged: Option<u64>,
    /// The script that merges; none without one.
    #[serde(default)]
    pub merge: Option<String>,
    /// What could not be tried, in a sentence; empty: all was.
    #[serde(default)]
    pub untried: String,
}

impl Written {
    /// How many are gone after the undo.
    pub fn gone(&self) -> u64 {
        self.inserted_gone + self.updated_gone
    }

    /// `of 3 rows inserted and 3 changed after the step, 3 and 3 are gone after the undo; …`.
    pub fn sentence(&self) -> String {
        let mut said = Vec::new();
        if self.inserted + self.updated > 0 {
            let (inserted, updated) = (self.inserted, self.updated);
            let (gone, back) = (self.inserted_gone, self.updated_gone);
            said.push(match (inserted, updated) {
                _ if self.gone() == 0 => {
                    format!("of {} inserted and {updated} changed after the step all were still there after the undo", rows(inserted))
                }
                (_, 0) => format!("of {} inserted after the step {gone} are gone after the undo", rows(inserted)),
                (0, _) => format!("of {} changed after the step {back} have lost that change after the undo", rows(updated)),
                _ => format!(
                    "of {} inserted and {updated} changed after the step {gone} are gone and {back} have lost their change after the undo",
                    rows(inserted)
                ),
            });
        }
        if let (Some(script), true) = (&self.merge, self.gone() > 0) {
            said.push(match self.merged {
                Some(merged) => format!("{script} merges: it brought {merged} of these {} back", self.gone()),
                None => format!("merge them with {script}"),
            });
        }
        if !self.untried.is_empty() {
            said.push(self.untried.clone());
        }
        said.join("; ")
    }
}

fn rows(count: u64) -> String {
    quantity::counted(count, "row")
}

/// A backup of another kind, for who would rather have that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instead {
    /// What it is: `mydumper, in parallel`.
    pub title: String,
    /// The commands: make it, restore it.
    pub commands: Vec<String>,
    /// When it is the better one; and that it was not rehearsed.
    pub why: String,
}

/// A plan whose every destructive step has a backup that covers it, was restored in the sandbox, and brought the same back.
/// [`crate::apply::carry_out`] takes nothing else, and only [`Plan::proven`] makes one:
///
/// ```compile_fail
/// use mysql_rehearsal::plan::{Plan, restored::Proven};
/// fn forge(plan: &Plan) -> Proven<'_> {
///     Proven(plan) // private field
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Proven<'a>(&'a Plan);

impl<'a> Proven<'a> {
    /// The plan.
    pub fn plan(self) -> &'a Plan {
        self.0
    }
}

impl Plan {
    /// The plan as one that may be carried out.
    ///
    /// # Errors
    /// Why the backups of destructive steps are no proof yet: [`Plan::unproven`].
    pub fn proven(&self) -> Result<Proven<'_>, Vec<String>> {
        let reasons = self.unproven();
        if reasons.is_empty() { Ok(Proven(self)) } else { Err(reasons) }
    }

    /// Why the backups of destructive steps are no proof yet: not restored in the sandbox, or restored and not the same.
    /// A plan with one of these must not be carried out, whatever its list of blockers says.
    pub fn unproven(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for step in &self.steps {
            for backup in step.covered_by().iter().filter_map(|id| self.backup(id)) {
                let name = format!("backup {} of {} ({})", backup.id, backup.what(), step.body.id);
                match &backup.restored {
                    None => reasons.push(format!(
                        "{name} was not restored in the sandbox: nobody knows whether it brings the data back"
                    )),
                    Some(restored) if !restored.same => reasons.push(format!(
                        "{name} does not bring the data back: {}",
                        restored.differences.first().map_or("what it left differs", String::as_str)
                    )),
                    Some(_) => {}
                }
            }
        }
        reasons.dedup();
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_undo_loses_is_told_in_numbers() {
        let mut written = Written { inserted: 3, inserted_gone: 3, ..Written::default() };
        assert_eq!(written.sentence(), "of 3 rows inserted after the step 3 are gone after the undo");
        written.merge = Some("plan/81-001-merge-x.sql".to_owned());
        written.merged = Some(3);
        assert_eq!(
            written.sentence(),
            "of 3 rows inserted after the step 3 are gone after the undo; plan/81-001-merge-x.sql merges: it brought 3 of these 3 back"
        );
        (written.updated, written.updated_gone) = (2, 1);
        assert!(written.sentence().starts_with(
            "of 3 rows inserted and 2 changed after the step 3 are gone and 1 have lost their change after the undo; "
        ));
        assert_eq!(Written { untried: "nothing".to_owned(), ..Written::default() }.sentence(), "nothing");
    }
}

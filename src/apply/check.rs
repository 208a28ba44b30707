//! Whether a step did what it should: its own questions, held to their answers.

use serde_json::json;

use super::atom::{Atom, Work};
use super::course::Leg;
use super::halt::{Course, Halt};
use super::runner::Runner;
use super::session::unless_lost;
use crate::plan::record::{ScriptPhase, Verify};
use crate::survey::answer::Cells;

impl Runner<'_> {
    /// Asks one question after a step.
    pub(super) fn verify(&mut self, leg: &Leg, atom: &Atom, verify: &Verify) -> Course<()> {
        let row = self.session()?.line.first::<Cells>(&verify.query);
        let row = row.map_err(|fault| unless_lost(fault, atom, &verify.query))?;
        let seen = row.map(|row| row.maybe(0).unwrap_or_else(|| "NULL".to_owned())).unwrap_or_default();
        self.trail
            .note("verified", json!({"unit": atom.id, "sql": verify.query, "seen": seen, "expected": verify.equals}))?;
        let step = leg.step.as_deref().unwrap_or_default();
        match &verify.equals {
            Some(wanted) if *wanted != seen && !self.options.accept.contains(step) => {
                if self.is_explained(step, verify, &seen)? {
                    return Ok(());
                }
                Err(Halt::failed(
                    &atom.id,
                    format!(
                        "{step} is done, and its verification does not hold: {} answers {seen}, not {wanted} ({})",
                        verify.query, verify.expect
                    ),
                    format!(
                        "look why. When it is right as it is, run the same command with --accept {step}; to go back, with --phase undo"
                    ),
                ))
            }
            Some(_) => Ok(()),
            None => {
                self.progress.note(&format!("{}: {seen} (expected: {}) {}", atom.id, verify.expect, verify.query));
                Ok(())
            }
        }
    }

    /// Rows that a verification finds too many may have come after the step: of a walked table only those up to where the
    /// walk stopped count.
    fn is_explained(&mut self, step: &str, verify: &Verify, seen: &str) -> Course<bool> {
        if verify.equals.as_deref() != Some("0") || seen.parse::<u64>().is_err() {
            return Ok(false);
        }
        let own = self.way.legs.iter().find(|leg| leg.phase == ScriptPhase::Step && leg.step.as_deref() == Some(step));
        let walks = own.into_iter().flat_map(|leg| &leg.atoms).filter_map(|atom| match &atom.work {
            Work::Batches(batches) => Some((atom, batches)),
            _ => None,
        });
        for (atom, batches) in walks {
            let Some(walked) = self.rows.get(&atom.id).and_then(|row| row.details.walk.clone()) else { continue };
            if let Some(left) = self.left_behind(batches, &walked, &verify.query)? {
                self.progress.note(&format!(
                    "{seen} rows came after {step} began that its condition would have met; of those that were there {left} are left"
                ));
                return Ok(left == 0);
            }
        }
        Ok(false)
    }
}

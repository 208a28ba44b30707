//! The plan, run with the stock client: backups, steps and verifications from the checkpoint, then its undos back to where
//! it began, then its clean-up. What a script did is noted in the plan; what it did not do as promised stands in the plan
//! as a blocker.
//!
//! The way back is walked a leg at a time. A leg ends before a step that no script undoes and that changes what an earlier
//! step of the leg has a backup of: past it, that backup could not be compared. At a leg's end its undos run twice, each time
//! from the same bytes: once to compare, once after another session wrote into the tables.

mod asked;
mod carry;
mod compared;
mod legs;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Context, Result};

use self::compared::{back_again, differences, leads_there};
use super::assemble::Gathered;
use super::stage::Stage;
use crate::plan::record::{Plan, Rehearsed};
use crate::plan::restored::Undone;
use crate::plan::{PlanScript, ScriptPhase};
use crate::progress::Progress;
use crate::replay::record::ExperimentKind;
use crate::sandbox::Checkpoint;
use crate::sql::record::TableName;
use crate::sql::script::Script;
use crate::survey::fingerprint::Depth;
use crate::survey::record::Fingerprint;

/// Undos that took longer than this, in seconds, are not run a second time after rows were written.
const LONG_UNDO: f64 = 120.0;

/// Rehearses the plan that was drafted, when there is one and the upgrade itself got to its end.
///
/// # Errors
/// When the sandbox fails; a script that fails is noted in the plan.
pub fn rehearse(
    stage: &mut Stage,
    upgrade: &Script,
    gathered: &mut Gathered<'_>,
    progress: &dyn Progress,
) -> Result<()> {
    let Some(mut plan) = gathered.plan.take() else { return Ok(()) };
    let kept = kept_tables(&plan);
    let ahead = gathered.counters_ahead();
    let result = Trip { stage, plan: &mut plan, kept, ahead, progress }.follow(upgrade, gathered);
    plan.blockers.extend(plan.unproven());
    plan.blockers.sort();
    plan.blockers.dedup();
    gathered.plan = Some(plan);
    result.context("cannot rehearse the plan to its end")
}

/// A rehearsal of a plan, under way.
struct Trip<'a> {
    stage: &'a mut Stage,
    plan: &'a mut Plan,
    /// Tables that the plan itself makes and keeps.
    kept: BTreeSet<TableName>,
    /// How much higher it leaves a table's AUTO_INCREMENT on purpose.
    ahead: BTreeMap<TableName, u64>,
    progress: &'a dyn Progress,
}

impl Trip<'_> {
    fn follow(&mut self, upgrade: &Script, gathered: &Gathered<'_>) -> Result<()> {
        let Some(before) = &gathered.before else { return Ok(()) };
        self.stage.sandbox.rewind(self.progress)?;
        let legs = legs::of(self.plan);
        let mut start = before.clone();
        for (number, leg) in legs.iter().enumerate() {
            if !self.forward(leg, number == 0)? {
                return Ok(());
            }
            let here = self.stage.print(Depth::Checksums, self.progress)?;
            let is_last = number + 1 == legs.len();
            if is_last && let Some(wanted) = &gathered.final_state {
                self.leads(upgrade, wanted, &here)?;
            }
            if self.undos(leg).is_empty() {
                self.stays(leg, &start, &here);
            }
            let cleans = self.scripts(|script| script.phase == ScriptPhase::Cleanup).len() > 0;
            if is_last && !cleans && self.undos(leg).is_empty() {
                break;
            }
            let there = self.stage.sandbox.checkpoint(self.progress)?;
            self.turn(leg, &start, &there)?;
            if is_last {
                self.clean_up(&there)?;
            } else {
                self.stage.sandbox.rewind_to(&there, self.progress)?;
            }
            start = here;
        }
        if legs.len() > 1 {
            let parts: Vec<String> = legs.iter().filter(|leg| !leg.is_empty()).map(legs::named).collect();
            self.plan.trouble.push(format!(
                "The way back was rehearsed in parts: {}. Between two of them stands what no script takes back: look at it \
                 by hand before the next undo.",
                parts.join("; ")
            ));
        }
        Ok(())
    }

    /// Where the plan leads, held against where the upgrade leads. Where only contents differ, both run again: what two
    /// runs of the plan already differ in (the time, random numbers) is left out.
    fn leads(&mut self, upgrade: &Script, wanted: &Fingerprint, reached: &Fingerprint) -> Result<()> {
        let differing = leads_there(wanted, reached, &self.kept, &self.ahead, &BTreeSet::new());
        let lines = if differing.iter().any(|line| line.contains("content") || line.contains("values")) {
            let here = self.stage.sandbox.checkpoint(self.progress)?;
            let lines = self.leads_by_chance(upgrade)?;
            self.stage.sandbox.rewind_to(&here, self.progress)?;
            lines
        } else {
            differing
        };
        let blocker = |line: String| format!("the plan does not lead where the upgrade leads: {line}");
        self.plan.blockers.extend(lines.into_iter().map(blocker));
        Ok(())
    }

    fn leads_by_chance(&mut self, upgrade: &Script) -> Result<Vec<String>> {
        let first = self.stage.print(Depth::Columns, self.progress)?;
        self.stage.sandbox.rewind(self.progress)?;
        for leg in legs::of(self.plan) {
            self.forward(&leg, leg.start == 0)?;
        }
        let second = self.stage.print(Depth::Columns, self.progress)?;
        self.stage.sandbox.rewind(self.progress)?;
        let control = super::run::Run::quiet("upgrade-control", ExperimentKind::Upgrade, upgrade);
        self.stage.run(&control, self.progress)?;
        let wanted = self.stage.print(Depth::Columns, self.progress)?;
        let chance = crate::replay::proof::unstable(&first, &second);
        Ok(leads_there(&wanted, &first, &self.kept, &self.ahead, &chance))
    }

    /// Runs a leg's backups, steps and verifications; before the first leg what belongs to no step. False when one failed.
    fn forward(&mut self, leg: &Range<usize>, is_first: bool) -> Result<bool> {
        let mut scripts = Vec::new();
        if is_first {
            let early = [ScriptPhase::Preflight, ScriptPhase::Backup];
            scripts.extend(self.scripts(|script| script.step.is_none() && early.contains(&script.phase)));
        }
        let phases = [ScriptPhase::Backup, ScriptPhase::Step, ScriptPhase::Verify];
        for at in leg.clone() {
            scripts.extend(self.scripts_of(at, &phases));
        }
        self.run_all(scripts, ExperimentKind::Plan)
    }

    /// Goes back over a leg from its end, compares, and goes back once more after rows were written. The sandbox is left
    /// somewhere on the way.
    fn turn(&mut self, leg: &Range<usize>, start: &Fingerprint, there: &Checkpoint) -> Result<()> {
        let undos = self.undos(leg);
        if undos.is_empty() {
            return Ok(());
        }
        if !self.run_all(undos.clone(), ExperimentKind::Undo)? {
            return Ok(());
        }
        let back = self.stage.print(Depth::Checksums, self.progress)?;
        for at in leg.clone() {
            self.note_undone(at);
        }
        back_again(self.plan, leg, start, &back, &self.kept);
        let lines = differences(start, &back, &self.kept);
        let part = legs::named(leg);
        self.plan.trouble.extend(
            lines.into_iter().map(|line| format!("The undo of {part} does not bring everything back: {line}.")),
        );
        let seconds: f64 =
            leg.clone().filter_map(|at| Some(self.plan.steps[at].body.undo.shown.as_ref()?.seconds)).sum();
        if seconds > LONG_UNDO {
            return Ok(());
        }
        self.stage.sandbox.rewind_to(there, self.progress)?;
        let marked = written::write(self.stage, self.plan, leg)?;
        if marked.is_empty() {
            return Ok(());
        }
        if !self.run_all(undos, ExperimentKind::Undo)? {
            return Ok(());
        }
        let gone = written::gone(self.stage, &marked)?;
        let merges: Vec<PlanScript> =
            leg.clone().rev().flat_map(|at| self.scripts_of(at, &[ScriptPhase::Merge])).collect();
        let merged = self.run_all(merges.clone(), ExperimentKind::Undo)?;
        let after = if merged && !merges.is_empty() { Some(written::gone(self.stage, &marked)?) } else { None };
        written::note(self.plan, leg, &marked, &gone, after.as_ref());
        Ok(())
    }

    /// Says what a leg without any undo leaves, table by table: nobody should find it out after going back.
    fn stays(&mut self, leg: &Range<usize>, start: &Fingerprint, here: &Fingerprint) {
        let steps = legs::named(leg);
        let lines = differences(start, here, &self.kept);
        self.plan
            .trouble
            .extend(lines.into_iter().map(|line| format!("No script takes back what {steps} did: {line}.")));
    }

    fn clean_up(&mut self, there: &Checkpoint) -> Result<()> {
        let scripts: Vec<PlanScript> = self.scripts(|script| script.phase == ScriptPhase::Cleanup).collect();
        if !scripts.is_empty() {
            self.stage.sandbox.rewind_to(there, self.progress)?;
            self.run_all(scripts, ExperimentKind::Plan)?;
        }
        Ok(())
    }

    fn undos(&self, leg: &Range<usize>) -> Vec<PlanScript> {
        leg.clone().rev().flat_map(|at| self.scripts_of(at, &[ScriptPhase::Undo])).collect()
    }

    fn scripts(&self, wanted: impl Fn(&PlanScript) -> bool) -> std::vec::IntoIter<PlanScript> {
        self.plan.scripts.iter().filter(|script| wanted(script)).cloned().collect::<Vec<_>>().into_iter()
    }

    fn scripts_of(&self, at: usize, phases: &[ScriptPhase]) -> Vec<PlanScript> {
        let id = self.plan.steps.get(at).map_or("", |step| step.body.id.as_str());
        self.plan.scripts_of(id).filter(|script| phases.contains(&script.phase)).cloned().collect()
    }

    /// What a step's undo took, all its scripts together.
    fn note_undone(&mut self, at: usize) {
        let ran: Vec<Rehearsed> =
            self.scripts_of(at, &[ScriptPhase::Undo]).into_iter().filter_map(|script| script.rehearsed).collect();
        let Some(last) = ran.last() else { return };
        let shown = Undone { at: last.at.clone(), seconds: ran.iter().map(|one| one.seconds).sum(), written: None };
        if let Some(step) = self.plan.steps.get_mut(at) {
            step.body.undo.shown = Some(shown);
        }
    }

    /// Runs scripts in this order. False when one failed and the rest was not run.
    fn run_all(&mut self, scripts: Vec<PlanScript>, kind: ExperimentKind) -> Result<bool> {
        for script in scripts {
            self.progress.check()?;
            let text = crate::plan::render::sql(self.plan, &script);
            let rehearsed = carry::out(self.stage, &script, &text, kind, self.progress)?;
            let went_well = rehearsed.ok;
            if !went_well {
                self.plan.blockers.push(format!("{} failed in the sandbox: {}", script.path, rehearsed.outcome));
            }
            if rehearsed.by.is_empty() && script.shell.is_none() {
                let line = carry::no_client(self.stage);
                if !self.plan.trouble.contains(&line) {
                    self.plan.trouble.push(line);
                }
            }
            self.plan.mark(&script.path, rehearsed);
            if !went_well {
                return Ok(false);
            }
            if script.phase == ScriptPhase::Verify {
                asked::answers(self.stage, self.plan, &script)?;
            }
        }
        Ok(true)
    }
}

/// Tables that the plan itself makes and keeps: no result of the upgrade has them.
fn kept_tables(plan: &Plan) -> BTreeSet<TableName> {
    let backups = plan.backups.iter().filter_map(|backup| backup.way.table().cloned());
    backups.chain(plan.cleanup.iter().map(|item| item.table.clone())).collect()
}

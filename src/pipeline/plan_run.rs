//! The plan, run: backups, steps and verifications from the checkpoint, then its undos back to where it began, then its
//! clean-up. What a script did is noted in the plan; what it did not do as promised stands in the plan as a blocker.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::assemble::Gathered;
use super::run::Run;
use super::stage::Stage;
use crate::plan::record::{Plan, Rehearsed};
use crate::plan::{self, PlanScript, ScriptPhase};
use crate::progress::Progress;
use crate::replay::proof;
use crate::replay::record::{ExperimentKind, Outcome, Rehearsal};
use crate::sql::record::TableName;
use crate::sql::script::{Options, Script};
use crate::survey::fingerprint::Depth;
use crate::survey::record::Fingerprint;

/// Rehearses the plan that was drafted, when there is one and the upgrade itself got to its end.
///
/// # Errors
/// When the sandbox fails; a script that fails is noted in the plan.
pub fn rehearse(stage: &mut Stage, gathered: &mut Gathered<'_>, progress: &dyn Progress) -> Result<()> {
    let Some(mut plan) = gathered.plan.take() else { return Ok(()) };
    let result = follow(stage, gathered, &mut plan, progress);
    gathered.plan = Some(plan);
    result.context("cannot rehearse the plan to its end")
}

fn follow(stage: &mut Stage, gathered: &Gathered<'_>, plan: &mut Plan, progress: &dyn Progress) -> Result<()> {
    let kept = kept_tables(plan);
    stage.sandbox.rewind(progress)?;
    let forward = [ScriptPhase::Preflight, ScriptPhase::Backup, ScriptPhase::Step, ScriptPhase::Verify];
    if !run_phases(stage, plan, &forward, ExperimentKind::Plan, progress)? {
        return Ok(());
    }
    let reached = stage.print(Depth::Checksums, progress)?;
    if let Some(wanted) = &gathered.final_state {
        let differences = differences(wanted, &reached, &kept);
        plan.blockers.extend(
            differences.into_iter().map(|line| format!("the plan does not lead where the upgrade leads: {line}")),
        );
    }
    let has_cleanup = plan.scripts.iter().any(|script| script.phase == ScriptPhase::Cleanup);
    let done = if has_cleanup { Some(stage.sandbox.checkpoint(progress)?) } else { None };
    if run_phases(stage, plan, &[ScriptPhase::Undo], ExperimentKind::Undo, progress)? {
        let back = stage.print(Depth::Checksums, progress)?;
        if let Some(before) = &gathered.before {
            let differences = differences(before, &back, &kept);
            plan.trouble.extend(
                differences.into_iter().map(|line| format!("The undo does not bring everything back: {line}.")),
            );
        }
    }
    if let Some(done) = done {
        stage.sandbox.rewind_to(&done, progress)?;
        run_phases(stage, plan, &[ScriptPhase::Cleanup], ExperimentKind::Plan, progress)?;
    }
    Ok(())
}

/// Runs the scripts of some phases in the plan's order. False when one failed and the rest was not run.
fn run_phases(
    stage: &mut Stage,
    plan: &mut Plan,
    phases: &[ScriptPhase],
    kind: ExperimentKind,
    progress: &dyn Progress,
) -> Result<bool> {
    let scripts: Vec<PlanScript> =
        plan::scripts(plan).into_iter().filter(|script| phases.contains(&script.phase)).collect();
    for script in scripts {
        progress.check()?;
        let options = Options { variables: BTreeMap::new(), database: stage.database.clone(), flavor: stage.flavor() };
        let text = Script::from_text(script.path.clone(), &script.sql, options);
        let rehearsal = stage.run(&Run::quiet(script.path.clone(), kind, &text), progress)?;
        let rehearsed = told(&rehearsal);
        let went_well = rehearsed.ok;
        if !went_well {
            plan.blockers.push(format!("{} failed in the sandbox: {}", script.path, rehearsed.outcome));
        }
        plan.mark(&script.path, rehearsed);
        if !went_well {
            return Ok(false);
        }
    }
    Ok(true)
}

fn told(rehearsal: &Rehearsal) -> Rehearsed {
    let fault = rehearsal.observations.iter().find_map(|seen| seen.outcome.fault());
    let undone = rehearsal.observations.iter().any(|seen| seen.outcome != Outcome::Done);
    Rehearsed {
        at: jiff::Timestamp::now().to_string(),
        seconds: rehearsal.seconds,
        outcome: fault.map_or_else(|| "done".to_owned(), ToString::to_string),
        ok: rehearsal.completed && !undone,
    }
}

/// Tables that the plan itself makes and keeps: no result of the upgrade has them.
fn kept_tables(plan: &Plan) -> BTreeSet<TableName> {
    let backups = plan.backups.iter().filter_map(|backup| backup.way.table().cloned());
    backups.chain(plan.cleanup.iter().map(|item| item.table.clone())).collect()
}

fn differences(wanted: &Fingerprint, reached: &Fingerprint, kept: &BTreeSet<TableName>) -> Vec<String> {
    let mut reached = reached.clone();
    reached.tables.retain(|name, _| !kept.contains(name) || wanted.tables.contains_key(name));
    proof::prove(wanted, &reached, &BTreeSet::new()).differences
}

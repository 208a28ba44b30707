//! A plan drafted again after a person edited it: what was edited stays, or is refused with its reason. Nothing is
//! dropped without a word.
//!
//! Three plans are held against each other: the one that was rehearsed, the one that was written last (the same, with what
//! was accepted since), and the one that the person left. What they changed of what is theirs is laid over a fresh draft;
//! what they changed of the rest is refused.

pub mod differences;
pub mod edits;

use serde_json::Value;

use self::differences::Refusal;
use self::edits::Edits;
use super::choice::{self, AS_WRITTEN, Choices};
use super::draft::sketch;
use super::evidence::Evidence;
use super::record::{Plan, PlanScript};
use super::step::Step;
use crate::artifact::sha256;

/// What stands after `done` of a script whose guard was edited since it ran.
const BEFORE_THE_EDIT: &str = "before its guard was edited";

/// A plan that was drafted again.
#[derive(Clone, Debug)]
pub struct Redraft {
    /// The plan.
    pub plan: Plan,
    /// What of it is the person's, to be remembered for the next time.
    pub edits: Edits,
    /// What was kept, each with its path.
    pub kept: Vec<String>,
}

/// The plan as it was written last.
///
/// # Errors
/// When the evidence does not give the plan that it came with.
pub fn last_written(evidence: &Evidence) -> anyhow::Result<Plan> {
    compose(evidence, &evidence.accepted).map_err(|refused| {
        let why: Vec<String> = refused.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the evidence does not give the plan that was written: {}", why.join("; "))
    })
}

/// Drafts again what a person edited. `written` is [`last_written`], `edited` what they left of it.
///
/// # Errors
/// What cannot be taken over, each with its path and reason; then nothing is.
pub fn redraft(evidence: &Evidence, written: &Plan, edited: &Value) -> Result<Redraft, Vec<Refusal>> {
    let whole = |error: String| vec![Refusal::at(&[], error)];
    let base = choice::taken(&evidence.input(&evidence.trials));
    let unedited = Edits::only(evidence.accepted.choices.clone());
    let plain = compose(evidence, &unedited)?;
    let last = serde_json::to_value(written).map_err(|error| whole(error.to_string()))?;
    let mut refused = Vec::new();
    differences::same_steps(&last, edited)?;
    let edits = Edits::read(&plain, edited, &evidence.names(), &base, &mut refused);
    differences::rest(&last, edited, &mut refused);
    if !refused.is_empty() {
        return Err(refused);
    }
    let plan = compose(evidence, &edits)?;
    let kept = edits.told(&evidence.accepted, &base);
    Ok(Redraft { plan, edits, kept })
}

/// The plan with these choices and edits, and with what the rehearsal noted of all that they leave as it was.
fn compose(evidence: &Evidence, edits: &Edits) -> Result<Plan, Vec<Refusal>> {
    let whole = |path: &[&str], error: anyhow::Error| vec![Refusal::at(path, format!("{error:#}"))];
    let mut trials = evidence.trials.clone();
    let unhad = choice::force(&mut trials, &evidence.untried, &evidence.names(), &edits.choices);
    if !unhad.is_empty() {
        return Err(unhad.iter().map(Refusal::of_choice).collect());
    }
    let base = sketch(&evidence.input(&evidence.trials)).map_err(|error| whole(&[], error))?.finish();
    let mut sketch = sketch(&evidence.input(&trials)).map_err(|error| whole(&["choices"], error))?;
    let plain = sketch.clone().finish();
    let mut refused: Vec<Refusal> = not_taken(&plain, evidence, &edits.choices);
    edits.before_the_scripts(&mut sketch.plan, &mut refused);
    let mut plan = noted(&base, &evidence.plan, &plain, sketch.finish());
    edits.after_the_scripts(&mut plan, &mut refused);
    if !refused.is_empty() {
        return Err(refused);
    }
    plan.blockers.extend(unrehearsed(&base.choices, &plan.choices));
    let unproven = plan.unproven();
    plan.blockers.extend(unproven);
    plan.blockers.sort();
    plan.blockers.dedup();
    Ok(plan)
}

/// Choices that the draft could not follow.
fn not_taken(plan: &Plan, evidence: &Evidence, choices: &Choices) -> Vec<Refusal> {
    let names = evidence.names();
    let taken = |id: &str, way: &str| {
        plan.steps.iter().any(|step| step.body.statements.0 == id && step.body.instead.as_deref() == Some(way))
    };
    choices
        .iter()
        .filter(|(_, way)| *way != AS_WRITTEN)
        .filter(|(name, way)| names.get(*name).is_some_and(|id| !taken(id, way)))
        .filter(|(name, way)| evidence.plan.choices.get(*name) != Some(way))
        .map(|(name, way)| {
            Refusal::at(
                &["choices", name],
                format!("{way}: no alternative can stand in for a part of a transaction or of another's step"),
            )
        })
        .collect()
}

/// What a choice costs that the rehearsal did not make: its step was tried, but not as a part of the plan.
fn unrehearsed(base: &Choices, taken: &Choices) -> Vec<String> {
    let changed = taken.iter().filter(|(label, way)| base.get(*label) != Some(way));
    let told = changed.map(|(label, way)| {
        format!(
            "{label} is done by {way}, chosen after the rehearsal: it ran as a trial, but its step, its backup and its \
             undo did not run as parts of this plan. Rehearse it: give `rehearse run` what it was given, and --choose {label}={way}"
        )
    });
    told.collect()
}

/// A fresh draft with what the rehearsal of the plan noted (`run`; `base` is what it had been drafted as) of everything
/// that is drafted as it was then. `plain` is the draft without a person's edits.
fn noted(base: &Plan, run: &Plan, plain: &Plan, mut plan: Plan) -> Plan {
    for (place, step) in plan.steps.iter_mut().enumerate() {
        let id = step.body.id.clone();
        let same = |one: &&Step| one.body.id == id;
        let (drafted, ran) = (base.steps.iter().find(same), run.steps.iter().find(same));
        let (Some(drafted), Some(ran), Some(fresh)) = (drafted, ran, plain.steps.get(place)) else { continue };
        if drafted == fresh {
            let own = std::mem::replace(step, ran.clone()).body;
            step.body.tasks = own.tasks;
            if own.guard != fresh.body.guard {
                step.body.guard = own.guard;
            }
        }
    }
    for backup in &mut plan.backups {
        let drafted = base.backups.iter().find(|one| one.id == backup.id);
        if let Some(ran) = run.backups.iter().find(|one| one.id == backup.id).filter(|_| drafted == Some(&*backup)) {
            *backup = ran.clone();
        }
    }
    for (place, script) in plan.scripts.iter_mut().enumerate() {
        if let Some(ran) = plain.scripts.get(place).and_then(|fresh| ran_as(base, run, fresh)) {
            let is_edited = plain.scripts[place].sql != script.sql;
            let rehearsed = ran.rehearsed.clone().map(|mut rehearsed| {
                if is_edited {
                    rehearsed.outcome = format!("{}, {BEFORE_THE_EDIT}", rehearsed.outcome);
                }
                rehearsed
            });
            let own = script.clone();
            *script = PlanScript { sql: own.sql, when: own.when, path: own.path, rehearsed, ..ran.clone() };
        }
    }
    if base.preflight == plan.preflight {
        plan.preflight.clone_from(&run.preflight);
    }
    let outdated = run.unproven();
    let stays = |line: &&String| {
        if outdated.contains(line) {
            return false;
        }
        let own = base.scripts.iter().filter(|script| line.contains(&script.path));
        own.clone().count() == 0
            || own.into_iter().any(|script| ran_as(base, run, script).is_some() && has(plain, script))
    };
    let added = |from: &[String], to: &[String]| -> Vec<String> {
        to.iter().filter(|line| !from.contains(line)).filter(stays).cloned().collect()
    };
    plan.blockers.extend(added(&base.blockers, &run.blockers));
    plan.trouble.extend(added(&base.trouble, &run.trouble));
    plan
}

fn has(plan: &Plan, script: &PlanScript) -> bool {
    plan.scripts.iter().any(|one| one.path == script.path && one.sql == script.sql)
}

/// The script as the rehearsal left it, when it is one that ran, whatever its number was then.
fn ran_as<'a>(base: &Plan, run: &'a Plan, fresh: &PlanScript) -> Option<&'a PlanScript> {
    let same = |one: &&PlanScript| one.phase == fresh.phase && one.step == fresh.step && one.sql == fresh.sql;
    let drafted = base.scripts.iter().find(|one| one.path == fresh.path).filter(same);
    let drafted = drafted.or_else(|| base.scripts.iter().find(same))?;
    run.scripts.iter().find(|ran| ran.path == drafted.path && ran.sql == sha256(&drafted.sql))
}

#[cfg(test)]
mod tests;

//! What a person who has one minute must know of a plan, for every page that shows it. `**` and backticks are Markdown's.

use super::told::{Lasts, lasts, list, range, up_to};
use super::{Plan, ScriptPhase, Way};
use crate::plan::impact::share;
use crate::quantity;

/// How it stands, in a sentence; none where something speaks against it.
pub fn verdict(plan: &Plan) -> Option<String> {
    let scale = plan.identity.scale;
    let but = if scale < 1.0 {
        format!(
            " It ran on {} of production's rows: the order and the scripts are right, its times are not production's.",
            share(scale)
        )
    } else {
        String::new()
    };
    plan.blockers.is_empty().then(|| format!("**Nothing speaks against it**, as far as it was rehearsed.{but}"))
}

/// What it is true for, what it takes, blocks and destroys, and the way back: each with its name.
pub fn rows(plan: &Plan) -> Vec<(&'static str, String)> {
    let id = &plan.identity;
    // The one in use when it begins; where no table is of it, it says nothing.
    let in_use = id.rows.keys().any(|table| table.database == id.database);
    let database = if in_use { format!(", database {}", id.database) } else { String::new() };
    let true_for = format!(
        "{} ({}){database}; {}, digest `{}`; schema `{}`",
        id.flavor,
        id.version,
        quantity::counted(id.upgrade_statements, "statement"),
        id.upgrade_digest,
        id.schema_digest.get(..16).unwrap_or(&id.schema_digest)
    );
    vec![
        ("true for", true_for),
        ("rehearsed", format!("{}. {}", id.rehearsed, scripts(plan))),
        ("takes", total(plan)),
        ("blocks", list(&blocks(plan), "; ", 6, "nothing: no probe waited 50 ms or more")),
        ("destroys", list(&destroyed(plan), "; ", 6, "nothing that was there before")),
        ("way back", way_back(plan)),
    ]
}

/// What of the scripts ran.
fn scripts(plan: &Plan) -> String {
    let all = plan.scripts.len();
    let ran = plan.scripts.iter().filter(|script| script.rehearsed.as_ref().is_some_and(|ran| ran.ok)).count();
    let failed = plan.scripts.iter().filter(|script| script.rehearsed.as_ref().is_some_and(|ran| !ran.ok)).count();
    match (ran, failed) {
        (ran, 0) if ran == all => format!("All {all} scripts were run in the sandbox."),
        (0, 0) => format!("**None of the {all} scripts was run in the sandbox.**"),
        (ran, failed) => {
            let failed_words = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            format!(
                "**Of {all} scripts {ran} were run in the sandbox{failed_words}, {} were not.**",
                all - ran - failed
            )
        }
    }
}

/// Time of all steps, and of their backups and verifications.
fn total(plan: &Plan) -> String {
    let all: Vec<Option<Lasts>> = plan.steps.iter().map(|step| lasts(plan, step)).collect();
    let unmeasured = all.iter().filter(|one| one.is_none()).count();
    let (low, high) = all.iter().flatten().fold((0.0, 0.0), |sum, one| (sum.0 + one.low, sum.1 + one.high));
    let around = [ScriptPhase::Backup, ScriptPhase::Verify];
    let more: f64 = plan
        .scripts
        .iter()
        .filter(|script| around.contains(&script.phase))
        .filter_map(|script| script.rehearsed.as_ref())
        .map(|ran| ran.seconds)
        .sum();
    let mut text = format!(
        "{} for {}, measured in the sandbox: from alone to beside probes and as this plan's scripts",
        range(low, high),
        quantity::counted(plan.steps.len() as u64, "step")
    );
    if more > 0.0 {
        text.push_str(&format!("; backups and verifications {} more", up_to(more)));
    }
    if unmeasured > 0 {
        text.push_str(&format!("; **{unmeasured} of the steps were not measured**"));
    }
    if plan.identity.scale < 1.0 {
        text.push_str(&format!(
            ". **At {} of production's rows: production takes longer, and how much was not measured**",
            share(plan.identity.scale)
        ));
    }
    text
}

fn blocks(plan: &Plan) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        all.extend(step.body.blocks.iter().map(|line| format!("{line} (step {})", index + 1)));
    }
    all
}

fn destroyed(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().enumerate().filter(|(_, step)| !step.destroys().is_empty());
    steps
        .map(|(index, step)| {
            let lost: Vec<String> = step.destroys().iter().map(ToString::to_string).collect();
            let kept = step.covered_by().iter().filter_map(|id| plan.backup(id)).map(|backup| match &backup.way {
                Way::Dump { .. } => "a dump".to_owned(),
                Way::Definition => "its definition".to_owned(),
                way => way.table().map_or_else(String::new, |table| format!("`{table}`")),
            });
            let kept: std::collections::BTreeSet<String> = kept.collect();
            let kept: Vec<String> = kept.into_iter().collect();
            format!("{} (step {}; kept in {})", lost.join(", "), index + 1, kept.join(", "))
        })
        .collect()
}

fn way_back(plan: &Plan) -> String {
    let without: Vec<String> = plan
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.body.undo.sql.is_empty())
        .map(|(index, _)| format!("step {}", index + 1))
        .collect();
    let took: f64 = plan
        .scripts
        .iter()
        .filter(|script| script.phase == ScriptPhase::Undo)
        .filter_map(|script| script.rehearsed.as_ref())
        .filter(|ran| ran.ok)
        .map(|ran| ran.seconds)
        .sum();
    let measured = if took > 0.0 {
        format!("all undo scripts together took {} in the sandbox", up_to(took))
    } else {
        "**no undo was run in the sandbox**".to_owned()
    };
    match without.len() {
        0 => format!("every step has an undo, each with its limit; {measured}"),
        _ => format!("{measured}; **no script takes back {}**", list(&without, ", ", 10, "")),
    }
}

//! A plan as files: `plan.md` for people, `plan.yaml` for programs, `plan/*.sql` for the stock client.

use std::fmt::Write as _;

use super::record::{Plan, PlanScript, ScriptPhase, Way};
use super::step::Step;
use crate::quantity;

/// Statements that `plan.md` names one by one; of more it says how many.
const LEFT_OUT_SHOWN: usize = 12;

/// The files, each with its path from the directory of the plan.
///
/// # Errors
/// When the plan cannot be written as YAML.
pub fn files(plan: &Plan) -> anyhow::Result<Vec<(String, String)>> {
    let mut files =
        vec![("plan.md".to_owned(), markdown(plan)), ("plan.yaml".to_owned(), crate::artifact::to_yaml(plan)?)];
    files.extend(plan.scripts.iter().map(|script| (script.path.clone(), sql(plan, script))));
    Ok(files)
}

/// A script with its header.
pub fn sql(plan: &Plan, script: &PlanScript) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        for (index, part) in wrapped(text, 100).into_iter().enumerate() {
            out.push_str(if index == 0 { "-- " } else { "--   " });
            out.push_str(&part);
            out.push('\n');
        }
    };
    line(&format!("{} ({})", script.path, plan.name));
    line(&format!("What: {}.", script.title));
    line(&format!("When: {}.", script.when));
    line(&format!("Rehearsed: {}.", ran(script)));
    line(&format!(
        "For: {} {}; upgrade {}.",
        plan.identity.flavor, plan.identity.version, plan.identity.upgrade_digest
    ));
    out.push('\n');
    out.push_str(&script.sql);
    out
}

/// How a script was rehearsed, in words that cannot be overlooked when it was not.
fn ran(script: &PlanScript) -> String {
    match &script.rehearsed {
        Some(ran) if ran.ok => {
            format!("ran in the sandbox in {} ({})", quantity::seconds(ran.seconds), quantity::moment(&ran.at))
        }
        Some(ran) => format!("IT FAILED in the sandbox ({}): {}", quantity::moment(&ran.at), ran.outcome),
        None => "NOT RUN in the sandbox".to_owned(),
    }
}

/// The same in a list in which the day is the same for all.
fn ran_briefly(script: &PlanScript) -> String {
    match &script.rehearsed {
        Some(ran) if ran.ok => format!("ran in the sandbox in {}", quantity::seconds(ran.seconds)),
        _ => format!("**{}**", ran(script)),
    }
}

fn markdown(plan: &Plan) -> String {
    let mut out = String::new();
    let id = &plan.identity;
    let _ = writeln!(out, "# Plan: {}\n", plan.name);
    if !plan.blockers.is_empty() {
        out.push_str("> **Do not carry this plan out as it is.**\n");
        for blocker in &plan.blockers {
            let _ = writeln!(out, "> - {blocker}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{}\n", summary(plan));
    out.push_str("## For what it is true\n\n");
    let _ = writeln!(out, "- server: {} ({})", id.flavor, id.version);
    let _ = writeln!(
        out,
        "- upgrade: {} statements, digest `{}`",
        quantity::grouped(id.upgrade_statements),
        id.upgrade_digest
    );
    let _ = writeln!(out, "- definitions before it: digest `{}`", id.schema_digest);
    let _ = writeln!(out, "- rehearsed: {}", id.rehearsed);
    if id.scale < 1.0 {
        let _ = writeln!(
            out,
            "- **scale {}: the sandbox held {} of production's rows; its times are not production's**",
            id.scale,
            super::impact::share(id.scale)
        );
    }
    for (table, band) in &id.rows {
        let _ = writeln!(out, "- {table}: {} to {} rows", quantity::grouped(band.low), quantity::grouped(band.high));
    }
    out.push_str("\nWhen one of these is no longer so, rehearse again.\n\n## 0. Before you start\n\n");
    out.push_str("The queries are in `plan/00-preflight.sql`.\n\n");
    for check in &plan.preflight {
        let _ = writeln!(out, "- [ ] **{}**: {}", check.title, check.expect);
        if let Some(command) = &check.command {
            let _ = writeln!(out, "      `{command}`");
        }
    }
    backups(plan, &mut out);
    out.push_str("\n## Steps\n");
    watches(plan, &mut out);
    for (index, step) in plan.steps.iter().enumerate() {
        steps(plan, index + 1, step, &mut out);
    }
    if !plan.left_out.is_empty() {
        out.push_str("\n## Statements that are no step\n\n");
        for item in plan.left_out.iter().take(LEFT_OUT_SHOWN) {
            let _ = writeln!(out, "- {}: {}", item.statement, item.why);
        }
        if plan.left_out.len() > LEFT_OUT_SHOWN {
            let _ = writeln!(out, "- and {} more; `plan.yaml` has them all", plan.left_out.len() - LEFT_OUT_SHOWN);
        }
    }
    out.push_str("\n## If it goes wrong\n\n");
    for line in &plan.trouble {
        let _ = writeln!(out, "- {line}");
    }
    if !plan.cleanup.is_empty() {
        out.push_str("\n## Clean-up, days later\n\n");
        for item in &plan.cleanup {
            let _ = writeln!(out, "- [ ] drop `{}`: {}. Mind: {}.", item.table, item.when, item.mind);
        }
    }
    out.push_str("\n## Signed\n\n");
    for line in &plan.sign_off {
        let _ = writeln!(out, "- {line}: ______________________");
    }
    out
}

/// The plan in three sentences.
fn summary(plan: &Plan) -> String {
    let destructive = plan.steps.iter().filter(|step| !step.destroys().is_empty()).count();
    let ran = plan.scripts.iter().filter(|script| script.rehearsed.as_ref().is_some_and(|ran| ran.ok)).count();
    let failed = plan.scripts.iter().filter(|script| script.rehearsed.as_ref().is_some_and(|ran| !ran.ok)).count();
    let high: f64 = plan.steps.iter().filter_map(|step| step.body.takes.as_ref()).map(|takes| takes.high_seconds).sum();
    let low: f64 = plan.steps.iter().filter_map(|step| step.body.takes.as_ref()).map(|takes| takes.low_seconds).sum();
    let scripts = match (ran, failed, plan.scripts.len()) {
        (ran, 0, all) if ran == all => format!("All {all} scripts were run in the sandbox."),
        (0, 0, all) => format!("**None of the {all} scripts was run in the sandbox.**"),
        (ran, failed, all) => {
            let failed = if failed > 0 { format!(", **{failed} failed**") } else { String::new() };
            format!(
                "**Of {all} scripts {ran} were run in the sandbox{failed}, {} were not.**",
                all - ran
                    - plan.scripts.iter().filter(|script| script.rehearsed.as_ref().is_some_and(|ran| !ran.ok)).count()
            )
        }
    };
    format!(
        "{}, {destructive} of which destroy something and have a backup. In the sandbox they took {} in all, backups aside. {scripts}",
        quantity::counted(plan.steps.len() as u64, "step"),
        range(low, high)
    )
}

fn range(low: f64, high: f64) -> String {
    let (low, high) = (quantity::seconds(low), quantity::seconds(high));
    if low == high { low } else { format!("{low} to {high}") }
}

fn backups(plan: &Plan, out: &mut String) {
    out.push_str("\n## Backups\n\n");
    if plan.backups.is_empty() {
        out.push_str("None: no step destroys anything that was there before.\n");
        return;
    }
    for backup in &plan.backups {
        let step = plan.steps.iter().find(|step| step.covered_by().contains(&backup.id));
        let of = step.map(|step| format!(" for {}", step.body.id)).unwrap_or_default();
        let room =
            backup.bytes.map(|bytes| format!(" (about {}, estimated)", quantity::bytes(bytes))).unwrap_or_default();
        let _ = writeln!(out, "- **{}**{of}: {}{room}", backup.id, backup.keeps);
        if let Way::Dump { command } = &backup.way {
            let _ = writeln!(out, "  - run: `{command}`");
        }
        for limit in &backup.limits {
            let _ = writeln!(out, "  - {limit}");
        }
    }
}

/// What to look at in a second session, once for all steps.
fn watches(plan: &Plan, out: &mut String) {
    let mut told: Vec<&str> = Vec::new();
    for watch in plan.steps.iter().flat_map(|step| &step.body.guard.watch) {
        if told.is_empty() {
            out.push_str(
                "\nRun the scripts one by one: `mysql --show-warnings < plan/FILE`, and look at the exit code. ",
            );
            out.push_str("Meanwhile look from a second session:\n");
        }
        if !told.contains(&watch.query.as_str()) {
            told.push(&watch.query);
            let _ = writeln!(out, "\n{}:\n\n```sql\n{};\n```", watch.what, watch.query);
        }
    }
}

fn steps(plan: &Plan, number: usize, step: &Step, out: &mut String) {
    let body = &step.body;
    let _ = writeln!(out, "\n### {number}. {}\n", body.title.replace('\n', " "));
    let scripts: Vec<&PlanScript> = plan.scripts_of(&body.id).collect();
    let of = |phase: ScriptPhase| scripts.iter().find(|script| script.phase == phase);
    if let Some(script) = of(ScriptPhase::Backup) {
        let _ = writeln!(out, "- [ ] back up: `{}` ({})", script.path, ran_briefly(script));
    }
    if let Some(script) = of(ScriptPhase::Step) {
        let _ = writeln!(out, "- [ ] run: `{}` ({})", script.path, ran_briefly(script));
    }
    if let Some(script) = of(ScriptPhase::Verify) {
        let _ = writeln!(out, "- [ ] verify: `{}` ({})", script.path, ran_briefly(script));
    }
    for verify in body.verify.iter().take(5) {
        let _ = writeln!(out, "  - expect {}", verify.expect);
    }
    if let Some(takes) = &body.takes {
        let _ = writeln!(out, "- takes {} ({})", range(takes.low_seconds, takes.high_seconds), takes.basis);
    }
    if body.blocks.is_empty() {
        out.push_str("- blocks: no probe waited 50 ms or more\n");
    } else {
        let _ = writeln!(out, "- **blocks** {}", body.blocks.join("; "));
    }
    if !step.destroys().is_empty() {
        let lost: Vec<String> = step.destroys().iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "- destroys {} (kept by {})", lost.join(", "), step.covered_by().join(", "));
    }
    for line in &body.know {
        let _ = writeln!(out, "- know: {line}");
    }
    let _ = writeln!(out, "- if the guard trips: {}", body.guard.when_tripped);
    match of(ScriptPhase::Undo) {
        Some(script) => {
            let _ = writeln!(out, "- undo: `{}` ({}): {}", script.path, ran_briefly(script), body.undo.limit);
        }
        None => {
            let _ = writeln!(out, "- undo: {}", body.undo.limit);
        }
    }
}

/// Lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

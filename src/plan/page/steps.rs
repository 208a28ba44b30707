//! The steps on the page: a table of all, then each with what to type, what to expect, when to stop and how to go back.

use std::fmt::Write as _;

use super::words::cell;
use crate::plan::record::groups::{Group, LONG, groups};
use crate::plan::record::told::{
    Lasts, asking, client, expected, lasts, list, ran_briefly, range, throttle, typed, undo, up_to, way_back,
};
use crate::plan::record::{Plan, PlanScript, ScriptPhase};
use crate::plan::step::Step;
use crate::quantity;

/// All steps at a glance.
pub fn table(plan: &Plan, out: &mut String) {
    out.push_str("## The steps\n\n| | what | takes | blocks | way back |\n| --- | --- | --- | --- | --- |\n");
    for group in groups(plan) {
        let steps = &plan.steps[group.first..=group.last];
        let first = &steps[0];
        let number = match steps {
            [_] => (group.first + 1).to_string(),
            _ => format!("{} to {}", group.first + 1, group.last + 1),
        };
        let what = match steps.len() {
            1 => first.body.title.clone(),
            count => format!("{}, and {} more short steps", first.body.title, quantity::grouped(count as u64 - 1)),
        };
        let takes = match added(plan, steps) {
            Some((low, high)) => range(low, high),
            None => "**not measured**".to_owned(),
        };
        let blocks = list(&first.body.blocks, "; ", 2, "nobody");
        let back = match steps {
            [step] => way_back(plan, step),
            _ => match steps.iter().filter(|step| undo(plan, step).is_none()).count() {
                0 => "each by its own undo".to_owned(),
                bare => format!("each by its own undo, {bare} by hand"),
            },
        };
        let _ = writeln!(out, "| {number} | {} | {takes} | {} | {} |", cell(&what), cell(&blocks), cell(&back));
    }
    let _ = writeln!(out, "\nTimes are those of the sandbox; of each step its basis stands with it.");
}

/// Time of some steps together; none when one was not measured.
fn added(plan: &Plan, steps: &[Step]) -> Option<(f64, f64)> {
    let all: Option<Vec<Lasts>> = steps.iter().map(|step| lasts(plan, step)).collect();
    all.map(|all| all.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.low, sum.1 + one.high)))
}

/// Each step.
pub fn all(plan: &Plan, out: &mut String) {
    out.push_str("\n## Step by step\n");
    watches(plan, out);
    for group in groups(plan) {
        if group.first == group.last {
            one(plan, group.first, out);
        } else {
            folded(plan, &group, out);
        }
    }
}

/// What to look at in a second session, once for all steps.
fn watches(plan: &Plan, out: &mut String) {
    let mut told: Vec<&str> = Vec::new();
    for watch in plan.steps.iter().flat_map(|step| &step.body.guard.watch) {
        if told.is_empty() {
            out.push_str("\nIn a second session look meanwhile, every few seconds:\n");
        }
        if !told.contains(&watch.query.as_str()) {
            told.push(&watch.query);
            let _ = writeln!(out, "\n**W{}** {}:\n\n```sql\n{};\n```", told.len(), watch.what, watch.query);
        }
    }
}

/// The numbers under which [`watches`] tells a step's queries.
fn watch_numbers(plan: &Plan, step: &Step) -> String {
    let mut queries: Vec<&str> = Vec::new();
    for watch in plan.steps.iter().flat_map(|step| &step.body.guard.watch) {
        if !queries.contains(&watch.query.as_str()) {
            queries.push(&watch.query);
        }
    }
    let own = step.body.guard.watch.iter();
    let numbers: Vec<String> = own
        .filter_map(|watch| queries.iter().position(|query| *query == watch.query))
        .map(|place| format!("W{}", place + 1))
        .collect();
    numbers.join(", ")
}

/// A row of plain steps, each of which is told in plan.yaml.
fn folded(plan: &Plan, group: &Group, out: &mut String) {
    let steps = &plan.steps[group.first..=group.last];
    let (first, last) = (group.first + 1, group.last + 1);
    let count = quantity::counted(steps.len() as u64, "short step");
    let _ = writeln!(out, "\n### {first} to {last}. {count}: {} …\n", steps[0].body.title.replace('\n', " "));
    let files: Vec<&PlanScript> = steps
        .iter()
        .flat_map(|step| plan.scripts_of(&step.body.id))
        .filter(|script| matches!(script.phase, ScriptPhase::Backup | ScriptPhase::Step | ScriptPhase::Verify))
        .collect();
    let (from, until) = (files.first().map_or("", |one| &one.path), files.last().map_or("", |one| &one.path));
    let _ = writeln!(
        out,
        "Each took less than {} in the sandbox, and nothing waited for it. In the order of `plan.yaml`, from `{from}` to \
         `{until}`; the first that fails stops the row:\n",
        quantity::seconds(LONG)
    );
    let _ = writeln!(
        out,
        "```sh\nls plan/20-*.sql | sort -V | sed -n '\\|{from}|,\\|{until}|p' | while read -r f; do\n  {} < \"$f\" || {{ echo \"STOPPED at $f\"; break; }}\ndone\n```\n",
        client(plan)
    );
    let destroys = steps.iter().filter(|step| !step.destroys().is_empty()).count();
    if destroys > 0 {
        let _ = writeln!(
            out,
            "- {} destroy something, each kept by its own backup script",
            quantity::counted(destroys as u64, "step")
        );
    }
    out.push_str("- what to expect, when to stop and how to go back is in each script's head and in `plan.yaml`\n");
}

fn one(plan: &Plan, place: usize, out: &mut String) {
    let step = &plan.steps[place];
    let body = &step.body;
    let _ = writeln!(out, "\n### {}. {}\n", place + 1, body.title.replace('\n', " "));
    let own = |phase: ScriptPhase| plan.scripts_of(&body.id).filter(move |script| script.phase == phase);
    for script in own(ScriptPhase::Backup) {
        let _ = writeln!(out, "- [ ] back up: {} ({})", typed(plan, script), ran_briefly(script));
    }
    for script in own(ScriptPhase::Step) {
        let _ = writeln!(out, "- [ ] run: {} ({})", typed(plan, script), ran_briefly(script));
    }
    for script in own(ScriptPhase::Verify) {
        let _ = writeln!(out, "- [ ] verify: `{} < {}` ({})", asking(plan), script.path, ran_briefly(script));
    }
    for verify in body.verify.iter().take(8) {
        let _ = writeln!(out, "  - {}", expected(verify));
    }
    if body.verify.len() > 8 {
        let _ = writeln!(out, "  - and {} more answers: each stands in the script", body.verify.len() - 8);
    }
    if body.verify.is_empty() {
        out.push_str(
            "- [ ] verify: no query shows what it did; the client reports the rows affected, keep its output\n",
        );
    }
    match lasts(plan, step) {
        Some(lasts) => {
            let _ = writeln!(out, "- takes {} ({})", range(lasts.low, lasts.high), lasts.basis);
        }
        None => out.push_str("- takes: **not measured**\n"),
    }
    match body.blocks.as_slice() {
        [] => out.push_str("- blocks: no probe waited 50 ms or more\n"),
        lines => {
            let _ = writeln!(out, "- **blocks** {}", list(lines, "; ", 8, ""));
        }
    }
    if !step.destroys().is_empty() {
        let lost: Vec<String> = step.destroys().iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "- destroys {} (kept by {})", lost.join(", "), step.covered_by().join(", "));
    }
    guard(plan, step, out);
    for line in &body.know {
        let _ = writeln!(out, "- know: {line}");
    }
    back(plan, step, out);
    others(step, out);
}

fn guard(plan: &Plan, step: &Step, out: &mut String) {
    let guard = &step.body.guard;
    let settings: Vec<String> =
        guard.settings.iter().map(|text| text.trim_start_matches("SET SESSION ").to_owned()).collect();
    let _ = writeln!(out, "- guards, in the script: {}", list(&settings, ", ", 8, "none"));
    let _ = writeln!(out, "- throttle: {}", throttle(step));
    for line in &guard.stop_when {
        let _ = writeln!(out, "- **stop when** {line}");
    }
    let watch = watch_numbers(plan, step);
    if !watch.is_empty() {
        let _ = writeln!(out, "- watch: {watch} above");
    }
    let _ = writeln!(out, "- if the guard trips: {}", guard.when_tripped);
}

fn back(plan: &Plan, step: &Step, out: &mut String) {
    let undo = &step.body.undo;
    let own = |phase: ScriptPhase| plan.scripts_of(&step.body.id).filter(move |script| script.phase == phase);
    let mut any = false;
    for script in own(ScriptPhase::Undo) {
        any = true;
        let shown = match &undo.shown {
            Some(shown) => {
                format!("undone in the sandbox in {} ({})", up_to(shown.seconds), quantity::moment(&shown.at))
            }
            None => ran_briefly(script),
        };
        let _ = writeln!(out, "- undo: {} ({shown}): {}", typed(plan, script), undo.limit);
    }
    if !any {
        let _ = writeln!(out, "- undo: **no script**: {}", undo.limit);
    }
    if let Some(written) = undo.shown.as_ref().and_then(|shown| shown.written.as_ref()) {
        let _ = writeln!(out, "  - what it loses, as rehearsed: {}", written.sentence());
    }
    for script in own(ScriptPhase::Merge) {
        let _ = writeln!(
            out,
            "  - then, to keep what was written since: {} ({})",
            typed(plan, script),
            ran_briefly(script)
        );
    }
}

fn others(step: &Step, out: &mut String) {
    if step.body.others.is_empty() {
        return;
    }
    out.push_str("- other ways that ran (`choices:` in `plan.yaml`, then `rehearse plan`):\n");
    for other in &step.body.others {
        let takes = other
            .takes
            .as_ref()
            .map_or("not measured".to_owned(), |takes| range(takes.low_seconds, takes.high_seconds));
        let blocks = list(&other.blocks, "; ", 1, "nobody");
        let why_not = other.why_not.as_ref().map(|why| format!("; **cannot be chosen: {why}**")).unwrap_or_default();
        let _ = writeln!(out, "  - `{}`: {}; takes {takes}, blocks {blocks}{why_not}", other.id, other.title);
    }
}

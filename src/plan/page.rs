//! `plan.md`: short enough to read, complete enough to follow in the middle of the night. Drawn from the plan alone, so that
//! it never says anything else than `plan.yaml`.

mod steps;
mod trouble;
mod words;

use std::fmt::Write as _;

use super::record::told::{client, ran_briefly};
use super::record::{Plan, ScriptPhase, Way, summary};
use crate::quantity;

/// Lines of a list that are told one by one; of more it says how many.
const SHOWN: usize = 12;

/// The page.
pub fn page(plan: &Plan) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# Plan: {}\n", plan.name);
    verdict(plan, &mut out);
    in_short(plan, &mut out);
    steps::table(plan, &mut out);
    before(plan, &mut out);
    backups(plan, &mut out);
    steps::all(plan, &mut out);
    left_out(plan, &mut out);
    trouble::page(plan, &mut out);
    cleanup(plan, &mut out);
    identity(plan, &mut out);
    out.push_str("\n## Signed\n\n");
    for line in &plan.sign_off {
        let _ = writeln!(out, "- {line}: ______________________");
    }
    out
}

/// May it be carried out?
fn verdict(plan: &Plan, out: &mut String) {
    if let Some(fine) = summary::verdict(plan) {
        let _ = writeln!(out, "> {fine}\n");
        return;
    }
    out.push_str("> **Do not carry this plan out as it is.**\n");
    for blocker in plan.blockers.iter().take(SHOWN) {
        let _ = writeln!(out, "> - {blocker}");
    }
    if plan.blockers.len() > SHOWN {
        let _ = writeln!(out, "> - and {} more; `plan.yaml` has them all", plan.blockers.len() - SHOWN);
    }
    out.push('\n');
}

/// What a person who has one minute must know.
fn in_short(plan: &Plan, out: &mut String) {
    out.push_str("| | |\n| --- | --- |\n");
    for (what, text) in summary::rows(plan) {
        let _ = writeln!(out, "| **{what}** | {} |", words::cell(&text));
    }
    out.push('\n');
}

fn before(plan: &Plan, out: &mut String) {
    let client = client(plan);
    out.push_str("\n## 0. Before you start\n\n");
    let _ = writeln!(
        out,
        "In the directory that holds `plan/`, with host, user and password of the target in `production.cnf` (section \
         `[client]`, mode 600). Each command ends with exit code 0 or says why not; go on only after 0.\n"
    );
    let _ = writeln!(out, "```sh\n{client} --table < plan/00-preflight.sql\n```\n");
    let count = |title: &str| title.ends_with("holds about as many rows as were rehearsed");
    let bands = plan.preflight.iter().filter(|check| count(&check.title)).count();
    for check in plan.preflight.iter().filter(|check| bands <= SHOWN || !count(&check.title)) {
        let _ = writeln!(out, "- [ ] **{}**: {}", check.title, check.expect);
        if let Some(command) = &check.command {
            let _ = writeln!(out, "      `{command}`");
        }
    }
    if bands > SHOWN {
        let _ = writeln!(
            out,
            "- [ ] **{bands} tables hold about as many rows as were rehearsed**: as the script says beside each"
        );
    }
    if let Some(script) =
        plan.scripts.iter().find(|script| script.phase == ScriptPhase::Backup && script.step.is_none())
    {
        let _ = writeln!(
            out,
            "- [ ] **The definitions are put aside**: `{client} < {} > definitions.txt` ({})",
            script.path,
            ran_briefly(script)
        );
    }
}

fn backups(plan: &Plan, out: &mut String) {
    out.push_str("\n## Backups\n\n");
    if plan.backups.is_empty() {
        out.push_str("None: no step destroys anything that was there before.\n");
        return;
    }
    for backup in plan.backups.iter().take(2 * SHOWN) {
        let place = plan.steps.iter().position(|step| step.covered_by().contains(&backup.id));
        let of = place.map(|place| format!(" for step {}", place + 1)).unwrap_or_default();
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
    if plan.backups.len() > 2 * SHOWN {
        let more = plan.backups.len() - 2 * SHOWN;
        let _ = writeln!(out, "- and {more} more, each made by the scripts of its step; `plan.yaml` has them all");
    }
}

fn left_out(plan: &Plan, out: &mut String) {
    if plan.left_out.is_empty() {
        return;
    }
    out.push_str("\n## Statements that are no step\n\n");
    for item in plan.left_out.iter().take(SHOWN) {
        let _ = writeln!(out, "- {}: {}", item.statement, item.why);
    }
    if plan.left_out.len() > SHOWN {
        let _ = writeln!(out, "- and {} more; `plan.yaml` has them all", plan.left_out.len() - SHOWN);
    }
}

fn cleanup(plan: &Plan, out: &mut String) {
    if plan.cleanup.is_empty() {
        return;
    }
    let client = client(plan);
    out.push_str(
        "\n## Clean-up, days later\n\nEach of these is the end of a way back. The scripts give up after 5 s of waiting for \
         the table; then nothing has changed: look who uses it, and try again.\n\n",
    );
    let scripts: Vec<_> = plan.scripts.iter().filter(|script| script.phase == ScriptPhase::Cleanup).collect();
    for (place, item) in plan.cleanup.iter().enumerate().take(2 * SHOWN) {
        let _ = writeln!(out, "- [ ] drop `{}`: {}", item.table, item.when);
        if let Some(script) = scripts.get(place) {
            let _ = writeln!(out, "  - `{client} < {}` ({})", script.path, ran_briefly(script));
        }
        let _ = writeln!(out, "  - mind: {}", item.mind);
    }
    if plan.cleanup.len() > 2 * SHOWN {
        let more = plan.cleanup.len() - 2 * SHOWN;
        let _ = writeln!(out, "- [ ] and {more} more tables: the other `plan/90-*.sql`, in the order of their names");
    }
}

fn identity(plan: &Plan, out: &mut String) {
    let id = &plan.identity;
    out.push_str("\n## For what it is true\n\n`rehearse verify` holds production to all of it. When one of these is no longer so, rehearse again.\n\n");
    let _ = writeln!(out, "- server: {} ({})", id.flavor, id.version);
    let _ = writeln!(
        out,
        "- upgrade: {}, digest `{}`",
        quantity::counted(id.upgrade_statements, "statement"),
        id.upgrade_digest
    );
    let _ = writeln!(out, "- definitions before it: digest `{}`", id.schema_digest);
    for (table, band) in id.rows.iter().take(2 * SHOWN) {
        let _ = writeln!(out, "- {table}: {} to {} rows", quantity::grouped(band.low), quantity::grouped(band.high));
    }
    if id.rows.len() > 2 * SHOWN {
        let _ = writeln!(out, "- and {} more tables; `plan.yaml` has them all", id.rows.len() - 2 * SHOWN);
    }
    for (name, why) in &id.not_carried {
        let _ = writeln!(out, "- not as in production: {name}: {why}");
    }
}

#[cfg(test)]
mod tests;

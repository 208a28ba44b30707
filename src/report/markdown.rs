//! A report as markdown, for `summary.md`, pull requests and job summaries.

use std::fmt::Write as _;

use super::record::{Alternative, Report, Verdict};
use super::wording::{self, NOISE_SECONDS, PROBES};
use super::{drills, verdict};
use crate::quantity;

/// Characters of a summary; hosts refuse comments of more than 65,536.
pub const LIMIT: usize = 55_000;
/// Statements that the table shows.
const STATEMENTS: usize = 20;

/// The report as markdown, at most [`LIMIT`] characters: of findings that do not fit the least severe go first, counted.
pub fn render(report: &Report) -> String {
    render_within(report, LIMIT)
}

/// The same, at most `limit` characters.
pub fn render_within(report: &Report, limit: usize) -> String {
    let head = head(report);
    let mut tail = tail(report);
    let mut findings: Vec<String> = wording::told_once(report)
        .into_iter()
        .map(|(finding, statements)| {
            let on = match statements.as_slice() {
                [] => String::new(),
                ids => format!(" on `{}`", tick(&wording::names_of(report, ids))),
            };
            let message: String = finding.message.chars().take(2_000).collect();
            format!(
                "- **{}** `{}`{on}: {}\n",
                wording::severity(finding.severity),
                tick(&finding.rule),
                prose(&message)
            )
        })
        .collect();
    let all = findings.len();
    let title = match all {
        0 => String::new(),
        _ => format!("\n### Findings: {}\n\n", wording::counts(&wording::by_severity(report))),
    };
    let size = |text: &str| text.chars().count();
    // Room for the sentence that counts what was dropped.
    let fixed = size(&head) + size(&title) + 200;
    if fixed + size(&tail) > limit {
        let room = limit.saturating_sub(fixed).saturating_sub(60);
        tail = tail.chars().take(room).collect::<String>() + "\n\n(cut; report.json has it all)\n";
    }
    let mut used = fixed + size(&tail) + findings.iter().map(|line| size(line)).sum::<usize>();
    while used > limit
        && let Some(line) = findings.pop()
    {
        used -= size(&line);
    }
    let dropped = all - findings.len();
    let mut out = head;
    out.push_str(&title);
    out.extend(findings);
    if dropped > 0 {
        let _ = writeln!(out, "\n{dropped} more findings, the least severe, did not fit; report.json has them all.");
    }
    out.push_str(&tail);
    out
}

fn head(report: &Report) -> String {
    let mut out = String::new();
    let mark = if report.verdict == Verdict::Pass { "✅" } else { "❌" };
    let _ = writeln!(out, "## {mark} {}\n\n**{}**\n", prose(&report.name), prose(&verdict::sentences(report)));
    if let Some(scale) = wording::scale(report) {
        let _ = writeln!(out, "> ⚠️ {}\n", prose(&scale));
    }
    let _ = writeln!(
        out,
        "{} on {}, {}\n",
        quantity::counted(report.upgrade.statements, "statement"),
        prose(&wording::place(report)),
        quantity::moment(&report.started)
    );
    let shown = wording::shown(report, STATEMENTS);
    if !shown.statements.is_empty() {
        out.push_str("### What each statement keeps waiting, and for how long\n\n");
        out.push_str("| statement | rows | time | how | reads | locks | updates | inserts | commits |\n");
        out.push_str("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n");
        for statement in &shown.statements {
            let waits: Vec<String> = PROBES
                .iter()
                .map(|probe| {
                    wording::wait(wording::longest(&statement.blocked, *probe), wording::failures(statement, *probe))
                })
                .collect();
            let _ = writeln!(
                out,
                "| **{}**<br>`{}` | {} | {} | {} | {} |",
                prose(&wording::label(statement)),
                tick(&wording::one_line(&statement.text, 80)),
                wording::rows(statement),
                prose(&wording::time(statement)),
                wording::how(statement),
                waits.join(" | ")
            );
        }
        out.push_str("\nThe longest wait of one request; empty: none waited 50 ms, or none was asked.\n");
    }
    let mut notes = shown.left_out();
    for statement in &shown.statements {
        if let Some(error) = &statement.error {
            notes.push(format!("{} ({}): {error}", wording::label(statement), statement.origin));
        }
        if let Some(commit) = statement.commit_seconds.filter(|commit| *commit >= NOISE_SECONDS) {
            notes.push(format!("{}: its commit took another {}", wording::label(statement), quantity::seconds(commit)));
        }
    }
    notes.extend(wording::key_differences(report, 5));
    if !notes.is_empty() {
        out.push('\n');
        for line in notes {
            let _ = writeln!(out, "- {}", prose(&line));
        }
    }
    for statement in report.statements.iter().filter(|statement| !statement.alternatives.is_empty()).take(STATEMENTS) {
        let _ = writeln!(out, "\n#### Other ways to do `{}`\n", tick(&wording::label(statement)));
        out.push_str("| way | time | reads wait | writes wait | result |\n| --- | ---: | ---: | ---: | --- |\n");
        let longest = |blocked: &[crate::watch::record::Blocked], writes: bool| {
            let seconds = blocked
                .iter()
                .filter(|one| one.probe.is_write() == writes)
                .map(|one| one.longest_seconds)
                .reduce(f64::max);
            wording::wait(seconds, 0)
        };
        let _ = writeln!(
            out,
            "| as written | {} | {} | {} | |",
            prose(&wording::time(statement)),
            longest(&statement.blocked, false),
            longest(&statement.blocked, true)
        );
        for way in &statement.alternatives {
            let chosen = if way.chosen { "**→** " } else { "" };
            let _ = writeln!(
                out,
                "| {chosen}{} | {} | {} | {} | {} |",
                prose(&way.title),
                prose(&way.seconds.map(quantity::seconds).unwrap_or_default()),
                longest(&way.blocked, false),
                longest(&way.blocked, true),
                wording::proof(way)
            );
        }
        let remarks: Vec<String> = statement.alternatives.iter().flat_map(remarks).collect();
        if !remarks.is_empty() {
            out.push_str("\n<details><summary>What to know about them</summary>\n\n");
            for line in remarks.iter().take(20) {
                let _ = writeln!(out, "- {}", prose(line));
            }
            out.push_str("\n</details>\n");
        }
    }
    out
}

/// What the terminal says of an alternative, and the caveats of those that the plan does not take.
fn remarks(way: &Alternative) -> Vec<String> {
    let mut lines = wording::remarks(way);
    if !way.chosen && way.eligible {
        lines.extend(way.caveats.iter().map(|caveat| format!("{}: {caveat}", way.id)));
    }
    lines
}

fn tail(report: &Report) -> String {
    let mut out = String::new();
    if !report.budget.is_empty() {
        out.push_str("\n### Budget\n\n| limit | allowed | observed | | basis |\n| --- | --- | --- | --- | --- |\n");
        for line in &report.budget {
            let mark = if line.ok { "✅" } else { "❌" };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {mark} | {} |",
                prose(&line.limit),
                line.allowed,
                line.observed,
                line.basis
            );
        }
    }
    if !report.drills.is_empty() {
        out.push_str("\n### When something goes wrong\n\n");
        let lines = drills::lines(report);
        for line in lines.iter().take(30) {
            let mark = if line.hurts { "⚠️" } else { "✅" };
            let _ = writeln!(out, "- {mark} **{}**: {}", line.word, prose(&line.text));
        }
        if lines.len() > 30 {
            let _ = writeln!(out, "- and {} more; report.json has them all", lines.len() - 30);
        }
    }
    let rest = wording::not_rehearsed(report);
    if !report.unchecked.is_empty() || !rest.is_empty() {
        let count = quantity::counted((report.unchecked.len() + rest.len()) as u64, "thing");
        let _ = writeln!(out, "\n<details><summary>Not looked at: {count}</summary>\n");
        for item in report.unchecked.iter().take(30) {
            let on = item
                .statement
                .as_deref()
                .map(|id| format!("`{}`, ", tick(&wording::name_of(report, id))))
                .unwrap_or_default();
            let _ = writeln!(out, "- {on}{}: {}", item.rule, prose(&item.why));
        }
        if report.unchecked.len() > 30 {
            let _ = writeln!(out, "- and {} more; report.json has them all", report.unchecked.len() - 30);
        }
        for line in rest {
            let _ = writeln!(out, "- {}", prose(&line));
        }
        out.push_str("\n</details>\n");
    }
    if let Some(plan) = &report.plan {
        let _ = writeln!(out, "\nThe plan: `{}` (digest `{:.16}`)", tick(&plan.path), plan.digest);
    }
    out
}

/// Text that is no markup: a name or a message of others cannot break a table or open a tag.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text between backticks, in a table too.
pub(super) fn tick(text: &str) -> String {
    text.replace('`', "'").replace('|', "\\|").replace(['\n', '\r'], " ")
}

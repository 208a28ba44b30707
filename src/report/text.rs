//! A report for a terminal: the verdict first, then who waits for what, then why and what to do instead.

use super::page::{Page, wrap};
use super::record::{Report, Verdict};
pub use super::text_table::terminal_width;
use super::{drills, text_table, verdict, wording};
use crate::advise::record::Severity;
use crate::quantity;
use crate::watch::record::ProbeKind;

/// Columns of a terminal of which nobody knows how wide it is.
pub const WIDTH: u16 = 100;
/// Findings, and things not looked at, that are shown.
const LINES: usize = 30;

/// The report as lines for a terminal of usual width; with escapes for colour only when told.
pub fn render(report: &Report, colour: bool) -> String {
    render_for(report, colour, WIDTH)
}

/// The report as lines for a terminal of this width.
pub fn render_for(report: &Report, colour: bool, width: u16) -> String {
    let mut page = Page { out: String::new(), colour, width: width.clamp(60, 200) };
    head(report, &mut page);
    text_table::statements(report, &mut page);
    text_table::alternatives(report, &mut page);
    findings(report, &mut page);
    what_goes_wrong(report, &mut page);
    budget(report, &mut page);
    phases(report, &mut page);
    unchecked(report, &mut page);
    files(report, &mut page);
    page.out
}

fn head(report: &Report, page: &mut Page) {
    let code = if report.verdict == Verdict::Pass { "1;32" } else { "1;31" };
    for line in wrap(&verdict::sentences(report), usize::from(page.width)) {
        let line = page.paint(&line, code);
        page.out.push_str(&format!("{line}\n"));
    }
    if let Some(scale) = wording::scale(report) {
        for line in wrap(&scale, usize::from(page.width)) {
            let line = page.paint(&line, "1;33");
            page.out.push_str(&format!("{line}\n"));
        }
    }
    let about = format!(
        "{}, {}, on {}, {}",
        report.name,
        quantity::counted(report.upgrade.statements, "statement"),
        wording::place(report),
        quantity::moment(&report.started)
    );
    for line in wrap(&about, usize::from(page.width)) {
        let line = page.paint(&line, "2");
        page.out.push_str(&format!("{line}\n"));
    }
}

fn findings(report: &Report, page: &mut Page) {
    let findings = wording::by_severity(report);
    if findings.is_empty() {
        return;
    }
    page.title(&format!("Findings: {}", wording::counts(&findings)));
    let told = wording::told_once(report);
    for (finding, statements) in told.iter().take(LINES) {
        let code = match finding.severity {
            Severity::Error => "31",
            Severity::Warning => "33",
            Severity::Info => "36",
        };
        let on = match statements.as_slice() {
            [] => String::new(),
            ids => format!(" on {}", wording::names_of(report, ids)),
        };
        let mark = format!("{:<7}", wording::severity(finding.severity));
        page.item(&mark, code, &format!("{}{}: {}", finding.rule, on, finding.message));
    }
    if told.len() > LINES {
        page.out.push_str(&format!("  and {} more; report.json has them all\n", told.len() - LINES));
    }
}

fn what_goes_wrong(report: &Report, page: &mut Page) {
    if report.drills.is_empty() {
        return;
    }
    page.title("When something goes wrong");
    let lines = drills::lines(report);
    for line in lines.iter().take(LINES) {
        page.item(&format!("{:<8}", line.word), if line.hurts { "33" } else { "32" }, &line.text);
    }
    if lines.len() > LINES {
        page.out.push_str(&format!("  and {} more; report.json has them all\n", lines.len() - LINES));
    }
}

fn budget(report: &Report, page: &mut Page) {
    if report.budget.is_empty() {
        return;
    }
    page.title("Budget");
    for line in &report.budget {
        let (mark, code) = if line.ok { ("✓", "32") } else { ("✗", "31") };
        page.item(mark, code, &format!("{}: {} (allowed {}; {})", line.limit, line.observed, line.allowed, line.basis));
    }
}

fn phases(report: &Report, page: &mut Page) {
    if report.phases.is_empty() {
        return;
    }
    page.title("Phases of the watched run");
    for phase in &report.phases {
        let note = if phase.note.is_empty() { String::new() } else { format!(": {}", phase.note) };
        page.item(&format!("{:<7}", phase.name), "36", &format!("{}{note}", quantity::seconds(phase.seconds)));
    }
    let noise = report
        .noise
        .iter()
        .filter(|blocked| blocked.probe != ProbeKind::Commit)
        .map(|blocked| blocked.longest_seconds)
        .reduce(f64::max);
    if let Some(noise) = noise {
        page.item("noise  ", "36", &format!("while nothing ran the longest wait was {}", quantity::seconds(noise)));
    }
    if report.coverage.samples > 0 {
        page.item(
            "watched",
            "36",
            &format!(
                "{} samples of the server's views, the longest gap {}",
                quantity::grouped(report.coverage.samples),
                quantity::seconds(report.coverage.longest_gap_seconds)
            ),
        );
    }
}

fn unchecked(report: &Report, page: &mut Page) {
    let rest = wording::not_rehearsed(report);
    if report.unchecked.is_empty() && rest.is_empty() {
        return;
    }
    page.title("Not looked at");
    for item in report.unchecked.iter().take(LINES) {
        let on = item.statement.as_deref().map(|id| format!("{}, ", wording::name_of(report, id))).unwrap_or_default();
        page.item("?", "33", &format!("{on}{}: {}", item.rule, item.why));
    }
    if report.unchecked.len() > LINES {
        page.out.push_str(&format!("  and {} more; report.json has them all\n", report.unchecked.len() - LINES));
    }
    for line in rest {
        page.item("?", "33", &line);
    }
}

fn files(report: &Report, page: &mut Page) {
    if report.files.is_empty() && report.plan.is_none() {
        return;
    }
    page.title("Files");
    let listed = report.files.values().any(|path| report.plan.as_ref().is_some_and(|plan| plan.path == *path));
    if let Some(plan) = report.plan.as_ref().filter(|_| !listed) {
        page.item("plan", "36", &plan.path);
    }
    let widest = report.files.keys().map(|what| what.chars().count()).max().unwrap_or_default();
    for (what, path) in &report.files {
        page.item(&format!("{what:<widest$}"), "36", path);
    }
}

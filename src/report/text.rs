//! A report for a terminal: the verdict first, then who waits for what, then why and what to do instead.

use super::record::{Report, Verdict};
pub use super::text_table::terminal_width;
use super::{text_table, verdict, wording};
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
    budget(report, &mut page);
    phases(report, &mut page);
    unchecked(report, &mut page);
    files(report, &mut page);
    page.out
}

/// What is written so far.
pub(super) struct Page {
    pub(super) out: String,
    pub(super) colour: bool,
    pub(super) width: u16,
}

impl Page {
    fn paint(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn title(&mut self, text: &str) {
        let text = self.paint(text, "1");
        self.out.push_str(&format!("\n{text}\n"));
    }

    /// A paragraph, wrapped, with a mark before its first line.
    pub(super) fn item(&mut self, mark: &str, code: &str, text: &str) {
        let indent = mark.chars().count() + 1;
        let room = usize::from(self.width).saturating_sub(indent + 2).max(30);
        for (index, line) in wrap(text, room).into_iter().enumerate() {
            let before = if index == 0 { format!("{} ", self.paint(mark, code)) } else { " ".repeat(indent) };
            self.out.push_str(&format!("  {before}{line}\n"));
        }
    }
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
    for finding in findings.iter().take(LINES) {
        let code = match finding.severity {
            Severity::Error => "31",
            Severity::Warning => "33",
            Severity::Info => "36",
        };
        let on = finding.statement.as_deref().map(|id| format!(" on {}", wording::name_of(report, id)));
        let mark = format!("{:<7}", wording::severity(finding.severity));
        page.item(&mark, code, &format!("{}{}: {}", finding.rule, on.unwrap_or_default(), finding.message));
    }
    if findings.len() > LINES {
        page.out.push_str(&format!("  and {} more; report.json has them all\n", findings.len() - LINES));
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

/// Lines of at most `width` characters, broken at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

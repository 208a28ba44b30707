//! A report for a terminal: the verdict first, then who waits for what, then why and what to do instead.

use comfy_table::LineStyle;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::record::{Report, Statement, Verdict};
use super::wording::{self, PROBES};
use crate::advise::record::Severity;
use crate::quantity;
use crate::watch::record::ProbeKind;

/// Columns of a terminal of which nobody knows how wide it is.
const WIDTH: u16 = 110;
/// Statements that the table shows.
const STATEMENTS: usize = 20;
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
    statements(report, &mut page);
    keys(report, &mut page);
    alternatives(report, &mut page);
    findings(report, &mut page);
    budget(report, &mut page);
    phases(report, &mut page);
    unchecked(report, &mut page);
    files(report, &mut page);
    page.out
}

/// What is written so far.
struct Page {
    out: String,
    colour: bool,
    width: u16,
}

impl Page {
    fn paint(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn title(&mut self, text: &str) {
        let text = self.paint(text, "1");
        self.out.push_str(&format!("\n{text}\n"));
    }

    /// A paragraph, wrapped, with a mark before its first line.
    fn item(&mut self, mark: &str, code: &str, text: &str) {
        let indent = mark.chars().count() + 1;
        let room = usize::from(self.width).saturating_sub(indent + 2).max(30);
        for (index, line) in wrap(text, room).into_iter().enumerate() {
            let before = if index == 0 { format!("{} ", self.paint(mark, code)) } else { " ".repeat(indent) };
            self.out.push_str(&format!("  {before}{line}\n"));
        }
    }

    fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>, right_from: usize) {
        let mut table = Table::new();
        // One rule under the header and nothing else: eight columns of numbers need no more to be read.
        let style = presets::NOTHING.header_separator(LineStyle::new('─', '─', '─', '─'));
        table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(self.width);
        table.set_header(header.iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.add_rows(rows);
        for (index, column) in table.column_iter_mut().enumerate() {
            if index >= right_from {
                column.set_cell_alignment(CellAlignment::Right);
            }
            if index == 0 {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(14)));
            }
        }
        self.out.push_str(&table.trim_fmt());
        self.out.push('\n');
    }
}

fn head(report: &Report, page: &mut Page) {
    let code = if report.verdict == Verdict::Pass { "1;32" } else { "1;31" };
    for line in wrap(&wording::verdict(report), usize::from(page.width)) {
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
        "{}, {} statements, on {}, {}",
        report.name,
        quantity::grouped(report.upgrade.statements),
        wording::place(report),
        report.started
    );
    for line in wrap(&about, usize::from(page.width)) {
        let line = page.paint(&line, "2");
        page.out.push_str(&format!("{line}\n"));
    }
}

fn statements(report: &Report, page: &mut Page) {
    if report.statements.is_empty() {
        return;
    }
    let (shown, rest) = wording::worst(report, STATEMENTS);
    page.title("What each statement keeps waiting, and for how long");
    let rows = shown.iter().map(|statement| row(statement, page.width)).collect();
    page.table(&["statement", "rows", "time", "how", "reads", "locks", "updates", "inserts", "commits"], rows, 1);
    page.out.push_str("  · asked and did not wait 50 ms; empty: not asked. The longest wait of one request, over all keys and tables.\n");
    if rest > 0 {
        page.out.push_str(&format!(
            "  {} more statements blocked less and took less; report.json has them all.\n",
            quantity::grouped(rest)
        ));
    }
    for statement in shown.iter().filter(|statement| statement.error.is_some()) {
        let error = statement.error.as_ref().map(ToString::to_string).unwrap_or_default();
        page.item("✗", "31", &format!("{} ({}): {error}", wording::label(statement), statement.origin));
    }
    for statement in &shown {
        let until =
            statement.locks_until.as_ref().filter(|until| **until != statement.id && **until != statement.last_id);
        if let (Some(until), true) = (until, statement.blocked.iter().any(|blocked| blocked.longest_seconds >= 0.05)) {
            page.item("·", "2", &format!("{} holds its locks until {until} ends", wording::label(statement)));
        }
    }
}

fn row(statement: &Statement, width: u16) -> Vec<Cell> {
    let text = wording::one_line(&statement.text, if width >= 130 { 70 } else { 36 });
    let name = format!("{}\n{text}", wording::label(statement));
    let mut cells = vec![
        Cell::new(name),
        Cell::new(wording::rows(statement)),
        Cell::new(wording::time(statement)),
        Cell::new(wording::how(statement)),
    ];
    for probe in PROBES {
        let seconds = wording::longest(&statement.blocked, probe);
        let failed = wording::failures(statement, probe);
        cells.push(waited(seconds, failed));
    }
    cells
}

/// A wait, redder the longer.
fn waited(seconds: Option<f64>, failed: u64) -> Cell {
    let cell = Cell::new(wording::wait(seconds, failed));
    match seconds {
        Some(seconds) if seconds >= 1.0 => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        _ if failed > 0 => cell.fg(Color::Red),
        Some(seconds) if seconds >= 0.2 => cell.fg(Color::Yellow),
        _ => cell,
    }
}

fn keys(report: &Report, page: &mut Page) {
    for line in wording::key_differences(report, 5) {
        page.item("key", "36", &line);
    }
}

fn alternatives(report: &Report, page: &mut Page) {
    for statement in report.statements.iter().filter(|statement| !statement.alternatives.is_empty()) {
        page.title(&format!("Other ways to do {}", wording::label(statement)));
        let longest = |blocked: &[crate::watch::record::Blocked], writes: bool| {
            blocked
                .iter()
                .filter(|blocked| blocked.probe.is_write() == writes)
                .map(|blocked| blocked.longest_seconds)
                .reduce(f64::max)
        };
        let failed = |probes: &[crate::watch::record::Failed], writes: bool| {
            probes.iter().filter(|failed| failed.probe.is_write() == writes).map(|failed| failed.count).sum::<u64>()
        };
        let mut rows = vec![vec![
            Cell::new("as written"),
            Cell::new(wording::time(statement)),
            waited(longest(&statement.blocked, false), failed(&statement.failed, false)),
            waited(longest(&statement.blocked, true), failed(&statement.failed, true)),
            Cell::new(""),
        ]];
        for way in &statement.alternatives {
            let mark = if way.chosen { "→ " } else { "" };
            let name = Cell::new(format!("{mark}{}: {}", way.id, way.title));
            let proof = wording::proof(way);
            let proof = match proof.as_str() {
                "same (checksums)" => Cell::new(proof).fg(Color::Green),
                "differs" | "failed" => Cell::new(proof).fg(Color::Red),
                _ => Cell::new(proof),
            };
            let tried = way.seconds.is_some();
            rows.push(vec![
                if way.chosen { name.add_attribute(Attribute::Bold) } else { name },
                Cell::new(way.seconds.map(quantity::seconds).unwrap_or_default()),
                if tried { waited(longest(&way.blocked, false), failed(&way.failed, false)) } else { Cell::new("") },
                if tried { waited(longest(&way.blocked, true), failed(&way.failed, true)) } else { Cell::new("") },
                proof,
            ]);
        }
        page.table(&["way (→ the plan takes it)", "time", "reads wait", "writes wait", "result"], rows, 1);
        for way in &statement.alternatives {
            for line in wording::remarks(way) {
                page.item("·", "2", &line);
            }
        }
    }
}

fn findings(report: &Report, page: &mut Page) {
    let findings = wording::by_severity(report);
    if findings.is_empty() {
        return;
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    page.title(&format!(
        "Findings: {} errors, {} warnings, {} notes",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Info)
    ));
    for finding in findings.iter().take(LINES) {
        let code = match finding.severity {
            Severity::Error => "31",
            Severity::Warning => "33",
            Severity::Info => "36",
        };
        let name = finding.statement.as_deref().map(|id| name_of(report, id)).unwrap_or_default();
        let on = if name.is_empty() { String::new() } else { format!(" on {name}") };
        page.item(wording::severity(finding.severity), code, &format!("{}{on}: {}", finding.rule, finding.message));
    }
    if findings.len() > LINES {
        page.out.push_str(&format!("  and {} more; report.json has them all\n", findings.len() - LINES));
    }
}

/// The name of a statement by its id.
fn name_of(report: &Report, id: &str) -> String {
    report.statements.iter().find(|statement| statement.id == id).map_or_else(|| id.to_owned(), wording::label)
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
        let on = item.statement.as_deref().map(|id| format!("{}, ", name_of(report, id))).unwrap_or_default();
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

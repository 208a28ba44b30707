//! The tables of the terminal's text: what each statement keeps waiting, and the other ways to do its work.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, presets};

use super::page::Page;
use super::record::{Report, Statement};
use super::wording::{self, NOISE_SECONDS, PROBES};
use crate::quantity;
use crate::watch::record::{Blocked, Failed};

/// Statements that the table shows.
const STATEMENTS: usize = 20;
/// Characters of a statement's name.
const NAME: usize = 24;
/// With less room than this a statement's text says nothing, and is left out.
const LEAST_TEXT: usize = 12;

/// A cell's text, and how it looks.
#[derive(Clone, Debug, Default)]
struct Entry {
    text: String,
    colour: Option<Color>,
    attribute: Option<Attribute>,
}

impl Entry {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// What each statement keeps waiting, one line a statement.
pub(super) fn statements(report: &Report, page: &mut Page) {
    if report.statements.is_empty() {
        return;
    }
    let shown = wording::shown(report, STATEMENTS);
    page.title("What each statement keeps waiting, and for how long");
    if !shown.statements.is_empty() {
        let header = ["statement", "", "rows", "time", "how", "reads", "locks", "updates", "inserts", "commits"];
        let rows = shown.statements.iter().map(|statement| row(statement)).collect();
        table(&header, rows, 2, Some(1), page);
    }
    for line in shown.left_out() {
        page.item("·", "2", &line);
    }
    page.item("·", "2", "the longest wait of one request; empty: none waited 50 ms, or none was asked");
    for statement in &shown.statements {
        if let Some(error) = &statement.error {
            page.item("✗", "31", &format!("{} ({}): {error}", wording::label(statement), statement.origin));
        }
        if let Some(commit) = statement.commit_seconds.filter(|commit| *commit >= NOISE_SECONDS) {
            let line = format!("{}: its commit took another {}", wording::label(statement), quantity::seconds(commit));
            page.item("·", "2", &line);
        }
        let until =
            statement.locks_until.as_ref().filter(|until| **until != statement.id && **until != statement.last_id);
        let waited = statement.blocked.iter().any(|blocked| blocked.longest_seconds >= NOISE_SECONDS);
        if let (Some(until), true) = (until, waited) {
            let until = wording::name_of(report, until);
            page.item("·", "2", &format!("{} holds its locks until {until} ends", wording::label(statement)));
        }
    }
    for line in wording::key_differences(report, 5) {
        page.item("·", "2", &line);
    }
}

fn row(statement: &Statement) -> Vec<Entry> {
    let mut entries = vec![
        Entry::plain(wording::one_line(&wording::label(statement), NAME)),
        // Cut to the room that the other columns leave.
        Entry { text: wording::one_line(&statement.text, 200), attribute: Some(Attribute::Dim), colour: None },
        Entry::plain(wording::rows(statement)),
        Entry::plain(wording::time(statement)),
        Entry::plain(wording::how(statement)),
    ];
    for probe in PROBES {
        entries.push(waited(wording::longest(&statement.blocked, probe), wording::failures(statement, probe)));
    }
    entries
}

/// A wait, redder the longer.
fn waited(seconds: Option<f64>, failed: u64) -> Entry {
    let mut entry = Entry::plain(wording::wait(seconds, failed));
    match seconds {
        Some(seconds) if seconds >= 1.0 => {
            entry.colour = Some(Color::Red);
            entry.attribute = Some(Attribute::Bold);
        }
        _ if failed > 0 => entry.colour = Some(Color::Red),
        Some(seconds) if seconds >= 0.2 => entry.colour = Some(Color::Yellow),
        _ => {}
    }
    entry
}

/// Of each statement that has any: the other ways to do its work, as written first.
pub(super) fn alternatives(report: &Report, page: &mut Page) {
    for statement in report.statements.iter().filter(|statement| !statement.alternatives.is_empty()) {
        page.title(&format!("Other ways to do {}", wording::label(statement)));
        let side = |blocked: &[Blocked], failed: &[Failed], writes: bool| {
            let longest = blocked.iter().filter(|one| one.probe.is_write() == writes).map(|one| one.longest_seconds);
            let failed = failed.iter().filter(|one| one.probe.is_write() == writes).map(|one| one.count).sum();
            waited(longest.reduce(f64::max), failed)
        };
        let mut rows = vec![vec![
            Entry::plain("as written"),
            Entry::default(),
            Entry::plain(wording::time(statement)),
            side(&statement.blocked, &statement.failed, false),
            side(&statement.blocked, &statement.failed, true),
            Entry::default(),
        ]];
        for way in &statement.alternatives {
            let mark = if way.chosen { "→ " } else { "" };
            let mut name = Entry::plain(format!("{mark}{}", way.id));
            let mut proof = Entry::plain(wording::proof(way));
            proof.colour = match proof.text.as_str() {
                "same (checksums)" => Some(Color::Green),
                "differs" | "failed" => Some(Color::Red),
                _ => None,
            };
            if way.chosen {
                name.attribute = Some(Attribute::Bold);
            }
            rows.push(vec![
                name,
                Entry::plain(way.title.clone()),
                Entry::plain(way.seconds.map(quantity::seconds).unwrap_or_default()),
                side(&way.blocked, &way.failed, false),
                side(&way.blocked, &way.failed, true),
                proof,
            ]);
        }
        table(&["way", "", "time", "reads wait", "writes wait", "result"], rows, 2, Some(1), page);
        for line in statement.alternatives.iter().flat_map(wording::remarks) {
            page.item("·", "2", &line);
        }
    }
}

/// Writes a table whose lines do not wrap: the `elastic` column takes what room there is and is cut to it. Columns of
/// numbers in which nothing stands are left out.
fn table(header: &[&str], rows: Vec<Vec<Entry>>, right_from: usize, elastic: Option<usize>, page: &mut Page) {
    let wide = |text: &str| text.chars().count();
    let widest = |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|entry| wide(&entry.text)).max();
    let used: Vec<usize> = (0..header.len())
        .filter(|index| *index < right_from || widest(*index).is_some_and(|width| width > 0))
        .collect();
    let others: usize = used
        .iter()
        .filter(|index| Some(**index) != elastic)
        .map(|index| widest(*index).unwrap_or_default().max(wide(header[*index])) + 2)
        .sum();
    let room = usize::from(page.width).saturating_sub(others + 5);
    let used: Vec<usize> = used.into_iter().filter(|index| Some(*index) != elastic || room >= LEAST_TEXT).collect();
    let cell = |index: usize, entry: &Entry| {
        let text = if Some(index) == elastic { wording::one_line(&entry.text, room) } else { entry.text.clone() };
        let mut cell = Cell::new(text);
        if let Some(colour) = entry.colour {
            cell = cell.fg(colour);
        }
        if let Some(attribute) = entry.attribute {
            cell = cell.add_attribute(attribute);
        }
        cell
    };
    let mut table = Table::new();
    // One rule under the header and nothing else: eight columns of numbers need no more to be read.
    let style = presets::NOTHING.header_separator(LineStyle::new('─', '─', '─', '─'));
    table.load_style(style).set_content_arrangement(ContentArrangement::Disabled);
    if page.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(used.iter().map(|index| Cell::new(header[*index]).add_attribute(Attribute::Bold)));
    table.add_rows(rows.iter().map(|row| {
        used.iter().map(|index| cell(*index, row.get(*index).unwrap_or(&Entry::default()))).collect::<Vec<_>>()
    }));
    for (column, index) in table.column_iter_mut().zip(&used) {
        // The style parts columns by one more blank.
        column.set_padding((u16::from(*index == 0), 1));
        if *index >= right_from {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    page.out.push_str(&table.trim_fmt());
    page.out.push('\n');
}

/// The width of the terminal that the standard output is; none when it is no terminal.
pub fn terminal_width() -> Option<u16> {
    Table::new().width()
}

//! A comparison as one page for a browser.

use anyhow::{Context, Result};
use askama::Template;

use super::record::{Cell, Change, Comparison, Pair, Trend};
use super::sentence;
use super::text::moved;
use crate::quantity;
use crate::report::html::STYLE;
use crate::report::wording::NOISE_SECONDS;

/// Lines and changes that are shown at first; of more, what is as before is folded away.
const SHOWN: usize = 60;
/// Lines of one table: a browser lays out those tables alone that are on the screen.
const CHUNK: usize = 200;

/// A line of the table.
struct Line<'a> {
    name: &'a str,
    text: &'a str,
    /// Each with its class and what it is.
    cells: Vec<(&'static str, &'static str, String)>,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    of: &'a Comparison,
    style: &'static str,
    sentence: String,
    worse: bool,
    changes: Vec<(&'static str, &'a Change)>,
    /// Those that had no room.
    more: Vec<(&'static str, &'a Change)>,
    sides: Vec<(&'static str, String, &'a str)>,
    lines: Vec<Vec<Line<'a>>>,
    /// Statements that are as before, where there are many.
    same: Vec<Vec<Line<'a>>>,
    /// How many statements there are, and how many of them are as before and folded.
    counts: (String, String),
}

/// The page.
pub fn render(comparison: &Comparison) -> Result<String> {
    let folds = comparison.statements.len() > SHOWN;
    let (same, lines): (Vec<&Pair>, Vec<&Pair>) = comparison.statements.iter().partition(|pair| folds && is_same(pair));
    let mut changes: Vec<_> = comparison.changes.iter().map(|change| (word(change.trend), change)).collect();
    let page = Page {
        of: comparison,
        style: STYLE,
        sentence: sentence(comparison),
        worse: comparison.changes.iter().any(|change| change.trend == Trend::Worse),
        more: changes.split_off(changes.len().min(SHOWN)),
        changes,
        sides: [("A", &comparison.a), ("B", &comparison.b)]
            .into_iter()
            .map(|(mark, side)| {
                let head = format!("{} on {}, {}", side.name, side.place, quantity::moment(&side.started));
                (mark, head, side.sentences.as_str())
            })
            .collect(),
        counts: (quantity::grouped(comparison.statements.len() as u64), quantity::grouped(same.len() as u64)),
        lines: chunks(&lines),
        same: chunks(&same),
    };
    page.render().context("cannot write the comparison as HTML")
}

/// In both, and nothing of it changed.
fn is_same(pair: &Pair) -> bool {
    pair.a.is_some()
        && pair.b.is_some()
        && pair.changes.is_empty()
        && pair.cells.iter().all(|cell| cell.trend == Trend::Same)
}

fn chunks<'a>(pairs: &[&'a Pair]) -> Vec<Vec<Line<'a>>> {
    pairs.chunks(CHUNK).map(|pairs| pairs.iter().map(|pair| line(pair)).collect()).collect()
}

fn line(pair: &Pair) -> Line<'_> {
    let cell = |(place, cell): (usize, &Cell)| {
        let floor = if place == 0 { 0.0 } else { NOISE_SECONDS };
        (word(cell.trend), cell.what, moved(cell.a, cell.b, floor))
    };
    Line { name: &pair.name, text: &pair.text, cells: pair.cells.iter().enumerate().map(cell).collect() }
}

fn word(trend: Trend) -> &'static str {
    match trend {
        Trend::Worse => "worse",
        Trend::Better => "better",
        Trend::Changed => "changed",
        Trend::Same => "same",
    }
}

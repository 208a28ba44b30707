//! A comparison for a terminal.

use super::record::{Change, Comparison, Pair, Trend};
use super::sentence;
use crate::quantity;
use crate::report::page::{Page, wrap};
use crate::report::wording::{NOISE_SECONDS, one_line};

/// Changes that are told one by one.
const LINES: usize = 60;
/// Characters of a statement's name.
const NAME: usize = 26;
/// Characters of a number before and after.
const CELL: usize = 18;

/// As lines; with escapes for colour only when told.
pub fn render(comparison: &Comparison, colour: bool, width: u16) -> String {
    let mut page = Page { out: String::new(), colour, width: width.clamp(60, 200) };
    let worse = comparison.changes.iter().any(|change| change.trend == Trend::Worse);
    for line in wrap(&sentence(comparison), usize::from(page.width)) {
        let line = page.paint(&line, if worse { "1;31" } else { "1;32" });
        page.out.push_str(&format!("{line}\n"));
    }
    for (mark, side) in [("A", &comparison.a), ("B", &comparison.b)] {
        page.item(mark, "1", &format!("{} on {}, {}", side.name, side.place, quantity::moment(&side.started)));
        page.item(" ", "2", &side.sentences);
    }
    if !comparison.conditions.is_empty() {
        page.title("Not the same in both runs");
        for line in &comparison.conditions {
            page.item("!", "33", line);
        }
    }
    if !comparison.changes.is_empty() {
        page.title("What changed");
        for change in comparison.changes.iter().take(LINES) {
            let (mark, code) = sign(change);
            let on = change.statement.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            page.item(&format!("{mark:<7}"), code, &format!("{on}{}", change.what));
        }
        if comparison.changes.len() > LINES {
            page.item("·", "2", &format!("and {} more; --format json has them all", comparison.changes.len() - LINES));
        }
    }
    side_by_side(comparison, &mut page);
    page.title("What counts as a change");
    page.item("·", "2", &comparison.band.basis);
    page.out
}

fn sign(change: &Change) -> (&'static str, &'static str) {
    match change.trend {
        Trend::Worse => ("worse", "31"),
        Trend::Better => ("better", "32"),
        Trend::Changed | Trend::Same => ("changed", "36"),
    }
}

/// Time and the longest wait of each statement, A → B.
fn side_by_side(comparison: &Comparison, page: &mut Page) {
    let lines: Vec<&Pair> = comparison.statements.iter().filter(|pair| tells(pair)).collect();
    if lines.is_empty() {
        return;
    }
    page.title("Side by side, A → B (the longest wait of one request)");
    let pad = |text: &str, width: usize| format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())));
    let head = format!("  {}{}{}{}", pad("statement", NAME), pad("time", CELL), pad("reads wait", CELL), "writes wait");
    page.out.push_str(&format!("{}\n", page.paint(&head, "2")));
    for pair in lines {
        let time = pair.cells.first().map(|cell| moved(cell.a, cell.b, 0.0)).unwrap_or_default();
        let most = |writes: bool, side: fn(&super::record::Cell) -> Option<f64>| {
            let of = pair.cells.iter().skip(1).filter(|cell| (cell.what != "reads") == writes);
            of.filter_map(side).reduce(f64::max)
        };
        let reads = moved(most(false, |cell| cell.a), most(false, |cell| cell.b), NOISE_SECONDS);
        let writes = moved(most(true, |cell| cell.a), most(true, |cell| cell.b), NOISE_SECONDS);
        let name = one_line(&pair.name, NAME - 2);
        let line = format!("  {}{}{}{}", pad(&name, NAME), pad(&time, CELL), pad(&reads, CELL), writes);
        page.out.push_str(&format!("{}\n", line.trim_end()));
    }
}

/// Worth a line: something waited or took long, or changed.
fn tells(pair: &Pair) -> bool {
    let long = |value: Option<f64>| value.is_some_and(|value| value >= NOISE_SECONDS);
    !pair.changes.is_empty() || pair.cells.iter().any(|cell| long(cell.a) || long(cell.b))
}

/// `0.79 s → 0.12 s`; nothing where both are below what is told.
pub fn moved(a: Option<f64>, b: Option<f64>, floor: f64) -> String {
    let say = |value: Option<f64>| match value {
        None => "–".to_owned(),
        Some(value) if value < floor => "·".to_owned(),
        Some(value) => quantity::seconds(value),
    };
    if a.unwrap_or(0.0) < floor && b.unwrap_or(0.0) < floor {
        return String::new();
    }
    format!("{} → {}", say(a), say(b))
}

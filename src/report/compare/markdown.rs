//! A comparison for a pull request.

use std::fmt::Write as _;

use super::record::{Comparison, Trend};
use super::sentence;
use super::text::moved;
use crate::quantity;
use crate::report::markdown::{LIMIT, prose, tick};
use crate::report::wording::NOISE_SECONDS;

/// At most as many characters as a comment may have; what is cut is said.
pub fn render(comparison: &Comparison) -> String {
    let worse = comparison.changes.iter().any(|change| change.trend == Trend::Worse);
    let mut out = format!("## {} {}\n\n", if worse { "❌" } else { "✅" }, prose(&sentence(comparison)));
    for (mark, side) in [("A", &comparison.a), ("B", &comparison.b)] {
        let when = quantity::moment(&side.started);
        let _ = writeln!(
            out,
            "- **{mark}** {} on {}, {when}: {}",
            prose(&side.name),
            prose(&side.place),
            prose(&side.sentences)
        );
    }
    for line in &comparison.conditions {
        let _ = writeln!(out, "- ⚠️ {}", prose(line));
    }
    if !comparison.changes.is_empty() {
        out.push_str("\n| | statement | what changed |\n| --- | --- | --- |\n");
    }
    let mut left = comparison.changes.len();
    for change in &comparison.changes {
        let word = match change.trend {
            Trend::Worse => "❌ worse",
            Trend::Better => "✅ better",
            Trend::Changed | Trend::Same => "changed",
        };
        let name = change.statement.as_deref().map(|name| format!("`{}`", tick(name))).unwrap_or_default();
        let line = format!("| {word} | {name} | {} |\n", prose(&change.what));
        if out.chars().count() + line.chars().count() > LIMIT / 2 {
            break;
        }
        out.push_str(&line);
        left -= 1;
    }
    if left > 0 {
        let _ = writeln!(out, "\n{left} more changes did not fit; `--format json` has them all.");
    }
    out.push_str("\n<details><summary>Side by side, A → B</summary>\n\n| statement | time | reads | locks | updates | inserts | commits |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for pair in &comparison.statements {
        let cells: Vec<String> = (pair.cells.iter().enumerate())
            .map(|(place, cell)| moved(cell.a, cell.b, if place == 0 { 0.0 } else { NOISE_SECONDS }))
            .collect();
        let line = format!("| `{}` | {} |\n", tick(&pair.name), prose(&cells.join(" ¦ ")).replace(" ¦ ", " | "));
        if out.chars().count() + line.chars().count() > LIMIT - 600 {
            out.push_str("\nMore statements did not fit.\n");
            break;
        }
        out.push_str(&line);
    }
    let _ = writeln!(out, "\n</details>\n\n{}.", prose(&comparison.band.basis));
    out
}

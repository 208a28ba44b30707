//! `rehearse compare`: two rehearsals side by side.

use anyhow::{Context, Result};

use super::report::load;
use crate::advise::record::Severity;
use crate::cli::args::{Compare, CompareFormat as Format, FailOnArg};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::report::compare::{self, record::Trend};
use crate::report::text;

/// Compares, prints, and exits by what is worse.
///
/// # Errors
/// A [`crate::problem::BadInput`] when a directory holds no report that can be read.
pub fn run(typed: &Compare) -> Result<Exit> {
    let comparison = compare::compare(&load(&typed.a)?, &load(&typed.b)?);
    let text = match typed.format {
        Format::Text => {
            let width = text::terminal_width().unwrap_or(text::WIDTH);
            compare::text(&comparison, output::colour(), width)
        }
        Format::Json => serde_json::to_string_pretty(&comparison).context("cannot write the comparison as JSON")?,
        Format::Markdown => compare::markdown(&comparison),
        Format::Html => compare::html(&comparison)?,
    };
    output::print(&text)?;
    let least = match typed.fail_on {
        FailOnArg::Never => return Ok(Exit::Fine),
        FailOnArg::Warning => Severity::Info,
        FailOnArg::Error => Severity::Error,
    };
    let worse = comparison.changes.iter().any(|change| change.trend == Trend::Worse && change.severity >= least);
    Ok(if worse { Exit::Findings } else { Exit::Fine })
}

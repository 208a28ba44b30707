//! `rehearse report`: a rehearsal's directory shown again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use crate::advise::record::Severity;
use crate::cli::args::{Format, Report};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::show::{Look, Shown, can_show, show};
use crate::pipeline::page;
use crate::pipeline::settings::FailOn;
use crate::problem::BadInput;
use crate::report::issues::Issues;
use crate::report::{markdown, record, text};

/// The JSON Schema of report.json.
const SCHEMA: &str = include_str!("../../report/report.schema.json");

/// Shows the report that a run wrote, or the schema of its JSON.
///
/// # Errors
/// A [`BadInput`] when the directory holds none that can be read.
pub fn run(typed: &Report) -> Result<Exit> {
    if typed.schema {
        output::print(SCHEMA)?;
        return Ok(Exit::Fine);
    }
    can_show(&typed.show)?;
    let Some(directory) = &typed.directory else {
        bail!(
            anyhow!("hint: Name the directory that `rehearse run --out DIR` wrote.")
                .context(BadInput::new("no rehearsal is named"))
        );
    };
    let report = load(directory)?;
    let fail_from = typed.fail_on.map(FailOn::from).unwrap_or_default().from_severity();
    show(&Rehearsed { report: &report, directory, fail_from, complete: true }, &typed.show, true)?;
    Ok(Exit::Fine)
}

/// Reads the report of a directory.
///
/// # Errors
/// A [`BadInput`] when the directory holds none that can be read.
pub fn load(directory: &Path) -> Result<record::Report> {
    let file = directory.join("report.json");
    let bad = || BadInput::new(format!("{} cannot be shown", directory.display()));
    let content = fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))
        .context("hint: Name the directory that `rehearse run --out DIR` wrote.")
        .with_context(bad)?;
    serde_json::from_str(&content).with_context(|| format!("{} is no report", file.display())).with_context(bad)
}

/// A rehearsal that can be shown in every form.
pub struct Rehearsed<'a> {
    /// Its report.
    pub report: &'a record::Report,
    /// The directory that holds what belongs to it.
    pub directory: &'a Path,
    /// From which severity on a finding fails it.
    pub fail_from: Option<Severity>,
    /// It came to its end.
    pub complete: bool,
}

impl Shown for Rehearsed<'_> {
    fn own(&self, format: Format, look: Look) -> Result<String> {
        Ok(match format {
            Format::Markdown => markdown::render(self.report),
            Format::Html => page::of_directory(self.report, self.directory)?,
            Format::Json => {
                serde_json::to_string_pretty(self.report).context("cannot write the report as JSON")? + "\n"
            }
            _ => text::render_for(self.report, look.colour, look.width),
        })
    }

    fn issues(&self) -> Issues {
        Issues::of_report(self.report, self.fail_from)
    }

    fn complete(&self) -> bool {
        self.complete
    }
}

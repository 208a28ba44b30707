//! A survey as a file that people read and edit.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::record::{FORMAT, Survey};
use crate::artifact;

/// The one line that tells what a file is.
#[derive(Deserialize)]
struct FormatLine {
    format: Option<String>,
}

/// Reads a survey.
///
/// # Errors
/// Names the file, and what is wrong in it: another kind of file, a newer format, a key that no survey has.
pub fn load(path: &Path) -> Result<Survey> {
    let line: FormatLine = artifact::load_yaml(path)?;
    match line.format.as_deref() {
        Some(FORMAT) => artifact::load_yaml(path),
        Some(other) => bail!("{} is a '{other}', and a '{FORMAT}' is wanted here", path.display()),
        None => bail!("{} has no line `format: {FORMAT}`, so it is no survey", path.display()),
    }
}

/// Writes a survey, whole or not at all.
///
/// # Errors
/// Names the file.
pub fn save(path: &Path, survey: &Survey) -> Result<()> {
    let text = artifact::to_yaml(survey)?;
    artifact::write_whole(path, |out| out.write_all(text.as_bytes()).context("cannot write the survey"))
}

//! A survey as a file that people read and edit.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::record::{FORMAT, Survey};
use crate::artifact;
use crate::problem::BadInput;

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
        Some(other) => {
            bail!(BadInput::new(format!("{} is of format '{other}', and '{FORMAT}' is wanted here", path.display())))
        }
        None => bail!(BadInput::new(format!("{} has no line `format: {FORMAT}`, so it is no survey", path.display()))),
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

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "format: rehearse/survey@1\nserver: {flavor: 'mysql:9.7'}\ndatabases: {}\ntables: {}\n";

    fn loaded(text: &str) -> Result<Survey> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("survey.yaml");
        std::fs::write(&path, text)?;
        load(&path)
    }

    #[test]
    fn a_survey_reads_back_as_it_was_saved() {
        let survey = loaded(SMALLEST).expect("a survey");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("again.yaml");
        save(&path, &survey).expect("saved");
        assert_eq!(load(&path).expect("a survey"), survey);
    }

    #[test]
    fn what_is_no_survey_is_refused_in_words() {
        let refused = |text: &str| format!("{:#}", loaded(text).expect_err("refused"));
        assert!(refused("format: rehearse/scenario@1\nname: x\n").contains("'rehearse/survey@1' is wanted"));
        assert!(refused("tables: {}\n").contains("has no line `format: rehearse/survey@1`"));
        let text = refused(&SMALLEST.replace("databases", "databasse"));
        assert!(text.contains("survey.yaml") && text.contains("did you mean `databases`?"), "{text}");
    }
}

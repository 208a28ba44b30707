//! The output directory: built beside its place and moved there at the end, so that it is there whole or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::bad_input;
use crate::artifact;
use crate::sql::record::Action;
use crate::sql::script::Script;
use crate::survey::record::Survey;

/// The file that marks a directory as one of ours.
const MARK: &str = "report.json";

/// An output directory that is being built.
#[derive(Debug)]
pub struct Output {
    building: TempDir,
    place: PathBuf,
}

impl Output {
    /// Begins one for `place`.
    ///
    /// # Errors
    /// When `place` holds something that is no earlier rehearsal, or cannot be written beside.
    pub fn begin(place: &Path) -> Result<Self> {
        if place.exists() && !place.join(MARK).exists() {
            let entries = fs::read_dir(place).with_context(|| format!("cannot use {} for the report", place.display()));
            if entries.map_err(bad_input)?.next().is_some() {
                return Err(bad_input(anyhow::anyhow!(
                    "{} holds files of something else; name an empty or new directory with --out",
                    place.display()
                )));
            }
        }
        let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display())).map_err(bad_input)?;
        let building = tempfile::Builder::new()
            .prefix(".rehearsal-")
            .tempdir_in(parent)
            .with_context(|| format!("cannot write into {}", parent.display()))
            .map_err(bad_input)?;
        Ok(Self { building, place: place.to_owned() })
    }

    /// Where a file goes while the directory is being built.
    pub fn path(&self, name: &str) -> PathBuf {
        self.building.path().join(name)
    }

    /// Writes a text.
    ///
    /// # Errors
    /// Names the file.
    pub fn text(&self, name: &str, text: &str) -> Result<()> {
        artifact::write_whole(&self.path(name), |out| Ok(out.write_all(text.as_bytes())?))
    }

    /// Writes the upgrade as it was read: each statement with its origin, in a form that the stock client runs.
    ///
    /// # Errors
    /// Names the file.
    pub fn upgrade(&self, script: &Script, digest: &str) -> Result<()> {
        artifact::write_whole(&self.path("upgrade.sql"), |out| {
            writeln!(out, "-- The upgrade as it was rehearsed. Digest {digest}")?;
            for action in script.actions()? {
                write_statement(out, &action?)?;
            }
            Ok(())
        })
    }

    /// Writes the survey.
    ///
    /// # Errors
    /// Names the file.
    pub fn survey(&self, survey: &Survey) -> Result<()> {
        self.text("survey.yaml", &artifact::to_yaml(survey)?)
    }

    /// Moves the finished directory to its place; an earlier rehearsal there goes.
    ///
    /// # Errors
    /// Names what could not be moved; then the earlier one is still there.
    pub fn finish(self) -> Result<PathBuf> {
        let Self { building, place } = self;
        let fresh = building.keep();
        readable(&fresh)?;
        let aside = fresh.with_extension("earlier");
        let had_earlier = place.exists();
        if had_earlier {
            fs::rename(&place, &aside).with_context(|| format!("cannot move {} aside", place.display()))?;
        }
        if let Err(error) = fs::rename(&fresh, &place) {
            if had_earlier && fs::rename(&aside, &place).is_err() {
                bail!(
                    "cannot move the report to {}: {error}; the earlier one is at {}",
                    place.display(),
                    aside.display()
                );
            }
            return Err(error).with_context(|| format!("cannot move {} to {}", fresh.display(), place.display()));
        }
        if had_earlier {
            fs::remove_dir_all(&aside).with_context(|| format!("cannot remove {}", aside.display()))?;
        }
        Ok(place)
    }
}

/// A temporary directory is private; the report is for colleagues too.
fn readable(directory: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot set the rights of {}", directory.display()))
}

/// A statement with its origin and name. One that holds `;` (a stored program) gets a delimiter of its own.
fn write_statement(out: &mut dyn Write, action: &Action) -> Result<()> {
    let statement = action.statement();
    writeln!(out, "\n-- {} from {}", statement.id, statement.origin)?;
    if let Some(name) = &statement.name {
        writeln!(out, "-- rehearse: name {name}")?;
    }
    if statement.text.contains(';') {
        let delimiter =
            ["$$", "//", "~~", "$rehearse$"].into_iter().find(|delimiter| !statement.text.contains(delimiter));
        let delimiter = delimiter.context("a statement holds every delimiter known")?;
        writeln!(out, "DELIMITER {delimiter}\n{}\n{delimiter}\nDELIMITER ;", statement.text)?;
    } else {
        writeln!(out, "{};", statement.text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_something_else_is_refused_and_an_earlier_rehearsal_is_replaced_whole() {
        let home = tempfile::tempdir().expect("a directory");
        let place = home.path().join("out");
        fs::create_dir(&place).expect("a directory");
        fs::write(place.join("thesis.txt"), "mine").expect("a file");
        let error = Output::begin(&place).expect_err("somebody else's files");
        assert!(format!("{error:#}").contains("--out"), "{error:#}");

        fs::write(place.join(MARK), "{}").expect("a file");
        let output = Output::begin(&place).expect("an earlier rehearsal");
        output.text(MARK, "{\"new\": true}").expect("written");
        output.text("plan/10-step.sql", "SELECT 1;").expect("written");
        assert_eq!(output.finish().expect("moved"), place);
        assert_eq!(fs::read_to_string(place.join(MARK)).expect("there"), "{\"new\": true}");
        assert!(!place.join("thesis.txt").exists() && place.join("plan/10-step.sql").exists());
        assert_eq!(fs::read_dir(home.path()).expect("home").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_begun_and_not_finished_leaves_nothing() {
        let home = tempfile::tempdir().expect("a directory");
        let output = Output::begin(&home.path().join("out")).expect("begun");
        output.text(MARK, "{}").expect("written");
        drop(output);
        assert_eq!(fs::read_dir(home.path()).expect("home").count(), 0);
    }
}

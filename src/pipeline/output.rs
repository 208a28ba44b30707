//! The output directory: built beside its place and moved there at the end, so that it is there whole or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tempfile::TempDir;

use super::bad_input;
use crate::artifact;
use crate::report::record::Report;
use crate::sql::record::Action;
use crate::sql::script::Script;
use crate::survey::record::Survey;

/// The file that marks a directory as one of ours.
const MARK: &str = "report.json";
/// What was measured, for drafting the plan again.
pub const EVIDENCE: &str = "evidence.json";

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

    /// The directory that is being built.
    pub fn building(&self) -> &Path {
        self.building.path()
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
            let mut session = 1;
            for action in script.actions()? {
                write_statement(out, &action?, &mut session)?;
            }
            Ok(())
        })
    }

    /// Writes a record as JSON, streamed.
    ///
    /// # Errors
    /// Names the file.
    pub fn json(&self, name: &str, record: &impl Serialize) -> Result<()> {
        artifact::write_whole(&self.path(name), |out| Ok(serde_json::to_writer(out, record)?))
    }

    /// Writes the report.
    ///
    /// # Errors
    /// Names the file.
    pub fn report(&self, report: &Report) -> Result<()> {
        artifact::write_whole(&self.path(MARK), |out| Ok(serde_json::to_writer_pretty(out, report)?))
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

/// A statement with its origin and name, and its session where that is another than the last one's. One that holds `;` (a
/// stored program) gets a delimiter of its own.
fn write_statement(out: &mut dyn Write, action: &Action, session: &mut u32) -> Result<()> {
    let statement = action.statement();
    writeln!(out, "\n-- {} from {}", statement.id, statement.origin)?;
    if statement.session != *session {
        *session = statement.session;
        writeln!(out, "-- rehearse: session {session}")?;
    }
    if let Some(name) = &statement.name {
        writeln!(out, "-- rehearse: name {name}")?;
    }
    for ignore in &statement.ignores {
        writeln!(out, "-- rehearse: {ignore}")?;
    }
    if statement.text.contains(';') {
        let delimiter =
            ["$$", "//", "~~", "$rehearse$"].into_iter().find(|delimiter| !statement.text.contains(delimiter));
        let delimiter = delimiter.context("a statement holds every delimiter known")?;
        writeln!(out, "DELIMITER {delimiter}\n{}\n{delimiter}\nDELIMITER ;", statement.text)?;
    } else {
        // A line comment at the end would swallow the delimiter.
        let last = statement.text.lines().next_back().unwrap_or_default();
        let gap = if last.contains("--") || last.contains('#') { "\n" } else { "" };
        writeln!(out, "{}{gap};", statement.text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::script::{Options, Script};

    #[test]
    fn a_capture_keeps_what_stands_beside_its_statements() {
        let options = || Options {
            variables: Default::default(),
            database: "app".to_owned(),
            flavor: "mysql:9.7".parse().expect("a flavor"),
        };
        let actions = |text: &str| -> Vec<Action> {
            let script = Script::from_text("x.sql", text, options());
            script.actions().expect("actions").map(|action| action.expect("an action")).collect()
        };
        let text = "-- rehearse: name t\n-- rehearse: ignore trigger-or-routine-change reason=\"known\"\nDELIMITER //\n\
                    CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET @a = 1; SET @b = 2; END//\n";
        let first = actions(text);
        let mut written = Vec::new();
        first.iter().try_for_each(|action| write_statement(&mut written, action, &mut 1)).expect("written");
        let again = actions(&String::from_utf8(written).expect("text"));
        let kept = |actions: &[Action]| {
            let statement = actions[0].statement().clone();
            (
                statement.name,
                statement.text,
                statement.ignores.into_iter().map(|one| one.to_string()).collect::<Vec<_>>(),
            )
        };
        assert_eq!(kept(&first), kept(&again));
        assert_eq!(kept(&again).2, ["ignore trigger-or-routine-change reason=\"known\""]);
    }

    #[test]
    fn what_is_written_has_the_digest_of_what_was_read() {
        let options = || Options {
            variables: Default::default(),
            database: "app".to_owned(),
            flavor: "mysql:9.7".parse().expect("a flavor"),
        };
        let text = "DELETE FROM t -- all of it\n;\n-- rehearse: session 2\nUPDATE t SET a = ';';\nSELECT 1 # one\n;\n\
                    -- rehearse: session 1\n/*M!100100 SELECT 3 */;\nDELIMITER //\nCREATE TRIGGER t BEFORE INSERT ON x \
                    FOR EACH ROW BEGIN SET @a = 1; END//\nDELIMITER ;\n/*!50003 SET @b = 1 */;\n";
        let script = Script::from_text("x.sql", text, options());
        let directory = tempfile::tempdir().expect("a directory");
        let output = Output::begin(&directory.path().join("out")).expect("begun");
        output.upgrade(&script, "x").expect("written");
        let again = Script::from_files(&[output.path("upgrade.sql")], options()).expect("a file");
        assert_eq!(again.count().expect("a count"), 5);
        assert_eq!(again.digest().expect("a digest"), script.digest().expect("a digest"));
    }

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

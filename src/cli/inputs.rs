//! Is each file there, and is it what it should be? Asked before anything is started.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::problem::{BadInput, nearest};
use crate::sql::script;

/// A file of the upgrade, or a directory that holds some.
///
/// # Errors
/// A [`BadInput`] that names it, and a file of nearly that name.
pub fn upgrade(path: &Path) -> Result<()> {
    if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
        let hint = format!("hint: Write `--scenario {}` to rehearse a scenario.", path.display());
        bail!(anyhow::anyhow!(hint).context(BadInput::new(format!("{} is YAML, not SQL", path.display()))));
    }
    sql("the upgrade", path)
}

/// A schema file, or a directory of them.
///
/// # Errors
/// As [`upgrade`]; also when it is not UTF-8 or defines nothing.
pub fn schema(path: &Path) -> Result<()> {
    sql("the schema", path)?;
    let mut defines = false;
    for file in sql_files(path)? {
        let bytes =
            fs::read(&file).with_context(|| BadInput::new(format!("cannot read the schema {}", file.display())))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            BadInput::new(format!("{}:{line}: the schema is not UTF-8", file.display()))
        });
        let text = text.context("hint: Save the file as UTF-8.")?;
        defines |= text.to_ascii_lowercase().contains("create");
    }
    if !defines {
        let hint = "hint: `mysqldump --no-data --routines --triggers DATABASE` writes one.";
        bail!(
            anyhow::anyhow!(hint)
                .context(BadInput::new(format!("the schema {} holds no CREATE statement", path.display())))
        );
    }
    Ok(())
}

/// A file that is only looked for.
///
/// # Errors
/// As [`upgrade`].
pub fn file(what: &str, path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(facts) if facts.is_dir() => Ok(()),
        Ok(_) => {
            File::open(path).map(drop).with_context(|| BadInput::new(format!("cannot read {what} {}", path.display())))
        }
        Err(error) => {
            let problem = anyhow::Error::new(error);
            let problem = match neighbour(path) {
                Some(name) => problem.context(format!("hint: There is {name}.")),
                None => problem,
            };
            Err(problem.context(BadInput::new(format!("cannot read {what} {}", path.display()))))
        }
    }
}

fn sql(what: &str, path: &Path) -> Result<()> {
    file(what, path)?;
    if path.is_dir() && sql_files(path)?.is_empty() {
        bail!(BadInput::new(format!(
            "{what} {} is a directory without a .sql file (or files called by a version alone)",
            path.display()
        )));
    }
    Ok(())
}

/// The file itself, or what of a directory would run.
fn sql_files(path: &Path) -> Result<Vec<std::path::PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = || BadInput::new(format!("cannot read the directory {}", path.display()));
    Ok(script::files_of(path).with_context(unreadable)?.files)
}

/// A file beside it whose name is nearly the same.
fn neighbour(path: &Path) -> Option<String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> =
        fs::read_dir(directory).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let name = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(name).display().to_string())
}

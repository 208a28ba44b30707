//! A plan as it lies in the directory of its rehearsal.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::artifact;
use crate::plan::Plan;
use crate::problem::BadInput;
use crate::survey::file;
use crate::survey::record::Survey;

/// A plan, with what it was made for.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Production as it was rehearsed.
    pub survey: Survey,
    /// The directory that holds both, and the scripts.
    pub directory: PathBuf,
}

/// Loads a plan: the directory of a rehearsal, or the `plan.yaml` in it.
///
/// # Errors
/// A [`BadInput`] when there is none, or one that cannot be used.
pub fn load(path: &Path) -> Result<Planned> {
    let bad = || BadInput::new(format!("{} cannot be used as a plan", path.display()));
    let file = if path.is_dir() { path.join("plan.yaml") } else { path.to_owned() };
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let plan = artifact::load_yaml(&file)
        .context("hint: Name the directory that `rehearse run --out DIR` wrote, or the plan.yaml in it.")
        .with_context(bad)?;
    let survey = file::load(&directory.join("survey.yaml"))
        .context("hint: A plan is checked against the survey.yaml beside it: keep the directory whole.")
        .with_context(bad)?;
    Ok(Planned { plan, survey, directory })
}

//! Several files of a directory replaced together: all are written beside it first, and only then moved to their places.
//!
//! What breaks off before that leaves the directory as it was; what breaks off while they are moved is finished by the
//! next one that looks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use tempfile::TempDir;

use crate::artifact;

/// The files that are complete and have to be moved.
const READY: &str = ".plan.ready";
/// In it, the names of files to be removed, a line each.
const OBSOLETE: &str = ".obsolete";

/// Files that are being written.
#[derive(Debug)]
pub struct Swap {
    building: TempDir,
    directory: PathBuf,
    obsolete: Vec<String>,
}

impl Swap {
    /// Begins.
    ///
    /// # Errors
    /// When the directory cannot be written to.
    pub fn begin(directory: &Path) -> Result<Self> {
        let building = tempfile::Builder::new()
            .prefix(".plan-")
            .tempdir_in(directory)
            .with_context(|| format!("cannot write into {}", directory.display()))?;
        Ok(Self { building, directory: directory.to_owned(), obsolete: Vec::new() })
    }

    /// A file with this text.
    ///
    /// # Errors
    /// Names the file.
    pub fn text(&mut self, name: &str, text: &str) -> Result<()> {
        artifact::write_whole(&self.building.path().join(name), |out| Ok(out.write_all(text.as_bytes())?))
    }

    /// A file with this record.
    ///
    /// # Errors
    /// Names the file.
    pub fn json(&mut self, name: &str, record: &impl Serialize) -> Result<()> {
        artifact::write_whole(&self.building.path().join(name), |out| Ok(serde_json::to_writer_pretty(out, record)?))
    }

    /// A file that goes.
    pub fn remove(&mut self, name: &str) {
        self.obsolete.push(name.to_owned());
    }

    /// Moves all to their places.
    ///
    /// # Errors
    /// Names what could not be moved; [`recover`] goes on there.
    pub fn finish(mut self) -> Result<()> {
        let names = self.obsolete.join("\n");
        self.text(OBSOLETE, &names)?;
        let ready = self.directory.join(READY);
        let built = self.building.keep();
        fs::rename(&built, &ready)
            .with_context(|| format!("cannot move {} to {}", built.display(), ready.display()))?;
        recover(&self.directory)
    }
}

/// Moves what an earlier swap had complete and did not move.
///
/// # Errors
/// Names what could not be moved.
pub fn recover(directory: &Path) -> Result<()> {
    let ready = directory.join(READY);
    if !ready.is_dir() {
        return Ok(());
    }
    let list = ready.join(OBSOLETE);
    let obsolete = fs::read_to_string(&list).unwrap_or_default();
    for name in obsolete.lines().filter(|name| !name.is_empty()) {
        let path = directory.join(name);
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    // Last, what programs read first: until then they see the old plan.
    let mut files = below(&ready, Path::new(""))?;
    files.retain(|name| name != Path::new(OBSOLETE));
    files.sort_by_key(|name| (name == Path::new("plan.yaml"), name.clone()));
    for name in files {
        let to = directory.join(&name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        fs::rename(ready.join(&name), &to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    fs::remove_dir_all(&ready).with_context(|| format!("cannot remove {}", ready.display()))
}

fn below(root: &Path, inner: &Path) -> Result<Vec<PathBuf>> {
    let here = root.join(inner);
    let mut files = Vec::new();
    for entry in fs::read_dir(&here).with_context(|| format!("cannot read {}", here.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", here.display()))?;
        let name = inner.join(entry.file_name());
        if entry.path().is_dir() { files.extend(below(root, &name)?) } else { files.push(name) }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            below(directory, Path::new("")).expect("files").iter().map(|name| name.display().to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_change_together_or_not_at_all() {
        let home = tempfile::tempdir().expect("a directory");
        let put = |name: &str, text: &str| {
            fs::create_dir_all(home.path().join("plan")).expect("a directory");
            fs::write(home.path().join(name), text).expect("a file");
        };
        put("plan.yaml", "old");
        put("plan/20-swap.sql", "old");
        let mut swap = Swap::begin(home.path()).expect("begun");
        swap.text("plan.yaml", "new").expect("written");
        drop(swap);
        assert_eq!(names(home.path()), ["plan.yaml", "plan/20-swap.sql"], "what is not finished leaves nothing");
        assert_eq!(fs::read_to_string(home.path().join("plan.yaml")).expect("there"), "old");

        let mut swap = Swap::begin(home.path()).expect("begun");
        swap.text("plan.yaml", "new").expect("written");
        swap.text("plan/20-batches.sql", "new").expect("written");
        swap.remove("plan/20-swap.sql");
        swap.finish().expect("moved");
        assert_eq!(names(home.path()), ["plan.yaml", "plan/20-batches.sql"]);
        assert_eq!(fs::read_to_string(home.path().join("plan.yaml")).expect("there"), "new");
    }

    #[test]
    fn what_broke_off_while_it_was_moved_is_finished_by_the_next_one() {
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(home.path().join(READY).join("plan")).expect("a directory");
        for (name, text) in [("plan.yaml", "new"), ("plan/20-batches.sql", "new"), (OBSOLETE, "plan/20-swap.sql")] {
            fs::write(home.path().join(READY).join(name), text).expect("a file");
        }
        fs::write(home.path().join("plan.yaml"), "old").expect("a file");
        recover(home.path()).expect("finished");
        assert_eq!(names(home.path()), ["plan.yaml", "plan/20-batches.sql"]);
        assert_eq!(fs::read_to_string(home.path().join("plan.yaml")).expect("there"), "new");
    }
}

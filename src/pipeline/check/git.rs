//! Which files a branch changes, as the git command tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::problem::BadInput;

/// How a file was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Added,
    /// It was there before.
    Edited,
    /// It is gone, or has another name now.
    Removed,
}

/// A file that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The file, from the working directory where it stands below it.
    pub path: PathBuf,
    /// How.
    pub how: How,
    /// What it held, where it is gone and only that tells whether it was a migration; else empty.
    pub was: String,
}

/// The files that differ from where this branch left `base`; what is not committed counts, too.
///
/// # Errors
/// A [`BadInput`] when git cannot compare: no repository, no such revision, a history that was not fetched.
pub fn changed(base: &str) -> Result<Vec<Changed>> {
    if base.is_empty() || base.starts_with('-') {
        bail!(BadInput::new(format!("'{base}' is no revision to compare with")));
    }
    let root = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?.trim_end());
    let fork = git(&["merge-base", base, "HEAD"])
        .context(
            "hint: In CI fetch the whole history (fetch-depth: 0, GIT_DEPTH: 0), or `git fetch origin main` first.",
        )
        .with_context(|| BadInput::new(format!("git cannot tell where this branch left {base}")))?;
    let here = std::env::current_dir().context("cannot tell the working directory")?;
    let named = |path: &str| {
        let full = root.join(path);
        full.strip_prefix(&here).map_or_else(|_| full.clone(), Path::to_owned)
    };
    let told = git(&["diff", "--name-status", "--no-ext-diff", "-M", "-z", fork.trim_end()])?;
    let changed = |path, how| Changed { path, how, was: String::new() };
    let gone = |name: &str, path| Changed { path, how: How::Removed, was: held(fork.trim_end(), name) };
    let mut found = Vec::new();
    let mut fields = told.split('\0').filter(|field| !field.is_empty());
    while let Some(status) = fields.next() {
        let Some(first) = fields.next() else { bail!("git diff names no file after '{status}'") };
        let path = named(first);
        match status.as_bytes().first() {
            Some(b'A') => found.push(changed(path, How::Added)),
            Some(b'D') => found.push(gone(first, path)),
            Some(b'R' | b'C') => {
                let Some(second) = fields.next() else { bail!("git diff names no new name of {first}") };
                if status.starts_with('R') {
                    found.push(gone(first, path));
                }
                found.push(changed(named(second), How::Added));
            }
            _ => found.push(changed(path, How::Edited)),
        }
    }
    let new = git(&["ls-files", "--others", "--exclude-standard", "-z"])?;
    let untracked = new.split('\0').filter(|path| !path.is_empty());
    found.extend(untracked.map(|path| changed(PathBuf::from(path), How::Added)));
    Ok(found)
}

/// What a file held at a revision, where it is a program in a folder that may be of migrations; else nothing.
fn held(revision: &str, name: &str) -> String {
    let is_program = [".py", ".rb", ".php"].into_iter().any(|end| name.ends_with(end));
    let near = ["migrat", "versions", "alembic"].into_iter().any(|word| name.contains(word));
    // What git cannot show is no text, and no migration then.
    if is_program && near { git(&["show", &format!("{revision}:{name}")]).unwrap_or_default() } else { String::new() }
}

/// What a git command says.
fn git(args: &[&str]) -> Result<String> {
    let output = Command::new("git").args(args).output().map_err(|error| {
        anyhow!(error).context("hint: Install git, or name the migrations.").context(BadInput::new("cannot run git"))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!(anyhow!(said).context(BadInput::new(format!("git {} failed", args.first().unwrap_or(&"")))));
    }
    String::from_utf8(output.stdout).context("git names a file that is no UTF-8")
}

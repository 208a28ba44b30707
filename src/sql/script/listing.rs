//! What of a directory an upgrade is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::folder::{self, Picked};
use super::order;

/// The `*.sql` files of a directory that an upgrade is, in the order in which they run (see [`folder::pick`]). Where it holds
/// none, those of its folders that are one migration each: `…/up.sql` (Diesel), `…/migration.sql` (Prisma); else its files
/// that are called by a version alone: the upgrades of Debian's packages (`dbconfig-common/data/PACKAGE/upgrade/mysql/2.13.0`).
///
/// # Errors
/// A directory that cannot be read.
pub fn files_of(directory: &Path) -> Result<Picked> {
    let (mut files, mut folders, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for path in entries(directory)? {
        if path.is_file() && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) {
            files.push(path);
        } else if path.is_dir() {
            folders.push(path);
        } else if path.is_file() && path.file_name().is_some_and(|name| is_version(&name.to_string_lossy())) {
            versions.push(path);
        }
    }
    let mut picked = folder::pick(files);
    if picked.files.is_empty() {
        folders.sort_by(|a, b| order::natural(&a.to_string_lossy(), &b.to_string_lossy()));
        for folder in folders {
            let ups =
                ["up.sql", "migration.sql"].map(|name| folder.join(name)).into_iter().filter(|path| path.is_file());
            picked.files.extend(ups);
            let down = folder.join("down.sql");
            picked.left_out.extend(down.is_file().then_some((down, folder::DOWN)));
        }
    }
    if picked.files.is_empty() && picked.left_out.is_empty() {
        picked = folder::pick(versions);
    }
    Ok(picked)
}

/// `2.13.0`, `0.6+dfsg-1`: digits first, and no part that could be an extension.
fn is_version(name: &str) -> bool {
    let part_of_it = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '~' | ':');
    name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(part_of_it)
        && name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read the directory {}", directory.display());
    let entries = directory.read_dir().with_context(cannot)?;
    entries.map(|entry| Ok(entry.with_context(cannot)?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packages_upgrades_are_files_called_by_their_version() -> Result<()> {
        let folder = tempfile::tempdir()?;
        for name in ["2.13.0", "2.2.0", "0.6+dfsg-1", "1.0.txt", "README", "2.1.0.bak"] {
            std::fs::write(folder.path().join(name), "SELECT 1;")?;
        }
        let found = |folder: &Path| -> Result<Vec<String>> {
            let files = files_of(folder)?.files;
            Ok(files.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
        };
        assert_eq!(found(folder.path())?, ["0.6+dfsg-1", "2.2.0", "2.13.0"]);
        std::fs::write(folder.path().join("a.sql"), "SELECT 1;")?;
        assert_eq!(found(folder.path())?, ["a.sql"], "beside .sql files they are something else");
        Ok(())
    }
}

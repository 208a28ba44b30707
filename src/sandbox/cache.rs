//! Filled stores kept from run to run, each named by the digest of what it was made from.
//!
//! An entry is written under another name and renamed when it is whole. While a run uses it, it holds a shared lock on
//! the entry's lock file; only an entry that can be locked exclusively is removed.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::launch::Owner;
use super::store;
use crate::progress::Progress;

/// Part of every digest: a store made by another version of this code is not reused.
const FORMAT: &str = "rehearse store 2";
/// The most that all entries take: bytes, and percent of the disk.
const MOST_BYTES: u64 = 30 << 30;
const MOST_PERCENT: u64 = 30;
/// What is to be known of an entry's store, a line each.
const NOTES: &str = "notes";
/// An entry that is being written.
const UNBORN: &str = ".new-";

/// A filled store in the cache, which nobody removes while this is held.
#[derive(Debug)]
pub(super) struct Entry {
    directory: PathBuf,
    _shared: File,
}

impl Entry {
    /// The store.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What is to be known of the store, as its filling said.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn notes(&self) -> Result<Vec<String>> {
        let path = self.directory.join(NOTES);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// The name of the store that is made from these parts, in order.
pub(super) fn name(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in std::iter::once(&FORMAT).chain(parts) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The entry of this name, when there is one.
///
/// # Errors
/// When it is there but cannot be locked or read.
pub(super) fn find(cache: &Path, name: &str) -> Result<Option<Entry>> {
    let directory = cache.join("stores").join(name);
    let path = directory.join("lock");
    let file = match OpenOptions::new().append(true).open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.with_context(|| format!("cannot open {}", path.display()))?,
    };
    if file.try_lock_shared().is_err() {
        // Somebody is removing it.
        return Ok(None);
    }
    let entry = Entry { directory, _shared: file };
    // It may have been removed between the opening and the locking.
    if !path.exists() || !entry.data().is_dir() {
        return Ok(None);
    }
    // The newest used are kept longest.
    let _order_only = entry._shared.set_modified(SystemTime::now());
    Ok(Some(entry))
}

/// Keeps a copy of a stopped server's store under this name, and makes room for it by removing the entries longest
/// unused. Another run's entry of the same name is taken instead.
///
/// # Errors
/// When the disk has no room, or cannot be written.
pub(super) fn keep(
    cache: &Path,
    name: &str,
    (store, notes): (&Path, &[String]),
    owner: Owner,
    progress: &dyn Progress,
) -> Result<Entry> {
    let stores = cache.join("stores");
    fs::create_dir_all(&stores).with_context(|| format!("cannot create {}", stores.display()))?;
    prune(&stores, store::size(store)?, progress);
    let unborn = stores.join(format!("{UNBORN}{name}-{:08x}", rand::random::<u32>()));
    fs::create_dir(&unborn).with_context(|| format!("cannot create {}", unborn.display()))?;
    let written = write(&unborn, store, notes, owner);
    let directory = stores.join(name);
    let renamed = written.and_then(|shared| match fs::rename(&unborn, &directory) {
        Ok(()) => Ok(Some(Entry { directory, _shared: shared })),
        Err(_) if directory.join("data").is_dir() => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot rename {}", unborn.display())),
    });
    if !matches!(renamed, Ok(Some(_))) {
        let _half_an_entry = fs::remove_dir_all(&unborn);
    }
    match renamed? {
        Some(entry) => Ok(entry),
        None => find(cache, name)?.with_context(|| format!("the cache entry {name} vanished while it was read")),
    }
}

fn write(unborn: &Path, store: &Path, notes: &[String], owner: Owner) -> Result<File> {
    let path = unborn.join("lock");
    let file = OpenOptions::new().create_new(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot create {}", path.display()))?;
    file.try_lock_shared().with_context(|| format!("cannot lock {}", path.display()))?;
    let lines: String = notes.iter().map(|note| format!("{}\n", note.replace('\n', " "))).collect();
    fs::write(unborn.join(NOTES), lines).context("cannot write the notes of a store")?;
    store::copy(store, &unborn.join("data"), owner)?;
    Ok(file)
}

/// Removes entries, the longest unused first, until `need` more bytes fit; those in use stay. Half-written entries of
/// dead runs go too.
fn prune(stores: &Path, need: u64, progress: &dyn Progress) {
    let total =
        rustix::fs::statvfs(stores).map(|about| about.f_blocks.saturating_mul(about.f_frsize)).unwrap_or(u64::MAX);
    let most = MOST_BYTES.min(total / 100 * MOST_PERCENT);
    let Ok(entries) = fs::read_dir(stores) else { return };
    let mut kept = Vec::new();
    for directory in entries.flatten().map(|entry| entry.path()) {
        let used = fs::metadata(directory.join("lock")).or_else(|_| fs::metadata(&directory));
        let used = used.and_then(|about| about.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let unborn = directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNBORN));
        if unborn {
            let young = SystemTime::now().duration_since(used).unwrap_or_default() < Duration::from_secs(600);
            if !young {
                remove_unused(&directory, progress);
            }
        } else {
            kept.push((used, store::size(&directory).unwrap_or(0), directory));
        }
    }
    kept.sort();
    let mut sum: u64 = kept.iter().map(|(_, size, _)| size).sum::<u64>().saturating_add(need);
    for (_, size, directory) in &kept {
        if sum <= most {
            break;
        }
        if remove_unused(directory, progress) {
            sum = sum.saturating_sub(*size);
        }
    }
}

fn remove_unused(directory: &Path, progress: &dyn Progress) -> bool {
    let lock = OpenOptions::new().append(true).open(directory.join("lock"));
    if lock.as_ref().is_ok_and(|file| file.try_lock().is_err()) {
        return false;
    }
    let removed = fs::remove_dir_all(directory);
    if let Err(error) = &removed {
        progress.note(&format!("cannot remove {} from the cache: {error}", directory.display()));
    }
    removed.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn us() -> Owner {
        Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    #[test]
    fn parts_that_join_to_the_same_text_name_different_stores() {
        assert_ne!(name(&["ab", "c"]), name(&["a", "bc"]));
        assert_eq!(name(&["ab", "c"]), name(&["ab", "c"]));
    }

    #[test]
    fn an_entry_is_found_again_and_stays_while_it_is_used() {
        let cache = tempfile::tempdir().expect("a directory");
        let live = cache.path().join("live");
        fs::create_dir(&live).expect("a directory");
        fs::write(live.join("ibdata1"), "rows").expect("a file");
        assert!(find(cache.path(), "x").expect("an answer").is_none());
        let notes = ["app.t: left empty".to_owned()];
        let kept = keep(cache.path(), "x", (&live, &notes), us(), &Silent).expect("an entry");
        let again = keep(cache.path(), "x", (&live, &[]), us(), &Silent).expect("the same entry");
        assert_eq!(kept.data(), again.data());
        assert!(!remove_unused(&kept.directory, &Silent));
        drop((kept, again));
        let found = find(cache.path(), "x").expect("an answer").expect("the entry");
        assert_eq!(fs::read_to_string(found.data().join("ibdata1")).expect("the file"), "rows");
        assert_eq!(found.notes().expect("the notes"), notes);
        drop(found);
        assert!(remove_unused(&cache.path().join("stores/x"), &Silent));
        assert!(find(cache.path(), "x").expect("an answer").is_none());
    }
}

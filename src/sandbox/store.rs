//! A store is a data directory: copied, kept, put back.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::launch::Owner;

/// What a server makes anew at every start, or must not share with a copy.
const NOT_COPIED: &[&str] = &["auto.cnf", "ibtmp1", "#innodb_temp", "mysql.sock", "mysqld.pid", "ib_logfile101"];
/// A file whose write-back could disturb a measurement, in bytes.
const LARGE: u64 = 1 << 20;
/// Bytes at each end of a file that are compared.
const END: u64 = 64 << 10;
/// What is left free on a disk that a copy goes to.
const RESERVE: u64 = 512 << 20;

/// The cache directory: as asked for, `$REHEARSE_CACHE`, `$XDG_CACHE_HOME/rehearse` or `~/.cache/rehearse`; for root,
/// whose home other users cannot enter, `/var/cache/rehearse`, because a server must not run as root.
///
/// # Errors
/// When neither an environment variable nor a home names one.
pub(super) fn cache_directory(asked: Option<&Path>) -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || {
        let home = from("HOME")?;
        let closed = fs::metadata(&home).is_ok_and(|about| about.permissions().mode() & 0o001 == 0);
        let var = PathBuf::from("/var/cache/rehearse");
        Some(if rustix::process::geteuid().is_root() && closed { var } else { home.join(".cache/rehearse") })
    };
    let chosen = asked.map(Path::to_owned).or_else(|| from("REHEARSE_CACHE"));
    let chosen = chosen.or_else(|| from("XDG_CACHE_HOME").map(|cache| cache.join("rehearse"))).or_else(home);
    let chosen = chosen.context("no place for the cache: neither REHEARSE_CACHE nor HOME is set")?;
    std::path::absolute(&chosen).with_context(|| format!("cannot make {} absolute", chosen.display()))
}

/// Makes the cache directory, so that an unprivileged server of root's can pass through it.
pub(super) fn make_cache_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
    let about = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mode = about.permissions().mode();
    if rustix::process::geteuid().is_root() && mode & 0o001 == 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o001))
            .with_context(|| format!("cannot open {} to the server's user", path.display()))?;
    }
    Ok(())
}

/// Free bytes of the file system that a path is on, or will be on; none when it cannot be told.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|parent| parent.exists())?;
    let about = rustix::fs::statvfs(there).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

/// The bytes that a store takes on disk.
pub(super) fn size(directory: &Path) -> Result<u64> {
    let mut total = 0;
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", directory.display()))?.path();
        let about = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            about => about.with_context(|| format!("cannot read {}", path.display()))?,
        };
        total += if about.is_dir() { size(&path)? } else { about.blocks() * 512 };
    }
    Ok(total)
}

/// Copies a store whose server is stopped to a directory that is not there yet, by reflink where the file system can,
/// and waits until the copy is on the disk, so that its write-back disturbs no measurement.
///
/// # Errors
/// When the disk has too little room (before anything is written), or a file cannot be copied; what was copied so far
/// is removed. A symbolic link in the store is an error: it is never followed out.
pub(super) fn copy(from: &Path, to: &Path, owner: Owner) -> Result<()> {
    refuse_full_disk(from, to, size(from)?)?;
    let copied = copy_directory(from, to, owner).and_then(|()| sync(to));
    if copied.is_err() {
        let _half_a_copy = fs::remove_dir_all(to);
    }
    copied
}

/// Makes the store of a server that is gone what a kept store is: what differs is copied, what should not be there is
/// removed. A file of the same size and time of change is the same: a copy takes its original's time, and whatever a
/// server writes to it afterwards gives it a later one.
///
/// # Errors
/// As [`copy`]; and then the store is removed.
pub(super) fn put_back(from: &Path, live: &Path, owner: Owner) -> Result<()> {
    let cleared = if live.is_dir() { remove_what_differs(from, live) } else { Ok(()) };
    let copied = cleared.and_then(|()| copy_missing(from, live, owner));
    if copied.is_err() {
        let _half_a_store = fs::remove_dir_all(live);
    }
    copied
}

fn copy_missing(from: &Path, live: &Path, owner: Owner) -> Result<()> {
    if !live.is_dir() {
        return copy(from, live, owner);
    }
    refuse_full_disk(from, live, size(from)?.saturating_sub(size(live)?))?;
    copy_directory(from, live, owner)?;
    sync(live)
}

fn remove_what_differs(from: &Path, live: &Path) -> Result<()> {
    let entries = fs::read_dir(live).with_context(|| format!("cannot read {}", live.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", live.display()))?.path();
        let original = path.file_name().map(|name| from.join(name)).unwrap_or_default();
        let about = fs::symlink_metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let removed = match fs::symlink_metadata(&original) {
            Ok(kept) if kept.is_dir() && about.is_dir() => {
                remove_what_differs(&original, &path)?;
                Ok(())
            }
            Ok(kept) if is_same(&kept, &about) && ends_alike(&original, &path, about.len()) => Ok(()),
            _ if about.is_dir() => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// A time without fractions may come from a file system that has none; then it proves nothing.
fn is_same(kept: &fs::Metadata, live: &fs::Metadata) -> bool {
    kept.is_file()
        && live.is_file()
        && kept.len() == live.len()
        && (kept.mtime(), kept.mtime_nsec()) == (live.mtime(), live.mtime_nsec())
        && kept.mtime_nsec() != 0
}

/// Files that were written within one tick of the file system's clock (4 ms) have the same time: a table that took another's
/// name is told by its first page, which holds its tablespace's number. Files without one are told by both ends, as far as can be.
/// What cannot be read is not known to be alike.
fn ends_alike(kept: &Path, live: &Path, length: u64) -> bool {
    let read = |path: &Path| {
        let mut ends = vec![0; 2 * length.min(END) as usize];
        let (head, tail) = ends.split_at_mut(length.min(END) as usize);
        let file = File::open(path)?;
        file.read_exact_at(head, 0)?;
        file.read_exact_at(tail, length - tail.len() as u64)?;
        std::io::Result::Ok(ends)
    };
    matches!((read(kept), read(live)), (Ok(kept), Ok(live)) if kept == live)
}

/// Fails when a copy of this many bytes does not fit.
fn refuse_full_disk(from: &Path, to: &Path, need: u64) -> Result<()> {
    if let Some(free) = free_bytes(to)
        && free < need + RESERVE
        && !can_reflink(from, to)
    {
        bail!(
            "the disk of {} is too full: {} MiB are free, and a copy of the store needs {} MiB and {} MiB to spare",
            to.display(),
            free >> 20,
            need >> 20,
            RESERVE >> 20
        );
    }
    Ok(())
}

/// True when a first small file can be cloned: then a copy takes no room.
fn can_reflink(from: &Path, to: &Path) -> bool {
    let probe = to.with_extension("reflink-probe");
    let cloned = (|| {
        let file =
            fs::read_dir(from).ok()?.flatten().find(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))?;
        let (source, target) = (File::open(file.path()).ok()?, File::create(&probe).ok()?);
        rustix::fs::ioctl_ficlone(&target, &source).ok()
    })();
    let _was_made = fs::remove_file(&probe);
    cloned.is_some()
}

/// Copies what is not there yet.
fn copy_directory(from: &Path, to: &Path, owner: Owner) -> Result<()> {
    if !to.is_dir() {
        fs::create_dir(to).with_context(|| format!("cannot create {}", to.display()))?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o750))
            .with_context(|| format!("cannot set the mode of {}", to.display()))?;
        owner.own(to)?;
    }
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let (name, path) = (entry.file_name(), entry.path());
        if name.to_str().is_some_and(|name| NOT_COPIED.contains(&name)) {
            continue;
        }
        let kind = entry.file_type().with_context(|| format!("cannot read {}", path.display()))?;
        let target = to.join(&name);
        if kind.is_dir() {
            copy_directory(&path, &target, owner)?;
        } else if kind.is_file() {
            if target.exists() {
                continue;
            }
            copy_file(&path, &target)
                .with_context(|| format!("cannot copy {} to {}", path.display(), target.display()))?;
            owner.own(&target)?;
        } else if kind.is_symlink() {
            bail!("the store {} holds the symbolic link {}, which is not followed", from.display(), path.display());
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = File::open(from)?;
    let about = source.metadata()?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(about.permissions().mode()).open(to)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
        std::io::copy(&mut source, &mut target)?;
    }
    target.set_modified(about.modified()?)
}

/// Puts a store's large files on the disk. Only they have a write-back worth waiting for, and waiting for the whole file
/// system would wait for everybody else's too.
fn sync(directory: &Path) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", directory.display()))?.path();
        let about = fs::symlink_metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if about.is_dir() {
            sync(&path)?;
        } else if about.is_file() && about.len() >= LARGE {
            let written = File::open(&path).and_then(|file| file.sync_data());
            written.with_context(|| format!("cannot write {} to the disk", path.display()))?;
        }
    }
    Ok(())
}

/// Removes a store, when it is there.
pub(super) fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> Owner {
        Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    #[test]
    fn a_copy_holds_the_same_bytes_and_not_the_servers_identity() {
        let place = tempfile::tempdir().expect("a directory");
        let from = place.path().join("live");
        fs::create_dir_all(from.join("app")).expect("a directory");
        fs::write(from.join("app/t.ibd"), vec![7; 100_000]).expect("a file");
        fs::write(from.join("auto.cnf"), "server-uuid=x").expect("a file");
        let to = place.path().join("copy");
        copy(&from, &to, us()).expect("a copy");
        assert_eq!(fs::read(to.join("app/t.ibd")).expect("the copied file"), vec![7; 100_000]);
        assert!(!to.join("auto.cnf").exists());
    }

    #[test]
    fn a_store_is_put_back_and_what_did_not_change_is_not_copied() {
        let place = tempfile::tempdir().expect("a directory");
        let (live, kept) = (place.path().join("live"), place.path().join("kept"));
        fs::create_dir_all(live.join("app")).expect("a directory");
        for name in ["app/same.ibd", "app/changed.ibd", "app/dropped.ibd"] {
            fs::write(live.join(name), vec![7; 1000]).expect("a file");
        }
        copy(&live, &kept, us()).expect("a copy");
        let inode = |name: &str| fs::metadata(live.join(name)).expect("a file").ino();
        let same = inode("app/same.ibd");
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(live.join("app/changed.ibd"), vec![8; 1000]).expect("the same size, other bytes");
        fs::remove_file(live.join("app/dropped.ibd")).expect("a file less");
        fs::create_dir(live.join("new")).expect("a directory more");
        fs::write(live.join("new/t.ibd"), "x").expect("a file more");
        put_back(&kept, &live, us()).expect("the store");
        assert_eq!(inode("app/same.ibd"), same);
        assert_eq!(fs::read(live.join("app/changed.ibd")).expect("a file"), vec![7; 1000]);
        assert!(live.join("app/dropped.ibd").exists() && !live.join("new").exists());
    }

    #[test]
    fn a_file_that_took_anothers_name_is_not_taken_for_it() {
        let place = tempfile::tempdir().expect("a directory");
        let (live, kept) = (place.path().join("live"), place.path().join("kept"));
        fs::create_dir_all(&live).expect("a directory");
        // Of one size, written in one tick.
        let tick = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_004);
        for (name, byte) in [("users.ibd", 1), ("new_users.ibd", 2)] {
            fs::write(live.join(name), vec![byte; 114_688]).expect("a file");
            File::open(live.join(name)).and_then(|file| file.set_modified(tick)).expect("its time");
        }
        copy(&live, &kept, us()).expect("a copy");
        fs::rename(live.join("users.ibd"), live.join("users_old.ibd")).expect("a swap");
        fs::rename(live.join("new_users.ibd"), live.join("users.ibd")).expect("a swap");
        put_back(&kept, &live, us()).expect("the store");
        let byte = |name: &str| fs::read(live.join(name)).expect("a file")[0];
        assert_eq!((byte("users.ibd"), byte("new_users.ibd")), (1, 2));
        assert!(!live.join("users_old.ibd").exists());
    }

    #[test]
    fn a_link_out_of_the_store_is_not_followed_and_leaves_no_half_copy() {
        let place = tempfile::tempdir().expect("a directory");
        let from = place.path().join("live");
        fs::create_dir(&from).expect("a directory");
        std::os::unix::fs::symlink("/etc", from.join("etc")).expect("a link");
        let to = place.path().join("copy");
        let error = copy(&from, &to, us()).expect_err("a refusal");
        assert!(error.to_string().contains("symbolic link") && !to.exists());
    }
}

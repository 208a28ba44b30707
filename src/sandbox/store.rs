//! A store is a data directory: copied, kept, put back.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::launch::Owner;

/// What a server makes anew at every start, or must not share with a copy.
const NOT_COPIED: &[&str] = &["auto.cnf", "ibtmp1", "#innodb_temp", "mysql.sock", "mysqld.pid", "ib_logfile101"];
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
    let need = size(from)?;
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
    let copied = copy_directory(from, to, owner).and_then(|()| sync(to));
    if copied.is_err() {
        let _half_a_copy = fs::remove_dir_all(to);
    }
    copied
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

fn copy_directory(from: &Path, to: &Path, owner: Owner) -> Result<()> {
    fs::create_dir(to).with_context(|| format!("cannot create {}", to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o750))
        .with_context(|| format!("cannot set the mode of {}", to.display()))?;
    owner.own(to)?;
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
    let mode = source.metadata()?.permissions().mode();
    let mut target = OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
        std::io::copy(&mut source, &mut target)?;
    }
    Ok(())
}

/// Puts all that was written to a directory's file system on the disk.
fn sync(directory: &Path) -> Result<()> {
    let handle = File::open(directory).with_context(|| format!("cannot open {}", directory.display()))?;
    rustix::fs::syncfs(&handle).with_context(|| format!("cannot write {} to the disk", directory.display()))
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

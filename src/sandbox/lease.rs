//! What a run owns: a directory with a locked file, in which it notes the processes and directories that it made.
//!
//! The lock goes with the process, whatever ends it. So a directory whose file can be locked belongs to nobody: what it
//! names is ended and removed by the next run, or by `rehearse doctor --sweep`. What a live run owns is never touched.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::container;
use super::started::Started;
use crate::progress::Progress;

/// The locked file's name in a run's directory.
const LEASE: &str = "lease";
/// A run's directory before it is locked.
const UNBORN: &str = ".new-";

/// A run's ownership of what it started. Dropping it removes its directories.
#[derive(Debug)]
pub(super) struct Lease {
    directory: PathBuf,
    sockets: PathBuf,
    file: File,
}

/// What a sweep ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Server processes killed.
    pub processes: usize,
    /// Containers removed.
    pub containers: usize,
    /// Directories of dead runs removed.
    pub directories: usize,
}

impl Lease {
    /// Makes a run's directory below the cache `root`, and a directory for sockets whose path is short enough for them.
    pub(super) fn take(root: &Path) -> Result<Self> {
        let runs = root.join("runs");
        fs::create_dir_all(&runs).with_context(|| format!("cannot create {}", runs.display()))?;
        let name = format!("{}-{:08x}", std::process::id(), rand::random::<u32>());
        let unborn = runs.join(format!("{UNBORN}{name}"));
        make_passable(&unborn)?;
        let path = unborn.join(LEASE);
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        file.try_lock().with_context(|| format!("cannot lock {}", path.display()))?;
        let directory = runs.join(&name);
        fs::rename(&unborn, &directory).with_context(|| format!("cannot rename {}", unborn.display()))?;
        let sockets = Path::new("/tmp").join(format!("rehearse-{name}"));
        let lease = Self { directory, sockets, file };
        lease.note(&format!("directory {}", lease.sockets.display()))?;
        make_passable(&lease.sockets)?;
        Ok(lease)
    }

    /// The run's directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory for sockets: short, because a socket's path has at most 107 bytes.
    pub(super) fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// Notes a process, so that a later run can end it.
    pub(super) fn note_process(&self, process: Started) -> Result<()> {
        self.note(&format!("process {} {}", process.pid, process.start))
    }

    fn note(&self, line: &str) -> Result<()> {
        let mut file = &self.file;
        writeln!(file, "{line}").with_context(|| format!("cannot write {}", self.directory.join(LEASE).display()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _swept_later = fs::remove_dir_all(&self.sockets);
        let _swept_later = fs::remove_dir_all(&self.directory);
    }
}

/// A directory that the server's user may pass through but not list.
fn make_passable(path: &Path) -> Result<()> {
    DirBuilder::new().mode(0o711).create(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Ends what dead runs left below the default cache directory, and containers of dead runs wherever they had it.
///
/// # Errors
/// When the cache directory cannot be read. What cannot be ended or removed is told by `progress` and left.
pub fn sweep(progress: &dyn Progress) -> Result<Swept> {
    sweep_below(&super::store::cache_directory(None)?, progress)
}

/// [`sweep`], below the cache directory `root`.
pub fn sweep_below(root: &Path, progress: &dyn Progress) -> Result<Swept> {
    let mut swept = Swept { containers: sweep_containers(progress), ..Swept::default() };
    let runs = root.join("runs");
    let entries = match fs::read_dir(&runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(swept),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", runs.display())),
    };
    for entry in entries {
        let directory = entry.with_context(|| format!("cannot read {}", runs.display()))?.path();
        let Some(_lock) = lock_of_dead(&directory) else { continue };
        let notes = fs::read_to_string(directory.join(LEASE)).unwrap_or_default();
        swept.processes += end_processes(&directory, &notes);
        for sockets in notes.lines().filter_map(|line| line.strip_prefix("directory ")) {
            let _gone_already = fs::remove_dir_all(sockets);
        }
        match fs::remove_dir_all(&directory) {
            Ok(()) => swept.directories += 1,
            Err(error) => progress.note(&format!("cannot remove {}: {error}", directory.display())),
        }
    }
    Ok(swept)
}

/// How many runs died and left something below the default cache directory; removes nothing.
///
/// # Errors
/// When no cache directory can be named.
pub fn leftovers() -> Result<usize> {
    let runs = super::store::cache_directory(None)?.join("runs");
    let entries = fs::read_dir(&runs).into_iter().flatten().flatten();
    Ok(entries.filter(|entry| lock_of_dead(&entry.path()).is_some()).count())
}

/// The lock of a run's directory whose run is dead, where the file is still there; none while it lives, or may just be
/// coming to life. A directory gets its name only once its file is locked, so one without the file is what a removal that
/// was cut short left.
fn lock_of_dead(directory: &Path) -> Option<Option<File>> {
    let name = directory.file_name()?.to_string_lossy().into_owned();
    if name.starts_with(UNBORN) && is_young(directory) {
        return None;
    }
    match OpenOptions::new().append(true).open(directory.join(LEASE)) {
        Ok(file) => file.try_lock().ok().map(|()| Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(None),
        Err(_) => None,
    }
}

fn is_young(path: &Path) -> bool {
    let made = fs::metadata(path).and_then(|metadata| metadata.modified());
    made.is_ok_and(|made| SystemTime::now().duration_since(made).unwrap_or_default() < Duration::from_secs(600))
}

/// Kills the noted processes, and any whose command line names the run's directory: a run may have been killed between
/// a start and its note.
fn end_processes(directory: &Path, notes: &str) -> usize {
    let mut processes: Vec<Started> = notes.lines().filter_map(noted_process).collect();
    processes.extend(running_for(directory));
    processes.sort_by_key(|process| process.pid);
    processes.dedup();
    processes.retain(Started::is_alive);
    for process in &processes {
        process.signal(Signal::KILL);
    }
    processes.iter().filter(|process| process.wait_gone(Duration::from_secs(10))).count()
}

fn noted_process(line: &str) -> Option<Started> {
    let (pid, start) = line.strip_prefix("process ")?.split_once(' ')?;
    Some(Started { pid: pid.parse().ok()?, start: start.parse().ok()? })
}

fn running_for(directory: &Path) -> Vec<Started> {
    let needle = format!("{}/", directory.display());
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| pid != std::process::id())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();

            line.split(|&byte| byte == 0).any(|word| {
                word.starts_with(needle.as_bytes())
                    || word.strip_prefix(b"--defaults-file=").is_some_and(|path| path.starts_with(needle.as_bytes()))
            })
        })
        .filter_map(Started::of)
        .collect()
}

fn sweep_containers(progress: &dyn Progress) -> usize {
    let Ok(docker) = container::Docker::connect() else { return 0 };
    let mut count = 0;
    for (id, directory) in docker.leased_containers().unwrap_or_default() {
        let directory = PathBuf::from(directory);
        // A run elsewhere, whose files we cannot see, may use the same engine: its containers are not ours to judge.
        let dead = directory.parent().is_some_and(Path::is_dir)
            && (!directory.join(LEASE).exists() || lock_of_dead(&directory).is_some());
        if !dead {
            continue;
        }
        match docker.remove(&id) {
            Ok(()) => count += 1,
            Err(error) => progress.note(&format!("cannot remove container {id}: {error:#}")),
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn what_a_removal_that_was_cut_short_left_is_swept_and_a_living_run_is_not() {
        let root = tempfile::tempdir().expect("a directory");
        let living = Lease::take(root.path()).expect("a lease");
        let half_gone = root.path().join("runs/4711-0badcafe");
        fs::create_dir_all(half_gone.join("server/live")).expect("a directory");
        let swept = sweep_below(root.path(), &Silent).expect("swept");
        assert_eq!(swept.directories, 1);
        assert!(!half_gone.exists() && living.directory().exists() && living.sockets().exists());
    }
}

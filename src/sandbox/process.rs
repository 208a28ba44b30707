//! A server as a local process: its own process group, so that Ctrl-C at the terminal reaches us and not it; an
//! unprivileged user; a socket and nothing on the network.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::launch::Launch;
use super::started::Started;

/// A server process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Server {
    binary: PathBuf,
    child: Option<Child>,
    output: Option<PathBuf>,
}

impl Server {
    /// A server of this binary, not started yet.
    pub(super) fn new(binary: &Path) -> Self {
        Self { binary: binary.to_owned(), child: None, output: None }
    }

    /// The server's binary.
    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Starts it, and returns its process; none when it ended at once.
    pub(super) fn start(&mut self, launch: &Launch) -> Result<Option<Started>> {
        let path = launch.root.join("log").join("output.log");
        let output = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let again = output.try_clone().with_context(|| format!("cannot open {} twice", path.display()))?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").args(launch.command(Some(&self.binary)));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(launch.environment());
        command.current_dir(&launch.root).stdin(Stdio::null()).stdout(output).stderr(again).process_group(0);
        if rustix::process::geteuid().is_root() {
            command.uid(launch.owner.uid).gid(launch.owner.gid);
        }
        let child = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let started = Started::of(child.id());
        self.child = Some(child);
        self.output = Some(path);
        Ok(started)
    }

    /// Kills it and its helpers, and waits until it is gone.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(child) = &mut self.child {
            // The whole group: while a data directory is being made, the server is a child of the script.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
                let _gone_already = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            child.wait().with_context(|| format!("cannot wait for {}", self.binary.display()))?;
        }
        self.child = None;
        Ok(())
    }

    /// Waits until the process is gone.
    pub(super) fn wait_stopped(&mut self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        while let Some(child) = &mut self.child {
            if child.try_wait().with_context(|| format!("cannot wait for {}", self.binary.display()))?.is_some() {
                self.child = None;
            } else if Instant::now() > until {
                bail!("{} does not end within {} s", self.binary.display(), patience.as_secs());
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    /// What it wrote before it opened its own log.
    pub(super) fn output(&self) -> String {
        let bytes = self.output.as_ref().and_then(|path| fs::read(path).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _nothing_more_to_do = self.kill();
    }
}

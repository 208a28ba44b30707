//! One running server of a sandbox, and the only door to writing on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::started::Started;
use crate::server::address::Address;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::role::{Role, Roster};
use crate::server::session::{ReadOnly, Writer};

/// How long a login may take.
const LOGIN: Duration = Duration::from_secs(10);
/// How much of an error log is shown.
const TAIL_LINES: usize = 20;

/// A server that we may break.
#[derive(Clone, Debug)]
pub struct Instance {
    pub(super) address: Address,
    pub(super) flavor: Flavor,
    pub(super) version: String,
    pub(super) roster: Roster,
    pub(super) data: Option<PathBuf>,
    pub(super) log: Option<PathBuf>,
    pub(super) process: Option<Started>,
}

/// Fills a fresh server, and answers with what is to be known of its store whenever it is used, in sentences.
pub type Fill<'a> = dyn FnMut(&Instance) -> anyhow::Result<Vec<String>> + 'a;

impl Instance {
    /// Opens a session that may write.
    ///
    /// # Errors
    /// The server's own fault, or the loss of the connection.
    pub fn writer(&self, role: Role) -> Result<Writer, Fault> {
        Writer::open(&self.address, role, &self.roster, LOGIN)
    }

    /// Opens a session that only reads.
    ///
    /// # Errors
    /// The server's own fault, or the loss of the connection.
    pub fn reader(&self, role: Role) -> Result<ReadOnly, Fault> {
        ReadOnly::open(&self.address, role, &self.roster, LOGIN)
    }

    /// Where it answers, and as whom.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its flavour, with the patch level that runs.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// What it answered to `SELECT VERSION()`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The sessions that we have open on it.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Its data directory on this host; none for an existing server.
    pub fn data_directory(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// Its process id on this host; none for an existing server.
    pub fn pid(&self) -> Option<u32> {
        self.process.map(|process| process.pid)
    }

    /// The processor time its process has used since its start, in seconds; none for an existing server or a dead one.
    pub fn cpu_seconds(&self) -> Option<f64> {
        self.process.and_then(|process| process.cpu_seconds())
    }

    /// True while the process runs; an existing server is asked for a login instead.
    pub fn is_alive(&self) -> bool {
        self.process.map_or_else(|| self.reader(Role::Keeper).is_ok(), |process| process.is_alive())
    }

    /// The last lines of the server's error log; empty for an existing server.
    pub fn error_log_tail(&self) -> String {
        self.log.as_deref().map(tail_of_file).unwrap_or_default()
    }
}

/// The last lines of a log file, read from its end.
pub(super) fn tail_of_file(path: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let Ok(mut file) = std::fs::File::open(path) else { return String::new() };
    let length = file.metadata().map(|about| about.len()).unwrap_or(0);
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024))).is_err() || file.read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    tail_of(&String::from_utf8_lossy(&bytes))
}

/// The last lines of a text.
pub(super) fn tail_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

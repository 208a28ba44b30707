//! What statements cost the server besides time: counters, files, processor time.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::record::Footprint;
use crate::sandbox::Instance;
use crate::server::fault::Fault;
use crate::server::session::ReadOnly;

/// The server's counters at one moment; none where it keeps no such counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes of all binary logs.
    pub binlog: Option<u64>,
    /// Bytes of redo log written since the start.
    pub redo: Option<u64>,
    /// Row-lock waits since the start.
    pub row_lock_waits: Option<u64>,
    /// Undo history list length.
    pub history_list: Option<u64>,
    /// Sessions that run something.
    pub threads_running: Option<u64>,
    /// Columns added or dropped instantly since the start (MariaDB).
    pub instant_alters: Option<u64>,
}

impl Counters {
    /// Reads them. Costs about 1 ms.
    ///
    /// # Errors
    /// The loss of the connection; what the server does not have is none.
    pub fn read(reader: &mut ReadOnly) -> Result<Self, Fault> {
        let mut counters = Self::default();
        let status = reader.rows::<(String, String)>(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_os_log_written', 'Innodb_row_lock_waits', \
             'Threads_running', 'Innodb_history_list_length', 'Innodb_instant_alter_column')",
        )?;
        for (name, value) in status {
            let value = value.parse().ok();
            match name.to_ascii_lowercase().as_str() {
                "innodb_os_log_written" => counters.redo = value,
                "innodb_row_lock_waits" => counters.row_lock_waits = value,
                "threads_running" => counters.threads_running = value,
                "innodb_history_list_length" => counters.history_list = value,
                "innodb_instant_alter_column" => counters.instant_alters = value,
                _ => {}
            }
        }
        if counters.history_list.is_none() {
            counters.history_list = history_list(reader)?;
        }
        counters.binlog = binlog_bytes(reader)?;
        Ok(counters)
    }

    /// The cost of what ran between two moments.
    pub fn footprint(&self, after: &Self, disk_bytes: Option<u64>) -> Footprint {
        let grown = |before: Option<u64>, after: Option<u64>| Some(after?.saturating_sub(before?));
        Footprint {
            binlog_bytes: grown(self.binlog, after.binlog),
            redo_bytes: grown(self.redo, after.redo),
            disk_bytes,
            history_list: after.history_list,
            row_lock_waits: grown(self.row_lock_waits, after.row_lock_waits),
        }
    }
}

/// MySQL tells its history list among InnoDB's metrics, MariaDB in its status as well.
fn history_list(reader: &mut ReadOnly) -> Result<Option<u64>, Fault> {
    let sql = "SELECT `COUNT` FROM information_schema.innodb_metrics WHERE NAME = 'trx_rseg_history_len'";
    match reader.first::<(i64,)>(sql) {
        Ok(row) => Ok(row.and_then(|(count,)| u64::try_from(count).ok())),
        Err(fault) if fault.is_connection_lost() => Err(fault),
        Err(_) => Ok(None),
    }
}

/// The sum of all binary logs' sizes; 1381 when there are none. The list has a third column on MySQL.
pub fn binlog_bytes(reader: &mut ReadOnly) -> Result<Option<u64>, Fault> {
    let three = reader.rows::<(String, u64, String)>("SHOW BINARY LOGS");
    match three {
        Ok(rows) => Ok(Some(rows.iter().map(|row| row.1).sum())),
        Err(fault) if fault.number == u16::MAX => match reader.rows::<(String, u64)>("SHOW BINARY LOGS") {
            Ok(rows) => Ok(Some(rows.iter().map(|row| row.1).sum())),
            Err(fault) if fault.is_connection_lost() => Err(fault),
            Err(_) => Ok(None),
        },
        Err(fault) if fault.is_connection_lost() => Err(fault),
        Err(_) => Ok(None),
    }
}

/// Watches the bytes on disk: the data directory, and files that the server has deleted but still holds open (sort
/// files, the binary log's cache), which no directory lists.
#[derive(Debug)]
pub struct Disk {
    directory: Option<PathBuf>,
    pid: Option<u32>,
    rest_until: Instant,
    highest: AtomicU64,
}

impl Disk {
    /// Watches an instance's files; nothing for a server whose files are elsewhere.
    pub fn of(instance: &Instance) -> Self {
        Self {
            directory: instance.data_directory().map(Path::to_owned),
            pid: instance.pid(),
            rest_until: Instant::now(),
            highest: AtomicU64::new(0),
        }
    }

    /// Bytes in use now; none when they cannot be seen, or the last look was dear and is not long ago.
    pub fn sample(&mut self) -> Option<u64> {
        if Instant::now() < self.rest_until {
            return None;
        }
        let bytes = self.look();
        bytes.inspect(|bytes| {
            self.highest.fetch_max(*bytes, Ordering::Relaxed);
        })
    }

    /// Bytes in use now, however dear the look.
    pub fn look(&mut self) -> Option<u64> {
        let begin = Instant::now();
        let listed = bytes_below(self.directory.as_deref()?)?;
        let bytes = listed + self.pid.map_or(0, deleted_bytes);
        let cost = begin.elapsed();
        // At most a twentieth of the time goes into looking.
        self.rest_until = Instant::now() + (cost * 20).min(Duration::from_secs(30));
        Some(bytes)
    }

    /// The most bytes that were seen since the last call.
    pub fn take_highest(&self) -> Option<u64> {
        Some(self.highest.swap(0, Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

fn bytes_below(directory: &Path) -> Option<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory).ok()?.flatten() {
        if is_ring(&entry.file_name()) {
            continue;
        }
        // A file may go while we look: that is no reason to see nothing.
        let Ok(about) = entry.metadata() else { continue };
        bytes += if about.is_dir() { bytes_below(&entry.path()).unwrap_or(0) } else { about.blocks() * 512 };
    }
    Some(bytes)
}

/// The redo log: a ring of a fixed capacity, whose next file may be made before the last one is gone (3.1 MiB of MySQL's
/// default, beside an instant ADD COLUMN). What is written to it is counted by itself.
fn is_ring(name: &OsStr) -> bool {
    name == "#innodb_redo" || name.as_encoded_bytes().starts_with(b"ib_logfile")
}

/// Bytes of files that a process holds open though they are deleted.
fn deleted_bytes(pid: u32) -> u64 {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    open.flatten()
        .filter_map(|entry| fs::metadata(entry.path()).ok())
        .filter(|about| about.is_file() && about.nlink() == 0)
        .map(|about| about.blocks() * 512)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_redo_logs_ring_is_no_growth() {
        let place = tempfile::tempdir().expect("a directory");
        let write = |name: &str| fs::write(place.path().join(name), vec![7; 100_000]).expect("a file");
        write("t.ibd");
        let tables = bytes_below(place.path()).expect("a size");
        assert!(tables >= 100_000);
        fs::create_dir(place.path().join("#innodb_redo")).expect("a directory");
        write("#innodb_redo/#ib_redo33_tmp");
        write("ib_logfile0");
        assert_eq!(bytes_below(place.path()), Some(tables));
    }
}

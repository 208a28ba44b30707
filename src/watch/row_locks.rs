//! Row locks: how many a session holds, and who waits for whom.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::server::fault::Fault;
use crate::server::session::ReadOnly;

/// The server answers `innodb_trx` from a copy that it renews only when nobody has read it for 100 ms: who reads more
/// often reads the same for ever (measured on both engines: fresh after 250 ms, stale at once).
const RENEWED: Duration = Duration::from_millis(150);

/// One open transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Row locks it holds.
    pub rows_locked: u64,
    /// Rows it changed, those by cascades and triggers included (entries of its undo log).
    pub rows_modified: u64,
}

/// The one reader of `innodb_trx` in an experiment, so that its copy can age.
#[derive(Debug)]
pub struct Transactions {
    reader: ReadOnly,
    last: Instant,
}

impl Transactions {
    /// Reads through this session.
    pub fn new(reader: ReadOnly) -> Self {
        Self { reader, last: Instant::now() }
    }

    /// Transactions by connection, no older than 100 ms; waits until such an answer can be had.
    ///
    /// # Errors
    /// The server's fault.
    pub fn read(&mut self) -> Result<BTreeMap<u32, Transaction>, Fault> {
        std::thread::sleep(RENEWED.saturating_sub(self.last.elapsed()));
        self.fetch()
    }

    /// One connection's transaction as it is after this call began. Waits 150 ms.
    ///
    /// # Errors
    /// The server's fault.
    pub fn now(&mut self, connection: u32) -> Result<Option<Transaction>, Fault> {
        std::thread::sleep(RENEWED);
        Ok(self.fetch()?.get(&connection).copied())
    }

    fn fetch(&mut self) -> Result<BTreeMap<u32, Transaction>, Fault> {
        let rows = self.reader.rows::<(u64, u64, u64)>(
            "SELECT trx_mysql_thread_id, trx_rows_locked, trx_rows_modified FROM information_schema.innodb_trx \
             WHERE trx_mysql_thread_id > 0",
        );
        self.last = Instant::now();
        let transaction = |(connection, rows_locked, rows_modified)| {
            Some((u32::try_from(connection).ok()?, Transaction { rows_locked, rows_modified }))
        };
        Ok(rows?.into_iter().filter_map(transaction).collect())
    }
}

/// Who waits for whose row lock: connections, waiter first. Never `data_locks`: that costs a microsecond per lock held.
///
/// # Errors
/// The server's fault.
pub fn waits(reader: &mut ReadOnly, has_data_locks: bool) -> Result<Vec<(u32, u32)>, Fault> {
    let sql = if has_data_locks {
        "SELECT DISTINCT r.PROCESSLIST_ID, b.PROCESSLIST_ID FROM performance_schema.data_lock_waits w \
         JOIN performance_schema.threads r ON r.THREAD_ID = w.REQUESTING_THREAD_ID \
         JOIN performance_schema.threads b ON b.THREAD_ID = w.BLOCKING_THREAD_ID \
         WHERE r.PROCESSLIST_ID IS NOT NULL AND b.PROCESSLIST_ID IS NOT NULL LIMIT 100"
    } else {
        "SELECT DISTINCT r.trx_mysql_thread_id, b.trx_mysql_thread_id FROM information_schema.innodb_lock_waits w \
         JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id \
         JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id LIMIT 100"
    };
    let rows = reader.rows::<(u64, u64)>(sql)?;
    Ok(rows.into_iter().filter_map(|(a, b)| Some((u32::try_from(a).ok()?, u32::try_from(b).ok()?))).collect())
}

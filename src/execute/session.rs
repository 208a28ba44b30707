//! One session of the upgrade: opened as the stock client opens its own.

use std::fs::File;
use std::io;

use mysql::LocalInfileHandler;

use super::transactions::Transactions;
use crate::sandbox::Instance;
use crate::server::fault::Fault;
use crate::server::role::Role;
use crate::server::session::{ReadOnly, Writer};
use crate::sql::record::{Kind, Statement};

/// A session of the upgrade.
#[derive(Debug)]
pub struct Session {
    /// Its connection.
    pub writer: Writer,
    /// Its transaction.
    pub transactions: Transactions,
    /// The performance schema's id of its thread; none without a performance schema.
    pub thread: Option<u64>,
    /// The script sets the time itself: it is not set for it any more.
    pub own_time: bool,
    /// Digest of its last statement.
    pub last_digest: String,
    /// The next statement must follow the last one without anything between.
    pub fragile: bool,
    /// Row locks and changed rows of a transaction (by its number) when they were last read, as long as they are right.
    pub point: (Option<u32>, Option<(u64, u64)>),
}

impl Session {
    /// Opens a session. Globals rule it but for what the stock client sets: the character set.
    ///
    /// # Errors
    /// The server's fault.
    pub fn open(instance: &Instance, database: &str, reader: &mut ReadOnly) -> Result<Self, Fault> {
        let mut writer = instance.writer(Role::Upgrade)?;
        writer.execute("SET NAMES utf8mb4")?;
        writer.execute("SET SESSION wait_timeout = 31536000")?;
        if !database.is_empty() {
            writer.use_database(database)?;
        }
        writer.serve_local_infile(Some(local_files()));
        let autocommit = writer.first::<(u8,)>("SELECT @@SESSION.autocommit")?.is_none_or(|(on,)| on == 1);
        let id = writer.connection_id();
        let thread = reader
            .first::<(u64,)>(&format!("SELECT THREAD_ID FROM performance_schema.threads WHERE PROCESSLIST_ID = {id}"));
        let thread = match thread {
            Err(fault) if fault.is_connection_lost() => return Err(fault),
            answer => answer.ok().flatten().map(|(thread,)| thread),
        };
        Ok(Self {
            writer,
            transactions: Transactions::new(autocommit),
            thread,
            own_time: false,
            last_digest: String::new(),
            fragile: false,
            point: (None, None),
        })
    }
}

/// Sends the files of this machine that `LOAD DATA LOCAL INFILE` names.
pub fn local_files() -> LocalInfileHandler {
    LocalInfileHandler::new(|name, out| {
        let path = std::str::from_utf8(name).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        io::copy(&mut File::open(path)?, out).map(drop)
    })
}

/// A statement that looks back at the one before: nothing may be sent between the two.
pub fn looks_back(statement: &Statement) -> bool {
    let text = statement.text.to_ascii_lowercase();
    [
        "row_count",
        "found_rows",
        "show warnings",
        "show errors",
        "warning_count",
        "error_count",
        "get diagnostics",
        "profile",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// A statement that rules only the next one: `SET TRANSACTION …` without SESSION, `SET STATEMENT` aside.
pub fn looks_forward(statement: &Statement) -> bool {
    let text = statement.text.to_ascii_lowercase();
    let mut words = text.split_whitespace();
    statement.reading.kind == Kind::Set && words.next() == Some("set") && words.next() == Some("transaction")
}

//! Sessions on a server: [`ReadOnly`] cannot write, [`Writer`] can.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, Result};
use mysql::prelude::{FromRow, Queryable};
use mysql::{Conn, LocalInfileHandler, OptsBuilder};

use super::address::{Address, Endpoint};
use super::fault::Fault;
use super::role::{Role, Roster};
use super::tls::Mode;

/// A session that reads. It has no `execute`, and tells the server `SET SESSION TRANSACTION READ ONLY` besides.
#[derive(Debug)]
pub struct ReadOnly {
    link: Link,
}

/// A session that may change data. Opened in `sandbox/instance.rs` and `apply/target.rs` alone; a test holds to it.
#[derive(Debug)]
pub struct Writer {
    link: Link,
}

/// What a statement did, as the server's OK packet tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Rows changed (not rows matched): the sum over all result sets.
    pub affected: u64,
    /// Rows that came back, read and thrown away.
    pub returned: u64,
    /// Warnings that the server counted.
    pub warnings: u16,
    /// The server's own summary, such as `Rows matched: 3  Changed: 1  Warnings: 0`; empty when it gave none.
    pub info: String,
}

#[derive(Debug)]
struct Link {
    conn: Conn,
    roster: Roster,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.roster.leave(self.conn.connection_id());
    }
}

impl Link {
    fn open(address: &Address, role: Role, roster: &Roster, timeout: Duration) -> Result<Self, Fault> {
        let options = OptsBuilder::new()
            .user(Some(&address.user))
            .pass(Some(&address.password))
            .db_name(address.database.as_ref())
            .prefer_socket(false)
            .tcp_connect_timeout(Some(timeout))
            // Firewalls forget connections on which nothing comes for minutes, as while an ALTER runs.
            .tcp_keepalive_time_ms(Some(60_000))
            .connect_attrs(Some([("program_name", format!("rehearse-{}", role.name()))].into()));
        let options = match &address.endpoint {
            Endpoint::Socket(path) => options.socket(Some(path.to_string_lossy())),
            Endpoint::Tcp { host, port } => options.ip_or_hostname(Some(host)).tcp_port(*port),
        };
        let tls = match &address.endpoint {
            Endpoint::Socket(_) => None,
            Endpoint::Tcp { .. } => address.tls.options().map_err(unencrypted)?,
        };
        let conn = match Conn::new(options.clone().ssl_opts(tls)) {
            Err(mysql::Error::DriverError(mysql::DriverError::TlsNotSupported))
                if address.tls.mode() == Mode::Preferred =>
            {
                Conn::new(options)
            }
            conn => conn,
        };
        let conn = conn.map_err(|error| match error {
            mysql::Error::DriverError(mysql::DriverError::TlsNotSupported) => {
                unencrypted("the server offers no encryption, and ssl-mode asks for it")
            }
            mysql::Error::TlsError(error) => unencrypted(error),
            // The handshake comes with the first bytes.
            mysql::Error::IoError(error)
            | mysql::Error::CodecError(mysql_common::proto::codec::error::PacketCodecError::Io(error))
                if error.kind() == ErrorKind::InvalidData =>
            {
                unencrypted(error)
            }
            other => to_fault(other),
        })?;
        roster.enter(conn.connection_id(), role);
        Ok(Self { conn, roster: roster.clone() })
    }

    fn rows<T: FromRow>(&mut self, sql: &str) -> Result<Vec<T>, Fault> {
        let mut rows = Vec::new();
        self.each(sql, |row| rows.push(row))?;
        Ok(rows)
    }

    fn each<T: FromRow>(&mut self, sql: &str, mut visit: impl FnMut(T)) -> Result<(), Fault> {
        let mut result = self.conn.query_iter(sql).map_err(to_fault)?;
        let Some(set) = result.iter() else { return Ok(()) };
        for row in set {
            let row = row.map_err(to_fault)?;
            visit(T::from_row_opt(row).map_err(|error| Fault {
                number: u16::MAX,
                state: "HY000".into(),
                message: format!("the answer to `{sql}` has another shape than expected: {error}"),
            })?);
        }
        Ok(())
    }

    fn run(&mut self, sql: &str) -> Result<Done, Fault> {
        let mut result = self.conn.query_iter(sql).map_err(to_fault)?;
        let mut done = Done::default();
        loop {
            done.affected += result.affected_rows();
            done.warnings = done.warnings.saturating_add(result.warnings());
            let info = result.info_str();
            if !info.is_empty() {
                done.info = info.into_owned();
            }
            match result.iter() {
                None => break,
                Some(set) => {
                    for row in set {
                        row.map_err(to_fault)?;
                        done.returned += 1;
                    }
                }
            }
        }
        Ok(done)
    }
}

impl ReadOnly {
    /// Opens a session that can only read.
    ///
    /// # Errors
    /// The server's own fault, or the loss of the connection, when it does not let us in within `timeout`.
    pub fn open(address: &Address, role: Role, roster: &Roster, timeout: Duration) -> Result<Self, Fault> {
        let mut link = Link::open(address, role, roster, timeout)?;
        link.run("SET SESSION TRANSACTION READ ONLY")?;
        Ok(Self { link })
    }

    /// The server's id of this connection.
    pub fn connection_id(&self) -> u32 {
        self.link.conn.connection_id()
    }

    /// All rows of a query's first result set.
    pub fn rows<T: FromRow>(&mut self, sql: &str) -> Result<Vec<T>, Fault> {
        self.link.rows(sql)
    }

    /// Hands each row of a query's first result set to `visit` as it arrives.
    pub fn each<T: FromRow>(&mut self, sql: &str, visit: impl FnMut(T)) -> Result<(), Fault> {
        self.link.each(sql, visit)
    }

    /// The first row of a query, when there is one.
    pub fn first<T: FromRow>(&mut self, sql: &str) -> Result<Option<T>, Fault> {
        Ok(self.rows(sql)?.into_iter().next())
    }

    /// Makes `database` the default one.
    pub fn use_database(&mut self, database: &str) -> Result<(), Fault> {
        self.link.conn.select_db(database).map_err(to_fault)
    }

    /// Sets a variable of this session; the one thing besides queries that a reader sends.
    pub fn set(&mut self, variable: &str, value: &str) -> Result<(), Fault> {
        self.link.run(&format!("SET SESSION {variable} = {value}")).map(drop)
    }
}

impl Writer {
    /// Opens a session that may write. For `sandbox/instance.rs` and `apply/target.rs` only.
    ///
    /// # Errors
    /// The server's own fault, or the loss of the connection, when it does not let us in within `timeout`.
    pub fn open(address: &Address, role: Role, roster: &Roster, timeout: Duration) -> Result<Self, Fault> {
        Ok(Self { link: Link::open(address, role, roster, timeout)? })
    }

    /// The server's id of this connection.
    pub fn connection_id(&self) -> u32 {
        self.link.conn.connection_id()
    }

    /// Sends one statement (or several, as one text) and reads all that comes back.
    pub fn execute(&mut self, sql: &str) -> Result<Done, Fault> {
        self.link.run(sql)
    }

    /// All rows of a query's first result set.
    pub fn rows<T: FromRow>(&mut self, sql: &str) -> Result<Vec<T>, Fault> {
        self.link.rows(sql)
    }

    /// The first row of a query, when there is one.
    pub fn first<T: FromRow>(&mut self, sql: &str) -> Result<Option<T>, Fault> {
        Ok(self.rows(sql)?.into_iter().next())
    }

    /// Makes `database` the default one.
    pub fn use_database(&mut self, database: &str) -> Result<(), Fault> {
        self.link.conn.select_db(database).map_err(to_fault)
    }

    /// Answers the next `LOAD DATA LOCAL INFILE` from `handler`. After a handler failed the session must be thrown
    /// away: the driver and the server are out of step (seen with mysql 28).
    pub fn serve_local_infile(&mut self, handler: Option<LocalInfileHandler>) {
        self.link.conn.set_local_infile_handler(handler);
    }
}

/// 2026, as the stock client says it: the two could not agree on how to encrypt. Another try would not help.
fn unencrypted(why: impl fmt::Display) -> Fault {
    Fault { number: 2026, state: "HY000".into(), message: format!("TLS: {why}") }
}

/// The driver's error as a fault; whatever is no answer of the server counts as a lost connection.
fn to_fault(error: mysql::Error) -> Fault {
    match error {
        mysql::Error::MySqlError(error) => Fault { number: error.code, state: error.state, message: error.message },
        other => Fault::connection_lost(other.to_string()),
    }
}

/// Opens a reader on an address that a person named.
///
/// # Errors
/// With the address and the server's words.
pub fn read_only(address: &Address, role: Role) -> Result<ReadOnly> {
    ReadOnly::open(address, role, &Roster::default(), Duration::from_secs(10))
        .with_context(|| format!("cannot connect to {address}"))
}

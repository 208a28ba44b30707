//! Which databases and tables there are.

use anyhow::{Context, Result};

use super::answer::Cells;
use crate::problem::{BadInput, nearest};
use crate::server::session::ReadOnly;
use crate::sql::record::quote_text;

/// The database that marks a server as disposable: nothing of production's, and lost if it were filled as such.
pub const MARKER: &str = "rehearse_disposable";
/// Databases that belong to the server, and the mark.
const OWN: [&str; 6] = ["information_schema", "performance_schema", "mysql", "sys", "ndbinfo", MARKER];

/// The databases to read, as the server spells them: those named, or all that are not the server's own.
///
/// # Errors
/// When a named database does not exist or may not be seen.
pub fn databases(reader: &mut ReadOnly, named: &[String]) -> Result<Vec<String>> {
    let sql = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME";
    let there: Vec<Cells> = reader.rows(sql).context("cannot list the databases")?;
    let there: Vec<String> = there.iter().map(|row| row.text(0)).collect();
    if named.is_empty() {
        return Ok(there.into_iter().filter(|name| !is_own(name)).collect());
    }
    let mut found = Vec::new();
    for name in named {
        let exact = there.iter().find(|known| *known == name);
        match exact.or_else(|| there.iter().find(|known| known.eq_ignore_ascii_case(name))) {
            Some(known) if !found.contains(known) => found.push(known.clone()),
            Some(_) => {}
            None => {
                let known: Vec<&str> = there.iter().map(String::as_str).filter(|name| !is_own(name)).collect();
                let meant = nearest(name, known.iter().copied());
                let hint = match meant {
                    Some(meant) => format!("hint: Did you mean '{meant}'?"),
                    None => {
                        format!("hint: There are {}.", if known.is_empty() { "none".into() } else { known.join(", ") })
                    }
                };
                let what = format!("there is no database '{name}' that this account may see");
                return Err(anyhow::Error::new(BadInput::new(what)).context(hint));
            }
        }
    }
    Ok(found)
}

fn is_own(database: &str) -> bool {
    OWN.iter().any(|own| own.eq_ignore_ascii_case(database))
}

/// What `information_schema.TABLES` says of one table.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// `BASE TABLE`, `VIEW`, `SYSTEM VERSIONED`, `SEQUENCE`.
    pub kind: String,
    /// Its engine; none for views and for tables that the server cannot open.
    pub engine: Option<String>,
    /// Estimated rows (exact for MyISAM).
    pub rows: u64,
    /// Bytes of data.
    pub data_bytes: u64,
    /// Bytes of indexes.
    pub index_bytes: u64,
    /// Next AUTO_INCREMENT value.
    pub auto_increment: Option<u64>,
    /// The server's remark: for a table that cannot be opened, why.
    pub comment: String,
}

impl Listed {
    /// True for what holds rows.
    pub fn is_table(&self) -> bool {
        matches!(self.kind.as_str(), "BASE TABLE" | "SYSTEM VERSIONED")
    }
}

/// The tables, views and sequences of a database, by name.
///
/// # Errors
/// When the server does not answer.
pub fn tables(reader: &mut ReadOnly, database: &str) -> Result<Vec<Listed>> {
    let sql = format!(
        "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH, INDEX_LENGTH, AUTO_INCREMENT, TABLE_COMMENT \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} ORDER BY TABLE_NAME",
        quote_text(database)
    );
    let rows: Vec<Cells> = reader.rows(&sql).with_context(|| format!("cannot list the tables of {database}"))?;
    let listed = |row: &Cells| Listed {
        name: row.text(0),
        kind: row.text(1),
        engine: row.maybe(2),
        rows: row.number(3).unwrap_or_default(),
        data_bytes: row.number(4).unwrap_or_default(),
        index_bytes: row.number(5).unwrap_or_default(),
        auto_increment: row.number(6),
        comment: row.text(7),
    };
    // A temporary table of our own session cannot exist; MariaDB lists those of others never.
    Ok(rows.iter().map(listed).filter(|table| table.kind != "TEMPORARY").collect())
}

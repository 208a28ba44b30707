//! What the objects that a statement touches look like: compared before and after, they tell whether it happened.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::artifact::sha256;
use crate::execute::ask;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_text};
use crate::survey::answer::Cells;
use crate::survey::definition::normalise;

/// Something that a statement may change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A table or a view.
    Table(TableName),
    /// All triggers of these databases.
    Triggers(BTreeSet<String>),
    /// All routines of these databases.
    Routines(BTreeSet<String>),
    /// All events of these databases.
    Events(BTreeSet<String>),
    /// All databases, by name, character set and collation.
    Databases,
}

impl Object {
    /// Its name in a signature, and for people.
    pub fn name(&self) -> String {
        match self {
            Self::Table(table) => table.to_string(),
            Self::Triggers(_) => "the triggers".to_owned(),
            Self::Routines(_) => "the routines".to_owned(),
            Self::Events(_) => "the events".to_owned(),
            Self::Databases => "the databases".to_owned(),
        }
    }
}

/// What an object looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// It is there.
    pub there: bool,
    /// Its definition in one spelling.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
    /// InnoDB's ids of the table and its partitions: a table made or emptied anew has new ones. Empty where they cannot be read.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ids: BTreeSet<u64>,
    /// When it was made, as the server says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// TRUNCATE gives it a new time of making.
    #[serde(default)]
    pub told_by_time: bool,
}

/// What some objects look like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The server that was asked: another one's ids say nothing.
    pub server: String,
    /// The objects by name.
    pub objects: BTreeMap<String, Seen>,
}

/// Looks at objects.
///
/// # Errors
/// The server's fault. A missing right to see InnoDB's ids is none.
pub fn take(
    reader: &mut ReadOnly,
    flavor: Flavor,
    server: &str,
    objects: &BTreeSet<Object>,
) -> Result<Signature, Fault> {
    let mut signature = Signature { server: server.to_owned(), objects: BTreeMap::new() };
    for object in objects {
        let seen = match object {
            Object::Table(table) => table_seen(reader, flavor, table)?,
            Object::Triggers(databases) => listed(
                reader,
                databases,
                "TRIGGER_SCHEMA",
                "TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT, \
                 SQL_MODE, DEFINER, CREATED",
                "triggers",
            )?,
            Object::Routines(databases) => listed(
                reader,
                databases,
                "ROUTINE_SCHEMA",
                "ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION, SQL_MODE, DEFINER, LAST_ALTERED, CREATED",
                "routines",
            )?,
            Object::Events(databases) => listed(
                reader,
                databases,
                "EVENT_SCHEMA",
                "EVENT_SCHEMA, EVENT_NAME, EVENT_DEFINITION, STATUS, SQL_MODE, DEFINER, LAST_ALTERED, CREATED",
                "events",
            )?,
            Object::Databases => {
                let rows = reader.rows::<Cells>(
                    "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA \
                     ORDER BY SCHEMA_NAME",
                )?;
                list(rows, 3)
            }
        };
        signature.objects.insert(object.name(), seen);
    }
    Ok(signature)
}

fn listed(
    reader: &mut ReadOnly,
    databases: &BTreeSet<String>,
    column: &str,
    columns: &str,
    view: &str,
) -> Result<Seen, Fault> {
    let names: Vec<String> = databases.iter().map(|name| quote_text(name)).collect();
    let names = if names.is_empty() { "''".to_owned() } else { names.join(", ") };
    let rows = reader.rows::<Cells>(&format!(
        "SELECT {columns} FROM information_schema.{view} WHERE {column} IN ({names}) ORDER BY 1, 2, 3"
    ))?;
    Ok(list(rows, columns.split(',').count()))
}

fn list(rows: Vec<Cells>, columns: usize) -> Seen {
    // The bodies of all routines would be too much for a row of the journal.
    let line = |row: &Cells| {
        let name: Vec<String> = (0..columns.min(3)).map(|at| row.text(at)).collect();
        let rest: Vec<String> = (3..columns).map(|at| row.text(at)).collect();
        let digest = sha256(&rest.join("\n"));
        format!("{} {}", name.join(" "), &digest[..16])
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    Seen { there: true, definition: lines.join("\n"), ..Seen::default() }
}

fn table_seen(reader: &mut ReadOnly, flavor: Flavor, table: &TableName) -> Result<Seen, Fault> {
    let found = reader.first::<Cells>(&format!(
        "SELECT ENGINE, CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        quote_text(&table.database),
        quote_text(&table.table)
    ))?;
    let Some(found) = found else { return Ok(Seen::default()) };
    let definition = match reader.first::<Cells>(&format!("SHOW CREATE TABLE {}", table.quoted())) {
        Ok(row) => normalise(&row.map(|row| row.text(1)).unwrap_or_default()),
        // It went between the two questions, or is a view of what went.
        Err(fault) if matches!(fault.number, 1146 | 1356) => String::new(),
        Err(fault) => return Err(fault),
    };
    let innodb = found.text(0).eq_ignore_ascii_case("innodb");
    let ids = match ask::ids(reader, flavor, table) {
        Ok(ids) => ids,
        Err(fault) if fault.is_connection_lost() => return Err(fault),
        // The account may not see them, or this server has no such view.
        Err(fault) if fault.is_access_denied() || fault.number == 1109 => BTreeSet::new(),
        Err(fault) => return Err(fault),
    };
    // MariaDB takes the time from a file that TRUNCATE of an InnoDB table leaves as it is.
    let told_by_time = !(innodb && flavor.is_mariadb());
    Ok(Seen { there: true, definition, ids, created: found.maybe(1), told_by_time })
}

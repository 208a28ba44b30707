//! Views, triggers, routines, events and sequences.

use anyhow::Result;

use super::ask::{Gaps, ask, ask_one};
use super::catalog::Listed;
use crate::progress::Progress;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_text};

/// A kind of object that is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// MariaDB's number generator.
    Sequence,
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// A stored procedure.
    Procedure,
    /// A stored function.
    Function,
    /// MariaDB's package of routines: its specification.
    Package,
    /// The package's body.
    PackageBody,
    /// An event of the server's scheduler.
    Event,
}

impl ObjectKind {
    /// The word in SQL, in lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::View => "view",
            Self::Trigger => "trigger",
            Self::Procedure => "procedure",
            Self::Function => "function",
            Self::Package => "package",
            Self::PackageBody => "package body",
            Self::Event => "event",
        }
    }

    /// The column of `SHOW CREATE …` that holds the statement (manual).
    fn place(self) -> usize {
        match self {
            Self::Sequence | Self::View => 1,
            Self::Trigger | Self::Procedure | Self::Function | Self::Package | Self::PackageBody => 2,
            Self::Event => 3,
        }
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name.
    pub name: TableName,
    /// Its `SHOW CREATE …`.
    pub create: String,
    /// Triggers: the table, `BEFORE` or `AFTER`, the event, the `sql_mode`.
    pub trigger: Option<Firing>,
}

/// When a trigger fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// On which table.
    pub table: String,
    /// `BEFORE` or `AFTER`.
    pub timing: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub event: String,
    /// Under which `sql_mode`.
    pub sql_mode: String,
}

/// The objects of a database in an order in which they can be made: sequences, views, triggers (in the order in which
/// they fire), routines, events.
///
/// # Errors
/// When the connection is lost or the person asked to stop.
pub fn read(
    reader: &mut ReadOnly,
    database: &str,
    listed: &[Listed],
    gaps: &mut Gaps,
    progress: &dyn Progress,
) -> Result<Vec<Object>> {
    let mut found: Vec<(ObjectKind, String, Option<Firing>)> = Vec::new();
    for (kind, word) in [(ObjectKind::Sequence, "SEQUENCE"), (ObjectKind::View, "VIEW")] {
        found.extend(listed.iter().filter(|table| table.kind == word).map(|table| (kind, table.name.clone(), None)));
    }
    let quoted = quote_text(database);
    let sql = format!(
        "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, SQL_MODE \
         FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {quoted} \
         ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER, TRIGGER_NAME"
    );
    for row in ask(reader, &sql, &format!("the triggers of {database}"), gaps)? {
        let firing = Firing { table: row.text(1), timing: row.text(2), event: row.text(3), sql_mode: row.text(4) };
        found.push((ObjectKind::Trigger, row.text(0), Some(firing)));
    }
    let sql = format!(
        "SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {quoted} \
         ORDER BY ROUTINE_TYPE, ROUTINE_NAME"
    );
    for row in ask(reader, &sql, &format!("the routines of {database}"), gaps)? {
        match row.text(1).as_str() {
            "PROCEDURE" => found.push((ObjectKind::Procedure, row.text(0), None)),
            "FUNCTION" => found.push((ObjectKind::Function, row.text(0), None)),
            "PACKAGE" => found.push((ObjectKind::Package, row.text(0), None)),
            "PACKAGE BODY" => found.push((ObjectKind::PackageBody, row.text(0), None)),
            other => gaps.push(format!("{database}.{} is a {other}, which is not read", row.text(0))),
        }
    }
    let sql =
        format!("SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {quoted} ORDER BY EVENT_NAME");
    let events = ask(reader, &sql, &format!("the events of {database}"), gaps)?;
    found.extend(events.iter().map(|row| (ObjectKind::Event, row.text(0), None)));

    let mut objects = Vec::new();
    for (kind, name, trigger) in found {
        progress.check()?;
        let name = TableName::new(database, name);
        let what = format!("the definition of {} {name}", kind.word());
        let show = format!("SHOW CREATE {} {}", kind.word().to_uppercase(), name.quoted());
        let Some(row) = ask_one(reader, &show, &what, gaps)? else { continue };
        match row.maybe(kind.place()) {
            Some(create) => objects.push(Object { kind, name, create, trigger }),
            None => gaps.push(format!("{what} could not be read: the account may not see its body")),
        }
    }
    Ok(objects)
}

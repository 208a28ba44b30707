//! The journal on the target: what has begun and what is done, so that nothing is done twice. Pure but for the reading.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use mysql::prelude::FromRow;
use mysql::{FromRowError, Row as SqlRow};
use serde::{Deserialize, Serialize};

use super::record::{JOURNAL_TABLE, Phase};
use super::signature::Signature;
use super::target::Line;
use crate::server::fault::Fault;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_identifier};

/// The state of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It may have happened, wholly or in part.
    Begun,
    /// It has happened.
    Done,
}

/// What is kept of a unit beside its state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// User variables of the session before it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Value>,
    /// The same after it, where it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<BTreeMap<String, Value>>,
    /// What it touches, before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// How far a walk is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk: Option<Walked>,
    /// Its statements cannot be rolled back, or nobody can tell: once begun, it is in doubt until it is done.
    #[serde(default)]
    pub in_doubt: bool,
    /// A person said once that it did not happen; what came then is in doubt anew.
    #[serde(default)]
    pub again: bool,
}

/// A user variable that is not NULL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// Its value as SQL.
    pub literal: String,
}

/// How far a walk is. Keys are literals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walked {
    /// The last key that was there at the start.
    pub stop: Vec<String>,
    /// The last key that is done; none at the start.
    #[serde(default)]
    pub done: Option<Vec<String>>,
    /// Rows of the next range.
    pub rows: u64,
    /// Batches so far.
    pub batches: u64,
    /// On a table that cannot roll back: the end of the range that was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<Vec<String>>,
}

/// A unit's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its state.
    pub state: State,
    /// Rows that it changed.
    pub rows: u64,
    /// The rest.
    pub details: Details,
    /// Seconds since it was done (or begun), when the journal was read; 0 for what this run does.
    old: u64,
    /// When the journal was read, or this was done.
    seen: Instant,
}

impl Row {
    /// Of what this run does now.
    pub fn now(state: State, rows: u64, details: Details) -> Self {
        Self { state, rows, details, old: 0, seen: Instant::now() }
    }

    /// Seconds since it was done, or begun.
    pub fn age(&self) -> u64 {
        self.old + self.seen.elapsed().as_secs()
    }
}

/// Writes the journal's SQL. All of it is plain ASCII, so that no session's character set changes it, and quotes nothing
/// that a session's `sql_mode` could read in another way.
#[derive(Clone, Debug)]
pub struct Journal {
    table: String,
    database: String,
    digest: String,
    phase: Phase,
    round: u32,
    server: String,
}

/// A text as SQL: in hex unless it is harmless.
pub fn literal(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || " _-./:".contains(c);
    if text.chars().all(harmless) {
        format!("'{text}'")
    } else {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("CONVERT(0x{hex} USING utf8mb4)")
    }
}

impl Journal {
    /// The journal of a plan in a database.
    pub fn new(database: &str, digest: &str, phase: Phase, server: &str) -> Self {
        let table = TableName::new(database, JOURNAL_TABLE).quoted();
        let database = database.to_owned();
        Self { table, database, digest: digest.to_owned(), phase, round: 1, server: server.to_owned() }
    }

    /// The statements that make it, where it is not there.
    pub fn create(&self) -> [String; 2] {
        [
            format!("CREATE DATABASE IF NOT EXISTS {}", quote_identifier(&self.database)),
            format!(
                "CREATE TABLE IF NOT EXISTS {} (plan CHAR(64) CHARACTER SET ascii NOT NULL, round INT NOT NULL, \
                 phase VARCHAR(10) CHARACTER SET ascii NOT NULL, unit VARCHAR(150) CHARACTER SET utf8mb4 NOT NULL, \
                 state VARCHAR(5) CHARACTER SET ascii NOT NULL, rows_changed BIGINT UNSIGNED NOT NULL DEFAULT 0, \
                 details LONGTEXT CHARACTER SET utf8mb4, begun_at DATETIME(3), done_at DATETIME(3), \
                 connection BIGINT UNSIGNED NOT NULL DEFAULT 0, server VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL, \
                 what VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL, PRIMARY KEY (plan, round, phase, unit)) ENGINE=InnoDB",
                self.table
            ),
        ]
    }

    /// The journal is kept on another server from now on.
    pub fn set_server(&mut self, server: &str) {
        server.clone_into(&mut self.server);
    }

    /// Other plans that were begun here and neither carried out to their end nor undone: digests.
    ///
    /// # Errors
    /// The server's fault.
    pub fn unfinished(&self, line: &mut Line) -> Result<Vec<String>, Fault> {
        let table = &self.table;
        line.rows::<String>(&format!(
            "SELECT DISTINCT s.plan FROM {table} AS s WHERE s.plan <> '{}' AND NOT EXISTS (SELECT 1 FROM {table} AS d \
             WHERE d.plan = s.plan AND d.round = s.round AND d.unit = '' AND d.state = 'done' AND d.phase IN ('forward', 'undo'))",
            self.digest
        ))
    }

    /// The question whether the journal's table is there.
    pub fn is_there(&self) -> String {
        format!(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = '{JOURNAL_TABLE}'",
            literal(&self.database)
        )
    }

    /// The round that is carried out.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// A round was carried out to its end, and its undo was not.
    ///
    /// # Errors
    /// The server's fault.
    pub fn is_ended(&self, line: &mut Line, round: u32) -> Result<bool, Fault> {
        let phases = line.rows::<String>(&format!(
            "SELECT phase FROM {} WHERE plan = '{}' AND round = {round} AND unit = '' AND state = 'done'",
            self.table, self.digest
        ))?;
        Ok(phases.iter().any(|phase| phase == "forward") && !phases.iter().any(|phase| phase == "undo"))
    }

    /// The servers on which units of the plan were noted: after a failover another one than now.
    ///
    /// # Errors
    /// The server's fault.
    pub fn servers(&self, line: &mut Line) -> Result<BTreeSet<String>, Fault> {
        let sql = format!("SELECT DISTINCT server FROM {} WHERE plan = '{}'", self.table, self.digest);
        Ok(line.rows::<String>(&sql)?.into_iter().collect())
    }

    /// Begins `round` of the plan: after an undo it can be carried out anew.
    pub fn set_round(&mut self, round: u32) {
        self.round = round;
    }

    /// The newest round, and whether its undo got to its end.
    ///
    /// # Errors
    /// The server's fault.
    pub fn newest(&self, line: &mut Line) -> Result<(u32, bool), Fault> {
        let newest = line.first::<(Option<u32>,)>(&format!(
            "SELECT MAX(round) FROM {} WHERE plan = '{}'",
            self.table, self.digest
        ))?;
        let round = newest.and_then(|(round,)| round).unwrap_or(1);
        let undone = line.first::<(u64,)>(&format!(
            "SELECT COUNT(*) FROM {} WHERE plan = '{}' AND round = {round} AND phase = 'undo' AND unit = '' AND state = 'done'",
            self.table, self.digest
        ))?;
        Ok((round, undone.is_some_and(|(count,)| count > 0)))
    }

    /// The units that are noted in the newest round, in this phase; none once that round was undone.
    ///
    /// # Errors
    /// The server's fault; 1146 where there is no journal.
    pub fn units(&self, reader: &mut ReadOnly) -> Result<Vec<String>, Fault> {
        let rows = reader.rows::<(u32, String, String, String)>(&format!(
            "SELECT round, phase, unit, state FROM {} WHERE plan = '{}'",
            self.table, self.digest
        ))?;
        let newest = rows.iter().map(|(round, ..)| *round).max();
        let of_newest: Vec<_> = rows.into_iter().filter(|(round, ..)| Some(*round) == newest).collect();
        let undone =
            of_newest.iter().any(|(_, phase, unit, state)| phase == "undo" && unit.is_empty() && state == "done");
        let ours = |(_, phase, unit, _): (_, String, String, _)| (phase == self.phase.name()).then_some(unit);
        Ok(if undone { Vec::new() } else { of_newest.into_iter().filter_map(ours).collect() })
    }

    /// All rows of a phase of this round.
    ///
    /// # Errors
    /// The server's fault.
    pub fn read(&self, line: &mut Line, phase: Phase) -> Result<BTreeMap<String, Row>, Fault> {
        let rows = line.rows::<Raw>(&format!(
            "SELECT unit, state, rows_changed, details, CAST(GREATEST(TIMESTAMPDIFF(SECOND, COALESCE(done_at, begun_at), \
             UTC_TIMESTAMP()), 0) AS UNSIGNED) FROM {} WHERE plan = '{}' AND round = {} AND phase = '{}'",
            self.table,
            self.digest,
            self.round,
            phase.name()
        ))?;
        rows.into_iter()
            .map(|raw| {
                let details = serde_json::from_str(&raw.details).map_err(|error| Fault {
                    number: u16::MAX,
                    state: "HY000".to_owned(),
                    message: format!("the journal's row of {} cannot be read: {error}", raw.unit),
                })?;
                let state = if raw.state == "done" { State::Done } else { State::Begun };
                Ok((raw.unit, Row { old: raw.age, ..Row::now(state, raw.rows, details) }))
            })
            .collect()
    }

    /// The statement that notes a unit.
    pub fn note(&self, unit: &str, what: &str, state: State, rows: u64, details: &Details, connection: u32) -> String {
        let details = literal(&serde_json::to_string(details).unwrap_or_default());
        let what: String = what.chars().take(200).collect();
        let (word, done_at) = match state {
            State::Begun => ("begun", "NULL"),
            State::Done => ("done", "UTC_TIMESTAMP(3)"),
        };
        format!(
            "INSERT INTO {} (plan, round, phase, unit, state, rows_changed, details, begun_at, done_at, connection, server, \
             what) VALUES ('{}', {}, '{}', {}, '{word}', {rows}, {details}, UTC_TIMESTAMP(3), {done_at}, {connection}, {}, {}) \
             ON DUPLICATE KEY UPDATE state = VALUES(state), rows_changed = VALUES(rows_changed), details = VALUES(details), \
             done_at = VALUES(done_at), connection = VALUES(connection), server = VALUES(server)",
            self.table,
            self.digest,
            self.round,
            self.phase.name(),
            literal(unit),
            literal(&self.server),
            literal(&what)
        )
    }

    /// The statement that forgets a unit: it is known not to have happened.
    pub fn forget(&self, unit: &str) -> String {
        format!(
            "DELETE FROM {} WHERE plan = '{}' AND round = {} AND phase = '{}' AND unit = {}",
            self.table,
            self.digest,
            self.round,
            self.phase.name(),
            literal(unit)
        )
    }
}

/// A row as the server sends it.
struct Raw {
    unit: String,
    state: String,
    rows: u64,
    details: String,
    age: u64,
}

impl FromRow for Raw {
    fn from_row_opt(row: SqlRow) -> Result<Self, FromRowError> {
        let (unit, state, rows, details, age) = FromRow::from_row_opt(row)?;
        Ok(Self { unit, state, rows, details, age })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_could_misread_goes_in_hex() {
        assert_eq!(literal("step-003/2"), "'step-003/2'");
        assert_eq!(literal("it's \\"), "CONVERT(0x69742773205c USING utf8mb4)");
    }

    #[test]
    fn details_read_back() {
        let details = Details {
            variables: [("a".to_owned(), Value { literal: "_utf8mb4 0xC3A9".to_owned() })].into(),
            walk: Some(Walked { stop: vec!["9".to_owned()], done: None, rows: 5, batches: 0, doing: None }),
            ..Details::default()
        };
        let text = serde_json::to_string(&details).expect("text");
        assert_eq!(serde_json::from_str::<Details>(&text).expect("details"), details);
    }
}

//! The session that carries a leg out: opened as the stock client opens its own, under a named lock, and brought to where
//! an earlier run left off.

use std::collections::BTreeMap;

use mysql::consts::ColumnType;
use mysql::prelude::FromRow;
use mysql::{FromRowError, Row, Value as SqlValue};

use super::atom::{Atom, Piece, assigned, sets_only_variables, variables};
use super::course::Leg;
use super::halt::{Course, Halt};
use super::journal::Value;
use super::target::{Calls, Line, Target};
use crate::execute::session::local_files;
use crate::plan::work::COPY_MODE;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::role::Role;
use crate::sql::record::{Kind, quote_identifier, quote_text};

/// Seconds that the server keeps a session of ours that sends nothing. While we rest we ask it something; what a network
/// cut off is gone after this, with its locks.
const IDLE: u32 = 600;

/// Stands for `LAST_INSERT_ID()` among the variables; none can be called so.
const LAST_ID: &str = "last insert id";

/// The session that carries a leg out.
pub struct Session {
    pub(super) line: Line,
    flavor: Flavor,
    /// User variables that the leg mentions.
    names: Vec<String>,
    /// The leg's own patience with locks, in seconds.
    patience: Option<u64>,
    impatient: bool,
    /// A leg has begun on it.
    pub(super) used: bool,
}

impl Session {
    /// Opens a session. Globals rule it but for what the stock client sets: the character set (dba.md M11).
    ///
    /// # Errors
    /// The server's fault.
    pub(super) fn open(target: &Target, calls: &Calls, flavor: Flavor) -> Result<Self, Fault> {
        let mut writer = target.writer(Role::Upgrade)?;
        writer.serve_local_infile(Some(local_files()));
        let mut line = Line::new(writer, calls);
        line.execute("SET NAMES utf8mb4")?;
        line.execute(&format!("SET SESSION wait_timeout = {IDLE}"))?;
        Ok(Self { line, flavor, names: Vec::new(), patience: None, impatient: false, used: false })
    }

    /// Prepares for a leg: from its atom `first` on, where an earlier run had got with these user variables.
    ///
    /// # Errors
    /// A stop where the leg needs what only its first session had.
    pub(super) fn bring_to(&mut self, leg: &Leg, first: usize, saved: &BTreeMap<String, Value>) -> Course<()> {
        let mentioned = leg.atoms.iter().flat_map(Atom::pieces).flat_map(|piece| variables(&piece.text, self.flavor));
        self.names = mentioned.collect();
        let asks = |piece: &&Piece| piece.text.to_ascii_lowercase().contains("last_insert_id");
        if leg.atoms.iter().flat_map(Atom::pieces).any(|piece| asks(&piece)) {
            self.names.push(LAST_ID.to_owned());
        }
        self.names.sort();
        self.names.dedup();
        let earlier = &leg.atoms[..first];
        if earlier.is_empty() {
            return Ok(());
        }
        self.restore(saved)?;
        for piece in earlier.iter().flat_map(Atom::session_pieces) {
            if piece.reading.effect.temporary {
                return Err(Halt::stopped(
                    &leg.atoms[first].id,
                    format!(
                        "what comes before it in {} made a temporary table, and that was lost with its session: {}",
                        leg.name,
                        piece.text.trim()
                    ),
                    "make by hand what the rest of this script would have made, then say so with --settled UNIT=done for each of its units",
                ));
            }
            // What a variable was given then is saved; asked again now, its query would answer another thing.
            let sets = !assigned(&piece.text, self.flavor).is_empty();
            if sets_only_variables(&piece.text, self.flavor) || (sets && piece.reading.kind == Kind::Select) {
                continue;
            }
            self.line.execute(&piece.text).map_err(|fault| unless_lost(fault, &leg.atoms[first], &piece.text))?;
        }
        self.restore(saved)
    }

    fn restore(&mut self, saved: &BTreeMap<String, Value>) -> Course<()> {
        for (name, value) in saved {
            if name == LAST_ID {
                self.line.execute(&format!("SET SESSION last_insert_id = {}", value.literal))?;
            } else {
                self.line.execute(&format!("SET @{} = {}", quote_identifier(name), value.literal))?;
            }
        }
        Ok(())
    }

    /// The user variables that the leg mentions, as they are now.
    ///
    /// # Errors
    /// The server's fault.
    pub(super) fn variables(&mut self) -> Result<BTreeMap<String, Value>, Fault> {
        if self.names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let read = |name: &String| {
            if name == LAST_ID {
                return "LAST_INSERT_ID(), 'x', 'x', 'x'".to_owned();
            }
            let name = quote_identifier(name);
            // In hex, for the session's character set would change it on its way.
            format!("@{name}, HEX(@{name}), CHARSET(@{name}), COLLATION(@{name})")
        };
        let list: Vec<String> = self.names.iter().map(read).collect();
        let row = self.line.first::<Values>(&format!("SELECT {}", list.join(", ")))?;
        let values = row.map(|row| row.0).unwrap_or_default();
        Ok(self.names.iter().cloned().zip(values).filter_map(|(name, value)| Some((name, value?))).collect())
    }

    /// The same after a unit, where the leg mentions any.
    ///
    /// # Errors
    /// The server's fault.
    pub(super) fn after(&mut self) -> Result<Option<BTreeMap<String, Value>>, Fault> {
        if self.names.is_empty() { Ok(None) } else { self.variables().map(Some) }
    }

    /// The statements that set the mode under which rows are copied as they are, and then the session's own again.
    ///
    /// # Errors
    /// The server's fault.
    pub(super) fn modes(&mut self) -> Result<Modes, Fault> {
        let own = self.line.first::<(String,)>("SELECT @@SESSION.sql_mode")?.map(|(mode,)| mode).unwrap_or_default();
        let set = |mode: &str| format!("SET SESSION sql_mode = {}", quote_text(mode));
        Ok(Modes { copying: set(&copying(&own)), own: set(&own) })
    }

    /// Makes it give up on a lock after a second: what waits for a metadata lock makes everybody queue behind it.
    ///
    /// # Errors
    /// The server's fault.
    pub(super) fn be_impatient(&mut self) -> Result<(), Fault> {
        if !self.impatient {
            let patience = self.line.first::<(u64,)>("SELECT @@SESSION.lock_wait_timeout")?;
            self.patience = patience.map(|(seconds,)| seconds);
            self.line.execute("SET SESSION lock_wait_timeout = 1")?;
            self.impatient = true;
        }
        Ok(())
    }

    /// Gives it the leg's own patience again.
    ///
    /// # Errors
    /// The server's fault.
    pub(super) fn be_patient(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.impatient)
            && let Some(seconds) = self.patience
        {
            self.line.execute(&format!("SET SESSION lock_wait_timeout = {seconds}"))?;
        }
        Ok(())
    }
}

/// Statements that set the session's mode.
#[derive(Clone, Debug)]
pub(super) struct Modes {
    pub copying: String,
    pub own: String,
}

/// The mode in which rows are copied as they are, whatever stands in them: what decides how a condition is read stays as it is.
fn copying(own: &str) -> String {
    let refuses = |mode: &str| {
        mode.starts_with("STRICT_")
            || mode.starts_with("NO_ZERO_")
            || matches!(mode, "TRADITIONAL" | "ERROR_FOR_DIVISION_BY_ZERO")
            || COPY_MODE.split(',').any(|own| own == mode)
    };
    own.split(',')
        .filter(|mode| !mode.is_empty() && !refuses(mode))
        .chain(COPY_MODE.split(','))
        .collect::<Vec<_>>()
        .join(",")
}

/// A fault of a statement that only sets the session up.
pub(super) fn unless_lost(fault: Fault, atom: &Atom, text: &str) -> Halt {
    match Halt::from(fault) {
        Halt::Error(error) => Halt::failed(
            &atom.id,
            format!("{}: {error:#}", text.trim()),
            "mend what the server names, then run the same command again: it goes on here",
        ),
        halt => halt,
    }
}

/// A row of user variables; none for NULL.
struct Values(Vec<Option<Value>>);

impl FromRow for Values {
    fn from_row_opt(row: Row) -> Result<Self, FromRowError> {
        let numeric = |kind: ColumnType| {
            matches!(
                kind,
                ColumnType::MYSQL_TYPE_LONGLONG
                    | ColumnType::MYSQL_TYPE_LONG
                    | ColumnType::MYSQL_TYPE_NEWDECIMAL
                    | ColumnType::MYSQL_TYPE_DOUBLE
            )
        };
        let numbers: Vec<bool> = row.columns_ref().iter().map(|column| numeric(column.column_type())).collect();
        let cells: Vec<Option<String>> = row.unwrap().into_iter().map(text).collect();
        let value = |(at, four): (usize, &[Option<String>])| {
            let [shown, hex, charset, collation] = four else { return None };
            let shown = shown.clone()?;
            if numbers.get(at * 4).copied().unwrap_or_default() {
                return Some(Value { literal: shown });
            }
            let (hex, charset) = (hex.clone()?, charset.clone()?);
            let literal = match (hex.as_str(), charset.as_str()) {
                ("", _) => "''".to_owned(),
                (hex, "binary") => format!("0x{hex}"),
                (hex, charset) => match collation {
                    Some(collation) => format!("_{charset} 0x{hex} COLLATE {collation}"),
                    None => format!("_{charset} 0x{hex}"),
                },
            };
            Some(Value { literal })
        };
        Ok(Self(cells.chunks(4).enumerate().map(value).collect()))
    }
}

fn text(value: SqlValue) -> Option<String> {
    match value {
        SqlValue::NULL => None,
        SqlValue::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_copied_under_no_strictness_and_conditions_read_as_they_were() {
        let own = "ANSI_QUOTES,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
        assert_eq!(copying(own), format!("ANSI_QUOTES,{COPY_MODE}"));
        assert_eq!(copying(""), COPY_MODE);
    }
}

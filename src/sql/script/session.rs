//! What a session has when a statement is read: its database, its temporary tables, what its quotes mean.

use std::collections::BTreeSet;

use crate::sql::record::{Confidence, Kind, Reading, TableName};
use crate::sql::session_state::used_database;

/// What a session has when a statement is read.
#[derive(Clone, Default)]
pub(super) struct Session {
    pub(super) database: String,
    temporary: BTreeSet<TableName>,
    /// The sql_mode that changes what quotes mean, once a SET named it.
    odd_quotes: Option<&'static str>,
}

impl Session {
    /// A session that has just begun.
    pub(super) fn of(database: &str) -> Self {
        Self { database: database.to_owned(), ..Self::default() }
    }

    /// Marks what is on temporary tables alone, and keeps the database and the temporary tables up to date.
    pub(super) fn follow(&mut self, text: &str, reading: &mut Reading) {
        if let Some(mode) = self.odd_quotes
            && matches!(reading.confidence, Confidence::Parsed | Confidence::Rewritten)
        {
            reading.confidence = Confidence::Scanned;
            reading.why = Some(format!("sql_mode {mode} may change what its quotes mean"));
        }
        let effect = &mut reading.effect;
        match reading.kind {
            Kind::Set => {
                let upper = text.to_ascii_uppercase();
                if upper.contains("SQL_MODE") {
                    self.odd_quotes = ["ANSI", "NO_BACKSLASH_ESCAPES"].into_iter().find(|mode| upper.contains(mode));
                }
            }
            Kind::Use => {
                if let Some(database) = used_database(text) {
                    self.database = database;
                }
            }
            Kind::CreateTable if effect.temporary => self.temporary.extend(effect.defines.iter().cloned()),
            _ if !self.temporary.is_empty() => {
                let mut touched = BTreeSet::new();
                for set in [&effect.writes, &effect.empties, &effect.defines, &effect.drops] {
                    touched.extend(set.iter());
                }
                touched.extend(effect.renames.keys());
                effect.temporary |= !touched.is_empty() && touched.is_subset(&self.temporary.iter().collect());
                self.temporary.retain(|table| !effect.drops.contains(table));
                for (from, to) in &effect.renames {
                    if self.temporary.remove(from) {
                        self.temporary.insert(to.clone());
                    }
                }
            }
            _ => {}
        }
    }
}

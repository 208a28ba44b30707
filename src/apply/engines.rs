//! Whether a change can be rolled back: by the engines of the tables that it and their triggers touch.

use std::collections::BTreeSet;

use super::atom::Piece;
use super::halt::Course;
use super::runner::Runner;
use crate::server::fault::Fault;
use crate::sql::record::{Confidence, Kind, TableName, quote_text};
use crate::survey::answer::Cells;
use crate::survey::mention::chains;

/// Engines whose changes can be rolled back.
const TRANSACTIONAL: [&str; 4] = ["innodb", "rocksdb", "ndbcluster", "tokudb"];
/// How many triggers may fire each other.
const DEEPEST: usize = 4;

impl Runner<'_> {
    /// All of it can be rolled back.
    pub(super) fn is_whole(&mut self, body: &[Piece]) -> Course<bool> {
        let mut tables = BTreeSet::new();
        for piece in body {
            let effect = &piece.reading.effect;
            let unknown = piece.reading.confidence == Confidence::Unknown
                || matches!(piece.reading.kind, Kind::Call | Kind::Execute | Kind::Opaque | Kind::Xa)
                || (piece.reading.kind.is_dml() && effect.writes.is_empty() && effect.empties.is_empty());
            if unknown {
                return Ok(false);
            }
            if piece.reading.kind.is_dml() && !effect.temporary {
                tables.extend(effect.writes.union(&effect.empties).cloned());
            }
        }
        self.can_roll_back(&tables)
    }

    /// None of these tables locks rows, and none has a trigger: who waits for one waits outside.
    pub(super) fn has_no_row_locks(&mut self, tables: &BTreeSet<TableName>) -> Course<bool> {
        if tables.is_empty() {
            return Ok(false);
        }
        let list = names(tables);
        let reader = &mut self.link()?.reader;
        let engines = reader.rows::<Cells>(&format!(
            "SELECT ENGINE FROM information_schema.TABLES WHERE (TABLE_SCHEMA, TABLE_NAME) IN ({list})"
        ))?;
        let triggers = reader.first::<(u64,)>(&format!(
            "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE (EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE) IN ({list})"
        ))?;
        let plain = |row: &Cells| ["myisam", "aria", "memory"].contains(&row.text(0).to_ascii_lowercase().as_str());
        Ok(engines.len() == tables.len() && engines.iter().all(plain) && triggers == Some((0,)))
    }

    /// These tables, and what their triggers name, are of engines that roll back.
    pub(super) fn can_roll_back(&mut self, tables: &BTreeSet<TableName>) -> Course<bool> {
        if let Some(known) = self.transactional.get(tables) {
            return Ok(*known);
        }
        let mut all = tables.clone();
        let mut fresh = tables.clone();
        let mut answer = true;
        for _ in 0..DEEPEST {
            if fresh.is_empty() {
                break;
            }
            let reader = &mut self.link()?.reader;
            let list = names(&fresh);
            let engines = reader.rows::<Cells>(&format!(
                "SELECT ENGINE, TABLE_NAME FROM information_schema.TABLES WHERE (TABLE_SCHEMA, TABLE_NAME) IN ({list})"
            ))?;
            let rolls_back = |row: &Cells| TRANSACTIONAL.contains(&row.text(0).to_ascii_lowercase().as_str());
            answer &= engines.iter().all(rolls_back);
            // What the server does not show may be anything; of the names in a trigger's text most are no tables.
            answer &= fresh != *tables || engines.len() == tables.len();
            let triggers = reader.rows::<Cells>(&format!(
                "SELECT TRIGGER_SCHEMA, ACTION_STATEMENT FROM information_schema.TRIGGERS \
                 WHERE (EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE) IN ({list})"
            ))?;
            let mut next = BTreeSet::new();
            for row in &triggers {
                let mentioned = chains(&row.text(1));
                // What a procedure does is not followed.
                answer &= !mentioned.iter().any(|chain| chain[0].eq_ignore_ascii_case("call"));
                for chain in mentioned {
                    next.insert(TableName::new(row.text(0), chain[0].as_str()));
                    if let [database, table, ..] = chain.as_slice() {
                        next.insert(TableName::new(database.as_str(), table.as_str()));
                    }
                }
            }
            fresh = next.difference(&all).cloned().collect();
            all.extend(next);
        }
        self.transactional.insert(tables.clone(), answer);
        Ok(answer)
    }
}

/// The server refused it before it did anything: no such table or column, no right, no such syntax.
pub(super) fn is_refused_at_once(fault: &Fault) -> bool {
    fault.is_syntax() || fault.is_access_denied() || matches!(fault.number, 1046 | 1049 | 1054 | 1146 | 1290 | 1785)
}

fn names(tables: &BTreeSet<TableName>) -> String {
    let pair = |table: &TableName| format!("({}, {})", quote_text(&table.database), quote_text(&table.table));
    tables.iter().map(pair).collect::<Vec<_>>().join(", ")
}

/// Run again it deletes what is left, and nothing else.
pub(super) fn is_repeatable(piece: &Piece) -> bool {
    let effect = &piece.reading.effect;
    piece.reading.kind == Kind::Delete
        && !effect.has_limit
        && !effect.multi_table
        && piece.reading.confidence != Confidence::Unknown
}

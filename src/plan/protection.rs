//! A backup with its SQL, and what is known where it is chosen.

use super::record::{Backup, Shell};
use super::shape::{Shapes, Simple};
use super::work::Copy;
use crate::server::flavor::Flavor;
use crate::sql::record::TableName;
use crate::survey::record::Survey;

/// A backup with what makes it and what goes back by it.
#[derive(Clone, Debug, PartialEq)]
pub struct Protection {
    /// The record.
    pub backup: Backup,
    /// Statements before the step.
    pub before: Vec<String>,
    /// A copy that the step makes itself, in the transaction that changes the rows.
    pub within: Option<Copy>,
    /// The command that makes a dump, and the one that restores it.
    pub shells: Option<(Shell, Shell)>,
    /// Statements of the undo.
    pub undo: Vec<String>,
    /// Statements that bring in what was written since the step, after the undo.
    pub merge: Vec<String>,
    /// Until when the undo is good.
    pub limit: String,
    /// Tables to be dropped in the end: what they are.
    pub leaves: Vec<(TableName, String)>,
}

/// What is known where a backup is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Number of the step.
    pub step: usize,
    /// Vendor and version.
    pub flavor: Flavor,
    /// Production.
    pub survey: &'a Survey,
    /// The tables as they stand before the step.
    pub shapes: &'a Shapes,
    /// The statement taken apart, when the step is one simple UPDATE or DELETE.
    pub simple: Option<&'a Simple>,
    /// The step is an ALTER TABLE.
    pub step_alters: bool,
    /// The step makes another table or view of this name in its place.
    pub replaced: bool,
    /// Where the step itself puts this table, when it swaps it.
    pub kept: Option<&'a TableName>,
    /// The table that it swaps in already holds rows of the old one.
    pub refilled: bool,
}

/// The name of a table of our own beside `table`: at most 64 characters.
pub fn beside(table: &TableName, step: usize, word: &str) -> TableName {
    let name: String = format!("rehearse_{word}{step:03}_{}", table.table).chars().take(64).collect();
    TableName::new(&table.database, name)
}

/// Backups in the order in which they are restored: a table after those that its foreign keys point at.
pub fn parents_first<'a>(protections: &'a [Protection], survey: &Survey) -> Vec<&'a Protection> {
    let mut left: Vec<&Protection> = protections.iter().rev().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |one: &Protection| {
            let keys = survey.tables.get(&one.backup.of).map(|facts| facts.foreign_keys.as_slice()).unwrap_or_default();
            let by_other =
                |parent: &TableName| *parent != one.backup.of && left.iter().any(|other| other.backup.of == *parent);
            keys.iter().any(|key| by_other(&key.parent))
        };
        // In a circle of foreign keys none is first.
        let next = left.iter().position(|one| !waits(one)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

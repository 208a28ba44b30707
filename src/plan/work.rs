//! What a step runs, for a program: the same that its script tells the stock client.

use serde::{Deserialize, Serialize};

use crate::sql::record::TableName;

/// The SQL mode in which rows are copied as they are: a row with 0 in its AUTO_INCREMENT column gets no new number, and dates
/// with zeros or that no calendar has are neither refused nor changed (measured: 1292 under a strict mode).
pub const COPY_MODE: &str = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION";

/// A copy that is made of the rows that a statement is about to change, in the transaction that changes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The table that takes them.
    pub into: TableName,
    /// The columns, generated ones left out and invisible ones in.
    pub columns: Vec<String>,
    /// Every copied row must be changed (DELETE); else at most as many as were copied (UPDATE).
    pub exact: bool,
}

/// One thing that a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Task {
    /// A statement as it stands; several of one transaction follow each other, `BEGIN` and `COMMIT` among them.
    Statement {
        /// Without a delimiter.
        sql: String,
    },
    /// One UPDATE or DELETE whose rows are copied first. The copy, the change and the count are one transaction, the copy under
    /// [`COPY_MODE`]; when the counts do not agree it is rolled back.
    Kept {
        /// The statement.
        sql: String,
        /// Its table as the statement names it, with its alias.
        factor: String,
        /// Its condition; none: all rows.
        #[serde(default)]
        condition: Option<String>,
        /// What is kept.
        copy: Copy,
    },
    /// One UPDATE or DELETE in ranges of the table's key, each a transaction of its own, up to the greatest key that is
    /// there at the start.
    Batches {
        /// The table.
        table: TableName,
        /// The key's columns, in key order.
        key: Vec<String>,
        /// What stands before the condition: ``DELETE FROM `t` ``.
        head: String,
        /// The statement's own condition, added to each range's; none: all rows.
        #[serde(default)]
        condition: Option<String>,
        /// Rows of the table in the first range; later ones are made larger or smaller by the time they take.
        rows: u64,
        /// Rest between two ranges, in seconds.
        pause_seconds: f64,
        /// What is kept of each range, as [`Task::Kept`] keeps it.
        #[serde(default)]
        copy: Option<Copy>,
    },
}

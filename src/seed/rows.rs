//! Rows by number: every cell is computed from its table, column and row alone.

use crate::sql::record::TableName;

use super::draw::Draw;
use super::keys::Index;
use super::values::{Entry, Shape, counter};

/// How the rows of all tables are made. A table is named by its place.
#[derive(Clone, Debug, Default)]
pub struct Plans(pub Vec<TablePlan>);

/// How one table's rows are made.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// Its name.
    pub name: TableName,
    /// How many rows it gets.
    pub rows: u64,
    /// Its columns that are written, in order: all but the generated ones.
    pub columns: Vec<ColumnPlan>,
    /// Its foreign keys.
    pub references: Vec<Reference>,
    /// Constraints whose validity the generator cannot promise: foreign keys by place in the survey, to be counted.
    pub doubtful: Vec<usize>,
    /// What is to be said about it.
    pub notes: Vec<String>,
}

/// How one column's values are made.
#[derive(Clone, Debug)]
pub struct ColumnPlan {
    /// Its name.
    pub name: String,
    /// What chance is seeded with.
    pub seed: u64,
    /// What its values look like.
    pub shape: Shape,
    /// How they enter the table.
    pub entry: Entry,
    /// Where they come from.
    pub source: Source,
}

/// Where a column's values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// 1, 2, 3, …
    Counter,
    /// Usual values, NULL with this chance (in 2^-32).
    Free(u32),
    /// Distinct values by number.
    Indexed(Index),
    /// A column of the row that a foreign key picks.
    Referenced {
        /// The foreign key.
        reference: usize,
        /// The parent's column.
        column: usize,
    },
    /// Always NULL.
    Null,
}

/// A foreign key: which row of the parent each row refers to.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The parent's place.
    pub parent: usize,
    /// Rows of the parent.
    pub rows: u64,
    /// What chance is seeded with.
    pub seed: u64,
    /// How the row is picked.
    pub pick: Pick,
}

/// How a row of the parent is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Any, or none with this chance (in 2^-32).
    Any(u32),
    /// An earlier row of the same table, or none with this chance: so that trees have roots and no loops.
    Earlier(u32),
    /// By number.
    Indexed(Index),
}

impl Reference {
    /// The parent's row that a row refers to; none for NULL.
    #[inline]
    fn row(&self, row: u64) -> Option<u64> {
        let (nulls, limit) = match self.pick {
            Pick::Indexed(index) => return index.at(row).map(|number| number.min(self.rows.saturating_sub(1))),
            Pick::Any(nulls) => (nulls, self.rows),
            Pick::Earlier(nulls) => (nulls, row.clamp(1, self.rows.max(1))),
        };
        let mut draw = Draw::new(self.seed, row);
        if limit == 0 || draw.chance(nulls) { None } else { Some(draw.below(limit)) }
    }
}

impl Plans {
    /// Writes the text of one cell; false (and nothing written) for NULL.
    #[inline]
    pub fn cell(&self, table: usize, column: usize, row: u64, out: &mut Vec<u8>) -> bool {
        let plan = &self.0[table];
        let column = &plan.columns[column];
        match &column.source {
            Source::Counter => counter(row, out),
            Source::Free(nulls) => {
                let mut draw = Draw::new(column.seed, row);
                if draw.chance(*nulls) {
                    return false;
                }
                column.shape.random(&mut draw, column.seed, (row, plan.rows), out);
            }
            Source::Indexed(index) => match index.at(row) {
                None => return false,
                Some(number) => column.shape.nth(number, column.seed, out),
            },
            Source::Referenced { reference, column } => {
                let reference = &plan.references[*reference];
                return match reference.row(row) {
                    None => false,
                    Some(row) => self.cell(reference.parent, *column, row, out),
                };
            }
            Source::Null => return false,
        }
        true
    }

    /// Appends one row as `LOAD DATA` reads it: tabs between, a newline after, `\N` for NULL.
    pub fn row(&self, table: usize, row: u64, out: &mut Vec<u8>) {
        for column in 0..self.0[table].columns.len() {
            if column > 0 {
                out.push(b'\t');
            }
            let start = out.len();
            if self.cell(table, column, row, out) {
                if may_need_escapes(&self.0[table].columns[column]) {
                    escape(start, out);
                }
            } else {
                out.extend_from_slice(b"\\N");
            }
        }
        out.push(b'\n');
    }
}

/// Only values that a person or production wrote can hold tabs, newlines and backslashes; ours hold none.
fn may_need_escapes(column: &ColumnPlan) -> bool {
    matches!(column.source, Source::Referenced { .. })
        || matches!(column.shape, Shape::Choice(_) | Shape::Common(..) | Shape::Json)
}

fn escape(start: usize, out: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r' | 0);
    if !out[start..].iter().any(special) {
        return;
    }
    let raw = out.split_off(start);
    for byte in raw {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0 => out.extend_from_slice(b"\\0"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_separates_fields_is_escaped() {
        let mut out = b"kept\t".to_vec();
        let start = out.len();
        out.extend_from_slice(b"a\\b\tc\nd\0");
        escape(start, &mut out);
        assert_eq!(out, b"kept\ta\\\\b\\tc\\nd\\0");
    }
}

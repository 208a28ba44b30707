//! How large a table is, as rules weigh it and tell it.

use super::evidence::{Figure, MANY_ROWS, Subject};
use super::phrase;
use super::rule::Risk;
use crate::quantity::bytes;
use crate::sql::record::TableName;

/// A table's rows and bytes before a statement, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its rows.
    pub rows: Option<Figure>,
    /// Bytes of data and indexes.
    pub bytes: Option<u64>,
}

impl Size {
    /// The size of `table` at this point of the upgrade.
    pub fn of(subject: &Subject<'_>, table: &TableName) -> Self {
        let bytes = subject.facts(table).map(|facts| facts.data_bytes + facts.index_bytes).filter(|size| *size > 0);
        Self { rows: subject.rows_of(table), bytes }
    }

    /// It is known to hold no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_some_and(|figure| figure.rows == 0)
    }

    /// It is known to hold no more rows than one statement may change at once: a scan or a rebuild of it is over before
    /// anybody notices.
    pub fn is_small(&self) -> bool {
        self.rows.is_some_and(|figure| figure.rows <= MANY_ROWS)
    }

    /// `all 9,000,000 rows (858.3 MiB)`; `all rows` where nobody counted.
    pub fn all(&self) -> String {
        match (self.rows, self.bytes) {
            (Some(figure), Some(size)) => format!("{} ({})", phrase::all_rows(figure), bytes(size)),
            (Some(figure), None) => phrase::all_rows(figure),
            (None, _) => "all rows".to_owned(),
        }
    }

    /// The risk with these numbers.
    pub fn on(&self, table: &TableName, risk: Risk) -> Risk {
        let mut risk = risk.with("table", table.to_string());
        if let Some(figure) = self.rows {
            risk = risk.with("rows", figure.rows).with("rows_basis", phrase::basis(figure.basis));
        }
        if let Some(size) = self.bytes {
            risk = risk.with("bytes", size);
        }
        risk
    }
}

//! The limits of a budget, as they hold for one table.

use std::time::Duration;

use super::record::{Budget, TableBudget};
use crate::quantity::Span;
use crate::sql::record::TableName;
use crate::watch::record::ProbeKind;

/// How long a request may wait where nobody said anything: what users of copy tools already complain about.
pub const DEFAULT_LIMIT: Span = Span(Some(Duration::from_secs(1)));

/// What an application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// It reads.
    Read,
    /// It writes: updates, inserts, locks, commits.
    Write,
}

impl Side {
    /// The side that a probe stands for.
    pub fn of(probe: ProbeKind) -> Self {
        if probe.is_write() { Self::Write } else { Self::Read }
    }

    /// `reads` or `writes`.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Read => "longest_blocked_read",
            Self::Write => "longest_blocked_write",
        }
    }
}

/// How long a request on a table may wait: the table's own limit, else the general one, else [`DEFAULT_LIMIT`].
pub fn limit(budget: &Budget, table: &TableName, side: Side) -> Span {
    own(budget, table).and_then(|(_, own)| own_limit(own, side)).unwrap_or_else(|| general(budget, side))
}

/// How many rows one statement may change in a table; none when nothing is said.
pub fn rows_limit(budget: &Budget, table: &TableName) -> Option<u64> {
    let own = own(budget, table).and_then(|(_, own)| own.rows_per_statement);
    own.or(budget.rows_per_statement).map(|count| count.0)
}

pub(super) fn general(budget: &Budget, side: Side) -> Span {
    match side {
        Side::Read => budget.longest_blocked_read,
        Side::Write => budget.longest_blocked_write,
    }
    .unwrap_or(DEFAULT_LIMIT)
}

/// A table's own limits; a name without a database stands for that table in every database.
pub(super) fn own<'a>(budget: &'a Budget, table: &TableName) -> Option<(&'a TableName, &'a TableBudget)> {
    budget.tables.get_key_value(table).or_else(|| budget.tables.iter().find(|(name, _)| names(name, table)))
}

pub(super) fn names(name: &TableName, table: &TableName) -> bool {
    name == table || (name.database.is_empty() && name.table == table.table)
}

pub(super) fn own_limit(own: &TableBudget, side: Side) -> Option<Span> {
    match side {
        Side::Read => own.longest_blocked_read,
        Side::Write => own.longest_blocked_write,
    }
}

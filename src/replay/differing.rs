//! Which rows differ between two states of a table: sums over ranges of its key first, then the rows of ranges that differ.
//!
//! The two states are never there at once, so what is read of one is kept until the other is: an edge and a sum for each
//! range, and of a few ranges the checksums of each row's columns.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::quantity::grouped;
use crate::server::session::ReadOnly;
use crate::sql::record::TableName;
use crate::survey::content::comparable;
use crate::survey::record::TableFacts;
use crate::watch::key::{Key, read_list};

/// Rows of one range.
const RANGE_ROWS: u64 = 10_000;
/// Ranges whose rows are compared one by one; of more, only their number is told.
const RANGES_READ: usize = 8;
/// Keys that are named.
const NAMED: usize = 5;

/// A table's key ranges, cut where the original's final state has its rows.
#[derive(Clone, Debug)]
pub struct Ranges {
    table: TableName,
    key: Key,
    /// Reads the key of a row.
    read_key: String,
    columns: Vec<String>,
    /// One checksum a column.
    values: Vec<String>,
    edges: Vec<Vec<String>>,
}

/// Rows of some ranges: by key, a checksum a column.
pub type Rows = BTreeMap<String, Vec<String>>;

impl Ranges {
    /// Cuts a table as it stands; none without a primary key whose ranges follow its order.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn cut(reader: &mut ReadOnly, table: &TableName, facts: &TableFacts) -> Result<Option<Self>> {
        let names: Vec<String> = facts.primary_key().iter().map(|part| part.name.clone()).collect();
        let whole = facts.primary_key().iter().all(|part| part.prefix.is_none() && part.expression.is_none());
        let Some(key) = Key::on(facts, "PRIMARY", &names, true).filter(|key| whole && key.is_ordered()) else {
            return Ok(None);
        };
        let columns: Vec<String> = facts.columns.iter().map(|column| column.name.clone()).collect();
        let values =
            facts.columns.iter().map(|column| format!("COALESCE(CRC32({}), 'N')", comparable(column))).collect();
        let read_key = read_list(&key.fields, facts);
        let mut ranges = Self { table: table.clone(), key, read_key, columns, values, edges: Vec::new() };
        loop {
            let past = ranges.edges.last().map(|edge| format!(" WHERE {}", ranges.key.past(edge))).unwrap_or_default();
            let (select, order) = (ranges.key.select(table), ranges.key.order(false));
            let sql = format!("{select}{past}{order} LIMIT 1 OFFSET {}", RANGE_ROWS - 1);
            let edge = reader.first::<String>(&sql)?.and_then(|row| ranges.key.values(&row));
            match edge {
                Some(edge) => ranges.edges.push(edge),
                None => return Ok(Some(ranges)),
            }
        }
    }

    /// The table.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// The condition of a range; the last one is open.
    fn within(&self, place: usize) -> String {
        let low = place.checked_sub(1).and_then(|before| self.edges.get(before)).map(|edge| self.key.past(edge));
        let high = self.edges.get(place).map(|edge| self.key.up_to(edge));
        match (low, high) {
            (Some(low), Some(high)) => format!("{low} AND {high}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "TRUE".to_owned(),
        }
    }

    /// The number of rows and the sum of their checksums, range by range.
    ///
    /// # Errors
    /// When the server does not answer, or the table has other columns now.
    pub fn sums(&self, reader: &mut ReadOnly) -> Result<Vec<String>> {
        let row = format!("SUM(CRC32(CRC32(CONCAT_WS(',', {}))))", self.values.join(", "));
        let mut sums = Vec::new();
        for place in 0..=self.edges.len() {
            let sql = format!(
                "SELECT CONCAT(COUNT(*), ':', COALESCE({row}, 0)) FROM {} WHERE {}",
                self.table.quoted(),
                self.within(place)
            );
            sums.push(reader.first::<String>(&sql)?.unwrap_or_default());
        }
        Ok(sums)
    }

    /// The rows of the first ranges in which two states differ.
    ///
    /// # Errors
    /// As [`Ranges::sums`].
    pub fn rows(&self, reader: &mut ReadOnly, places: &[usize]) -> Result<Rows> {
        let mut rows = Rows::new();
        for place in places.iter().take(RANGES_READ) {
            let sql = format!(
                "SELECT {}, CONCAT_WS(',', {}) FROM {} WHERE {}",
                self.read_key,
                self.values.join(", "),
                self.table.quoted(),
                self.within(*place)
            );
            for (key, sums) in reader.rows::<(String, String)>(&sql)? {
                rows.insert(key, sums.split(',').map(str::to_owned).collect());
            }
        }
        Ok(rows)
    }

    /// How many rows differ, the first of their keys and the columns, in sentences; empty where none of those that were read
    /// does. `excluded` are columns (`db.table.column`) that do not count.
    pub fn told(&self, places: &[usize], original: &Rows, trial: &Rows, excluded: &BTreeSet<String>) -> Vec<String> {
        let counts = |column: &&(usize, &String)| !excluded.contains(&format!("{}.{}", self.table, column.1));
        let all: Vec<(usize, &String)> = self.columns.iter().enumerate().collect();
        let counted: Vec<(usize, &String)> = all.iter().filter(counts).copied().collect();
        let mut columns = BTreeSet::new();
        let (mut changed, mut missing, mut besides) = (Vec::new(), Vec::new(), Vec::new());
        for (key, sums) in original {
            let Some(other) = trial.get(key) else {
                missing.push(key);
                continue;
            };
            let differing: Vec<&String> =
                counted.iter().filter(|(at, _)| sums.get(*at) != other.get(*at)).map(|(_, name)| *name).collect();
            if !differing.is_empty() {
                changed.push(key);
                columns.extend(differing);
            }
        }
        besides.extend(trial.keys().filter(|key| !original.contains_key(*key)));
        let columns = columns.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let beyond = match places.len().saturating_sub(RANGES_READ) {
            0 => String::new(),
            more => format!(", and more in {} other ranges of {} rows", grouped(more as u64), grouped(RANGE_ROWS)),
        };
        let sentence = |keys: &[&String], what: &str| {
            let verb = if keys.len() == 1 { "row" } else { "rows" };
            let count = grouped(keys.len() as u64);
            (!keys.is_empty()).then(|| format!("{}: {count} {verb} {what}: {}{beyond}", self.table, self.named(keys)))
        };
        [
            sentence(&changed, &format!("with other values in {columns}")),
            sentence(&missing, "missing"),
            sentence(&besides, "there besides"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// `id 5, 9, 12 …`.
    fn named(&self, keys: &[&String]) -> String {
        let names = self.key.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut values: Vec<String> =
            keys.iter().filter_map(|key| self.key.values(key)).map(|values| values.join(", ")).collect();
        // Numbers as numbers, which the text of a key is not sorted by.
        values.sort_by(|a, b| match (a.parse::<i128>(), b.parse::<i128>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(b),
        });
        let more = if values.len() > NAMED { " …" } else { "" };
        let brackets = |value: &String| if self.key.fields.len() > 1 { format!("({value})") } else { value.clone() };
        let shown: Vec<String> = values.iter().take(NAMED).map(brackets).collect();
        format!("{names} {}{more}", shown.join(", "))
    }
}

/// The places at which two lists of sums differ.
pub fn places(one: &[String], other: &[String]) -> Vec<usize> {
    (0..one.len().max(other.len())).filter(|place| one.get(*place) != other.get(*place)).collect()
}

//! What columns hold, from the ends of each table's key and of its indexes: so many rows and no more, however big the table.

use std::collections::BTreeMap;

use anyhow::Result;

use super::answer::Cells;
use super::ask::{Gaps, ask, ask_one};
use super::record::{ColumnFacts, ColumnStatistics, TableFacts};
use super::tables::Read;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_identifier};

/// Rows read from each end of the key.
const ROWS_PER_END: u64 = 1_000;
/// Bytes of rows read from each end, by the table's mean row: a table of films gets fewer rows.
const BYTES_PER_END: u64 = 16 << 20;
/// Common values kept of a column.
const COMMON: usize = 16;
/// A column with more distinct values in the sample than this has no common ones.
const FEW: u64 = 64;
/// A column with a longer value (bytes) has no common ones: it holds content.
const SHORT: u64 = 64;
/// Engines whose rows can be read from the ends of an index without reading the rest, or, lacking a key, from the
/// beginning. Others (FEDERATED, CONNECT, MERGE, CSV, …) may reach elsewhere or read all.
const SAMPLED: [&str; 5] = ["innodb", "myisam", "aria", "rocksdb", "memory"];

/// Samples a table's columns.
///
/// # Errors
/// When the connection is lost.
pub fn sample(reader: &mut ReadOnly, name: &TableName, table: &mut Read, values: bool, gaps: &mut Gaps) -> Result<()> {
    if !SAMPLED.iter().any(|engine| table.facts.engine.eq_ignore_ascii_case(engine)) {
        gaps.push(format!("{name} was not sampled: its engine is {}", table.facts.engine));
        return Ok(());
    }
    if table.facts.columns.is_empty() {
        return Ok(());
    }
    let sample = Sample::of(name, &table.facts);
    let measures: Vec<Measure> = table.facts.columns.iter().map(Measure::of).collect();
    let Some(row) =
        ask_one(reader, &sample.measured(&table.facts.columns, &measures), &format!("a sample of {name}"), gaps)?
    else {
        return Ok(());
    };
    let sampled = row.number(0).unwrap_or_default();
    if sampled == 0 {
        return Ok(());
    }
    for (place, column) in table.facts.columns.iter_mut().enumerate() {
        column.statistics = Some(told(&row, 1 + place * 6, sampled, &sample));
    }
    index_ends(reader, name, table, gaps)?;
    common_values(reader, name, &sample, table, values, gaps)?;
    if !sample.is_whole(sampled) {
        for column in &mut table.facts.columns {
            if let (Some(told), Some(distinct)) = (&mut column.statistics, table.indexes.leading.get(&column.name)) {
                told.distinct = Some(of_index(*distinct, told));
            }
        }
    }
    Ok(())
}

/// Distinct values by an index's cardinality, which is of the whole table as a sample's count is not. All NULLs count as
/// one value there (`innodb_stats_method`, by default).
fn of_index(cardinality: u64, told: &ColumnStatistics) -> u64 {
    match told.null_share {
        Some(1.0) => 0,
        Some(share) if share > 0.0 => cardinality.saturating_sub(1).max(1),
        _ => cardinality,
    }
}

/// How a column's values are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// Numbers and times: ends and distinct values.
    Ordered,
    /// Text and binary: lengths and distinct values.
    Long,
    /// Geometry, vectors: lengths only.
    Shape,
}

impl Measure {
    fn of(column: &ColumnFacts) -> Self {
        match column.data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double" | "date"
            | "time" | "datetime" | "timestamp" | "year" => Self::Ordered,
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
            | "geometrycollection" | "geomcollection" | "vector" => Self::Shape,
            _ => Self::Long,
        }
    }
}

/// The rows that stand for a table.
struct Sample {
    from: String,
    order: Option<(String, String)>,
    limit: u64,
    rows: u64,
}

impl Sample {
    fn of(name: &TableName, table: &TableFacts) -> Self {
        let mean = table.data_bytes.checked_div(table.rows).unwrap_or_default().max(1);
        let limit = (BYTES_PER_END / mean).clamp(10, ROWS_PER_END);
        let key = table.primary_key();
        let by = |direction: &str| {
            let parts: Vec<_> = key.iter().map(|part| format!("{}{direction}", quote_identifier(&part.name))).collect();
            parts.join(", ")
        };
        // A prefix in the key would make the server sort. HASH keys (MEMORY) have no order.
        let ordered = !key.is_empty()
            && key.iter().all(|part| part.prefix.is_none() && !part.name.is_empty())
            && table.indexes.iter().any(|index| index.name == "PRIMARY" && index.kind == "BTREE");
        Self { from: name.quoted(), order: ordered.then(|| (by(""), by(" DESC"))), limit, rows: table.rows }
    }

    /// True when so many sampled rows are the table's all: each end held fewer than it may.
    fn is_whole(&self, sampled: u64) -> bool {
        let ends = if self.order.is_some() { 2 } else { 1 };
        sampled < ends * self.limit
    }

    /// The sampled rows with `columns` of each.
    fn query(&self, columns: &str) -> String {
        let (from, limit) = (&self.from, self.limit);
        match &self.order {
            Some((up, down)) => format!(
                "(SELECT {columns} FROM {from} FORCE INDEX (PRIMARY) ORDER BY {up} LIMIT {limit}) UNION ALL \
                 (SELECT {columns} FROM {from} FORCE INDEX (PRIMARY) ORDER BY {down} LIMIT {limit})"
            ),
            None => format!("(SELECT {columns} FROM {from} LIMIT {limit})"),
        }
    }

    /// One row with six numbers for each column, computed by the server: no value of production's leaves it but the
    /// ends of numbers and times.
    fn measured(&self, columns: &[ColumnFacts], measures: &[Measure]) -> String {
        let mut inner = Vec::new();
        let mut outer = vec!["COUNT(*)".to_owned()];
        for (place, (column, measure)) in columns.iter().zip(measures).enumerate() {
            let column = quote_identifier(&column.name);
            match measure {
                Measure::Ordered => {
                    inner.push(format!("{column} AS v{place}"));
                    outer.push(format!(
                        "SUM(v{place} IS NULL), COUNT(DISTINCT v{place}), MIN(v{place}), MAX(v{place}), NULL, NULL"
                    ));
                }
                Measure::Long => {
                    inner.push(format!("LENGTH({column}) AS l{place}, CRC32({column}) AS c{place}"));
                    outer.push(format!(
                        "SUM(l{place} IS NULL), COUNT(DISTINCT c{place}), NULL, NULL, AVG(l{place}), MAX(l{place})"
                    ));
                }
                Measure::Shape => {
                    inner.push(format!("LENGTH({column}) AS l{place}"));
                    outer.push(format!("SUM(l{place} IS NULL), NULL, NULL, NULL, AVG(l{place}), MAX(l{place})"));
                }
            }
        }
        format!("SELECT {} FROM ({}) sample", outer.join(", "), self.query(&inner.join(", ")))
    }
}

fn told(row: &Cells, at: usize, sampled: u64, sample: &Sample) -> ColumnStatistics {
    let nulls = row.number(at).unwrap_or_default();
    let present = sampled - nulls.min(sampled);
    let distinct = row.number(at + 1).map(|seen| {
        // Nearly every sampled value is another one: so it goes on in the rest of the table.
        let unique = present > 0 && seen as f64 >= 0.95 * present as f64;
        if unique && !sample.is_whole(sampled) {
            (sample.rows as f64 * seen as f64 / sampled as f64) as u64
        } else {
            seen
        }
    });
    ColumnStatistics {
        distinct,
        null_share: Some(nulls as f64 / sampled as f64),
        min: row.maybe(at + 2),
        max: row.maybe(at + 3),
        mean_length: row.fraction(at + 4),
        max_length: row.number(at + 5),
        common: Vec::new(),
    }
}

/// The true ends of numbers and times that lead an index: one key read for each.
fn index_ends(reader: &mut ReadOnly, name: &TableName, table: &mut Read, gaps: &mut Gaps) -> Result<()> {
    let mut ends = Vec::new();
    let mut parts = Vec::new();
    for (place, column) in table.facts.columns.iter().enumerate() {
        if Measure::of(column) != Measure::Ordered {
            continue;
        }
        let usable = |index: &&super::record::IndexFacts| {
            index.kind == "BTREE"
                && !table.indexes.unseen.contains(&index.name)
                && index.columns.first().is_some_and(|part| part.name == column.name && part.prefix.is_none())
        };
        let Some(index) = table.facts.indexes.iter().find(usable) else { continue };
        let (quoted, from) = (quote_identifier(&column.name), name.quoted());
        for direction in ["", " DESC"] {
            parts.push(format!(
                "(SELECT {quoted} FROM {from} FORCE INDEX ({}) WHERE {quoted} IS NOT NULL ORDER BY {quoted}{direction} LIMIT 1)",
                quote_identifier(&index.name)
            ));
        }
        ends.push(place);
    }
    if ends.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {}", parts.join(", "));
    let Some(row) = ask_one(reader, &sql, &format!("the ends of the indexes of {name}"), gaps)? else { return Ok(()) };
    for (at, place) in ends.into_iter().enumerate() {
        if let Some(statistics) = &mut table.facts.columns[place].statistics {
            statistics.min = row.maybe(at * 2).or(statistics.min.take());
            statistics.max = row.maybe(at * 2 + 1).or(statistics.max.take());
        }
    }
    Ok(())
}

/// True for columns whose values are states rather than content: they may leave production without being asked for.
fn is_state(column: &ColumnFacts) -> bool {
    matches!(column.data_type.as_str(), "enum" | "set" | "tinyint" | "smallint" | "bit" | "year")
}

fn is_short_text(column: &ColumnFacts) -> bool {
    matches!(column.data_type.as_str(), "char" | "varchar" | "tinytext" | "text")
}

fn common_values(
    reader: &mut ReadOnly,
    name: &TableName,
    sample: &Sample,
    table: &mut Read,
    values: bool,
    gaps: &mut Gaps,
) -> Result<()> {
    let wanted: Vec<usize> = (0..table.facts.columns.len())
        .filter(|place| {
            let column = &table.facts.columns[*place];
            let told = column.statistics.as_ref();
            let few = told.and_then(|told| told.distinct).is_some_and(|seen| seen <= FEW);
            let short = told.and_then(|told| told.max_length).is_none_or(|longest| longest <= SHORT);
            few && short && (is_state(column) || (values && is_short_text(column)))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let columns: Vec<String> = wanted.iter().map(|place| shown(&table.facts.columns[*place])).collect();
    let rows = ask(reader, &sample.query(&columns.join(", ")), &format!("common values of {name}"), gaps)?;
    for (at, place) in wanted.into_iter().enumerate() {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for value in rows.iter().filter_map(|row| row.maybe(at)) {
            *counts.entry(value).or_default() += 1;
        }
        let total: u64 = counts.values().sum();
        let mut common: Vec<(String, u64)> = counts.into_iter().collect();
        common.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        common.truncate(COMMON);
        if let Some(statistics) = &mut table.facts.columns[place].statistics {
            statistics.common =
                common.into_iter().map(|(value, count)| (value, count as f64 / total.max(1) as f64)).collect();
        }
    }
    Ok(())
}

/// A column as text that a person reads: bits as a number.
fn shown(column: &ColumnFacts) -> String {
    let quoted = quote_identifier(&column.name);
    if column.data_type == "bit" { format!("{quoted} + 0") } else { quoted }
}

//! Checksums of columns and rows that do not depend on the order of rows, to say where two tables differ.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::answer::Cells;
use super::record::ColumnFacts;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_identifier};

/// The checksums of a table's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// By column.
    pub columns: BTreeMap<String, String>,
    /// Over whole rows.
    pub rows: String,
}

/// What stands for NULL: no CRC32 is as large.
const NULL: u64 = 1 << 33;

/// Sums the checksums of all values by column, and of whole rows, in one read of the table. Sums, not XOR: pairs of equal
/// rows must not cancel out. No MD5 and SHA1: the 9.7 core has none. Two sums for each column, of the values' CRC32 and of
/// a second CRC32 of that, so that two changes do not make up for each other.
///
/// # Errors
/// When the server does not answer.
pub fn sums(reader: &mut ReadOnly, name: &TableName, columns: &[ColumnFacts]) -> Result<Sums> {
    if columns.is_empty() {
        return Ok(Sums::default());
    }
    let inner: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| format!("COALESCE(CRC32({}), {NULL}) AS c{place}", comparable(column)))
        .collect();
    let pair = |value: &str| format!("SUM({value}), SUM(CRC32(CONCAT('x', {value})))");
    let names: Vec<String> = (0..columns.len()).map(|place| format!("c{place}")).collect();
    let mut outer: Vec<String> = names.iter().map(|name| pair(name)).collect();
    outer.push(pair(&format!("CRC32(CONCAT_WS(',', {}))", names.join(", "))));
    // A plain derived table is merged into the query around it: nothing is written out.
    let sql = format!("SELECT {} FROM (SELECT {} FROM {}) r", outer.join(", "), inner.join(", "), name.quoted());
    let row: Cells = reader.first(&sql)?.context("the server summed nothing")?;
    let sum = |place: usize| {
        let part = |at: usize| row.maybe(at).unwrap_or_else(|| "0".to_owned());
        format!("{}:{}", part(place * 2), part(place * 2 + 1))
    };
    let by_column = columns.iter().enumerate().map(|(place, column)| (column.name.clone(), sum(place))).collect();
    Ok(Sums { columns: by_column, rows: sum(columns.len()) })
}

/// A column as text or bytes that are equal only for equal values: text in one character set, FLOAT with all its digits
/// (16777216 and 16777215 print the same otherwise), bytes as they are.
fn comparable(column: &ColumnFacts) -> String {
    let quoted = quote_identifier(&column.name);
    match column.data_type.as_str() {
        "float" => format!("{quoted} + 0e0"),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" | "json" => {
            format!("CONVERT({quoted} USING utf8mb4)")
        }
        "bit" | "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" | "geomcollection" | "vector" => format!("HEX({quoted})"),
        _ => quoted,
    }
}

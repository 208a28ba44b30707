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

/// Sums the checksums of all values by column, and of whole rows, in one read of the table, together with the number of
/// values that are not NULL. Sums, not XOR: pairs of equal rows must not cancel out. CRC32 of CRC32: alone it is linear, and
/// like changes to two rows could make up for each other. No MD5 and SHA1: the 9.7 core has none.
///
/// # Errors
/// When the server does not answer.
pub fn sums(reader: &mut ReadOnly, name: &TableName, columns: &[ColumnFacts]) -> Result<Sums> {
    if columns.is_empty() {
        return Ok(Sums::default());
    }
    let mut wanted = Vec::new();
    let mut values = Vec::new();
    for column in columns {
        let value = format!("CRC32({})", comparable(column));
        wanted.push(format!("SUM(CRC32({value})), COUNT({})", quote_identifier(&column.name)));
        values.push(format!("COALESCE({value}, 'N')"));
    }
    wanted.push(format!("SUM(CRC32(CRC32(CONCAT_WS(',', {})))), COUNT(*)", values.join(", ")));
    let sql = format!("SELECT {} FROM {}", wanted.join(", "), name.quoted());
    let row: Cells = reader.first(&sql)?.context("the server summed nothing")?;
    let sum = |place: usize| format!("{}:{}", row.maybe(place * 2).unwrap_or("0".to_owned()), row.text(place * 2 + 1));
    let by_column = columns.iter().enumerate().map(|(place, column)| (column.name.clone(), sum(place))).collect();
    Ok(Sums { columns: by_column, rows: sum(columns.len()) })
}

/// A column as text or bytes that are equal only for equal values: text in one character set, FLOAT with all its digits
/// (16777216 and 16777215 print the same otherwise), bytes as they are.
pub fn comparable(column: &ColumnFacts) -> String {
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

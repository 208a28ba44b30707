//! Indexes, foreign keys and partitions of a database's tables.

use std::collections::BTreeMap;

use anyhow::Result;

use super::ask::{Gaps, ask};
use super::columns::unescaped;
use super::record::{ForeignKeyFacts, IndexColumn, IndexFacts, PartitionFacts};
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_text};

/// A table's indexes, and what its statistics need of them.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    /// Primary key first, then by name.
    pub all: Vec<IndexFacts>,
    /// Estimated distinct values of columns that lead an index.
    pub leading: BTreeMap<String, u64>,
    /// Names of indexes that queries cannot use: invisible (MySQL), ignored (MariaDB).
    pub unseen: Vec<String>,
}

/// The indexes of a database's tables, by table.
///
/// # Errors
/// When the connection is lost.
pub fn read(
    reader: &mut ReadOnly,
    flavor: Flavor,
    database: &str,
    gaps: &mut Gaps,
) -> Result<BTreeMap<String, Indexes>> {
    let expression = if flavor.at_least_mysql(8, 0, 13) { "EXPRESSION" } else { "NULL" };
    let seen = if flavor.at_least_mysql(8, 0, 0) {
        "IS_VISIBLE"
    } else if flavor.at_least_mariadb(10, 6, 0) {
        "IF(IGNORED = 'YES', 'NO', 'YES')"
    } else {
        "'YES'"
    };
    let sql = format!(
        "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, INDEX_TYPE, COLUMN_NAME, SUB_PART, CARDINALITY, SEQ_IN_INDEX, \
         {expression}, {seen} FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {} \
         ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX",
        quote_text(database)
    );
    let mut tables: BTreeMap<String, Indexes> = BTreeMap::new();
    for row in ask(reader, &sql, &format!("the indexes of {database}"), gaps)? {
        let table = tables.entry(row.text(0)).or_default();
        let (name, kind) = (row.text(1), row.text(3));
        let spatial = kind.eq_ignore_ascii_case("SPATIAL");
        let part = IndexColumn {
            name: row.text(4),
            // The 32 of a spatial index is the size of its bounding box, no prefix.
            prefix: row.number(5).filter(|_| !spatial),
            expression: row.maybe(8).map(|expression| unescaped(&expression)),
        };
        let cardinality = row.number(6);
        if let (Some(1), Some(distinct), None) = (row.number(7), cardinality, part.prefix) {
            let known = table.leading.entry(part.name.clone()).or_default();
            *known = distinct.max(*known);
        }
        if !row.is_yes(9) {
            table.unseen.push(name.clone());
        }
        match table.all.last_mut().filter(|index| index.name == name) {
            Some(index) => {
                index.columns.push(part);
                // The last part's cardinality is the whole key's.
                index.cardinality = cardinality;
            }
            None => {
                table.all.push(IndexFacts { name, unique: row.text(2) == "0", kind, columns: vec![part], cardinality })
            }
        }
    }
    Ok(tables)
}

/// The foreign keys of a database's tables, by child, by name.
///
/// # Errors
/// When the connection is lost.
pub fn foreign_keys(
    reader: &mut ReadOnly,
    database: &str,
    gaps: &mut Gaps,
) -> Result<BTreeMap<String, Vec<ForeignKeyFacts>>> {
    let quoted = quote_text(database);
    let what = format!("the foreign keys of {database}");
    let sql = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, DELETE_RULE, UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = {quoted}"
    );
    let rules: BTreeMap<(String, String), (String, String)> = ask(reader, &sql, &what, gaps)?
        .iter()
        .map(|row| ((row.text(0), row.text(1)), (row.text(2), row.text(3))))
        .collect();
    let sql = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
         REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
         WHERE TABLE_SCHEMA = {quoted} AND REFERENCED_TABLE_NAME IS NOT NULL \
         ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
    );
    let mut tables: BTreeMap<String, Vec<ForeignKeyFacts>> = BTreeMap::new();
    for row in ask(reader, &sql, &what, gaps)? {
        let (table, name) = (row.text(0), row.text(1));
        let (on_delete, on_update) = rules.get(&(table.clone(), name.clone())).cloned().unwrap_or_default();
        let keys = tables.entry(table).or_default();
        if keys.last().is_none_or(|key| key.name != name) {
            keys.push(ForeignKeyFacts {
                name,
                columns: Vec::new(),
                parent: TableName::new(row.text(3), row.text(4)),
                parent_columns: Vec::new(),
                on_delete,
                on_update,
            });
        }
        if let Some(key) = keys.last_mut() {
            key.columns.push(row.text(2));
            key.parent_columns.push(row.text(5));
        }
    }
    Ok(tables)
}

/// The partitions of a database's tables in order, by table; subpartitions are folded into theirs.
///
/// # Errors
/// When the connection is lost.
pub fn partitions(
    reader: &mut ReadOnly,
    database: &str,
    gaps: &mut Gaps,
) -> Result<BTreeMap<String, Vec<PartitionFacts>>> {
    let sql = format!(
        "SELECT TABLE_NAME, PARTITION_NAME, PARTITION_METHOD, PARTITION_EXPRESSION, PARTITION_DESCRIPTION, TABLE_ROWS \
         FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = {} AND PARTITION_NAME IS NOT NULL \
         ORDER BY TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION",
        quote_text(database)
    );
    let mut tables: BTreeMap<String, Vec<PartitionFacts>> = BTreeMap::new();
    for row in ask(reader, &sql, &format!("the partitions of {database}"), gaps)? {
        let partitions = tables.entry(row.text(0)).or_default();
        let (name, rows) = (row.text(1), row.number(5).unwrap_or_default());
        match partitions.last_mut().filter(|partition| partition.name == name) {
            Some(partition) => partition.rows += rows,
            None => partitions.push(PartitionFacts {
                name,
                method: row.text(2),
                expression: row.text(3),
                values: row.text(4),
                rows,
            }),
        }
    }
    Ok(tables)
}

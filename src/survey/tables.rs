//! The tables of a database, put together from the information schema and `SHOW CREATE TABLE`.

use std::collections::BTreeMap;

use anyhow::Result;

use super::ask::{Gaps, ask, ask_one};
use super::catalog::Listed;
use super::indexes::Indexes;
use super::record::{Basis, TableFacts};
use super::{columns, indexes, sizes};
use crate::progress::Progress;
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;
use crate::sql::record::TableName;

/// The next AUTO_INCREMENT value of a table that never had a row, for which the server says NULL (MySQL) or 1.
pub const FIRST: u64 = 1;

/// A table and the index facts that only its statistics need.
#[derive(Clone, Debug)]
pub struct Read {
    /// What the survey keeps.
    pub facts: TableFacts,
    /// Its indexes as they were read.
    pub indexes: Indexes,
}

/// Reads the tables that were listed.
///
/// # Errors
/// When the connection is lost or the person asked to stop.
pub fn read(
    reader: &mut ReadOnly,
    flavor: Flavor,
    database: &str,
    listed: &[Listed],
    gaps: &mut Gaps,
    progress: &dyn Progress,
) -> Result<BTreeMap<TableName, Read>> {
    let mut columns = columns::read(reader, flavor, database, gaps)?;
    let mut indexes = indexes::read(reader, flavor, database, gaps)?;
    let mut keys = indexes::foreign_keys(reader, database, gaps)?;
    let mut partitions = indexes::partitions(reader, database, gaps)?;
    let mut versions = row_versions(reader, flavor, database, gaps)?;
    let mut tables = BTreeMap::new();
    for table in listed.iter().filter(|table| table.is_table()) {
        progress.check()?;
        let name = TableName::new(database, table.name.as_str());
        let Some(engine) = table.engine.clone() else {
            gaps.push(format!("the server cannot open {name}: {}", table.comment));
            continue;
        };
        let show = format!("SHOW CREATE TABLE {}", name.quoted());
        let Some(shown) = ask_one(reader, &show, &format!("the definition of {name}"), gaps)? else { continue };
        let create = shown.text(1);
        let mut columns = columns.remove(&table.name).unwrap_or_default();
        if flavor.is_mariadb() {
            columns::mark_json(&mut columns, &create);
        }
        let indexes = indexes.remove(&table.name).unwrap_or_default();
        let facts = TableFacts {
            create,
            rows: table.rows,
            rows_basis: Basis::Estimated,
            data_bytes: table.data_bytes,
            index_bytes: table.index_bytes,
            engine,
            auto_increment: columns
                .iter()
                .any(|column| column.auto_increment)
                .then(|| table.auto_increment.unwrap_or(FIRST)),
            row_versions: versions.remove(&table.name),
            columns,
            indexes: indexes.all.clone(),
            foreign_keys: keys.remove(&table.name).unwrap_or_default(),
            partitions: partitions.remove(&table.name).unwrap_or_default(),
        };
        tables.insert(name, Read { facts, indexes });
    }
    Ok(tables)
}

/// How many INSTANT row versions each table has used, of 64 (255 from 9.1 on). MySQL 8.0.29 and later tell it.
fn row_versions(
    reader: &mut ReadOnly,
    flavor: Flavor,
    database: &str,
    gaps: &mut Gaps,
) -> Result<BTreeMap<String, u64>> {
    if !flavor.at_least_mysql(8, 0, 29) {
        return Ok(BTreeMap::new());
    }
    let sql =
        "SELECT NAME, TOTAL_ROW_VERSIONS FROM information_schema.INNODB_TABLES WHERE TOTAL_ROW_VERSIONS IS NOT NULL";
    let mut versions = BTreeMap::new();
    for row in ask(reader, sql, "INSTANT row versions (they need the PROCESS privilege)", gaps)? {
        if let Some((name, used)) = sizes::table_of(&row.text(0)).zip(row.number(1))
            && name.database == database
        {
            let known = versions.entry(name.table).or_default();
            *known = used.max(*known);
        }
    }
    Ok(versions)
}

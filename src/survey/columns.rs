//! Columns, brought from each vendor's way of describing them into one.

use std::collections::BTreeMap;

use anyhow::Result;

use super::answer::Cells;
use super::ask::{Gaps, ask};
use super::record::ColumnFacts;
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;
use crate::sql::record::quote_text;

/// The columns of a database's tables and views in order, by table.
///
/// # Errors
/// When the connection is lost.
pub fn read(
    reader: &mut ReadOnly,
    flavor: Flavor,
    database: &str,
    gaps: &mut Gaps,
) -> Result<BTreeMap<String, Vec<ColumnFacts>>> {
    let sql = format!(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, GENERATION_EXPRESSION, \
         CHARACTER_SET_NAME, COLLATION_NAME, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} ORDER BY TABLE_NAME, ORDINAL_POSITION",
        quote_text(database)
    );
    let mut columns: BTreeMap<String, Vec<ColumnFacts>> = BTreeMap::new();
    for row in ask(reader, &sql, &format!("the columns of {database}"), gaps)? {
        columns.entry(row.text(0)).or_default().push(column(&row, flavor));
    }
    Ok(columns)
}

fn column(row: &Cells, flavor: Flavor) -> ColumnFacts {
    let extra = row.text(6).to_ascii_lowercase();
    let generated = row.maybe(7).filter(|expression| !expression.is_empty());
    let default = row.maybe(5).filter(|_| generated.is_none());
    ColumnFacts {
        name: row.text(1),
        data_type: row.text(2).to_ascii_lowercase(),
        column_type: row.text(3),
        nullable: row.is_yes(4),
        default: if flavor.is_mariadb() { default.and_then(|text| mariadb_default(&text)) } else { default },
        auto_increment: extra.contains("auto_increment"),
        generated: generated.map(|expression| if flavor.is_mariadb() { expression } else { unescaped(&expression) }),
        invisible: extra.contains("invisible"),
        charset: row.maybe(8),
        collation: row.maybe(9),
        length: row.number(10),
        precision: row.number(11),
        scale: row.number(12).or_else(|| row.number(13)),
        statistics: None,
    }
}

/// MySQL writes expressions into its dictionary with escaped quotes: `concat(_utf8mb4\',\')` (measured on 9.7).
pub fn unescaped(expression: &str) -> String {
    let mut plain = String::with_capacity(expression.len());
    let mut chars = expression.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some(quote @ ('\'' | '\\')) => plain.push(quote),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('0') => plain.push('\0'),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    plain
}

/// MariaDB (10.2.7 and later) writes a default as the expression that it is: `'text'`, `NULL`, `current_timestamp()`.
fn mariadb_default(text: &str) -> Option<String> {
    if text == "NULL" {
        return None;
    }
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Some(unescaped(&inner.replace("''", "'")));
    }
    if let Some(rest) = text.strip_prefix("current_timestamp(").and_then(|rest| rest.strip_suffix(')')) {
        return Some(if rest.is_empty() { "CURRENT_TIMESTAMP".into() } else { format!("CURRENT_TIMESTAMP({rest})") });
    }
    Some(text.to_owned())
}

/// Marks MariaDB's JSON columns, which are `longtext` with a check that `SHOW CREATE TABLE` tells.
pub fn mark_json(columns: &mut [ColumnFacts], create: &str) {
    for column in columns.iter_mut().filter(|column| column.data_type == "longtext") {
        let check = format!("json_valid(`{}`)", column.name.replace('`', "``"));
        if create.contains(&check) {
            column.data_type = "json".to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mariadb_defaults_are_told_as_mysql_tells_them() {
        let cases = [
            ("NULL", None),
            ("'NULL'", Some("NULL")),
            ("'it''s'", Some("it's")),
            ("''", Some("")),
            ("7", Some("7")),
            ("current_timestamp()", Some("CURRENT_TIMESTAMP")),
            ("current_timestamp(6)", Some("CURRENT_TIMESTAMP(6)")),
            ("concat('a','b')", Some("concat('a','b')")),
        ];
        for (written, meant) in cases {
            assert_eq!(mariadb_default(written).as_deref(), meant, "{written}");
        }
    }

    #[test]
    fn mysql_expressions_lose_the_dictionary_s_escapes() {
        assert_eq!(unescaped(r"concat(`vc`,_utf8mb4\',\',`ch`)"), "concat(`vc`,_utf8mb4',',`ch`)");
    }
}

//! After an undo by name: what was written since the step stands in the table that the undo put aside, and can be brought
//! into the one that it put back.

use super::copies::{insert_back, session_for_copies};
use super::shape::{key_columns, key_join, list};
use crate::sql::record::{TableName, quote_identifier};
use crate::survey::record::TableFacts;

/// Brings the rows of `aside` into `table` whose keys it does not hold, and says how many keys both hold with other values:
/// those rows stay as they were before the step. Without a key everything is brought, which is right only where `aside`
/// began empty; otherwise nothing can be told apart, and there is no merge.
pub fn merge(
    table: &TableName,
    aside: &TableName,
    facts: &TableFacts,
    columns: &[&str],
    began_empty: bool,
) -> Vec<String> {
    let Some(key) = key_columns(facts) else {
        if !began_empty {
            return Vec::new();
        }
        let mut sql = session_for_copies();
        sql.push(format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            table.quoted(),
            list(columns),
            list(columns),
            aside.quoted()
        ));
        return sql;
    };
    let same: Vec<String> = columns
        .iter()
        .map(|column| {
            let column = quote_identifier(column);
            format!("t.{column} <=> b.{column}")
        })
        .collect();
    let mut sql = vec![format!(
        "SELECT COUNT(*) AS keys_of_both_with_other_values FROM {} AS t JOIN {} AS b ON {} WHERE NOT ({})",
        table.quoted(),
        aside.quoted(),
        key_join("t", "b", &key),
        same.join(" AND ")
    )];
    sql.extend(insert_back(table, aside, facts, columns));
    sql.push("SELECT ROW_COUNT() AS rows_merged".to_owned());
    sql
}

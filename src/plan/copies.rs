//! Copies of whole tables and of columns, and the SQL that puts rows and values back from a copy.

use super::backup::{Protection, Scene, beside};
use super::loss::Loss;
use super::record::{Backup, Way};
use super::shape::{key_columns, key_join, list, stored_columns};
use crate::sql::record::{TableName, quote_identifier};
use crate::survey::record::{Survey, TableFacts};

/// What a session needs to copy rows as they are.
pub fn session_for_copies() -> Vec<String> {
    vec![
        // A row with 0 in its AUTO_INCREMENT column would get a new number, and zero dates would be refused (measured).
        "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'".to_owned(),
    ]
}

/// Sets columns back to what a copy holds.
pub fn update_back(table: &TableName, copy: &TableName, facts: &TableFacts, columns: &[String]) -> Vec<String> {
    let key = key_columns(facts).unwrap_or_default();
    let set: Vec<String> = columns
        .iter()
        .map(|column| {
            let column = quote_identifier(column);
            format!("t.{column} = b.{column}")
        })
        .collect();
    let mut sql = session_for_copies();
    sql.push(format!(
        "UPDATE {} AS t JOIN {} AS b ON {} SET {}",
        table.quoted(),
        copy.quoted(),
        key_join("t", "b", &key),
        set.join(", ")
    ));
    sql
}

/// Puts the rows of a copy back that are missing.
pub fn insert_back(table: &TableName, copy: &TableName, facts: &TableFacts, columns: &[&str]) -> Vec<String> {
    let from: Vec<String> = columns.iter().map(|column| format!("b.{}", quote_identifier(column))).collect();
    let missing = key_columns(facts).map_or_else(String::new, |key| {
        format!(
            " LEFT JOIN {} AS t ON {} WHERE t.{} IS NULL",
            table.quoted(),
            key_join("t", "b", &key),
            quote_identifier(key[0])
        )
    });
    let mut sql = session_for_copies();
    sql.push(format!(
        "INSERT INTO {} ({}) SELECT {} FROM {} AS b{missing}",
        table.quoted(),
        list(columns),
        from.join(", "),
        copy.quoted()
    ));
    sql
}

/// All rows, copied before the step.
pub fn whole(table: &TableName, facts: &TableFacts, loss: &Loss, id: String, scene: &Scene<'_>) -> Protection {
    let copy = beside(table, scene.step, "");
    let columns = stored_columns(facts);
    let mut before = session_for_copies();
    before.extend([
        // Under REPEATABLE READ an INSERT … SELECT locks every row it reads (measured).
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        format!("CREATE TABLE {} LIKE {}", copy.quoted(), table.quoted()),
        format!("INSERT INTO {} ({}) SELECT {} FROM {}", copy.quoted(), list(&columns), list(&columns), table.quoted()),
        format!(
            "SELECT (SELECT COUNT(*) FROM {}) AS rows_kept, (SELECT COUNT(*) FROM {}) AS rows_there",
            copy.quoted(),
            table.quoted()
        ),
    ]);
    let mut limits =
        vec!["rows that are written between the copy and the step are not in it: stop the writers, or compare the two counts".to_owned()];
    if !facts.is_transactional() {
        limits.push(format!("{}: the copy blocks every write to {table} while it runs", facts.engine));
    }
    let mut leaves = vec![(copy.clone(), format!("the copy that undoes step {}", scene.step))];
    let (undo, limit) = match loss {
        Loss::Table { .. } => {
            let mut sql = vec![
                "SET SESSION foreign_key_checks = 0".to_owned(),
                format!("USE {}", quote_identifier(&table.database)),
                facts.create.clone(),
            ];
            sql.extend(insert_back(table, &copy, facts, &columns));
            sql.extend(triggers_of(table, scene.survey));
            (sql, "makes the table again as the survey read it, with the rows of the copy".to_owned())
        }
        Loss::Columns { .. } | Loss::AllRows { .. } if changes_definition(loss, scene) => {
            let aside = beside(table, scene.step, "after");
            leaves.push((aside.clone(), format!("the table as step {} left it, put aside by its undo", scene.step)));
            (
                vec![format!("RENAME TABLE {} TO {}, {} TO {}", table.quoted(), aside.quoted(), copy.quoted(), table.quoted())],
                "puts the copy in the table's place: until the first write after the step; later writes are in the table put aside. Foreign keys and triggers are not in the copy and must be made again".to_owned(),
            )
        }
        Loss::SomeRows { .. } | Loss::Values { .. } if key_columns(facts).is_some() => {
            let key = key_columns(facts).unwrap_or_default();
            let others: Vec<String> =
                columns.iter().filter(|column| !key.contains(column)).map(|column| (*column).to_owned()).collect();
            let mut sql = if others.is_empty() { Vec::new() } else { update_back(table, &copy, facts, &others) };
            sql.extend(insert_back(table, &copy, facts, &columns));
            (sql, "sets every row of the copy back and puts missing ones back: what the application wrote into those rows since is lost; rows that are new since stay".to_owned())
        }
        Loss::Values { .. } | Loss::SomeRows { .. } => (
            Vec::new(),
            format!(
                "by hand from {copy}: without a primary key a row of the copy cannot be matched to a row of the table"
            ),
        ),
        _ => (
            insert_back(table, &copy, facts, &columns),
            "puts the rows back; a row whose key was used again since stays as it is now, and is not put back"
                .to_owned(),
        ),
    };
    Protection {
        backup: Backup {
            id,
            of: table.clone(),
            way: Way::TableCopy { copy: copy.clone() },
            keeps: format!("all rows of {table}, copied to {copy} before the step"),
            limits,
            bytes: Some(facts.data_bytes + facts.index_bytes),
        },
        before,
        within: None,
        undo,
        limit,
        leaves,
    }
}

/// An ALTER that loses all rows' values (a conversion, a partition) is undone by another table, not by rows.
fn changes_definition(loss: &Loss, scene: &Scene<'_>) -> bool {
    scene.step_alters && matches!(loss, Loss::Columns { .. } | Loss::AllRows { .. })
}

/// The key and the columns that an ALTER drops or converts.
pub fn columns_copy(
    table: &TableName,
    facts: &TableFacts,
    columns: &[String],
    id: &str,
    scene: &Scene<'_>,
) -> Option<Protection> {
    let key = key_columns(facts)?;
    let copy = beside(table, scene.step, "");
    let mut kept: Vec<&str> = key.clone();
    kept.extend(
        columns.iter().map(String::as_str).filter(|column| !key.iter().any(|part| part.eq_ignore_ascii_case(column))),
    );
    let mut definitions = Vec::new();
    for name in &kept {
        let column = facts.column(name).filter(|column| !column.column_type.is_empty())?;
        let text = match (&column.charset, &column.collation) {
            (Some(charset), Some(collation)) => format!(" CHARACTER SET {charset} COLLATE {collation}"),
            _ => String::new(),
        };
        let null = if key.iter().any(|part| part.eq_ignore_ascii_case(name)) { "NOT NULL" } else { "NULL" };
        definitions.push(format!("{} {}{text} {null}", quote_identifier(&column.name), column.column_type));
    }
    let parts: Vec<String> = facts
        .primary_key()
        .iter()
        .map(|part| {
            let prefix = part.prefix.map(|length| format!("({length})")).unwrap_or_default();
            format!("{}{prefix}", quote_identifier(&part.name))
        })
        .collect();
    definitions.push(format!("PRIMARY KEY ({})", parts.join(", ")));
    let mut before = session_for_copies();
    before.extend([
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        format!("CREATE TABLE {} ({}) ENGINE=InnoDB", copy.quoted(), definitions.join(", ")),
        format!("INSERT INTO {} ({}) SELECT {} FROM {}", copy.quoted(), list(&kept), list(&kept), table.quoted()),
    ]);
    let values: Vec<String> = columns
        .iter()
        .filter(|column| !key.iter().any(|part| part.eq_ignore_ascii_case(column)))
        .filter(|column| facts.column(column).is_some_and(|column| column.generated.is_none()))
        .cloned()
        .collect();
    Some(Protection {
        backup: Backup {
            id: id.to_owned(),
            of: table.clone(),
            way: Way::ColumnCopy {
                copy: copy.clone(),
                columns: kept.iter().map(|column| (*column).to_owned()).collect(),
            },
            keeps: format!("the values of {} with their keys, copied to {copy} before the step", columns.join(", ")),
            limits: vec!["values that are written between the copy and the step are not in it".to_owned()],
            bytes: None,
        },
        before,
        within: None,
        undo: if values.is_empty() { Vec::new() } else { update_back(table, &copy, facts, &values) },
        limit: "sets the columns' values back for the rows of the copy; what was written there since is lost"
            .to_owned(),
        leaves: vec![(copy, format!("the values that undo step {}", scene.step))],
    })
}

/// The triggers of a table, to be made again with it.
fn triggers_of(table: &TableName, survey: &Survey) -> Vec<String> {
    survey.triggers.values().filter(|trigger| trigger.table == *table).map(|trigger| trigger.create.clone()).collect()
}

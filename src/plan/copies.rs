//! Copies of whole tables and of columns, and the SQL that puts rows and values back from a copy.

use super::dump::instead;
use super::loss::Loss;
use super::merge::merge;
use super::protection::{Protection, Scene, beside};
use super::record::{Backup, Way};
use super::shape::{key_columns, key_join, list, quote_in, stored_columns};
use super::work::COPY_MODE;
use crate::sql::record::{TableName, quote_identifier};
use crate::survey::record::{ForeignKeyFacts, IndexFacts, Survey, TableFacts};

/// What a session needs to copy rows as they are.
pub fn session_for_copies() -> Vec<String> {
    vec![format!("SET SESSION sql_mode = '{COPY_MODE}'")]
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
    // A row may stand before the one that it points at.
    let own: Vec<&ForeignKeyFacts> = facts.foreign_keys.iter().filter(|key| key.parent == *table).collect();
    sql.extend((!own.is_empty()).then(|| "SET SESSION foreign_key_checks = 0".to_owned()));
    sql.push(format!(
        "INSERT INTO {} ({}) SELECT {} FROM {} AS b{missing}",
        table.quoted(),
        list(columns),
        from.join(", "),
        copy.quoted()
    ));
    for key in own {
        sql.push("SET SESSION foreign_key_checks = 1".to_owned());
        sql.push(orphans(table, key));
    }
    sql
}

/// Counts the rows of a table that point at rows of itself that are not there.
fn orphans(table: &TableName, key: &ForeignKeyFacts) -> String {
    let pairs: Vec<String> = (key.columns.iter().zip(&key.parent_columns))
        .map(|(child, parent)| format!("t.{} = p.{}", quote_identifier(child), quote_identifier(parent)))
        .collect();
    let set: Vec<String> =
        key.columns.iter().map(|column| format!("t.{} IS NOT NULL", quote_identifier(column))).collect();
    let missing = key.parent_columns.first().map(|column| quote_identifier(column)).unwrap_or_default();
    format!(
        "SELECT COUNT(*) AS rows_without_their_parent FROM {0} AS t LEFT JOIN {0} AS p ON {1} WHERE {2} AND p.{missing} IS NULL",
        table.quoted(),
        pairs.join(" AND "),
        set.join(" AND ")
    )
}

/// Makes the table that takes rows which go back by their key. No other index serves it, and each would have to be filled while
/// others wait for the rows.
pub fn for_rows(copy: &TableName, table: &TableName, facts: &TableFacts) -> Vec<String> {
    let mut sql = vec![format!("CREATE TABLE {} LIKE {}", copy.quoted(), table.quoted())];
    let counts = |index: &IndexFacts| {
        let counts = |name: &str| facts.column(name).is_some_and(|column| column.auto_increment);
        index.columns.iter().any(|part| counts(&part.name))
    };
    let drops: Vec<String> = (facts.indexes.iter())
        .filter(|index| !index.name.eq_ignore_ascii_case("PRIMARY") && !counts(index))
        .map(|index| format!("DROP INDEX {}", quote_identifier(&index.name)))
        .collect();
    if key_columns(facts).is_some() && !drops.is_empty() {
        sql.push(format!("ALTER TABLE {} {}", copy.quoted(), drops.join(", ")));
    }
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
    let mut merged = Vec::new();
    let (undo, limit) = match loss {
        Loss::Table { .. } => {
            let mut sql = vec![
                "SET SESSION foreign_key_checks = 0".to_owned(),
                format!("USE {}", quote_identifier(&table.database)),
            ];
            sql.extend(scene.replaced.then(|| format!("DROP TABLE IF EXISTS {}", table.quoted())));
            sql.push(facts.create.clone());
            sql.extend(insert_back(table, &copy, facts, &columns));
            sql.extend(triggers_of(table, scene.survey));
            (sql, "makes the table again as the survey read it, with the rows of the copy".to_owned())
        }
        Loss::Columns { .. } | Loss::AllRows { .. } if changes_definition(loss, scene) => {
            let aside = beside(table, scene.step, "after");
            leaves.push((aside.clone(), format!("the table as step {} left it, put aside by its undo", scene.step)));
            // What the step dropped is not in the table put aside.
            let lost: &[String] = if let Loss::Columns { columns, .. } = loss { columns } else { &[] };
            let there: Vec<&str> = (columns.iter().copied())
                .filter(|column| !lost.iter().any(|lost| lost.eq_ignore_ascii_case(column)))
                .collect();
            merged = merge(table, &aside, facts, &there, false);
            (
                vec![format!("RENAME TABLE {} TO {}, {} TO {}", table.quoted(), aside.quoted(), copy.quoted(), table.quoted())],
                "puts the copy in the table's place: until the first write after the step; later writes are in the table put aside".to_owned(),
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
    let bytes = facts.data_bytes + facts.index_bytes;
    let keeps = format!("all rows of {table}, copied to {copy} before the step");
    Protection {
        backup: Backup {
            limits,
            bytes: Some(bytes),
            alternatives: instead(table, bytes, scene),
            ..Backup::new(id, table.clone(), Way::TableCopy { copy: copy.clone() }, keeps)
        },
        before,
        within: None,
        shells: None,
        undo,
        merge: merged,
        limit,
        leaves,
    }
}

/// An ALTER that loses all rows' values (a conversion, a partition) is undone by another table, not by rows.
pub fn changes_definition(loss: &Loss, scene: &Scene<'_>) -> bool {
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
    let way = Way::ColumnCopy { copy: copy.clone(), columns: kept.iter().map(|column| (*column).to_owned()).collect() };
    let keeps = format!("the values of {} with their keys, copied to {copy} before the step", columns.join(", "));
    Some(Protection {
        backup: Backup {
            limits: vec!["values that are written between the copy and the step are not in it".to_owned()],
            ..Backup::new(id.to_owned(), table.clone(), way, keeps)
        },
        before,
        within: None,
        shells: None,
        merge: Vec::new(),
        undo: if values.is_empty() { Vec::new() } else { update_back(table, &copy, facts, &values) },
        limit: "sets the columns' values back for the rows of the copy; what was written there since is lost"
            .to_owned(),
        leaves: vec![(copy, format!("the values that undo step {}", scene.step))],
    })
}

/// The triggers of a table, to be made again with it, each under the mode that it had.
fn triggers_of(table: &TableName, survey: &Survey) -> Vec<String> {
    let own = survey.triggers.values().filter(|trigger| trigger.table == *table);
    own.flat_map(|trigger| [format!("SET SESSION sql_mode = {}", quote_in(&trigger.sql_mode)), trigger.create.clone()])
        .collect()
}

//! Which backup covers a loss, the SQL that makes it, and the SQL that puts back what it holds.
//!
//! Columns are always listed: `SELECT *` leaves invisible columns out and generated ones cannot be written (measured on
//! MySQL 9.7 and MariaDB 10.11). Copies are made with CREATE TABLE … LIKE: CREATE TABLE … SELECT loses keys and AUTO_INCREMENT.

use super::batches::Copy;
use super::loss::Loss;
use super::record::{Backup, Way};
use super::shape::{Shapes, Simple, column_line, key_columns, key_join, list, stored_columns};
use crate::server::flavor::Flavor;
use crate::sql::record::{TableName, quote_identifier};
use crate::survey::record::{Survey, TableFacts};

/// A backup with what makes it and what goes back by it.
#[derive(Clone, Debug, PartialEq)]
pub struct Protection {
    /// The record.
    pub backup: Backup,
    /// Statements before the step.
    pub before: Vec<String>,
    /// A copy that the step makes itself, in the transaction that changes the rows.
    pub within: Option<Copy>,
    /// Statements of the undo.
    pub undo: Vec<String>,
    /// Until when the undo is good.
    pub limit: String,
    /// Tables to be dropped in the end: what they are.
    pub leaves: Vec<(TableName, String)>,
}

/// What is known where a backup is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Number of the step.
    pub step: usize,
    /// Vendor and version.
    pub flavor: Flavor,
    /// Production.
    pub survey: &'a Survey,
    /// The tables as they stand before the step.
    pub shapes: &'a Shapes,
    /// The statement taken apart, when the step is one simple UPDATE or DELETE.
    pub simple: Option<&'a Simple>,
    /// The step is an ALTER TABLE.
    pub step_alters: bool,
    /// Where the step itself puts this table, when it swaps it.
    pub kept: Option<&'a TableName>,
}

/// Chooses the backup for a loss.
pub fn protect(loss: &Loss, id: String, scene: &Scene<'_>) -> Protection {
    let Some(table) = loss.table() else { return dump(TableName::new("", ""), id, scene) };
    if let Loss::Definition { .. } = loss {
        return definition(table, id, scene);
    }
    if let Some(kept) = scene.kept {
        return keep(table, kept, id, scene);
    }
    let Some(facts) = scene.shapes.known(table).filter(|facts| !stored_columns(facts).is_empty()) else {
        return dump(TableName::new(&table.database, ""), id, scene);
    };
    match (loss, scene.simple) {
        (Loss::Rows { .. } | Loss::AllRows { .. }, Some(simple)) => rows(table, facts, simple, loss, id, scene),
        (Loss::Values { .. }, Some(simple)) if can_go_back_by_key(facts, simple) => {
            rows(table, facts, simple, loss, id, scene)
        }
        (Loss::Columns { columns, .. }, _) => {
            columns_copy(table, facts, columns, &id, scene).unwrap_or_else(|| whole(table, facts, loss, id, scene))
        }
        _ => whole(table, facts, loss, id, scene),
    }
}

fn can_go_back_by_key(facts: &TableFacts, simple: &Simple) -> bool {
    let Some(key) = key_columns(facts) else { return false };
    simple
        .assigned
        .as_ref()
        .is_some_and(|assigned| !assigned.iter().any(|column| key.iter().any(|part| part.eq_ignore_ascii_case(column))))
}

/// The name of a table of our own beside `table`: at most 64 characters.
pub fn beside(table: &TableName, step: usize, word: &str) -> TableName {
    let name: String = format!("rehearse_{word}{step:03}_{}", table.table).chars().take(64).collect();
    TableName::new(&table.database, name)
}

/// The copy of the rows that the step changes, made by the step itself.
fn rows(
    table: &TableName,
    facts: &TableFacts,
    simple: &Simple,
    loss: &Loss,
    id: String,
    scene: &Scene<'_>,
) -> Protection {
    let copy = beside(table, scene.step, "");
    let columns = stored_columns(facts);
    let is_update = matches!(loss, Loss::Values { .. });
    let all = simple.condition.is_none();
    let mut limits =
        vec!["rows that foreign keys or triggers change in other tables have backups of their own".to_owned()];
    if !facts.is_transactional() {
        limits.push(format!(
            "{} cannot roll back: a step that is broken off leaves its changes, and the copy stays good",
            facts.engine
        ));
    }
    let (undo, limit) = if is_update {
        let set_back = restored(table, facts, simple, scene);
        (
            update_back(table, &copy, facts, &set_back),
            format!(
                "sets back {} of the rows that were changed; what the application wrote there since is lost",
                set_back.join(", ")
            ),
        )
    } else {
        (
            insert_back(table, &copy, facts, &columns),
            "puts the deleted rows back; a row whose key was used again since stays as it is now, and is not put back"
                .to_owned(),
        )
    };
    let way = if matches!(loss, Loss::AllRows { .. }) {
        Way::TableCopy { copy: copy.clone() }
    } else {
        Way::RowCopy { copy: copy.clone() }
    };
    Protection {
        backup: Backup {
            id,
            of: table.clone(),
            way,
            keeps: format!(
                "{} of {table}, copied to {copy} by the step itself, in the transaction that changes them; the counts must match or it rolls back",
                if all { "all rows" } else { "the rows that the step changes" }
            ),
            limits,
            bytes: all.then_some(facts.data_bytes + facts.index_bytes),
        },
        before: vec![format!("CREATE TABLE {} LIKE {}", copy.quoted(), table.quoted())],
        within: Some(Copy {
            into: copy.clone(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            exact: !is_update && !simple.ignores,
        }),
        undo,
        limit,
        leaves: vec![(copy, format!("the copy that undoes step {}", scene.step))],
    }
}

/// The columns that an undo of an UPDATE sets back: those assigned, and those that set themselves.
fn restored(table: &TableName, facts: &TableFacts, simple: &Simple, scene: &Scene<'_>) -> Vec<String> {
    let has_triggers =
        scene.survey.triggers.values().any(|trigger| trigger.table == *table && trigger.event == "UPDATE");
    let sets_itself = |column: &str| {
        column_line(&facts.create, column).is_some_and(|line| line.to_ascii_uppercase().contains("ON UPDATE"))
    };
    let key = key_columns(facts).unwrap_or_default();
    stored_columns(facts)
        .into_iter()
        .filter(|column| !key.iter().any(|part| part == column))
        .filter(|column| {
            let assigned = simple.assigned.as_ref();
            has_triggers
                || sets_itself(column)
                || assigned.is_none_or(|all| all.iter().any(|one| one.eq_ignore_ascii_case(column)))
        })
        .map(str::to_owned)
        .collect()
}

fn session_for_copies() -> Vec<String> {
    vec![
        // A row with 0 in its AUTO_INCREMENT column would get a new number, and zero dates would be refused (measured).
        "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'".to_owned(),
    ]
}

fn update_back(table: &TableName, copy: &TableName, facts: &TableFacts, columns: &[String]) -> Vec<String> {
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

fn insert_back(table: &TableName, copy: &TableName, facts: &TableFacts, columns: &[&str]) -> Vec<String> {
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
fn whole(table: &TableName, facts: &TableFacts, loss: &Loss, id: String, scene: &Scene<'_>) -> Protection {
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
fn columns_copy(
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

/// The swap of the step keeps the old table; nothing is copied.
fn keep(table: &TableName, kept: &TableName, id: String, scene: &Scene<'_>) -> Protection {
    let aside = beside(table, scene.step, "after");
    let columns = scene.shapes.known(table).map(stored_columns).unwrap_or_default();
    let mut undo =
        vec![format!("RENAME TABLE {} TO {}, {} TO {}", table.quoted(), aside.quoted(), kept.quoted(), table.quoted())];
    // Rows written since the swap: their keys are above the old ones (AUTO_INCREMENT was carried over), so they merge.
    if !columns.is_empty() {
        undo.extend(session_for_copies());
        undo.push(format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            table.quoted(),
            list(&columns),
            list(&columns),
            aside.quoted()
        ));
    }
    Protection {
        backup: Backup {
            id,
            of: table.clone(),
            way: Way::KeptTable { kept: kept.clone() },
            keeps: format!("the old {table} itself, as {kept}: the step puts it aside instead of emptying it"),
            limits: vec![
                "an undo until the first write: rows written after the swap must be merged, which the undo's last statement does where no key is taken twice".to_owned(),
                format!("grants go by name: {kept} has none of its own"),
            ],
            bytes: scene.shapes.known(table).map(|facts| facts.data_bytes + facts.index_bytes),
        },
        before: Vec::new(),
        within: None,
        undo,
        limit: format!("until the first write; after it the rows written since are merged from {aside}, and an update or delete made since is lost"),
        leaves: vec![
            (kept.clone(), format!("the old {table}: the undo of step {}", scene.step)),
            (aside, format!("the table as step {} left it, put aside by its undo", scene.step)),
        ],
    }
}

/// The definition that the survey read; the undo makes it again.
fn definition(name: &TableName, id: String, scene: &Scene<'_>) -> Protection {
    let survey = scene.survey;
    let create = survey
        .views
        .get(name)
        .or_else(|| survey.routines.get(name))
        .or_else(|| survey.triggers.get(name).map(|trigger| &trigger.create))
        .cloned();
    let known = create.is_some();
    let mut undo = Vec::new();
    if let Some(create) = create {
        undo.push(format!("USE {}", quote_identifier(&name.database)));
        if let Some(trigger) = survey.triggers.get(name).filter(|trigger| !trigger.sql_mode.is_empty()) {
            undo.push(format!("SET SESSION sql_mode = {}", super::shape::quote_in(&trigger.sql_mode)));
        }
        undo.push(create);
    }
    Protection {
        backup: Backup {
            id,
            of: name.clone(),
            way: Way::Definition,
            keeps: format!("the definition of {name}, as the survey read it; its undo holds it"),
            limits: Vec::new(),
            bytes: None,
        },
        before: Vec::new(),
        within: None,
        undo,
        limit: if known {
            "makes it again; grants on a routine must be given again".to_owned()
        } else {
            format!("none: the survey holds no definition of {name}")
        },
        leaves: Vec::new(),
    }
}

/// The triggers of a table, to be made again with it.
fn triggers_of(table: &TableName, survey: &Survey) -> Vec<String> {
    survey.triggers.values().filter(|trigger| trigger.table == *table).map(|trigger| trigger.create.clone()).collect()
}

/// A dump by the operator: where nobody can tell what is lost, or what a table looks like by then.
fn dump(of: TableName, id: String, scene: &Scene<'_>) -> Protection {
    let what = if of.database.is_empty() {
        let databases: Vec<String> = scene.survey.databases.keys().map(|name| shell(name)).collect();
        if databases.is_empty() { "--all-databases".to_owned() } else { format!("--databases {}", databases.join(" ")) }
    } else {
        format!("--databases {}", shell(&of.database))
    };
    // With GTIDs a plain mysqldump makes a restore that is not replicated and that rewrites gtid_purged (measured).
    let (program, gtid) =
        if scene.flavor.is_mariadb() { ("mariadb-dump", "") } else { ("mysqldump", " --set-gtid-purged=OFF") };
    let file = format!("rehearse-{:03}.sql", scene.step);
    let command = format!(
        "{program} --single-transaction{gtid} --hex-blob --no-tablespaces --routines --triggers --events {what} > {file}"
    );
    Protection {
        backup: Backup {
            id,
            of,
            way: Way::Dump { command },
            keeps: "a dump, made by the operator before the step".to_owned(),
            limits: vec![
                "--single-transaction is consistent for InnoDB only: stop the writers of other tables meanwhile"
                    .to_owned(),
                "the dump and its restore were not rehearsed".to_owned(),
            ],
            bytes: None,
        },
        before: Vec::new(),
        within: None,
        undo: Vec::new(),
        limit: format!("by hand, from {file}: everything written since the dump is lost"),
        leaves: Vec::new(),
    }
}

/// A word for a POSIX shell.
fn shell(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

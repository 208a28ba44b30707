//! Which backup covers a loss, the SQL that makes it, and the SQL that puts back what it holds.
//!
//! Columns are always listed: `SELECT *` leaves invisible columns out and generated ones cannot be written (measured on
//! MySQL 9.7 and MariaDB 10.11). Copies are made with CREATE TABLE … LIKE: CREATE TABLE … SELECT loses keys and AUTO_INCREMENT.

use super::batches::Copy;
use super::copies::{columns_copy, insert_back, session_for_copies, update_back, whole};
use super::loss::Loss;
use super::record::{Backup, Way};
use super::shape::{Shapes, Simple, column_line, key_columns, list, stored_columns};
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

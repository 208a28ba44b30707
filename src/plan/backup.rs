//! Which backup covers a loss, the SQL that makes it, and the SQL that puts back what it holds.
//!
//! Columns are always listed: `SELECT *` leaves invisible columns out and generated ones cannot be written (measured on
//! MySQL 9.7 and MariaDB 10.11). Copies are made with CREATE TABLE … LIKE: CREATE TABLE … SELECT loses keys and AUTO_INCREMENT.

use super::copies::{changes_definition, columns_copy, for_rows, insert_back, update_back, whole};
use super::dump::{dump, instead};
use super::loss::Loss;
use super::merge::merge;
use super::protection::{Protection, Scene, beside};
use super::record::{Backup, Way};
use super::shape::{Simple, column_line, key_columns, stored_columns};
use super::work::Copy;
use crate::sql::record::{TableName, quote_identifier};
use crate::survey::record::TableFacts;

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
        // Under its own name the dump's program finds it only when no step gave it another one.
        let part = if scene.survey.tables.contains_key(table) { table.table.as_str() } else { "" };
        return dump(TableName::new(&table.database, part), id, scene);
    };
    if !goes_back_by_copy(table, facts, loss, scene) {
        return dump(table.clone(), id, scene);
    }
    match (loss, scene.simple) {
        (Loss::Rows { .. } | Loss::AllRows { .. }, Some(simple)) => rows(table, facts, simple, loss, id, scene),
        (Loss::Values { .. }, Some(simple)) if can_go_back_by_key(facts, simple) => {
            rows(table, facts, simple, loss, id, scene)
        }
        (Loss::Columns { columns, .. }, _) => columns_copy(table, facts, columns, &id, scene).unwrap_or_else(|| {
            match takes_its_place(table, facts, scene) {
                true => whole(table, facts, loss, id, scene),
                false => dump(table.clone(), id, scene),
            }
        }),
        _ => whole(table, facts, loss, id, scene),
    }
}

/// False where the rows of a copy cannot take the place of what was lost: without a key nothing tells which row a value
/// belongs to; a trigger would change what is put back, and do again what it did; and a copy that takes the table's place has none
/// of its foreign keys and triggers.
fn goes_back_by_copy(table: &TableName, facts: &TableFacts, loss: &Loss, scene: &Scene<'_>) -> bool {
    let by_key = key_columns(facts).is_some();
    let fires = |events: &[&str]| {
        let own = scene.survey.triggers.values().filter(|trigger| trigger.table == *table);
        own.into_iter().any(|trigger| events.contains(&trigger.event.as_str()))
    };
    match loss {
        Loss::Values { .. } => by_key && !fires(&["UPDATE"]),
        Loss::SomeRows { .. } => by_key && !fires(&["UPDATE", "INSERT"]),
        Loss::Columns { .. } if by_key => !fires(&["UPDATE"]),
        _ if changes_definition(loss, scene) => takes_its_place(table, facts, scene),
        Loss::Rows { .. } | Loss::AllRows { .. } => !fires(&["INSERT"]),
        _ => true,
    }
}

/// A copy has no foreign keys and triggers, and those of other tables do not point at it.
fn takes_its_place(table: &TableName, facts: &TableFacts, scene: &Scene<'_>) -> bool {
    let points = |other: &TableFacts| other.foreign_keys.iter().any(|key| key.parent == *table);
    facts.foreign_keys.is_empty()
        && !scene.survey.tables.values().any(points)
        && !scene.survey.triggers.values().any(|trigger| trigger.table == *table)
}

fn can_go_back_by_key(facts: &TableFacts, simple: &Simple) -> bool {
    let Some(key) = key_columns(facts) else { return false };
    simple
        .assigned
        .as_ref()
        .is_some_and(|assigned| !assigned.iter().any(|column| key.iter().any(|part| part.eq_ignore_ascii_case(column))))
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
            limits,
            bytes: all.then_some(facts.data_bytes + facts.index_bytes),
            alternatives: if all { instead(table, facts.data_bytes + facts.index_bytes, scene) } else { Vec::new() },
            ..Backup::new(
                id,
                table.clone(),
                way,
                format!(
                    "{} of {table}, copied to {copy} by the step itself, in the transaction that changes them; the counts must match or it rolls back",
                    if all { "all rows" } else { "the rows that the step changes" }
                ),
            )
        },
        before: for_rows(&copy, table, facts),
        within: Some(Copy {
            into: copy.clone(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            exact: !is_update && !simple.ignores,
        }),
        shells: None,
        undo,
        merge: Vec::new(),
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
    let facts = scene.shapes.known(table);
    let columns = facts.map(stored_columns).unwrap_or_default();
    // Where the new table holds rows of the old one, those that both hold stay as the old one has them; what came since is
    // told by its key. Where it began empty, all that it holds came since.
    let merged = match facts {
        Some(facts) if !columns.is_empty() => merge(table, &aside, facts, &columns, !scene.refilled),
        _ => Vec::new(),
    };
    let instead = if scene.refilled { "deleting from it" } else { "emptying it" };
    let written = match (merged.is_empty(), scene.refilled) {
        (true, _) => "rows written after the swap must be merged by hand, for without a key nothing tells them apart",
        (false, false) => "rows written after the swap must be merged, which a script does where no key is taken twice",
        (false, true) => {
            "rows inserted after the swap are merged by a script; rows changed or deleted since go back to what they were"
        }
    };
    let backup = Backup::new(
        id,
        table.clone(),
        Way::KeptTable { kept: kept.clone() },
        format!("the old {table} itself, as {kept}: the step puts it aside instead of {instead}"),
    );
    Protection {
        backup: Backup {
            limits: vec![
                format!("an undo until the first write: {written}"),
                format!("grants go by name: {kept} has none of its own"),
            ],
            bytes: facts.map(|facts| facts.data_bytes + facts.index_bytes),
            ..backup
        },
        before: Vec::new(),
        within: None,
        shells: None,
        undo: vec![format!(
            "RENAME TABLE {} TO {}, {} TO {}",
            table.quoted(),
            aside.quoted(),
            kept.quoted(),
            table.quoted()
        )],
        merge: merged,
        limit: format!(
            "until the first write; after it the rows written since are in {aside}, and an update or delete made since is lost"
        ),
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
        undo.extend(scene.replaced.then(|| format!("DROP VIEW IF EXISTS {}", name.quoted())));
        let own = survey.triggers.get(name).map(|trigger| super::shape::quote_in(&trigger.sql_mode));
        undo.push(format!("SET SESSION sql_mode = {}", own.unwrap_or_else(|| "@@GLOBAL.sql_mode".to_owned())));
        undo.push(create);
    }
    let keeps = format!("the definition of {name}, as the survey read it; its undo holds it");
    Protection {
        backup: Backup::new(id, name.clone(), Way::Definition, keeps),
        before: Vec::new(),
        within: None,
        shells: None,
        undo,
        merge: Vec::new(),
        limit: if known {
            "makes it again; grants on a routine must be given again".to_owned()
        } else {
            format!("none: the survey holds no definition of {name}")
        },
        leaves: Vec::new(),
    }
}

//! A schema read from its text: CREATE statements (and the ALTERs that complete them) into the facts that a server would have
//! told. For where no server is.
//!
//! Sizes are not in a schema: rows are unknown (0, estimated) until somebody states them. What a text leaves to the server's
//! defaults stays open, but for the engine, which is taken for InnoDB. What could not be read is a gap, never left out.

mod column;
mod definition;
mod objects;

use anyhow::Result;

use self::definition::Table;
use super::mention::Names;
use super::record::{ServerFacts, Survey, TableFacts};
use crate::server::flavor::Flavor;
use crate::sql::record::{Kind, Statement, TableName};
use crate::sql::script::Script;

/// Reads the statements of a schema for a flavour.
///
/// # Errors
/// As the script's, with file and line.
pub fn read(script: &Script, flavor: Flavor) -> Result<Survey> {
    let mut survey = Survey::empty(ServerFacts::of(flavor));
    for action in script.actions()? {
        take(&mut survey, action?.statement(), flavor);
    }
    let names = Names::of(&survey);
    for trigger in survey.triggers.values_mut() {
        let own = trigger.table.clone();
        trigger.touches =
            names.mentioned(&trigger.create, &own.database).into_iter().filter(|name| *name != own).collect();
    }
    Ok(survey)
}

/// Takes one statement of the schema in.
fn take(survey: &mut Survey, statement: &Statement, flavor: Flavor) {
    let effect = &statement.reading.effect;
    if effect.temporary {
        return;
    }
    let name = effect.defines.iter().next().cloned();
    match (statement.reading.kind, name) {
        (Kind::CreateTable, Some(name)) if objects::is_sequence(&statement.text) => {
            survey.sequences.insert(name, statement.text.clone());
        }
        (Kind::CreateTable, Some(name)) => create(survey, name, statement, flavor),
        (Kind::AlterTable | Kind::CreateIndex, Some(name)) => alter(survey, &name, statement, flavor),
        (Kind::CreateView, Some(name)) => {
            survey.tables.remove(&name); // a dump's stand-in
            survey.views.insert(name, statement.text.clone());
        }
        (Kind::CreateTrigger, Some(table)) => match objects::trigger(&statement.text, &table) {
            Some((name, trigger)) => {
                survey.triggers.insert(name, trigger);
            }
            None => gap(survey, statement, "a trigger was not understood"),
        },
        (Kind::CreateRoutine | Kind::CreateEvent, _) => {
            // A routine's database is the one in use, which its reading does not say; its name tells it apart.
            if let Some(name) = objects::name_after(&statement.text, &["PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"]) {
                survey.routines.insert(name, statement.text.clone());
            }
        }
        (Kind::CreateDatabase, _) => {
            if let Some(name) = objects::name_after(&statement.text, &["DATABASE", "SCHEMA"]) {
                survey.databases.insert(name.table, statement.text.clone());
            }
        }
        (Kind::DropTable | Kind::DropView, _) => {
            for name in &effect.drops {
                survey.tables.remove(name);
                survey.views.remove(name);
            }
        }
        (Kind::RenameTable, _) => {
            for (from, to) in &effect.renames {
                if let Some(table) = survey.tables.remove(from) {
                    survey.tables.insert(to.clone(), table);
                }
            }
        }
        (Kind::CreateTable | Kind::AlterTable | Kind::Opaque, _) => {
            gap(survey, statement, "a statement was not understood")
        }
        _ => {}
    }
}

fn create(survey: &mut Survey, name: TableName, statement: &Statement, flavor: Flavor) {
    let effect = &statement.reading.effect;
    if survey.tables.contains_key(&name) && !effect.drops.contains(&name) {
        return; // IF NOT EXISTS
    }
    let like = effect.reads.iter().next().filter(|_| effect.clauses.is_empty() && effect.writes.is_empty());
    let copied = like.and_then(|like| survey.tables.get(like)).cloned();
    let complete = effect.writes.is_empty() && (copied.is_some() || !effect.clauses.is_empty());
    let mut table = match copied {
        // LIKE takes columns and indexes along, not foreign keys.
        Some(facts) => {
            let facts = TableFacts { foreign_keys: Vec::new(), auto_increment: None, ..facts };
            Table::of(facts, &name, flavor)
        }
        None => Table::new(&name, flavor),
    };
    table.facts.create = statement.text.clone();
    let unread = effect.clauses.iter().filter(|clause| !table.take(clause)).map(|clause| clause.text.clone()).collect();
    survey.tables.insert(name.clone(), table.finish());
    if !complete {
        gap(survey, statement, &format!("the columns of {name} are not all told by its text"));
    }
    unread_clauses(survey, statement, &name, unread);
}

fn alter(survey: &mut Survey, name: &TableName, statement: &Statement, flavor: Flavor) {
    let Some(facts) = survey.tables.remove(name) else {
        return gap(survey, statement, &format!("{name} is altered and was not created"));
    };
    let mut table = Table::of(facts, name, flavor);
    let clauses = &statement.reading.effect.clauses;
    let unread = clauses.iter().filter(|clause| !table.take(clause)).map(|clause| clause.text.clone()).collect();
    survey.tables.insert(name.clone(), table.finish());
    unread_clauses(survey, statement, name, unread);
}

fn unread_clauses(survey: &mut Survey, statement: &Statement, name: &TableName, unread: Vec<String>) {
    for text in unread {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect();
        gap(survey, statement, &format!("of {name}, '{text}' was not understood"));
    }
}

fn gap(survey: &mut Survey, statement: &Statement, what: &str) {
    survey.gaps.push(format!("the schema, {}: {what}", statement.origin));
}

#[cfg(test)]
mod tests;

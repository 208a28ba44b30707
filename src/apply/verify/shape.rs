//! Whether the tables are still defined as they were rehearsed, and whether the names that the plan makes are free.

use std::collections::BTreeSet;

use anyhow::Result;

use super::ground::Ground;
use super::verdict::{Found, Severity};
use crate::plan::drift::{self, Change, Definitions};
use crate::quantity;
use crate::server::session::ReadOnly;
use crate::sql::record::{Kind, TableName, quote_text};
use crate::survey::answer::Cells;
use crate::survey::definition::normalise;
use crate::survey::now::{trigger_text, view_text};
use crate::survey::rights::{Held, On};

const CHECK: &str = "schema";

pub(super) fn look(ground: &Ground<'_>, found: &mut Found) -> Result<()> {
    let rehearsed = rehearsed(ground);
    let now = now(ground);
    let before = found.reasons.len();
    for one in drift::drifts(&rehearsed, &now, &ground.apart) {
        if blind(ground, &one.object, one.change, found) {
            continue;
        }
        let what = match one.change {
            Change::Missing => "it is not there".to_owned(),
            Change::Added if one.words.is_empty() => "it was not there when the plan was rehearsed".to_owned(),
            Change::Added | Change::Changed if !one.words.is_empty() => one.words.join("; "),
            Change::Added | Change::Changed => "it is defined otherwise".to_owned(),
        };
        let rehearsed = if one.change == Change::Added { "without it" } else { "as survey.yaml has it" };
        let next = "undo the change if nobody wanted it, or survey and rehearse again: a rehearsal says nothing about another schema";
        found.add(Severity::Refuse, CHECK, one.object, what, rehearsed, next);
        if let Some(reason) = found.reasons.last_mut().filter(|_| !one.diff.is_empty()) {
            reason.diff = Some(one.diff);
        }
    }
    if found.reasons.len() == before {
        let (tables, triggers, views) = (rehearsed.tables.len(), rehearsed.triggers.len(), rehearsed.views.len());
        found.fine(format!(
            "{}, {} and {} are defined as they were rehearsed",
            quantity::counted(tables as u64, "table"),
            quantity::counted(triggers as u64, "trigger"),
            quantity::counted(views as u64, "view"),
        ));
    }
    Ok(())
}

/// What could not be seen is no drift, but nobody has looked.
fn blind(ground: &Ground<'_>, object: &str, change: Change, found: &mut Found) -> bool {
    if change != Change::Missing {
        return false;
    }
    let name = object.split_whitespace().nth(1).unwrap_or_default();
    let unseen = ground.now.unseen.iter().any(|one| one.to_string() == name);
    let of_trigger = object.starts_with("trigger ").then(|| object.rsplit(" on ").next()).flatten();
    let unseen_trigger = of_trigger.is_some_and(|table| {
        let table = ground.related.keys().find(|one| one.to_string() == table);
        table.is_some_and(|table| ground.now.rights.held("TRIGGER", On::Table(table)) != Held::Yes)
    });
    if unseen || unseen_trigger {
        found.unchecked(
            CHECK,
            object,
            "this account cannot see it",
            "verify with an account that has SELECT, SHOW VIEW and TRIGGER",
        );
    }
    unseen || unseen_trigger
}

fn rehearsed(ground: &Ground<'_>) -> Definitions {
    let survey = ground.survey;
    let of_tables = |name: &&TableName| ground.related.contains_key(*name);
    Definitions {
        tables: survey
            .tables
            .iter()
            .filter(|(name, _)| of_tables(name))
            .map(|(name, facts)| (name.clone(), normalise(&facts.create)))
            .collect(),
        triggers: survey
            .triggers
            .iter()
            .filter(|(_, facts)| of_tables(&&facts.table))
            .map(|(name, facts)| (name.clone(), (facts.table.clone(), trigger_text(facts))))
            .collect(),
        views: survey
            .views
            .iter()
            .filter(|(name, _)| ground.views.contains(*name))
            .map(|(name, create)| (name.clone(), view_text(create)))
            .collect(),
        children: survey
            .tables
            .iter()
            .flat_map(|(name, facts)| facts.foreign_keys.iter().map(|key| (name.clone(), key.parent.clone())))
            .collect(),
    }
}

fn now(ground: &Ground<'_>) -> Definitions {
    let now = &ground.now;
    Definitions {
        tables: now
            .tables
            .iter()
            .filter(|(name, found)| ground.survey.tables.contains_key(*name) && !found.create.is_empty())
            .map(|(name, found)| (name.clone(), normalise(&found.create)))
            .collect(),
        triggers: now
            .triggers
            .iter()
            .map(|(name, facts)| (name.clone(), (facts.table.clone(), trigger_text(facts))))
            .collect(),
        views: now.views.iter().map(|(name, create)| (name.clone(), view_text(create))).collect(),
        children: now.children.clone().unwrap_or_default(),
    }
}

/// The names that the plan makes are free, and counters have room.
pub(super) fn names(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    let mut made: BTreeSet<TableName> = ground.own_tables();
    for sent in &ground.sent {
        let effect = &sent.statement.reading.effect;
        if sent.statement.reading.kind == Kind::CreateTable && !effect.temporary {
            made.extend(effect.defines.iter().cloned());
        }
        made.extend(effect.renames.values().cloned());
    }
    // A name that a step takes after it has freed it (a swap) is no collision.
    made.retain(|name| !ground.survey.tables.contains_key(name) && !ground.apart.contains(name));
    let before = found.reasons.len();
    for name in &made {
        let sql = format!(
            "SELECT TABLE_TYPE, CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            quote_text(&name.database),
            quote_text(&name.table)
        );
        let there: Option<(String, Option<String>)> = match reader.first::<Cells>(&sql) {
            Ok(row) => row.map(|row| (row.text(0), row.maybe(1))),
            Err(fault) if fault.is_connection_lost() => return Err(fault.into()),
            Err(fault) => {
                found.unchecked("names", format!("table {name}"), fault.to_string(), "look whether the name is free");
                continue;
            }
        };
        if let Some((_, made)) = there {
            let when = made.map_or_else(String::new, |when| format!(", made {when}"));
            found.add(
                Severity::Refuse,
                "names",
                format!("table {name}"),
                format!("there is one of this name already{when}"),
                "a free name: the plan makes this table itself",
                "look whether it is what an earlier attempt left; drop or rename it when nobody needs it",
            );
        }
    }
    procedures(ground, reader, found)?;
    if found.reasons.len() == before && !made.is_empty() {
        found.fine(format!("{} that the plan makes are free", quantity::counted(made.len() as u64, "name")));
    }
    counters(ground, found);
    Ok(())
}

/// Procedures by which the scripts for the stock client go in batches: left behind, or somebody else's.
fn procedures(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    let databases: BTreeSet<String> = ground
        .related
        .keys()
        .map(|name| quote_text(&name.database))
        .chain([quote_text(&ground.plan.identity.database)])
        .collect();
    let sql = format!(
        "SELECT ROUTINE_SCHEMA, ROUTINE_NAME FROM information_schema.ROUTINES \
         WHERE ROUTINE_SCHEMA IN ({}) AND ROUTINE_NAME LIKE 'rehearse\\_step\\_%'",
        databases.into_iter().collect::<Vec<_>>().join(", ")
    );
    match reader.rows::<Cells>(&sql) {
        Ok(rows) => {
            for row in rows {
                let object = format!("procedure {}.{}", row.text(0), row.text(1));
                let next = "an earlier attempt may be running or was broken off: look, then drop it";
                found.add(Severity::Warn, "names", object, "there is one already", "no such procedure", next);
            }
            Ok(())
        }
        Err(fault) if fault.is_connection_lost() => Err(fault.into()),
        Err(fault) => {
            found.unchecked("names", "procedures", fault.to_string(), "look with SHOW PROCEDURE STATUS");
            Ok(())
        }
    }
}

/// AUTO_INCREMENT values near the end of their type: an upgrade that inserts, or the application meanwhile, would stop.
fn counters(ground: &Ground<'_>, found: &mut Found) {
    for (name, now) in &ground.now.tables {
        let Some(facts) = ground.survey.tables.get(name) else { continue };
        let Some(column) = facts.columns.iter().find(|column| column.auto_increment) else { continue };
        let (Some(next), Some(end)) = (now.auto_increment, end_of(&column.column_type)) else { continue };
        let used = next as f64 / end as f64;
        if used >= 0.9 {
            let severity = if next >= end { Severity::Refuse } else { Severity::Warn };
            found.add(
                severity,
                "counters",
                format!("column {name}.{}", column.name),
                format!("its next value is {}, of {} at most", quantity::grouped(next), quantity::grouped(end)),
                "",
                "widen the column before anything else: INSERT fails with 1062 or 167 at its end",
            );
        }
    }
}

/// The greatest value of an integer type.
fn end_of(column_type: &str) -> Option<u64> {
    let lower = column_type.to_ascii_lowercase();
    let bits = match lower.split(|c: char| !c.is_ascii_alphanumeric()).next()? {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" | "integer" => 32,
        "bigint" => 64,
        _ => return None,
    };
    let bits = if lower.contains("unsigned") { bits } else { bits - 1 };
    Some(u64::MAX >> (64 - bits))
}

#[cfg(test)]
mod tests {
    use super::end_of;

    #[test]
    fn the_end_of_a_counter_is_that_of_its_type() {
        assert_eq!(end_of("int(11)"), Some(2_147_483_647));
        assert_eq!(end_of("tinyint unsigned"), Some(255));
        assert_eq!(end_of("bigint unsigned"), Some(u64::MAX));
        assert_eq!(end_of("bigint"), Some(9_223_372_036_854_775_807));
        assert_eq!(end_of("double"), None);
    }
}

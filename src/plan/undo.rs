//! The way back behind what no backup holds: definitions.

use super::record::Undo;
use super::shape::{Shapes, column_line};
use crate::sql::record::{AlterClass, AlterClause, Kind, Statement, TableName, quote_identifier};
use crate::survey::record::{IndexFacts, TableFacts};

/// How to take back a statement's change of definitions. `shapes` are those before the statement; `existed` tells which
/// tables were there before the upgrade.
pub fn definitions(statement: &Statement, shapes: &Shapes, existed: impl Fn(&TableName) -> bool) -> Undo {
    let effect = &statement.reading.effect;
    let none = |limit: &str| Undo { limit: limit.to_owned(), ..Undo::default() };
    match statement.reading.kind {
        Kind::CreateTable => {
            let made: Vec<&TableName> = effect.defines.iter().filter(|table| !existed(table)).collect();
            if made.is_empty() {
                return none("nothing to undo: the table was there before");
            }
            Undo {
                sql: made.iter().map(|table| format!("DROP TABLE {}", table.quoted())).collect(),
                limit: "drops the new table with what was written into it".to_owned(),
                shown: None,
            }
        }
        Kind::CreateView => Undo {
            sql: effect
                .defines
                .iter()
                .filter(|view| !existed(view))
                .map(|view| format!("DROP VIEW {}", view.quoted()))
                .collect(),
            limit: "drops the new view".to_owned(),
            shown: None,
        },
        Kind::RenameTable => Undo {
            sql: vec![format!(
                "RENAME TABLE {}",
                effect
                    .renames
                    .iter()
                    .rev()
                    .map(|(from, to)| format!("{} TO {}", to.quoted(), from.quoted()))
                    .collect::<Vec<_>>()
                    .join(", ")
            )],
            limit: "at any time; foreign keys, triggers and rows follow the name".to_owned(),
            shown: None,
        },
        Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex => alter(statement, shapes),
        Kind::Insert | Kind::LoadData => none(
            "by hand: the rows it added are not marked; where the key counts up they are those above the highest key before",
        ),
        Kind::Analyze | Kind::Optimize | Kind::Repair | Kind::Check | Kind::Flush => none("nothing to undo"),
        kind if kind.is_ddl() => none("by hand: look into the survey for what there was before"),
        _ => none("nothing to undo that is known"),
    }
}

fn alter(statement: &Statement, shapes: &Shapes) -> Undo {
    let effect = &statement.reading.effect;
    let Some(table) = effect.defines.iter().next().or_else(|| effect.renames.keys().next()) else {
        return Undo { limit: "by hand: it is not known which table it alters".to_owned(), ..Undo::default() };
    };
    let facts = shapes.known(table);
    let mut back = Vec::new();
    let mut by_hand = Vec::new();
    for clause in effect.clauses.iter().rev() {
        match reverse(clause, facts) {
            Reverse::By(text) => back.push(text),
            Reverse::Nothing => {}
            Reverse::ByHand => by_hand.push(clause.text.trim().to_owned()),
        }
    }
    let now = effect.renames.get(table).unwrap_or(table);
    let mut sql = Vec::new();
    if !back.is_empty() {
        sql.push(format!("ALTER TABLE {} {}", now.quoted(), back.join(", ")));
    }
    if now != table {
        sql.push(format!("RENAME TABLE {} TO {}", now.quoted(), table.quoted()));
    }
    let mut limit = match (sql.is_empty(), effect.clauses.is_empty()) {
        (_, true) => {
            "by hand: the clauses of this ALTER were not understood; plan/10-definitions.sql shows what was there"
                .to_owned()
        }
        (true, false) => "nothing to undo".to_owned(),
        (false, false) => {
            "another ALTER, which may rebuild the table; what was written into a new column is lost".to_owned()
        }
    };
    if !by_hand.is_empty() {
        limit = format!("by hand for {}: plan/10-definitions.sql shows what was there; {limit}", by_hand.join("; "));
    }
    Undo { sql, limit, shown: None }
}

enum Reverse {
    By(String),
    Nothing,
    ByHand,
}

fn reverse(clause: &AlterClause, facts: Option<&TableFacts>) -> Reverse {
    use AlterClass::*;
    let object = clause.object.as_deref();
    let quoted = object.map(quote_identifier);
    let by = |text: Option<String>| text.map_or(Reverse::ByHand, Reverse::By);
    match clause.class {
        AddColumn => by(quoted.map(|name| format!("DROP COLUMN {name}"))),
        AddIndex | AddUnique | AddFulltext | AddSpatial => by(quoted.map(|name| format!("DROP INDEX {name}"))),
        AddForeignKey => by(quoted.map(|name| format!("DROP FOREIGN KEY {name}"))),
        AddCheck => by(quoted.map(|name| format!("DROP CONSTRAINT {name}"))),
        DropColumn => by(object.and_then(|name| {
            let facts = facts?;
            let line = column_line(&facts.create, name)?;
            let at = facts.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?;
            let place = match at.checked_sub(1).and_then(|before| facts.columns.get(before)) {
                Some(before) => format!("AFTER {}", quote_identifier(&before.name)),
                None => "FIRST".to_owned(),
            };
            Some(format!("ADD COLUMN {line} {place}"))
        })),
        ModifyColumn if !clause.text.trim_start().to_ascii_lowercase().starts_with("change") => {
            by(object.and_then(|name| Some(format!("MODIFY COLUMN {}", column_line(&facts?.create, name)?))))
        }
        DropIndex => by(object.and_then(|name| {
            let index = facts?.indexes.iter().find(|index| index.name.eq_ignore_ascii_case(name))?;
            index_definition(index).map(|definition| format!("ADD {definition}"))
        })),
        DropForeignKey => by(object.and_then(|name| {
            let key = facts?.foreign_keys.iter().find(|key| key.name.eq_ignore_ascii_case(name))?;
            Some(format!(
                "ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}",
                quote_identifier(&key.name),
                super::shape::list(&key.columns),
                key.parent.quoted(),
                super::shape::list(&key.parent_columns),
                key.on_delete,
                key.on_update
            ))
        })),
        // Rebuilds and hints leave nothing behind that could be taken back; a rename is taken back as a rename.
        Force | Algorithm | Lock | RenameTable | AutoIncrement | Keys => Reverse::Nothing,
        _ => Reverse::ByHand,
    }
}

fn index_definition(index: &IndexFacts) -> Option<String> {
    let parts: Option<Vec<String>> = index
        .columns
        .iter()
        .map(|part| match (&part.expression, part.prefix) {
            (Some(expression), _) => Some(format!("({expression})")),
            (None, _) if part.name.is_empty() => None,
            (None, Some(length)) => Some(format!("{}({length})", quote_identifier(&part.name))),
            (None, None) => Some(quote_identifier(&part.name)),
        })
        .collect();
    let kind = match (index.kind.as_str(), index.unique) {
        ("FULLTEXT", _) => "FULLTEXT INDEX",
        ("SPATIAL" | "RTREE", _) => "SPATIAL INDEX",
        (_, true) => "UNIQUE INDEX",
        (_, false) => "INDEX",
    };
    Some(format!("{kind} {} ({})", quote_identifier(&index.name), parts?.join(", ")))
}

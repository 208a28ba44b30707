//! The way back behind what no backup holds: definitions.

use super::record::Undo;
use super::shape::{Shapes, altered, column_line};
use crate::sql::record::{AlterClass, AlterClause, Effect, KeyPart, Kind, Statement, TableName, quote_identifier};
use crate::survey::record::{ForeignKeyFacts, IndexFacts, TableFacts};

/// How to take back a statement's change of definitions. `shapes` are those before the statement; `existed` tells which
/// tables and views were there before it.
pub fn definitions(statement: &Statement, shapes: &Shapes, existed: impl Fn(&TableName) -> bool) -> Undo {
    let effect = &statement.reading.effect;
    let none = |limit: &str| Undo { limit: limit.to_owned(), ..Undo::default() };
    match statement.reading.kind {
        Kind::CreateTable => made(effect, "TABLE", existed),
        Kind::CreateView => made(effect, "VIEW", existed),
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

/// Drops what was not there before. What the upgrade itself had made goes by the undo of the step that made it.
fn made(effect: &Effect, what: &str, existed: impl Fn(&TableName) -> bool) -> Undo {
    let new = effect.defines.iter().filter(|name| !existed(name));
    let sql: Vec<String> = new.map(|name| format!("DROP {what} {}", name.quoted())).collect();
    let limit = match (sql.is_empty(), what) {
        (true, _) => "nothing to undo: it was there before",
        (false, "VIEW") => "drops the new view",
        (false, _) => "drops the new table with what was written into it",
    };
    Undo { sql, limit: limit.to_owned(), shown: None }
}

fn alter(statement: &Statement, shapes: &Shapes) -> Undo {
    let effect = &statement.reading.effect;
    let Some(table) = effect.defines.iter().next().or_else(|| effect.renames.keys().next()) else {
        return Undo { limit: "by hand: it is not known which table it alters".to_owned(), ..Undo::default() };
    };
    let facts = shapes.known(table);
    let left = facts.map(|facts| altered::left_of(facts, &effect.clauses));
    let mut back = Vec::new();
    let mut by_hand = Vec::new();
    for clause in effect.clauses.iter().rev() {
        match reverse(clause, facts, left.as_ref()) {
            Reverse::By(text) => back.push(text),
            Reverse::Nothing => {}
            Reverse::ByHand => by_hand.push(clause.text.trim().to_owned()),
        }
    }
    if let Some((facts, left)) = facts.zip(left.as_ref()) {
        back.extend(put_back(facts, left));
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

/// What takes a clause back, but for what it drops: that is put back all at once. `left` is the table without it.
fn reverse(clause: &AlterClause, facts: Option<&TableFacts>, left: Option<&TableFacts>) -> Reverse {
    use AlterClass::*;
    let object = clause.object.as_deref();
    let returns = |definition: Option<String>| if definition.is_some() { Reverse::Nothing } else { Reverse::ByHand };
    match clause.class {
        AddColumn => drop_new(clause, "DROP COLUMN", left, |left, name| left.column(name).is_some()),
        AddIndex | AddUnique | AddFulltext | AddSpatial => {
            drop_new(clause, "DROP INDEX", left, |left, name| index(left, name).is_some())
        }
        AddForeignKey => drop_new(clause, "DROP FOREIGN KEY", left, |left, name| foreign_key(left, name).is_some()),
        // The survey knows no checks: whether it was there before is not to be told.
        AddCheck => drop_new(clause, "DROP CONSTRAINT", None, |_, _| false),
        AddPrimaryKey => match left {
            Some(left) if index(left, "PRIMARY").is_none() => Reverse::By(without_key(clause, left)),
            left => left.map_or(Reverse::ByHand, |_| Reverse::Nothing),
        },
        DropColumn => match facts.zip(object) {
            Some((facts, name)) if facts.column(name).is_none() => Reverse::Nothing,
            known => returns(known.and_then(|(facts, name)| column_line(&facts.create, name))),
        },
        DropIndex => returns(facts.zip(object).and_then(|(facts, name)| index_definition(index(facts, name)?))),
        DropPrimaryKey => returns(facts.and_then(|facts| index_definition(index(facts, "PRIMARY")?))),
        DropForeignKey => {
            returns(facts.zip(object).and_then(|(facts, name)| foreign_key(facts, name).map(key_definition)))
        }
        Other if altered::begins(clause, &["drop", "constraint"]) => {
            let by_name = |(facts, name)| match foreign_key(facts, name) {
                Some(key) => Some(key_definition(key)),
                None => index(facts, name).and_then(index_definition),
            };
            returns(facts.zip(object).and_then(by_name))
        }
        ModifyColumn if !altered::begins(clause, &["change"]) => {
            let line = object.and_then(|name| column_line(&facts?.create, name));
            line.map_or(Reverse::ByHand, |line| Reverse::By(format!("MODIFY COLUMN {line}")))
        }
        // Rebuilds and hints leave nothing behind that could be taken back; a rename is taken back as a rename.
        Force | Algorithm | Lock | RenameTable | AutoIncrement | Keys => Reverse::Nothing,
        _ => Reverse::ByHand,
    }
}

/// Drops what a clause added. What IF NOT EXISTS found there stays; where nobody knows what was there, nothing is dropped.
fn drop_new(
    clause: &AlterClause,
    verb: &str,
    left: Option<&TableFacts>,
    has: impl Fn(&TableFacts, &str) -> bool,
) -> Reverse {
    let words: Vec<&str> = clause.text.split_whitespace().collect();
    let may_be_there =
        words.windows(2).any(|two| two[0].eq_ignore_ascii_case("not") && two[1].eq_ignore_ascii_case("exists"));
    let names = altered::added(clause);
    if names.is_empty() || left.is_none() && may_be_there {
        return Reverse::ByHand;
    }
    let new = names.into_iter().filter(|name| !left.is_some_and(|left| has(left, name)));
    let drops: Vec<String> = new.map(|name| format!("{verb} {}", quote_identifier(name))).collect();
    if drops.is_empty() { Reverse::Nothing } else { Reverse::By(drops.join(", ")) }
}

/// Drops a primary key, which leaves its columns NOT NULL: those that were not are set back.
fn without_key(clause: &AlterClause, left: &TableFacts) -> String {
    let nullable = |part: &KeyPart| left.column(part.column.as_ref()?).filter(|column| column.nullable);
    let columns = clause.parts.iter().filter_map(nullable);
    let lines = columns.filter_map(|column| column_line(&left.create, &column.name));
    let parts = lines.map(|line| format!("MODIFY COLUMN {line}"));
    ["DROP PRIMARY KEY".to_owned()].into_iter().chain(parts).collect::<Vec<_>>().join(", ")
}

/// What adds to `left` what it lacks of `facts`: columns in the table's order, for each is put after the one before it; then
/// indexes, those too that lost a part with a column; then foreign keys.
fn put_back(facts: &TableFacts, left: &TableFacts) -> Vec<String> {
    let mut back = Vec::new();
    let mut place = "FIRST".to_owned();
    for column in &facts.columns {
        if left.column(&column.name).is_none()
            && let Some(line) = column_line(&facts.create, &column.name)
        {
            back.push(format!("ADD COLUMN {line} {place}"));
        }
        place = format!("AFTER {}", quote_identifier(&column.name));
    }
    for whole in &facts.indexes {
        let rest = index(left, &whole.name);
        if rest == Some(whole) {
            continue;
        }
        let Some(definition) = index_definition(whole) else { continue };
        back.extend(rest.map(|_| match whole.name.as_str() {
            "PRIMARY" => "DROP PRIMARY KEY".to_owned(),
            name => format!("DROP INDEX {}", quote_identifier(name)),
        }));
        back.push(format!("ADD {definition}"));
    }
    let keys = facts.foreign_keys.iter().filter(|key| foreign_key(left, &key.name).is_none());
    back.extend(keys.map(|key| format!("ADD {}", key_definition(key))));
    back
}

fn index<'a>(facts: &'a TableFacts, name: &str) -> Option<&'a IndexFacts> {
    facts.indexes.iter().find(|index| index.name.eq_ignore_ascii_case(name))
}

fn foreign_key<'a>(facts: &'a TableFacts, name: &str) -> Option<&'a ForeignKeyFacts> {
    facts.foreign_keys.iter().find(|key| key.name.eq_ignore_ascii_case(name))
}

fn key_definition(key: &ForeignKeyFacts) -> String {
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}",
        quote_identifier(&key.name),
        super::shape::list(&key.columns),
        key.parent.quoted(),
        super::shape::list(&key.parent_columns),
        key.on_delete,
        key.on_update
    )
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
    if index.name == "PRIMARY" {
        return Some(format!("PRIMARY KEY ({})", parts?.join(", ")));
    }
    let kind = match (index.kind.as_str(), index.unique) {
        ("FULLTEXT", _) => "FULLTEXT INDEX",
        ("SPATIAL" | "RTREE", _) => "SPATIAL INDEX",
        (_, true) => "UNIQUE INDEX",
        (_, false) => "INDEX",
    };
    Some(format!("{kind} {} ({})", quote_identifier(&index.name), parts?.join(", ")))
}

#[cfg(test)]
mod tests;

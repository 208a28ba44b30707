//! A table's facts after an ALTER, as far as its clauses tell.

use crate::sql::record::{AlterClass, AlterClause};
use crate::survey::record::{ColumnFacts, IndexColumn, IndexFacts, TableFacts};

/// What the clauses leave of a table: without the columns, indexes and foreign keys that they drop. A column takes its part of
/// each index along, and the last part its index (both vendors' manuals, ALTER TABLE).
pub fn left_of(facts: &TableFacts, clauses: &[AlterClause]) -> TableFacts {
    let mut left = facts.clone();
    for clause in clauses {
        take_out(&mut left, clause);
    }
    left
}

/// What servers do with an ALTER: they drop first and add then, in whatever order it says so.
pub fn alter(facts: &mut TableFacts, clauses: &[AlterClause]) {
    clauses.iter().for_each(|clause| take_out(facts, clause));
    clauses.iter().for_each(|clause| put_in(facts, clause));
}

/// The clause changes columns or the key in a way that its text alone does not tell.
pub fn is_uncertain(clause: &AlterClause) -> bool {
    use AlterClass::*;
    match clause.class {
        AddColumn | DropColumn => clause.object.is_none(),
        ModifyColumn => clause.object.is_none() || begins(clause, &["change"]),
        RenameColumn | AddPrimaryKey | DropPrimaryKey | Other => true,
        _ => false,
    }
}

/// The names of what a clause adds.
pub fn added(clause: &AlterClause) -> Vec<&str> {
    match clause.columns.is_empty() {
        true => clause.object.as_deref().into_iter().collect(),
        false => clause.columns.iter().map(|column| column.name.as_str()).collect(),
    }
}

/// The clause begins with these words.
pub fn begins(clause: &AlterClause, words: &[&str]) -> bool {
    let mut of_clause = clause.text.split_whitespace();
    words.iter().all(|word| of_clause.next().is_some_and(|own| own.eq_ignore_ascii_case(word)))
}

fn take_out(facts: &mut TableFacts, clause: &AlterClause) {
    use AlterClass::*;
    let other = |name: &str| !clause.object.as_ref().is_some_and(|object| object.eq_ignore_ascii_case(name));
    match clause.class {
        DropColumn => {
            facts.columns.retain(|column| other(&column.name));
            for index in &mut facts.indexes {
                index.columns.retain(|part| part.expression.is_some() || other(&part.name));
            }
            facts.indexes.retain(|index| !index.columns.is_empty());
        }
        DropPrimaryKey => facts.indexes.retain(|index| index.name != "PRIMARY"),
        DropIndex => facts.indexes.retain(|index| other(&index.name)),
        DropForeignKey => facts.foreign_keys.retain(|key| other(&key.name)),
        // DROP CONSTRAINT: a check, a foreign key or a unique index.
        Other if begins(clause, &["drop", "constraint"]) => {
            facts.indexes.retain(|index| other(&index.name));
            facts.foreign_keys.retain(|key| other(&key.name));
        }
        _ if begins(clause, &["create", "or", "replace"]) => facts.indexes.retain(|index| other(&index.name)),
        _ => {}
    }
}

fn put_in(facts: &mut TableFacts, clause: &AlterClause) {
    use AlterClass::*;
    match (clause.class, &clause.object) {
        (AddColumn, _) => {
            for name in added(clause) {
                if facts.column(name).is_none() {
                    facts.columns.push(new_column(name, &clause.text));
                }
            }
        }
        (ModifyColumn, Some(column)) if !begins(clause, &["change"]) => {
            if let Some(known) = facts.columns.iter_mut().find(|known| known.name.eq_ignore_ascii_case(column)) {
                // Its new type is in the clause alone; without one no copy of the column is made from here.
                known.column_type.clear();
            }
        }
        (AddIndex | AddUnique | AddFulltext | AddSpatial, Some(name)) => {
            let known = facts.indexes.iter().any(|index| index.name.eq_ignore_ascii_case(name));
            facts.indexes.extend(new_index(name, clause).filter(|_| !known));
        }
        // The name that it gets stands nowhere but in the text.
        (RenameIndex, Some(name)) => facts.indexes.retain(|index| !index.name.eq_ignore_ascii_case(name)),
        _ => {}
    }
}

/// A column that the upgrade added: its name, and whether it is generated, is all that is known.
fn new_column(name: &str, clause: &str) -> ColumnFacts {
    let folded = clause.to_ascii_lowercase();
    let generated = folded.contains(" as (") || folded.contains(" as(") || folded.contains("generated always");
    ColumnFacts {
        name: name.to_owned(),
        data_type: String::new(),
        column_type: String::new(),
        nullable: true,
        default: None,
        auto_increment: false,
        generated: generated.then(|| "as added".to_owned()),
        invisible: false,
        charset: None,
        collation: None,
        length: None,
        precision: None,
        scale: None,
        statistics: None,
    }
}

/// An index that the upgrade added; none over an expression, which its parts do not hold.
fn new_index(name: &str, clause: &AlterClause) -> Option<IndexFacts> {
    let part = |part: &crate::sql::record::KeyPart| {
        Some(IndexColumn { name: part.column.clone()?, prefix: part.prefix, expression: None })
    };
    let kind = match clause.class {
        AlterClass::AddFulltext => "FULLTEXT",
        AlterClass::AddSpatial => "SPATIAL",
        _ => "BTREE",
    };
    Some(IndexFacts {
        name: name.to_owned(),
        unique: clause.class == AlterClass::AddUnique,
        kind: kind.to_owned(),
        columns: clause.parts.iter().map(part).collect::<Option<_>>()?,
        cardinality: None,
    })
}

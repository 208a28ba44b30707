//! What a statement destroys: the question that decides which backup a step needs.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sql::record::{Kind, Statement, TableName};
use crate::survey::record::Survey;

mod alter;

/// Something that a statement destroys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Loss {
    /// Rows that a condition chooses.
    Rows {
        /// Of this table.
        table: TableName,
    },
    /// Values of rows that a condition chooses.
    Values {
        /// Of this table.
        table: TableName,
    },
    /// Rows or values, and which cannot be told before.
    SomeRows {
        /// Of this table.
        table: TableName,
    },
    /// All rows.
    AllRows {
        /// Of this table.
        table: TableName,
    },
    /// The table with its rows.
    Table {
        /// Its name.
        table: TableName,
    },
    /// Columns, or what a conversion cuts off their values.
    Columns {
        /// Of this table.
        table: TableName,
        /// Their names.
        columns: Vec<String>,
    },
    /// The definition of a view, trigger, routine or event.
    Definition {
        /// Its name.
        table: TableName,
    },
    /// Nobody can tell what.
    Anything,
}

impl Loss {
    /// The table (or view, …) that loses.
    pub fn table(&self) -> Option<&TableName> {
        match self {
            Self::Rows { table }
            | Self::Values { table }
            | Self::SomeRows { table }
            | Self::AllRows { table }
            | Self::Table { table }
            | Self::Columns { table, .. }
            | Self::Definition { table } => Some(table),
            Self::Anything => None,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { table } => write!(f, "rows of {table}"),
            Self::Values { table } => write!(f, "values in {table}"),
            Self::SomeRows { table } => write!(f, "rows or values of {table}"),
            Self::AllRows { table } => write!(f, "all rows of {table}"),
            Self::Table { table } => write!(f, "the table {table}"),
            Self::Columns { table, columns } => write!(f, "values in {table} ({})", columns.join(", ")),
            Self::Definition { table } => write!(f, "the definition of {table}"),
            Self::Anything => f.write_str("nobody can tell what"),
        }
    }
}

/// That statements destroy nothing. Only [`class`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nothing(());

/// That statements destroy something. Only [`class`] makes one; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destruction(Vec<Loss>);

impl Destruction {
    /// What is lost.
    pub fn losses(&self) -> &[Loss] {
        &self.0
    }
}

/// Sorts out whether these losses are any.
///
/// # Errors
/// Not an error: [`Nothing`] is the proof that there is no loss.
pub fn class(mut losses: Vec<Loss>) -> Result<Destruction, Nothing> {
    losses.sort();
    losses.dedup();
    if losses.is_empty() { Err(Nothing(())) } else { Ok(Destruction(losses)) }
}

/// What a statement destroys, with what foreign keys and triggers do in other tables; what is not understood may destroy
/// anything.
pub fn of(statement: &Statement, survey: &Survey) -> Vec<Loss> {
    let mut losses = by_text(statement, survey);
    for table in reached(statement, survey) {
        losses.push(Loss::SomeRows { table });
    }
    losses
}

/// Tables whose rows change along: children by ON DELETE or ON UPDATE, and what triggers change.
fn reached(statement: &Statement, survey: &Survey) -> BTreeSet<TableName> {
    let effect = &statement.reading.effect;
    let kind = statement.reading.kind;
    let events: &[&str] = match kind {
        Kind::Delete => &["DELETE"],
        Kind::Update => &["UPDATE"],
        Kind::Replace => &["DELETE", "INSERT"],
        Kind::Insert | Kind::LoadData => &["INSERT", "UPDATE"],
        _ => return BTreeSet::new(),
    };
    let written: Vec<TableName> = effect.writes.union(&effect.empties).cloned().collect();
    let mut found = BTreeSet::new();
    let mut look = written.clone();
    while let Some(table) = look.pop() {
        let children = survey.tables.iter().filter(|(_, facts)| {
            facts.foreign_keys.iter().any(|key| {
                let acts = |rule: &str| matches!(rule, "CASCADE" | "SET NULL" | "SET DEFAULT");
                key.parent == table
                    && match kind {
                        // Which columns an UPDATE assigns is not asked here: a key that nobody assigns is told by its name.
                        Kind::Update => {
                            acts(&key.on_update)
                                && key.parent_columns.iter().any(|column| statement.text.contains(column.as_str()))
                        }
                        Kind::Insert | Kind::LoadData => false,
                        _ => acts(&key.on_delete),
                    }
            })
        });
        let by_key: Vec<TableName> = children.map(|(name, _)| name.clone()).collect();
        let by_trigger = survey
            .triggers
            .values()
            .filter(|trigger| trigger.table == table && events.contains(&trigger.event.as_str()))
            .filter(|trigger| {
                ["update", "delete", "replace", "call"].iter().any(|word| body_has(&trigger.create, word))
            })
            .flat_map(|trigger| trigger.touches.iter().cloned());
        for next in by_key.into_iter().chain(by_trigger) {
            if !written.contains(&next) && found.insert(next.clone()) {
                look.push(next);
            }
        }
    }
    found
}

/// True when a trigger's body, after FOR EACH ROW, has this word.
fn body_has(create: &str, word: &str) -> bool {
    let folded = create.to_ascii_lowercase();
    folded.split_once("for each row").is_none_or(|(_, body)| contains_words(body, &[word]))
}

/// What the text alone tells.
fn by_text(statement: &Statement, survey: &Survey) -> Vec<Loss> {
    use Kind::*;
    let effect = &statement.reading.effect;
    if effect.temporary {
        return Vec::new();
    }
    let each = |make: fn(TableName) -> Loss| -> Vec<Loss> {
        if effect.writes.is_empty() { vec![Loss::Anything] } else { effect.writes.iter().cloned().map(make).collect() }
    };
    match statement.reading.kind {
        Update if effect.multi_table || effect.has_limit => each(|table| Loss::SomeRows { table }),
        Update => each(|table| Loss::Values { table }),
        Delete if effect.multi_table || effect.has_limit => each(|table| Loss::SomeRows { table }),
        Delete if !effect.empties.is_empty() => {
            effect.empties.iter().cloned().map(|table| Loss::AllRows { table }).collect()
        }
        Delete => each(|table| Loss::Rows { table }),
        Truncate => {
            let tables = if effect.empties.is_empty() { effect.tables() } else { effect.empties.clone() };
            if tables.is_empty() {
                return vec![Loss::Anything];
            }
            tables.into_iter().map(|table| Loss::AllRows { table }).collect()
        }
        Replace => each(|table| Loss::SomeRows { table }),
        Insert if contains_words(&statement.text, &["on", "duplicate", "key"]) => {
            each(|table| Loss::SomeRows { table })
        }
        LoadData if contains_words(&statement.text, &["replace"]) => each(|table| Loss::SomeRows { table }),
        Insert | LoadData => Vec::new(),
        DropTable if effect.drops.is_empty() => vec![Loss::Anything],
        DropTable => effect.drops.iter().cloned().map(|table| Loss::Table { table }).collect(),
        AlterTable => alter::losses(statement, survey),
        DropView | DropTrigger | DropRoutine | DropEvent => {
            if effect.drops.is_empty() {
                return vec![Loss::Anything];
            }
            effect.drops.iter().cloned().map(|table| Loss::Definition { table }).collect()
        }
        // Whether it says OR REPLACE or ALTER: where a view stands, its definition is what there is to lose.
        CreateView => {
            let replaced = effect.defines.iter().filter(|view| survey.views.contains_key(view)).cloned();
            replaced.map(|table| Loss::Definition { table }).collect()
        }
        CreateTrigger | CreateRoutine | CreateEvent => Vec::new(),
        CreateTable if contains_words(&statement.text, &["or", "replace"]) => {
            effect.defines.iter().cloned().map(|table| Loss::Table { table }).collect()
        }
        RenameTable | CreateTable | CreateIndex | DropIndex | CreateDatabase | AlterDatabase | Analyze | Optimize
        | Repair | Check | Select | Begin | Commit | Rollback | Savepoint | LockTables | UnlockTables | Flush | Use
        | Set | Show | Explain | Do | Handler | Grant | Revoke | CreateUser | DropUser | Prepare | Deallocate
        | Kill => Vec::new(),
        DropDatabase | Call | Execute | Xa | Opaque => vec![Loss::Anything],
    }
}

/// True when the text holds these words in this order, each next to the one before. A word inside a string counts too:
/// that errs on the side of a backup.
fn contains_words(text: &str, words: &[&str]) -> bool {
    let all: Vec<&str> =
        text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    all.windows(words.len()).any(|window| window.iter().zip(words).all(|(a, b)| a.eq_ignore_ascii_case(b)))
}

#[cfg(test)]
mod tests;

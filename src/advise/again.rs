//! What a statement does the second time, as far as its text and the tables tell: the same, nothing but an error, or its
//! work once more.

use super::alternatives::words::{Form, Word, words};
use super::evidence::Subject;
use super::history::{Deed, ObjectKind, object_name};
use crate::sql::record::{AlterClass, AlterClause, Kind, TableName};
use crate::survey::record::TableFacts;

/// A second run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// It leaves what the first left.
    Same,
    /// It fails: the error's number, and why.
    Fails(u16, String),
    /// It ends well and does its work once more: what that leaves.
    Twice(String),
}

/// What the statement does when the upgrade is run again from its start.
pub fn again(subject: &Subject<'_>) -> Again {
    let effect = &subject.statement.reading.effect;
    if effect.temporary {
        return Again::Same;
    }
    let text = subject.statement.text.to_ascii_lowercase();
    let conditional = text.contains("if not exists") || text.contains("if exists") || text.contains("or replace");
    match subject.kind() {
        Kind::CreateTable if !conditional => {
            match effect.defines.iter().find(|table| !subject.births.is_dropped(table)) {
                Some(table) => Again::Fails(1050, format!("{table} is there already")),
                None => Again::Same,
            }
        }
        Kind::DropTable if !conditional => match effect.drops.iter().find(|table| !subject.created_here(table)) {
            Some(table) => Again::Fails(1051, format!("{table} is gone already")),
            None => Again::Same,
        },
        Kind::RenameTable => match effect.renames.keys().find(|from| !effect.renames.values().any(|to| to == *from)) {
            Some(from) => Again::Fails(1146, format!("{from} has another name already")),
            None => Again::Same,
        },
        Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex if subject_is_there(subject) => {
            effect.clauses.iter().map(clause).find(|again| *again != Again::Same).unwrap_or(Again::Same)
        }
        kind if !conditional => object(subject, kind).unwrap_or_else(|| rows(subject, kind, &text)),
        _ => Again::Same,
    }
}

/// A table that the upgrade creates is there anew, or its CREATE has failed before this.
fn subject_is_there(subject: &Subject<'_>) -> bool {
    subject.statement.reading.effect.defines.iter().any(|table| !subject.created_here(table))
}

fn clause(clause: &AlterClause) -> Again {
    let text = clause.text.to_ascii_lowercase();
    if text.contains("if not exists") || text.contains("if exists") {
        return Again::Same;
    }
    let name = clause.object.as_deref();
    let fails = |number, why: &str| match name {
        Some(name) => Again::Fails(number, format!("{name} {why}")),
        None => Again::Fails(number, format!("it {why}")),
    };
    match clause.class {
        AlterClass::AddColumn => fails(1060, "is there already"),
        AlterClass::DropColumn | AlterClass::DropIndex | AlterClass::DropForeignKey | AlterClass::DropCheck => {
            fails(1091, "is gone already")
        }
        AlterClass::DropPrimaryKey => Again::Fails(1091, "the primary key is gone already".to_owned()),
        AlterClass::AddPrimaryKey => Again::Fails(1068, "there is a primary key already".to_owned()),
        AlterClass::RenameColumn => fails(1054, "has another name already"),
        AlterClass::RenameIndex => fails(1176, "has another name already"),
        AlterClass::ModifyColumn if text.starts_with("change") => {
            let to = clause.columns.first().map(|column| column.name.as_str());
            match (name, to) {
                (Some(from), Some(to)) if !from.eq_ignore_ascii_case(to) => fails(1054, "has another name already"),
                _ => Again::Same,
            }
        }
        AlterClass::AddIndex | AlterClass::AddUnique | AlterClass::AddFulltext | AlterClass::AddSpatial => match name {
            Some(_) => fails(1061, "is there already"),
            // The server finds a free name.
            None => Again::Twice("the same index again, under another name".to_owned()),
        },
        AlterClass::AddForeignKey => match name {
            Some(_) => fails(1826, "is there already"),
            None => Again::Twice("the same foreign key again, under another name".to_owned()),
        },
        _ => Again::Same,
    }
}

fn object(subject: &Subject<'_>, kind: Kind) -> Option<Again> {
    let (kind, number) = match kind {
        Kind::CreateView => (ObjectKind::View, 1050),
        Kind::CreateTrigger => (ObjectKind::Trigger, 1359),
        Kind::CreateRoutine => (ObjectKind::Routine, 1304),
        Kind::CreateEvent => (ObjectKind::Event, 1537),
        Kind::CreateDatabase => (ObjectKind::Database, 1007),
        _ => return None,
    };
    let effect = &subject.statement.reading.effect;
    let database = effect.defines.first().map_or(subject.session().database(), |table| table.database.as_str());
    let name = match kind {
        ObjectKind::View => effect.defines.first().cloned(),
        _ => object_name(&subject.statement.text, kind, database),
    };
    let dropped = name.as_ref().and_then(|name| subject.history.object(kind, name));
    if matches!(dropped, Some(Deed::Dropped(_))) {
        return Some(Again::Same);
    }
    let name = name.map_or_else(|| "it".to_owned(), |name| name.to_string());
    Some(Again::Fails(number, format!("{name} is there already")))
}

fn rows(subject: &Subject<'_>, kind: Kind, text: &str) -> Again {
    let Some(table) = subject.target() else { return Again::Same };
    if subject.created_here(table) {
        return Again::Same;
    }
    match kind {
        Kind::Update => twice_updated(subject).map_or(Again::Same, |column| {
            Again::Twice(format!("{column} counted from what the first run left, in every row that it meets"))
        }),
        Kind::Insert
            if !text.contains("ignore") && !text.contains("on duplicate key") && !text.contains("not exists") =>
        {
            inserted(table, subject.facts(table), text)
        }
        _ => Again::Same,
    }
}

/// A key that the statement gives values for refuses them the second time; where the server makes the only one itself,
/// the rows are there twice.
fn inserted(table: &TableName, facts: Option<&TableFacts>, text: &str) -> Again {
    let Some(facts) = facts else {
        return Again::Fails(1062, format!("the rows are in {table} already, if a key tells"));
    };
    let head = text.split("values").next().unwrap_or_default().split("select").next().unwrap_or_default();
    let lists_columns = head.contains('(');
    let listed: Vec<String> = words(head.split_once('(').map_or("", |(_, list)| list).trim_end().trim_end_matches(')'))
        .map(|words| words.iter().filter_map(Word::name).collect())
        .unwrap_or_default();
    let given = |name: &str| !lists_columns || listed.iter().any(|column| column.eq_ignore_ascii_case(name));
    let counted = |name: &str| facts.column(name).is_some_and(|column| column.auto_increment);
    let refused = facts.indexes.iter().filter(|index| index.unique).any(|index| {
        index
            .columns
            .iter()
            .all(|part| !part.name.is_empty() && given(&part.name) && (lists_columns || !counted(&part.name)))
    });
    match refused {
        true => Again::Fails(1062, format!("the rows are in {table} already")),
        false => Again::Twice(format!("every row in {table} a second time: no key tells that it is there")),
    }
}

/// Functions that change nothing any more once they were applied.
const SETTLED: &[&str] =
    &["trim", "ltrim", "rtrim", "lower", "upper", "lcase", "ucase", "coalesce", "ifnull", "nullif"];

/// Each column that an UPDATE sets, with the words of its value; none for what is not understood.
fn assigned<'a>(words: &'a [Word<'a>]) -> Vec<Option<(String, &'a [Word<'a>])>> {
    let mut depth = 0_i32;
    let parts = words.split(|word| {
        match word.text {
            "(" if word.form == Form::Symbol => depth += 1,
            ")" if word.form == Form::Symbol => depth -= 1,
            _ => {}
        }
        depth == 0 && word.is_symbol(",")
    });
    let one = |words: &'a [Word<'a>]| {
        let equals = words.iter().position(|word| word.is_symbol("="))?;
        Some((words[..equals].last()?.name()?, &words[equals + 1..]))
    };
    parts.map(one).collect()
}

/// True when an UPDATE sets only columns of `table` that the upgrade itself has added: there is no old value to lose.
pub fn fills_new_columns(subject: &Subject<'_>, table: &TableName) -> bool {
    let Some(past) = subject.history.table(table) else { return false };
    let span = subject.statement.reading.effect.assignments;
    let Some(words) = span.and_then(|(from, to)| words(subject.statement.text.get(from..to)?).ok()) else {
        return false;
    };
    assigned(&words).iter().all(|set| set.as_ref().is_some_and(|(column, _)| past.has_added(column)))
}

/// The first column that is set to something made of itself: `hits = hits + 1`.
fn twice_updated(subject: &Subject<'_>) -> Option<String> {
    let (from, to) = subject.statement.reading.effect.assignments?;
    let text = subject.statement.text.get(from..to)?;
    assigned(&words(text).ok()?).into_iter().flatten().find_map(|(column, value)| {
        let settled = value.first().is_some_and(|first| SETTLED.iter().any(|name| first.is(name)));
        let alone = value.len() == 1;
        let itself = value.iter().any(|word| word.name().is_some_and(|name| name.eq_ignore_ascii_case(&column)));
        (itself && !settled && !alone).then_some(column)
    })
}

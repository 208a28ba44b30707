//! What an ALTER TABLE destroys: what is not known to keep every row loses them all.

use super::{Loss, contains_words};
use crate::sql::record::{AlterClass, AlterClause, ColumnDefinition, Statement};
use crate::survey::record::{ColumnFacts, Survey, TableFacts};

/// What the clauses lose together.
pub fn losses(statement: &Statement, survey: &Survey) -> Vec<Loss> {
    let effect = &statement.reading.effect;
    let Some(table) = effect.defines.iter().next().or_else(|| effect.renames.keys().next()).cloned() else {
        return vec![Loss::Anything];
    };
    let whole = effect.clauses.is_empty() || contains_words(&statement.text, &["alter", "ignore"]);
    if whole || effect.clauses.iter().any(loses_rows) {
        return vec![Loss::AllRows { table }];
    }
    let lossy = effect.clauses.iter().filter(|clause| match clause.class {
        AlterClass::DropColumn => true,
        AlterClass::ModifyColumn => {
            !survey.tables.get(&table).is_some_and(|facts| only_widens(facts, clause, &effect.clauses))
        }
        _ => false,
    });
    let columns: Vec<String> = lossy.filter_map(|clause| clause.object.clone()).collect();
    if columns.is_empty() { Vec::new() } else { vec![Loss::Columns { table, columns }] }
}

/// The clause may lose rows, or values nobody can name the columns of. A tablespace that is discarded, an engine that keeps
/// nothing, and whatever is new or not understood.
fn loses_rows(clause: &AlterClause) -> bool {
    use AlterClass::*;
    let words: Vec<String> = words(&clause.text);
    let first = words.first().map_or("", String::as_str);
    match clause.class {
        DropColumn | ModifyColumn => clause.object.is_none(),
        AddColumn | RenameColumn | ColumnDefault | AddIndex | AddUnique | AddFulltext | AddSpatial | AddPrimaryKey
        | DropPrimaryKey | DropIndex | RenameIndex | AddForeignKey | DropForeignKey | AddCheck | DropCheck
        | DefaultCharset | RowFormat | AutoIncrement | Comment | Force | OrderBy | Keys | RenameTable | Algorithm
        | Lock => false,
        Engine => {
            !words.last().is_some_and(|engine| ["innodb", "myisam", "aria", "rocksdb"].contains(&engine.as_str()))
        }
        // A row that finds no partition is refused (1526).
        Partition => {
            let keeps = ["add", "reorganize", "rebuild", "analyze", "check", "optimize", "repair", "remove"];
            !keeps.contains(&first) && !contains_words(&clause.text, &["partition", "by"])
        }
        Tablespace => first != "tablespace",
        ConvertCharset | Other => true,
    }
}

/// True when a MODIFY or CHANGE makes a column only wider, so that no value can be cut: an integer to a larger one of the
/// same sign, a VARCHAR to a longer one of the same character set. NOT NULL where NULL was allowed is no widening, and what
/// is not understood is none.
fn only_widens(facts: &TableFacts, clause: &AlterClause, clauses: &[AlterClause]) -> bool {
    const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];
    let old = clause.object.as_deref().and_then(|column| facts.column(column));
    let Some((old, new)) = old.zip(clause.columns.first()) else { return false };
    let becomes_required = old.nullable && new.nullable == Some(false);
    let computed = old.generated.is_some() || new.generated.is_some();
    if becomes_required || computed || !new.unread.is_empty() {
        return false;
    }
    let rank = |data_type: &str| INTEGERS.iter().position(|known| *known == data_type);
    if let Some((old_rank, new_rank)) = rank(&old.data_type).zip(rank(&new.data_type)) {
        return new_rank >= old_rank && new.unsigned == contains_words(&old.column_type, &["unsigned"]);
    }
    let is_varchar = old.data_type == "varchar" && new.data_type == "varchar";
    let longer = new.length.zip(old.length).is_some_and(|(new, old)| new >= old);
    let gives_another = clauses.iter().any(|clause| clause.class == AlterClass::DefaultCharset);
    is_varchar && longer && !gives_another && keeps_charset(old, new, facts)
}

/// A column that names no character set takes the table's, whatever it had (both manuals).
fn keeps_charset(old: &ColumnFacts, new: &ColumnDefinition, facts: &TableFacts) -> bool {
    let of_collation = || new.collation.as_deref().and_then(|name| name.split('_').next()).map(str::to_owned);
    let becomes = new.charset.clone().or_else(of_collation).or_else(|| default_charset(&facts.create));
    becomes.zip(old.charset.as_ref()).is_some_and(|(new, old)| plain(&new) == plain(old))
}

fn plain(charset: &str) -> String {
    let lower = charset.to_ascii_lowercase();
    if lower == "utf8" { "utf8mb3".to_owned() } else { lower }
}

/// As SHOW CREATE TABLE writes it.
fn default_charset(create: &str) -> Option<String> {
    let (_, options) = create.rsplit_once("\n)")?;
    let (_, charset) = options.split_once("CHARSET=")?;
    words(charset).into_iter().next()
}

/// The words of a text in lower case, without what stands between them.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    parts.map(str::to_ascii_lowercase).collect()
}

//! Which text columns a statement brings to another character set or collation, and what that does to them.

use super::altered::Altered;
use super::evidence::Subject;
use crate::sql::record::{AlterClass, AlterClause, ColumnDefinition, TableName};
use crate::survey::record::TableFacts;

/// Names of other columns that are told at most.
const NAMED: usize = 3;

/// A character set, and a collation where one is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The character set, lower case, `utf8` as `utf8mb3`.
    pub charset: String,
    /// The collation.
    pub collation: Option<String>,
}

impl Target {
    fn of(charset: Option<String>, collation: Option<String>) -> Option<Self> {
        let of_collation = || collation.as_deref().and_then(|name| name.split('_').next()).map(str::to_owned);
        let charset = plain(&charset.or_else(of_collation)?);
        Some(Self { charset, collation })
    }

    /// The collation where one is named, else the character set.
    pub fn name(&self) -> &str {
        self.collation.as_deref().unwrap_or(&self.charset)
    }
}

/// One column that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The column.
    pub column: &'a str,
    /// Its character set before.
    pub from: String,
    /// Its collation before, where it is known.
    pub from_collation: Option<&'a str>,
    /// What it becomes.
    pub to: Target,
    /// Its length in characters, where it has one.
    pub length: Option<u64>,
}

impl Change<'_> {
    /// It is this column.
    pub fn is(&self, name: &str) -> bool {
        self.column.eq_ignore_ascii_case(name)
    }

    /// The new character set lacks characters of the old one.
    pub fn is_lossy(&self) -> bool {
        let (from, to) = (repertoire(&self.from), repertoire(&self.to.charset));
        from > to || (from == to && from == 1 && self.from != self.to.charset)
    }
}

/// How much of Unicode a character set holds: ASCII, one script, the basic plane, all.
fn repertoire(charset: &str) -> u8 {
    match charset {
        "ascii" => 0,
        "utf8mb3" | "ucs2" => 2,
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 3,
        _ => 1,
    }
}

/// Bytes of the longest character.
pub fn bytes_a_character(charset: &str) -> u64 {
    match charset {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8mb3" | "ujis" | "eucjpms" => 3,
        "ucs2" | "big5" | "cp932" | "sjis" | "gbk" | "gb2312" | "euckr" => 2,
        _ => 1,
    }
}

/// Bytes that a column may have in an InnoDB index: 3,072, and 767 in the two old row formats (manual, "InnoDB Limits").
pub fn longest_key(facts: &TableFacts) -> u64 {
    let create = facts.create.to_ascii_uppercase();
    if create.contains("ROW_FORMAT=COMPACT") || create.contains("ROW_FORMAT=REDUNDANT") { 767 } else { 3_072 }
}

/// The columns that the statement brings to another character set or collation.
pub fn changes<'a>(here: &Altered<'a>, facts: &'a TableFacts) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for clause in here.clauses_of(&[AlterClass::ConvertCharset, AlterClass::ModifyColumn]) {
        if clause.class == AlterClass::ConvertCharset {
            let Some(target) = converted_to(clause) else { continue };
            changes.extend(facts.columns.iter().filter_map(|column| change(column, target.clone(), column.length)));
        } else if let (Some(name), Some(definition)) = (clause.object.as_deref(), clause.columns.first())
            && ColumnDefinition::is_text(&definition.data_type)
            && let Some(target) = modified_to(definition, facts)
        {
            changes.extend(facts.column(name).and_then(|column| change(column, target, definition.length)));
        }
    }
    changes
}

fn change(column: &crate::survey::record::ColumnFacts, to: Target, length: Option<u64>) -> Option<Change<'_>> {
    let from = plain(column.charset.as_deref()?);
    let same = from == to.charset
        && to
            .collation
            .as_deref()
            .is_none_or(|to| column.collation.as_deref().is_some_and(|from| from.eq_ignore_ascii_case(to)));
    let from_collation = column.collation.as_deref();
    (!same && from != "binary").then_some(Change { column: &column.name, from, from_collation, to, length })
}

fn plain(charset: &str) -> String {
    let lower = charset.to_ascii_lowercase();
    if lower == "utf8" { "utf8mb3".to_owned() } else { lower }
}

/// `CONVERT TO CHARACTER SET x [COLLATE y]`.
fn converted_to(clause: &AlterClause) -> Option<Target> {
    let folded = clause.text.replace('=', " ").to_ascii_lowercase();
    let words: Vec<&str> = folded.split_whitespace().map(|word| word.trim_matches(['\'', '"', '`'])).collect();
    let after = |word: &str| words.iter().position(|known| *known == word).and_then(|at| words.get(at + 1));
    let charset = after("set").or_else(|| after("charset")).map(|word| (*word).to_owned());
    Target::of(charset.filter(|name| name != "default"), after("collate").map(|word| (*word).to_owned()))
}

/// What the definition names, else what the table gives to columns that name nothing.
fn modified_to(definition: &ColumnDefinition, facts: &TableFacts) -> Option<Target> {
    let named = Target::of(definition.charset.clone(), definition.collation.clone());
    named.or_else(|| {
        let after = |word: &str| {
            let (_, tail) = facts.create.rsplit_once(word)?;
            tail.split([' ', ';', '\n']).next().map(str::to_owned)
        };
        let charset = after("DEFAULT CHARSET=")?;
        Target::of(Some(charset), after(" COLLATE="))
    })
}

/// Columns of other tables that have the name of one that changes and its old collation, and keep it.
pub fn joined_by_name(subject: &Subject<'_>, table: &TableName, changes: &[Change<'_>]) -> Vec<String> {
    let others =
        subject.evidence.survey.into_iter().flat_map(|survey| &survey.tables).filter(|(name, _)| *name != table);
    let named = others.flat_map(|(name, facts)| facts.columns.iter().map(move |column| (name, column)));
    let behind = named.filter(|(_, column)| {
        changes.iter().any(|change| {
            change.is(&column.name)
                && column.collation.is_some()
                && column.collation.as_deref() == change.from_collation
        })
    });
    behind.take(NAMED).map(|(name, column)| format!("{name}.{}", column.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::specimen::statement;

    fn target(sql: &str) -> Option<Target> {
        let statement = statement(1, sql);
        converted_to(&statement.reading.effect.clauses[0])
    }

    #[test]
    fn what_a_table_is_converted_to_is_read_in_every_spelling() {
        let whole = Target { charset: "utf8mb4".to_owned(), collation: Some("utf8mb4_bin".to_owned()) };
        for sql in [
            "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "ALTER TABLE t CONVERT TO CHARSET 'utf8mb4' COLLATE = utf8mb4_bin",
        ] {
            assert_eq!(target(sql), Some(whole.clone()), "{sql}");
        }
        let short = target("ALTER TABLE t CONVERT TO CHARACTER SET utf8").expect("a target");
        assert_eq!((short.charset.as_str(), short.collation), ("utf8mb3", None));
    }

    #[test]
    fn fewer_characters_are_a_loss_and_more_are_none() {
        let lossy = |from: &str, to: &str| {
            let to = Target { charset: to.to_owned(), collation: None };
            Change { column: "a", from: from.to_owned(), from_collation: None, to, length: None }.is_lossy()
        };
        assert!(lossy("utf8mb4", "utf8mb3") && lossy("utf8mb4", "latin1") && lossy("latin1", "cp1251"));
        assert!(!lossy("latin1", "utf8mb4") && !lossy("ascii", "latin1") && !lossy("utf8mb4", "utf8mb4"));
    }
}

//! Which tables a trigger's or a view's text mentions, told from its tokens.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Survey;
use crate::sql::record::TableName;

/// The names of a survey's tables and views, compared as its server compares them.
#[derive(Debug, Default)]
pub struct Names {
    folds: bool,
    by_folded: BTreeMap<(String, String), TableName>,
}

impl Names {
    /// The names that a survey holds. `lower_case_table_names` decides how they compare; without the setting (a survey
    /// from a schema file) letter case counts, as it does on Linux by default.
    pub fn of(survey: &Survey) -> Self {
        let folds = survey.server.settings.get("lower_case_table_names").is_some_and(|value| value != "0");
        Self::new(folds, survey.tables.keys().chain(survey.views.keys()).cloned())
    }

    /// A set of names; `folds` when letter case does not count.
    pub fn new(folds: bool, names: impl Iterator<Item = TableName>) -> Self {
        let mut all = Self { folds, by_folded: BTreeMap::new() };
        for name in names {
            let key = all.key(&name);
            all.by_folded.insert(key, name);
        }
        all
    }

    /// The name as the survey spells it; as it is when the survey does not know it.
    pub fn spelling(&self, name: &TableName) -> TableName {
        self.by_folded.get(&self.key(name)).unwrap_or(name).clone()
    }

    /// True when both name one table.
    pub fn same(&self, a: &TableName, b: &TableName) -> bool {
        self.key(a) == self.key(b)
    }

    /// The tables and views that a text mentions; names without a database are of `database`. A column that is called
    /// like a table counts too: better one table too many than one too few.
    pub fn mentioned(&self, text: &str, database: &str) -> BTreeSet<TableName> {
        let chains = chains(text);
        let mut found = BTreeSet::new();
        for chain in &chains {
            let mut candidates = vec![TableName::new(database, chain[0].as_str())];
            if let [first, second, ..] = chain.as_slice() {
                candidates.push(TableName::new(first.as_str(), second.as_str()));
            }
            found.extend(candidates.iter().filter_map(|name| self.by_folded.get(&self.key(name)).cloned()));
        }
        found
    }

    fn key(&self, name: &TableName) -> (String, String) {
        if self.folds {
            (name.database.to_lowercase(), name.table.to_lowercase())
        } else {
            (name.database.clone(), name.table.clone())
        }
    }
}

/// The identifiers of a text, those joined by dots together: `a.b` is one chain of two. Strings and comments are passed
/// over, executed comments are read.
pub fn chains(text: &str) -> Vec<Vec<String>> {
    let mut chains: Vec<Vec<String>> = Vec::new();
    let mut joined = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\'' | '"' => quoted(rest, c),
            '`' => {
                let end = quoted(rest, c);
                let name = &rest[1..end];
                let name = name.strip_suffix('`').unwrap_or(name).replace("``", "`");
                push(&mut chains, joined, name);
                joined = false;
                rest = &rest[end..];
                continue;
            }
            '#' => line(rest),
            '-' if rest.starts_with("--") => line(rest),
            '/' if rest.starts_with("/*!") => 3,
            '/' if rest.starts_with("/*M!") => 4,
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '.' => {
                joined = true;
                rest = &rest[1..];
                continue;
            }
            c if c.is_alphanumeric() || c == '_' || c == '$' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
                push(&mut chains, joined, rest[..end].to_owned());
                joined = false;
                rest = &rest[end..];
                continue;
            }
            c if c.is_whitespace() => {
                rest = &rest[c.len_utf8()..];
                continue;
            }
            c => c.len_utf8(),
        };
        joined = false;
        rest = &rest[taken..];
    }
    chains
}

fn push(chains: &mut Vec<Vec<String>>, joined: bool, name: String) {
    match chains.last_mut() {
        Some(chain) if joined => chain.push(name),
        _ => chains.push(vec![name]),
    }
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Length of the quoted text that `text` begins with, quotes included; all of it when the quote is not closed.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote != '`' {
            chars.next();
        } else if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return at + 1;
            }
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_the_server_reads_them() {
        let text = "BEGIN -- from orders\n INSERT INTO `my ``x`.t VALUES ('users', NEW . id) /* audit */ /*!50003 , log */; END";
        let found = chains(text);
        let has = |chain: &[&str]| found.iter().any(|one| one.iter().eq(chain));
        assert!(has(&["my `x", "t"]) && has(&["NEW", "id"]) && has(&["log"]), "{found:?}");
        assert!(!has(&["orders"]) && !has(&["users"]) && !has(&["audit"]), "{found:?}");
        assert_eq!(chains("`open"), vec![vec!["open".to_owned()]]);
        assert_eq!(chains("'open é"), Vec::<Vec<String>>::new());
    }

    #[test]
    fn letter_case_counts_only_where_the_server_lets_it() {
        let tables = || [TableName::new("app", "Orders")].into_iter();
        let sensitive = Names::new(false, tables());
        let folding = Names::new(true, tables());
        let name = TableName::new("APP", "orders");
        assert_eq!(sensitive.spelling(&name), name);
        assert_eq!(folding.spelling(&name), TableName::new("app", "Orders"));
        assert_eq!(folding.mentioned("DELETE FROM ORDERS", "app").len(), 1);
        assert_eq!(sensitive.mentioned("DELETE FROM ORDERS", "app").len(), 0);
    }
}

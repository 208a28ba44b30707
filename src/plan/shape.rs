//! What a plan's SQL is made from: column lists, a table's shape at a point of the upgrade, and the parts of a
//! statement that touches one table by one condition.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::record::{Kind, Statement, TableName, quote_identifier};
use crate::survey::record::{Survey, TableFacts};

pub mod altered;

/// The tables as they stand between two steps: the survey's, with what the upgrade did to them so far.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    tables: BTreeMap<TableName, TableFacts>,
    /// Production's views that still stand.
    views: BTreeSet<TableName>,
    /// Tables and views created by the upgrade itself: nothing of production's is in them.
    fresh: BTreeSet<TableName>,
    /// Dropped by the upgrade or renamed away, and nothing made in their place.
    gone: BTreeSet<TableName>,
    /// Changed in a way that the text alone does not tell.
    uncertain: BTreeSet<TableName>,
}

impl Shapes {
    /// Production's.
    pub fn of(survey: &Survey) -> Self {
        Self { tables: survey.tables.clone(), views: survey.views.keys().cloned().collect(), ..Self::default() }
    }

    /// The table as it stands, when its columns are known.
    pub fn known(&self, name: &TableName) -> Option<&TableFacts> {
        if self.uncertain.contains(name) { None } else { self.tables.get(name) }
    }

    /// True when the upgrade itself made this table or view.
    pub fn is_fresh(&self, name: &TableName) -> bool {
        self.fresh.contains(name)
    }

    /// True when the upgrade took away what had this name.
    pub fn is_gone(&self, name: &TableName) -> bool {
        self.gone.contains(name)
    }

    /// A table or a view of this name stands here.
    pub fn stands(&self, name: &TableName) -> bool {
        self.tables.contains_key(name) || self.views.contains(name) || self.fresh.contains(name)
    }

    /// Takes in what a statement does to definitions.
    pub fn apply(&mut self, statement: &Statement) {
        let effect = &statement.reading.effect;
        // A temporary table hides another one of its name, and takes nothing of it along.
        for name in effect.drops.iter().filter(|_| !effect.temporary) {
            self.take(name);
        }
        match statement.reading.kind {
            Kind::CreateTable | Kind::CreateView => {
                for name in &effect.defines {
                    if !self.stands(name) {
                        self.gone.remove(name);
                        self.fresh.insert(name.clone());
                    }
                }
            }
            Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex => {
                for table in effect.defines.iter().chain(effect.renames.keys()) {
                    self.alter(table, statement);
                }
            }
            _ => {}
        }
        for (from, to) in &effect.renames {
            self.rename(from, to);
        }
    }

    /// Nothing stands here under this name any more.
    fn take(&mut self, name: &TableName) {
        self.tables.remove(name);
        for names in [&mut self.views, &mut self.fresh, &mut self.uncertain] {
            names.remove(name);
        }
        self.gone.insert(name.clone());
    }

    fn rename(&mut self, from: &TableName, to: &TableName) {
        self.gone.remove(to);
        if let Some(facts) = self.tables.remove(from) {
            self.tables.insert(to.clone(), facts);
        }
        for names in [&mut self.views, &mut self.fresh, &mut self.uncertain] {
            if names.remove(from) {
                names.insert(to.clone());
            }
        }
        self.gone.insert(from.clone());
    }

    fn alter(&mut self, table: &TableName, statement: &Statement) {
        let Some(facts) = self.tables.get_mut(table) else { return };
        let clauses = &statement.reading.effect.clauses;
        altered::alter(facts, clauses);
        if clauses.is_empty() || clauses.iter().any(altered::is_uncertain) {
            self.uncertain.insert(table.clone());
        }
    }
}

/// The columns that hold values of their own, invisible ones included, generated ones not.
pub fn stored_columns(facts: &TableFacts) -> Vec<&str> {
    facts.columns.iter().filter(|column| column.generated.is_none()).map(|column| column.name.as_str()).collect()
}

/// `` `a`, `b` ``.
pub fn list<T: AsRef<str>>(columns: &[T]) -> String {
    columns.iter().map(|column| quote_identifier(column.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A text of our own (no backslash in it) as a literal.
pub fn quote_in(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The primary key's columns; none without one, and for a key over an expression.
pub fn key_columns(facts: &TableFacts) -> Option<Vec<&str>> {
    let key = facts.primary_key();
    let names: Vec<&str> = key.iter().map(|part| part.name.as_str()).collect();
    (!names.is_empty() && names.iter().all(|name| !name.is_empty())).then_some(names)
}

/// `` a.`id` = b.`id` AND … ``.
pub fn key_join(left: &str, right: &str, key: &[&str]) -> String {
    let parts: Vec<String> = key
        .iter()
        .map(|column| {
            let column = quote_identifier(column);
            format!("{left}.{column} = {right}.{column}")
        })
        .collect();
    parts.join(" AND ")
}

/// The line that defines a column in SHOW CREATE TABLE, without its comma.
pub fn column_line(create: &str, column: &str) -> Option<String> {
    let start = quote_identifier(column);
    create
        .lines()
        .map(str::trim)
        .find(|line| {
            line.len() > start.len()
                && line.is_char_boundary(start.len())
                && line[..start.len()].eq_ignore_ascii_case(&start)
                && line[start.len()..].starts_with(' ')
        })
        .map(|line| line.trim_end_matches(',').to_owned())
}

/// A statement that changes one table by one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simple {
    /// The table as the statement names it, alias and partitions included.
    pub factor: String,
    /// The condition, without WHERE.
    pub condition: Option<String>,
    /// The columns that an UPDATE assigns; none for a DELETE, and where they could not be told.
    pub assigned: Option<Vec<String>>,
    /// It says IGNORE.
    pub ignores: bool,
}

/// Takes a single-table UPDATE or DELETE apart; none when it is more than that.
pub fn simple(statement: &Statement) -> Option<Simple> {
    let effect = &statement.reading.effect;
    let kind = statement.reading.kind;
    let text = statement.text.as_str();
    if effect.multi_table
        || effect.has_limit
        || effect.has_order_by
        || effect.writes.union(&effect.empties).count() != 1
    {
        return None;
    }
    let condition = match effect.condition {
        Some((from, to)) => Some(text.get(from..to)?.trim().to_owned()),
        None if effect.has_where => return None,
        None => None,
    };
    let head = match kind {
        Kind::Update => text.get(..effect.assignments?.0)?,
        Kind::Delete => effect.condition.map_or(Some(text), |(from, _)| text.get(..from))?,
        _ => return None,
    };
    if head.contains("/*") || head.contains("--") || head.contains('#') || head.contains(';') {
        return None;
    }
    let mut words: Vec<&str> = head.split_whitespace().collect();
    let ignores = words.iter().any(|word| word.eq_ignore_ascii_case("ignore"));
    let is = |word: &&str, any: &[&str]| any.iter().any(|one| word.eq_ignore_ascii_case(one));
    while words.first().is_some_and(|word| is(word, &["update", "delete", "low_priority", "quick", "ignore", "from"])) {
        words.remove(0);
    }
    while words.last().is_some_and(|word| is(word, &["where", "set"])) {
        words.pop();
    }
    if words.is_empty()
        || words.iter().any(|word| is(word, &["returning", "using", "join", "for", "with"]) || word.contains(','))
    {
        return None;
    }
    let assigned =
        effect.assignments.filter(|_| kind == Kind::Update).and_then(|(from, to)| assigned(text.get(from..to)?));
    Some(Simple { factor: words.join(" "), condition, assigned, ignores })
}

/// The columns on the left of each assignment.
fn assigned(text: &str) -> Option<Vec<String>> {
    let mut columns = Vec::new();
    let mut depth = 0_i32;
    let mut quote = None;
    let mut left = String::new();
    let mut in_left = true;
    for c in text.chars() {
        if in_left && c != '=' {
            left.push(c);
            continue;
        }
        if in_left {
            columns.push(column_of(&left)?);
            left.clear();
            in_left = false;
            continue;
        }
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), '\\') => return None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => in_left = true,
            (None, _) => {}
        }
    }
    (!in_left && quote.is_none() && depth == 0).then_some(columns)
}

/// `` t.`a` `` → `a`.
fn column_of(text: &str) -> Option<String> {
    let name = text.trim().rsplit('.').next()?.trim();
    let bare = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(name);
    let plain = !bare.is_empty() && bare.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    plain.then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_give_their_columns() {
        let read = |text: &str| assigned(text);
        assert_eq!(read("a = 1, `b`=f(x, y), t.c = 'x,y'"), Some(vec!["a".into(), "b".into(), "c".into()]));
        assert_eq!(read(r"a = 'it\'s'"), None, "an escape is not followed, so nothing is claimed");
    }

    #[test]
    fn a_columns_definition_is_found_in_show_create() {
        let create =
            "CREATE TABLE `t` (\n  `id` bigint NOT NULL AUTO_INCREMENT,\n  `idx` int,\n  PRIMARY KEY (`id`)\n)";
        assert_eq!(column_line(create, "id").as_deref(), Some("`id` bigint NOT NULL AUTO_INCREMENT"));
        assert_eq!(column_line(create, "missing"), None);
    }
}

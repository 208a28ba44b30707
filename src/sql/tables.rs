//! Which tables a query names: FROM and JOIN lists at any depth, aliases and common table expressions told apart.

use std::collections::BTreeSet;

use crate::sql::record::TableName;
use crate::sql::token::TokenKind;
use crate::sql::tokens::Tokens;

/// A table in a FROM list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRef {
    /// The table.
    pub name: TableName,
    /// What the statement calls it.
    pub alias: Option<String>,
    /// It stands in the list that the walk began in, not in a sub-select.
    pub outermost: bool,
}

/// The tables that tokens `from..to` read. With `in_list` the walk begins inside a FROM list.
pub fn references(tokens: &Tokens<'_>, from: usize, to: usize, database: &str, in_list: bool) -> Vec<TableRef> {
    let common = common_tables(tokens);
    let mut walk = Walk { tokens, database, common, found: Vec::new() };
    walk.run(from, to.min(tokens.len()), in_list);
    walk.found
}

/// The names of the tables that tokens `from..to` read.
pub fn reads(tokens: &Tokens<'_>, from: usize, to: usize, database: &str) -> BTreeSet<TableName> {
    references(tokens, from, to, database, false).into_iter().map(|reference| reference.name).collect()
}

/// Names that WITH gives, in lower case.
fn common_tables(tokens: &Tokens<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for at in 0..tokens.len() {
        if !tokens.is(at, "WITH") {
            continue;
        }
        let mut next = tokens.skip(at + 1, &["RECURSIVE"]);
        while let Some((name, body)) = common_table(tokens, next) {
            names.insert(name.to_lowercase());
            next = tokens.after_parenthesis(body);
            // MariaDB: `CYCLE a, b RESTRICT` may follow; nothing else does.
            if !tokens.is_symbol(next, ",") {
                break;
            }
            next += 1;
        }
    }
    names
}

/// `name [(columns)] AS (`: the name and the parenthesis.
pub fn common_table(tokens: &Tokens<'_>, at: usize) -> Option<(String, usize)> {
    if !tokens.is_name(at) {
        return None;
    }
    let after = if tokens.is_symbol(at + 1, "(") { tokens.after_parenthesis(at + 1) } else { at + 1 };
    (tokens.is(after, "AS") && tokens.is_symbol(after + 1, "(")).then(|| Some((tokens.name(at)?, after + 1)))?
}

/// One level of parentheses.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// A SELECT was seen: FROM begins a list (and is not EXTRACT's or TRIM's).
    query: bool,
    /// In a FROM list.
    list: bool,
    /// Belongs to the list that the walk began in.
    outermost: bool,
}

struct Walk<'t, 'a> {
    tokens: &'t Tokens<'a>,
    database: &'t str,
    common: BTreeSet<String>,
    found: Vec<TableRef>,
}

/// Words after which no FROM list goes on.
const LIST_ENDS: [&str; 18] = [
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "WINDOW",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "SET",
    "VALUES",
    "FOR",
    "INTO",
    "LOCK",
    "PROCEDURE",
    "RETURNING",
    "SELECT",
    "MINUS",
];

/// Words that cannot be an alias without AS.
const NO_ALIAS: [&str; 26] = [
    "ON",
    "USING",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "CROSS",
    "NATURAL",
    "STRAIGHT_JOIN",
    "FULL",
    "OUTER",
    "USE",
    "FORCE",
    "IGNORE",
    "PARTITION",
    "WITH",
    "AND",
    "OR",
    "FETCH",
    "OFFSET",
    "VALUE",
    "DUPLICATE",
    "AS",
    "XOR",
    "END",
    "LATERAL",
];

impl Walk<'_, '_> {
    fn run(&mut self, from: usize, to: usize, in_list: bool) {
        let tokens = self.tokens;
        let mut levels = vec![Level { query: in_list, list: in_list, outermost: true }];
        let mut expects = in_list;
        let mut at = from;
        while at < to {
            let Some(level) = levels.last_mut() else { return };
            match tokens.kind(at) {
                Some(TokenKind::Symbol) => match tokens.at(at) {
                    "(" => {
                        let query = tokens.is_any(at + 1, &["SELECT", "WITH", "VALUES", "TABLE"]);
                        let list = expects && !query;
                        let outermost = level.outermost && list;
                        levels.push(Level { query: list, list, outermost });
                        expects = list;
                    }
                    ")" => {
                        if levels.len() > 1 {
                            levels.pop();
                        }
                        expects = false;
                    }
                    "," if level.list => expects = true,
                    _ => {}
                },
                Some(TokenKind::Word | TokenKind::Name | TokenKind::Quoted) if expects => {
                    if tokens.is(at, "LATERAL") || tokens.is(at, "OJ") {
                        at += 1;
                        continue;
                    }
                    expects = false;
                    let outermost = level.outermost;
                    at = self.table(at, outermost);
                    continue;
                }
                Some(TokenKind::Word) => {
                    if tokens.is(at, "SELECT") {
                        // The query's own list begins at its FROM; that of the walk is over.
                        *level = Level { query: true, list: false, outermost: level.outermost && !in_list };
                    } else if tokens.is(at, "FROM") && level.query {
                        level.list = true;
                        expects = true;
                    } else if tokens.is_any(at, &["JOIN", "STRAIGHT_JOIN"]) && level.list {
                        expects = true;
                    } else if tokens.is_any(at, &LIST_ENDS) {
                        level.list = false;
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Takes the table at `at`, and its alias; gives the token after them.
    fn table(&mut self, at: usize, outermost: bool) -> usize {
        let tokens = self.tokens;
        let Some((name, mut next)) = tokens.table(at, self.database) else { return at + 1 };
        // JSON_TABLE(…), and MariaDB's SEQUENCE tables, which are none.
        if tokens.is_symbol(next, "(") {
            return next;
        }
        let qualified = next > at + 1;
        if tokens.is(next, "PARTITION") && tokens.is_symbol(next + 1, "(") {
            next = tokens.after_parenthesis(next + 1);
        }
        let named = tokens.is(next, "AS");
        let at_alias = next + usize::from(named);
        let plain = tokens.is_name(at_alias)
            && (named || tokens.kind(at_alias) == Some(TokenKind::Quoted) || !self.ends_table(at_alias));
        let mut alias = None;
        if plain || (named && tokens.kind(at_alias) == Some(TokenKind::Text)) {
            alias = tokens.name(at_alias);
            next = at_alias + 1;
        }
        next = self.after_hints(next);
        let common = !qualified && self.common.contains(&name.table.to_lowercase());
        let dual = !qualified && tokens.is(at, "DUAL");
        if !common && !dual {
            self.found.push(TableRef { name, alias, outermost });
        }
        next
    }

    /// Past `USE | FORCE | IGNORE INDEX | KEY [FOR JOIN | ORDER BY | GROUP BY] (…)`, any number of them.
    fn after_hints(&self, mut at: usize) -> usize {
        let tokens = self.tokens;
        while tokens.is_any(at, &["USE", "FORCE", "IGNORE"]) && tokens.is_any(at + 1, &["INDEX", "KEY"]) {
            let list = tokens.skip_any(at + 2, &["FOR", "JOIN", "ORDER", "GROUP", "BY"]);
            if !tokens.is_symbol(list, "(") {
                break;
            }
            at = tokens.after_parenthesis(list);
        }
        at
    }

    fn ends_table(&self, at: usize) -> bool {
        self.tokens.is_any(at, &LIST_ENDS) || self.tokens.is_any(at, &NO_ALIAS)
    }
}

//! Statements on rows: which tables they read and change, and where their conditions stand.

use std::collections::BTreeSet;

use crate::sql::effect::Scan;
use crate::sql::record::{Kind, TableName};
use crate::sql::tables::{TableRef, reads, references};
use crate::sql::token::TokenKind;
use crate::sql::tokens::Tokens;

/// Words that may stand between the verb of a statement on rows and its table.
const MODIFIERS: [&str; 6] = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "CONCURRENT"];

/// Words that end a WHERE condition.
const AFTER_WHERE: [&str; 14] = [
    "ORDER",
    "LIMIT",
    "GROUP",
    "HAVING",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "RETURNING",
    "FOR",
    "LOCK",
    "INTO",
    "WINDOW",
    "ON",
    "PROCEDURE",
];

/// Notes WHERE, ORDER BY and LIMIT that stand outside of parentheses from `from` on.
fn conditions(tokens: &Tokens<'_>, scan: &mut Scan, from: usize) {
    let end = tokens.len();
    let find = |from, word| tokens.find_outside(from, end, |at| tokens.is(at, word));
    let clause = find(from, "WHERE");
    let effect = &mut scan.effect;
    if let Some(at) = clause {
        let stop = tokens.find_outside(at + 1, end, |at| tokens.is_any(at, &AFTER_WHERE)).unwrap_or(end);
        effect.has_where = true;
        if stop > at + 1 {
            effect.condition = Some((tokens.start(at + 1), tokens.end(stop - 1)));
        }
    }
    effect.has_order_by =
        tokens.find_outside(from, end, |at| tokens.is(at, "ORDER") && tokens.is(at + 1, "BY")).is_some();
    effect.has_limit = find(from, "LIMIT").is_some();
}

/// The WHERE condition holds for every row, whatever is in it: `1`, `TRUE`, `1 = 1`.
fn holds_always(tokens: &Tokens<'_>, scan: &Scan) -> bool {
    let Some((first, last)) = scan.effect.condition else { return !scan.effect.has_where };
    let condition: String = tokens.text[first..last].chars().filter(|c| !c.is_whitespace()).collect();
    matches!(
        condition.trim_matches(['(', ')']).to_ascii_uppercase().as_str(),
        "1" | "TRUE" | "1=1" | "'1'='1'" | "1='1'"
    )
}

/// SELECT, VALUES, and what begins with a parenthesis.
pub fn select(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::Select, at);
    let found = references(tokens, at, tokens.len(), database, false);
    scan.effect.multi_table = found.len() > 1;
    scan.effect.reads = found.into_iter().map(|reference| reference.name).collect();
    conditions(tokens, &mut scan, at);
    scan
}

/// INSERT and REPLACE.
pub fn insert(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let kind = if tokens.is(at, "INSERT") { Kind::Insert } else { Kind::Replace };
    let mut scan = Scan::new(kind, at);
    let next = tokens.skip_any(at + 1, &MODIFIERS);
    let next = tokens.skip(next, &["INTO"]);
    let Some((table, after)) = tokens.table(next, database) else { return scan.because("its table was not found") };
    scan.effect.writes.insert(table);
    let found = references(tokens, after, tokens.len(), database, false);
    scan.effect.multi_table = !found.is_empty();
    scan.effect.reads = found.into_iter().map(|reference| reference.name).collect();
    // MySQL's `INSERT INTO t TABLE u`.
    if let Some(source) = tokens.find_outside(after, tokens.len(), |at| tokens.is(at, "TABLE")) {
        scan.effect.multi_table = true;
        scan.effect.reads.extend(tokens.table(source + 1, database).map(|(table, _)| table));
    }
    if tokens.find_outside(after, tokens.len(), |at| tokens.is(at, "SELECT")).is_some() {
        conditions(tokens, &mut scan, after);
    }
    scan
}

/// UPDATE, over one table or several.
pub fn update(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::Update, at);
    let first = tokens.skip_any(at + 1, &MODIFIERS);
    let end = tokens.len();
    let Some(set) = tokens.find_outside(first, end, |at| tokens.is(at, "SET")) else {
        scan.effect.writes.extend(tokens.table(first, database).map(|(table, _)| table));
        return scan.because("its SET was not found");
    };
    let stop = tokens.find_outside(set + 1, end, |at| tokens.is_any(at, &["WHERE", "ORDER", "LIMIT", "RETURNING"]));
    let stop = stop.unwrap_or(end);
    if stop > set + 1 {
        scan.effect.assignments = Some((tokens.start(set + 1), tokens.end(stop - 1)));
    }
    let found = references(tokens, first, set, database, true);
    scan.effect.multi_table = found.len() > 1 || joins(tokens, first, set);
    for (from, to) in tokens.parts(set + 1, stop) {
        match assigned(tokens, from, to, &found) {
            Some(table) => {
                scan.effect.writes.insert(table);
            }
            // A column without a table may be of any of them.
            None => {
                scan.effect.writes.extend(found.iter().filter(|table| table.outermost).map(|table| table.name.clone()))
            }
        }
    }
    let others = found.into_iter().map(|table| table.name).filter(|name| !scan.effect.writes.contains(name));
    scan.effect.reads = others.collect();
    scan.effect.reads.extend(reads(tokens, set, end, database));
    conditions(tokens, &mut scan, set);
    scan
}

/// The FROM list of tokens `from..to` joins; what it joins may be no table, but a common table expression.
fn joins(tokens: &Tokens<'_>, from: usize, to: usize) -> bool {
    let joint =
        |at| tokens.is_any(at, &["JOIN", "STRAIGHT_JOIN"]) || tokens.is_symbol(at, ",") || tokens.is_symbol(at, "(");
    tokens.find_outside(from, to, joint).is_some()
}

/// The table that `table.column = …` changes.
fn assigned(tokens: &Tokens<'_>, from: usize, to: usize, found: &[TableRef]) -> Option<TableName> {
    let equals = (from..to).find(|at| tokens.is_symbol(*at, "=") || tokens.is_symbol(*at, ":="))?;
    match equals - from {
        3 => resolve(&tokens.name(from)?, None, found),
        5 => resolve(&tokens.name(from + 2)?, Some(&tokens.name(from)?), found),
        _ => None,
    }
}

/// The table that is called `called` in the list.
fn resolve(called: &str, database: Option<&str>, found: &[TableRef]) -> Option<TableName> {
    let matches = |reference: &&TableRef| match (&reference.alias, database) {
        (Some(alias), None) => alias.eq_ignore_ascii_case(called),
        (None, None) => reference.name.table == called,
        (_, Some(database)) => reference.name.table == called && reference.name.database == database,
    };
    let outermost = found.iter().filter(|reference| reference.outermost);
    outermost
        .clone()
        .find(matches)
        .or_else(|| outermost.clone().find(|reference| reference.name.table == called))
        .map(|reference| reference.name.clone())
}

/// DELETE, over one table or several.
pub fn delete(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::Delete, at);
    let end = tokens.len();
    let first = tokens.skip_any(at + 1, &MODIFIERS);
    let find = |from, to, word| tokens.find_outside(from, to, |at| tokens.is(at, word));
    let condition = find(first, end, "WHERE").unwrap_or(end);
    let Some(from) = find(first, condition, "FROM") else { return scan.because("its FROM was not found") };
    let using = find(from, condition, "USING");
    let is_multi = from > first || using.is_some();
    if !is_multi {
        single_delete(tokens, &mut scan, from, database);
        return scan;
    }
    let (targets, list) = match using {
        Some(using) if from == first => ((from + 1, using), using + 1),
        _ => ((first, from), from + 1),
    };
    let found = references(tokens, list, condition, database, true);
    scan.effect.multi_table = true;
    for (from, to) in tokens.parts(targets.0, targets.1) {
        // `t`, `t.*`, `db.t`, `db.t.*`.
        let parts = (from..to).filter(|at| tokens.is_name(*at)).filter_map(|at| tokens.name(at)).collect::<Vec<_>>();
        let target = match parts.as_slice() {
            [called] => resolve(called, None, &found).unwrap_or_else(|| TableName::new(database, called)),
            [of, called] => resolve(called, Some(of), &found).unwrap_or_else(|| TableName::new(of, called)),
            _ => continue,
        };
        scan.effect.writes.insert(target);
    }
    let others = found.iter().map(|table| table.name.clone()).filter(|name| !scan.effect.writes.contains(name));
    scan.effect.reads = others.collect();
    scan.effect.reads.extend(reads(tokens, condition, end, database));
    conditions(tokens, &mut scan, list);
    if found.len() == 1 && !joins(tokens, list, condition) && holds_always(tokens, &scan) && !scan.effect.has_limit {
        scan.effect.empties = scan.effect.writes.clone();
    }
    scan
}

fn single_delete(tokens: &Tokens<'_>, scan: &mut Scan, from: usize, database: &str) {
    let Some((table, after)) = tokens.table(from + 1, database) else {
        scan.why = Some("its table was not found".to_owned());
        return;
    };
    conditions(tokens, scan, after);
    scan.effect.reads = reads(tokens, after, tokens.len(), database);
    // Some rows stay: those of other partitions, or outside of the period.
    let part = tokens.is(after, "PARTITION")
        || tokens.find_outside(after, tokens.len(), |at| tokens.is(at, "PORTION")).is_some();
    if !part && !scan.effect.has_limit && holds_always(tokens, scan) {
        scan.effect.empties.insert(table.clone());
    }
    scan.effect.writes = BTreeSet::from([table]);
}

/// LOAD DATA and LOAD XML.
pub fn load(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::LoadData, at);
    let into = (at..tokens.len()).find(|at| tokens.are(*at, &["INTO", "TABLE"]));
    let table = into.and_then(|into| tokens.table(into + 2, database));
    let Some((table, after)) = table else { return scan.because("its table was not found") };
    scan.effect.writes.insert(table);
    scan.effect.reads = reads(tokens, after, tokens.len(), database);
    scan.effect.changes_session = (after..tokens.len()).any(|at| tokens.kind(at) == Some(TokenKind::Variable));
    scan
}

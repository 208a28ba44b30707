//! One statement's text, read as far as it can be: its tokens say what it touches; the parser says how sure that is.

use std::collections::{BTreeMap, BTreeSet};

use crate::server::flavor::Flavor;
use crate::sql::effect::{Scan, scan};
use crate::sql::parse::parse;
use crate::sql::record::{AlterClass, Confidence, Kind, Reading, Statement, TableName};
use crate::sql::rewrite::rewrite;
use crate::sql::tables::references;
use crate::sql::token::{Lexer, TokenKind};
use crate::sql::tokens::Tokens;

/// Look-alikes that are remembered.
const REMEMBERED: usize = 256;

/// Reads one statement; names without a database are of `database`.
pub fn read(text: &str, database: &str, flavor: Flavor) -> Reading {
    let tokens = Tokens::new(text, flavor);
    let scanned = scan(&tokens, 0, database);
    let verdict = judge(&tokens, &scanned, database);
    verdict.on(scanned)
}

/// The byte at which a quote or comment opens that is not closed; none when all are.
pub fn unclosed(statement: &Statement, flavor: Flavor) -> Option<usize> {
    // The scan has met it, and said why it read no further.
    if !matches!(statement.reading.confidence, Confidence::Scanned | Confidence::Unknown) {
        return None;
    }
    let broken = Lexer::new(&statement.text, flavor).find(|token| token.kind == TokenKind::Broken)?;
    let rest = &statement.text[broken.start as usize..];
    // `x'`, `_utf8mb4'`: the quote is what is not closed.
    let quote = rest.find(['\'', '"', '`', '/']).unwrap_or(0);
    Some(broken.start as usize + quote)
}

/// What the parser said of statements on rows, by digest: their look-alikes need not be parsed again.
#[derive(Debug, Default)]
pub struct Alike {
    known: BTreeMap<(String, String), Verdict>,
}

/// As [`read`], parsing only what has no look-alike among those read before.
pub fn read_like(text: &str, database: &str, flavor: Flavor, digest: &str, alike: &mut Alike) -> Reading {
    let tokens = Tokens::new(text, flavor);
    let scanned = scan(&tokens, 0, database);
    if !scanned.kind.is_dml() && scanned.kind != Kind::Select {
        let verdict = judge(&tokens, &scanned, database);
        return verdict.on(scanned);
    }
    let key = (digest.to_owned(), database.to_owned());
    if alike.known.len() >= REMEMBERED && !alike.known.contains_key(&key) {
        alike.known.clear();
    }
    alike.known.entry(key).or_insert_with(|| judge(&tokens, &scanned, database)).clone().on(scanned)
}

/// What parsing adds to a scan.
#[derive(Clone, Debug)]
struct Verdict {
    confidence: Confidence,
    why: Option<String>,
    /// Tables that the parser found and the scan did not.
    reads: Vec<TableName>,
}

impl Verdict {
    fn on(self, scanned: Scan) -> Reading {
        let Scan { kind, mut effect, .. } = scanned;
        effect.reads.extend(self.reads);
        Reading { kind, effect, confidence: self.confidence, why: self.why }
    }
}

fn judge(tokens: &Tokens<'_>, scanned: &Scan, database: &str) -> Verdict {
    let without = |confidence, why: String| Verdict { confidence, why: Some(why), reads: Vec::new() };
    if scanned.kind == Kind::Opaque {
        let why = scanned.why.clone().or(tokens.cut.map(str::to_owned));
        return without(Confidence::Unknown, why.unwrap_or_else(|| "it is not understood".to_owned()));
    }
    if let Some(cut) = tokens.cut {
        return without(Confidence::Scanned, cut.to_owned());
    }
    if !parser_knows(scanned.kind) {
        let why = scanned.why.clone().unwrap_or_else(|| format!("the parser has no {} of MySQL", words(scanned.kind)));
        return without(Confidence::Scanned, why);
    }
    let rewritten = rewrite(tokens, scanned);
    match parse(rewritten.text, operators(tokens)) {
        Ok(tree) => {
            let sure = if rewritten.changed { Confidence::Rewritten } else { Confidence::Parsed };
            let reads = missed(tokens, scanned, database, tree.relations);
            match &scanned.why {
                Some(why) => Verdict { confidence: Confidence::Scanned, why: Some(why.clone()), reads },
                None => Verdict { confidence: sure, why: None, reads },
            }
        }
        Err(why) => {
            // Each clause alone may be one that the parser knows, or one whose class says all.
            let classed = !scanned.effect.clauses.is_empty()
                && scanned.effect.clauses.iter().all(|clause| clause.class != AlterClass::Other);
            let why =
                if classed { "the parser does not know all of its clauses: each was classed".to_owned() } else { why };
            without(Confidence::Scanned, why)
        }
    }
}

/// `create_routine` as words.
fn words(kind: Kind) -> String {
    kind.name().replace('_', " ").to_uppercase()
}

/// Kinds that the parser has at least some form of.
fn parser_knows(kind: Kind) -> bool {
    use Kind::*;
    !matches!(
        kind,
        LoadData
            | Optimize
            | Repair
            | Check
            | AlterDatabase
            | CreateEvent
            | DropEvent
            | CreateRoutine
            | Prepare
            | Do
            | Handler
            | Xa
    )
}

fn operators(tokens: &Tokens<'_>) -> usize {
    const WORDS: [&str; 8] = ["AND", "OR", "XOR", "UNION", "EXCEPT", "INTERSECT", "DIV", "NOT"];
    (0..tokens.len())
        .filter(|at| {
            matches!(
                tokens.at(*at),
                "+" | "-" | "*" | "/" | "||" | "&&" | "|" | "&" | "^" | "%" | "!" | "~" | "<<" | ">>"
            ) || tokens.is_any(*at, &WORDS)
        })
        .count()
}

/// Relations of the tree that the scan knows neither as a table nor as an alias.
fn missed(tokens: &Tokens<'_>, scanned: &Scan, database: &str, relations: BTreeSet<Vec<String>>) -> Vec<TableName> {
    if !scanned.kind.is_dml() && !matches!(scanned.kind, Kind::Select | Kind::CreateView | Kind::CreateTable) {
        return Vec::new();
    }
    let known = scanned.effect.tables();
    let named = |parts: Vec<String>| match <[String; 2]>::try_from(parts) {
        Ok([database, table]) => Some((TableName { database, table }, false)),
        Err(parts) => <[String; 1]>::try_from(parts).ok().map(|[table]| (TableName::new(database, table), true)),
    };
    let mut missed: Vec<(TableName, bool)> = relations
        .into_iter()
        .filter_map(named)
        .filter(|(table, _)| !known.contains(table) && !table.table.eq_ignore_ascii_case("DUAL"))
        .collect();
    // Aliases are dear to find, and most statements have nothing left that could be one.
    if missed.iter().any(|(_, is_bare)| *is_bare) {
        let mut called: Vec<String> = Vec::new();
        for list in [true, false] {
            let found = references(tokens, scanned.verb + 1, tokens.len(), database, list);
            called.extend(found.into_iter().filter_map(|reference| reference.alias));
        }
        missed.retain(|(table, is_bare)| {
            !is_bare || !called.iter().any(|alias| alias.eq_ignore_ascii_case(&table.table))
        });
    }
    missed.into_iter().map(|(table, _)| table).collect()
}

#[cfg(test)]
mod tests;

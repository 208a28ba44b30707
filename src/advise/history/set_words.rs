//! What a SET says, read off its words: which variables, of which scope, to which text.

use crate::advise::alternatives::words::{Word, words};
use crate::sql::record::{Kind, Statement};

/// One assignment to a system variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable in lower case, without its scope; `transaction_isolation` also for SET TRANSACTION.
    pub name: String,
    /// The value as it was written, without its quotes; `DEFAULT` in upper case.
    pub value: String,
    /// GLOBAL, PERSIST or PERSIST_ONLY.
    pub global: bool,
    /// Only the next transaction (SET TRANSACTION without a scope).
    pub once: bool,
}

/// The assignments of a SET statement, and those of MariaDB's `SET STATEMENT … FOR`; none for any other statement, and
/// for what cannot be taken apart.
pub fn assignments(statement: &Statement) -> Vec<Assignment> {
    let text = statement.text.trim();
    let sets = statement.reading.kind == Kind::Set
        || text.get(..13).is_some_and(|begin| begin.eq_ignore_ascii_case("SET STATEMENT"));
    if !sets {
        return Vec::new();
    }
    let Ok(all) = words(unwrapped(text)) else { return Vec::new() };
    let mut list = all.get(1..).unwrap_or_default();
    if list.first().is_some_and(|word| word.is("STATEMENT")) {
        let until = list.iter().position(|word| word.is("FOR")).unwrap_or(list.len());
        list = list.get(1..until).unwrap_or_default();
    }
    let mut scope = None;
    let mut found = Vec::new();
    for part in parts(list) {
        found.extend(assignment(part, text, &mut scope));
    }
    found
}

/// A dump's `/*!40101 SET … */` without its frame.
fn unwrapped(text: &str) -> &str {
    let inside =
        text.strip_prefix("/*!").or_else(|| text.strip_prefix("/*M!")).and_then(|rest| rest.strip_suffix("*/"));
    inside.map_or(text, |inside| inside.trim_start_matches(|c: char| c.is_ascii_digit()).trim())
}

/// The parts between commas that stand outside of parentheses.
fn parts<'a, 'w>(list: &'w [Word<'a>]) -> Vec<&'w [Word<'a>]> {
    let mut depth = 0usize;
    list.split(|word| {
        if word.is_symbol("(") {
            depth += 1;
        } else if word.is_symbol(")") {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && word.is_symbol(",")
    })
    .collect()
}

/// One part; a scope word holds for the parts after it, too.
fn assignment(part: &[Word<'_>], text: &str, scope: &mut Option<bool>) -> Option<Assignment> {
    let mut at = 0;
    let scope_of = |word: &Word<'_>| {
        if ["GLOBAL", "PERSIST", "PERSIST_ONLY"].iter().any(|global| word.is(global)) {
            Some(true)
        } else if ["SESSION", "LOCAL"].iter().any(|session| word.is(session)) {
            Some(false)
        } else {
            None
        }
    };
    if let Some(global) = part.first().and_then(scope_of) {
        *scope = Some(global);
        at = 1;
    }
    if part.get(at).is_some_and(|word| word.is("TRANSACTION")) {
        let level = part.iter().position(|word| word.is("LEVEL"))?;
        let value: Vec<String> = part[level + 1..].iter().map(|word| word.text.to_ascii_uppercase()).collect();
        return Some(Assignment {
            name: "transaction_isolation".to_owned(),
            value: value.join("-"),
            global: *scope == Some(true),
            once: scope.is_none(),
        });
    }
    let mut global = scope.unwrap_or(false);
    if part.get(at).is_some_and(|word| word.is_symbol("@")) {
        // `@name` is a variable of the user's own.
        if !part.get(at + 1).is_some_and(|word| word.is_symbol("@")) {
            return None;
        }
        at += 2;
        global = false;
        if let Some(own) = part.get(at).and_then(scope_of)
            && part.get(at + 1).is_some_and(|word| word.is_symbol("."))
        {
            global = own;
            at += 2;
        }
    }
    let name = part.get(at)?.name()?.to_ascii_lowercase();
    let equals = part.iter().skip(at + 1).position(|word| word.is_symbol("="))? + at + 1;
    let (first, last) = (part.get(equals + 1)?, part.last()?);
    let source = unwrapped(text).get(first.start..last.end).unwrap_or_default();
    let value = source.trim_matches(['\'', '"']);
    let value = if value.eq_ignore_ascii_case("DEFAULT") { "DEFAULT".to_owned() } else { value.to_owned() };
    let name = if name == "tx_isolation" { "transaction_isolation".to_owned() } else { name };
    Some(Assignment { name, value, global, once: false })
}

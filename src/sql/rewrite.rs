//! A statement's tokens put the way sqlparser understands them. The result is parsed and thrown away: never run.

use crate::sql::effect::Scan;
use crate::sql::record::Kind;
use crate::sql::token::TokenKind;
use crate::sql::tokens::Tokens;

/// Text for the parser, and whether more than comments and white space was taken out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The text.
    pub text: String,
    /// It is not what was written.
    pub changed: bool,
}

/// What to do with one token.
enum Fate {
    Keep,
    Drop,
    Replace(&'static str),
}

/// The statement for the parser.
pub fn rewrite(tokens: &Tokens<'_>, scan: &Scan) -> Rewritten {
    let mut rewritten = Rewritten { text: String::new(), changed: scan.verb > 0 && !tokens.is(0, "WITH") };
    let first = if rewritten.changed { scan.verb } else { 0 };
    let into = trailing_into(tokens, scan);
    for at in first..into.unwrap_or(tokens.len()) {
        let piece = match fate(tokens, scan, at) {
            Fate::Keep => tokens.at(at),
            Fate::Drop => "",
            Fate::Replace(other) => other,
        };
        rewritten.changed |= piece != tokens.at(at);
        // Tokens that touch stay so: `@a`, `t.c`, `count(`.
        if at > first && tokens.start(at) > tokens.end(at - 1) {
            rewritten.text.push(' ');
        }
        rewritten.text.push_str(piece);
    }
    rewritten.changed |= into.is_some();
    rewritten
}

/// `SELECT … FROM t INTO @v` and `… LOCK IN SHARE MODE`, which the parser only knows elsewhere.
fn trailing_into(tokens: &Tokens<'_>, scan: &Scan) -> Option<usize> {
    if scan.kind != Kind::Select {
        return None;
    }
    tokens.find_outside(scan.verb + 1, tokens.len(), |at| {
        tokens.is(at, "INTO") || tokens.are(at, &["LOCK", "IN", "SHARE", "MODE"])
    })
}

fn fate(tokens: &Tokens<'_>, scan: &Scan, at: usize) -> Fate {
    let text = tokens.at(at);
    if tokens.kind(at) == Some(TokenKind::Text) && text.starts_with('"') {
        return Fate::Replace("'s'");
    }
    let near_verb = at > scan.verb && at <= scan.verb + 4;
    let modifier = near_verb
        && tokens.is_any(at, &["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "ONLINE", "OFFLINE"])
        && !tokens.is_any(at + 1, &["SET", "JOIN", "WHERE", "AS"])
        && (scan.verb + 1..at).all(|before| tokens.kind(before) == Some(TokenKind::Word));
    match scan.kind {
        Kind::Update | Kind::Delete if modifier => Fate::Drop,
        Kind::Update if is_comma_join(tokens, scan, at) => Fate::Replace(" JOIN "),
        Kind::Delete if is_star_of_target(tokens, scan, at) => Fate::Drop,
        Kind::AlterTable if modifier => Fate::Drop,
        Kind::Set if text == ":=" => Fate::Replace("="),
        Kind::CreateTable | Kind::AlterTable
            if tokens.is_any(at, &["BINARY", "ZEROFILL"]) && follows_type(tokens, at) =>
        {
            Fate::Drop
        }
        Kind::CreateIndex if tokens.is_any(at, &["FULLTEXT", "SPATIAL"]) => Fate::Drop,
        Kind::LockTables if at == scan.verb + 1 => Fate::Replace("TABLES"),
        _ => Fate::Keep,
    }
}

fn is_comma_join(tokens: &Tokens<'_>, scan: &Scan, at: usize) -> bool {
    if !tokens.is_symbol(at, ",") {
        return false;
    }
    let set = tokens.find_outside(scan.verb, tokens.len(), |at| tokens.is(at, "SET"));
    set.is_some_and(|set| at < set && tokens.find_outside(scan.verb, set, |found| found == at).is_some())
}

/// The `.` and the `*` of `DELETE t.* FROM`.
fn is_star_of_target(tokens: &Tokens<'_>, scan: &Scan, at: usize) -> bool {
    let dot = tokens.is_symbol(at, ".") && tokens.is_symbol(at + 1, "*");
    let star = tokens.is_symbol(at, "*") && at > 0 && tokens.is_symbol(at - 1, ".");
    (dot || star)
        && tokens.find_outside(scan.verb, tokens.len(), |at| tokens.is(at, "WHERE")).is_none_or(|end| at < end)
}

fn follows_type(tokens: &Tokens<'_>, at: usize) -> bool {
    at > 0
        && (tokens.is_symbol(at - 1, ")")
            || tokens.is_any(at - 1, &["UNSIGNED", "INT", "BIGINT", "CHAR", "VARCHAR", "TEXT"]))
}

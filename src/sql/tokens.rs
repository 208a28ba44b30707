//! A statement's tokens, folded, and the questions that reading asks of them.
//!
//! Long lists of values are folded to their first few: nothing that is read off a statement depends on the rest, and
//! a statement of 100 MB stays small. A folded row that holds a sub-select is kept from the SELECT on.

use crate::server::flavor::Flavor;
use crate::sql::record::TableName;
use crate::sql::token::{Lexer, Token, TokenKind};

/// Literals of one list, and rows of one VALUES, that are kept.
const KEPT: usize = 8;

/// Tokens kept of one statement, whatever its size (48 MB).
const MOST_TOKENS: usize = 4_000_000;

/// A statement's tokens and its text.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    /// The statement as written.
    pub text: &'a str,
    /// Its tokens, folded.
    pub list: Vec<Token>,
    /// A quote or comment was not closed, or there were too many tokens: the tail is missing.
    pub cut: Option<&'static str>,
}

impl<'a> Tokens<'a> {
    /// Lexes and folds `text`.
    pub fn new(text: &'a str, flavor: Flavor) -> Self {
        let mut tokens = Self { text, list: Vec::new(), cut: None };
        let mut fold = Fold::default();
        for token in Lexer::new(text, flavor) {
            if token.kind == TokenKind::Broken {
                tokens.cut = Some("a quote or comment is not closed");
                break;
            }
            if tokens.list.len() >= MOST_TOKENS {
                tokens.cut = Some("it is too long to be read whole");
                break;
            }
            fold.push(&mut tokens, token);
        }
        while tokens.list.last().is_some_and(|last| tokens.slice(last) == ";") {
            tokens.list.pop();
        }
        tokens
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The text of token `at`; empty past the end.
    pub fn at(&self, at: usize) -> &'a str {
        self.list.get(at).map_or("", |token| self.slice(token))
    }

    fn slice(&self, token: &Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// The kind of token `at`.
    pub fn kind(&self, at: usize) -> Option<TokenKind> {
        self.list.get(at).map(|token| token.kind)
    }

    /// Token `at` is this keyword, in any case.
    pub fn is(&self, at: usize, keyword: &str) -> bool {
        self.is_any(at, &[keyword])
    }

    /// Token `at` is one of these keywords. Reading a statement asks this more often than anything else: most words are told
    /// apart by their length.
    pub fn is_any(&self, at: usize, keywords: &[&str]) -> bool {
        let Some(token) = self.list.get(at) else { return false };
        if !matches!(token.kind, TokenKind::Word) {
            return false;
        }
        let length = (token.end - token.start) as usize;
        for keyword in keywords {
            if keyword.len() == length && self.slice(token).eq_ignore_ascii_case(keyword) {
                return true;
            }
        }
        false
    }

    /// The tokens from `at` on are these keywords.
    pub fn are(&self, at: usize, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(offset, keyword)| self.is(at + offset, keyword))
    }

    /// Token `at` is this symbol.
    pub fn is_symbol(&self, at: usize, symbol: &str) -> bool {
        self.kind(at) == Some(TokenKind::Symbol) && self.at(at) == symbol
    }

    /// Token `at` can be a name (of a table, a column, an index): a word or a quoted one.
    pub fn is_name(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(TokenKind::Word | TokenKind::Name | TokenKind::Quoted))
    }

    /// First byte of token `at`, or the end of the text.
    pub fn start(&self, at: usize) -> usize {
        self.list.get(at).map_or(self.text.len(), |token| token.start as usize)
    }

    /// One past the last byte of token `at`.
    pub fn end(&self, at: usize) -> usize {
        self.list.get(at).map_or(self.text.len(), |token| token.end as usize)
    }

    /// The text from token `first` to before token `last`.
    pub fn text_of(&self, first: usize, last: usize) -> &'a str {
        if first >= last { "" } else { &self.text[self.start(first)..self.end(last - 1)] }
    }

    /// Passes over any of these keywords.
    pub fn skip_any(&self, mut at: usize, keywords: &[&str]) -> usize {
        while self.is_any(at, keywords) {
            at += 1;
        }
        at
    }

    /// Passes over these keywords when they stand there in this order.
    pub fn skip(&self, at: usize, keywords: &[&str]) -> usize {
        if self.are(at, keywords) { at + keywords.len() } else { at }
    }

    /// Passes over `IF EXISTS` and `IF NOT EXISTS`.
    pub fn skip_if_exists(&self, at: usize) -> usize {
        self.skip(self.skip(at, &["IF", "NOT", "EXISTS"]), &["IF", "EXISTS"])
    }

    /// The name at `at`, unquoted.
    pub fn name(&self, at: usize) -> Option<String> {
        match self.kind(at)? {
            TokenKind::Word | TokenKind::Name => Some(self.at(at).to_owned()),
            TokenKind::Quoted => {
                let quoted = self.at(at);
                Some(quoted[1..quoted.len() - 1].replace("``", "`"))
            }
            // A name in double quotes, under ANSI_QUOTES; and an alias as text.
            TokenKind::Text => Some(self.at(at).trim_matches(['"', '\'']).to_owned()),
            _ => None,
        }
    }

    /// The table named at `at` and the token after it.
    pub fn table(&self, at: usize, database: &str) -> Option<(TableName, usize)> {
        if self.is_symbol(at, ".") && self.is_name(at + 1) {
            return Some((TableName::new(database, self.name(at + 1)?), at + 2));
        }
        if !self.is_name(at) {
            return None;
        }
        let first = self.name(at)?;
        if self.is_symbol(at + 1, ".") && self.is_name(at + 2) {
            return Some((TableName::new(first, self.name(at + 2)?), at + 3));
        }
        Some((TableName::new(database, first), at + 1))
    }

    /// The token after the parenthesis that closes the one at `open`.
    pub fn after_parenthesis(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for at in open..self.len() {
            match (self.kind(at), self.at(at)) {
                (Some(TokenKind::Symbol), "(") => depth += 1,
                (Some(TokenKind::Symbol), ")") => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
        }
        self.len()
    }

    /// The first token of `from..to`, outside of parentheses, that `found` holds for.
    pub fn find_outside(&self, from: usize, to: usize, found: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = from;
        while at < to.min(self.len()) {
            if self.is_symbol(at, "(") {
                if found(at) {
                    return Some(at);
                }
                at = self.after_parenthesis(at);
                continue;
            }
            if found(at) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// The parts of `from..to` between commas that stand outside of parentheses, as token ranges.
    pub fn parts(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        let mut first = from;
        while let Some(comma) = self.find_outside(first, to, |at| self.is_symbol(at, ",")) {
            parts.push((first, comma));
            first = comma + 1;
        }
        if first < to {
            parts.push((first, to));
        }
        parts
    }
}

/// Drops what repeats while tokens come in.
#[derive(Debug, Default)]
struct Fold {
    depth: usize,
    /// `, literal` pairs seen in a row.
    literals: usize,
    /// VALUES was seen outside of parentheses, and so many rows since.
    rows: Option<usize>,
    /// Where the list goes back to at the end of this row, unless it holds a sub-select.
    row: Option<usize>,
}

impl Fold {
    fn push(&mut self, tokens: &mut Tokens<'_>, token: Token) {
        let slice = tokens.slice(&token);
        match (token.kind, slice) {
            (TokenKind::Symbol, "(") => {
                if self.depth == 0 {
                    self.open_row(tokens);
                }
                self.depth += 1;
            }
            (TokenKind::Symbol, ")") => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.literals = 0;
                    if let Some(mark) = self.row.take() {
                        tokens.list.truncate(mark);
                        return;
                    }
                }
            }
            (TokenKind::Word, word) if self.depth == 0 => {
                let values = word.eq_ignore_ascii_case("VALUES") || word.eq_ignore_ascii_case("VALUE");
                self.rows = values.then_some(0);
            }
            (TokenKind::Word, word) if word.eq_ignore_ascii_case("SELECT") => self.row = None,
            _ => {}
        }
        if is_literal(tokens, &token) && self.depth > 0 && Self::ends_with_literal_and_comma(tokens) {
            self.literals += 1;
            if self.literals >= KEPT {
                tokens.list.pop();
                return;
            }
        } else if slice != "," {
            self.literals = 0;
        }
        tokens.list.push(token);
    }

    fn open_row(&mut self, tokens: &Tokens<'_>) {
        if let Some(rows) = &mut self.rows {
            *rows += 1;
            let after_comma = tokens.list.last().is_some_and(|last| tokens.slice(last) == ",");
            self.row = (*rows > KEPT && after_comma).then(|| tokens.list.len() - 1);
        }
    }

    fn ends_with_literal_and_comma(tokens: &Tokens<'_>) -> bool {
        let [.., before, comma] = tokens.list.as_slice() else { return false };
        tokens.slice(comma) == "," && is_literal(tokens, before)
    }
}

fn is_literal(tokens: &Tokens<'_>, token: &Token) -> bool {
    match token.kind {
        TokenKind::Text | TokenKind::Number | TokenKind::Parameter => true,
        TokenKind::Word => tokens.slice(token).eq_ignore_ascii_case("NULL"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        let tokens = Tokens::new(text, "mysql:9.7".parse().expect("a flavor"));
        tokens.list.iter().map(|token| tokens.slice(token)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn long_value_lists_are_folded_and_what_follows_them_stays() {
        let rows = |count| vec!["(1, 'a', NULL)"; count].join(", ");
        let text = format!("INSERT INTO t VALUES {} ON DUPLICATE KEY UPDATE a = 2", rows(1000));
        assert!(kept(&text).ends_with("NULL ) ON DUPLICATE KEY UPDATE a = 2"), "{}", kept(&text));
        assert_eq!(kept(&text), kept(&text.replace(&rows(1000), &rows(KEPT))));
        let list = (0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert!(kept(&format!("DELETE FROM t WHERE a IN ({list}) LIMIT 3")).ends_with(", 7 ) LIMIT 3"));
    }

    #[test]
    fn a_sub_select_in_a_late_row_is_kept() {
        let text = format!("INSERT INTO t VALUES {}, ((SELECT max(a) FROM u))", vec!["(1)"; 50].join(","));
        assert!(kept(&text).ends_with(", ( ( SELECT max ( a ) FROM u ) )"), "{}", kept(&text));
    }

    #[test]
    fn names_lose_their_quotes() {
        let tokens = Tokens::new("`my db` . `a``b` x", "mysql:9.7".parse().expect("a flavor"));
        assert_eq!(tokens.table(0, "app"), Some((TableName::new("my db", "a`b"), 3)));
        assert_eq!(tokens.table(3, "app"), Some((TableName::new("app", "x"), 4)));
    }
}

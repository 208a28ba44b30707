//! What makes two statements look alike.
//!
//! Literals fold only where rows are read or changed: two ALTERs that differ in a length or a default are two things.

use sha2::{Digest, Sha256};

use crate::sql::token::{Lexer, Token, TokenKind};

/// First 16 hex digits of the SHA-256 of [`normal_form`].
pub fn digest(text: &str) -> String {
    short_hex(&Sha256::digest(normal_form(text).as_bytes()))
}

/// The first 16 hex digits of a hash.
pub fn short_hex(hash: &[u8]) -> String {
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The statement on one line: white space, comments and the case of keywords folded, identifiers kept as written; in
/// statements on rows literals become `?`, and lists of them, and rows of VALUES that look alike, fold to one.
pub fn normal_form(text: &str) -> String {
    let mut form = Form { text: text.as_bytes(), ..Form::default() };
    Lexer::over_everything(text.as_bytes()).for_each(|token| form.push(token));
    form.out.truncate(form.out.trim_end_matches([' ', ';']).len());
    form.out
}

/// Words whose case carries no meaning, sorted.
#[rustfmt::skip]
const KEYWORDS: [&str; 122] = [
    "ADD", "AFTER", "ALL", "ALTER", "ANALYZE", "AND", "AS", "ASC", "BEGIN", "BETWEEN", "BINARY", "BY", "CALL",
    "CASCADE", "CASE", "CHANGE", "CHARACTER", "CHECK", "COLLATE", "COLUMN", "COMMIT", "CONSTRAINT", "CONVERT",
    "CREATE", "CROSS", "DATABASE", "DEFAULT", "DELAYED", "DELETE", "DESC", "DISTINCT", "DIV", "DO", "DROP",
    "DUPLICATE", "ELSE", "END", "ENGINE", "EXECUTE", "EXISTS", "EXPLAIN", "FIRST", "FOR", "FORCE", "FOREIGN", "FROM",
    "FULLTEXT", "GROUP", "HAVING", "HIGH_PRIORITY", "IF", "IGNORE", "IN", "INDEX", "INNER", "INSERT", "INTERVAL",
    "INTO", "IS", "JOIN", "KEY", "KEYS", "LEFT", "LIKE", "LIMIT", "LOAD", "LOCK", "LOW_PRIORITY", "MOD", "MODIFY",
    "NATURAL", "NOT", "NULL", "OFFSET", "ON", "OPTIMIZE", "OR", "ORDER", "OUTER", "PRIMARY", "PROCEDURE", "QUICK",
    "READ", "RECURSIVE", "REFERENCES", "REGEXP", "RENAME", "REPLACE", "RETURNING", "RIGHT", "RLIKE", "ROLLBACK",
    "SCHEMA", "SELECT", "SET", "SHOW", "SPATIAL", "SQL_CALC_FOUND_ROWS", "START", "STRAIGHT_JOIN", "TABLE", "TABLES",
    "TEMPORARY", "THEN", "TO", "TRANSACTION", "TRIGGER", "TRUNCATE", "UNION", "UNIQUE", "UNLOCK", "UNSIGNED",
    "UPDATE", "USE", "USING", "VALUE", "VALUES", "VIEW", "WHEN", "WHERE", "WITH", "XOR",
];

/// The verbs of statements on rows.
const ROW_VERBS: [&str; 10] =
    ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "CALL", "DO", "EXECUTE", "WITH", "VALUES"];

/// The normal form while tokens come in.
#[derive(Default)]
struct Form<'a> {
    text: &'a [u8],
    out: String,
    /// Literals fold; none before the first word.
    folds: Option<bool>,
    depth: usize,
    in_values: bool,
    /// Where the last kept row of VALUES, and the one being read, begin in `out`.
    last_row: Option<(usize, usize)>,
    row: usize,
    /// The end of `out` is a sign that belongs to what follows.
    sign_at: Option<usize>,
}

impl Form<'_> {
    fn push(&mut self, token: Token) {
        let bytes = &self.text[token.start as usize..token.end as usize];
        let piece = String::from_utf8_lossy(bytes);
        let keyword = match token.kind {
            TokenKind::Word if piece.len() <= 20 => {
                let upper = piece.to_ascii_uppercase();
                KEYWORDS.binary_search(&upper.as_str()).is_ok().then_some(upper)
            }
            _ => None,
        };
        let word = keyword.as_deref().unwrap_or(&piece);
        if token.kind == TokenKind::Word && self.folds.is_none() {
            self.folds = Some(ROW_VERBS.contains(&word));
        }
        let folds = self.folds == Some(true);
        let literal = matches!(token.kind, TokenKind::Text | TokenKind::Number | TokenKind::Parameter)
            || (word == "NULL" && self.out.ends_with(['(', ',', '=']));
        if folds && literal {
            self.literal();
            return;
        }
        self.sign_at = None;
        if folds && matches!(word, "-" | "+") && self.expects_operand() {
            self.sign_at = Some(self.out.len());
        }
        if word == "(" {
            if self.depth == 0 && self.in_values {
                self.row = self.out.len();
            }
            self.depth += 1;
        }
        self.write(word);
        if word == ")" {
            self.depth = self.depth.saturating_sub(1);
            if self.depth == 0 && self.in_values && folds {
                self.close_row();
            }
        }
        if self.depth == 0 && token.kind == TokenKind::Word {
            self.in_values = matches!(word, "VALUES" | "VALUE");
            self.last_row = None;
        }
    }

    fn expects_operand(&self) -> bool {
        let last = self.out.rsplit([' ', '(']).next().unwrap_or("");
        self.out.ends_with(['(', ',', '=', '<', '>', '*', '/', '+', '-']) || KEYWORDS.binary_search(&last).is_ok()
    }

    fn literal(&mut self) {
        if let Some(sign) = self.sign_at.take() {
            self.out.truncate(sign);
        }
        if self.depth > 0 && self.out.ends_with("?,") {
            self.out.pop();
        } else {
            self.write("?");
        }
    }

    fn close_row(&mut self) {
        let row = self.out[self.row..].trim_start();
        let same = self.last_row.is_some_and(|(first, last)| self.out[first..last].trim_start() == row);
        if same {
            self.out.truncate(self.row);
            self.out.truncate(self.out.trim_end_matches(',').len());
        } else {
            self.last_row = Some((self.row, self.out.len()));
        }
    }

    fn write(&mut self, piece: &str) {
        let tight = self.out.is_empty() || self.out.ends_with(['(', '.']) || matches!(piece, ")" | "," | "." | ";");
        if !tight {
            self.out.push(' ');
        }
        self.out.push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn look_alikes_share_a_digest() {
        let same = [
            ["DELETE FROM t WHERE id = 5", "delete  from t\n where id=17 -- five\n;"],
            ["INSERT INTO t VALUES (1,'a',NULL),(2,'b','c')", "INSERT INTO t VALUES (-3, NULL, 'x')"],
            ["SELECT * FROM t WHERE a IN (1,2,3)", "SELECT * FROM t WHERE a IN ( 4 )"],
            ["UPDATE t SET a = -1.5e3, b = 'it''s' WHERE c > +2", "UPDATE t SET a = 0x1F, b = \"x\" WHERE c > 1"],
            ["/* c */ insert into t (a) values (now(), 1), (now(), 2)", "INSERT INTO t (a) VALUES (now(), 3)"],
            ["/*!40000 ALTER TABLE t DISABLE KEYS */", "ALTER TABLE t DISABLE KEYS"],
        ];
        for [one, other] in same {
            assert_eq!(normal_form(one), normal_form(other));
            assert_eq!(digest(one), digest(other));
        }
        assert_eq!(digest("SELECT 1").len(), 16);
    }

    #[test]
    fn what_differs_in_more_than_a_literal_is_not_alike() {
        let differ = [
            ["DELETE FROM t WHERE id = 5", "DELETE FROM T WHERE id = 5"],
            ["SELECT * FROM t WHERE a IS NULL", "SELECT * FROM t WHERE a = 1"],
            ["ALTER TABLE t MODIFY a VARCHAR(10)", "ALTER TABLE t MODIFY a VARCHAR(20)"],
            ["SET autocommit = 0", "SET autocommit = 1"],
            ["UPDATE t SET a = b - 1", "UPDATE t SET a = b"],
        ];
        for [one, other] in differ {
            assert_ne!(digest(one), digest(other), "{one}");
        }
    }
}

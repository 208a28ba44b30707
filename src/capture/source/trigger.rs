//! Statements that a log shows and no client sent: those in the bodies of triggers and routines.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::capture::scan::{Part, Quotes, first_words, parts};

/// Bodies that the log itself showed being made.
#[derive(Debug, Default)]
pub struct Bodies {
    statements: BTreeSet<Vec<u8>>,
}

impl Bodies {
    /// Takes note of a body when the statement makes one.
    pub fn note(&mut self, text: &[u8]) {
        if first_words::<1>(text)[0] != "CREATE" {
            return;
        }
        let words = first_words::<8>(text);
        let makes = words.iter().any(|word| matches!(word.as_str(), "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT"));
        let head = text[..text.len().min(400)].to_ascii_uppercase();
        let defined = [&b" TRIGGER "[..], b" PROCEDURE ", b" FUNCTION ", b" EVENT "]
            .iter()
            .any(|kind| memchr::memmem::find(&head, kind).is_some());
        if !makes && !defined {
            return;
        }
        for statement in statements_of(text) {
            self.statements.insert(statement.into_bytes());
        }
    }

    /// True for a statement that stands in a body, not in what a client sends: it names `NEW.` or `OLD.`, holds what the server
    /// puts in the place of a routine's variables (`NAME_CONST`), or is word for word one of a body made before.
    pub fn hold(&self, text: &[u8]) -> bool {
        let [verb] = first_words::<1>(text);
        if !matches!(
            verb.as_bytes(),
            b"INSERT" | b"UPDATE" | b"DELETE" | b"REPLACE" | b"SELECT" | b"SET" | b"CALL" | b"DO"
        ) {
            return false;
        }
        if inner(text) {
            return true;
        }
        !self.statements.is_empty() && self.statements.contains(text.trim_ascii())
    }
}

/// True when its code names `NEW.column`, `OLD.column` or `NAME_CONST(`.
fn inner(text: &[u8]) -> bool {
    static CONSTANT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("NAME_CONST("));
    // Of each statement this is asked: a quick look first.
    let named = memchr::memchr_iter(b'.', text).any(|dot| is_row(text, dot)) || CONSTANT.find(text).is_some();
    named
        && parts(text, Quotes::default()).any(|(part, range)| {
            let code = &text[range];
            part == Part::Code
                && (CONSTANT.find(code).is_some() || memchr::memchr_iter(b'.', code).any(|dot| is_row(code, dot)))
        })
}

/// `NEW` or `OLD` stands before this dot, and is no end of a longer name.
fn is_row(code: &[u8], dot: usize) -> bool {
    let Some(at) = dot.checked_sub(3) else { return false };
    let word = &code[at..dot];
    let before = at.checked_sub(1).map_or(b' ', |before| code[before]);
    (word.eq_ignore_ascii_case(b"NEW") || word.eq_ignore_ascii_case(b"OLD"))
        && !before.is_ascii_alphanumeric()
        && !matches!(before, b'_' | b'.' | b'$' | b'@')
        && before < 0x80
}

/// The statements of a body: between its BEGIN, THEN, DO, ELSE and semicolons. A body without BEGIN is its last statement.
fn statements_of(text: &[u8]) -> Vec<String> {
    let mut code: Vec<u8> = Vec::with_capacity(text.len());
    // Semicolons of literals are no ends.
    let mut ends = Vec::new();
    for (part, range) in parts(text, Quotes::default()) {
        if part == Part::Comment {
            continue;
        }
        let from = code.len();
        code.extend_from_slice(&text[range]);
        if part == Part::Code {
            ends.extend((from..code.len()).filter(|at| code[*at] == b';'));
        }
    }
    ends.push(code.len());
    let mut found = Vec::new();
    let mut from = 0;
    for end in ends {
        let statement = String::from_utf8_lossy(&code[from..end]).into_owned();
        from = (end + 1).min(code.len());
        // What comes before the verb: BEGIN, IF … THEN, ELSE, LOOP, the head of the CREATE.
        let mut starts = vec![0];
        let mut before = ' ';
        for (at, c) in statement.char_indices() {
            if c.is_ascii_alphabetic() && !before.is_ascii_alphanumeric() {
                starts.push(at);
            }
            before = c;
        }
        for start in starts {
            let rest = &statement[start..];
            let [verb] = first_words::<1>(rest.as_bytes());
            if matches!(verb.as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "SELECT" | "CALL") {
                found.push(rest.trim().to_owned());
            }
            if found.len() > 1000 {
                return found;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_bodies_are_known_and_others_are_not() {
        let mut bodies = Bodies::default();
        bodies.note(
            b"CREATE DEFINER=`a`@`b` TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW BEGIN\n  INSERT INTO log VALUES ('plain; body');\n \
              IF 1 THEN UPDATE u SET a = 1; END IF;\nEND",
        );
        bodies.note(b"CREATE TRIGGER b AFTER INSERT ON t FOR EACH ROW DELETE FROM v");
        for inner in [
            "INSERT INTO log VALUES ('plain; body')",
            "UPDATE u SET a = 1",
            "DELETE FROM v",
            "INSERT INTO log VALUES (NEW.v)",
            "INSERT INTO log VALUES (CONCAT('x',  NAME_CONST('x',5)))",
            "UPDATE x SET a=old.b",
        ] {
            assert!(bodies.hold(inner.as_bytes()), "{inner}");
        }
        for sent in [
            "INSERT INTO log VALUES ('plain')",
            "UPDATE t SET a = 'NEW.x'",
            "UPDATE t SET a = renew.x",
            "CREATE TABLE x (a INT)",
        ] {
            assert!(!bodies.hold(sent.as_bytes()), "{sent}");
        }
    }
}

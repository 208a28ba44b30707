//! Where a stored program ends in a script that sets no DELIMITER.
//!
//! The stock client would cut such a script at every `;`; drivers and frameworks send the whole. Blocks are counted
//! only inside `CREATE PROCEDURE | FUNCTION | TRIGGER | EVENT | PACKAGE`, `ALTER EVENT` and `BEGIN NOT ATOMIC`.

use crate::sql::token::{Lexer, TokenKind};

/// What opens and is closed by an END.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Begin,
    Case,
    /// IF, once its THEN was seen; before that it may be the function.
    If {
        then: bool,
    },
    Loop,
    While,
    Repeat,
    For,
}

/// What the statement is, as far as its head was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Head {
    #[default]
    Unknown,
    /// CREATE or ALTER was seen, not yet what.
    Defines,
    /// BEGIN was seen.
    Begins,
    Program,
    Other,
}

/// Follows one statement from `;` to `;`.
#[derive(Clone, Debug, Default)]
pub struct Compound {
    head: Head,
    blocks: Vec<Block>,
    /// The last token, in upper case.
    last: String,
    /// An END whose next word is not known yet.
    ended: bool,
}

impl Compound {
    /// Takes in the bytes up to a `;` that stands outside of quotes and comments; true when the statement ends there.
    pub fn ends_at(&mut self, segment: &[u8]) -> bool {
        if self.head == Head::Other {
            return true;
        }
        for token in Lexer::over_everything(segment) {
            let bytes = &segment[token.start as usize..token.end as usize];
            let text = match token.kind {
                TokenKind::Word | TokenKind::Symbol => String::from_utf8_lossy(bytes).to_ascii_uppercase(),
                _ => String::new(),
            };
            self.take(token.kind, &text);
            if self.head == Head::Other {
                return true;
            }
            self.last = text;
        }
        self.finish_end("");
        // An IF or REPEAT still without its THEN or body was the function.
        while matches!(self.blocks.last(), Some(Block::If { then: false })) {
            self.blocks.pop();
        }
        self.last = ";".to_owned();
        self.blocks.is_empty()
    }

    fn take(&mut self, kind: TokenKind, text: &str) {
        match self.head {
            Head::Unknown => {
                self.head = match text {
                    "CREATE" | "ALTER" => Head::Defines,
                    "BEGIN" => Head::Begins,
                    _ => Head::Other,
                }
            }
            Head::Defines => match text {
                "PROCEDURE" | "FUNCTION" | "TRIGGER" | "EVENT" | "PACKAGE" => self.head = Head::Program,
                "TABLE" | "VIEW" | "INDEX" | "DATABASE" | "SCHEMA" | "USER" | "ROLE" | "SERVER" | "SEQUENCE" => {
                    self.head = Head::Other;
                }
                _ => {}
            },
            Head::Begins if text == "NOT" => {
                self.head = Head::Program;
                self.blocks.push(Block::Begin);
            }
            Head::Begins => self.head = Head::Other,
            Head::Program if kind == TokenKind::Word => self.word(text),
            Head::Program => self.finish_end(""),
            Head::Other => {}
        }
    }

    fn word(&mut self, word: &str) {
        if self.ended {
            let takes = matches!(word, "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR");
            self.finish_end(if takes { word } else { "" });
            if takes {
                return;
            }
        }
        match word {
            "BEGIN" if self.begins_statement() => self.blocks.push(Block::Begin),
            "CASE" => self.blocks.push(Block::Case),
            "IF" if self.begins_statement() => self.blocks.push(Block::If { then: false }),
            "THEN" => {
                if let Some(Block::If { then }) = self.blocks.last_mut() {
                    *then = true;
                }
            }
            "LOOP" if self.begins_statement() => self.blocks.push(Block::Loop),
            "WHILE" if self.begins_statement() => self.blocks.push(Block::While),
            "REPEAT" if self.begins_statement() => self.blocks.push(Block::Repeat),
            "FOR" if matches!(self.last.as_str(), ";" | ":" | "BEGIN" | "THEN" | "ELSE") => {
                self.blocks.push(Block::For);
            }
            "END" if self.can_end() => self.ended = true,
            _ => {}
        }
    }

    /// A statement can begin after what came last.
    fn begins_statement(&self) -> bool {
        matches!(
            self.last.as_str(),
            // The last three lines: the end of a routine's, a trigger's and an event's head.
            ";" | "BEGIN"
                | "THEN"
                | "ELSE"
                | "DO"
                | "LOOP"
                | "REPEAT"
                | ":"
                | "ATOMIC"
                | ")"
                | "DETERMINISTIC"
                | "DATA"
                | "SQL"
                | "INVOKER"
                | "DEFINER"
                | ""
                | "INT"
                | "INTEGER"
                | "BIGINT"
                | "TINYINT"
                | "SMALLINT"
                | "TEXT"
                | "LONGTEXT"
                | "JSON"
                | "DATE"
                | "DATETIME"
                | "DOUBLE"
                | "FLOAT"
                | "BOOLEAN"
                | "BOOL"
                | "UNSIGNED"
                | "TIMESTAMP"
                | "ROW"
                | "AS"
                | "IS"
                | "ENABLE"
                | "DISABLE"
                | "PRESERVE"
        )
    }

    /// An END closes a block after a `;`, an expression after anything.
    fn can_end(&self) -> bool {
        match self.blocks.last() {
            None => false,
            Some(Block::Case | Block::If { then: false } | Block::Repeat) => true,
            Some(_) => matches!(self.last.as_str(), ";" | "BEGIN" | "LOOP" | "DO" | "THEN" | "ELSE"),
        }
    }

    /// Closes what the END before `word` ends; an empty `word` is the bare END.
    fn finish_end(&mut self, word: &str) {
        if !std::mem::take(&mut self.ended) {
            return;
        }
        let closes = |block: &Block| match word {
            "IF" => matches!(block, Block::If { .. }),
            "CASE" => *block == Block::Case,
            "LOOP" => *block == Block::Loop,
            "WHILE" => *block == Block::While,
            "REPEAT" => *block == Block::Repeat,
            "FOR" => *block == Block::For,
            _ => matches!(block, Block::Begin | Block::Case),
        };
        // MariaDB's FOR … DO … END FOR and LOOP both may be met as the other's word; the nearest match closes.
        if let Some(found) = self.blocks.iter().rposition(closes) {
            self.blocks.truncate(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which `;` (counted from 1) the statement ends.
    fn ends(text: &str) -> Option<usize> {
        let mut compound = Compound::default();
        text.split(';').position(|segment| compound.ends_at(segment.as_bytes())).map(|found| found + 1)
    }

    #[test]
    fn a_stored_program_ends_at_its_own_end() {
        assert_eq!(ends("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END; SELECT 3;"), Some(3));
        assert_eq!(ends("CREATE PROCEDURE p() SELECT 1; SELECT 2;"), Some(1));
        assert_eq!(
            ends(
                "create or replace definer=`a`@`b` trigger t before insert on x for each row begin if new.a \
            then set new.b=1; else set new.b=2; end if; end;"
            ),
            Some(4)
        );
        assert_eq!(
            ends("CREATE TRIGGER t AFTER UPDATE ON x FOR EACH ROW IF NEW.a > 1 THEN SET @a=1; END IF; DO 1;"),
            Some(2)
        );
        assert_eq!(
            ends("CREATE FUNCTION f(a INT) RETURNS INT DETERMINISTIC RETURN CASE a WHEN 1 THEN IF(a,1,2) END; X;"),
            Some(1)
        );
        assert_eq!(ends("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; END; X;"), Some(2));
    }

    #[test]
    fn blocks_of_every_kind_nest() {
        let text = "CREATE PROCEDURE p(a INT) BEGIN DECLARE d INT DEFAULT 0; l: LOOP SET d = d + 1; \
            IF d > REPEAT('1', 2) THEN LEAVE l; END IF; END LOOP l; WHILE d < 3 DO SET d = CASE WHEN d THEN 1 ELSE \
            IF(d, 1, 2) END; END WHILE; REPEAT SET d = 1; UNTIL d END REPEAT; CASE d WHEN 1 THEN SELECT 1; ELSE BEGIN END; \
            END CASE; SELECT t.end, IF(a, b, c) FROM t; END";
        let statements = text.matches(';').count() + 1;
        assert_eq!(ends(&format!("{text}; SELECT 1;")), Some(statements));
    }

    #[test]
    fn transactions_and_tables_are_no_programs() {
        assert_eq!(ends("BEGIN; SELECT 1;"), Some(1));
        assert_eq!(ends("CREATE TABLE begin_end (a INT); X;"), Some(1));
        assert_eq!(ends("BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; X;"), Some(3));
    }
}

//! Where the stock client and our splitter end a statement: the end that a script needs behind it.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::text::Written;
use crate::capture::scan::{Part, Quotes, first_words, parts, quoted};
use crate::sql::split::{Piece, Splitter};

/// Delimiters, the usual one first.
const DELIMITERS: [&str; 5] = [";", ";;", "$$", "//", "|rehearse|"];

/// Bytes that a second look goes to: a quote, or what may be a comment's, a delimiter's or a command's first.
const MARK: [bool; 256] = {
    let mut mark = [false; 256];
    let (bytes, mut at) = (b"'\"`#-/;\\", 0);
    while at < bytes.len() {
        mark[bytes[at] as usize] = true;
        at += 1;
    }
    mark
};

/// A verb that neither a client takes for itself nor a compound statement begins with.
fn is_plain_verb(verb: &[u8]) -> bool {
    matches!(
        verb,
        b"SELECT"
            | b"INSERT"
            | b"UPDATE"
            | b"DELETE"
            | b"REPLACE"
            | b"SET"
            | b"ALTER"
            | b"DROP"
            | b"COMMIT"
            | b"ROLLBACK"
            | b"TRUNCATE"
            | b"LOCK"
            | b"UNLOCK"
    )
}

/// The statement with an end that the client finds where it is.
///
/// # Errors
/// Why it cannot be written, as it is counted.
pub fn delimited(text: Cow<'_, str>) -> Result<Written<'_>, &'static str> {
    let mut written = Written::plain(text);
    // The splitter keeps the body of a stored program whole; the stock client does not.
    let usual = if holds_semicolon(written.text.as_bytes()) { 1 } else { 0 };
    for delimiter in &DELIMITERS[usual..] {
        for own_line in [false, true] {
            (written.delimiter, written.own_line) = (delimiter, own_line);
            if reads_back(&written) {
                return Ok(written);
            }
        }
    }
    Err("no script can hold it")
}

/// True for a statement of our own that a script gives again as it is. The client makes LF of CR LF, and takes no NUL.
pub fn holds(statement: &str) -> bool {
    let text = statement.as_bytes();
    if memchr::memchr(0, text).is_some() || memchr::memmem::find(text, b"\r\n").is_some() {
        return false;
    }
    is_plain(text).is_some_and(|sure| sure || reads_back(&Written::plain(statement)))
}

/// True when a script that holds it gives it again, and nothing else.
fn reads_back(written: &Written<'_>) -> bool {
    let mut script = String::with_capacity(written.text.len() + 32);
    write_to(&mut script, written);
    let mut splitter = Splitter::new(script.as_bytes(), "");
    let first = splitter.next_piece();
    matches!(first, Ok(Some(Piece::Statement(piece))) if piece.text == written.text)
        && matches!(splitter.next_piece(), Ok(None))
}

/// Appends the statement with its end, and the lines that change the delimiter for it.
pub fn write_to(script: &mut String, written: &Written<'_>) {
    let usual = written.delimiter == ";";
    let end = if written.own_line { "\n" } else { "" };
    // Writing to a String cannot fail.
    let _ = match usual {
        true => writeln!(script, "{}{end};", written.text),
        false => writeln!(script, "DELIMITER {0}\n{1}{end}{0}\nDELIMITER ;", written.delimiter, written.text),
    };
}

/// A semicolon stands in its code.
fn holds_semicolon(text: &[u8]) -> bool {
    memchr::memchr(b';', text).is_some()
        && parts(text, Quotes::default()).any(|(part, range)| part == Part::Code && text[range].contains(&b';'))
}

/// True for a statement that any client cuts right without a second look; none when something in it does not close.
pub fn is_plain(text: &[u8]) -> Option<bool> {
    let mut plain = is_plain_verb(first_words::<1>(text)[0].as_bytes());
    let mut at = 0;
    // Words, literals and names are all that most hold.
    while let Some(from) = plain.then_some(at) {
        let Some(found) = text[from..].iter().position(|byte| MARK[usize::from(*byte)]) else { return Some(true) };
        at = from + found;
        match text[at] {
            b'\'' | b'"' | b'`' => at = quoted(text, at, Quotes::default())?,
            b'-' if text.get(at + 1) != Some(&b'-') => at += 1,
            _ => break,
        }
    }
    for (part, range) in parts(text, Quotes::default()) {
        match part {
            Part::Open => return None,
            Part::Comment => plain = false,
            Part::Code => {
                let code = &text[range];
                plain = plain
                    && memchr::memchr3(b';', b'\\', b'/', code).is_none()
                    && memchr::memmem::find(code, b"--").is_none();
            }
            Part::Literal | Part::Name => {}
        }
    }
    Some(plain)
}

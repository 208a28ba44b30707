//! A statement's bytes as a text that a script can hold: valid UTF-8, cut by the stock client as it was sent.

use std::fmt::Write as _;

use crate::capture::scan::{Part, Quotes, first_words, is_space, parts, trimmed};
use crate::sql::split::{Piece, Splitter};

/// What of a session decides what a statement's bytes mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The character set of its literals, as `SET NAMES` named it; empty for UTF-8 or one that nobody told.
    pub charset: String,
    /// What its sql_mode makes of quotes.
    pub quotes: Quotes,
}

/// A statement as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The statement.
    pub text: String,
    /// What ends it: a word that it does not hold.
    pub delimiter: &'static str,
    /// The end stands on a line of its own: the statement ends with a comment.
    pub own_line: bool,
}

/// Delimiters, the usual one first.
const DELIMITERS: [&str; 5] = [";", ";;", "$$", "//", "|rehearse|"];

/// Verbs that neither a client takes for itself nor a compound statement begins with.
const PLAIN: [&str; 13] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "SET", "ALTER", "DROP", "COMMIT", "ROLLBACK", "TRUNCATE",
    "LOCK", "UNLOCK",
];

/// The statements of what was sent at once, each as a script can hold it.
///
/// # Errors
/// Why it cannot be written, as it is counted.
pub fn written(sent: &[u8], encoding: &Encoding) -> Result<Vec<Written>, &'static str> {
    let sent = trimmed(sent, encoding.quotes);
    if sent.is_empty() {
        return Ok(Vec::new());
    }
    let text = utf8(sent, encoding)?;
    let plain = is_plain(text.as_bytes());
    if plain == Some(true) {
        return Ok(vec![Written { text, delimiter: ";", own_line: false }]);
    }
    if plain.is_none() {
        return Err("a quote or comment does not close");
    }
    // Several statements in one: the splitter knows which semicolons are a body's.
    if text.contains(';') && !text.starts_with("/*!") && !text.starts_with("/*M!") {
        let mut splitter = Splitter::new(text.as_bytes(), "");
        let mut pieces = Vec::new();
        while let Ok(Some(piece)) = splitter.next_piece() {
            match piece {
                Piece::Statement(piece) => pieces.push(piece.text),
                Piece::Source { .. } => break,
            }
        }
        if pieces.len() > 1 {
            return pieces.into_iter().map(delimited).collect();
        }
    }
    Ok(vec![delimited(text)?])
}

/// The statement with an end that the client finds where it is.
///
/// # Errors
/// Why it cannot be written, as it is counted.
pub fn delimited(text: String) -> Result<Written, &'static str> {
    let mut written = Written { text, delimiter: ";", own_line: false };
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

/// The database that a USE names, however it is written; none for what is no USE to a server.
pub fn named_database(sent: &[u8], quotes: Quotes) -> Option<String> {
    let sent = trimmed(sent, quotes);
    let mut code = Vec::with_capacity(sent.len());
    let mut quoted = None;
    for (part, range) in parts(sent, quotes) {
        match part {
            Part::Comment => code.push(b' '),
            Part::Name if quoted.is_none() => quoted = Some(&sent[range]),
            Part::Code if quoted.is_none() || sent[range.clone()].iter().all(|byte| is_space(*byte)) => {
                code.extend_from_slice(&sent[range]);
            }
            _ => return None,
        }
    }
    let rest = std::str::from_utf8(&code).ok()?.get(3..)?.trim();
    let Some(name) = quoted else {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        return (!rest.is_empty() && rest.chars().all(plain)).then(|| rest.to_owned());
    };
    let (quote, name) = (char::from(name[0]), std::str::from_utf8(&name[1..name.len() - 1]).ok()?);
    (rest.is_empty() && !name.is_empty()).then(|| name.replace(&format!("{quote}{quote}"), &quote.to_string()))
}

/// True for a statement of our own that a script gives again as it is. The client makes LF of CR LF, and takes no NUL.
pub fn holds(statement: &str) -> bool {
    let text = statement.as_bytes();
    if memchr::memchr(0, text).is_some() || memchr::memmem::find(text, b"\r\n").is_some() {
        return false;
    }
    let plain = || Written { text: statement.to_owned(), delimiter: ";", own_line: false };
    is_plain(text).is_some_and(|sure| sure || reads_back(&plain()))
}

/// True when a script that holds it gives it again, and nothing else.
fn reads_back(written: &Written) -> bool {
    let mut script = String::with_capacity(written.text.len() + 32);
    write_to(&mut script, written);
    let mut splitter = Splitter::new(script.as_bytes(), "");
    let first = splitter.next_piece();
    matches!(first, Ok(Some(Piece::Statement(piece))) if piece.text == written.text)
        && matches!(splitter.next_piece(), Ok(None))
}

/// Appends the statement with its end, and the lines that change the delimiter for it.
pub fn write_to(script: &mut String, written: &Written) {
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
fn is_plain(text: &[u8]) -> Option<bool> {
    let mut plain = PLAIN.contains(&first_words::<1>(text)[0].as_str());
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

/// The statement in UTF-8, without what the client would change on its way: NUL and CR LF. A literal that holds such bytes is
/// written in hexadecimal, which means the same to the server.
fn utf8(sent: &[u8], encoding: &Encoding) -> Result<String, &'static str> {
    let strange = memchr::memchr2(0, b'\r', sent).is_some() || encoding.quotes != Quotes::default();
    if !strange && let Ok(text) = std::str::from_utf8(sent) {
        return Ok(text.to_owned());
    }
    let mut text = String::with_capacity(sent.len() * 2);
    for (part, range) in parts(sent, encoding.quotes) {
        let bytes = &sent[range];
        match part {
            Part::Literal => literal(&mut text, bytes, encoding)?,
            Part::Name => name(&mut text, bytes)?,
            // It says nothing to the server.
            Part::Comment => text.push_str(&String::from_utf8_lossy(bytes).replace(['\0', '\r'], " ")),
            Part::Code | Part::Open => {
                let code = std::str::from_utf8(bytes).map_err(|_| "its code is no UTF-8")?;
                if code.contains('\0') {
                    return Err("its code holds a NUL");
                }
                text.push_str(&code.replace('\r', " "));
            }
        }
    }
    Ok(text)
}

/// A name; ANSI_QUOTES' way of quoting is written in backticks, which every mode and client understands.
fn name(text: &mut String, bytes: &[u8]) -> Result<(), &'static str> {
    let name = std::str::from_utf8(bytes).map_err(|_| "its code is no UTF-8")?;
    if name.contains("\r\n") || name.contains('\0') {
        return Err("a name in it holds CR LF or NUL");
    }
    if bytes[0] == b'"' {
        let inside = name[1..name.len() - 1].replace("\"\"", "\"").replace('`', "``");
        text.push_str(&format!("`{inside}`"));
    } else {
        text.push_str(name);
    }
    Ok(())
}

/// A literal with its quotes.
fn literal(text: &mut String, bytes: &[u8], encoding: &Encoding) -> Result<(), &'static str> {
    let unusual = |byte: &u8| matches!(byte, b'\\' | b'\r' | 0);
    let valid = std::str::from_utf8(bytes).ok();
    if let Some(literal) = valid
        && !(encoding.quotes.plain_backslash && bytes.iter().any(unusual))
    {
        text.push_str(&literal.replace('\r', "\\r").replace('\0', "\\0"));
        return Ok(());
    }
    let value = unescaped(bytes, encoding.quotes.plain_backslash);
    let of_utf8 = encoding.charset.is_empty() || encoding.charset.starts_with("utf8");
    let charset = match (of_utf8, valid) {
        (false, _) => &encoding.charset,
        (true, Some(_)) => "utf8mb4",
        // Only the bytes can be given: as the server takes them for a BLOB.
        (true, None) => "binary",
    };
    introduce(text, charset)?;
    text.push_str("x'");
    for byte in value {
        let _ = write!(text, "{byte:02X}");
    }
    text.push('\'');
    Ok(())
}

/// Says of which character set the hexadecimal literal that follows is, unless the statement does.
fn introduce(text: &mut String, charset: &str) -> Result<(), &'static str> {
    let last = |text: &str| {
        // Of an identifier in other letters (`SELECT Օ'…'`) the whole is no introducer.
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let start = text.trim_end_matches(word).len();
        text[start..].to_owned()
    };
    let (beside, before) = (last(text), last(text.trim_end()));
    if before.len() > 1 && before.starts_with('_') {
        if !beside.is_empty() {
            text.push(' ');
        }
        return Ok(());
    }
    // `N'…'` has a character set of its own; `x'…'` and `b'…'` hold digits alone.
    if beside.len() == 1 && ["n", "x", "b"].contains(&beside.to_ascii_lowercase().as_str()) {
        return Err("a national or numeric literal is no UTF-8");
    }
    text.push_str(&format!("{}_{charset} ", if beside.is_empty() { "" } else { " " }));
    Ok(())
}

/// The bytes that a literal stands for (manual, "String Literals": Special Character Escape Sequences).
pub fn unescaped(literal: &[u8], plain_backslash: bool) -> Vec<u8> {
    let quote = literal[0];
    let inside = &literal[1..literal.len() - 1];
    let mut value = Vec::with_capacity(inside.len());
    let mut at = 0;
    while at < inside.len() {
        let (byte, next) = (inside[at], inside.get(at + 1).copied());
        at += 2;
        match next {
            Some(next) if byte == b'\\' && !plain_backslash => match next {
                b'0' => value.push(0),
                b'n' => value.push(b'\n'),
                b'r' => value.push(b'\r'),
                b't' => value.push(b'\t'),
                b'b' => value.push(8),
                b'Z' => value.push(26),
                // They keep their backslash, for LIKE.
                b'%' | b'_' => value.extend([b'\\', next]),
                other => value.push(other),
            },
            Some(next) if byte == quote && next == quote => value.push(quote),
            _ => {
                value.push(byte);
                at -= 1;
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(sent: &[u8], encoding: &Encoding) -> String {
        let found = written(sent, encoding).expect("a text");
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].text.clone()
    }

    #[test]
    fn bytes_that_are_no_utf8_become_hexadecimal_literals() {
        let utf8 = Encoding::default();
        assert_eq!(
            one(b"INSERT INTO t VALUES ('\xff\\n\\\\', 'ok')", &utf8),
            "INSERT INTO t VALUES (_binary x'FF0A5C', 'ok')"
        );
        assert_eq!(
            one(b"INSERT INTO t VALUES (_binary'\xff', _binary '\xfe')", &utf8),
            "INSERT INTO t VALUES (_binary x'FF', _binary x'FE')"
        );
        let latin1 = Encoding { charset: "latin1".into(), ..Encoding::default() };
        assert_eq!(one(b"SELECT 'caf\xe9'", &latin1), "SELECT _latin1 x'636166E9'");
        assert_eq!(one(b"SELECT 'a\0\r\nb'", &utf8), "SELECT 'a\\0\\r\nb'");
        assert_eq!(one(b"SELECT 'a\r\nb'", &utf8), "SELECT 'a\\r\nb'");
        assert!(written(b"SELECT * FROM caf\xe9", &utf8).is_err());
        assert!(written(b"SELECT 'open", &utf8).is_err());
        assert!(written(b"SELECT `a\r\nb`", &utf8).is_err() && written(b"SELECT `a\0b`", &utf8).is_err());
        assert_eq!(one(b"SELECT `a\rb`", &utf8), "SELECT `a\rb`");
        assert_eq!(one(b"SELECT 1 /* \xff */ + 1", &utf8), "SELECT 1 /* \u{fffd} */ + 1");
    }

    #[test]
    fn odd_modes_are_written_so_that_every_client_cuts_them_right() {
        let odd = Encoding { charset: String::new(), quotes: Quotes { plain_backslash: true, ansi: true } };
        assert_eq!(one(b"SELECT 'a\\', \"b`c\" ", &odd), "SELECT _utf8mb4 x'615C', `b``c`");
    }

    #[test]
    fn the_database_of_a_use_is_told_however_it_is_written() {
        let ansi = Quotes { ansi: true, ..Quotes::default() };
        let named = |sent: &str| named_database(sent.as_bytes(), ansi);
        for sent in ["USE a`b", "use -- c", "USE a b", "USE `a` b", "USE 'a'", "USE ``", "USE `a", "USE"] {
            assert_eq!(named(sent), None, "{sent}");
        }
        assert_eq!(named("use\napp -- that one").as_deref(), Some("app"));
        assert_eq!(named("/* a */ USE/* b */`a``\r\nb` ;").as_deref(), Some("a`\r\nb"));
        assert_eq!(named("USE \"a\"\"b\"").as_deref(), Some("a\"b"));
    }

    #[test]
    fn ends_are_found_where_they_are() {
        let end = |sent: &str| {
            let found = written(sent.as_bytes(), &Encoding::default()).expect("a text");
            (found.len(), found[0].delimiter, found[0].own_line)
        };
        assert_eq!(end("SELECT ';' ;"), (1, ";", false));
        assert_eq!(
            end("CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a = 1; SET @b = ';;'; END"),
            (1, ";;", false)
        );
        assert_eq!(end("SELECT 1; SELECT 2"), (2, ";", false));
        assert_eq!(end("UPDATE t SET a = 1 # why"), (1, ";", true));
        assert_eq!(
            end("/*!50003 CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN a; b; END */"),
            (1, ";;", false)
        );
        assert_eq!(end("SELECT \\N"), (1, ";", false));
        assert!(written(b"help \\! rm", &Encoding::default()).is_err());
    }
}

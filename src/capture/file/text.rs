//! A statement's bytes as a text that a script can hold: valid UTF-8, cut by the stock client as it was sent.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::end::{delimited, is_plain};
use crate::capture::scan::{Part, Quotes, is_space, parts, trimmed};
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
pub struct Written<'t> {
    /// The statement.
    pub text: Cow<'t, str>,
    /// What ends it: a word that it does not hold.
    pub delimiter: &'static str,
    /// The end stands on a line of its own: the statement ends with a comment.
    pub own_line: bool,
}

impl<'t> Written<'t> {
    /// A statement with the usual end.
    pub fn plain(text: impl Into<Cow<'t, str>>) -> Self {
        Self { text: text.into(), delimiter: ";", own_line: false }
    }

    /// The same, with a text of its own.
    pub fn owned(self) -> Written<'static> {
        Written { text: Cow::Owned(self.text.into_owned()), delimiter: self.delimiter, own_line: self.own_line }
    }
}

/// The statements of what was sent at once, each as a script can hold it.
///
/// # Errors
/// Why it cannot be written, as it is counted.
pub fn written<'t>(sent: &'t [u8], encoding: &Encoding) -> Result<Vec<Written<'t>>, &'static str> {
    let sent = trimmed(sent, encoding.quotes);
    if sent.is_empty() {
        return Ok(Vec::new());
    }
    let text = utf8(sent, encoding)?;
    let plain = is_plain(text.as_bytes());
    if plain == Some(true) {
        return Ok(vec![Written::plain(text)]);
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
            return pieces.into_iter().map(|piece| delimited(Cow::Owned(piece))).collect();
        }
    }
    Ok(vec![delimited(text)?])
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

/// The statement in UTF-8, without what the client would change on its way: NUL and CR LF. A literal that holds such bytes is
/// written in hexadecimal, which means the same to the server.
fn utf8<'t>(sent: &'t [u8], encoding: &Encoding) -> Result<Cow<'t, str>, &'static str> {
    let strange = memchr::memchr2(0, b'\r', sent).is_some() || encoding.quotes != Quotes::default();
    if !strange && let Ok(text) = std::str::from_utf8(sent) {
        return Ok(Cow::Borrowed(text));
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
    Ok(Cow::Owned(text))
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
        found[0].text.to_string()
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

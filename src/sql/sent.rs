//! What a client sends to a server in one packet: it may hold several statements, placeholders, and the name of a file.
//!
//! Bytes, not text: a packet is in the session's character set, and binary values stand in literals as they are.

use std::borrow::Cow;
use std::ops::Range;

use crate::sql::compound::Compound;
use crate::sql::token::{Lexer, TokenKind};

/// The statements of a packet, as the server cuts it: at `;` outside of quotes, comments and stored programs.
pub fn several(text: &[u8], no_backslash: bool) -> Vec<Range<usize>> {
    let lexed = without_backslashes(text, no_backslash);
    let mut found = Vec::new();
    let mut compound = Compound::default();
    let (mut first, mut segment, mut end) = (None, 0, 0);
    for token in Lexer::over_everything(&lexed) {
        let (start, stop) = (token.start as usize, token.end as usize);
        if token.kind == TokenKind::Symbol && lexed[start] == b';' {
            if let Some(begun) = first
                && compound.ends_at(&lexed[segment..start])
            {
                found.push(begun..end);
                (first, compound) = (None, Compound::default());
            }
            segment = stop;
            continue;
        }
        first.get_or_insert(start);
        end = stop;
    }
    found.extend(first.map(|begun| begun..end));
    found
}

/// The bytes at which a prepared statement's placeholders stand.
pub fn placeholders(text: &[u8], no_backslash: bool) -> Vec<usize> {
    Lexer::over_everything(&without_backslashes(text, no_backslash))
        .filter(|token| token.kind == TokenKind::Parameter)
        .map(|token| token.start as usize)
        .collect()
}

/// Where the file of a `LOAD DATA LOCAL INFILE 'file'` is named, quotes included.
pub fn local_file(text: &[u8], no_backslash: bool) -> Option<Range<usize>> {
    let lexed = without_backslashes(text, no_backslash);
    let mut after = false;
    for token in Lexer::over_everything(&lexed) {
        let place = token.start as usize..token.end as usize;
        if after {
            return (token.kind == TokenKind::Text).then_some(place);
        }
        after = token.kind == TokenKind::Word && text[place].eq_ignore_ascii_case(b"INFILE");
    }
    None
}

/// The first words of a statement in upper case, comments left out; at most `most`.
pub fn words(text: &[u8], most: usize) -> Vec<String> {
    Lexer::over_everything(text)
        .take(most)
        .map(|token| String::from_utf8_lossy(&text[token.start as usize..token.end as usize]).to_ascii_uppercase())
        .collect()
}

/// Under NO_BACKSLASH_ESCAPES a backslash is a character like any other, which the lexer does not know: it is shown
/// another one in its place.
fn without_backslashes(text: &[u8], no_backslash: bool) -> Cow<'_, [u8]> {
    if no_backslash && memchr::memchr(b'\\', text).is_some() {
        return text.iter().map(|byte| if *byte == b'\\' { b'_' } else { *byte }).collect();
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        several(text.as_bytes(), false).into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn a_packet_is_cut_where_the_server_cuts_it() {
        assert_eq!(cut("SELECT ';' ; ; /* ; */ INSERT INTO t VALUES (1);"), ["SELECT ';'", "INSERT INTO t VALUES (1)"]);
        let program = "CREATE PROCEDURE p() BEGIN SELECT 1; IF 1 THEN SELECT 2; END IF; END";
        assert_eq!(cut(&format!("{program}; SELECT 3")), [program, "SELECT 3"]);
        assert_eq!(cut(" -- nothing"), Vec::<&str>::new());
    }

    #[test]
    fn placeholders_are_those_outside_of_quotes_and_comments() {
        assert_eq!(placeholders(b"SELECT '?', `?`, ? /* ? */ + ?", false), [17, 29]);
        assert_eq!(placeholders(br"SELECT 'a\', ?, '?'", true), [13]);
        assert_eq!(placeholders(b"SELECT '\xff?', ?", false), [13]);
    }

    #[test]
    fn the_file_of_a_load_is_found() {
        let text = br#"LOAD DATA LOCAL /* INFILE 'x' */ infile "a b.csv" INTO TABLE t"#;
        assert_eq!(local_file(text, false).map(|place| &text[place]), Some(&br#""a b.csv""#[..]));
        assert_eq!(local_file(b"SELECT 1", false), None);
    }
}

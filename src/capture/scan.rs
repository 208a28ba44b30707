//! A statement's bytes told apart without being read: code, literals, names, comments. Any bytes will do.

use std::ops::Range;

/// What a stretch of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words, numbers, operators, white space.
    Code,
    /// `'…'` or `"…"`, with its quotes.
    Literal,
    /// `` `…` ``, with its quotes; `"…"` under ANSI_QUOTES.
    Name,
    /// A comment that no server runs, without the end of its line.
    Comment,
    /// A quote or comment that does not close: all that is left.
    Open,
}

/// What a session's sql_mode makes of quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotes {
    /// NO_BACKSLASH_ESCAPES: a backslash in a literal is a backslash.
    pub plain_backslash: bool,
    /// ANSI_QUOTES: `"…"` is a name.
    pub ansi: bool,
}

/// Iterates over a statement's parts.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    text: &'a [u8],
    at: usize,
    quotes: Quotes,
}

/// Bytes that something else than code may begin with.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let (bytes, mut at) = (b"'\"`#-/", 0);
    while at < bytes.len() {
        special[bytes[at] as usize] = true;
        at += 1;
    }
    special
};

/// White space, as servers and clients take it: a vertical tab is.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// The parts of `text`, in order, without a gap.
pub fn parts(text: &[u8], quotes: Quotes) -> Parts<'_> {
    Parts { text, at: 0, quotes }
}

/// One past the end of what is quoted from `open` on; none where it does not close.
pub fn quoted(text: &[u8], open: usize, quotes: Quotes) -> Option<usize> {
    let quote = text[open];
    let escapes = quote != b'`' && !quotes.plain_backslash && !(quote == b'"' && quotes.ansi);
    let mut at = open + 1;
    loop {
        let rest = text.get(at..)?;
        let found = if escapes { memchr::memchr2(quote, b'\\', rest) } else { memchr::memchr(quote, rest) };
        at += found?;
        if text[at] != quote || text.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Some(at + 1);
        }
    }
}

impl Parts<'_> {
    /// The comment that begins at `at`: one past its end.
    fn comment(&self, at: usize) -> Option<Option<usize>> {
        let rest = &self.text[at..];
        let line = || Some(at + memchr::memchr(b'\n', rest).unwrap_or(rest.len()));
        match rest {
            [b'#', ..] => Some(line()),
            [b'-', b'-', after, ..] if *after <= b' ' || *after == 0x7f => Some(line()),
            [b'-', b'-'] => Some(line()),
            [b'/', b'*', b'!' | b'+', ..] | [b'/', b'*', b'M', b'!', ..] => None,
            [b'/', b'*', ..] => Some(memchr::memmem::find(&rest[2..], b"*/").map(|found| at + 2 + found + 2)),
            _ => None,
        }
    }
}

impl Iterator for Parts<'_> {
    type Item = (Part, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let first = *self.text.get(start)?;
        let (part, end) = match (first, self.comment(start)) {
            (_, Some(end)) => (Part::Comment, end),
            (b'\'' | b'"' | b'`', None) => {
                let name = first == b'`' || (first == b'"' && self.quotes.ansi);
                (if name { Part::Name } else { Part::Literal }, quoted(self.text, start, self.quotes))
            }
            _ => {
                let mut end = start + 1;
                loop {
                    let rest = &self.text[end..];
                    end += rest.iter().position(|byte| SPECIAL[usize::from(*byte)]).unwrap_or(rest.len());
                    let ends = match self.text.get(end) {
                        None | Some(b'\'' | b'"' | b'`') => true,
                        Some(_) => self.comment(end).is_some(),
                    };
                    if ends {
                        break (Part::Code, Some(end));
                    }
                    end += 1;
                }
            }
        };
        self.at = end.unwrap_or(self.text.len());
        Some((if end.is_some() { part } else { Part::Open }, start..self.at))
    }
}

/// The text from its first character that is code to its last: white space, comments and semicolons around it are left out.
pub fn trimmed(text: &[u8], quotes: Quotes) -> &[u8] {
    let mut start = 0;
    loop {
        start += text[start..].iter().take_while(|byte| is_space(**byte) || **byte == b';').count();
        // Most begin with their verb.
        if text.get(start).is_some_and(u8::is_ascii_alphabetic) {
            break;
        }
        match parts(&text[start..], quotes).next() {
            Some((Part::Comment, range)) => start += range.end,
            _ => break,
        }
    }
    let text = &text[start..];
    let end = text.iter().rposition(|byte| !is_space(*byte) && *byte != b';').map_or(0, |last| last + 1);
    &text[..end]
}

/// Bytes of a word that are kept: more than any keyword has.
const WORD: usize = 24;

/// A word in upper case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Word {
    bytes: [u8; WORD],
    length: usize,
}

impl Word {
    /// The word; of one that no keyword is as long as, its beginning.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The same as bytes: quicker.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// Bytes of words, in upper case; zero for all others.
const UPPER: [u8; 256] = {
    let mut upper = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'_' | b'@' | b'.') {
            upper[byte] = (byte as u8).to_ascii_uppercase();
        }
        byte += 1;
    }
    upper
};

/// The first words of a statement in upper case, up to `N`: `["CREATE", "TEMPORARY", "TABLE"]`. An executed comment counts as
/// what is in it.
pub fn first_words<const N: usize>(text: &[u8]) -> [Word; N] {
    let mut words = [Word::default(); N];
    let mut at = 0;
    for word in &mut words {
        loop {
            let rest = &text[at..];
            at += match rest {
                [byte, ..] if is_space(*byte) || *byte == b'(' => 1,
                [b'/', b'*', b'!', ..] => 3 + rest[3..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
                [b'/', b'*', b'M', b'!', ..] => 4 + rest[4..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
                _ => break,
            };
        }
        let mut length = 0;
        for byte in text[at..].iter().take(64) {
            let upper = UPPER[usize::from(*byte)];
            if upper == 0 {
                break;
            }
            if let Some(place) = word.bytes.get_mut(length) {
                *place = upper;
            }
            length += 1;
        }
        if length == 0 {
            break;
        }
        word.length = length.min(WORD);
        at += length;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, quotes: Quotes) -> Vec<(Part, &str)> {
        parts(text.as_bytes(), quotes).map(|(part, range)| (part, &text[range])).collect()
    }

    #[test]
    fn quotes_and_comments_are_told_apart() {
        use Part::*;
        let plain = Quotes::default();
        assert_eq!(
            seen("SELECT 'a\\'b' - `c``d` -- e\n/*f*/\"g\"", plain),
            [
                (Code, "SELECT "),
                (Literal, "'a\\'b'"),
                (Code, " - "),
                (Name, "`c``d`"),
                (Code, " "),
                (Comment, "-- e"),
                (Code, "\n"),
                (Comment, "/*f*/"),
                (Literal, "\"g\""),
            ]
        );
        let odd = Quotes { plain_backslash: true, ansi: true };
        assert_eq!(seen("'a\\'\"b\"", odd), [(Literal, "'a\\'"), (Name, "\"b\"")]);
        assert_eq!(seen("a 'b", plain), [(Code, "a "), (Open, "'b")]);
        assert_eq!(seen("/*!50003 x*/", plain), [(Code, "/*!50003 x*/")]);
    }

    #[test]
    fn what_stands_around_a_statement_is_left_out() {
        let trim =
            |text: &'static str| String::from_utf8_lossy(trimmed(text.as_bytes(), Quotes::default())).into_owned();
        assert_eq!(trim(" /* a */ -- b\n ; SELECT 1 ; ;\n"), "SELECT 1");
        assert_eq!(trim("\u{b} SELECT 1\u{b};"), "SELECT 1");
        assert_eq!(trim("\u{b};"), "");
        assert_eq!(trim("-- only"), "");
        assert_eq!(trim(""), "");
        assert_eq!(first_words::<2>(b"/*!50003 create  trigger"), ["CREATE", "TRIGGER"]);
        assert_eq!(first_words::<3>(b"(select 1)"), ["SELECT", "1", ""]);
    }
}

//! Placeholders of packages' own scripts (`#__users`, `{prefix}users`): filled in, or found unfilled.

use std::collections::BTreeMap;
use std::io::{self, Read};

use memchr::memmem;

use crate::sql::token::{is_dash_comment, is_word_byte, quote_end};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// A reader in which each placeholder is replaced by its value, as text.
pub struct Substitute<R> {
    reader: R,
    /// Placeholders, the longest first, each with its value and its next place in `pending`.
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// Read, not yet replaced.
    pending: Vec<u8>,
    /// Replaced, not yet given out from `given` on.
    ready: Vec<u8>,
    given: usize,
    at_end: bool,
}

impl<R: Read> Substitute<R> {
    /// Replaces `variables` in what `reader` gives.
    pub fn new(reader: R, variables: &BTreeMap<String, String>) -> Self {
        let mut variables: Vec<_> = variables
            .iter()
            .filter(|(key, _)| !key.is_empty())
            .map(|(key, value)| (key.clone().into_bytes(), value.clone().into_bytes()))
            .collect();
        variables.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
        Self { reader, variables, pending: Vec::new(), ready: Vec::new(), given: 0, at_end: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.given = 0;
        let read = self.reader.by_ref().take(CHUNK as u64).read_to_end(&mut self.pending)?;
        self.at_end = read == 0;
        let longest = self.variables.first().map_or(1, |(key, _)| key.len());
        // What may be the beginning of a placeholder waits for the rest.
        let end = if self.at_end { self.pending.len() } else { (self.pending.len() + 1).saturating_sub(longest) };
        let find = |key: &[u8], from: usize| memmem::find(&self.pending[from..], key).map(|found| from + found);
        let mut next: Vec<_> = self.variables.iter().map(|(key, _)| find(key, 0)).collect();
        let mut done = 0;
        loop {
            let nearest = (0..next.len()).filter_map(|n| next[n].map(|place| (place, n))).min();
            let Some((place, n)) = nearest.filter(|(place, _)| *place < end) else { break };
            let (key, value) = &self.variables[n];
            self.ready.extend_from_slice(&self.pending[done..place]);
            self.ready.extend_from_slice(value);
            done = place + key.len();
            for (place, (key, _)) in next.iter_mut().zip(&self.variables) {
                if place.is_some_and(|place| place < done) {
                    *place = find(key, done);
                }
            }
        }
        let end = end.max(done);
        self.ready.extend_from_slice(&self.pending[done..end]);
        self.pending.drain(..end);
        Ok(())
    }
}

impl<R: Read> Read for Substitute<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() && !(self.at_end && self.pending.is_empty()) {
            self.refill()?;
        }
        let length = into.len().min(self.ready.len() - self.given);
        into[..length].copy_from_slice(&self.ready[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

/// The first well-known placeholder that stands as part of a name, and its byte. Strings and comments may hold what
/// looks like one, and a `#` alone begins a comment.
pub fn unfilled(text: &str) -> Option<(&'static str, usize)> {
    const KNOWN: [&str; 4] = ["#__", "{prefix}", "/*_*/", "%PREFIX%"];
    let bytes = text.as_bytes();
    if !KNOWN.iter().any(|known| memmem::find(bytes, known.as_bytes()).is_some()) {
        return None;
    }
    let names = |at: usize, known: &str| {
        bytes[at..].starts_with(known.as_bytes())
            && bytes.get(at + known.len()).is_some_and(|next| is_word_byte(*next) || *next == b'`')
    };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if let Some(known) = KNOWN.into_iter().find(|known| names(at, known))
            && (known != "#__" || stands_for_name(text, at))
        {
            return Some((known, at));
        }
        let line_end = || at + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        at = match rest {
            [b'\'' | b'"', ..] => quote_end(bytes, at).unwrap_or(bytes.len()),
            [b'`', ..] => {
                let end = quote_end(bytes, at).unwrap_or(bytes.len());
                let inside = &text[at..end];
                let found = KNOWN.into_iter().find_map(|known| inside.find(known).map(|found| (known, at + found)));
                if found.is_some() {
                    return found;
                }
                end
            }
            [b'#', ..] => line_end(),
            [b'-', b'-', ..] if is_dash_comment(rest) => line_end(),
            [b'/', b'*', third, ..] if !matches!(third, b'!' | b'M') => {
                memmem::find(&rest[2..], b"*/").map_or(bytes.len(), |found| at + found + 4)
            }
            _ => at + 1,
        };
    }
    None
}

/// A `#__x` at `at` stands where a table is named, not where a remark begins.
fn stands_for_name(text: &str, at: usize) -> bool {
    const BEFORE: [&str; 17] = [
        "FROM",
        "INTO",
        "TABLE",
        "UPDATE",
        "JOIN",
        "EXISTS",
        "ON",
        "LIKE",
        "TO",
        "REFERENCES",
        "TABLES",
        "INSERT",
        "REPLACE",
        "TRUNCATE",
        "VIEW",
        "IGNORE",
        "USING",
    ];
    let before = text[..at].trim_end();
    if text[..at].ends_with(['.', '`', '(', ',']) {
        return true;
    }
    let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    BEFORE.iter().any(|known| known.eq_ignore_ascii_case(word))
        || (before.ends_with(',') && !text[before.len()..at].contains('\n') && text[at..].starts_with("#__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut out = String::new();
        Substitute::new(text.as_bytes(), &variables).read_to_string(&mut out).expect("readable");
        out
    }

    #[test]
    fn placeholders_are_filled_in_wherever_a_chunk_ends() {
        assert_eq!(filled("a #__b {prefix}c #_ #__", &[("#__", "j_"), ("{prefix}", "")]), "a j_b c #_ j_");
        let long = format!("{}#__x", "y".repeat(CHUNK - 2));
        assert_eq!(filled(&long, &[("#__", "j_")]), format!("{}j_x", "y".repeat(CHUNK - 2)));
        assert_eq!(filled("aaa", &[("aa", "b"), ("a", "c")]), "bc");
    }

    #[test]
    fn an_unfilled_placeholder_is_told_from_a_comment_and_a_string() {
        for text in [
            "DELETE FROM #__users WHERE a = 1;\nDELETE FROM b",
            "SELECT * FROM `#__users`",
            "INSERT INTO {prefix}a VALUES (1)",
            "CREATE TABLE /*_*/page (a INT)",
            "UPDATE %PREFIX%a SET b = 1",
            "DROP TABLE IF EXISTS\n #__a",
        ] {
            assert!(unfilled(text).is_some(), "{text}");
        }
        for text in [
            "SELECT 1 #__ a remark",
            "SELECT 1\n#__remark\n, 2",
            "INSERT INTO t VALUES ('#__users', '{prefix}a', \"%PREFIX%b\")",
            "SELECT 1 /* {prefix}a #__b */ -- %PREFIX%c",
            "SELECT a /*_*/ FROM b",
        ] {
            assert_eq!(unfilled(text), None, "{text}");
        }
    }
}

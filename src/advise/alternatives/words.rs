//! The words of a statement's text, so that it can be cut at the right place and asked what it mentions.
//!
//! For composing alternatives and for what single rules ask: how a statement is read is the business of `sql`, whose
//! records say where its condition and its assignments stand.

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A keyword, a bare name or a number.
    Bare,
    /// A name in backticks.
    Quoted,
    /// A text in quotes.
    Text,
    /// Any other character.
    Symbol,
}

/// One word and where it stands (byte offsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// As it is written, quotes included.
    pub text: &'a str,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// What it is.
    pub form: Form,
}

impl Word<'_> {
    /// True for this keyword (or bare name), whatever its case.
    pub fn is(&self, keyword: &str) -> bool {
        self.form == Form::Bare && self.text.eq_ignore_ascii_case(keyword)
    }

    /// True for this character.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.form == Form::Symbol && self.text == symbol
    }

    /// The name that it spells; none for a text or a symbol.
    pub fn name(&self) -> Option<String> {
        match self.form {
            Form::Bare => Some(self.text.to_owned()),
            Form::Quoted => Some(self.text[1..self.text.len() - 1].replace("``", "`")),
            Form::Text | Form::Symbol => None,
        }
    }
}

/// The words of a text, comments left out.
///
/// # Errors
/// Why it cannot be taken apart: an executed comment (`/*! … */`), a quote or comment that is not closed.
pub fn words(text: &str) -> Result<Vec<Word<'_>>, &'static str> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &text[at..];
        let (length, form) = match byte {
            _ if byte.is_ascii_whitespace() => (1, None),
            b'#' => (line(rest), None),
            b'-' if rest.starts_with("--") && bytes.get(at + 2).is_none_or(|b| b.is_ascii_whitespace()) => {
                (line(rest), None)
            }
            b'/' if rest.starts_with("/*!") || rest.starts_with("/*M!") => return Err("it has an executed comment"),
            b'/' if rest.starts_with("/*") => {
                let close = rest[2..].find("*/").ok_or("a comment in it is not closed")?;
                (close + 4, None)
            }
            b'\'' | b'"' => (quoted(rest, byte, true)?, Some(Form::Text)),
            b'`' => (quoted(rest, byte, false)?, Some(Form::Quoted)),
            _ if is_name(byte) => (bytes[at..].iter().take_while(|b| is_name(**b)).count(), Some(Form::Bare)),
            _ => (rest.chars().next().map_or(1, char::len_utf8), Some(Form::Symbol)),
        };
        if let Some(form) = form {
            words.push(Word { text: &text[at..at + length], start: at, end: at + length, form });
        }
        at += length;
    }
    Ok(words)
}

/// Characters that MySQL takes in a bare name; anything beyond ASCII counts.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// Length of a quoted word; a doubled quote (and, in texts, a backslash) stands for what follows it.
fn quoted(rest: &str, quote: u8, backslash: bool) -> Result<usize, &'static str> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if backslash => at += 2,
            _ if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            _ if byte == quote => return Ok(at + 1),
            _ => at += 1,
        }
    }
    Err("a quote in it is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        words(text).map(|words| words.iter().map(|word| word.text).collect()).unwrap_or_default()
    }

    #[test]
    fn comments_are_no_words_and_quotes_hold_together() {
        assert_eq!(
            texts("DELETE /* all */ FROM `a``b` -- gone\n# too\nWHERE x='it''s \\' --'"),
            ["DELETE", "FROM", "`a``b`", "WHERE", "x", "=", "'it''s \\' --'"]
        );
        assert_eq!(texts("a--1"), ["a", "-", "-", "1"], "two minus signs before a digit are no comment");
        assert_eq!(texts("größe→1"), ["größe→1"]);
    }

    #[test]
    fn what_cannot_be_cut_safely_is_refused() {
        assert!(words("DELETE /*!80000 QUICK */ FROM t").is_err());
        assert!(words("DELETE FROM t WHERE a = 'x").is_err());
        assert!(words("DELETE FROM t /* x").is_err());
        assert!(words("'\\").is_err());
    }
}

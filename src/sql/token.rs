//! MySQL's and MariaDB's tokens, with spans in the text as written.
//!
//! Executed comments (`/*! … */`, `/*M! … */`) are unwrapped here: where the target runs them, their inside is lexed
//! as code and their frame yields no token; where it does not, they are comments.

use crate::server::flavor::Flavor;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An unquoted word that may be a keyword.
    Word,
    /// An unquoted word after a dot: never a keyword.
    Name,
    /// A name in backticks.
    Quoted,
    /// `'…'` or `"…"`, also with `x`, `b`, `n` or a character-set introducer directly before it.
    Text,
    /// A number.
    Number,
    /// `@x`, `@@x`, `` @`x` ``, and the `@host` of an account.
    Variable,
    /// `?`.
    Parameter,
    /// An operator or a punctuation mark.
    Symbol,
    /// A quote or comment that is not closed: all that is left of the text.
    Broken,
}

/// One token: its kind and its bytes `start..end` in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A comment that is none for the target server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Executed {
    /// Bytes of `/*!NNNNN`.
    frame: usize,
    /// The target runs its inside.
    runs: bool,
}

/// Reads the head of an executed comment at the start of `rest`; none when it is an ordinary comment.
///
/// MariaDB passes over `/*!50700` to `/*!99999` (manual, "Comment Syntax"); MySQL knows no `/*M!`.
fn executed(rest: &[u8], flavor: Option<Flavor>) -> Option<Executed> {
    let (head, only_mariadb) = match rest {
        [b'/', b'*', b'!', ..] => (3, false),
        [b'/', b'*', b'M', b'!', ..] => (4, true),
        _ => return None,
    };
    let digits = rest[head..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let digits = if digits < 5 { 0 } else { digits };
    let frame = head + digits;
    let version = rest[head..frame].iter().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    let Some(flavor) = flavor else { return Some(Executed { frame, runs: true }) };
    let server =
        u32::from(flavor.major) * 10_000 + u32::from(flavor.minor) * 100 + u32::from(flavor.patch.unwrap_or(99));
    let runs = if flavor.is_mariadb() {
        version <= server && (only_mariadb || !(50_700..=99_999).contains(&version))
    } else {
        !only_mariadb && version <= server
    };
    Some(Executed { frame, runs })
}

/// True when a `--` at the start of `rest` begins a comment: white space, a control character or the end follows.
pub fn is_dash_comment(rest: &[u8]) -> bool {
    rest.starts_with(b"--") && rest.get(2).is_none_or(|byte| *byte <= b' ' || *byte == 0x7f)
}

/// True for what an unquoted name is made of.
pub fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Iterates over a statement's tokens.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    bytes: &'a [u8],
    position: usize,
    /// The target; none runs every executed comment.
    flavor: Option<Flavor>,
    in_executed: bool,
    after_dot: bool,
}

impl<'a> Lexer<'a> {
    /// A lexer over one statement; texts of 4 GiB and more are cut.
    pub fn new(text: &'a str, flavor: Flavor) -> Self {
        let bytes = text.as_bytes();
        let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
        Self { bytes, position: 0, flavor: Some(flavor), in_executed: false, after_dot: false }
    }

    /// A lexer that takes the inside of every executed comment for code, and bytes that may be no UTF-8.
    pub fn over_everything(bytes: &'a [u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
        Self { bytes, position: 0, flavor: None, in_executed: false, after_dot: false }
    }

    /// Moves past white space and comments; false when a comment is not closed.
    fn skip_blanks(&mut self) -> bool {
        loop {
            let rest = &self.bytes[self.position..];
            match rest {
                [b'\t'..=b'\r' | b' ' | 0, ..] => self.position += 1,
                [b'#', ..] => self.skip_line(),
                [b'-', b'-', ..] if is_dash_comment(rest) => self.skip_line(),
                [b'*', b'/', ..] if self.in_executed => {
                    self.in_executed = false;
                    self.position += 2;
                }
                [b'/', b'*', ..] => match executed(rest, self.flavor) {
                    Some(Executed { frame, runs: true }) => {
                        self.in_executed = true;
                        self.position += frame;
                    }
                    _ => match memchr::memmem::find(&rest[2..], b"*/") {
                        Some(found) => self.position += found + 4,
                        None => return false,
                    },
                },
                _ => return true,
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.position..];
        self.position += memchr::memchr(b'\n', rest).map_or(rest.len(), |found| found + 1);
    }

    fn word_end(&self, from: usize) -> usize {
        from + self.bytes[from..].iter().take_while(|byte| is_word_byte(**byte)).count()
    }

    /// End of the quoted text that opens at `open`; none when it does not close.
    fn quote_end(&self, open: usize) -> Option<usize> {
        quote_end(self.bytes, open)
    }

    fn number_or_word(&self, start: usize) -> (TokenKind, usize) {
        let digits = |from: usize| from + self.bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let byte = |at: usize| self.bytes.get(at).copied().unwrap_or(0);
        let word_end = self.word_end(start);
        let word = &self.bytes[start..word_end];
        let radix = match word {
            [b'0', b'x', rest @ ..] => !rest.is_empty() && rest.iter().all(u8::is_ascii_hexdigit),
            [b'0', b'b', rest @ ..] => !rest.is_empty() && rest.iter().all(|bit| matches!(bit, b'0' | b'1')),
            _ => false,
        };
        if radix {
            return (TokenKind::Number, word_end);
        }
        let mut end = digits(start);
        if byte(end) == b'.' {
            end = digits(end + 1);
        }
        if matches!(byte(end), b'e' | b'E') {
            let sign = usize::from(matches!(byte(end + 1), b'+' | b'-'));
            if byte(end + 1 + sign).is_ascii_digit() {
                end = digits(end + 1 + sign);
            }
        }
        if end < word_end { (TokenKind::Word, word_end) } else { (TokenKind::Number, end) }
    }

    fn variable_end(&self, start: usize) -> Option<usize> {
        let mut at = start + 1;
        if self.bytes.get(at) == Some(&b'@') {
            at += 1;
        }
        if matches!(self.bytes.get(at), Some(b'`' | b'\'' | b'"')) {
            return self.quote_end(at);
        }
        let rest = &self.bytes[at..];
        Some(at + rest.iter().take_while(|byte| is_word_byte(**byte) || **byte == b'.').count())
    }

    fn symbol_length(rest: &[u8]) -> usize {
        const LONG: [&[u8]; 14] =
            [b"<=>", b"->>", b":=", b"<=", b">=", b"<>", b"!=", b"||", b"&&", b"<<", b">>", b"->", b"+=", b"-="];
        LONG.iter().find(|symbol| rest.starts_with(symbol)).map_or(1, |symbol| symbol.len())
    }

    fn token_at(&self, start: usize) -> (TokenKind, usize) {
        let broken = (TokenKind::Broken, self.bytes.len());
        let quoted = |kind, open| self.quote_end(open).map_or(broken, |end| (kind, end));
        let next = self.bytes.get(start + 1).copied().unwrap_or(0);
        match self.bytes[start] {
            b'\'' | b'"' => quoted(TokenKind::Text, start),
            b'`' => quoted(TokenKind::Quoted, start),
            b'x' | b'X' | b'b' | b'B' | b'n' | b'N' if next == b'\'' && !self.after_dot => {
                quoted(TokenKind::Text, start + 1)
            }
            b'0'..=b'9' if !self.after_dot => self.number_or_word(start),
            b'.' if !self.after_dot && next.is_ascii_digit() && !self.follows_name(start) => self.number_or_word(start),
            b'@' => self.variable_end(start).map_or(broken, |end| (TokenKind::Variable, end)),
            b'?' => (TokenKind::Parameter, start + 1),
            byte if is_word_byte(byte) => {
                let end = self.word_end(start);
                if byte == b'_' && self.bytes.get(end) == Some(&b'\'') {
                    return quoted(TokenKind::Text, end);
                }
                (if self.after_dot { TokenKind::Name } else { TokenKind::Word }, end)
            }
            _ => (TokenKind::Symbol, start + Self::symbol_length(&self.bytes[start..])),
        }
    }

    fn follows_name(&self, start: usize) -> bool {
        start > 0 && (is_word_byte(self.bytes[start - 1]) || self.bytes[start - 1] == b'`')
    }
}

/// One past the closing quote of what opens at `open`; none when it does not close.
/// Quotes are doubled to stand for themselves; a backslash escapes in strings, not in backticks.
pub fn quote_end(bytes: &[u8], open: usize) -> Option<usize> {
    let quote = bytes[open];
    let mut at = open + 1;
    loop {
        let rest = bytes.get(at..)?;
        let found = if quote == b'`' { memchr::memchr(quote, rest) } else { memchr::memchr2(quote, b'\\', rest) };
        at += found?;
        if bytes[at] == b'\\' || bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Some(at + 1);
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let closed = self.skip_blanks();
        let start = self.position;
        if start >= self.bytes.len() {
            return None;
        }
        let (kind, end) = if closed { self.token_at(start) } else { (TokenKind::Broken, self.bytes.len()) };
        self.after_dot = kind == TokenKind::Symbol && self.bytes[start] == b'.';
        self.position = end;
        Some(Token { kind, start: start as u32, end: end as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexed(text: &str, flavor: &str) -> Vec<(TokenKind, String)> {
        let flavor = flavor.parse().expect("a flavor");
        let slice = |token: &Token| text[token.start as usize..token.end as usize].to_owned();
        Lexer::new(text, flavor).map(|token| (token.kind, slice(&token))).collect()
    }

    fn texts(text: &str, flavor: &str) -> Vec<String> {
        lexed(text, flavor).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn strings_end_where_the_server_ends_them() {
        assert_eq!(texts(r"'a\'b' 'c''d' `e``f` `g\` x", "mysql:9.7"), [r"'a\'b'", "'c''d'", "`e``f`", r"`g\`", "x"]);
        assert_eq!(lexed("x'ff' N'a' _utf8mb4'b' 0xff b'01'", "mysql:9.7").len(), 5);
        assert_eq!(lexed("'open", "mysql:9.7"), [(TokenKind::Broken, "'open".to_owned())]);
        assert_eq!(lexed("a /* open", "mysql:9.7")[1].0, TokenKind::Broken);
    }

    #[test]
    fn comments_are_no_tokens() {
        assert_eq!(texts("a -- b\nc --d\n#e\n/* f */ g", "mysql:9.7"), ["a", "c", "-", "-", "d", "g"]);
    }

    #[test]
    fn executed_comments_are_code_where_the_target_runs_them() {
        let text = "/*!50000 a */ /*!80000 b */ /*!999999 c */ /*M!100100 d */ /*!100600 e */ /*! f */ /*!100616g*/ h";
        assert_eq!(texts(text, "mysql:9.7"), ["a", "b", "f", "h"]);
        assert_eq!(texts(text, "mariadb:10.11"), ["a", "d", "e", "f", "g", "h"]);
        assert_eq!(texts("/*M!999999\\- enable the sandbox mode */ x", "mariadb:10.11"), ["x"]);
    }

    #[test]
    fn numbers_and_names_are_told_apart() {
        let kinds: Vec<_> =
            lexed("1 1.5 .5 1e-3 2fa t.2fa t.order 1.a", "mysql:9.7").into_iter().map(|(kind, _)| kind).collect();
        use TokenKind::*;
        assert_eq!(kinds[..5], [Number, Number, Number, Number, Word]);
        assert_eq!(kinds[5..11], [Word, Symbol, Name, Word, Symbol, Name]);
    }

    #[test]
    fn variables_and_accounts_are_one_token() {
        assert_eq!(texts("@a:=@@global.b, 'u'@'%'", "mysql:9.7"), ["@a", ":=", "@@global.b", ",", "'u'", "@'%'"]);
    }
}

//! Literals replaced by others that are as long and of the same type, equal where they were: a capture that can be shown.
//!
//! Each character changes within its kind (digit, letter, hexadecimal digit), by a permutation that a key of this run alone
//! makes and that depends on the rest of the literal: two literals are equal afterwards exactly when they were before.
//! Punctuation stays, as do dates' ranges, so that what the server reads as a date or as JSON before it reads so after.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use crate::sql::token::{Lexer, Token, TokenKind};

/// Masks the literals of statements on rows.
#[derive(Debug)]
pub struct Mask {
    key: RandomState,
}

/// Rounds of the permutation: each half is changed by the other so often.
const ROUNDS: u8 = 6;

/// Words after which a literal says how much, not what.
const AMOUNTS: [&str; 4] = ["LIMIT", "OFFSET", "INTERVAL", "SLEEP"];

/// Verbs of statements whose literals are data.
const VERBS: [&str; 11] =
    ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "CALL", "DO", "WITH", "VALUES", "EXECUTE", "PREPARE"];

/// A character that may change: where it stands, and its kind.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    kind: Kind,
}

/// Characters that change into each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// From this byte on, so many.
    Range(u8, u8),
    Hex,
    /// A character of several bytes: within its 64 neighbours, which have as many.
    Wide,
}

impl Mask {
    /// A mask with a key of its own: what it hides cannot be told by masking guesses.
    pub fn new() -> Self {
        Self { key: RandomState::new() }
    }

    /// The statement with its literals masked and its comments left out.
    pub fn masked(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut tokens = Lexer::over_everything(text.as_bytes()).peekable();
        let slice = |token: &Token| &text[token.start as usize..token.end as usize];
        let verb = tokens.peek().map(|token| slice(token).to_ascii_uppercase()).unwrap_or_default();
        let data = VERBS.contains(&verb.as_str()) || verb == "(";
        let (mut done, mut amount, mut variable, mut secret) = (0, false, false, false);
        for token in tokens {
            let piece = slice(&token);
            gap(&mut out, &text[done..token.start as usize]);
            done = token.end as usize;
            let literal = match token.kind {
                TokenKind::Text => (data && !amount) || variable || secret,
                TokenKind::Number => data && !amount || variable,
                _ => false,
            };
            if literal {
                self.literal(&mut out, piece, token.kind);
            } else {
                out.push_str(piece);
            }
            match token.kind {
                TokenKind::Word => {
                    let word = piece.to_ascii_uppercase();
                    amount = AMOUNTS.contains(&word.as_str());
                    secret |= matches!(word.as_str(), "IDENTIFIED" | "PASSWORD");
                }
                TokenKind::Variable => variable = verb == "SET" && !piece.starts_with("@@"),
                TokenKind::Symbol if piece == "," => {
                    variable = false;
                    amount = amount && data;
                }
                TokenKind::Symbol if piece == "(" => {}
                TokenKind::Number | TokenKind::Text => amount = false,
                _ => {}
            }
        }
        gap(&mut out, &text[done..]);
        out
    }

    fn literal(&self, out: &mut String, piece: &str, kind: TokenKind) {
        let open = piece.find(['\'', '"']).filter(|_| kind == TokenKind::Text);
        let Some(open) = open else {
            let hex = piece.starts_with("0x") || piece.starts_with("0X");
            let (head, digits) = piece.split_at(if hex { 2 } else { 0 });
            out.push_str(head);
            // An exponent says how large a number is: it stays.
            let end = if hex { digits.len() } else { digits.find(['e', 'E']).unwrap_or(digits.len()) };
            out.push_str(&self.permuted(&digits[..end], hex));
            out.push_str(&digits[end..]);
            return;
        };
        let (head, quoted) = piece.split_at(open);
        let inside = &quoted[1..quoted.len() - 1];
        out.push_str(head);
        out.push_str(&quoted[..1]);
        match head.to_ascii_lowercase().as_str() {
            "b" => out.push_str(inside),
            head => out.push_str(&self.permuted(inside, head == "x")),
        }
        out.push_str(&quoted[quoted.len() - 1..]);
    }

    /// The text with its characters changed within their kinds.
    fn permuted(&self, text: &str, hex: bool) -> String {
        let places = if hex { hex_places(text) } else { places(text) };
        let mut units: Vec<char> = text.chars().collect();
        let half = places.len() / 2;
        for round in 0..ROUNDS {
            let (change, by) =
                if round % 2 == 0 { (0..half, half..places.len()) } else { (half..places.len(), 0..half) };
            let seen: Vec<char> = by.map(|n| units[places[n].at]).collect();
            for n in change {
                let Place { at, kind } = places[n];
                let draw = self.key.hash_one((round, n, places.len(), &seen));
                units[at] = turned(units[at], kind, draw);
            }
        }
        units.into_iter().collect()
    }
}

/// What stands between two tokens: white space as it is, comments as a blank, the frames of executed comments as they are.
fn gap(out: &mut String, between: &str) {
    let blank = between.trim();
    if blank.is_empty() || blank.starts_with("/*!") || blank.starts_with("/*M!") || blank == "*/" {
        out.push_str(between);
    } else {
        out.push(' ');
    }
}

/// The character `draw` places further in its kind, around its end.
fn turned(c: char, kind: Kind, draw: u64) -> char {
    match kind {
        Kind::Range(first, count) => {
            let place = (c as u64).wrapping_sub(u64::from(first));
            char::from(first + ((place + draw) % u64::from(count)) as u8)
        }
        Kind::Hex => {
            let upper = c.is_ascii_uppercase();
            let value = (u64::from(c.to_digit(16).unwrap_or(0)) + draw) % 16;
            let digit = char::from_digit(value as u32, 16).unwrap_or('0');
            if upper { digit.to_ascii_uppercase() } else { digit }
        }
        Kind::Wide => {
            let block = c as u32 & !63;
            char::from_u32(block + ((u64::from(c as u32 & 63) + draw) % 64) as u32).unwrap_or(c)
        }
    }
}

/// The hexadecimal digits of a literal of them. Case is not kept apart: it means nothing there.
fn hex_places(text: &str) -> Vec<Place> {
    let digits = text.chars().enumerate().filter(|(_, c)| c.is_ascii_hexdigit());
    digits.map(|(at, _)| Place { at, kind: Kind::Hex }).collect()
}

/// What may change in a text, by what it looks like.
fn places(text: &str) -> Vec<Place> {
    let units: Vec<char> = text.chars().collect();
    if let Some(places) = date_places(&units) {
        return places;
    }
    let mut places = Vec::new();
    let json = matches!(units.first(), Some('{' | '['));
    let mut at = 0;
    while at < units.len() {
        let c = units[at];
        let fresh = at == 0 || !units[at - 1].is_ascii_digit();
        let word: String = units[at..].iter().take_while(|c| c.is_ascii_alphabetic()).take(6).collect();
        if c == '\\' {
            // An escape stays the escape that it is.
            at += 2;
            continue;
        }
        if json && matches!(word.as_str(), "true" | "false" | "null") {
            at += word.len();
            continue;
        }
        let kind = match c {
            // A number keeps its length, also as a number.
            '0' if fresh => None,
            '1'..='9' if fresh => Some(Kind::Range(b'1', 9)),
            '0'..='9' => Some(Kind::Range(b'0', 10)),
            'a'..='z' => Some(Kind::Range(b'a', 26)),
            'A'..='Z' => Some(Kind::Range(b'A', 26)),
            c if c as u32 >= 0xc0 => Some(Kind::Wide),
            _ => None,
        };
        places.extend(kind.map(|kind| Place { at, kind }));
        at += 1;
    }
    places
}

/// `2026-12-31`, with a time or without: years and what makes a month long stay, so that it is a date afterwards.
fn date_places(units: &[char]) -> Option<Vec<Place>> {
    let shape: String = units.iter().map(|c| if c.is_ascii_digit() { '9' } else { *c }).collect();
    let time = match shape.split_at_checked(10)? {
        ("9999-99-99", "") => false,
        ("9999-99-99", rest) if rest.starts_with(" 99:99:99") || rest.starts_with("T99:99:99") => true,
        _ => return None,
    };
    let mut places = Vec::new();
    // The last digit of the day, of 1 to 9 or 0 to 8: never the 29th to 31st, which not every month has.
    match units[8] {
        '0' if units[9] != '0' => places.push(Place { at: 9, kind: Kind::Range(b'1', 9) }),
        '1' => places.push(Place { at: 9, kind: Kind::Range(b'0', 10) }),
        '2' if units[9] != '9' => places.push(Place { at: 9, kind: Kind::Range(b'0', 9) }),
        _ => {}
    }
    if time {
        for (at, c) in units.iter().enumerate().skip(11) {
            match at {
                // Tens of hours, minutes and seconds.
                11 => {}
                12 if units[11] == '2' => places.push(Place { at, kind: Kind::Range(b'0', 4) }),
                14 | 17 => places.push(Place { at, kind: Kind::Range(b'0', 6) }),
                _ if c.is_ascii_digit() => places.push(Place { at, kind: Kind::Range(b'0', 10) }),
                _ => {}
            }
        }
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn values_change_and_the_shape_stays() {
        let mask = Mask::new();
        let text = "INSERT INTO t (a) VALUES ('Ann-Marie O\\'Neil née 42', 12345, -0.50, x'ff00', 0xAB, NULL) -- Ann\n LIMIT 10";
        let masked = mask.masked(text);
        assert!(!masked.contains("Ann") && !masked.contains("12345"), "{masked}");
        assert!(masked.starts_with("INSERT INTO t (a) VALUES ('") && masked.ends_with("LIMIT 10"), "{masked}");
        assert_eq!(masked.len(), text.replace("-- Ann\n ", "").len());
        assert!(masked.contains("\\'") && masked.contains(", -0.") && masked.contains(" x'"), "{masked}");
        assert_eq!(
            mask.masked("ALTER TABLE t ADD a VARCHAR(10) DEFAULT 'x1'"),
            "ALTER TABLE t ADD a VARCHAR(10) DEFAULT 'x1'"
        );
        assert_eq!(mask.masked("SET NAMES 'utf8mb4'"), "SET NAMES 'utf8mb4'");
        assert!(!mask.masked("SET @a = 'secret'").contains("secret"));
        assert!(!mask.masked("CREATE USER a IDENTIFIED BY 'secret'").contains("secret"));
    }

    #[test]
    fn equal_stays_equal_and_different_stays_different() {
        let mask = Mask::new();
        let all: BTreeSet<String> = (0..1000).map(|n| mask.masked(&format!("SELECT {n}"))).collect();
        assert_eq!(all.len(), 1000);
        let texts: BTreeSet<String> =
            ["a", "b", "ab", "ba", "aa", "é", "è", "née", "nèe"].map(|t| mask.permuted(t, false)).into();
        assert_eq!(texts.len(), 9);
        assert_eq!(mask.masked("SELECT 'bob@example.org'"), mask.masked("SELECT 'bob@example.org'"));
    }

    #[test]
    fn dates_stay_dates_and_json_stays_json() {
        let mask = Mask::new();
        for date in ["2026-12-31", "2024-02-29 23:59:59", "2026-01-01T00:00:00.123", "0000-00-00 00:00:00"] {
            let masked = mask.permuted(date, false);
            let plain = masked.replace('T', " ");
            assert!(date.starts_with("0000") || plain[..10].parse::<jiff::civil::Date>().is_ok(), "{masked}");
            assert!(plain.len() <= 10 || plain[11..19].parse::<jiff::civil::Time>().is_ok(), "{masked}");
        }
        let json = mask.permuted("{\"a\": [1, 20, true, null, \"x\"], \"b\": 0.5}", false);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    }
}

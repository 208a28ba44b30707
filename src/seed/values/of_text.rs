//! From a text column's name and type to what its values look like.

use super::Shape;
use super::text::{Style, Text};
use crate::survey::record::ColumnFacts;

/// The shape of a text column: what its name promises, within what its type takes.
pub fn text(column: &ColumnFacts, kind: &str, declared: Option<u64>) -> Shape {
    let max = match kind {
        "char" => declared.unwrap_or(1) as usize,
        "varchar" => declared.or(column.length).unwrap_or(255) as usize,
        "tinytext" => 255 / 4,
        _ => 65_535 / 4,
    };
    let name = column.name.to_ascii_lowercase();
    let named = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let hashed = named(&["hash", "token", "md5", "sha", "checksum", "digest", "secret", "api_key", "session"]);
    let fixed = kind == "char";
    let (low, high, style) = match max {
        36 if fixed || named(&["uuid", "guid"]) => (36, 36, Style::Uuid),
        _ if max >= 36 && named(&["uuid", "guid"]) => (36, 36, Style::Uuid),
        32 | 40 | 64 | 128 if fixed || hashed => (max, max, Style::Hex),
        _ if hashed && max >= 16 => (max.min(32), max.min(64), Style::Hex),
        0..=3 => return codes(max, fixed),
        _ if named(&["mail"]) => (18.min(max), 32.min(max), Style::Email),
        _ if named(&["url", "uri", "link", "href", "website", "image", "path", "referer", "referrer"]) => {
            (36, 96, Style::Url)
        }
        _ if named(&["slug", "alias", "handle", "login", "nick"]) => (6, 32, Style::Slug),
        _ if named(&["phone", "mobile", "fax", "zip", "postcode", "postal"]) => (5, 12, Style::Digits),
        _ if max >= 15 && (name == "ip" || named(&["ip_addr", "ipaddr", "_ip", "remote_addr"])) => {
            (8, 15, Style::Address)
        }
        _ if named(&["name", "title", "city", "subject", "label"]) => (6, 40.min(max), Style::Name),
        _ if kind == "varchar" || fixed => (3.min(max / 2), (max / 4).clamp(16, 80).min(max), Style::Words),
        _ => (40, 400, Style::Words),
    };
    Shape::Text(Text::new(max, low, high, style))
}

/// Texts of up to three characters are codes: of countries, languages, currencies, or flags.
fn codes(max: usize, fixed: bool) -> Shape {
    let (low, high) = if fixed { (max, max) } else { (max.min(1), max) };
    Shape::Text(Text::new(max, low, high, Style::Hex))
}

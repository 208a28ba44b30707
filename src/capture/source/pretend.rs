//! What Laravel's `migrate --pretend` prints: a line a statement, behind its migration's name (to version 8:
//! `CreateUsersTable: create table …`) or a sign (`⇂ create table …`, from version 9 on).

use anyhow::Result;

use super::lines::Lines;
use crate::capture::record::{Dropped, Event, Heard, Listener};
use crate::capture::scan::{Part, Quotes, first_words, parts};

const SIGN: &[u8] = "⇂ ".as_bytes();

/// Reads the output.
///
/// # Errors
/// It cannot be read, the listener can take no more, or the person asked to stop.
pub fn read(lines: &mut Lines<'_>, listener: &dyn Listener) -> Result<()> {
    let mut open: Option<Heard> = None;
    while lines.advance()? {
        let line = plain(lines.line());
        if let Some(text) = statement(&line) {
            tell(&mut open, listener)?;
            let origin = lines.origin(lines.number());
            open = Some(Heard { session: 1, text: text.to_vec(), origin, ..Heard::default() });
        } else if is_title(&line) {
            tell(&mut open, listener)?;
        } else if let Some(heard) = &mut open {
            // A statement goes on where a literal holds a line's end.
            heard.text.push(b'\n');
            heard.text.extend_from_slice(&line);
        }
    }
    tell(&mut open, listener)
}

fn tell(open: &mut Option<Heard>, listener: &dyn Listener) -> Result<()> {
    let Some(mut heard) = open.take() else { return Ok(()) };
    let length = heard.text.trim_ascii_end().len();
    heard.text.truncate(length);
    let bound = parts(&heard.text, Quotes::default())
        .any(|(part, range)| part == Part::Code && heard.text[range].contains(&b'?'));
    if bound {
        let why = "a statement with values that Laravel did not print (?)".to_owned();
        return listener.hear(Event::Dropped(Dropped { session: Some(1), origin: heard.origin, why }));
    }
    listener.hear(Event::Heard(heard))
}

/// The line without colours.
fn plain(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        if line[at..].starts_with(b"\x1b[") {
            at += 2 + line[at + 2..].iter().take_while(|byte| !byte.is_ascii_alphabetic()).count() + 1;
        } else {
            out.push(line[at]);
            at += 1;
        }
    }
    out
}

/// What follows the sign or the migration's name.
fn statement(line: &[u8]) -> Option<&[u8]> {
    let trimmed = line.trim_ascii_start();
    if let Some(rest) = trimmed.strip_prefix(SIGN) {
        return Some(rest.trim_ascii());
    }
    let colon = memchr::memchr(b':', &line[..line.len().min(200)])?;
    let name = &line[..colon];
    let rest = line[colon + 1..].strip_prefix(b" ")?;
    let [verb] = first_words::<1>(rest);
    let named = name.first().is_some_and(u8::is_ascii_uppercase) && name.iter().all(u8::is_ascii_alphanumeric);
    let verbs =
        ["CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "RENAME", "SET", "SELECT", "REPLACE", "TRUNCATE"];
    (named && verbs.contains(&verb.as_str())).then_some(rest)
}

/// `INFO  Running migrations.` and `2014_10_12_000000_create_users_table ....`.
fn is_title(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    text.starts_with(b"INFO ")
        || text.starts_with(b"Migration table")
        || (text.first().is_some_and(u8::is_ascii_digit) && text.ends_with(b"."))
        || text.ends_with(b" DONE")
}

/// True when a source that begins with `text` is such an output.
pub fn begins(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').take(50).map(plain);
    lines.find(|line| !line.trim_ascii().is_empty() && !is_title(line)).is_some_and(|line| statement(&line).is_some())
}

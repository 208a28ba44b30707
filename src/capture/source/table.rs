//! `mysql.general_log` and `mysql.slow_log`: the server's own CSV files, or what `mysql --batch -e 'SELECT * FROM …'` prints.

use anyhow::Result;

use super::Kind;
use super::clock::Clock;
use super::general::{Entries, Entry};
use super::lines::Lines;
use crate::capture::record::{Dropped, Event, Heard, Listener};

/// Fields of a row, at most.
const FIELDS: usize = 16;

/// Reads a log's table.
///
/// # Errors
/// It cannot be read, the listener can take no more, or the person asked to stop.
pub fn read(lines: &mut Lines<'_>, listener: &dyn Listener) -> Result<()> {
    let mut entries = Entries::new(listener);
    let mut clock = Clock::default();
    while lines.advance()? {
        let origin = lines.origin(lines.number());
        let whole = lines.is_whole();
        let line = lines.line();
        if line.starts_with(b"event_time\t") || line.starts_with(b"start_time\t") || line.is_empty() {
            continue;
        }
        let drop = |why: &str| {
            listener.hear(Event::Dropped(Dropped { session: None, origin: origin.clone(), why: why.to_owned() }))
        };
        let Some(fields) = fields(line) else {
            drop(if whole {
                "a torn line: no row of the log"
            } else {
                "cut off in mid-statement: the log ends there"
            })?;
            continue;
        };
        let text = |at: usize| String::from_utf8_lossy(&fields[at]).into_owned();
        let at = clock.read(&fields[0]);
        let told = match (at, fields.len()) {
            (Some(_), 6) => {
                let Ok(session) = text(2).parse() else {
                    drop("a torn line: no row of the log")?;
                    continue;
                };
                entries.tell(Entry { at, session, command: &fields[4], argument: &fields[5], origin })
            }
            (Some(_), 11..=13) => {
                let count = |at: usize| text(at).parse::<u64>().ok();
                let mut heard = Heard {
                    session: fields.get(11).and_then(|id| std::str::from_utf8(id).ok()?.parse().ok()).unwrap_or(1),
                    text: fields[10].clone(),
                    origin,
                    at,
                    seconds: span(&text(2)),
                    rows_sent: count(4),
                    rows_examined: count(5),
                    rows_affected: if fields.len() > 12 { count(12) } else { None },
                    ..Heard::default()
                };
                if !fields[6].is_empty() && fields[6] != b"NULL" {
                    heard.state.insert("database".to_owned(), text(6));
                }
                for (name, at) in [("last_insert_id", 7), ("insert_id", 8)] {
                    if let Some(value) = count(at).filter(|value| *value > 0) {
                        heard.state.insert(name.to_owned(), value.to_string());
                    }
                }
                listener.hear(Event::Heard(heard))
            }
            _ => drop("a torn line: no row of the log"),
        };
        told?;
    }
    Ok(())
}

/// `00:00:01.000124` in seconds.
fn span(text: &str) -> Option<f64> {
    let mut parts = text.split(':').map(str::parse::<f64>);
    let (hours, minutes, seconds) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some(hours * 3600.0 + minutes * 60.0 + seconds)
}

/// The fields of a row; none when a quote does not close.
fn fields(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    if !line.starts_with(b"\"") {
        return Some(line.split(|byte| *byte == b'\t').take(FIELDS).map(unescaped).collect());
    }
    let mut fields = Vec::new();
    let mut at = 0;
    while fields.len() < FIELDS {
        let rest = &line[at..];
        let end = if rest.first() == Some(&b'"') {
            let mut end = 1;
            loop {
                match *rest.get(end)? {
                    b'\\' => end += 2,
                    // Other programs' CSV doubles quotes.
                    b'"' if rest.get(end + 1) == Some(&b'"') && rest.get(end + 2) != Some(&b',') => end += 2,
                    b'"' => break,
                    _ => end += 1,
                }
            }
            fields.push(unescaped(&rest[1..end]));
            end + 1
        } else {
            let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
            fields.push(rest[..end].to_vec());
            end
        };
        match rest.get(end) {
            None => return Some(fields),
            Some(b',') => at += end + 1,
            Some(_) => return None,
        }
    }
    None
}

/// `\n`, `\t`, `\\`, `\"`, `\0` and doubled quotes for what they stand for.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let next = text.get(at + 1).copied();
        let (byte, length) = match (text[at], next) {
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b't')) => (b'\t', 2),
            (b'\\', Some(b'0')) => (0, 2),
            (b'\\', Some(other)) => (other, 2),
            (b'"', Some(b'"')) => (b'"', 2),
            (byte, _) => (byte, 1),
        };
        out.push(byte);
        at += length;
    }
    out
}

/// What a source that begins with `text` is, when it is one of these.
pub fn begins(text: &[u8]) -> Option<Kind> {
    let line = text.split(|byte| *byte == b'\n').next()?;
    if line.starts_with(b"event_time\tuser_host") {
        return Some(Kind::GeneralTable);
    }
    if line.starts_with(b"start_time\tuser_host") {
        return Some(Kind::SlowTable);
    }
    if !line.starts_with(b"\"") {
        return None;
    }
    let fields = fields(line)?;
    Clock::default().read(&fields[0])?;
    match fields.len() {
        6 => Some(Kind::GeneralTable),
        11..=13 => Some(Kind::SlowTable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_the_server_writes_them() {
        let line = br#""2026-11-21 18:14:45.760364","root[root] @ localhost []",8,1,"Query","update t set v='tab\\n\"le', w=\"\"""#;
        let fields = fields(line).expect("fields");
        assert_eq!(fields.len(), 6);
        assert_eq!(String::from_utf8_lossy(&fields[5]), r#"update t set v='tab\n"le', w="""#);
        assert_eq!(super::fields(b"\"open"), None);
        assert_eq!(span("00:01:02.5"), Some(62.5));
    }
}

//! The slow log of MySQL (with `log_slow_extra` too), MariaDB and Percona Server, as a file.
//!
//! An entry is a head of `# Key: value` lines, then `use db;` and `SET timestamp=…;`, then the statement up to the next head. It
//! is written when the statement ends.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::clock::Clock;
use super::lines::Lines;
use crate::capture::noise::chatter;
use crate::capture::record::{Dropped, Event, Heard, Listener, Sent, State};
use crate::capture::scan::{first_words, is_space};

/// Reads a slow log.
///
/// # Errors
/// It cannot be read, the listener can take no more, or the person asked to stop.
pub fn read(lines: &mut Lines<'_>, listener: &dyn Listener) -> Result<()> {
    let mut clock = Clock::default();
    let mut entry = Entry::default();
    let (mut in_head, mut begun, mut whole) = (false, false, true);
    // A time stands for all entries up to the next one.
    let mut time = None;
    let mut stamps = Stamps::default();
    while lines.advance()? {
        let line = lines.with_end();
        whole = lines.is_whole();
        if is_head(line) {
            if !in_head {
                entry.tell(listener, lines, begun)?;
                entry = Entry { written: time, line: lines.number(), ..Entry::default() };
                (in_head, begun) = (true, true);
            }
            if let Some(text) = line.strip_prefix(b"# Time: ") {
                time = clock.read(text.trim_ascii()).or(time);
                entry.written = time;
            } else {
                entry.head(line);
            }
            continue;
        }
        if is_banner(line) {
            entry.tell(listener, lines, begun)?;
            (entry, begun, in_head) = (Entry::default(), false, false);
            continue;
        }
        if !begun {
            if !line.trim_ascii().is_empty() && !is_banner_rest(line) {
                listener.hear(dropped(lines, lines.number(), "a torn line: no entry before it"))?;
            }
            continue;
        }
        // Between the head and the statement: which database, and what was set for it.
        if in_head && (stamps.take(line, &mut entry.heard.state) || entry.preamble(line, &mut stamps)) {
            continue;
        }
        in_head = false;
        entry.text.extend_from_slice(line);
    }
    if begun && (!whole || !entry.ends()) {
        return listener.hear(dropped(lines, entry.line, "cut off in mid-statement: the log ends there"));
    }
    entry.tell(listener, lines, begun)
}

fn dropped(lines: &Lines<'_>, line: u64, why: &str) -> Event {
    Event::Dropped(Dropped { session: None, origin: lines.origin(line), why: why.to_owned() })
}

#[derive(Default)]
struct Entry {
    line: u64,
    written: Option<Timestamp>,
    session: u64,
    heard: Heard,
    text: Vec<u8>,
}

impl Entry {
    /// Takes a line of the head: pairs of `Key: value`.
    fn head(&mut self, line: &[u8]) {
        let line = &line[line.iter().take_while(|byte| **byte == b'#').count()..];
        let mut words = line.split(|byte| is_space(*byte)).filter(|word| !word.is_empty()).peekable();
        while let Some(word) = words.next() {
            let Some(key) = word.strip_suffix(b":") else { continue };
            let Some(value) = words.peek().filter(|value| !value.ends_with(b":") || value.len() == 1) else { continue };
            let text = || std::str::from_utf8(value).ok();
            let count = || text()?.parse::<u64>().ok();
            match key {
                b"Id" | b"Thread_id" => self.session = count().unwrap_or(self.session),
                b"Schema" | b"db" => {
                    self.heard.state.insert("database".to_owned(), String::from_utf8_lossy(value).into_owned());
                }
                b"Query_time" => self.heard.seconds = text().and_then(|text| text.parse().ok()),
                b"Rows_sent" => self.heard.rows_sent = count(),
                b"Rows_examined" => self.heard.rows_examined = count(),
                b"Rows_affected" => self.heard.rows_affected = count(),
                b"Last_errno" | b"Errno" => {
                    let number = text().and_then(|text| text.parse().ok()).filter(|number| *number != 0);
                    self.heard.error = number.map(|number: u16| (number, "(the log tells the number only)".to_owned()));
                }
                b"Stored_routine" => self.heard.sent = Sent::Nested,
                _ => continue,
            }
            words.next();
        }
    }

    /// Takes a line between the head and the statement; false for what belongs to the statement.
    fn preamble(&mut self, line: &[u8], stamps: &mut Stamps) -> bool {
        // A first look: what stands here is the statement's first line, as a rule.
        let first = line.trim_ascii_start().first();
        if first.is_some_and(|byte| byte.is_ascii() && !matches!(byte, b'u' | b'S' | b';' | 0x0b)) {
            return false;
        }
        let before = self.heard.state.clone();
        let text = String::from_utf8_lossy(line);
        let text = text.trim().trim_end_matches(';');
        let known = |name: &str| matches!(name, "timestamp" | "insert_id" | "last_insert_id");
        // They stand in the capture as they are: of a torn line they may hold anything.
        let number = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if let Some(database) = text.strip_prefix("use ") {
            // The statement `USE db` itself stands after the timestamp, in the client's own spelling.
            if self.heard.state.contains_key("timestamp") {
                return false;
            }
            let name = database.trim().trim_matches('`').replace("``", "`");
            self.heard.state.insert("database".to_owned(), name);
            return true;
        }
        let Some(settings) = text.strip_prefix("SET ") else { return text.is_empty() };
        if self.heard.state.contains_key("timestamp") {
            return false;
        }
        let pairs: Option<BTreeMap<String, String>> = settings
            .split(',')
            .map(|pair| pair.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())))
            .collect();
        match pairs {
            Some(pairs)
                if pairs.contains_key("timestamp")
                    && pairs.iter().all(|(name, value)| known(name) && number(value)) =>
            {
                self.heard.state.extend(pairs);
                stamps.keep(line, before, &self.heard.state);
                true
            }
            _ => false,
        }
    }

    /// The statement ends as the server ends one.
    fn ends(&self) -> bool {
        let text = self.text.trim_ascii();
        text.ends_with(b";") || text.starts_with(b"# administrator command:")
    }

    fn tell(&mut self, listener: &dyn Listener, lines: &Lines<'_>, begun: bool) -> Result<()> {
        if !begun {
            return Ok(());
        }
        let mut heard = std::mem::take(&mut self.heard);
        let text = self.text.trim_ascii();
        if let Some(command) = text.strip_prefix(b"# administrator command: ") {
            let command = String::from_utf8_lossy(command).trim_end_matches(';').trim().to_owned();
            return match command.as_str() {
                "Quit" => listener.hear(Event::Ended { session: self.session }),
                "Prepare" => listener.hear(dropped(lines, self.line, chatter::PREPARED)),
                _ => listener.hear(dropped(lines, self.line, chatter::PINGS)),
            };
        }
        if text.is_empty() {
            return listener.hear(dropped(lines, self.line, "an entry without a statement"));
        }
        let text = text.strip_suffix(b";").unwrap_or(text);
        let [verb] = first_words::<1>(text);
        // The log has what they ran, as an entry of its own.
        if matches!(verb.as_str(), "PREPARE" | "EXECUTE" | "DEALLOCATE") {
            return listener.hear(dropped(lines, self.line, chatter::AS_SQL));
        }
        // Microseconds and more are lost in `SET timestamp`: what it decides is seconds.
        let seconds = heard.seconds.filter(|seconds| (0.0..1e9).contains(seconds)).unwrap_or(0.0);
        heard.at = self.written.and_then(|at| at.checked_sub(SignedDuration::from_secs_f64(seconds)).ok());
        heard.session = self.session;
        heard.text = text.to_vec();
        heard.origin = lines.origin(self.line);
        listener.hear(Event::Heard(heard))
    }
}

/// What the line that sets a statement's time made of its state: of thousands of statements in a second it is one and the same.
#[derive(Default)]
struct Stamps {
    line: Vec<u8>,
    before: State,
    after: State,
}

impl Stamps {
    /// Takes a line that was there before, for the same state.
    fn take(&self, line: &[u8], state: &mut State) -> bool {
        let known = line == self.line && !line.is_empty() && *state == self.before;
        if known {
            *state = self.after.clone();
        }
        known
    }

    fn keep(&mut self, line: &[u8], before: State, after: &State) {
        self.line.clear();
        self.line.extend_from_slice(line);
        (self.before, self.after) = (before, after.clone());
    }
}

/// A line of an entry's head. Statements may hold comments: only known keys count.
fn is_head(line: &[u8]) -> bool {
    const KEYS: [&[u8]; 18] = [
        b"Time: ",
        b"User@Host: ",
        b"Query_time: ",
        b"Thread_id: ",
        b"Rows_affected: ",
        b"Schema: ",
        b"Bytes_sent: ",
        b"Tmp_tables: ",
        b"Full_scan: ",
        b"Filesort: ",
        b"QC_Hit: ",
        b"InnoDB_",
        b"  InnoDB_",
        b"No InnoDB statistics",
        b"Stored_routine: ",
        b"explain: ",
        b"Log_slow_rate_type: ",
        b"Pages_accessed: ",
    ];
    line.strip_prefix(b"# ")
        .is_some_and(|rest| KEYS.iter().any(|key| key.first() == rest.first() && rest.starts_with(key)))
}

fn is_banner(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.ends_with(b"started with:") && memchr::memmem::find(line, b", Version: ").is_some()
}

fn is_banner_rest(line: &[u8]) -> bool {
    line.starts_with(b"Tcp port:") || line.starts_with(b"Time  ") || line.starts_with(b"Time\t")
}

/// True when a source that begins with `text` is a slow log.
pub fn begins(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').take(400);
    lines.any(|line| line.starts_with(b"# User@Host: ") || line.starts_with(b"# Query_time: "))
}

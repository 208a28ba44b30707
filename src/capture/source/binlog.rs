//! A binary log as `mysqlbinlog` and `mariadb-binlog` print it.
//!
//! Statement events are taken as they stand, with what the log says of their session. Of changed rows the statement is taken that
//! the log may hold beside them (MariaDB's `binlog_annotate_row_events`; MySQL's `binlog_rows_query_log_events`, printed with
//! `-vv`): it locks what the upgrade locked. Rows without their statement cannot be sent again: their tables are named.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;

use super::clock::Clock;
use super::lines::Lines;
use super::trigger::Bodies;
use crate::capture::noise::chatter;
use crate::capture::record::{Dropped, Event, Heard, Listener, Sent, State};

/// What ends each statement.
const END: &[u8] = b"/*!*/;";

/// Session settings that decide what a statement does; the others are the tool's own.
const SETTINGS: [&str; 9] = [
    "foreign_key_checks",
    "unique_checks",
    "sql_mode",
    "sql_auto_is_null",
    "auto_increment_increment",
    "auto_increment_offset",
    "collation_connection",
    "time_zone",
    "check_constraint_checks",
];

/// Reads the text of a binary log.
///
/// # Errors
/// It cannot be read, the listener can take no more, or the person asked to stop.
pub fn read(lines: &mut Lines<'_>, listener: &dyn Listener) -> Result<()> {
    let mut reader = Reader {
        listener,
        clock: Clock::default(),
        bodies: Bodies::default(),
        event: String::new(),
        session: 0,
        at: None,
        seconds: None,
        error: None,
        state: State::default(),
        once: BTreeMap::new(),
        text: Vec::new(),
        text_line: 0,
        variables: Vec::new(),
        note: None,
        noted: false,
        in_rows: false,
        begin: None,
    };
    let mut encoded = false;
    while lines.advance()? {
        let line = lines.with_end();
        if encoded {
            encoded = !line.trim_ascii().ends_with(END);
            continue;
        }
        if reader.text.is_empty() {
            if line.trim_ascii().is_empty() || line.starts_with(b"DELIMITER ") {
                continue;
            }
            if line.starts_with(b"BINLOG '") {
                encoded = true;
                continue;
            }
            if let Some(change) = line.strip_prefix(b"### ") {
                reader.row(change, lines)?;
                continue;
            }
            if line.starts_with(b"#") {
                reader.comment(lines)?;
                continue;
            }
            reader.text_line = lines.number();
        }
        reader.text.extend_from_slice(line);
        if line.trim_ascii_end().ends_with(END) {
            reader.finish(lines)?;
        } else if line.starts_with(b"# at ") {
            // A statement of the frame that ends with a plain semicolon, or one that the log was cut in.
            reader.cut(lines)?;
        } else if line.trim_ascii_end().ends_with(b"*/;") && reader.text.starts_with(b"/*!") {
            reader.finish(lines)?;
        }
    }
    if !reader.text.is_empty() {
        reader.cut(lines)?;
    }
    Ok(())
}

struct Reader<'a> {
    listener: &'a dyn Listener,
    clock: Clock,
    bodies: Bodies,
    /// The kind of the event that is being printed.
    event: String,
    session: u64,
    at: Option<Timestamp>,
    seconds: Option<f64>,
    error: Option<u16>,
    state: State,
    once: BTreeMap<String, String>,
    text: Vec<u8>,
    text_line: u64,
    /// User variables that the next statement reads.
    variables: Vec<Vec<u8>>,
    /// The statement that the rows that follow come from, and its line; it waits for the table, which tells the database.
    note: Option<(Vec<u8>, u64)>,
    /// The rows that are being printed have their statement.
    noted: bool,
    in_rows: bool,
    /// A transaction began, and the thread is not known yet.
    begin: Option<u64>,
}

impl Reader<'_> {
    /// A line that begins with `#`: the head of an event, or a remark on it.
    fn comment(&mut self, lines: &Lines<'_>) -> Result<()> {
        let line = lines.line();
        if let Some(note) = line.strip_prefix(b"#Q> ") {
            match &mut self.note {
                Some((text, _)) => {
                    text.push(b'\n');
                    text.extend_from_slice(note);
                }
                None => self.note = Some((note.to_vec(), lines.number())),
            }
            return Ok(());
        }
        let text = String::from_utf8_lossy(line);
        if self.event == "Rows_query" && line.starts_with(b"# ") && !line.starts_with(b"# at ") {
            let note = line[2..].to_vec();
            match &mut self.note {
                Some((text, _)) => {
                    text.push(b'\n');
                    text.extend(note);
                }
                None => self.note = Some((note, lines.number())),
            }
            return Ok(());
        }
        let Some((time, event)) = head(&text) else { return Ok(()) };
        self.at = self.clock.read(time.as_bytes()).or(self.at);
        for (key, value) in event.split_whitespace().filter_map(|word| word.split_once('=')) {
            match key {
                "thread_id" => self.session = value.parse().unwrap_or(self.session),
                // Whole seconds: 0 says nothing.
                "exec_time" => self.seconds = value.parse().ok().filter(|seconds| *seconds > 0.0),
                "error_code" => self.error = value.parse().ok().filter(|code| *code != 0),
                _ => {}
            }
        }
        let kind = event.split([' ', '\t', ':']).next().unwrap_or("");
        kind.clone_into(&mut self.event);
        match kind {
            "Annotate_rows" => self.note = None,
            "Table_map" => {
                let table = event.split('`').collect::<Vec<_>>();
                let database = table.get(1).copied().unwrap_or("").to_owned();
                self.noted_statement(&database, lines)?;
            }
            "Query" | "GTID" | "Anonymous_GTID" | "Gtid" => {
                self.noted = false;
                self.in_rows = false;
            }
            _ => {}
        }
        Ok(())
    }

    /// The statement that rows come from, now that their database is known.
    fn noted_statement(&mut self, database: &str, lines: &Lines<'_>) -> Result<()> {
        let Some((text, line)) = self.note.take() else { return Ok(()) };
        // MariaDB names the trigger's statement instead of the one that fired it.
        if self.bodies.hold(&text) {
            self.noted = false;
            return Ok(());
        }
        self.noted = true;
        self.began(lines)?;
        let mut state = self.state.clone();
        state.insert("database".to_owned(), database.to_owned());
        let heard =
            Heard { session: self.session, text, origin: lines.origin(line), at: self.at, state, ..Heard::default() };
        self.listener.hear(Event::Heard(heard))
    }

    /// A line of a changed row.
    fn row(&mut self, change: &[u8], lines: &Lines<'_>) -> Result<()> {
        let verb = ["INSERT INTO ", "UPDATE ", "DELETE FROM "].iter().find(|verb| change.starts_with(verb.as_bytes()));
        let Some(verb) = verb else { return Ok(()) };
        let table = String::from_utf8_lossy(change[verb.len()..].trim_ascii()).replace('`', "");
        let why = match self.noted {
            true => chatter::ROWS.to_owned(),
            false => format!("changed rows of {table} without their statement"),
        };
        self.drop(why, lines.number(), lines)
    }

    fn drop(&self, why: String, line: u64, lines: &Lines<'_>) -> Result<()> {
        self.listener.hear(Event::Dropped(Dropped { session: Some(self.session), origin: lines.origin(line), why }))
    }

    /// What was cut off by the next event, or by the end.
    fn cut(&mut self, lines: &Lines<'_>) -> Result<()> {
        let text = std::mem::take(&mut self.text);
        let last = text.trim_ascii_end();
        // The frame's own last lines end with a semicolon alone.
        if last.ends_with(b";")
            && (last.starts_with(b"SET ") || last.starts_with(b"/*!") || last.starts_with(b"ROLLBACK"))
        {
            return Ok(());
        }
        self.drop("cut off in mid-statement: the log ends there".to_owned(), self.text_line, lines)
    }

    /// A transaction whose thread is known by now.
    fn began(&mut self, lines: &Lines<'_>) -> Result<()> {
        let Some(line) = self.begin.take() else { return Ok(()) };
        let heard = Heard {
            session: self.session,
            text: b"BEGIN".to_vec(),
            origin: lines.origin(line),
            at: self.at,
            state: self.state.clone(),
            ..Heard::default()
        };
        self.listener.hear(Event::Heard(heard))
    }

    /// What ended with its delimiter.
    fn finish(&mut self, lines: &Lines<'_>) -> Result<()> {
        let mut text = std::mem::take(&mut self.text);
        let length = text.trim_ascii_end().len();
        text.truncate(length);
        let text = text.strip_suffix(END).unwrap_or(&text).trim_ascii_end();
        if text.starts_with(b"/*!") || text.starts_with(b"/*M!") {
            // `/*!\C utf8mb4 */`: the character set of what follows, in the client's words.
            if let Some(charset) = text.strip_prefix(b"/*!\\C ") {
                let charset: Vec<u8> = charset.iter().copied().take_while(u8::is_ascii_alphanumeric).collect();
                self.state.insert("character_set_client".to_owned(), String::from_utf8_lossy(&charset).into_owned());
                return Ok(());
            }
            // The frame; a statement of the log that is an executed comment stands in a Query event and creates something.
            let upper = String::from_utf8_lossy(&text[..text.len().min(64)]).to_ascii_uppercase();
            if upper.contains("SET TRANSACTION ISOLATION")
                || upper.contains("SET @@")
                || upper.contains("SET @OLD")
                || upper.contains("SET COMPLETION")
            {
                return Ok(());
            }
        }
        if let Some(name) = text.strip_prefix(b"use ") {
            let name = String::from_utf8_lossy(name).trim().trim_matches('`').replace("``", "`");
            self.state.insert("database".to_owned(), name);
            return Ok(());
        }
        if text.starts_with(b"SET ") && self.set(text) {
            return Ok(());
        }
        if text == b"BEGIN" || text == b"START TRANSACTION" {
            self.begin = Some(self.text_line);
            return Ok(());
        }
        // The frame's, before the first event; later ones are transactions that were taken back and yet had to be logged.
        if text == b"ROLLBACK" && self.event == "Start" {
            return Ok(());
        }
        // Nothing of the transaction could be given: it is left out whole.
        if self.begin.is_some() && (text == b"COMMIT" || text == b"ROLLBACK") {
            self.begin = None;
            return Ok(());
        }
        self.began(lines)?;
        for variable in std::mem::take(&mut self.variables) {
            let origin = lines.origin(self.text_line);
            self.listener.hear(Event::Heard(Heard {
                session: self.session,
                text: variable,
                origin,
                ..Heard::default()
            }))?;
        }
        self.bodies.note(text);
        let mut state = self.state.clone();
        if !self.once.is_empty() {
            state.append(&mut self.once);
        }
        self.listener.hear(Event::Heard(Heard {
            session: self.session,
            text: text.to_vec(),
            sent: Sent::Text,
            origin: lines.origin(self.text_line),
            at: self.at,
            seconds: self.seconds.take(),
            error: self.error.take().map(|code| (code, "(the log tells the number only)".to_owned())),
            state,
            ..Heard::default()
        }))
    }

    /// A SET of the log's own frame: kept as state of what follows; false for one that the application sent.
    fn set(&mut self, text: &[u8]) -> bool {
        let line = String::from_utf8_lossy(text);
        let given = &line[4..];
        if given.starts_with("@`") {
            self.variables.push(text.to_vec());
            return true;
        }
        let frame = given.starts_with("@@")
            || given.starts_with("TIMESTAMP=")
            || given.starts_with("INSERT_ID=")
            || given.starts_with("LAST_INSERT_ID=");
        if !frame {
            return false;
        }
        for pair in given.split(',') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let name = name.trim().to_ascii_lowercase();
            let name = name.trim_start_matches("@@").trim_start_matches("session.");
            let value = value.trim().to_owned();
            match name {
                "timestamp" => drop(self.state.insert("timestamp".to_owned(), value)),
                "insert_id" | "last_insert_id" | "rand_seed1" | "rand_seed2" => {
                    drop(self.once.insert(name.to_owned(), value))
                }
                name if SETTINGS.contains(&name) => drop(self.state.insert(name.to_owned(), value)),
                _ => {}
            }
        }
        true
    }
}

/// `#261121 18:16:14 server id 1  end_log_pos 493 CRC32 0xbe211949 <tab>Query<tab>thread_id=5 …`: the time, and what follows the
/// first tab.
fn head(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix('#')?;
    let (time, rest) = rest.split_once(" server id ")?;
    let (_, event) = rest.split_once('\t')?;
    Some((time.trim(), event))
}

//! What a session's commands and their answers say, as events.

use std::sync::Arc;

use anyhow::Result;
use jiff::SignedDuration;

use super::answer::{Answer, Outcome};
use super::capability::Capabilities;
use super::command::{self, Command};
use super::local::Saved;
use super::prepared::{Statements, without_attributes};
use super::value::Style;
use crate::capture::record::{Began, Dropped, Event, Heard, Listener, Sent, State};
use crate::sql::record::{Origin, quote_identifier};
use crate::sql::sent;

/// Tells one session.
pub(super) struct Teller {
    listener: Arc<dyn Listener>,
    session: u64,
    /// `user@host`.
    account: String,
    place: u64,
    pub capabilities: Capabilities,
    /// COM_SET_OPTION can turn several statements in a packet on and off.
    several: bool,
    statements: Statements,
    pub style: Style,
    /// The session has set its own `timestamp`: no other is told.
    own_clock: bool,
    /// Files that the client sent since the last event, in order.
    pub saved: Vec<Option<Saved>>,
}

impl Teller {
    pub fn new(listener: Arc<dyn Listener>, session: u64, capabilities: Capabilities) -> Self {
        Self {
            listener,
            session,
            account: String::new(),
            place: 0,
            capabilities,
            several: capabilities.has(Capabilities::MULTI_STATEMENTS),
            statements: Statements::default(),
            style: Style::default(),
            own_clock: false,
            saved: Vec::new(),
        }
    }

    /// The session began, or began anew: as another account, or as the same.
    pub fn began(
        &mut self,
        account: Option<String>,
        database: String,
        settings: Vec<String>,
        charset: String,
    ) -> Result<()> {
        self.account = account.unwrap_or_else(|| std::mem::take(&mut self.account));
        let account = self.account.clone();
        self.statements.clear();
        self.own_clock = false;
        self.style = Style { charset, no_backslash: false };
        let found_rows = self.capabilities.has(Capabilities::FOUND_ROWS);
        self.listener.hear(Event::Began(Began { session: self.session, account, database, settings, found_rows }))
    }

    /// The session ended.
    pub fn ended(&self) -> Result<()> {
        self.listener.hear(Event::Ended { session: self.session })
    }

    fn origin(&mut self) -> Origin {
        self.place += 1;
        Origin { file: format!("session {}", self.session), line: self.place, column: 0 }
    }

    /// Something was sent that cannot be sent again.
    pub fn dropped(&mut self, why: impl Into<String>) -> Result<()> {
        let origin = self.origin();
        self.listener.hear(Event::Dropped(Dropped { session: Some(self.session), origin, why: why.into() }))
    }

    /// Takes a command that has no answer.
    pub fn unanswered(&mut self, command: &Command) {
        match command.code {
            command::STMT_CLOSE => self.statements.closed(&command.payload),
            command::STMT_SEND_LONG_DATA => self.statements.long_data(&command.payload, command.cut),
            _ => {}
        }
    }

    /// Takes a command whose answer has ended, or will not come any more.
    pub fn answered(&mut self, command: Command, answer: Answer) -> Result<()> {
        let told = self.tell(command, answer);
        self.saved.clear();
        told
    }

    fn tell(&mut self, command: Command, answer: Answer) -> Result<()> {
        if let Some(no_backslash) = answer.no_backslash {
            self.style.no_backslash = no_backslash;
        }
        let failed = answer.outcomes.iter().any(|outcome| outcome.error.is_some());
        if command.cut {
            return self.dropped("a statement of more bytes than are held");
        }
        let named = |verb: &str| {
            let name = String::from_utf8_lossy(&command.payload);
            format!("{verb} {}", quote_identifier(name.trim_end_matches('\0'))).into_bytes()
        };
        match command.code {
            command::QUERY => self.text(command, answer),
            command::INIT_DB => self.heard(named("USE"), Sent::Text, &command, &answer.outcomes),
            command::CREATE_DB => self.heard(named("CREATE DATABASE"), Sent::Text, &command, &answer.outcomes),
            command::DROP_DB => self.heard(named("DROP DATABASE"), Sent::Text, &command, &answer.outcomes),
            command::REFRESH => self.refreshed(&command, &answer.outcomes),
            command::PROCESS_KILL => self.dropped("COM_PROCESS_KILL, which names a session of this run"),
            command::SHUTDOWN => self.dropped("COM_SHUTDOWN"),
            command::STMT_PREPARE => match answer.made {
                Some(made) if !failed => {
                    self.statements.made(made, command.payload, self.style.no_backslash);
                    Ok(())
                }
                _ => {
                    let error = answer.outcomes.last().and_then(|outcome| outcome.error.as_ref());
                    let number = error.map(|(number, _)| number.to_string()).unwrap_or_default();
                    self.dropped(format!("a statement that was refused when it was prepared (error {number})"))
                }
            },
            command::STMT_EXECUTE => match self.statements.executed(&command.payload, self.capabilities, &self.style) {
                Ok((text, _)) => self.heard(text, Sent::Prepared, &command, &answer.outcomes),
                Err(why) => self.dropped(why),
            },
            command::STMT_BULK_EXECUTE => self.bulk(&command, &answer.outcomes),
            command::STMT_RESET => {
                self.statements.reset(&command.payload);
                Ok(())
            }
            command::SET_OPTION => {
                // 0 turns them on, 1 off (`MYSQL_OPTION_MULTI_STATEMENTS_ON`).
                if !failed {
                    self.several = command.payload.first() == Some(&0);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn text(&mut self, mut command: Command, answer: Answer) -> Result<()> {
        let Some(text) = without_attributes(&command.payload, self.capabilities) else {
            return self.dropped("a statement whose query attributes do not read");
        };
        let outcomes = &answer.outcomes;
        let failed = outcomes.last().is_some_and(|outcome| outcome.error.is_some());
        if !self.several || outcomes.len() < 2 && !failed || memchr::memchr(b';', text).is_none() {
            let text = text.to_vec();
            return self.heard(text, Sent::Text, &command, outcomes);
        }
        let mut left = &outcomes[..];
        let text = text.to_vec();
        for place in sent::several(&text, self.style.no_backslash) {
            let text = &text[place];
            if left.is_empty() {
                self.dropped("a statement that was not run, for one before it in its packet failed")?;
                continue;
            }
            let (own, rest) = left.split_at(results_of(text, left));
            left = rest;
            self.heard(text.to_vec(), Sent::Text, &command, own)?;
            let seconds: f64 = own.iter().map(|outcome| outcome.seconds).sum();
            command.at += SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
        }
        Ok(())
    }

    /// FLUSH in its old shape; the bits are those of `mysql_com.h`.
    fn refreshed(&mut self, command: &Command, outcomes: &[Outcome]) -> Result<()> {
        const WHAT: [(u8, &str); 5] = [(1, "PRIVILEGES"), (2, "LOGS"), (4, "TABLES"), (8, "HOSTS"), (16, "STATUS")];
        let bits = command.payload.first().copied().unwrap_or(0);
        for (_, what) in WHAT.iter().filter(|(bit, _)| bits & bit != 0) {
            self.heard(format!("FLUSH {what}").into_bytes(), Sent::Text, command, outcomes)?;
        }
        Ok(())
    }

    fn bulk(&mut self, command: &Command, outcomes: &[Outcome]) -> Result<()> {
        if let Some((number, _)) = outcomes.iter().find_map(|outcome| outcome.error.as_ref()) {
            return self.dropped(format!("a bulk execution that failed (error {number}): what it did is not known"));
        }
        let texts = match self.statements.bulk(&command.payload, &self.style) {
            Ok(texts) => texts,
            Err(why) => return self.dropped(why),
        };
        let each = command.begun.elapsed().as_secs_f64() / texts.len().max(1) as f64;
        for text in texts {
            // What each row did, the server does not say.
            let mut heard = self.draft(text, Sent::Prepared, command);
            heard.seconds = Some(each);
            self.listener.hear(Event::Heard(heard))?;
        }
        Ok(())
    }

    fn draft(&mut self, text: Vec<u8>, sent: Sent, command: &Command) -> Heard {
        let mut state = State::default();
        if !self.own_clock {
            let micros = command.at.as_microsecond();
            state.insert("timestamp".to_owned(), format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000));
        }
        let origin = self.origin();
        Heard { session: self.session, text, sent, origin, at: Some(command.at), state, ..Heard::default() }
    }

    fn heard(&mut self, text: Vec<u8>, sent: Sent, command: &Command, outcomes: &[Outcome]) -> Result<()> {
        let mut heard = self.draft(text, sent, command);
        heard.seconds = Some(outcomes.iter().map(|outcome| outcome.seconds).sum());
        let sum = |of: fn(&Outcome) -> Option<u64>| outcomes.iter().filter_map(of).reduce(|sum, more| sum + more);
        heard.rows_sent = sum(|outcome| outcome.rows_sent);
        heard.rows_affected = sum(|outcome| outcome.affected);
        if let Some(last) = outcomes.last() {
            heard.warnings = last.warnings.map(u64::from);
            heard.error.clone_from(&last.error);
            if last.insert_id > 0 && generates(&heard.text, last.insert_id) {
                heard.state.insert("insert_id".to_owned(), last.insert_id.to_string());
            }
        }
        if heard.error.is_none() {
            self.follow(&heard.text);
        }
        for outcome in outcomes.iter().filter(|outcome| outcome.file) {
            let saved = if self.saved.is_empty() { None } else { self.saved.remove(0) };
            match (saved, sent::local_file(&heard.text, self.style.no_backslash)) {
                (Some(saved), Some(place)) => {
                    let mut name = Vec::new();
                    self.style.quote(&mut name, saved.path.to_string_lossy().as_bytes());
                    heard.text.splice(place, name);
                }
                _ if outcome.error.is_none() => return self.dropped("LOAD DATA LOCAL, whose file was not kept"),
                _ => {}
            }
        }
        self.listener.hear(Event::Heard(heard))
    }

    /// What a statement changes that the reading of the next depends on.
    fn follow(&mut self, text: &[u8]) {
        let head = &text[..text.len().min(4096)];
        if !head.trim_ascii_start().get(..3).is_some_and(|verb| verb.eq_ignore_ascii_case(b"SET")) {
            return;
        }
        let words = sent::words(head, 64);
        self.own_clock |=
            words.iter().any(|word| matches!(word.as_str(), "TIMESTAMP" | "@@TIMESTAMP" | "@@SESSION.TIMESTAMP"));
        for (at, word) in words.iter().enumerate() {
            let after = match word.as_str() {
                "NAMES" | "CHARSET" => at + 1,
                "CHARACTER" if words.get(at + 1).is_some_and(|next| next == "SET") => at + 2,
                word if word.ends_with("CHARACTER_SET_CLIENT") => at + 2,
                _ => continue,
            };
            if let Some(name) = words.get(after).map(|name| name.trim_matches(['\'', '"', '`']).to_ascii_lowercase())
                && name != "default"
            {
                self.style.charset = name;
            }
        }
    }
}

/// How many of `left` are the results of the statement: a routine's end with an OK of its own, others give one.
fn results_of(text: &[u8], left: &[Outcome]) -> usize {
    if !matches!(
        sent::words(text, 1).first().map(String::as_str),
        Some("CALL" | "BEGIN" | "IF" | "WHILE" | "LOOP" | "FOR" | "REPEAT" | "CASE")
    ) {
        return 1;
    }
    let last = left.iter().position(|outcome| outcome.affected.is_some() || outcome.error.is_some());
    last.map_or(left.len(), |last| last + 1)
}

/// Whether `insert_id` in front of this statement gives its rows the ids that they got. Not where the id is one that the
/// statement names itself, and not where rows that were passed over used ids up: the server tells the first that stayed.
fn generates(text: &[u8], id: u64) -> bool {
    let verb = sent::words(&text[..text.len().min(256)], 1);
    matches!(verb.first().map(String::as_str), Some("INSERT" | "REPLACE"))
        && !names_number(text, id)
        && !["IGNORE", "DUPLICATE", "SELECT"].iter().any(|word| has_word(text, word.as_bytes()))
}

fn names_number(text: &[u8], number: u64) -> bool {
    let digits = number.to_string();
    memchr::memmem::find_iter(text, digits.as_bytes()).any(|at| {
        let beside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        !beside(at.checked_sub(1).and_then(|before| text.get(before))) && !beside(text.get(at + digits.len()))
    })
}

/// True for the word in any case; also inside of a literal, which costs nothing but an `insert_id`.
fn has_word(text: &[u8], word: &[u8]) -> bool {
    let (upper, lower) = (word[0], word[0].to_ascii_lowercase());
    memchr::memchr2_iter(upper, lower, text)
        .any(|at| text.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_id_is_told_only_where_it_gives_the_same_ids() {
        assert!(generates(b"INSERT INTO t (a) VALUES ('x'), ('y1')", 7));
        assert!(generates(b"/* hello */ REPLACE t SET a = 17", 7));
        for text in [
            "INSERT INTO t (id) VALUES (7)",
            "INSERT IGNORE INTO t (a) VALUES (1)",
            "insert into t (a) values (1) on duplicate key update a = 2",
            "INSERT INTO t (a) SELECT 1",
            "UPDATE t SET a = LAST_INSERT_ID(5)",
        ] {
            assert!(!generates(text.as_bytes(), 7), "{text}");
        }
    }

    #[test]
    fn a_routine_has_all_results_up_to_its_ok() {
        let rows = Outcome { rows_sent: Some(1), ..Outcome::default() };
        let done = Outcome { affected: Some(0), ..Outcome::default() };
        let left = [rows.clone(), rows, done.clone(), done];
        assert_eq!(results_of(b"CALL p()", &left), 3);
        assert_eq!(results_of(b"SELECT 1", &left), 1);
    }
}

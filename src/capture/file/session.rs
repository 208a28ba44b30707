//! A session as the capture writes it: its number, its database, what it has set, and how to leave nothing of it behind.

use std::collections::{BTreeMap, BTreeSet};

use super::end::holds;
use super::text::{Encoding, Written, named_database};
use crate::capture::record::{Began, State};
use crate::capture::scan::{Part, Quotes, first_words, is_space, parts};
use crate::sql::record::quote_identifier;
use crate::sql::session_state::used_database;

/// One session of the replay. It may carry several sessions of the source, one after the other.
#[derive(Debug, Default)]
pub struct Session {
    /// Its number in `-- rehearse: session N`.
    pub number: u32,
    /// What decides what its bytes mean.
    pub encoding: Encoding,
    /// The database in use in the replay; none where nothing was written yet.
    database: Option<String>,
    /// It is in a database that no script can name.
    lost: bool,
    /// Statements to be written before its next one.
    pending: Vec<String>,
    /// What was given for the statement before, and still holds.
    given: BTreeMap<String, String>,
    /// The state that all of it comes from: the next statement has the same, as a rule.
    last: State,
    /// What it has set: the SET that takes it back.
    resets: BTreeMap<String, String>,
    temporary: BTreeSet<String>,
    in_transaction: bool,
    no_autocommit: bool,
    tables_locked: bool,
    lock_named: bool,
}

impl Session {
    /// The session with this number.
    pub fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// A session of the source begins here: what the one before it left is taken back, what this one has is given.
    pub fn begin(&mut self, began: &Began) {
        self.pending.extend(std::mem::take(&mut self.resets).into_values());
        for table in std::mem::take(&mut self.temporary) {
            self.pending.push(format!("DROP TEMPORARY TABLE IF EXISTS {table}"));
        }
        self.encoding = Encoding::default();
        self.given.clear();
        self.last = State::default();
        for setting in &began.settings {
            let set = format!("SET {setting}");
            self.follow(set.as_bytes());
            self.pending.push(set);
        }
        self.lost = false;
        self.used(&began.database);
    }

    /// A statement is in this database.
    fn used(&mut self, database: &str) {
        self.lost &= database.is_empty();
        if !database.is_empty() && self.database.as_deref() != Some(database) {
            let change = format!("USE {}", quote_identifier(database));
            if holds(&change) {
                self.database = Some(database.to_owned());
                self.pending.push(change);
            } else {
                self.lost = true;
            }
        }
    }

    /// A USE that no script holds as it was sent, as one can; none for a name that no script holds, and for what names none.
    pub fn change(&mut self, text: &[u8]) -> Option<Vec<Written<'static>>> {
        let change = format!("USE {}", quote_identifier(&named_database(text, self.encoding.quotes)?));
        self.lost = !holds(&change);
        (!self.lost).then(|| vec![Written::plain(change)])
    }

    /// A statement with this text and state is in a database that no script can name.
    pub fn is_lost(&mut self, text: &[u8], state: &BTreeMap<String, String>) -> bool {
        if let Some(name) = state.get("database").filter(|name| !name.is_empty()) {
            self.lost = self.database.as_ref() != Some(name) && !holds(&format!("USE {}", quote_identifier(name)));
        }
        self.lost && first_words::<1>(text)[0] != "USE"
    }

    /// Learns from a statement's state what its bytes mean.
    pub fn heed(&mut self, state: &BTreeMap<String, String>) {
        for name in ["character_set_client", "sql_mode"] {
            if let Some(value) = state.get(name) {
                self.follow(format!("SET SESSION {name} = {value}").as_bytes());
            }
        }
    }

    /// What must be written before a statement with this state.
    pub fn before(&mut self, state: &State) -> Vec<String> {
        if state.is_same(&self.last) {
            return std::mem::take(&mut self.pending);
        }
        let mut lasting = true;
        for (name, value) in state.iter() {
            if name == "database" {
                self.used(value);
                continue;
            }
            let once = matches!(name.as_str(), "insert_id" | "last_insert_id" | "rand_seed1" | "rand_seed2");
            lasting &= !once;
            if !once && self.given.get(name) == Some(value) {
                continue;
            }
            let set = format!("SET SESSION {name} = {value}");
            if !once {
                self.given.insert(name.clone(), value.clone());
                self.follow(set.as_bytes());
            }
            self.pending.push(set);
        }
        self.last = if lasting { state.clone() } else { State::default() };
        std::mem::take(&mut self.pending)
    }

    /// Takes a statement into account that was sent and did not fail.
    pub fn follow(&mut self, text: &[u8]) {
        // Of most there is nothing to be learned: a quick look first.
        match first_words::<1>(text)[0].as_bytes() {
            b"INSERT" | b"UPDATE" | b"DELETE" | b"REPLACE" | b"LOAD" | b"CALL" => {
                self.in_transaction |= self.no_autocommit
            }
            b"SELECT" | b"DO" => {
                let (mut head, length) = ([0; 256], text.len().min(256));
                head[..length].copy_from_slice(&text[..length]);
                head.make_ascii_lowercase();
                self.lock_named |= memchr::memmem::find(&head, b"get_lock").is_some();
            }
            _ => self.follow_rare(text),
        }
    }

    fn follow_rare(&mut self, text: &[u8]) {
        let [verb, second, third] = first_words::<3>(text);
        match (verb.as_str(), second.as_str()) {
            ("SET", _) => self.set(text),
            ("USE", _) => {
                (self.lost, self.last) = (false, State::default());
                self.database = std::str::from_utf8(text).ok().and_then(used_database).or(self.database.take())
            }
            ("BEGIN", _) | ("START", "TRANSACTION") => self.in_transaction = true,
            ("COMMIT", _) | ("TRUNCATE" | "ALTER" | "RENAME", _) => self.in_transaction = false,
            ("ROLLBACK", _) => {
                self.in_transaction &= matches!(second.as_str(), "TO") || second == "WORK" && third == "TO"
            }
            ("CREATE", "TEMPORARY") if third == "TABLE" && !text.starts_with(b"/*") => {
                self.temporary.extend(named(text))
            }
            ("CREATE" | "DROP", _) => self.in_transaction = false,
            ("LOCK", _) => self.tables_locked = true,
            ("UNLOCK", _) => self.tables_locked = false,
            _ => {}
        }
    }

    /// Statements that end what outlives the session's last statement, when it ends: a server does it by itself.
    pub fn end(&mut self) -> Vec<&'static str> {
        let mut ends = Vec::new();
        if std::mem::take(&mut self.in_transaction) {
            ends.push("ROLLBACK");
        }
        if std::mem::take(&mut self.tables_locked) {
            ends.push("UNLOCK TABLES");
        }
        if std::mem::take(&mut self.lock_named) {
            ends.push("DO RELEASE_ALL_LOCKS()");
        }
        self.no_autocommit = false;
        ends
    }

    /// True in a transaction that a failed statement may have ended.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// `SET …`: assignments, one after the other.
    fn set(&mut self, text: &[u8]) {
        // Whether an executed comment is executed hangs on the server: nothing is known of it, and nothing set back.
        if text.starts_with(b"/*!") || text.starts_with(b"/*M!") {
            return;
        }
        let text = &text[text.iter().position(|byte| is_space(*byte)).unwrap_or(text.len())..];
        for assignment in assignments(text) {
            let assignment = assignment.trim();
            let (name, value) = match assignment.split_once('=') {
                Some((name, value)) => (name.trim_end_matches(':').trim(), value.trim()),
                None => (assignment, ""),
            };
            let lower = name.to_ascii_lowercase();
            let mut words = lower.split_whitespace().filter(|word| !matches!(*word, "session" | "local"));
            let first = words.next().unwrap_or("").trim_start_matches("@@session.").trim_start_matches("@@local.");
            let plain = value.trim_matches(['\'', '"', '`']).to_ascii_lowercase();
            match first {
                "names" | "character" | "charset" => {
                    let charset = words.find(|word| *word != "set").unwrap_or("").trim_matches(['\'', '"', '`']);
                    let charset: String = charset.chars().take_while(char::is_ascii_alphanumeric).collect();
                    self.encoding.charset = if charset == "default" { String::new() } else { charset };
                    self.resets.insert("names".to_owned(), "SET NAMES DEFAULT".to_owned());
                }
                "global" | "persist" | "persist_only" | "password" | "role" | "default" | "statement" | "insert_id"
                | "transaction" | "" => {}
                name if name.starts_with("@@global.") || name.starts_with("@@persist") => {}
                variable if variable.starts_with('@') && !variable.starts_with("@@") => {
                    self.resets.insert(variable.to_owned(), format!("SET {variable} = NULL"));
                }
                variable => {
                    let variable = variable.trim_start_matches("@@");
                    match variable {
                        "autocommit" => {
                            self.no_autocommit = matches!(plain.as_str(), "0" | "off" | "false");
                            self.in_transaction &= self.no_autocommit;
                        }
                        "sql_mode" => {
                            // A binary log has it as a number (`sql/system_variables.h`, MODE_ANSI_QUOTES and the other).
                            let bits: u64 = plain.parse().unwrap_or(0);
                            self.encoding.quotes = Quotes {
                                plain_backslash: bits & (1 << 20) != 0 || plain.contains("no_backslash_escapes"),
                                ansi: bits & 4 != 0 || plain.contains("ansi"),
                            };
                        }
                        "character_set_client" => self.encoding.charset = plain.clone(),
                        _ => {}
                    }
                    if variable.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                        let default = if variable == "sql_log_bin" { "1" } else { "DEFAULT" };
                        self.resets.insert(variable.to_owned(), format!("SET SESSION {variable} = {default}"));
                    }
                }
            }
        }
    }
}

/// What stands between the commas of a SET.
fn assignments(text: &[u8]) -> Vec<String> {
    let (mut found, mut depth) = (vec![Vec::new()], 0i32);
    for (part, range) in parts(text, Quotes::default()) {
        let bytes = &text[range];
        if part != Part::Code {
            if let Some(last) = found.last_mut().filter(|_| part != Part::Comment) {
                last.extend_from_slice(bytes);
            }
            continue;
        }
        for byte in bytes {
            depth += match byte {
                b'(' => 1,
                b')' => -1,
                _ => 0,
            };
            if *byte == b',' && depth == 0 {
                found.push(Vec::new());
            } else if let Some(last) = found.last_mut() {
                last.push(*byte);
            }
        }
    }
    found.into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

/// The name that `CREATE TEMPORARY TABLE [IF NOT EXISTS]` gives, as it stands there.
fn named(text: &[u8]) -> Option<String> {
    let mut rest = std::str::from_utf8(text).ok()?;
    for _ in 0..3 {
        rest = rest.trim_start().trim_start_matches(|c: char| c.is_ascii_alphabetic());
    }
    rest = rest.trim_start();
    for word in ["if", "not", "exists"] {
        let (head, after) = rest.split_at_checked(word.len()).unwrap_or_default();
        if head.eq_ignore_ascii_case(word) && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            rest = after.trim_start();
        }
    }
    let mut end = 0;
    for (part, range) in parts(rest.as_bytes(), Quotes::default()) {
        match part {
            Part::Name => end = range.end,
            Part::Code => match rest[range.clone()].find(|c: char| c == '(' || c.is_whitespace()) {
                Some(stop) => {
                    end = range.start + stop;
                    break;
                }
                None => end = range.end,
            },
            _ => break,
        }
    }
    (end > 0).then(|| rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(statements: &[&str]) -> Session {
        let mut session = Session::new(1);
        for statement in statements {
            session.follow(statement.as_bytes());
        }
        session
    }

    #[test]
    fn a_set_is_taken_back_when_another_session_comes() {
        let mut session = after(&[
            "SET NAMES latin1, SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI'), @@session.foreign_key_checks=0, @a := 'x,y'",
            "SET GLOBAL max_connections = 5",
            "CREATE TEMPORARY TABLE IF NOT EXISTS tmp(a INT)",
        ]);
        assert_eq!(session.encoding.charset, "latin1");
        assert!(session.encoding.quotes.ansi);
        session.begin(&Began { database: "app".into(), settings: vec!["NAMES utf8mb4".into()], ..Began::default() });
        assert_eq!(
            session.before(&State::default()),
            [
                "SET @a = NULL",
                "SET SESSION foreign_key_checks = DEFAULT",
                "SET NAMES DEFAULT",
                "SET SESSION sql_mode = DEFAULT",
                "DROP TEMPORARY TABLE IF EXISTS tmp",
                "SET NAMES utf8mb4",
                "USE `app`",
            ]
        );
        assert!(session.before(&State::default()).is_empty());
    }

    #[test]
    fn a_temporary_table_is_dropped_by_the_name_it_has() {
        let dropped = |text: &str| {
            let mut session = after(&[text]);
            session.begin(&Began::default());
            session.before(&State::default()).join("; ")
        };
        let drop = "DROP TEMPORARY TABLE IF EXISTS";
        assert_eq!(dropped("CREATE TEMPORARY TABLE a.`b c`(d INT)"), format!("{drop} a.`b c`"));
        assert_eq!(dropped("create temporary table if  not exists`a;``b` select 1"), format!("{drop} `a;``b`"));
        assert_eq!(dropped("CREATE TEMPORARY TABLE iffy LIKE a"), format!("{drop} iffy"));
        assert_eq!(dropped("/*!50000 CREATE TEMPORARY TABLE a */"), "");
    }

    #[test]
    fn a_set_that_only_some_servers_run_is_not_taken_for_run() {
        let mut session = after(&[
            "/*!40101 SET NAMES latin1 */",
            "/*!50003 SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' */",
            "/*M!100616 SET @a = 1, autocommit = 0 */",
        ]);
        assert_eq!(session.encoding, Encoding::default());
        assert!(session.end().is_empty());
        session.begin(&Began::default());
        assert!(session.before(&State::default()).is_empty());
    }

    #[test]
    fn what_outlives_the_last_statement_is_ended() {
        assert_eq!(after(&["BEGIN", "DELETE FROM t"]).end(), ["ROLLBACK"]);
        assert!(after(&["START TRANSACTION", "COMMIT"]).end().is_empty());
        assert_eq!(after(&["SET autocommit=0", "DELETE FROM t"]).end(), ["ROLLBACK"]);
        assert_eq!(after(&["LOCK TABLES t WRITE"]).end(), ["UNLOCK TABLES"]);
        assert_eq!(after(&["SELECT GET_LOCK('a', 1)"]).end(), ["DO RELEASE_ALL_LOCKS()"]);
        assert_eq!(after(&["BEGIN", "ROLLBACK TO SAVEPOINT a"]).end(), ["ROLLBACK"]);
    }

    #[test]
    fn state_is_given_again_only_where_it_changed() {
        let mut session = Session::new(1);
        let state = |pairs: &[(&str, &str)]| -> State {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<BTreeMap<_, _>>().into()
        };
        let both = state(&[("timestamp", "5"), ("insert_id", "7"), ("database", "a b")]);
        assert_eq!(session.before(&both), ["USE `a b`", "SET SESSION insert_id = 7", "SET SESSION timestamp = 5"]);
        assert_eq!(session.before(&both), ["SET SESSION insert_id = 7"]);
        let sixth = state(&[("timestamp", "6"), ("database", "c")]);
        assert_eq!(session.before(&sixth), ["USE `c`", "SET SESSION timestamp = 6"]);
        assert!(session.before(&sixth).is_empty() && session.before(&sixth.apart()).is_empty());
        session.follow(b"USE d");
        assert_eq!(session.before(&sixth), ["USE `c`"]);
    }
}

//! Runs the statements of a script, each on its session, and measures each by itself.
//!
//! Extra looks (rows examined and locked, the algorithm, warnings' words) are taken at the first of each kind of
//! statement and at slow ones; look-alikes run plain, so that a million of them are not slowed. Nothing is sent on a
//! session where the script would notice: between a statement and `ROW_COUNT()`, or after `SET TRANSACTION`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::ask;
use super::reach::reaching;
use super::record::{Outcome, Ran, RowCounts, Warning};
use super::session::{Session, looks_back, looks_forward};
use super::transactions::{self, Step};
use crate::sandbox::Instance;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::role::Role;
use crate::server::session::ReadOnly;
use crate::sql::record::{Kind, Statement, TableName};
use crate::survey::record::Survey;
use crate::watch::key_ring::KeyRing;
use crate::watch::record::Entry;
use crate::watch::row_locks;
use crate::watch::witness::{Begun, Scope, Witness};

/// A statement that took longer than this is looked at closely the next time, in seconds.
const SLOW: f64 = 0.05;
/// Kinds of statements that are remembered; a script with more is looked at plainly from then on.
const REMEMBERED: usize = 50_000;
/// Look-alikes that get a line each in the timeline.
const TOLD: u64 = 100;

/// How statements are to be run.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The database in use at the start.
    pub database: String,
    /// Statements for the first session before its first.
    pub preamble: Vec<String>,
    /// Fix the time and the random numbers: seconds since 1970 of statement 0.
    pub frozen: Option<u64>,
    /// Row locks are read in a pause before each commit, else the watchers' samples have to do.
    pub pauses: bool,
}

/// Runs statements and tells the witness.
pub struct Executor<'a> {
    pub(super) instance: &'a Instance,
    pub(super) flavor: Flavor,
    pub(super) survey: &'a Survey,
    pub(super) witness: &'a Witness,
    pub(super) conditions: Conditions,
    pub(super) reader: ReadOnly,
    pub(super) transactions: Arc<Mutex<row_locks::Transactions>>,
    pub(super) sessions: BTreeMap<u32, Session>,
    pub(super) rings: BTreeMap<TableName, Arc<KeyRing>>,
    known: BTreeMap<String, (u64, f64)>,
    pub(super) reaching: BTreeSet<TableName>,
    numbered: u32,
}

impl<'a> Executor<'a> {
    /// An executor for one experiment. `rings` are the probes' keys, to be aimed at what runs.
    ///
    /// # Errors
    /// The server's fault.
    pub fn new(
        instance: &'a Instance,
        survey: &'a Survey,
        witness: &'a Witness,
        conditions: Conditions,
        transactions: Arc<Mutex<row_locks::Transactions>>,
        rings: BTreeMap<TableName, Arc<KeyRing>>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            instance,
            flavor: instance.flavor(),
            survey,
            witness,
            conditions,
            reader: instance.reader(Role::Watcher)?,
            transactions,
            sessions: BTreeMap::new(),
            rings,
            known: BTreeMap::new(),
            reaching: reaching(survey),
            numbered: 0,
        })
    }

    /// Opens a session unless it is open.
    pub(super) fn session(&mut self, number: u32) -> Result<&mut Session, Fault> {
        if !self.sessions.contains_key(&number) {
            let mut session = Session::open(self.instance, &self.conditions.database, &mut self.reader)?;
            if number == 1 {
                for text in &self.conditions.preamble {
                    session.writer.execute(text)?;
                }
                if !self.conditions.preamble.is_empty() {
                    let on = session.writer.first::<(u8,)>("SELECT @@SESSION.autocommit")?;
                    session.transactions = transactions::Transactions::new(on.is_none_or(|(on,)| on == 1));
                }
            }
            self.witness.enter(session.writer.connection_id(), number);
            self.sessions.insert(number, session);
        }
        self.sessions.get_mut(&number).ok_or_else(|| Fault::connection_lost("the session is not open"))
    }

    /// Ends all sessions: what is still open is rolled back, as when the client ends.
    pub fn close(&mut self) {
        for (number, session) in std::mem::take(&mut self.sessions) {
            let id = session.writer.connection_id();
            drop(session);
            self.witness.leave(id);
            for scope in [Scope::Transaction, Scope::TableLocks] {
                self.witness.release(number, scope, None);
            }
        }
    }

    /// Begins a statement's window and frees what it frees by beginning.
    pub(super) fn open_window(&mut self, statement: &Statement) -> Result<(u64, Step), Fault> {
        let mut numbered = self.numbered;
        let step = self.session(statement.session)?.transactions.begin(statement, &mut numbered);
        self.numbered = numbered;
        for scope in &step.before {
            self.witness.release(statement.session, *scope, Some(&statement.id));
        }
        let effect = &statement.reading.effect;
        let mut changes: BTreeSet<TableName> = effect.defines.union(&effect.drops).cloned().collect();
        changes.extend(effect.renames.iter().flat_map(|(from, to)| [from.clone(), to.clone()]));
        let window = self.witness.begin(Begun {
            id: &statement.id,
            session: statement.session,
            digest: &statement.digest,
            grip: transactions::grip(statement),
            changes,
            scope: step.scope,
        });
        Ok((window, step))
    }

    /// Ends a statement's window and frees what its end frees.
    pub(super) fn close_window(&mut self, window: u64, step: &Step, statement: &Statement, outcome: &Outcome) {
        self.witness.end(window, &statement.id);
        if let Some(fault) = outcome.fault() {
            if fault.is_deadlock() {
                if let Some(session) = self.sessions.get_mut(&statement.session) {
                    session.transactions.undone();
                }
                self.witness.release(statement.session, Scope::Transaction, Some(&statement.id));
            }
            return;
        }
        for scope in &step.after {
            self.witness.release(statement.session, *scope, Some(&statement.id));
        }
    }

    /// Runs a statement once. `next` is the one after it in the script.
    ///
    /// # Errors
    /// A session cannot be opened or set up. What the server says to the statement itself, the loss of the connection
    /// included, is its outcome.
    pub fn once(&mut self, statement: &Statement, next: Option<&Statement>) -> Result<Ran, Fault> {
        let number = statement.session;
        self.session(number)?;
        let (seen, last) = self.known.get(&statement.digest).copied().unwrap_or((0, 0.0));
        let close = (seen == 0 && self.known.len() < REMEMBERED) || last >= SLOW;
        let watched_next = next.is_some_and(|next| next.session == number && looks_back(next));
        let fragile = self.sessions.get(&number).is_some_and(|session| session.fragile);
        let free = !watched_next && !fragile && !looks_back(statement);
        self.freeze(statement, free)?;

        let plain = self.sessions.get(&number).is_some_and(|session| session.transactions.is_plain());
        let wrapped = close && free && plain && self.may_wrap(statement);
        let thread = self.sessions.get(&number).and_then(|session| session.thread);
        let handlers = if close { self.handlers(thread)? } else { None };
        let transactional = self.is_transactional(statement);
        let asked = ask::before(&mut self.reader, self.flavor, statement, thread, transactional)?;
        if wrapped {
            self.session(number)?.writer.execute("BEGIN")?;
        }
        let (window, step) = self.open_window(statement)?;
        let at = self.witness.clock().now();
        let begin = Instant::now();
        let answer = self.session(number)?.writer.execute(&statement.text);
        let seconds = begin.elapsed().as_secs_f64();

        let mut ran = Ran::new(window, at, seconds, step.transaction);
        match answer {
            Ok(done) => {
                ran.warning_count = u64::from(done.warnings);
                ran.rows = RowCounts {
                    affected: done.affected,
                    matched: matched(&done.info),
                    returned: done.returned,
                    ..RowCounts::default()
                };
                if done.warnings > 0 && close && !watched_next {
                    ran.warnings = self.warnings(number)?;
                }
            }
            Err(fault) => ran.outcome = outcome_of(fault),
        }
        if ran.outcome.fault().is_some_and(Fault::is_connection_lost) {
            self.close_window(window, &step, statement, &ran.outcome);
            return Ok(ran);
        }
        if close && statement.reading.kind.is_dml() && ran.outcome == Outcome::Done {
            self.read_row_locks(statement, wrapped, &mut ran)?;
        } else {
            self.pass_row_locks(statement, &ran);
        }
        if wrapped {
            self.commit(number, &mut ran)?;
        }
        self.close_window(window, &step, statement, &ran.outcome);
        if let (Some(before), Some(after)) = (handlers, if close { self.handlers(thread)? } else { None }) {
            ran.rows.examined = Some(after.saturating_sub(before));
        }
        if let (Some(before), Outcome::Done) = (asked, &ran.outcome) {
            ran.ddl = ask::after(&mut self.reader, self.flavor, &before, statement.reading.kind, ran.rows.affected)?;
        }
        self.note(statement, &ran, seen);
        Ok(ran)
    }

    fn commit(&mut self, number: u32, ran: &mut Ran) -> Result<(), Fault> {
        let session = self.session(number)?;
        if ran.outcome != Outcome::Done {
            return session.writer.execute("ROLLBACK").map(drop);
        }
        let begin = Instant::now();
        let answer = session.writer.execute("COMMIT");
        ran.commit_seconds = Some(begin.elapsed().as_secs_f64());
        if let Err(fault) = answer {
            ran.outcome = outcome_of(fault);
        }
        Ok(())
    }

    /// Remembers what kind of statement it was, and writes it into the timeline.
    pub(super) fn note(&mut self, statement: &Statement, ran: &Ran, seen: u64) {
        if seen > 0 || self.known.len() < REMEMBERED {
            self.known.insert(statement.digest.clone(), (seen + 1, ran.longest_seconds));
        }
        if let Some(session) = self.sessions.get_mut(&statement.session) {
            session.fragile = looks_forward(statement);
            session.last_digest.clone_from(&statement.digest);
            session.own_time |= statement.reading.kind == Kind::Set && sets_time(&statement.text);
        }
        if seen < TOLD || ran.longest_seconds >= SLOW || ran.outcome != Outcome::Done {
            let outcome = ran.outcome.fault().map_or_else(|| ran.outcome.name().to_owned(), Fault::to_string);
            let seconds = ran.seconds + ran.commit_seconds.unwrap_or(0.0);
            let statement = statement.id.clone();
            self.witness.timeline().add(&Entry::Statement { at: ran.at, seconds, statement, outcome });
        }
    }

    /// Fixes the time and the random numbers of a quiet run's statement by its place in the upgrade, so that each run of
    /// it sees the same. Look-alikes that follow each other share one time.
    pub(super) fn freeze(&mut self, statement: &Statement, free: bool) -> Result<(), Fault> {
        let Some(base) = self.conditions.frozen.filter(|_| free) else { return Ok(()) };
        let session = self.session(statement.session)?;
        let random = statement.text.to_ascii_lowercase().contains("rand");
        if session.own_time || (session.last_digest == statement.digest && !random) {
            return Ok(());
        }
        let place = place(&statement.id);
        let seeds = format!("rand_seed1 = {}, rand_seed2 = {}", 1_000_003 + place * 7919, 2_000_003 + place * 104_729);
        session.writer.execute(&format!("SET timestamp = {}, {seeds}", base + place)).map(drop)
    }

    pub(super) fn warnings(&mut self, number: u32) -> Result<Vec<Warning>, Fault> {
        let rows = self.session(number)?.writer.rows::<(String, u16, String)>("SHOW WARNINGS LIMIT 10")?;
        Ok(rows.into_iter().map(|(level, number, message)| Warning { level, number, message }).collect())
    }
}

/// `Rows matched: 3  Changed: 1  Warnings: 0` → 3.
pub(crate) fn matched(info: &str) -> Option<u64> {
    let rest = info.strip_prefix("Rows matched:")?.trim_start();
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
}

/// A fault as an outcome.
pub(super) fn outcome_of(fault: Fault) -> Outcome {
    if fault.is_lock_wait_timeout() || matches!(fault.number, 3024 | 1969) {
        Outcome::TimedOut(fault)
    } else {
        Outcome::Failed(fault)
    }
}

/// The number in an id such as `s7` or `s7-swap-2`: 7.
fn place(id: &str) -> u64 {
    let digits: String = id.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// `SET timestamp = …`, `SET @@session.timestamp …`; not a column's or a variable's name that ends so.
fn sets_time(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices("timestamp").any(|(at, word)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].trim_start().chars().next();
        before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_') && matches!(after, Some('=' | ':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_matched_are_read_from_the_servers_summary() {
        assert_eq!(matched("Rows matched: 2000  Changed: 0  Warnings: 0"), Some(2000));
        assert_eq!(matched("Records: 3  Duplicates: 0  Warnings: 0"), None);
    }

    #[test]
    fn an_alternatives_statement_has_the_place_of_the_one_it_stands_for() {
        assert_eq!((place("s7"), place("s7-swap-2"), place("x")), (7, 7, 0));
    }

    #[test]
    fn a_script_that_sets_the_time_is_seen() {
        assert!(sets_time("SET timestamp=1234"));
        assert!(sets_time("set @@session.timestamp := 5"));
        assert!(!sets_time("SET explicit_defaults_for_timestamp=1"));
        assert!(!sets_time("SET @x = 'timestamp'"));
    }
}

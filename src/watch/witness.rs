//! Receives what the executor, the probes and the watchers tell, and lays each wait at the door of the statement that
//! caused it.
//!
//! A statement's *window* reaches from its begin to the moment its locks are freed: its own end, or its transaction's.
//! A wait belongs to the latest statement with an open window that took hold of the table (or of one that a foreign key
//! or trigger ties to it), else to the statement that ran. Everything is attributed as it arrives; nothing but open
//! windows is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::ledger::{Held, Ledger, Window, into_failed};
use super::record::{Blocked, Entry, Failed, LockHeld, ProbeKind};
use super::timeline::Timeline;
use crate::server::fault::Fault;
use crate::sql::record::TableName;

/// A request that takes longer than this was blocked, in seconds: shorter is what a busy server does anyway.
pub const BLOCKED: f64 = 0.05;
/// Finished windows that may wait for late answers before look-alikes share one.
const MANY: usize = 1000;

/// Until when a statement's locks live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Until its own end.
    Own,
    /// Until its transaction's.
    Transaction,
    /// Until `UNLOCK TABLES`, or what does the same.
    TableLocks,
}

/// A statement that begins.
#[derive(Clone, Debug)]
pub struct Begun<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its session.
    pub session: u32,
    /// Its digest.
    pub digest: &'a str,
    /// Tables that it takes hold of.
    pub grip: BTreeSet<TableName>,
    /// Tables that it creates, alters, drops or renames: what fails on them later is its doing.
    pub changes: BTreeSet<TableName>,
    /// Until when its locks live.
    pub scope: Scope,
}

/// All that was seen of one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The window.
    pub window: u64,
    /// Who waited.
    pub blocked: Vec<Blocked>,
    /// Who failed.
    pub failed: Vec<Failed>,
    /// Locks sampled.
    pub locks: Vec<LockHeld>,
    /// The most row locks that a sample showed.
    pub rows_locked: Option<u64>,
    /// Id of the statement at whose end its locks were freed; none when the session's end freed them.
    pub locks_until: Option<String>,
}

/// One answer to a probe.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The table asked.
    pub table: &'a TableName,
    /// What was asked.
    pub probe: ProbeKind,
    /// Which key: `first`, `last`, …; empty for none.
    pub key: &'static str,
    /// When it was due.
    pub due: f64,
    /// When the answer came.
    pub answered: f64,
    /// Seconds between two requests of this probe.
    pub interval: f64,
    /// The fault, for an answer that was one.
    pub fault: Option<&'a Fault>,
}

/// Receives what all threads of one experiment tell.
#[derive(Debug)]
pub struct Witness {
    clock: Clock,
    timeline: Timeline,
    neighbours: BTreeMap<TableName, BTreeSet<TableName>>,
    ledger: Mutex<Ledger>,
    marks: Mutex<Vec<Arc<AtomicU64>>>,
    sessions: Mutex<BTreeMap<u32, u32>>,
    rows: AtomicU64,
}

impl Witness {
    /// A witness of one experiment. `neighbours` ties each table to those that foreign keys and triggers tie it to.
    pub fn new(clock: Clock, timeline: Timeline, neighbours: BTreeMap<TableName, BTreeSet<TableName>>) -> Self {
        Self {
            clock,
            timeline,
            neighbours,
            ledger: Mutex::default(),
            marks: Mutex::default(),
            sessions: Mutex::default(),
            rows: AtomicU64::new(0),
        }
    }

    /// The experiment's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The experiment's timeline.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// A session of the upgrade has connected.
    pub fn enter(&self, connection: u32, session: u32) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(connection, session);
    }

    /// A session of the upgrade has ended.
    pub fn leave(&self, connection: u32) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }

    /// The upgrade's sessions by connection.
    pub fn sessions(&self) -> BTreeMap<u32, u32> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new action begins: no row of it is changed yet.
    pub fn rows_begin(&self) {
        self.rows.store(0, Ordering::Relaxed);
    }

    /// How many rows the running action has changed so far. The most that anybody saw counts: of an action in batches
    /// the server knows the running batch alone.
    pub fn rows_done(&self, rows: u64) {
        self.rows.fetch_max(rows, Ordering::Relaxed);
    }

    /// The same, for who shows it.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new source of events: it keeps in the mark the second (as bits) before which it will tell nothing more.
    pub fn mark(&self) -> Mark {
        let mark = Arc::new(AtomicU64::new(0.0f64.to_bits()));
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&mark));
        Mark(mark)
    }

    /// All sources have told everything before this second, on the experiment's clock; infinity without a source.
    pub fn told_until(&self) -> f64 {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.iter().map(|mark| f64::from_bits(mark.load(Ordering::Acquire))).fold(f64::INFINITY, f64::min)
    }

    /// A statement begins now. The window's number comes back; look-alikes share one once very many wait for answers.
    pub fn begin(&self, begun: Begun<'_>) -> u64 {
        let now = self.clock.now();
        let mut ledger = self.ledger();
        ledger.running = true;
        for table in begun.changes {
            ledger.changed_by.insert(table, begun.id.to_owned());
        }
        let crowded = ledger.windows.len() > MANY;
        if let Some(last) = ledger.windows.back_mut().filter(|last| {
            crowded
                && last.digest == begun.digest
                && last.session == begun.session
                && last.scope == begun.scope
                && last.end.is_some()
        }) {
            last.end = None;
            last.release = None;
            last.freed_by = None;
            return last.number;
        }
        let number = ledger.next;
        ledger.next += 1;
        ledger.windows.push_back(Window {
            number,
            session: begun.session,
            digest: begun.digest.to_owned(),
            begin: now,
            end: None,
            release: None,
            freed_by: None,
            scope: begun.scope,
            grip: begun.grip,
            tallies: BTreeMap::new(),
            failed: BTreeMap::new(),
            locks: BTreeMap::new(),
            rows_locked: None,
        });
        number
    }

    /// The statement of a window ended now; with [`Scope::Own`] its locks are free.
    pub fn end(&self, window: u64, id: &str) {
        let now = self.clock.now();
        let mut ledger = self.ledger();
        if let Some(window) = ledger.windows.iter_mut().rev().find(|one| one.number == window) {
            window.end = Some(now);
            if window.scope == Scope::Own {
                window.release = Some(now);
                window.freed_by = Some(id.to_owned());
            }
        }
    }

    /// What a session held in this scope was freed now, by the end of the statement `by` (none: by its own end).
    pub fn release(&self, session: u32, scope: Scope, by: Option<&str>) {
        let now = self.clock.now();
        for window in &mut self.ledger().windows {
            if window.session == session && window.scope == scope && window.release.is_none() && window.end.is_some() {
                window.release = Some(now);
                window.freed_by = by.map(str::to_owned);
            }
        }
    }

    /// A probe was answered.
    pub fn answer(&self, answer: &Answer<'_>) {
        let wait = answer.answered - answer.due;
        let tells = match answer.fault {
            Some(fault) => self.ledger().tells(answer, fault),
            None => wait > BLOCKED,
        };
        if tells {
            self.timeline.add(&Entry::Probe {
                at: answer.due,
                seconds: wait,
                table: answer.table.clone(),
                probe: answer.probe,
                error: answer.fault.map_or(0, |fault| fault.number),
            });
        }
        let neighbours = self.neighbours.get(answer.table);
        let mut ledger = self.ledger();
        if !ledger.running {
            let tally = ledger.steady.entry((answer.table.clone(), answer.probe)).or_default();
            tally.add(answer.due, answer.answered, answer);
            return;
        }
        if let Some(fault) = answer.fault {
            ledger.fail(answer, fault, neighbours);
        }
        if wait <= BLOCKED {
            if let Some(window) = ledger.windows.iter_mut().rev().find(|window| window.begin <= answer.due)
                && window.is_open_at(answer.due)
            {
                window.tally(answer).add(answer.due, answer.answered, answer);
            }
            return;
        }
        for (index, from, to) in ledger.owners(answer, neighbours) {
            if let Some(window) = ledger.windows.get_mut(index) {
                window.tally(answer).add(from, to, answer);
            }
        }
    }

    /// A sample of the locks that a session holds: object and mode, with the tables among them.
    pub fn locks_sampled(&self, at: f64, session: u32, locks: &[(String, String, Option<TableName>)]) {
        let mut ledger = self.ledger();
        ledger.drop_missing(session, |object, mode| locks.iter().any(|lock| lock.0 == object && lock.1 == mode));
        for (object, mode, table) in locks {
            let Some(owner) = ledger.owner_of_lock(session, at, table.as_ref()) else { continue };
            let key = (session, object.clone(), mode.clone());
            let freed = ledger.held.get(&key).is_some_and(|held| {
                held.owner != owner
                    && ledger
                        .windows
                        .iter()
                        .find(|one| one.number == held.owner)
                        .is_none_or(|one| one.release.is_some())
            });
            if freed && let Some(held) = ledger.held.remove(&key) {
                ledger.note_lock(&key, &held);
            }
            let held = ledger.held.entry(key).or_insert(Held { first: at, last: at, owner });
            held.last = at;
        }
    }

    /// A sample of a session's row locks.
    pub fn rows_sampled(&self, session: u32, rows_locked: u64) {
        let mut ledger = self.ledger();
        let open = ledger.windows.iter_mut().rev().find(|one| one.session == session && one.release.is_none());
        if let Some(window) = open {
            window.rows_locked = Some(window.rows_locked.unwrap_or(0).max(rows_locked));
        }
    }

    /// Windows that nobody will tell anything more about, in order; with `all`, whatever is left.
    pub fn settled(&self, all: bool) -> Vec<Seen> {
        let until = if all { f64::INFINITY } else { self.told_until() };
        let mut ledger = self.ledger();
        if all {
            ledger.drop_everything();
        }
        let mut seen = Vec::new();
        while ledger.windows.front().is_some_and(|one| all || one.release.is_some_and(|release| release < until)) {
            let number = ledger.windows.front().map(|one| one.number);
            let held: Vec<_> =
                ledger.held.iter().filter(|(_, held)| Some(held.owner) == number).map(|(key, _)| key.clone()).collect();
            for key in held {
                if let Some(held) = ledger.held.remove(&key) {
                    ledger.note_lock(&key, &held);
                }
            }
            if let Some(window) = ledger.windows.pop_front() {
                seen.push(window.into_seen(self.clock.now()));
            }
        }
        seen
    }

    /// Failures that are the doing of a statement whose window had long closed: by that statement's id.
    pub fn late_failures(&self) -> BTreeMap<String, Vec<Failed>> {
        let late = std::mem::take(&mut self.ledger().late);
        late.into_iter().map(|(id, failed)| (id, into_failed(failed))).collect()
    }

    /// What probes met before the first statement.
    pub fn steady(&self) -> Vec<Blocked> {
        let ledger = self.ledger();
        ledger.steady.iter().map(|((table, probe), tally)| tally.blocked(table, *probe, 0.0, 0.0)).collect()
    }
}

/// How far one source of events has told everything.
#[derive(Clone, Debug)]
pub struct Mark(Arc<AtomicU64>);

impl Mark {
    /// Nothing from before this second is to come.
    pub fn at(&self, second: f64) {
        self.0.store(second.to_bits(), Ordering::Release);
    }

    /// Nothing is to come at all.
    pub fn done(&self) {
        self.at(f64::INFINITY);
    }
}

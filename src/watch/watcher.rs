//! Looks at the server's own views while something runs, as often as they are cheap (engines.md), and tells the witness.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::footprint::Counters;
use super::metadata_locks::{self, MetadataLock};
use super::record::{Coverage, Entry};
use super::row_locks::{self, Transactions};
use super::witness::{Mark, Witness};
use crate::sandbox::Instance;
use crate::server::ability::Ability as _;
use crate::server::fault::Fault;
use crate::server::role::Role;
use crate::server::session::ReadOnly;

/// Seconds between two looks at metadata locks; row locks are read every second time.
const LOOK: f64 = 0.1;
/// Looks between two at lock waits and counters.
const SELDOM: u64 = 10;

/// A watcher with its session open.
#[derive(Debug)]
pub struct Watcher<'a> {
    instance: &'a Instance,
    witness: &'a Witness,
    transactions: &'a Mutex<Transactions>,
    reader: ReadOnly,
    mark: Mark,
    waiting: BTreeSet<(u32, String)>,
    /// By queue the last look at it, and how many waited then.
    queues: BTreeMap<&'static str, (f64, usize)>,
    coverage: Coverage,
}

impl<'a> Watcher<'a> {
    /// Opens the watcher's session.
    ///
    /// # Errors
    /// The server's fault.
    pub fn open(
        instance: &'a Instance,
        witness: &'a Witness,
        transactions: &'a Mutex<Transactions>,
    ) -> Result<Self, Fault> {
        let reader = instance.reader(Role::Watcher)?;
        let (mark, coverage) = (witness.mark(), Coverage::default());
        let (waiting, queues) = (BTreeSet::new(), BTreeMap::new());
        Ok(Self { instance, witness, transactions, reader, mark, waiting, queues, coverage })
    }

    /// Looks until `stop`, or until the server is lost; returns how closely it looked, and why it ended early.
    pub fn watch(mut self, stop: &AtomicBool) -> (Coverage, Option<Fault>) {
        let clock = self.witness.clock();
        let (mut look, mut last) = (0u64, clock.now());
        let fault = loop {
            if stop.load(Ordering::Acquire) {
                break None;
            }
            let at = clock.now();
            if let Err(fault) = self.look(look, at) {
                if fault.is_connection_lost() {
                    break Some(fault);
                }
            } else {
                self.coverage.samples += 1;
                self.coverage.longest_gap_seconds = self.coverage.longest_gap_seconds.max(at - last);
                last = at;
            }
            self.mark.at(at);
            look += 1;
            clock.sleep_until(at + LOOK);
        };
        self.mark.done();
        for (name, (at, length)) in std::mem::take(&mut self.queues) {
            self.sample(at, name, length as f64);
        }
        (self.coverage, fault)
    }

    fn look(&mut self, look: u64, at: f64) -> Result<(), Fault> {
        let sessions = self.witness.sessions();
        let connections: Vec<u32> = sessions.keys().copied().collect();
        if self.instance.flavor().has_metadata_locks() {
            let locks = metadata_locks::sample(&mut self.reader, &connections)?;
            for (connection, session) in &sessions {
                let held: Vec<_> = (locks.iter())
                    .filter(|lock| lock.connection == *connection && !lock.pending)
                    .map(|lock| (lock.object.clone(), lock.mode.clone(), lock.table.clone()))
                    .collect();
                self.witness.locks_sampled(at, *session, &held);
            }
            self.tell_waits(&locks, at);
            let waiting: BTreeSet<u32> = self.waiting.iter().map(|(connection, _)| *connection).collect();
            self.tell_queue("metadata_lock_queue", waiting.len(), at);
        }
        if look.is_multiple_of(2) {
            let open = self.transactions.lock().unwrap_or_else(PoisonError::into_inner).read()?;
            for (connection, session) in &sessions {
                if let Some(transaction) = open.get(connection) {
                    self.witness.rows_sampled(*session, transaction.rows_locked);
                    self.witness.rows_done(transaction.rows_modified);
                }
            }
        }
        if look.is_multiple_of(SELDOM) {
            self.look_seldom(at)?;
        }
        Ok(())
    }

    fn look_seldom(&mut self, at: f64) -> Result<(), Fault> {
        let waits = row_locks::waits(&mut self.reader, self.instance.flavor().has_data_locks())?;
        let waiting: BTreeSet<u32> = waits.iter().map(|(waiter, _)| *waiter).collect();
        self.tell_queue("row_lock_queue", waiting.len(), at);
        for (waiter, holder) in waits {
            let (waiter, holder) = (self.role(waiter), self.role(holder));
            self.witness.timeline().add(&Entry::Wait { at, waiter, holder, lock: "row".to_owned() });
        }
        let counters = Counters::read(&mut self.reader)?;
        let series = [
            ("history_list", counters.history_list.map(|value| value as f64)),
            ("threads_running", counters.threads_running.map(|value| value as f64)),
            ("binlog_bytes", counters.binlog.map(|value| value as f64)),
            ("server_cpu_seconds", self.instance.cpu_seconds()),
        ];
        for (name, value) in series {
            if let Some(value) = value {
                self.sample(at, name, value);
            }
        }
        Ok(())
    }

    fn sample(&self, at: f64, series: &str, value: f64) {
        self.witness.timeline().add(&Entry::Sample { at, series: series.to_owned(), value });
    }

    /// Tells a queue's length when it changes, with when it was last seen as before: between the two nobody looked.
    fn tell_queue(&mut self, name: &'static str, length: usize, at: f64) {
        match self.queues.insert(name, (at, length)) {
            Some((_, before)) if before == length => {}
            Some((looked, before)) => {
                self.sample(looked, name, before as f64);
                self.sample(at, name, length as f64);
            }
            None => self.sample(at, name, length as f64),
        }
    }

    /// Tells each wait for a metadata lock once, when it is first seen.
    fn tell_waits(&mut self, locks: &[MetadataLock], at: f64) {
        let now: BTreeSet<(u32, String)> = (locks.iter())
            .filter(|lock| lock.pending)
            .map(|lock| (lock.connection, format!("{} {}", lock.object, lock.mode)))
            .collect();
        for (waiter, lock) in now.difference(&self.waiting) {
            let object = locks.iter().find(|one| one.connection == *waiter && one.pending).map(|one| &one.object);
            let holder =
                locks.iter().find(|one| !one.pending && one.connection != *waiter && Some(&one.object) == object);
            let holder = holder.map_or_else(|| "unknown".to_owned(), |holder| self.role(holder.connection));
            let waiter = self.role(*waiter);
            self.witness.timeline().add(&Entry::Wait { at, waiter, holder, lock: lock.clone() });
        }
        self.waiting = now;
    }

    fn role(&self, connection: u32) -> String {
        self.instance.roster().role(connection).map_or("stranger", Role::name).to_owned()
    }
}

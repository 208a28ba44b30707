//! The application, while a plan is carried out: it inserts, updates by key, and writes down what it was told is committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use mysql::Conn;
use mysql::prelude::Queryable as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::stand_in::StandIn;

/// Rests between two requests of one session.
const REST: Duration = Duration::from_millis(3);

/// What the application knows to be committed, by table and key.
#[derive(Debug, Default)]
pub struct Written {
    /// Last payload of an event; those that an UPDATE found gone are not in it.
    pub events: BTreeMap<u64, String>,
    /// Last note of a customer, and how many visits were added.
    pub customers: BTreeMap<u64, (String, u64)>,
    /// Ids and bodies of rows put into the cache.
    pub cache: Vec<(u64, String)>,
    /// Requests answered.
    pub requests: u64,
    /// Requests that failed, and so are not committed, by error number.
    pub failed: BTreeMap<u16, u64>,
    /// The longest that one request took.
    pub longest: Duration,
    /// And which.
    pub longest_of: String,
}

/// The running application: one session in autocommit, one in small transactions.
pub struct Writers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Written, String>>>,
}

impl Writers {
    /// Starts it.
    pub fn start(stand_in: &StandIn) -> Result<Self, Failed> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for number in 0..2 {
            let (session, stop) = (stand_in.session()?, Arc::clone(&stop));
            let writer = Writer { session, number, random: Pcg64::seed_from_u64(number), written: Written::default() };
            threads.push(thread::spawn(move || writer.run(&stop).map_err(|error| error.to_string())));
        }
        Ok(Self { stop, threads })
    }

    /// Stops it; what it knows. No two sessions write to the same row.
    pub fn end(self) -> Result<Written, Failed> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Written::default();
        for thread in self.threads {
            let one = thread.join().map_err(|_| "a writer panicked")??;
            all.events.extend(one.events);
            all.customers.extend(one.customers);
            all.cache.extend(one.cache);
            all.requests += one.requests;
            one.failed.into_iter().for_each(|(number, times)| *all.failed.entry(number).or_default() += times);
            if one.longest > all.longest {
                (all.longest, all.longest_of) = (one.longest, one.longest_of);
            }
        }
        Ok(all)
    }
}

struct Writer {
    session: Conn,
    number: u64,
    random: Pcg64,
    written: Written,
}

impl Writer {
    fn run(mut self, stop: &AtomicBool) -> Result<Written, mysql::Error> {
        let mut round = 0;
        while !stop.load(Ordering::Relaxed) {
            round += 1;
            let word = format!("writer {} round {round}", self.number);
            match self.round(&word) {
                Err(mysql::Error::MySqlError(error)) => {
                    *self.written.failed.entry(error.code).or_default() += 1;
                    self.session.query_drop("ROLLBACK")?;
                }
                other => other?,
            }
            thread::sleep(REST);
        }
        Ok(self.written)
    }

    /// Keys of this session alone: even or odd.
    fn key(&mut self, up_to: u64) -> u64 {
        self.random.random_range(0..up_to / 2) * 2 + 1 + self.number
    }

    fn round(&mut self, word: &str) -> Result<(), mysql::Error> {
        let (event, customer) = (self.key(60_000), self.key(40_000));
        if self.number == 0 {
            if self.send(&format!("UPDATE events SET payload = '{word}' WHERE id = {event}"))? > 0 {
                self.written.events.insert(event, word.to_owned());
            }
            self.send(&customer_update(customer, word))?;
            self.note_customer(customer, word);
            self.send(&format!("INSERT INTO cache (body) VALUES ('{word}')"))?;
            self.written.cache.push((self.session.last_insert_id(), word.to_owned()));
        } else {
            self.send("START TRANSACTION")?;
            self.send(&format!("INSERT INTO events (kind, happened_on, payload) VALUES (1, '2026-01-01', '{word}')"))?;
            let new = self.session.last_insert_id();
            self.send(&customer_update(customer, word))?;
            let changed = self.send(&format!("UPDATE events SET payload = '{word}' WHERE id = {event}"))?;
            self.send("COMMIT")?;
            self.written.events.insert(new, word.to_owned());
            self.note_customer(customer, word);
            if changed > 0 {
                self.written.events.insert(event, word.to_owned());
            }
        }
        Ok(())
    }

    fn note_customer(&mut self, customer: u64, word: &str) {
        let (note, added) = self.written.customers.entry(customer).or_default();
        word.clone_into(note);
        *added += 1000;
    }

    /// Sends one request; rows changed.
    fn send(&mut self, sql: &str) -> Result<u64, mysql::Error> {
        let begun = Instant::now();
        let answer = self.session.query_drop(sql);
        let took = begun.elapsed();
        self.written.requests += 1;
        if took > self.written.longest {
            (self.written.longest, self.written.longest_of) = (took, sql.to_owned());
        }
        answer.map(|()| self.session.affected_rows())
    }
}

fn customer_update(customer: u64, word: &str) -> String {
    format!("UPDATE customers SET note = '{word}', visits = visits + 1000 WHERE id = {customer}")
}

//! Carries out what goes wrong on purpose: somebody else holds the table, an administrator kills the statement, a backup
//! reads from an old snapshot. Everything else of the experiment is as always.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::experiment::{Condition, Holder, Kill};
use super::record::{Happened, HoldKind, Killed, SnapshotRead};
use crate::execute::record::Ran;
use crate::sandbox::Instance;
use crate::server::fault::Fault;
use crate::server::role::Role;
use crate::server::session::Writer;
use crate::sql::record::{Statement, TableName, quote_identifier};
use crate::survey::record::{Survey, TableFacts};
use crate::watch::clock::Clock;
use crate::watch::footprint::Counters;
use crate::watch::record::Blocked;
use crate::watch::witness::{Begun, Scope, Witness};

/// How long a slow query is given to be seen at work.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
/// The server's count of changed rows may still be the transaction's before, so many seconds after a statement began
/// (100 ms were seen).
const STALE: f64 = 0.3;
/// The number of no session: what the kill's window belongs to.
const NOBODY: u32 = u32::MAX;

/// What goes wrong in one experiment, and what came of it. The drive tells it of statements, the minder of time.
pub struct Disturbance<'a> {
    condition: &'a Condition,
    target: Option<&'a str>,
    instance: &'a Instance,
    survey: &'a Survey,
    witness: &'a Witness,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    holder: Option<Holding>,
    running: Option<Running>,
    snapshot: Option<Writer>,
    happened: Happened,
}

/// A session that holds on to a table.
struct Holding {
    connection: u32,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(f64, f64), Fault>>,
}

/// The statement that is to be killed, while it runs.
struct Running {
    since: f64,
    session: u32,
    id: String,
    tables: BTreeSet<TableName>,
    killed: Option<(f64, u64, u64)>,
}

impl<'a> Disturbance<'a> {
    /// Nothing has gone wrong yet.
    pub fn new(
        condition: &'a Condition,
        target: Option<&'a str>,
        instance: &'a Instance,
        survey: &'a Survey,
        witness: &'a Witness,
    ) -> Self {
        Self { condition, target, instance, survey, witness, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The script is about to begin.
    ///
    /// # Errors
    /// The server's fault.
    pub fn begin(&self) -> Result<(), Fault> {
        if matches!(self.condition, Condition::Snapshot) {
            let mut reader = self.instance.writer(Role::Pool)?;
            reader.execute("SET SESSION lock_wait_timeout = 1")?;
            reader.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
            reader.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
            self.state().snapshot = Some(reader);
        }
        Ok(())
    }

    /// A statement is about to be sent.
    ///
    /// # Errors
    /// The server's fault: the holder could not take its lock.
    pub fn before(&self, statement: &Statement) -> Result<(), Fault> {
        if self.target != Some(statement.id.as_str()) {
            return Ok(());
        }
        match self.condition {
            Condition::Alone | Condition::Snapshot => {}
            Condition::Holder(holder) => {
                let holding = hold(holder, self.instance, self.survey, self.witness.clock())?;
                self.state().holder = Some(holding);
            }
            Condition::KillAt(_) => {
                self.state().running = Some(Running {
                    since: self.witness.clock().now(),
                    session: statement.session,
                    id: statement.id.clone(),
                    tables: statement.reading.effect.tables(),
                    killed: None,
                });
            }
        }
        Ok(())
    }

    /// True when the statement gave up waiting and is to be sent again, after a pause that this call makes.
    pub fn tries_again(&self, statement: &Statement, ran: &Ran) -> bool {
        let Condition::Holder(Holder { patience: Some(patience), .. }) = self.condition else { return false };
        let gave_up = ran.outcome.fault().is_some_and(Fault::is_lock_wait_timeout);
        let mut state = self.state();
        if self.target != Some(statement.id.as_str()) || !gave_up || state.happened.timed_out >= patience.tries {
            return false;
        }
        state.happened.timed_out += 1;
        drop(state);
        std::thread::sleep(patience.pause);
        true
    }

    /// A statement was answered. Returns the witness's window of its rollback, where it was killed.
    ///
    /// # Errors
    /// The loss of a connection.
    pub fn after(&self, statement: &Statement, ran: &Ran) -> Result<Option<u64>, Fault> {
        if let Condition::Snapshot = self.condition {
            self.read_from_the_snapshot(statement)?;
        }
        let mut state = self.state();
        let Some(running) = state.running.take_if(|running| running.id == statement.id) else { return Ok(None) };
        let Some((at, rows, window)) = running.killed else { return Ok(None) };
        self.witness.end(window, &statement.id);
        // Answered as if nothing had been: the kill came when all was done.
        let took = ran.outcome.fault().is_some_and(Fault::is_interrupted);
        state.happened.killed = took.then(|| Killed {
            after_seconds: at - ran.at,
            rows,
            rollback_seconds: (ran.at + ran.seconds - at).max(0.0),
            blocked: Vec::new(),
        });
        Ok(Some(window))
    }

    /// Time passes: kills what is due.
    pub fn tick(&self, keeper: &mut Writer) {
        let Condition::KillAt(kill) = self.condition else { return };
        let mut state = self.state();
        let Some(running) = state.running.as_mut().filter(|running| running.killed.is_none()) else { return };
        let now = self.witness.clock().now();
        if now - running.since < STALE {
            self.witness.rows_begin();
            return;
        }
        let rows = self.witness.rows();
        if !is_due(kill, now - running.since, rows) {
            return;
        }
        let sessions = self.witness.sessions();
        let Some((connection, _)) = sessions.iter().find(|(_, session)| **session == running.session) else { return };
        let window = self.witness.begin(Begun {
            id: &running.id,
            session: NOBODY,
            digest: "",
            grip: running.tables.clone(),
            changes: BTreeSet::new(),
            scope: Scope::Own,
        });
        // A statement that has just ended cannot be killed any more: then its outcome tells.
        let _gone = keeper.execute(&format!("KILL QUERY {connection}"));
        running.killed = Some((now, rows, window));
    }

    /// Reads the tables that a statement changed as a backup does: each in a savepoint of its own, so that no metadata
    /// lock stays.
    fn read_from_the_snapshot(&self, statement: &Statement) -> Result<(), Fault> {
        let effect = &statement.reading.effect;
        if effect.temporary {
            return Ok(());
        }
        let mut changed: BTreeSet<&TableName> = effect.defines.union(&effect.drops).collect();
        changed.extend(&effect.empties);
        changed.extend(effect.renames.iter().flat_map(|(from, to)| [from, to]));
        let mut state = self.state();
        let State { snapshot: Some(reader), happened, .. } = &mut *state else { return Ok(()) };
        for table in changed {
            let broken = happened.reads.iter().any(|read| read.table == *table && read.error.is_some());
            if broken || !self.survey.tables.contains_key(table) {
                continue;
            }
            reader.execute("SAVEPOINT rehearse")?;
            let answer = reader.execute(&format!("SELECT * FROM {} LIMIT 1", table.quoted()));
            reader.execute("ROLLBACK TO SAVEPOINT rehearse")?;
            let error = match answer {
                Ok(_) => None,
                Err(fault) if fault.is_connection_lost() => return Err(fault),
                Err(fault) => Some(fault),
            };
            happened.reads.push(SnapshotRead { statement: statement.id.clone(), table: table.clone(), error });
        }
        Ok(())
    }

    /// The script has ended: whoever still holds on lets go. What happened comes back, with what was seen to wait
    /// behind the rollback.
    pub fn finish(&self, keeper: &mut Writer, behind_the_rollback: Vec<Blocked>) -> Happened {
        let mut state = self.state();
        if let Some(holding) = state.holder.take() {
            holding.stop.store(true, Ordering::Release);
            if !holding.thread.is_finished() {
                // It may have ended this very moment.
                let _gone = keeper.execute(&format!("KILL QUERY {}", holding.connection));
            }
            if let Ok(Ok((from, until))) = holding.thread.join() {
                state.happened.held_seconds = Some(until - from);
            }
        }
        if let Some(reader) = state.snapshot.take() {
            let history = |instance: &Instance| {
                let mut reader = instance.reader(Role::Watcher).ok()?;
                Counters::read(&mut reader).ok()?.history_list
            };
            // Purge works in the background: give it the time to do what it may.
            std::thread::sleep(Duration::from_secs(1));
            state.happened.history_held = history(self.instance);
            drop(reader);
            std::thread::sleep(Duration::from_secs(1));
            state.happened.history_free = history(self.instance);
        }
        let mut happened = std::mem::take(&mut state.happened);
        if let Some(killed) = &mut happened.killed {
            killed.blocked = behind_the_rollback;
        }
        happened
    }
}

/// By rows where the server tells how many it has changed, else by time.
fn is_due(kill: &Kill, seconds: f64, rows: u64) -> bool {
    match kill.rows.filter(|_| rows > 0) {
        Some(all) => rows as f64 >= kill.share * all as f64,
        None => seconds >= kill.share * kill.seconds,
    }
}

/// Takes hold of a table in a session of its own, and lets go after a while.
fn hold(holder: &Holder, instance: &Instance, survey: &Survey, clock: Clock) -> Result<Holding, Fault> {
    let mut writer = instance.writer(Role::Pool)?;
    let connection = writer.connection_id();
    let table = holder.table.quoted();
    let stop = Arc::new(AtomicBool::new(false));
    let (seconds, from) = (holder.seconds, clock.now());
    let thread = match holder.how {
        HoldKind::SlowRead => {
            // An empty table takes as long as a full one.
            let sql =
                format!("SELECT SLEEP({seconds}) FROM (SELECT 1 AS n) one LEFT JOIN {table} held ON TRUE LIMIT 1");
            let thread = std::thread::spawn(move || {
                writer.execute(&sql)?;
                Ok((from, clock.now()))
            });
            wait_until_it_sleeps(instance, connection, &thread)?;
            thread
        }
        HoldKind::IdleReader | HoldKind::IdleWriter => {
            writer.execute("START TRANSACTION")?;
            // No row is locked: what waits, waits for the table's metadata.
            let column = survey.tables.get(&holder.table).and_then(written);
            writer.execute(&match column.filter(|_| holder.how == HoldKind::IdleWriter) {
                Some(column) => format!("UPDATE {table} SET {column} = {column} WHERE 1 = 0"),
                None => format!("SELECT 1 FROM {table} LIMIT 1"),
            })?;
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while clock.now() < from + seconds && !stop.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                writer.execute("ROLLBACK")?;
                Ok((from, clock.now()))
            })
        }
    };
    Ok(Holding { connection, stop, thread })
}

/// The column that a writer writes: the key's, for on MySQL an UPDATE of it takes the children's metadata locks along (a
/// SELECT … FOR UPDATE does not).
fn written(facts: &TableFacts) -> Option<String> {
    let key = facts.primary_key().first().map(|part| part.name.clone());
    let plain = || facts.columns.iter().find(|column| column.generated.is_none()).map(|column| column.name.clone());
    key.or_else(plain).map(|name| quote_identifier(&name))
}

fn wait_until_it_sleeps<T>(instance: &Instance, connection: u32, thread: &JoinHandle<T>) -> Result<(), Fault> {
    let mut reader = instance.reader(Role::Watcher)?;
    let sql =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE ID = {connection} AND STATE = 'User sleep'");
    let begin = std::time::Instant::now();
    while !thread.is_finished() && begin.elapsed() < SEEN_WITHIN {
        if reader.first::<(u64,)>(&sql)?.is_some_and(|(count,)| count > 0) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(Fault { number: u16::MAX, state: "HY000".into(), message: "the slow query was never seen at work".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_due_by_rows_where_they_are_known_and_else_by_time() {
        let by_rows = Kill { share: 0.5, seconds: 10.0, rows: Some(1_000) };
        assert!(!is_due(&by_rows, 60.0, 499));
        assert!(is_due(&by_rows, 1.0, 500));
        assert!(is_due(&by_rows, 5.0, 0), "the server tells no progress");
        let by_time = Kill { share: 0.25, seconds: 8.0, rows: None };
        assert!(!is_due(&by_time, 1.9, 0));
        assert!(is_due(&by_time, 2.0, 0));
    }
}

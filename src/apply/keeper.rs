//! The session that keeps the journal and holds the lock of an apply: kept awake while a long statement runs elsewhere, and
//! asked at each boundary whether the lock is still ours.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::hold;
use super::target::Line;
use crate::server::fault::Fault;

/// How often a keeper that nobody uses says something: firewalls forget connections that are silent for minutes.
const BEAT: Duration = Duration::from_secs(20);

/// The keeper's session, and the thread that keeps it awake.
pub(super) struct Keeper {
    line: Arc<Mutex<Line>>,
    lock: String,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Keeps a session awake that holds the lock of this name.
    pub(super) fn new(line: Line, lock: String) -> Self {
        let (line, end) = (Arc::new(Mutex::new(line)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (line, end) = (Arc::clone(&line), Arc::clone(&end));
            // Without it the boundaries still ask.
            thread::Builder::new().name("keeper".to_owned()).spawn(move || beat(&line, &end)).ok()
        };
        Self { line, lock, end, thread }
    }

    /// The session.
    pub(super) fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a statement.
    pub(super) fn execute(&self, sql: &str) -> Result<(), Fault> {
        self.line().execute(sql).map(drop)
    }

    /// Fails as a lost connection does when the lock is no longer ours: another apply may have begun.
    pub(super) fn holds(&self) -> Result<(), Fault> {
        if hold::holds(&mut self.line(), &self.lock)? {
            return Ok(());
        }
        Err(Fault::connection_lost("the keeper's lock is no longer ours"))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has nothing to say.
            let _ = thread.join();
        }
    }
}

fn beat(line: &Mutex<Line>, end: &AtomicBool) {
    loop {
        thread::park_timeout(BEAT);
        if end.load(Ordering::Relaxed) {
            return;
        }
        match line.try_lock() {
            // A session that is gone is found by whoever uses it next.
            Ok(mut line) => drop(line.beat()),
            Err(TryLockError::Poisoned(_)) => return,
            // It is being used.
            Err(TryLockError::WouldBlock) => {}
        }
    }
}

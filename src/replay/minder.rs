//! Beside every run, quiet ones too: looks whether the person wants it to stop, tells how far it is, and weighs the
//! data directory. On the server itself it reads one cheap view a second, and only where no watcher does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::disturb::Disturbance;
use super::knot::Knot;
use crate::progress::Progress;
use crate::server::role::Roster;
use crate::server::session::Writer;
use crate::watch::footprint::Disk;
use crate::watch::record::Entry;
use crate::watch::row_locks::Transactions;
use crate::watch::witness::Witness;

/// Looks once every so long.
const LOOK: Duration = Duration::from_millis(100);

/// What a minder has at hand.
pub struct Minder<'a> {
    /// The experiment's witness.
    pub witness: &'a Witness,
    /// The data directory's scales.
    pub disk: &'a Mutex<Disk>,
    /// The reader of open transactions, where no watcher uses it.
    pub transactions: Option<&'a Mutex<Transactions>>,
    /// Who is told, and who may ask to stop.
    pub progress: &'a dyn Progress,
    /// A session to kill from.
    pub keeper: Writer,
    /// What goes wrong on purpose.
    pub disturbance: &'a Disturbance<'a>,
    /// Whose sessions are probes; none where none ask.
    pub probes: Option<&'a Roster>,
}

impl Minder<'_> {
    /// Minds until `stop`; returns what it had to do, in sentences.
    pub fn mind(mut self, stop: &AtomicBool) -> Vec<String> {
        let mut look = 0u32;
        let mut knot = Knot::new(&mut self.keeper);
        let mut notes = Vec::new();
        while !stop.load(Ordering::Acquire) {
            std::thread::sleep(LOOK);
            look += 1;
            self.disturbance.tick(&mut self.keeper);
            if self.progress.interrupted() {
                for connection in self.witness.sessions().into_keys() {
                    // It may have ended meanwhile; then there is nothing to kill.
                    let _gone = self.keeper.execute(&format!("KILL QUERY {connection}"));
                }
            }
            if look.is_multiple_of(5) {
                let bytes = self.disk.lock().unwrap_or_else(PoisonError::into_inner).sample();
                if let Some(bytes) = bytes {
                    let at = self.witness.clock().now();
                    let entry = Entry::Sample { at, series: "data_directory_bytes".to_owned(), value: bytes as f64 };
                    self.witness.timeline().add(&entry);
                }
                self.progress.at(self.witness.rows());
            }
            if look.is_multiple_of(10) {
                self.count_rows();
                if let Some(roster) = self.probes {
                    notes.extend(knot.look(&mut self.keeper, roster, self.witness));
                }
            }
        }
        notes
    }

    fn count_rows(&self) {
        let Some(transactions) = self.transactions else { return };
        // Somebody who reads just now has the better right to it.
        let Ok(mut transactions) = transactions.try_lock() else { return };
        if let Ok(open) = transactions.read() {
            for connection in self.witness.sessions().into_keys() {
                if let Some(transaction) = open.get(&connection) {
                    self.witness.rows_done(transaction.rows_modified);
                }
            }
        }
    }
}

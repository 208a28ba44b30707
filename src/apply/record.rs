//! What a person asks of `apply`, and what they are told in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::batches::BATCH_SECONDS;
use crate::server::address::Address;

/// The database of the journal on the target, unless another is named.
pub const JOURNAL_DATABASE: &str = "rehearse_journal";
/// The journal's table.
pub const JOURNAL_TABLE: &str = "steps";

/// What of a plan is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Backups, steps and their verification.
    #[default]
    Forward,
    /// The undos of what was carried out, last step first.
    Undo,
    /// Drops what was kept.
    Cleanup,
}

impl Phase {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Undo => "undo",
            Self::Cleanup => "cleanup",
        }
    }
}

/// How a plan is to be carried out.
#[derive(Clone, Debug)]
pub struct Options {
    /// What of it.
    pub phase: Phase,
    /// The database that holds the journal.
    pub journal_database: String,
    /// How long a lost server is waited for.
    pub reconnect: Duration,
    /// How often a statement that did not get a lock is tried again.
    pub retries: u32,
    /// Steps whose verification a person has looked at: it need not hold.
    pub accept: BTreeSet<String>,
    /// Units in doubt that a person has looked at: true, it is done; false, it is not.
    pub settled: BTreeMap<String, bool>,
    /// Begin again what was carried out to its end, where what it left is not there any more.
    pub anew: bool,
    /// Copies that were made long before their step are dropped and made again.
    pub renew_backups: bool,
    /// Other plans that may lie about half carried out meanwhile: what their digests begin with.
    pub beside: BTreeSet<String>,
    /// Replicas whose lag counts.
    pub replicas: Vec<Address>,
    /// More lag than this makes it rest.
    pub max_lag: Option<Duration>,
    /// More running threads than this make it rest.
    pub max_threads_running: Option<u64>,
    /// While this file exists it rests.
    pub pause_file: Option<PathBuf>,
    /// Seconds that one batch should take.
    pub batch_seconds: f64,
    /// The directory of the local journal; none: it is kept on the target alone.
    pub trail: Option<PathBuf>,
    /// For tests of the crash rules: stops like a process that is gone.
    pub cut: Option<Cut>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            phase: Phase::Forward,
            journal_database: JOURNAL_DATABASE.to_owned(),
            reconnect: Duration::from_secs(60),
            retries: 30,
            accept: BTreeSet::new(),
            settled: BTreeMap::new(),
            anew: false,
            renew_backups: false,
            beside: BTreeSet::new(),
            replicas: Vec::new(),
            max_lag: Some(Duration::from_secs(10)),
            max_threads_running: None,
            pause_file: None,
            batch_seconds: BATCH_SECONDS,
            trail: None,
            cut: None,
        }
    }
}

/// Ends the run at a call to the server, as if the process had been killed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Calls that are let through.
    pub calls: u64,
    /// The last one reaches the server, and its answer is lost; else it is not sent.
    pub sent: bool,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Ending {
    /// All is done.
    Done,
    /// All was done before.
    AlreadyDone,
    /// A statement failed, or a verification does not hold. Nothing after it was run.
    Failed(Stand),
    /// What happened cannot be told, or the target could not be used any more.
    Stopped(Stand),
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stand {
    /// The unit: `step-003/2`, or empty.
    pub unit: String,
    /// What is seen, in sentences.
    pub why: String,
    /// What to do, in sentences.
    pub next: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How it ended.
    #[serde(flatten)]
    pub ending: Ending,
    /// Units that an earlier run had done.
    pub before: u64,
    /// Units done now.
    pub done: u64,
    /// Units in all.
    pub units: u64,
    /// Rows that the plan's statements changed, this time.
    pub rows: u64,
    /// Seconds.
    pub seconds: f64,
    /// Batches committed.
    pub batches: u64,
    /// The longest transaction of a batch, in seconds: what a writer of its rows may have waited.
    pub longest_batch_seconds: f64,
    /// Statements that were run again because they did not get a lock.
    pub retries: u64,
    /// Times that the connection was lost and made again.
    pub reconnects: u64,
    /// Seconds of rest.
    pub rested_seconds: f64,
}

impl Summary {
    /// Nothing was done yet.
    pub fn new(units: u64) -> Self {
        Self {
            ending: Ending::Done,
            before: 0,
            done: 0,
            units,
            rows: 0,
            seconds: 0.0,
            batches: 0,
            longest_batch_seconds: 0.0,
            retries: 0,
            reconnects: 0,
            rested_seconds: 0.0,
        }
    }
}

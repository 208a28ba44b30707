//! What was heard of an upgrade, whoever heard it: the proxy, a server's log, a folder of files.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;

use crate::sql::record::Origin;

/// What a source tells, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A session began, or began anew (`COM_CHANGE_USER`, `COM_RESET_CONNECTION`): nothing of its state is left.
    Began(Began),
    /// A statement was sent.
    Heard(Heard),
    /// A session ended.
    Ended {
        /// The session, as its source counts it.
        session: u64,
    },
    /// Something that the source holds and that is no statement that could be sent again.
    Dropped(Dropped),
}

/// A session that began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Began {
    /// The session, as its source counts it: a connection of the proxy, a thread of the log.
    pub session: u64,
    /// Who: `user@host`; empty where the source does not tell.
    pub account: String,
    /// The database in use; empty for none.
    pub database: String,
    /// What the session has set before its first statement, as SET statements without `SET`: `NAMES utf8mb4`.
    pub settings: Vec<String>,
    /// The client asked for matched rows to be counted as affected (`CLIENT_FOUND_ROWS`), which no SET can: its
    /// `ROW_COUNT()` and [`Heard::rows_affected`] count so.
    pub found_rows: bool,
}

/// A statement that was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// The session, as its source counts it.
    pub session: u64,
    /// The statement, ready to be sent again as text: bound values stand in their places. Bytes as they were sent: text in
    /// the session's character set, and bytes that are none inside of literals.
    pub text: Vec<u8>,
    /// How it was sent.
    pub sent: Sent,
    /// Where it stands in its source; of the proxy the session and the place in it.
    pub origin: Origin,
    /// When it began; none where the source does not tell.
    pub at: Option<Timestamp>,
    /// Seconds from when it was sent to its last answer.
    pub seconds: Option<f64>,
    /// Rows that it sent back.
    pub rows_sent: Option<u64>,
    /// Rows that it changed, as the server counts them.
    pub rows_affected: Option<u64>,
    /// Rows that the server looked at.
    pub rows_examined: Option<u64>,
    /// Warnings.
    pub warnings: Option<u64>,
    /// The error that it ended with: number and message.
    pub error: Option<(u16, String)>,
    /// What its author remarked on it (`name slug`, `ignore drop-table reason="…"`), given again as `-- rehearse: …` before it.
    pub remarks: Vec<String>,
    /// What the session has that decides what the statement does, and that no earlier statement shows: `insert_id`,
    /// `timestamp`, `rand_seed1`; a `database` that only a log line names. Given again as `SET` (or `USE`) before it.
    pub state: State,
}

/// What a session has, by name. Statements share it: of a log's millions few have another one than the one before.
#[derive(Clone, Debug, Default)]
pub struct State(Option<Arc<BTreeMap<String, String>>>);

static NOTHING: BTreeMap<String, String> = BTreeMap::new();

impl State {
    /// True where both are one, without a look at what is in it.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// The same values, shared with nobody.
    pub fn apart(&self) -> Self {
        Self(self.0.as_ref().map(|values| Arc::new(BTreeMap::clone(values))))
    }
}

impl Deref for State {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for State {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl From<BTreeMap<String, String>> for State {
    fn from(values: BTreeMap<String, String>) -> Self {
        Self(Some(Arc::new(values)))
    }
}

/// How a statement was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    /// As text.
    #[default]
    Text,
    /// Prepared, with values bound to it.
    Prepared,
    /// By a trigger or routine, not by the session: sent again it would run twice.
    Nested,
    /// As changed rows (row events of a binary log), of which the text was made.
    Rows,
}

/// What a source holds and nobody can send again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dropped {
    /// The session, where it is known.
    pub session: Option<u64>,
    /// Where it stands.
    pub origin: Origin,
    /// Why, as it is counted: `cut off in mid-statement`, `torn line`.
    pub why: String,
}

/// Who is told what is heard. Called from any thread, one call at a time for each session.
pub trait Listener: Send + Sync {
    /// Takes an event.
    ///
    /// # Errors
    /// When it can take no more (the disk is full): the source then ends.
    fn hear(&self, event: Event) -> Result<()>;
}

//! One session's past: its transaction, its settings, its table locks, and the look-alikes that it ran.

use std::collections::BTreeMap;

use super::set_words;
use crate::sql::record::{Kind, Statement, TableName, TransactionStep};
use crate::survey::record::Survey;

/// Settings that are remembered of a session.
const SETTINGS: usize = 1_000;
/// Writes of one transaction that are remembered, by table.
const WRITES: usize = 64;
/// Kinds of look-alikes that are counted at once; of more, the rarer half is forgotten.
const ALIKE: usize = 256;

/// A transaction that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Label of the statement that began it.
    pub began: String,
    /// BEGIN or START TRANSACTION; else autocommit is off.
    pub explicit: bool,
    /// Each table that it changed rows of, once, in the order of the first change.
    pub writes: Vec<Write>,
    /// Statements on rows in it so far.
    pub statements: u64,
}

/// The first change of a table's rows in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The table.
    pub table: TableName,
    /// The statement's verb.
    pub kind: Kind,
    /// Its label.
    pub label: String,
}

/// LOCK TABLES, or FLUSH TABLES … WITH READ LOCK, that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// Label of the statement that took it.
    pub statement: String,
    /// The tables; true for WRITE. Empty for the whole server.
    pub tables: BTreeMap<TableName, bool>,
}

/// Look-alikes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// Id of the first.
    pub first: String,
    /// How many.
    pub count: u64,
}

/// What a session's statements so far have left it in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPast {
    database: String,
    autocommit: bool,
    transaction: Option<OpenTransaction>,
    settings: BTreeMap<String, String>,
    locked: Option<HeldLock>,
    alike: BTreeMap<String, Alike>,
    /// Digest of the last statement, and how many of it ran without another between them.
    run: (String, u64),
    /// The server's own lock_wait_timeout, in seconds.
    server_wait: Option<u64>,
    /// SET TRANSACTION ISOLATION LEVEL without a scope, until the next transaction ends.
    next_isolation: Option<String>,
    /// The server's own isolation level.
    server_isolation: Option<String>,
}

impl SessionPast {
    /// A session that has just connected to the surveyed server.
    pub fn fresh(survey: Option<&Survey>) -> Self {
        let global = |name: &str| survey.and_then(|survey| survey.server.settings.get(name));
        Self {
            autocommit: global("autocommit").is_none_or(|value| !is_off(value)),
            server_wait: global("lock_wait_timeout").and_then(|value| value.parse().ok()),
            server_isolation: global("transaction_isolation").or_else(|| global("tx_isolation")).cloned(),
            ..Self::default()
        }
    }

    /// The database that the session's own USE chose; empty without one.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Each statement outside of a transaction commits by itself.
    pub fn autocommit(&self) -> bool {
        self.autocommit
    }

    /// The transaction that is open before the statement that is judged.
    pub fn transaction(&self) -> Option<&OpenTransaction> {
        self.transaction.as_ref()
    }

    /// A session setting as the session itself wrote it (`lock_wait_timeout`, `foreign_key_checks`, `sql_mode`,
    /// `transaction_isolation`); none where it has the server's.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Seconds that a DDL of this session waits for a table: the session's lock_wait_timeout, else the server's; none
    /// where neither is known (the default is a year on MySQL, a day on MariaDB).
    pub fn lock_wait_timeout(&self) -> Option<u64> {
        match self.setting("lock_wait_timeout") {
            // What a variable or an expression gives is somebody's care at least.
            Some(value) => Some(value.parse().unwrap_or(0)),
            None => self.server_wait,
        }
    }

    /// A locking read (of an INSERT … SELECT, an UPDATE's WHERE) keeps locks only on what it changes.
    pub fn is_read_committed(&self) -> bool {
        let level = self.next_isolation.as_deref().or_else(|| self.setting("transaction_isolation"));
        level.or(self.server_isolation.as_deref()).is_some_and(|level| {
            let level = level.to_ascii_uppercase();
            level == "READ-COMMITTED" || level == "READ-UNCOMMITTED"
        })
    }

    /// A switch as the session itself set it; none where it has the server's.
    pub fn switch(&self, name: &str) -> Option<bool> {
        self.setting(name).map(|value| !is_off(value))
    }

    /// The table locks that it holds.
    pub fn locked(&self) -> Option<&HeldLock> {
        self.locked.as_ref()
    }

    /// Look-alikes of a digest that it ran before, other statements between them or not.
    pub fn alike(&self, digest: &str) -> Option<&Alike> {
        self.alike.get(digest)
    }

    /// Look-alikes of a digest that it ran directly before, nothing between them.
    pub fn run(&self, digest: &str) -> u64 {
        if self.run.0 == digest { self.run.1 } else { 0 }
    }

    /// Takes one statement (or `count` look-alikes) into account. One that failed commits all the same if it is of those
    /// that commit implicitly, but changes nothing else.
    pub(super) fn apply(&mut self, statement: &Statement, count: u64, done: bool) {
        self.count(statement, count);
        self.step(statement, count, done);
        if !done {
            return;
        }
        let effect = &statement.reading.effect;
        match statement.reading.kind {
            Kind::Use => {
                let name = statement.text.trim().get(3..).unwrap_or_default();
                self.database = name.trim().trim_end_matches(';').trim().trim_matches('`').to_owned();
            }
            Kind::LockTables => self.lock(statement),
            Kind::Flush if effect.changes_session => self.lock(statement),
            Kind::UnlockTables => self.locked = None,
            Kind::Begin => self.locked = None,
            Kind::Set => self.set(statement),
            _ => {}
        }
    }

    fn count(&mut self, statement: &Statement, count: u64) {
        if self.run.0 == statement.digest {
            self.run.1 += count;
        } else {
            self.run = (statement.digest.clone(), count);
        }
        if self.alike.len() >= ALIKE && !self.alike.contains_key(&statement.digest) {
            let mut counts: Vec<u64> = self.alike.values().map(|alike| alike.count).collect();
            counts.sort_unstable();
            let common = counts.get(ALIKE / 2).copied().unwrap_or_default();
            self.alike.retain(|_, alike| alike.count > common);
        }
        let first = || Alike { first: statement.id.clone(), count: 0 };
        self.alike.entry(statement.digest.clone()).or_insert_with(first).count += count;
    }

    fn step(&mut self, statement: &Statement, count: u64, done: bool) {
        let effect = &statement.reading.effect;
        match effect.transaction {
            // It commits before it fails.
            TransactionStep::ImplicitCommit => self.transaction = None,
            _ if !done => {}
            TransactionStep::Begin => self.transaction = Some(open(statement, true)),
            TransactionStep::Commit | TransactionStep::Rollback => {
                self.transaction = None;
                self.next_isolation = None;
            }
            TransactionStep::AutocommitOff => self.autocommit = false,
            TransactionStep::AutocommitOn => {
                self.autocommit = true;
                self.transaction = None;
            }
            TransactionStep::None => self.touch(statement, count),
        }
        if statement.reading.kind == Kind::UnlockTables && self.locked.is_some() {
            self.transaction = None; // UNLOCK TABLES commits only where tables were locked (manual)
        }
    }

    fn touch(&mut self, statement: &Statement, count: u64) {
        let reading = &statement.reading;
        let touches = reading.kind.is_dml()
            || (reading.kind == Kind::Select && !reading.effect.reads.is_empty())
            || matches!(reading.kind, Kind::Call | Kind::Execute | Kind::Opaque);
        if !touches {
            return;
        }
        if self.transaction.is_none() && !self.autocommit {
            self.transaction = Some(open(statement, false));
        }
        let Some(transaction) = &mut self.transaction else {
            self.next_isolation = None;
            return;
        };
        transaction.statements += count;
        if reading.kind.is_dml() {
            for table in &reading.effect.writes {
                let known = transaction.writes.iter().any(|write| write.table == *table);
                if !known && transaction.writes.len() < WRITES {
                    let label = statement.label().to_owned();
                    transaction.writes.push(Write { table: table.clone(), kind: reading.kind, label });
                }
            }
        }
    }

    fn lock(&mut self, statement: &Statement) {
        let effect = &statement.reading.effect;
        let reads = effect.reads.iter().map(|table| (table.clone(), false));
        let tables = reads.chain(effect.writes.iter().map(|table| (table.clone(), true))).collect();
        self.locked = Some(HeldLock { statement: statement.label().to_owned(), tables });
    }

    fn set(&mut self, statement: &Statement) {
        for set in set_words::assignments(statement).into_iter().filter(|set| !set.global) {
            if set.once {
                self.next_isolation = Some(set.value);
            } else if set.value == "DEFAULT" {
                self.settings.remove(&set.name);
            } else if self.settings.len() < SETTINGS {
                self.settings.insert(set.name, set.value);
            }
        }
    }
}

fn open(statement: &Statement, explicit: bool) -> OpenTransaction {
    OpenTransaction { began: statement.label().to_owned(), explicit, writes: Vec::new(), statements: 0 }
}

fn is_off(value: &str) -> bool {
    ["0", "OFF", "FALSE"].iter().any(|off| value.eq_ignore_ascii_case(off))
}

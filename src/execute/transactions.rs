//! Where a session's transactions begin and end, as the statements' texts tell. Pure.

use std::collections::BTreeSet;

use crate::sql::record::{Kind, Statement, TableName, TransactionStep};
use crate::watch::witness::Scope;

/// What one statement does to its session's transaction and table locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Until when its own locks live.
    pub scope: Scope,
    /// Number of the transaction it belongs to.
    pub transaction: Option<u32>,
    /// What is freed when it begins.
    pub before: Vec<Scope>,
    /// What is freed when it has ended well.
    pub after: Vec<Scope>,
}

/// A session's transaction and table locks.
#[derive(Clone, Debug)]
pub struct Transactions {
    autocommit: bool,
    open: Option<u32>,
    tables_locked: bool,
}

impl Transactions {
    /// A fresh session's, on a server with this global `autocommit`.
    pub fn new(autocommit: bool) -> Self {
        Self { autocommit, open: None, tables_locked: false }
    }

    /// Each statement commits by itself, and no lock outlives it.
    pub fn is_plain(&self) -> bool {
        self.autocommit && self.open.is_none() && !self.tables_locked
    }

    /// A transaction is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A statement begins. `next` numbers transactions over all sessions.
    pub fn begin(&mut self, statement: &Statement, next: &mut u32) -> Step {
        let reading = &statement.reading;
        let mut step = Step { scope: Scope::Own, transaction: self.open, before: Vec::new(), after: Vec::new() };
        let mut number = || {
            *next += 1;
            *next
        };
        match reading.effect.transaction {
            TransactionStep::Begin => {
                step.before = self.free(true);
                self.open = Some(number());
                step.transaction = self.open;
            }
            TransactionStep::Commit | TransactionStep::Rollback => {
                step.after.push(Scope::Transaction);
                let chained = statement.text.to_ascii_lowercase().contains("and chain");
                let no_chain = statement.text.to_ascii_lowercase().contains("and no chain");
                self.open = (chained && !no_chain).then(number);
            }
            TransactionStep::AutocommitOff => self.autocommit = false,
            TransactionStep::AutocommitOn => {
                self.autocommit = true;
                self.open = None;
                step.after.push(Scope::Transaction);
            }
            TransactionStep::ImplicitCommit => {
                step.before = self.free(reading.kind == Kind::LockTables);
                step.transaction = None;
                if reading.kind == Kind::LockTables {
                    self.tables_locked = true;
                    step.scope = Scope::TableLocks;
                }
            }
            TransactionStep::None => self.plain(statement, &mut step, &mut number),
        }
        step
    }

    fn plain(&mut self, statement: &Statement, step: &mut Step, number: &mut dyn FnMut() -> u32) {
        let kind = statement.reading.kind;
        match kind {
            Kind::LockTables => {
                step.before = self.free(true);
                step.transaction = None;
                self.tables_locked = true;
                step.scope = Scope::TableLocks;
            }
            Kind::UnlockTables => {
                if self.tables_locked {
                    self.tables_locked = false;
                    self.open = None;
                    step.after = vec![Scope::TableLocks, Scope::Transaction];
                }
            }
            Kind::Flush if holds_on(&statement.text) => {
                self.tables_locked = true;
                step.scope = Scope::TableLocks;
            }
            Kind::Set | Kind::Use | Kind::Show | Kind::Explain | Kind::Flush | Kind::Kill | Kind::Prepare => {}
            _ => {
                if self.open.is_none() && !self.autocommit {
                    self.open = Some(number());
                    step.transaction = self.open;
                }
                if self.open.is_some() {
                    step.scope = Scope::Transaction;
                }
            }
        }
    }

    /// The server rolled the transaction back by itself (a deadlock's victim).
    pub fn undone(&mut self) {
        self.open = None;
    }

    fn free(&mut self, tables_too: bool) -> Vec<Scope> {
        let mut freed = Vec::new();
        if self.open.take().is_some() {
            freed.push(Scope::Transaction);
        }
        if tables_too && std::mem::take(&mut self.tables_locked) {
            freed.push(Scope::TableLocks);
        }
        freed
    }
}

/// FLUSH TABLES … WITH READ LOCK and FOR EXPORT keep their locks until UNLOCK TABLES.
fn holds_on(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("read lock") || text.contains("for export")
}

/// Tables that a statement takes hold of: others may have to wait for them. A plain SELECT takes none that matters.
pub fn grip(statement: &Statement) -> BTreeSet<TableName> {
    let reading = &statement.reading;
    match reading.kind {
        Kind::Select => {
            let text = statement.text.to_ascii_lowercase();
            if ["for update", "for share", "lock in share mode"].iter().any(|clause| text.contains(clause)) {
                reading.effect.tables()
            } else {
                BTreeSet::new()
            }
        }
        Kind::Show | Kind::Explain | Kind::Set | Kind::Use | Kind::Do => BTreeSet::new(),
        _ => reading.effect.tables(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::flavor::{Flavor, Vendor};
    use crate::sql::record::{Confidence, Effect, Origin, Reading};

    fn statement(text: &str, kind: Kind, transaction: TransactionStep) -> Statement {
        let effect = Effect { transaction, ..Effect::default() };
        let _ = Flavor { vendor: Vendor::MySql, major: 9, minor: 7, patch: None };
        Statement {
            id: "s1".into(),
            name: None,
            text: text.into(),
            origin: Origin::default(),
            session: 1,
            digest: String::new(),
            reading: Reading { kind, effect, confidence: Confidence::Parsed, why: None },
            ignores: Vec::new(),
        }
    }

    #[test]
    fn locks_in_a_transaction_live_until_its_commit() {
        let (mut session, mut next) = (Transactions::new(true), 0);
        assert!(session.is_plain());
        let begin = session.begin(&statement("BEGIN", Kind::Begin, TransactionStep::Begin), &mut next);
        assert_eq!((begin.transaction, begin.scope), (Some(1), Scope::Own));
        let update = session.begin(&statement("UPDATE t", Kind::Update, TransactionStep::None), &mut next);
        assert_eq!((update.transaction, update.scope), (Some(1), Scope::Transaction));
        let commit = session.begin(&statement("COMMIT", Kind::Commit, TransactionStep::Commit), &mut next);
        assert_eq!((commit.transaction, commit.after), (Some(1), vec![Scope::Transaction]));
        assert!(session.is_plain());
    }

    #[test]
    fn a_ddl_commits_what_is_open_before_it_runs() {
        let (mut session, mut next) = (Transactions::new(false), 0);
        let update = session.begin(&statement("UPDATE t", Kind::Update, TransactionStep::None), &mut next);
        assert_eq!(update.scope, Scope::Transaction, "without autocommit the first statement opens one");
        let alter = session.begin(&statement("ALTER", Kind::AlterTable, TransactionStep::ImplicitCommit), &mut next);
        assert_eq!((alter.before, alter.transaction), (vec![Scope::Transaction], None));
    }

    #[test]
    fn table_locks_live_until_they_are_unlocked() {
        let (mut session, mut next) = (Transactions::new(true), 0);
        let lock = statement("LOCK TABLES t WRITE", Kind::LockTables, TransactionStep::ImplicitCommit);
        assert_eq!(session.begin(&lock, &mut next).scope, Scope::TableLocks);
        assert!(!session.is_plain(), "a BEGIN of ours would free them");
        let unlock = statement("UNLOCK TABLES", Kind::UnlockTables, TransactionStep::None);
        assert!(session.begin(&unlock, &mut next).after.contains(&Scope::TableLocks));
        assert!(session.is_plain());
    }
}

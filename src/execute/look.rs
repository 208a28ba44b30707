//! Looks at what a statement did that its answer does not tell: rows examined, locked, and changed elsewhere. All through
//! other sessions than its own, so that it notices nothing.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::record::{Ran, TwinAnswer};
use super::run::Executor;
use super::session::looks_back;
use super::{transactions, twin};
use crate::server::fault::Fault;
use crate::sql::record::{Confidence, Kind, Statement, TableName};

impl Executor<'_> {
    /// True when running it as `BEGIN; …; COMMIT` is the same as running it alone: rows of tables that can roll back,
    /// all of them known.
    pub(super) fn may_wrap(&self, statement: &Statement) -> bool {
        let reading = &statement.reading;
        let written: BTreeSet<&TableName> = reading.effect.writes.union(&reading.effect.empties).collect();
        reading.kind.is_dml()
            && reading.confidence != Confidence::Unknown
            && !reading.effect.temporary
            && !written.is_empty()
            && written.iter().all(|table| {
                self.survey.tables.get(*table).is_some_and(|facts| facts.is_transactional())
                    && self
                        .trigger_targets(table)
                        .all(|target| self.survey.tables.get(target).is_some_and(|facts| facts.is_transactional()))
            })
    }

    /// Asks an empty twin of its table what a DDL will do; none where nothing may be sent on the session before it.
    ///
    /// # Errors
    /// The loss of a connection, or a session that cannot be opened.
    pub fn twin(&mut self, statement: &Statement) -> Result<Option<Result<TwinAnswer, String>>, Fault> {
        if !twin::is_asked(statement) || looks_back(statement) {
            return Ok(None);
        }
        let session = self.session(statement.session)?;
        if session.fragile {
            return Ok(None);
        }
        let state = twin::state(&mut session.writer)?;
        let database = twin::database(&mut session.writer)?;
        twin::ask(self.instance, &mut self.reader, statement, &database, &state)
    }

    pub(super) fn trigger_targets<'b>(&'b self, table: &'b TableName) -> impl Iterator<Item = &'b TableName> {
        self.survey
            .triggers
            .values()
            .filter(move |trigger| trigger.table == *table)
            .flat_map(|trigger| &trigger.touches)
    }

    pub(super) fn is_transactional(&self, statement: &Statement) -> bool {
        let tables = statement.reading.effect.tables();
        tables.iter().all(|table| self.survey.tables.get(table).is_none_or(|facts| facts.is_transactional()))
    }

    /// Rows locked and rows changed beyond those reported, from `innodb_trx` before the commit (dba.md D16).
    pub(super) fn read_row_locks(&mut self, statement: &Statement, wrapped: bool, ran: &mut Ran) -> Result<(), Fault> {
        let Some(session) = self.sessions.get_mut(&statement.session) else { return Ok(()) };
        let open = wrapped || session.transactions.is_open();
        let start = match session.point {
            _ if wrapped => Some((0, 0)),
            (number, point) if number == ran.transaction => point,
            _ => Some((0, 0)),
        };
        session.point = (ran.transaction, None);
        if !self.conditions.pauses || !open {
            return Ok(());
        }
        let connection = session.writer.connection_id();
        let transaction =
            self.transactions.lock().unwrap_or_else(PoisonError::into_inner).now(connection)?.unwrap_or_default();
        session.point.1 = Some((transaction.rows_locked, transaction.rows_modified));
        // A statement before it in the transaction was not looked at: the two cannot be told apart.
        let Some(start) = start else { return Ok(()) };
        ran.rows.locked = Some(transaction.rows_locked.saturating_sub(start.0));
        let written = &statement.reading.effect.writes;
        let counted_once = matches!(statement.reading.kind, Kind::Delete | Kind::Insert)
            || (statement.reading.kind == Kind::Update && !written.is_empty());
        ran.rows.cascaded = if !written.iter().any(|table| self.reaching.contains(table)) {
            Some(0)
        } else if counted_once {
            Some(transaction.rows_modified.saturating_sub(start.1).saturating_sub(ran.rows.affected))
        } else {
            None
        };
        Ok(())
    }

    /// A statement passed whose row locks were not read: unless it takes none, what its transaction held before is no
    /// longer known.
    pub(super) fn pass_row_locks(&mut self, statement: &Statement, ran: &Ran) {
        let Some(session) = self.sessions.get_mut(&statement.session) else { return };
        let fresh = session.point.0 != ran.transaction;
        let point = if fresh { Some((0, 0)) } else { session.point.1 };
        let takes_none = matches!(
            statement.reading.kind,
            Kind::Begin | Kind::Select | Kind::Set | Kind::Use | Kind::Show | Kind::Explain | Kind::Savepoint
        ) && transactions::grip(statement).is_empty();
        session.point = (ran.transaction, point.filter(|_| takes_none));
    }

    /// Rows that the session's thread has read through its handlers so far.
    pub(super) fn handlers(&mut self, thread: Option<u64>) -> Result<Option<u64>, Fault> {
        let Some(thread) = thread else { return Ok(None) };
        let sum = self.reader.first::<(Option<u64>,)>(&format!(
            "SELECT CAST(SUM(VARIABLE_VALUE) AS UNSIGNED) FROM performance_schema.status_by_thread \
             WHERE THREAD_ID = {thread} AND VARIABLE_NAME LIKE 'Handler\\_read%'"
        ));
        match sum {
            Err(fault) if fault.is_connection_lost() => Err(fault),
            answer => Ok(answer.ok().flatten().and_then(|(sum,)| sum)),
        }
    }
}

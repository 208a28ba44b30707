//! What a session carries from statement to statement, and how to bring a fresh one to the same state.

use crate::sql::record::Statement;

/// The state of one session, folded from the statements that it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionState {
    database: String,
}

impl SessionState {
    /// Takes one statement into account, as if it had succeeded.
    pub fn apply(&mut self, statement: &Statement) {
        let _ = statement;
    }

    /// The database in use; empty when none is.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// A transaction is open.
    pub fn in_transaction(&self) -> bool {
        false
    }

    /// Statements that bring a fresh session to this state.
    ///
    /// # Errors
    /// A sentence on what cannot be carried: temporary tables, LOCK TABLES, an open transaction, user variables that
    /// came from queries, prepared statements.
    pub fn preamble(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

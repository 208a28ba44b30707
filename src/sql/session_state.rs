//! What a session carries from statement to statement, and how to bring a fresh one to the same state.

use std::collections::BTreeSet;

use crate::sql::record::{Kind, Statement, TableName, TransactionStep, quote_identifier};
use crate::sql::token::{Lexer, TokenKind};

/// The state of one session, folded from the statements that it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    database: String,
    autocommit: bool,
    /// BEGIN, or a statement on rows without autocommit, and no commit since.
    in_transaction: bool,
    /// SET statements that can be given again, each once, in order.
    settings: Vec<String>,
    temporary: BTreeSet<TableName>,
    tables_locked: bool,
    prepared: BTreeSet<String>,
    /// What set a user variable or took a named lock in a way that cannot be given again: the statement's label.
    uncarried: Option<String>,
}

impl Default for SessionState {
    fn default() -> Self {
        Self {
            database: String::new(),
            autocommit: true,
            in_transaction: false,
            settings: Vec::new(),
            temporary: BTreeSet::new(),
            tables_locked: false,
            prepared: BTreeSet::new(),
            uncarried: None,
        }
    }
}

impl SessionState {
    /// Takes one statement into account, as if it had succeeded.
    pub fn apply(&mut self, statement: &Statement) {
        let reading = &statement.reading;
        let effect = &reading.effect;
        match effect.transaction {
            TransactionStep::Begin => {
                self.in_transaction = true;
                self.tables_locked = false;
            }
            TransactionStep::Commit | TransactionStep::Rollback | TransactionStep::ImplicitCommit => {
                self.in_transaction = false;
            }
            TransactionStep::AutocommitOff => self.autocommit = false,
            TransactionStep::AutocommitOn => {
                self.autocommit = true;
                self.in_transaction = false;
            }
            TransactionStep::None => {
                let touches = reading.kind.is_dml()
                    || (reading.kind == Kind::Select && !effect.reads.is_empty())
                    || matches!(reading.kind, Kind::Call | Kind::Execute | Kind::Opaque);
                self.in_transaction |= touches && !self.autocommit;
            }
        }
        match reading.kind {
            Kind::Use => self.database = used_database(&statement.text).unwrap_or_default(),
            Kind::LockTables => self.tables_locked = true,
            Kind::Flush if effect.changes_session => self.tables_locked = true,
            Kind::UnlockTables => {
                self.in_transaction &= !self.tables_locked;
                self.tables_locked = false;
            }
            Kind::Set => self.set(statement),
            Kind::Prepare => self.prepared.extend(second_name(&statement.text)),
            Kind::Deallocate => {
                if let Some(name) = last_name(&statement.text) {
                    self.prepared.remove(&name);
                }
            }
            Kind::CreateTable if effect.temporary => self.temporary.extend(effect.defines.iter().cloned()),
            Kind::DropTable => self.temporary.retain(|table| !effect.drops.contains(table)),
            Kind::AlterTable | Kind::RenameTable => {
                for (from, to) in &effect.renames {
                    if self.temporary.remove(from) {
                        self.temporary.insert(to.clone());
                    }
                }
            }
            _ if effect.changes_session => self.uncarried = Some(statement.label().to_owned()),
            _ => {}
        }
    }

    fn set(&mut self, statement: &Statement) {
        let effect = &statement.reading.effect;
        if !effect.changes_session {
            return;
        }
        if !effect.reads.is_empty() || holds_sub_select(&statement.text) || depends_on_time(&statement.text) {
            self.uncarried = Some(statement.label().to_owned());
            return;
        }
        // Given again later: only the last of equals counts, but others may read what it set.
        self.settings.retain(|known| *known != statement.text);
        self.settings.push(statement.text.clone());
    }

    /// The database in use; empty when none is.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// A transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Statements that bring a fresh session to this state.
    ///
    /// # Errors
    /// A sentence on what cannot be carried: temporary tables, LOCK TABLES, an open transaction, user variables that
    /// came from queries, prepared statements.
    pub fn preamble(&self) -> Result<Vec<String>, String> {
        if let Some(table) = self.temporary.first() {
            return Err(format!("the temporary table {table} is there only in the session that created it"));
        }
        if self.tables_locked {
            return Err("LOCK TABLES holds in the session that took the locks".to_owned());
        }
        if self.in_transaction {
            return Err("a transaction is open".to_owned());
        }
        if let Some(name) = self.prepared.first() {
            return Err(format!("the prepared statement '{name}' is there only in the session that prepared it"));
        }
        if let Some(label) = &self.uncarried {
            return Err(format!("{label} left something in its session that depends on when it ran"));
        }
        let used = (!self.database.is_empty()).then(|| format!("USE {}", quote_identifier(&self.database)));
        Ok(used.into_iter().chain(self.settings.iter().cloned()).collect())
    }
}

/// The database that a USE names.
pub fn used_database(text: &str) -> Option<String> {
    // The client takes all of the line: `USE my-db` works.
    let rest = text.trim().get(3..)?.trim().trim_end_matches(';').trim();
    let name = match rest.chars().next()? {
        quote @ ('`' | '"' | '\'') => {
            let doubled: String = [quote, quote].iter().collect();
            rest.get(1..rest.len().checked_sub(1)?)?.replace(&doubled, &quote.to_string())
        }
        _ => rest.split_whitespace().next()?.to_owned(),
    };
    (!name.is_empty()).then_some(name)
}

fn names(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    Lexer::over_everything(bytes)
        .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Quoted))
        .map(|token| text[token.start as usize..token.end as usize].trim_matches('`').to_lowercase())
        .collect()
}

fn second_name(text: &str) -> Option<String> {
    names(text).into_iter().nth(1)
}

fn last_name(text: &str) -> Option<String> {
    names(text).pop()
}

fn holds_sub_select(text: &str) -> bool {
    names(text).iter().any(|name| name == "select")
}

/// What a function answers differently each time.
fn depends_on_time(text: &str) -> bool {
    const FUNCTIONS: [&str; 14] = [
        "now",
        "sysdate",
        "curdate",
        "curtime",
        "current_timestamp",
        "current_date",
        "current_time",
        "unix_timestamp",
        "utc_timestamp",
        "last_insert_id",
        "found_rows",
        "row_count",
        "rand",
        "uuid",
    ];
    names(text).iter().any(|name| FUNCTIONS.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::script::{Options, Script};

    fn after(text: &str) -> SessionState {
        let flavor = "mysql:9.7".parse().expect("a flavor");
        let options = Options { variables: Default::default(), database: "app".to_owned(), flavor };
        let mut state = SessionState::default();
        for action in Script::from_text("x.sql", text, options).actions().expect("actions") {
            state.apply(action.expect("an action").statement());
        }
        state
    }

    #[test]
    fn settings_and_the_database_are_carried_in_order() {
        let state = after("USE `my-db`; SET NAMES utf8mb4; SET @a = 1; SET GLOBAL max_connections = 5; DELETE FROM t");
        assert_eq!(state.database(), "my-db");
        assert_eq!(state.preamble().unwrap_or_default(), ["USE `my-db`", "SET NAMES utf8mb4", "SET @a = 1"]);
        assert_eq!(SessionState::default().preamble(), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_carried_is_said() {
        for (text, said) in [
            ("CREATE TEMPORARY TABLE x (a INT)", "temporary table app.x"),
            ("LOCK TABLES t WRITE", "LOCK TABLES"),
            ("BEGIN; DELETE FROM t", "a transaction"),
            ("SET autocommit = 0; DELETE FROM t", "a transaction"),
            ("SELECT max(id) FROM t INTO @v", "s1 left something"),
            ("SET @v = (SELECT 1)", "s1 left something"),
            ("SET @v = NOW()", "s1 left something"),
            ("PREPARE s FROM 'SELECT 1'", "prepared statement 's'"),
        ] {
            let refused = after(text).preamble().expect_err(text);
            assert!(refused.contains(said), "{text}: {refused}");
        }
        for text in [
            "CREATE TEMPORARY TABLE x (a INT); DROP TABLE x",
            "LOCK TABLES t WRITE; UNLOCK TABLES",
            "BEGIN; DELETE FROM t; ALTER TABLE t ADD a INT",
            "SET autocommit = 0; DELETE FROM t; COMMIT",
            "PREPARE s FROM 'SELECT 1'; DEALLOCATE PREPARE s",
        ] {
            assert!(after(text).preamble().is_ok(), "{text}");
        }
    }

    #[test]
    fn transactions_open_and_close() {
        assert!(after("START TRANSACTION").in_transaction());
        assert!(!after("START TRANSACTION; COMMIT").in_transaction());
        assert!(!after("START TRANSACTION; TRUNCATE t").in_transaction());
        assert!(after("BEGIN; ROLLBACK TO a").in_transaction());
        assert!(!after("SET autocommit = 0; DELETE FROM t; SET autocommit = 1").in_transaction());
    }
}

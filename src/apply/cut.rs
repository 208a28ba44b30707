//! Cuts a script into atoms: where its transactions and locked stretches begin and end. Pure.

use std::collections::BTreeSet;

use super::atom::{Atom, Batches, End, Piece, Work, looks_back, looks_forward, sets_session};
use crate::plan::record::Verify;
use crate::plan::work::Task;
use crate::server::flavor::Flavor;
use crate::sql::read::read;
use crate::sql::record::{Kind, TableName, TransactionStep};
use crate::sql::session_state::used_database;

/// Cuts one script, statement by statement.
pub struct Cutter {
    name: String,
    flavor: Flavor,
    database: String,
    autocommit: bool,
    temporary: BTreeSet<TableName>,
    atoms: Vec<Atom>,
    open: Option<(Option<String>, Vec<Piece>)>,
    locked: Option<Vec<Piece>>,
    prelude: Vec<Piece>,
}

impl Cutter {
    /// A cutter of the script of this name; `autocommit` is the target's own.
    pub fn new(name: &str, flavor: Flavor, autocommit: bool) -> Self {
        Self {
            name: name.to_owned(),
            flavor,
            database: String::new(),
            autocommit,
            temporary: BTreeSet::new(),
            atoms: Vec::new(),
            open: None,
            locked: None,
            prelude: Vec::new(),
        }
    }

    /// The next statement, as a text.
    pub fn text(&mut self, text: &str) {
        let mut reading = read(text, &self.database, self.flavor);
        self.follow(text, &mut reading);
        self.piece(Piece { text: text.to_owned(), reading });
    }

    /// What a step does next.
    pub fn task(&mut self, task: &Task) {
        match task {
            Task::Statement { sql } => self.text(sql),
            Task::Kept { sql, factor, condition, copy } => {
                self.close(End::Commit);
                let reading = read(sql, &self.database, self.flavor);
                let change = Piece { text: sql.clone(), reading };
                let (factor, condition, copy) = (factor.clone(), condition.clone(), copy.clone());
                self.push(Work::Kept { change, factor, condition, copy });
            }
            Task::Batches { table, key, head, condition, rows, pause_seconds, copy } => {
                self.close(End::Commit);
                self.push(Work::Batches(Batches {
                    table: table.clone(),
                    key: key.clone(),
                    head: head.clone(),
                    condition: condition.clone(),
                    rows: *rows,
                    pause_seconds: *pause_seconds,
                    copy: copy.clone(),
                }));
            }
        }
    }

    /// A question after a step.
    pub fn verify(&mut self, verify: &Verify) {
        self.push(Work::Verify(verify.clone()));
    }

    /// The atoms; a transaction that nobody ended is rolled back, as when the stock client ends.
    pub fn end(mut self) -> Vec<Atom> {
        self.close(End::Rollback);
        if let Some(pieces) = self.locked.take() {
            self.push(Work::Locked(pieces));
        }
        self.atoms
    }

    /// Keeps the database in use and the temporary tables up to date.
    fn follow(&mut self, text: &str, reading: &mut crate::sql::record::Reading) {
        let effect = &mut reading.effect;
        match reading.kind {
            Kind::Use => self.database = used_database(text).unwrap_or_default(),
            Kind::CreateTable if effect.temporary => self.temporary.extend(effect.defines.iter().cloned()),
            _ if !self.temporary.is_empty() => {
                let touched: BTreeSet<&TableName> =
                    [&effect.writes, &effect.empties, &effect.defines, &effect.drops].into_iter().flatten().collect();
                effect.temporary |= !touched.is_empty() && touched.iter().all(|table| self.temporary.contains(*table));
                self.temporary.retain(|table| !effect.drops.contains(table));
            }
            _ => {}
        }
    }

    fn piece(&mut self, piece: Piece) {
        if looks_back(&piece) && self.open.is_none() && self.locked.is_none() && self.attach(&piece) {
            return;
        }
        if looks_forward(&piece) {
            self.close(End::Commit);
            self.prelude.push(piece);
            return;
        }
        match piece.reading.effect.transaction {
            TransactionStep::Begin => {
                self.close(End::Commit);
                self.unlock(None);
                self.open = Some((Some(piece.text), Vec::new()));
            }
            TransactionStep::Commit | TransactionStep::Rollback if self.locked.is_some() => self.plain(piece),
            TransactionStep::Commit => self.close(End::Commit),
            TransactionStep::Rollback => self.close(End::Rollback),
            TransactionStep::AutocommitOff => {
                self.autocommit = false;
                self.push(Work::Session(piece));
            }
            TransactionStep::AutocommitOn => {
                self.close(End::Commit);
                self.autocommit = true;
                self.push(Work::Session(piece));
            }
            TransactionStep::ImplicitCommit => self.implicit(piece),
            TransactionStep::None => self.plain(piece),
        }
    }

    fn implicit(&mut self, piece: Piece) {
        let holds = piece.reading.kind == Kind::LockTables
            || (piece.reading.kind == Kind::Flush && piece.reading.effect.changes_session);
        if holds {
            self.close(End::Commit);
            self.unlock(None);
            self.locked = Some(vec![piece]);
        } else if let Some(locked) = &mut self.locked {
            locked.push(piece);
        } else {
            self.close(End::Commit);
            self.push(Work::Define(vec![piece]));
        }
    }

    fn plain(&mut self, piece: Piece) {
        if self.locked.is_some() {
            let ends = piece.reading.kind == Kind::UnlockTables;
            if let Some(locked) = &mut self.locked {
                locked.push(piece);
            }
            if ends {
                self.unlock(None);
            }
            return;
        }
        if let Some((_, body)) = &mut self.open {
            body.push(piece);
            return;
        }
        let kind = piece.reading.kind;
        let effect = &piece.reading.effect;
        let touches = kind.is_dml() || (matches!(kind, Kind::Select | Kind::Explain) && !effect.reads.is_empty());
        if sets_session(&piece) {
            self.push(Work::Session(piece));
        } else if !self.autocommit && (touches || matches!(kind, Kind::Call | Kind::Execute | Kind::Opaque)) {
            self.open = Some((None, vec![piece]));
        } else if kind.is_dml() {
            self.push(Work::Change { begin: Some("BEGIN".to_owned()), body: vec![piece], end: End::Commit });
        } else {
            match kind {
                Kind::Select | Kind::Show | Kind::Explain | Kind::Do => self.push(Work::Look(piece)),
                Kind::Savepoint | Kind::UnlockTables | Kind::Handler => self.push(Work::Session(piece)),
                // What is no session's own: SET GLOBAL, GRANT and their like commit nothing, and stay.
                Kind::Set | Kind::Execute => self.push(Work::Define(vec![piece])),
                _ => self.push(Work::Opaque(piece)),
            }
        }
    }

    /// Lets a statement that looks back stand right behind the one that it looks at.
    fn attach(&mut self, piece: &Piece) -> bool {
        match self.atoms.last_mut().map(|atom| &mut atom.work) {
            Some(Work::Change { body, .. }) => body.push(piece.clone()),
            Some(Work::Define(body)) if matches!(piece.reading.kind, Kind::Select | Kind::Show | Kind::Set) => {
                body.push(piece.clone());
            }
            _ => return false,
        }
        true
    }

    fn close(&mut self, end: End) {
        if let Some((begin, body)) = self.open.take()
            && !body.is_empty()
        {
            self.push(Work::Change { begin, body, end });
        }
    }

    fn unlock(&mut self, last: Option<Piece>) {
        if let Some(mut pieces) = self.locked.take() {
            pieces.extend(last);
            self.push(Work::Locked(pieces));
        }
    }

    fn push(&mut self, work: Work) {
        let id = format!("{}/{}", self.name, self.atoms.len() + 1);
        let prelude = match work {
            Work::Session(_) => Vec::new(),
            _ => std::mem::take(&mut self.prelude),
        };
        self.atoms.push(Atom { id, prelude, work });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(statements: &[&str]) -> Vec<Atom> {
        let mut cutter = Cutter::new("x", "mysql:9.7".parse().expect("a flavor"), true);
        cutter.text("USE app");
        for text in statements {
            cutter.text(text);
        }
        cutter.end().split_off(1)
    }

    fn shape(statements: &[&str]) -> Vec<String> {
        cut(statements)
            .iter()
            .map(|atom| match &atom.work {
                Work::Session(_) => "session".to_owned(),
                Work::Look(_) => "look".to_owned(),
                Work::Change { begin, body, end } => {
                    format!("change {} {} {end:?}", begin.as_deref().unwrap_or("-"), body.len())
                }
                Work::Define(body) => format!("define {}", body.len()),
                Work::Locked(body) => format!("locked {}", body.len()),
                Work::Opaque(_) => "opaque".to_owned(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_transaction_is_one_atom_and_a_statement_alone_is_one() {
        assert_eq!(
            shape(&[
                "BEGIN",
                "UPDATE t SET a = 1",
                "SET @n = 1",
                "DELETE FROM u",
                "COMMIT",
                "INSERT INTO t VALUES (1)"
            ]),
            ["change BEGIN 3 Commit", "change BEGIN 1 Commit"]
        );
        assert_eq!(shape(&["START TRANSACTION", "DELETE FROM t", "ROLLBACK"]), ["change START TRANSACTION 1 Rollback"]);
        assert_eq!(shape(&["BEGIN", "DELETE FROM t"]), ["change BEGIN 1 Rollback"], "the client's end rolls back");
    }

    #[test]
    fn a_ddl_commits_what_is_open_and_stands_alone() {
        assert_eq!(
            shape(&["BEGIN", "DELETE FROM t", "ALTER TABLE t ADD a INT", "DELETE FROM u"]),
            ["change BEGIN 1 Commit", "define 1", "change BEGIN 1 Commit"]
        );
        assert_eq!(
            shape(&["SET autocommit = 0", "DELETE FROM t", "DELETE FROM u", "COMMIT", "DELETE FROM v", "TRUNCATE t"]),
            ["session", "change - 2 Commit", "change - 1 Commit", "define 1"]
        );
    }

    #[test]
    fn what_looks_back_stays_behind_what_it_looks_at() {
        assert_eq!(
            shape(&["DELETE FROM t", "SET @n = ROW_COUNT()", "ALTER TABLE t ADD a INT", "SHOW WARNINGS"]),
            ["change BEGIN 2 Commit", "define 2"]
        );
        let atoms = cut(&["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "DELETE FROM t"]);
        assert_eq!((atoms.len(), atoms[0].prelude.len()), (1, 1));
    }

    #[test]
    fn a_locked_stretch_is_one_atom() {
        assert_eq!(
            shape(&[
                "CREATE TABLE n LIKE t",
                "LOCK TABLES t WRITE, n WRITE",
                "INSERT INTO n SELECT * FROM t",
                "SET @c = 'x'",
                "PREPARE p FROM @c",
                "EXECUTE p",
                "RENAME TABLE t TO o, n TO t",
                "UNLOCK TABLES",
                "SET SESSION sql_mode = ''",
            ]),
            ["define 1", "locked 7", "session"]
        );
    }

    #[test]
    fn temporary_tables_belong_to_the_session_and_a_call_to_nobody() {
        assert_eq!(
            shape(&["CREATE TEMPORARY TABLE x (a INT)", "INSERT INTO x VALUES (1)", "INSERT INTO t SELECT * FROM x"]),
            ["session", "session", "change BEGIN 1 Commit"]
        );
        assert_eq!(shape(&["CALL p()", "SELECT 1", "SELECT a INTO @a FROM t"]), ["opaque", "look", "session"]);
    }
}

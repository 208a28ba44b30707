//! Our own statements: written here, so what they do is known without reading them.

use sha2::{Digest, Sha256};

use crate::server::flavor::Flavor;
use crate::sql::record::{
    Action, AlterClass, AlterClause, Confidence, Effect, Kind, Origin, Reading, Statement, TableName, TransactionStep,
    quote_identifier, quote_text,
};

/// The most characters that a table's name may have, on both vendors (manual: "Identifier Length Limits").
const NAME_LIMIT: usize = 64;

/// Collects the statements of one alternative.
pub struct Composer<'a> {
    original: &'a Statement,
    alternative: &'static str,
    actions: Vec<Action>,
}

impl<'a> Composer<'a> {
    /// An empty script that will stand in for a statement.
    pub fn new(original: &'a Statement, alternative: &'static str) -> Self {
        Self { original, alternative, actions: Vec::new() }
    }

    /// The script.
    pub fn actions(self) -> Vec<Action> {
        self.actions
    }

    /// `TRUNCATE TABLE`.
    pub fn truncate(&mut self, table: &TableName) {
        let only = [table.clone()];
        let effect = Effect { writes: only.clone().into(), empties: only.into(), ..ddl() };
        self.push(Kind::Truncate, effect, format!("TRUNCATE TABLE {}", table.quoted()));
    }

    /// `CREATE TABLE … LIKE …`.
    pub fn create_like(&mut self, fresh: &TableName, model: &TableName) {
        let effect = Effect { defines: [fresh.clone()].into(), reads: [model.clone()].into(), ..ddl() };
        self.push(Kind::CreateTable, effect, format!("CREATE TABLE {} LIKE {}", fresh.quoted(), model.quoted()));
    }

    /// One RENAME that parks a table and puts another in its place: nobody sees a moment without it.
    pub fn swap(&mut self, table: &TableName, parked: &TableName, fresh: &TableName) {
        let renames = [(table.clone(), parked.clone()), (fresh.clone(), table.clone())].into();
        let text =
            format!("RENAME TABLE {} TO {}, {} TO {}", table.quoted(), parked.quoted(), fresh.quoted(), table.quoted());
        self.push(Kind::RenameTable, Effect { renames, ..ddl() }, text);
    }

    /// Prepares to give `into` the next AUTO_INCREMENT value that `from` has at this moment; `column` counts it.
    ///
    /// The value is asked of the server when the script runs: one from a survey would be too low by then, and ids would
    /// be given out twice. ALTER takes no expression, hence the prepared text. MySQL 8.0 and later answer from statistics
    /// up to a day old unless told not to, with NULL for a table that never had a row, and with one too few for a table
    /// that nobody has opened since the server started (all measured on 9.7): hence the largest id beside it.
    pub fn prepare_counter(&mut self, from: &TableName, column: &str, into: &TableName, flavor: Flavor) {
        let session = || Effect { changes_session: true, ..Effect::default() };
        if flavor.at_least_mysql(8, 0, 0) {
            self.push(Kind::Set, session(), "SET SESSION information_schema_stats_expiry = 0".to_owned());
        }
        let text = format!(
            "SET @rehearse_cure = CONCAT({}, GREATEST(COALESCE((SELECT AUTO_INCREMENT FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}), 1), COALESCE((SELECT MAX({}) + 1 FROM {}), 1)))",
            quote_text(&format!("ALTER TABLE {} AUTO_INCREMENT = ", into.quoted())),
            quote_text(&from.database),
            quote_text(&from.table),
            quote_identifier(column),
            from.quoted(),
        );
        self.push(Kind::Set, session(), text);
        self.push(Kind::Prepare, session(), "PREPARE rehearse_cure FROM @rehearse_cure".to_owned());
    }

    /// Carries out what [`Composer::prepare_counter`] prepared. It is read as the ALTER that it is.
    pub fn set_counter(&mut self, into: &TableName) {
        let text = "EXECUTE rehearse_cure".to_owned();
        let clause = AlterClause { class: AlterClass::AutoIncrement, text: "AUTO_INCREMENT".to_owned(), object: None };
        let effect = Effect { defines: [into.clone()].into(), clauses: vec![clause], ..ddl() };
        self.push(Kind::AlterTable, effect, text);
        let session = Effect { changes_session: true, ..Effect::default() };
        self.push(Kind::Deallocate, session, "DEALLOCATE PREPARE rehearse_cure".to_owned());
    }

    fn push(&mut self, kind: Kind, effect: Effect, text: String) {
        let place = self.actions.len() + 1;
        // Of the text itself, not of a normal form: no two statements of an alternative are look-alikes.
        let digest = Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.actions.push(Action::Once(Statement {
            id: format!("{}-{}-{place}", self.original.id, self.alternative),
            name: None,
            text,
            origin: Origin { file: format!("alternative {}", self.alternative), line: place as u64 },
            session: self.original.session,
            digest,
            reading: Reading { kind, effect, confidence: Confidence::Parsed, why: None },
        }));
    }
}

fn ddl() -> Effect {
    Effect { transaction: TransactionStep::ImplicitCommit, ..Effect::default() }
}

/// A free name beside a table: `tracking_old_s7`, the table's own part cut where the whole would be too long.
pub fn neighbour(table: &TableName, word: &str, id: &str, taken: impl Fn(&TableName) -> bool) -> TableName {
    let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let mut round = 1;
    loop {
        let end = if round == 1 { format!("_{word}_{id}") } else { format!("_{word}_{id}_{round}") };
        let room = NAME_LIMIT.saturating_sub(end.chars().count());
        let start: String = table.table.chars().take(room).collect();
        let name = TableName::new(table.database.clone(), format!("{start}{end}"));
        if !taken(&name) {
            return name;
        }
        round += 1;
    }
}

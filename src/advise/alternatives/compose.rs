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

    /// `ALTER TABLE … TRUNCATE PARTITION`: the rows go, the partitions stay.
    pub fn truncate_partitions(&mut self, table: &TableName, partitions: &[String]) {
        let names: Vec<String> = partitions.iter().map(|name| quote_identifier(name)).collect();
        let clause = format!("TRUNCATE PARTITION {}", names.join(", "));
        let text = format!("ALTER TABLE {} {clause}", table.quoted());
        let clauses = vec![AlterClause::new(AlterClass::Partition, clause, partitions.first().cloned())];
        self.push(Kind::AlterTable, Effect { defines: [table.clone()].into(), clauses, ..ddl() }, text);
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

    /// Lets rows be copied as they are: a 0 in a column that counts up would get a new number, and zero dates would be
    /// refused (measured on both vendors). The mode before is kept for [`Composer::restore_mode`].
    pub fn copying_mode(&mut self) {
        let session = || Effect { changes_session: true, ..Effect::default() };
        self.push(Kind::Set, session(), "SET @rehearse_mode = @@SESSION.sql_mode".to_owned());
        let mode = ["TRADITIONAL", "NO_ZERO_IN_DATE", "NO_ZERO_DATE"]
            .iter()
            .fold("@@SESSION.sql_mode".to_owned(), |mode, word| format!("REPLACE({mode}, '{word}', '')"));
        let text = format!("SET SESSION sql_mode = CONCAT({mode}, ',NO_AUTO_VALUE_ON_ZERO')");
        self.push(Kind::Set, session(), text);
    }

    /// The session's own mode again.
    pub fn restore_mode(&mut self) {
        let session = Effect { changes_session: true, ..Effect::default() };
        self.push(Kind::Set, session, "SET SESSION sql_mode = @rehearse_mode".to_owned());
    }

    /// `LOCK TABLES … WRITE` of some tables.
    pub fn lock(&mut self, tables: &[&TableName]) {
        let list: Vec<String> = tables.iter().map(|table| format!("{} WRITE", table.quoted())).collect();
        let writes = tables.iter().map(|table| (*table).clone()).collect();
        let effect = Effect { writes, changes_session: true, ..ddl() };
        self.push(Kind::LockTables, effect, format!("LOCK TABLES {}", list.join(", ")));
    }

    /// `UNLOCK TABLES`.
    pub fn unlock(&mut self) {
        let session = Effect { changes_session: true, ..Effect::default() };
        self.push(Kind::UnlockTables, session, "UNLOCK TABLES".to_owned());
    }

    /// Copies the rows for which a condition does not hold, NULL included: those that a DELETE leaves.
    pub fn copy_survivors(&mut self, from: &TableName, into: &TableName, columns: &[&str], condition: &str) {
        let columns: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
        let columns = columns.join(", ");
        let text = format!(
            "INSERT INTO {} ({columns}) SELECT {columns} FROM {} WHERE ({condition}) IS NOT TRUE",
            into.quoted(),
            from.quoted()
        );
        let effect = Effect {
            writes: [into.clone()].into(),
            reads: [from.clone()].into(),
            has_where: true,
            ..Effect::default()
        };
        self.push(Kind::Insert, effect, text);
    }

    /// Prepares to give `into` the next AUTO_INCREMENT value that `from` has at this moment; `column` counts it.
    ///
    /// The value is asked of the server when the script runs: one from a survey would be too low by then, and ids would
    /// be given out twice. ALTER takes no expression, hence the prepared text. MySQL 8.0 and later answer from statistics
    /// up to a day old unless told not to, with NULL for a table that never had a row, and with one too few for a table
    /// that nobody has opened since the server started (all measured on 9.7): hence the largest id beside it. `ahead` is added,
    /// for ids that `from` gives out afterwards.
    pub fn prepare_counter(&mut self, from: &TableName, column: &str, into: &TableName, ahead: u64, flavor: Flavor) {
        let session = || Effect { changes_session: true, ..Effect::default() };
        if flavor.at_least_mysql(8, 0, 0) {
            self.push(Kind::Set, session(), "SET SESSION information_schema_stats_expiry = 0".to_owned());
        }
        let text = format!(
            "SET @rehearse_cure = CONCAT({}, {}GREATEST(COALESCE((SELECT AUTO_INCREMENT FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}), 1), COALESCE((SELECT MAX({}) + 1 FROM {}), 1)))",
            quote_text(&format!("ALTER TABLE {} AUTO_INCREMENT = ", into.quoted())),
            if ahead > 0 { format!("{ahead} + ") } else { String::new() },
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
        let clause = AlterClause::new(AlterClass::AutoIncrement, "AUTO_INCREMENT", None);
        let effect = Effect { defines: [into.clone()].into(), clauses: vec![clause], ..ddl() };
        self.push(Kind::AlterTable, effect, text);
        let session = Effect { changes_session: true, ..Effect::default() };
        self.push(Kind::Deallocate, session, "DEALLOCATE PREPARE rehearse_cure".to_owned());
    }

    /// One ALTER TABLE with clauses of the original's, or of several statements', and then what it demands.
    pub fn alter(&mut self, table: &TableName, clauses: &[AlterClause], demand: &[&str]) {
        let texts = clauses.iter().map(|clause| clause.text.as_str()).chain(demand.iter().copied());
        let text = format!("ALTER TABLE {} {}", table.quoted(), texts.collect::<Vec<_>>().join(", "));
        let effect = Effect { clauses: clauses.to_vec(), ..self.original.reading.effect.clone() };
        self.push(Kind::AlterTable, effect, text);
    }

    /// The original with a few words more.
    pub fn restate(&mut self, text: String) {
        let reading = &self.original.reading;
        self.push(reading.kind, reading.effect.clone(), text);
    }

    fn push(&mut self, kind: Kind, effect: Effect, text: String) {
        let place = self.actions.len() + 1;
        // Of the text itself, not of a normal form: no two statements of an alternative are look-alikes.
        let digest = Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.actions.push(Action::Once(Statement {
            id: format!("{}-{}-{place}", self.original.id, self.alternative),
            name: None,
            text,
            origin: Origin { file: format!("alternative {}", self.alternative), line: place as u64, column: 1 },
            session: self.original.session,
            digest,
            reading: Reading { kind, effect, confidence: Confidence::Parsed, why: None },
            ignores: Vec::new(),
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

//! The values that scripts are made of.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod column;
mod ignore;
mod name;
mod renames;

pub use column::{ColumnDefinition, ColumnKey, Generated, KeyPart, Place, values_of};
pub use ignore::Ignore;
pub use name::{TableName, quote_identifier, quote_text};
pub use renames::Renames;

/// Where a statement stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The file as it was named, or what else it came from (`alternative swap`, `plan`).
    pub file: String,
    /// Line of the statement's first character, from 1.
    pub line: u64,
    /// Character of that line, from 1; 0 where nobody counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub column: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A statement's verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is the verb it names")]
pub enum Kind {
    Select,
    Insert,
    Replace,
    Update,
    Delete,
    Truncate,
    LoadData,
    CreateTable,
    AlterTable,
    DropTable,
    RenameTable,
    CreateIndex,
    DropIndex,
    CreateView,
    DropView,
    CreateTrigger,
    DropTrigger,
    CreateRoutine,
    DropRoutine,
    CreateEvent,
    DropEvent,
    CreateDatabase,
    DropDatabase,
    AlterDatabase,
    Analyze,
    Optimize,
    Repair,
    Check,
    Begin,
    Commit,
    Rollback,
    Savepoint,
    LockTables,
    UnlockTables,
    Flush,
    Use,
    Set,
    Show,
    Explain,
    Call,
    Prepare,
    Execute,
    Deallocate,
    Grant,
    Revoke,
    CreateUser,
    DropUser,
    Do,
    Handler,
    Xa,
    Kill,
    Opaque,
}

impl Kind {
    /// The verb in lower case, as reports write it: `create_table`.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// True for what changes definitions: these commit implicitly and take metadata locks.
    pub fn is_ddl(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Truncate
                | CreateTable
                | AlterTable
                | DropTable
                | RenameTable
                | CreateIndex
                | DropIndex
                | CreateView
                | DropView
                | CreateTrigger
                | DropTrigger
                | CreateRoutine
                | DropRoutine
                | CreateEvent
                | DropEvent
                | CreateDatabase
                | DropDatabase
                | AlterDatabase
                | Analyze
                | Optimize
                | Repair
                | CreateUser
                | DropUser
                | Grant
                | Revoke
        )
    }

    /// True for what changes rows and can be rolled back on a transactional table.
    pub fn is_dml(self) -> bool {
        matches!(self, Kind::Insert | Kind::Replace | Kind::Update | Kind::Delete | Kind::LoadData)
    }
}

/// How far a statement was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Parsed to a tree.
    Parsed,
    /// Parsed after modifiers were taken out of its tokens.
    Rewritten,
    /// Read from its tokens: verb, tables and clauses are right, details may be missing.
    Scanned,
    /// Not understood: to be treated as if it touched anything.
    Unknown,
}

/// What a statement does to the transaction it meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionStep {
    /// Leaves it as it is (and, under autocommit outside a transaction, is one of its own).
    #[default]
    None,
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`.
    Commit,
    /// `ROLLBACK` of the whole transaction.
    Rollback,
    /// `SET autocommit = 0`.
    AutocommitOff,
    /// `SET autocommit = 1`: commits.
    AutocommitOn,
    /// Commits what is open before and after itself, as DDL does.
    ImplicitCommit,
}

/// One clause of an `ALTER TABLE` (or the whole of a `CREATE INDEX`), classed by what it asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterClause {
    /// The class.
    pub class: AlterClass,
    /// The clause's own text.
    pub text: String,
    /// The column, index, constraint or partition it names, where it names one.
    pub object: Option<String>,
    /// The columns that it defines: ADD, MODIFY, CHANGE.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnDefinition>,
    /// The parts of the key that it adds: an index, a primary or a foreign key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<KeyPart>,
}

impl AlterClause {
    /// A clause that defines no column and no key.
    pub fn new(class: AlterClass, text: impl Into<String>, object: Option<String>) -> Self {
        Self { class, text: text.into(), object, columns: Vec::new(), parts: Vec::new() }
    }
}

/// The classes of ALTER clauses that behave differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is the clause it names")]
pub enum AlterClass {
    AddColumn,
    DropColumn,
    /// MODIFY or CHANGE.
    ModifyColumn,
    RenameColumn,
    /// ALTER COLUMN … SET/DROP DEFAULT.
    ColumnDefault,
    AddIndex,
    AddUnique,
    AddFulltext,
    AddSpatial,
    AddPrimaryKey,
    DropPrimaryKey,
    DropIndex,
    RenameIndex,
    AddForeignKey,
    DropForeignKey,
    AddCheck,
    DropCheck,
    Engine,
    ConvertCharset,
    DefaultCharset,
    RowFormat,
    AutoIncrement,
    Comment,
    Force,
    OrderBy,
    Keys,
    Partition,
    RenameTable,
    Algorithm,
    Lock,
    Tablespace,
    Other,
}

/// What a statement would touch, as far as its text tells. Names are resolved against the database in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Tables it reads.
    pub reads: BTreeSet<TableName>,
    /// Tables whose rows it changes.
    pub writes: BTreeSet<TableName>,
    /// Tables that it leaves without a row: TRUNCATE, and DELETE without WHERE and LIMIT.
    pub empties: BTreeSet<TableName>,
    /// Tables it creates or alters, indexes and triggers included.
    pub defines: BTreeSet<TableName>,
    /// Tables it drops.
    pub drops: BTreeSet<TableName>,
    /// Tables it renames, from → to, in its order.
    pub renames: Renames,
    /// What it does to the open transaction.
    pub transaction: TransactionStep,
    /// It changes the session: SET, USE, LOCK TABLES, temporary tables, user variables, PREPARE.
    pub changes_session: bool,
    /// DML: it has a WHERE clause (anywhere at its top level).
    pub has_where: bool,
    /// DML: it has a LIMIT.
    pub has_limit: bool,
    /// DML: it has an ORDER BY.
    pub has_order_by: bool,
    /// DML over several tables, or with a join.
    pub multi_table: bool,
    /// DML: byte span of the WHERE condition in the text (without the word WHERE), where one stands at the top level.
    pub condition: Option<(usize, usize)>,
    /// UPDATE: byte span of the assignments in the text (without the word SET).
    pub assignments: Option<(usize, usize)>,
    /// ALTER TABLE, CREATE INDEX, DROP INDEX: the clauses in order. CREATE TABLE: what adds each of its columns and keys, then
    /// its options.
    pub clauses: Vec<AlterClause>,
    /// CREATE … TEMPORARY or a name known to be temporary: no other session can see it.
    pub temporary: bool,
}

impl Effect {
    /// All tables that it touches in any way, in order.
    pub fn tables(&self) -> BTreeSet<TableName> {
        let mut tables = BTreeSet::new();
        for set in [&self.reads, &self.writes, &self.empties, &self.defines, &self.drops] {
            tables.extend(set.iter().cloned());
        }
        for (from, to) in &self.renames {
            tables.extend([from.clone(), to.clone()]);
        }
        tables
    }
}

/// A statement as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The verb; `opaque` when not even that is known.
    pub kind: Kind,
    /// What it would touch.
    pub effect: Effect,
    /// How far it was understood.
    pub confidence: Confidence,
    /// Why it was not parsed; none when it was.
    pub why: Option<String>,
}

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// `s3`: its place in the script as written, from 1.
    pub id: String,
    /// The name that `-- rehearse: name …` before it gave it.
    pub name: Option<String>,
    /// Its exact text, without the delimiter, after placeholders were filled in.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
    /// The session that it runs on, from 1; a plain script has one.
    pub session: u32,
    /// SHA-256 (first 16 hex digits) of its normal form: literals replaced, white space and comments folded.
    /// Look-alikes share it.
    pub digest: String,
    /// What it says.
    pub reading: Reading,
    /// Findings that `-- rehearse: ignore …` before it accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignores: Vec<Ignore>,
}

impl Statement {
    /// The name people gave it, else its id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// A statement that is repeated over ranges of a table's primary key, each range in a transaction of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The statement that it stands in for: a single-table UPDATE or DELETE.
    pub statement: Statement,
    /// The table whose key is walked.
    pub table: TableName,
    /// The key's columns, in key order.
    pub key: Vec<String>,
    /// What stands before the condition: ``DELETE FROM `t` `` or ``UPDATE `t` SET … ``.
    pub head: String,
    /// The original condition, when there was one; each batch is `head WHERE (range) AND (condition)`.
    pub condition: Option<String>,
    /// Rows of the table in one range.
    pub rows: u64,
    /// Rest between two batches.
    pub pause: Duration,
}

/// One thing to be done: the one language of upgrades and of alternatives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A statement, once.
    Once(Statement),
    /// A statement in batches.
    Walk(Walk),
}

impl Action {
    /// The statement that it runs or stands in for.
    pub fn statement(&self) -> &Statement {
        match self {
            Self::Once(statement) => statement,
            Self::Walk(walk) => &walk.statement,
        }
    }

    /// That statement, taken out.
    pub fn into_statement(self) -> Statement {
        match self {
            Self::Once(statement) => statement,
            Self::Walk(walk) => walk.statement,
        }
    }
}

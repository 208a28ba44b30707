//! What a statement would touch, read off its tokens: the verb first, then what follows each verb.

use crate::sql::record::{Effect, Kind, TransactionStep};
use crate::sql::tables::{common_table, reads};
use crate::sql::token::TokenKind;
use crate::sql::tokens::Tokens;
use crate::sql::{ddl, dml};

/// What a scan of the tokens says.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The verb.
    pub kind: Kind,
    /// What it touches.
    pub effect: Effect,
    /// Why the text does not tell all, where it does not.
    pub why: Option<String>,
    /// The token of the verb itself, after WITH, EXPLAIN or SET STATEMENT.
    pub verb: usize,
}

impl Scan {
    /// A scan that found nothing yet.
    pub fn new(kind: Kind, verb: usize) -> Self {
        Self { kind, effect: Effect::default(), why: None, verb }
    }

    /// The same, with a reason why the text does not tell all.
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    fn step(mut self, step: TransactionStep) -> Self {
        self.effect.transaction = step;
        self
    }

    fn session(mut self) -> Self {
        self.effect.changes_session = true;
        self
    }
}

/// Reads the statement that begins at token `at`.
pub fn scan(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = verb(tokens, at, database);
    let commits = scan.kind.is_ddl() || matches!(scan.kind, Kind::Check | Kind::Flush | Kind::LockTables);
    // CREATE and DROP TEMPORARY TABLE do not commit; other DDL on a temporary table does (manual).
    let spared = scan.effect.temporary && matches!(scan.kind, Kind::CreateTable | Kind::DropTable);
    if commits && !spared && scan.effect.transaction == TransactionStep::None {
        scan.effect.transaction = TransactionStep::ImplicitCommit;
    }
    scan.effect.changes_session |= scan.effect.temporary || uses_session(tokens, &scan);
    scan
}

/// It sets a user variable, or takes a named lock.
fn uses_session(tokens: &Tokens<'_>, scan: &Scan) -> bool {
    if !matches!(scan.kind, Kind::Select | Kind::Update | Kind::Insert | Kind::Replace | Kind::Delete | Kind::Do) {
        return false;
    }
    (0..tokens.len()).any(|at| {
        let variable = tokens.kind(at) == Some(TokenKind::Variable) && !tokens.at(at).starts_with("@@");
        let assigned = variable && (tokens.is_symbol(at + 1, ":=") || (at > 0 && tokens.is_any(at - 1, &["INTO"])));
        let locked =
            tokens.is_any(at, &["GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS"]) && tokens.is_symbol(at + 1, "(");
        assigned || locked
    })
}

/// The token of the first verb after `WITH a AS (…), …`.
fn after_with(tokens: &Tokens<'_>, at: usize) -> usize {
    let mut next = tokens.skip(at + 1, &["RECURSIVE"]);
    while let Some((_, body)) = common_table(tokens, next) {
        next = tokens.after_parenthesis(body);
        if !tokens.is_symbol(next, ",") {
            break;
        }
        next += 1;
    }
    next
}

fn verb(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let end = tokens.len();
    let query = |kind| {
        let mut scan = Scan::new(kind, at);
        scan.effect.reads = reads(tokens, at, end, database);
        scan
    };
    if tokens.is_symbol(at, "(") {
        return dml::select(tokens, at, database);
    }
    if tokens.kind(at) != Some(TokenKind::Word) {
        return Scan::new(Kind::Opaque, at).because("it begins with no verb");
    }
    let word = tokens.at(at).to_ascii_uppercase();
    match word.as_str() {
        "SELECT" | "VALUES" => dml::select(tokens, at, database),
        "TABLE" => {
            let mut scan = Scan::new(Kind::Select, at);
            scan.effect.reads.extend(tokens.table(at + 1, database).map(|(table, _)| table));
            scan
        }
        "WITH" => {
            let main = after_with(tokens, at);
            let mut scan = verb(tokens, main, database);
            scan.effect.reads.extend(reads(tokens, at, main, database));
            scan
        }
        "INSERT" | "REPLACE" => dml::insert(tokens, at, database),
        "UPDATE" => dml::update(tokens, at, database),
        "DELETE" => dml::delete(tokens, at, database),
        "LOAD" if tokens.is_any(at + 1, &["DATA", "XML"]) => dml::load(tokens, at, database),
        "CREATE" => ddl::create(tokens, at, database),
        "ALTER" => ddl::alter(tokens, at, database),
        "DROP" => ddl::drop(tokens, at, database),
        "RENAME" => ddl::rename(tokens, at, database),
        "TRUNCATE" => ddl::truncate(tokens, at, database),
        "ANALYZE" | "OPTIMIZE" | "REPAIR" | "CHECK" | "CHECKSUM" => maintenance(tokens, at, database),
        "BEGIN" if tokens.is(at + 1, "NOT") => query(Kind::Opaque).because("a compound statement is not looked into"),
        "BEGIN" => Scan::new(Kind::Begin, at).step(TransactionStep::Begin),
        "START" if tokens.is(at + 1, "TRANSACTION") => Scan::new(Kind::Begin, at).step(TransactionStep::Begin),
        "COMMIT" => Scan::new(Kind::Commit, at).step(TransactionStep::Commit),
        "ROLLBACK" if (at..end).any(|at| tokens.is(at, "TO")) => Scan::new(Kind::Savepoint, at),
        "ROLLBACK" => Scan::new(Kind::Rollback, at).step(TransactionStep::Rollback),
        "SAVEPOINT" => Scan::new(Kind::Savepoint, at),
        "RELEASE" if tokens.is(at + 1, "SAVEPOINT") => Scan::new(Kind::Savepoint, at),
        "LOCK" if tokens.is_any(at + 1, &["TABLES", "TABLE"]) => lock(tokens, at, database),
        "UNLOCK" if tokens.is_any(at + 1, &["TABLES", "TABLE"]) => Scan::new(Kind::UnlockTables, at).session(),
        "FLUSH" => flush(tokens, at, database),
        "USE" => Scan::new(Kind::Use, at).session(),
        "SET" => set(tokens, at, database),
        "SHOW" => Scan::new(Kind::Show, at),
        "EXPLAIN" | "DESCRIBE" | "DESC" => explain(tokens, at, database),
        "CALL" => query(Kind::Call).because("what the procedure touches does not stand in the statement"),
        "PREPARE" => query(Kind::Prepare).session(),
        "EXECUTE" => query(Kind::Execute).because("what is executed is known only when it runs"),
        "DEALLOCATE" => Scan::new(Kind::Deallocate, at).session(),
        "GRANT" => Scan::new(Kind::Grant, at),
        "REVOKE" => Scan::new(Kind::Revoke, at),
        "DO" => query(Kind::Do),
        "HANDLER" => {
            let mut scan = Scan::new(Kind::Handler, at).session();
            scan.effect.reads.extend(tokens.table(at + 1, database).map(|(table, _)| table));
            scan
        }
        "XA" => {
            let scan = Scan::new(Kind::Xa, at).session();
            match tokens.at(at + 1).to_ascii_uppercase().as_str() {
                "START" | "BEGIN" => scan.step(TransactionStep::Begin),
                "COMMIT" => scan.step(TransactionStep::Commit),
                "ROLLBACK" => scan.step(TransactionStep::Rollback),
                _ => scan,
            }
        }
        "KILL" => Scan::new(Kind::Kill, at),
        _ => {
            let shown: String = word.chars().take(40).collect();
            query(Kind::Opaque).because(format!("'{shown}' is no verb that is understood"))
        }
    }
}

/// `ANALYZE TABLE …` and its like; MariaDB's `ANALYZE statement`, which runs the statement.
fn maintenance(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut next = tokens.skip_any(at + 1, &["NO_WRITE_TO_BINLOG", "LOCAL"]);
    if !tokens.is_any(next, &["TABLE", "TABLES", "VIEW"]) {
        if tokens.is(at, "ANALYZE") {
            if tokens.is(next, "FORMAT") {
                next += 3;
            }
            return scan(tokens, next, database).because("ANALYZE runs the statement that it explains");
        }
        return Scan::new(Kind::Opaque, at).because("it names no table");
    }
    next += 1;
    let kind = match tokens.at(at).to_ascii_uppercase().as_str() {
        "ANALYZE" => Kind::Analyze,
        "OPTIMIZE" => Kind::Optimize,
        "REPAIR" => Kind::Repair,
        _ => Kind::Check,
    };
    let mut scan = Scan::new(kind, at);
    while let Some((table, after)) = tokens.table(next, database) {
        // OPTIMIZE and REPAIR write the table anew.
        let changes = matches!(kind, Kind::Optimize | Kind::Repair);
        (if changes { &mut scan.effect.defines } else { &mut scan.effect.reads }).insert(table);
        if !tokens.is_symbol(after, ",") {
            break;
        }
        next = after + 1;
    }
    scan
}

fn lock(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::LockTables, at).session();
    for (first, last) in tokens.parts(at + 2, tokens.len()) {
        if let Some((table, after)) = tokens.table(first, database) {
            let writes = (after..last).any(|at| tokens.is(at, "WRITE"));
            (if writes { &mut scan.effect.writes } else { &mut scan.effect.reads }).insert(table);
        }
    }
    scan
}

fn flush(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::Flush, at);
    let next = tokens.skip_any(at + 1, &["NO_WRITE_TO_BINLOG", "LOCAL"]);
    if tokens.is_any(next, &["TABLE", "TABLES"]) {
        scan.effect.changes_session = (next..tokens.len()).any(|at| tokens.is_any(at, &["LOCK", "EXPORT"]));
        let mut next = next + 1;
        while let Some((table, after)) = tokens.table(next, database).filter(|_| !tokens.is_any(next, &["WITH", "FOR"]))
        {
            scan.effect.reads.insert(table);
            if !tokens.is_symbol(after, ",") {
                break;
            }
            next = after + 1;
        }
    }
    scan
}

fn set(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    if tokens.is(at + 1, "STATEMENT")
        && let Some(inner) = tokens.find_outside(at, tokens.len(), |at| tokens.is(at, "FOR"))
    {
        return scan(tokens, inner + 1, database).because("SET STATEMENT changes settings while it runs");
    }
    let mut scan = Scan::new(Kind::Set, at);
    scan.effect.reads = reads(tokens, at, tokens.len(), database);
    if tokens.is(at + 1, "PASSWORD") {
        return scan.step(TransactionStep::ImplicitCommit);
    }
    let mut global = false;
    for (first, last) in tokens.parts(at + 1, tokens.len()) {
        let word = tokens.at(first).to_ascii_uppercase();
        match word.as_str() {
            "GLOBAL" | "PERSIST" | "PERSIST_ONLY" => global = true,
            "SESSION" | "LOCAL" => global = false,
            _ => {}
        }
        let system = word.strip_prefix("@@").unwrap_or(&word);
        let elsewhere = ["GLOBAL.", "PERSIST.", "PERSIST_ONLY."].iter().any(|scope| system.starts_with(scope));
        let scoped = matches!(word.as_str(), "GLOBAL" | "PERSIST" | "PERSIST_ONLY" | "SESSION" | "LOCAL");
        let name = if scoped { tokens.at(first + 1).to_ascii_uppercase() } else { system.to_owned() };
        let name = name.rsplit('.').next().unwrap_or("");
        if global || elsewhere {
            continue;
        }
        scan.effect.changes_session = true;
        if name == "AUTOCOMMIT" {
            let on = matches!(
                tokens.at(last - 1).to_ascii_uppercase().as_str(),
                "1" | "ON" | "TRUE" | "DEFAULT" | "'ON'" | "'1'"
            );
            scan.effect.transaction = if on { TransactionStep::AutocommitOn } else { TransactionStep::AutocommitOff };
        }
    }
    scan
}

fn explain(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::Explain, at);
    let verbs = ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "TABLE", "VALUES"];
    match (at + 1..tokens.len()).find(|at| tokens.is_any(*at, &verbs) || tokens.is_symbol(*at, "(")) {
        Some(inner) => {
            let inner = verb(tokens, inner, database);
            scan.effect.reads = inner.effect.tables();
        }
        None => scan.effect.reads.extend(tokens.table(at + 1, database).map(|(table, _)| table)),
    }
    scan
}

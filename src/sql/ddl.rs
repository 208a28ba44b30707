//! Statements on definitions: what they create, alter, drop and rename.

use crate::sql::alter::{clauses, definition_clauses, index_clauses};
use crate::sql::effect::Scan;
use crate::sql::record::{AlterClass, Effect, Kind};
use crate::sql::tables::reads;
use crate::sql::token::TokenKind;
use crate::sql::tokens::Tokens;

/// Passes over `OR REPLACE`, `DEFINER = user@host`, `ALGORITHM = x`, `SQL SECURITY x` and other words before the object's
/// kind; gives the token of the kind.
fn object_kind(tokens: &Tokens<'_>, at: usize) -> usize {
    const KINDS: [&str; 21] = [
        "TABLE",
        "TABLES",
        "VIEW",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "PACKAGE",
        "EVENT",
        "DATABASE",
        "SCHEMA",
        "INDEX",
        "USER",
        "ROLE",
        "SEQUENCE",
        "SERVER",
        "TABLESPACE",
        "LOGFILE",
        "PREPARE",
        "RESOURCE",
        "INSTANCE",
        "LIBRARY",
    ];
    let mut next = at + 1;
    while next < tokens.len() {
        if tokens.is(next, "DEFINER") && tokens.is_symbol(next + 1, "=") {
            // user, 'user'@'host' (two tokens), CURRENT_USER [()], role.
            next += 3;
            if tokens.kind(next) == Some(TokenKind::Variable) {
                next += 1;
            }
            if tokens.is_symbol(next, "(") {
                next = tokens.after_parenthesis(next);
            }
            continue;
        }
        if tokens.is_any(next, &KINDS) {
            return next;
        }
        next += 1;
    }
    tokens.len()
}

/// CREATE of anything.
pub fn create(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let object = object_kind(tokens, at);
    let has = |word: &str| (at..object).any(|at| tokens.is(at, word));
    let name_at = tokens.skip_if_exists(object + 1);
    let named = tokens.table(name_at, database);
    match tokens.at(object).to_ascii_uppercase().as_str() {
        "TABLE" => create_table(tokens, at, object, database),
        "SEQUENCE" => {
            let mut scan = Scan::new(Kind::CreateTable, at).because("a sequence is taken for a table");
            scan.effect.temporary = has("TEMPORARY");
            scan.effect.defines.extend(named.map(|(table, _)| table));
            scan
        }
        "INDEX" => create_index(tokens, at, object, database),
        "VIEW" => {
            let mut scan = Scan::new(Kind::CreateView, at);
            scan.effect.defines.extend(named.map(|(table, _)| table));
            scan.effect.reads = reads(tokens, name_at, tokens.len(), database);
            scan
        }
        "TRIGGER" => {
            let mut scan = Scan::new(Kind::CreateTrigger, at);
            // ON of the event; the body begins at FOR EACH ROW.
            let on = (name_at..tokens.len()).find(|at| tokens.is(*at, "ON"));
            match on.and_then(|on| tokens.table(on + 1, database)) {
                Some((table, _)) => {
                    scan.effect.defines.insert(table);
                    scan
                }
                None => scan.because("its table was not found"),
            }
        }
        "PROCEDURE" | "FUNCTION" | "PACKAGE" => Scan::new(Kind::CreateRoutine, at),
        "EVENT" => Scan::new(Kind::CreateEvent, at),
        "DATABASE" | "SCHEMA" => Scan::new(Kind::CreateDatabase, at),
        "USER" | "ROLE" => Scan::new(Kind::CreateUser, at),
        _ => Scan::new(Kind::Opaque, at).because("what it creates is not known"),
    }
}

fn create_table(tokens: &Tokens<'_>, at: usize, object: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::CreateTable, at);
    let has = |word: &str| (at..object).any(|at| tokens.is(at, word));
    scan.effect.temporary = has("TEMPORARY");
    let Some((table, after)) = tokens.table(tokens.skip_if_exists(object + 1), database) else {
        return scan.because("its name was not found");
    };
    let like = after + usize::from(tokens.is_symbol(after, "("));
    if tokens.is(like, "LIKE") {
        scan.effect.reads.extend(tokens.table(like + 1, database).map(|(table, _)| table));
    }
    let body = reads(tokens, after, tokens.len(), database);
    if has("REPLACE") {
        scan.effect.drops.insert(table.clone());
    }
    if (after..tokens.len()).any(|at| tokens.is(at, "SELECT")) {
        scan.effect.writes.insert(table.clone());
    }
    if tokens.is_symbol(after, "(") && !tokens.is_any(after + 1, &["LIKE", "SELECT", "WITH"]) {
        scan.effect.clauses = definition_clauses(tokens, after);
    }
    scan.effect.reads.extend(body);
    referenced(tokens, after, database, &mut scan.effect);
    scan.effect.reads.remove(&table);
    scan.effect.defines.insert(table);
    scan
}

/// The tables that foreign keys refer to: adding the key reads and locks them.
fn referenced(tokens: &Tokens<'_>, from: usize, database: &str, effect: &mut Effect) {
    for at in from..tokens.len() {
        if tokens.is(at, "REFERENCES") {
            effect.reads.extend(tokens.table(at + 1, database).map(|(table, _)| table));
        }
    }
}

fn create_index(tokens: &Tokens<'_>, at: usize, object: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::CreateIndex, at);
    let class = match (at..object).find_map(|at| match tokens.at(at).to_ascii_uppercase().as_str() {
        "UNIQUE" => Some(AlterClass::AddUnique),
        "FULLTEXT" => Some(AlterClass::AddFulltext),
        "SPATIAL" => Some(AlterClass::AddSpatial),
        _ => None,
    }) {
        Some(class) => class,
        None => AlterClass::AddIndex,
    };
    let name_at = tokens.skip_if_exists(object + 1);
    let on = (name_at..tokens.len()).find(|at| tokens.is(*at, "ON"));
    let Some((table, after)) = on.and_then(|on| tokens.table(on + 1, database)) else {
        return scan.because("its table was not found");
    };
    scan.effect.defines.insert(table);
    scan.effect.clauses = index_clauses(tokens, class, tokens.name(name_at), tokens.after_parenthesis(after));
    scan
}

/// ALTER of anything.
pub fn alter(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let object = object_kind(tokens, at);
    let name_at = tokens.skip_if_exists(object + 1);
    let named = tokens.table(name_at, database);
    let kind = match tokens.at(object).to_ascii_uppercase().as_str() {
        "TABLE" | "SEQUENCE" => Kind::AlterTable,
        "VIEW" => Kind::CreateView,
        "PROCEDURE" | "FUNCTION" | "PACKAGE" => Kind::CreateRoutine,
        "EVENT" => Kind::CreateEvent,
        "DATABASE" | "SCHEMA" => Kind::AlterDatabase,
        "USER" | "ROLE" => Kind::CreateUser,
        _ => return Scan::new(Kind::Opaque, at).because("what it alters is not known"),
    };
    let mut scan = Scan::new(kind, at);
    match kind {
        Kind::CreateView => {
            scan.effect.defines.extend(named.map(|(table, _)| table));
            scan.effect.reads = reads(tokens, name_at, tokens.len(), database);
        }
        Kind::AlterTable => {
            let Some((table, mut after)) = named else { return scan.because("its name was not found") };
            if tokens.is(after, "WAIT") {
                after += 2;
            }
            after = tokens.skip_any(after, &["NOWAIT"]);
            scan.effect.clauses = clauses(tokens, after);
            scan.effect.defines.insert(table.clone());
            if tokens.is(object, "SEQUENCE") {
                scan.effect.clauses.clear();
                return scan.because("a sequence is taken for a table");
            }
            for (first, _) in tokens.parts(after, tokens.len()) {
                alter_clause(tokens, first, database, &table, &mut scan.effect);
            }
            referenced(tokens, after, database, &mut scan.effect);
            scan.effect.reads.remove(&table);
        }
        _ => {}
    }
    scan
}

/// Other tables and rows that a clause touches.
fn alter_clause(
    tokens: &Tokens<'_>,
    first: usize,
    database: &str,
    table: &crate::sql::record::TableName,
    effect: &mut Effect,
) {
    let partition = tokens.is(first + 1, "PARTITION");
    if tokens.is(first, "RENAME") && !tokens.is_any(first + 1, &["COLUMN", "INDEX", "KEY"]) {
        let name_at = tokens.skip_any(first + 1, &["TO", "AS"]) + usize::from(tokens.is_symbol(first + 1, "="));
        if let Some((to, _)) = tokens.table(name_at, database) {
            effect.renames.insert(table.clone(), to);
        }
    } else if partition && tokens.is(first, "EXCHANGE") {
        let with = (first..tokens.len()).find(|at| tokens.are(*at, &["WITH", "TABLE"]));
        effect.writes.extend(with.and_then(|with| tokens.table(with + 2, database)).map(|(other, _)| other));
        effect.writes.insert(table.clone());
    } else if partition && tokens.is_any(first, &["DROP", "TRUNCATE"]) {
        effect.writes.insert(table.clone());
    }
}

/// DROP of anything.
pub fn drop(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let object = object_kind(tokens, at);
    let kind = match tokens.at(object).to_ascii_uppercase().as_str() {
        "TABLE" | "TABLES" | "SEQUENCE" => Kind::DropTable,
        "VIEW" => Kind::DropView,
        "INDEX" => Kind::DropIndex,
        "TRIGGER" => Kind::DropTrigger,
        "PROCEDURE" | "FUNCTION" | "PACKAGE" => Kind::DropRoutine,
        "EVENT" => Kind::DropEvent,
        "DATABASE" | "SCHEMA" => Kind::DropDatabase,
        "USER" | "ROLE" => Kind::DropUser,
        "PREPARE" => {
            let mut scan = Scan::new(Kind::Deallocate, at);
            scan.effect.changes_session = true;
            return scan;
        }
        _ => return Scan::new(Kind::Opaque, at).because("what it drops is not known"),
    };
    let mut scan = Scan::new(kind, at);
    let name_at = tokens.skip_if_exists(object + 1);
    match kind {
        Kind::DropTable | Kind::DropView => {
            scan.effect.temporary = (at..object).any(|at| tokens.is(at, "TEMPORARY"));
            for (first, _) in tokens.parts(name_at, tokens.len()) {
                scan.effect.drops.extend(tokens.table(first, database).map(|(table, _)| table));
            }
        }
        Kind::DropIndex => {
            let name = tokens.name(name_at);
            let primary = name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("PRIMARY"));
            let class = if primary { AlterClass::DropPrimaryKey } else { AlterClass::DropIndex };
            let Some((table, after)) = tokens.table(name_at + 2, database).filter(|_| tokens.is(name_at + 1, "ON"))
            else {
                return scan.because("its table was not found");
            };
            scan.effect.defines.insert(table);
            scan.effect.clauses = index_clauses(tokens, class, name, after);
        }
        _ => {}
    }
    scan
}

/// RENAME TABLE and RENAME USER.
pub fn rename(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    if tokens.is(at + 1, "USER") {
        return Scan::new(Kind::CreateUser, at);
    }
    let mut scan = Scan::new(Kind::RenameTable, at);
    let first = tokens.skip_if_exists(tokens.skip_any(at + 1, &["TABLE", "TABLES"]));
    for (from, to) in tokens.parts(first, tokens.len()) {
        let into = (from..to).find(|at| tokens.is(*at, "TO"));
        if let Some((old, _)) = tokens.table(from, database)
            && let Some((new, _)) = into.and_then(|into| tokens.table(into + 1, database))
        {
            scan.effect.renames.insert(old, new);
        }
    }
    if scan.effect.renames.is_empty() { scan.because("its tables were not found") } else { scan }
}

/// TRUNCATE TABLE.
pub fn truncate(tokens: &Tokens<'_>, at: usize, database: &str) -> Scan {
    let mut scan = Scan::new(Kind::Truncate, at);
    let Some((table, _)) = tokens.table(tokens.skip_any(at + 1, &["TABLE"]), database) else {
        return scan.because("its table was not found");
    };
    scan.effect.empties.insert(table.clone());
    scan.effect.writes.insert(table);
    scan
}

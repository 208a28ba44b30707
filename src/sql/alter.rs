//! The clauses of ALTER TABLE, CREATE INDEX and DROP INDEX, split and classed from their tokens.

use crate::sql::column_definition::{columns, key_parts};
use crate::sql::record::{AlterClass, AlterClause};
use crate::sql::token::TokenKind;
use crate::sql::tokens::Tokens;

/// The clauses from token `from` on.
pub fn clauses(tokens: &Tokens<'_>, from: usize) -> Vec<AlterClause> {
    let mut clauses: Vec<AlterClause> = Vec::new();
    let mut clause_starts = 0;
    for (first, last) in tokens.parts(from, tokens.len()) {
        let mut first = first;
        // `ORDER BY a, b` and `DROP PARTITION p0, p1` are one clause each.
        if let Some(open) = clauses.last_mut()
            && matches!(open.class, AlterClass::OrderBy | AlterClass::Partition)
            && is_bare_name(tokens, first, last)
        {
            open.text = tokens.text_of(clause_starts, last).to_owned();
            continue;
        }
        // Options need no comma between them: `ENGINE=InnoDB ROW_FORMAT=DYNAMIC`, `… , ALGORITHM=INPLACE LOCK=NONE`.
        for end in option_starts(tokens, first, last).into_iter().chain([last]) {
            if end > first {
                clause_starts = first;
                let (class, object) = class(tokens, first, end);
                clauses.push(detailed(tokens, first, end, AlterClause::new(class, tokens.text_of(first, end), object)));
                first = end;
            }
        }
    }
    clauses
}

/// The clauses of `CREATE … INDEX name … ON table (…) options`: the whole of it, then ALGORITHM and LOCK.
pub fn index_clauses(
    tokens: &Tokens<'_>,
    class: AlterClass,
    object: Option<String>,
    options: usize,
) -> Vec<AlterClause> {
    let text = tokens.text_of(0, tokens.len());
    let on = (0..options).find(|at| tokens.is(*at, "ON")).unwrap_or(0);
    let parts = key_parts(tokens, on, options);
    let mut clauses = vec![AlterClause { parts, ..AlterClause::new(class, text, object) }];
    for at in options..tokens.len() {
        let class = match tokens.at(at).to_ascii_uppercase().as_str() {
            "ALGORITHM" => AlterClass::Algorithm,
            "LOCK" => AlterClass::Lock,
            _ => continue,
        };
        let end = (at + 2 + usize::from(tokens.is_symbol(at + 1, "="))).min(tokens.len());
        clauses.push(AlterClause::new(class, tokens.text_of(at, end), None));
    }
    clauses
}

/// The elements and options of `CREATE TABLE t (…) options`, as the clauses that would add them to an empty table; the list
/// opens at token `open`.
pub fn definition_clauses(tokens: &Tokens<'_>, open: usize) -> Vec<AlterClause> {
    let close = tokens.after_parenthesis(open);
    let mut clauses = Vec::new();
    for (first, last) in tokens.parts(open + 1, close.saturating_sub(1)) {
        let (class, object) = add(tokens, first, last);
        // What defines a column reads past the ADD before it: here a parenthesis or a comma.
        let clause = AlterClause::new(class, tokens.text_of(first, last), object);
        clauses.push(detailed(tokens, first - 1, last, clause));
    }
    for (mut first, last) in tokens.parts(close, tokens.len()) {
        if table_option(tokens, first).is_none() && !tokens.are(first, &["PARTITION", "BY"]) {
            break; // [AS] SELECT …
        }
        for end in option_starts(tokens, first, last).into_iter().chain([last]).filter(|end| *end > 0) {
            let (class, object) = class(tokens, first, end);
            clauses.push(AlterClause::new(class, tokens.text_of(first, end), object));
            first = end;
        }
    }
    clauses
}

/// The clause with the columns and keys that it defines.
fn detailed(tokens: &Tokens<'_>, first: usize, last: usize, mut clause: AlterClause) -> AlterClause {
    use AlterClass::*;
    match clause.class {
        AddColumn | ModifyColumn => clause.columns = columns(tokens, first, last),
        AddIndex | AddUnique | AddFulltext | AddSpatial | AddPrimaryKey | AddForeignKey => {
            clause.parts = key_parts(tokens, first, last);
        }
        _ => {}
    }
    clause
}

/// Where, inside one comma-separated part, further table options begin.
fn option_starts(tokens: &Tokens<'_>, first: usize, last: usize) -> Vec<usize> {
    if table_option(tokens, first).is_none() {
        return Vec::new();
    }
    let mut starts = Vec::new();
    let mut at = option_end(tokens, first, last);
    while at < last {
        let partitions = tokens.are(at, &["PARTITION", "BY"]) || tokens.are(at, &["REMOVE", "PARTITIONING"]);
        if table_option(tokens, at).is_none() && !partitions {
            break;
        }
        starts.push(at);
        if partitions {
            break;
        }
        at = option_end(tokens, at, last);
    }
    starts
}

/// A column or a partition with, at most, what may follow it in a list.
fn is_bare_name(tokens: &Tokens<'_>, first: usize, last: usize) -> bool {
    if table_option(tokens, first).is_some() {
        return false;
    }
    last == first + 1 || tokens.is_any(first + 1, &["ASC", "DESC", "INTO"]) || tokens.is_symbol(first + 1, ".")
}

/// The token after the table option at `at`.
fn option_end(tokens: &Tokens<'_>, at: usize, last: usize) -> usize {
    let mut end = tokens.skip_any(at, &["DEFAULT"]);
    if tokens.is(end, "CONVERT") {
        end += 2;
    }
    if tokens.is(end, "FORCE") {
        return end + 1;
    }
    end = match tokens.at(end).to_ascii_uppercase().as_str() {
        "CHARACTER" | "CHAR" | "DATA" | "INDEX" => end + 2,
        "DISCARD" | "IMPORT" | "ENABLE" | "DISABLE" => return (end + 2).min(last),
        _ => end + 1,
    };
    if tokens.is_symbol(end, "=") {
        end += 1;
    }
    if tokens.is_symbol(end, "(") {
        return tokens.after_parenthesis(end).min(last);
    }
    end += 1;
    // `CHARACTER SET x COLLATE y` is one thing.
    if tokens.is_any(at, &["DEFAULT", "CONVERT", "CHARACTER", "CHARSET", "CHAR"]) && tokens.is(end, "COLLATE") {
        end += 2 + usize::from(tokens.is_symbol(end + 1, "="));
    }
    end.min(last)
}

/// The class of the table option that begins at `at`.
fn table_option(tokens: &Tokens<'_>, at: usize) -> Option<AlterClass> {
    let value = |at: usize| tokens.is_symbol(at + 1, "=") || tokens.kind(at + 1).is_some();
    let start = tokens.skip_any(at, &["DEFAULT"]);
    if tokens.kind(start) == Some(TokenKind::Quoted) {
        return None;
    }
    Some(match tokens.at(start).to_ascii_uppercase().as_str() {
        "ENGINE" | "TYPE" if value(start) => AlterClass::Engine,
        "CONVERT" if tokens.is(start + 1, "TO") => AlterClass::ConvertCharset,
        "CHARSET" | "COLLATE" => AlterClass::DefaultCharset,
        "CHARACTER" | "CHAR" if tokens.is(start + 1, "SET") => AlterClass::DefaultCharset,
        "ROW_FORMAT"
        | "KEY_BLOCK_SIZE"
        | "COMPRESSION"
        | "PAGE_COMPRESSED"
        | "PAGE_COMPRESSION_LEVEL"
        | "ENCRYPTION"
        | "ENCRYPTED"
        | "ENCRYPTION_KEY_ID"
        | "PACK_KEYS"
        | "CHECKSUM"
        | "DELAY_KEY_WRITE"
        | "TRANSACTIONAL" => AlterClass::RowFormat,
        "AUTO_INCREMENT" => AlterClass::AutoIncrement,
        "COMMENT" => AlterClass::Comment,
        "FORCE" => AlterClass::Force,
        "ALGORITHM" => AlterClass::Algorithm,
        "LOCK" => AlterClass::Lock,
        "TABLESPACE" => AlterClass::Tablespace,
        "DISCARD" | "IMPORT" if tokens.is(start + 1, "TABLESPACE") => AlterClass::Tablespace,
        "ENABLE" | "DISABLE" if tokens.is(start + 1, "KEYS") => AlterClass::Keys,
        "MAX_ROWS"
        | "MIN_ROWS"
        | "AVG_ROW_LENGTH"
        | "STATS_PERSISTENT"
        | "STATS_AUTO_RECALC"
        | "STATS_SAMPLE_PAGES"
        | "INSERT_METHOD"
        | "CONNECTION"
        | "PASSWORD"
        | "UNION"
        | "SECONDARY_ENGINE"
        | "AUTOEXTEND_SIZE"
        | "ENGINE_ATTRIBUTE"
        | "SECONDARY_ENGINE_ATTRIBUTE"
            if tokens.is_symbol(start + 1, "=") || tokens.kind(start + 1).is_some() =>
        {
            AlterClass::Other
        }
        "DATA" | "INDEX" if tokens.is(start + 1, "DIRECTORY") => AlterClass::Other,
        _ => return None,
    })
}

/// The class of one clause, and what it names.
fn class(tokens: &Tokens<'_>, first: usize, last: usize) -> (AlterClass, Option<String>) {
    let name = |at: usize| (at < last).then(|| tokens.name(at)).flatten();
    let after_exists = |at: usize| tokens.skip_if_exists(at);
    match tokens.at(first).to_ascii_uppercase().as_str() {
        "ADD" => add(tokens, first + 1, last),
        "DROP" => drop(tokens, first + 1, last),
        "MODIFY" | "CHANGE" => (AlterClass::ModifyColumn, name(after_exists(tokens.skip_any(first + 1, &["COLUMN"])))),
        "ALTER" if tokens.is_any(first + 1, &["INDEX", "KEY"]) => (AlterClass::Other, name(after_exists(first + 2))),
        "ALTER" if tokens.is_any(first + 1, &["CHECK", "CONSTRAINT"]) => (AlterClass::Other, name(first + 2)),
        "ALTER" => (AlterClass::ColumnDefault, name(after_exists(tokens.skip_any(first + 1, &["COLUMN"])))),
        "RENAME" if tokens.is_any(first + 1, &["INDEX", "KEY"]) => {
            (AlterClass::RenameIndex, name(after_exists(first + 2)))
        }
        "RENAME" if tokens.is(first + 1, "COLUMN") => (AlterClass::RenameColumn, name(after_exists(first + 2))),
        "RENAME" => (AlterClass::RenameTable, None),
        "ORDER" if tokens.is(first + 1, "BY") => (AlterClass::OrderBy, None),
        "PARTITION" | "REMOVE" => (AlterClass::Partition, None),
        "TRUNCATE" | "REORGANIZE" | "EXCHANGE" | "COALESCE" | "REBUILD" | "OPTIMIZE" | "ANALYZE" | "CHECK"
        | "REPAIR" | "DISCARD" | "IMPORT"
            if tokens.is(first + 1, "PARTITION") =>
        {
            (AlterClass::Partition, name(first + 2))
        }
        "CONVERT" if tokens.is_any(first + 1, &["PARTITION", "TABLE"]) => (AlterClass::Partition, name(first + 2)),
        _ => (table_option(tokens, first).unwrap_or(AlterClass::Other), None),
    }
}

fn add(tokens: &Tokens<'_>, mut at: usize, last: usize) -> (AlterClass, Option<String>) {
    use AlterClass::*;
    let name = |at: usize| (at < last && tokens.is_name(at)).then(|| tokens.name(at)).flatten();
    let mut constraint = None;
    // `ADD CONSTRAINT [name] UNIQUE …`; a quoted name is no keyword, an unquoted one may be missing.
    if tokens.is(at, "CONSTRAINT") {
        at = tokens.skip_if_exists(at + 1);
        if !tokens.is_any(at, &["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]) {
            constraint = name(at);
            at += 1;
        }
    }
    let keyword =
        if tokens.kind(at) == Some(TokenKind::Word) { tokens.at(at).to_ascii_uppercase() } else { String::new() };
    // The index's own name follows INDEX or KEY, unless the type or the columns do.
    let index_name = |at: usize| {
        let at = tokens.skip_if_exists(tokens.skip_any(at, &["INDEX", "KEY"]));
        if tokens.is(at, "USING") { None } else { name(at) }
    };
    let is_index = |at: usize| tokens.is_any(at, &["INDEX", "KEY"]) || tokens.is_symbol(at, "(") || tokens.is_name(at);
    match keyword.as_str() {
        "PRIMARY" if tokens.is(at + 1, "KEY") => (AddPrimaryKey, constraint),
        "UNIQUE" if is_index(at + 1) => (AddUnique, index_name(at + 1).or(constraint)),
        "FULLTEXT" if is_index(at + 1) => (AddFulltext, index_name(at + 1)),
        "SPATIAL" if is_index(at + 1) => (AddSpatial, index_name(at + 1)),
        "INDEX" | "KEY" => (AddIndex, index_name(at)),
        "FOREIGN" if tokens.is(at + 1, "KEY") => (AddForeignKey, constraint.or_else(|| index_name(at + 1))),
        "CHECK" if tokens.is_symbol(at + 1, "(") => (AddCheck, constraint),
        "PARTITION" => (Partition, partition_name(tokens, at + 1, last)),
        "PERIOD" | "SYSTEM" => (Other, None),
        _ => {
            let at = tokens.skip_if_exists(tokens.skip(at, &["COLUMN"]));
            let at = if tokens.is_symbol(at, "(") { at + 1 } else { at };
            (AddColumn, name(at))
        }
    }
}

/// `[IF NOT EXISTS] (PARTITION name …`.
fn partition_name(tokens: &Tokens<'_>, at: usize, last: usize) -> Option<String> {
    let at = tokens.skip_if_exists(at);
    (at + 2 < last && tokens.is_symbol(at, "(")).then(|| tokens.name(at + 2)).flatten()
}

fn drop(tokens: &Tokens<'_>, at: usize, last: usize) -> (AlterClass, Option<String>) {
    use AlterClass::*;
    let name = |at: usize| (at < last).then(|| tokens.name(tokens.skip_if_exists(at))).flatten();
    let keyword = if tokens.kind(at) == Some(TokenKind::Word) && at + 1 < last {
        tokens.at(at).to_ascii_uppercase()
    } else {
        String::new()
    };
    match keyword.as_str() {
        "PRIMARY" if tokens.is(at + 1, "KEY") => (DropPrimaryKey, None),
        "INDEX" | "KEY" => (DropIndex, name(at + 1)),
        "FOREIGN" if tokens.is(at + 1, "KEY") => (DropForeignKey, name(at + 2)),
        "CHECK" => (DropCheck, name(at + 1)),
        // A check, a foreign key or a unique index: only the definition tells which.
        "CONSTRAINT" => (Other, name(at + 1)),
        "PARTITION" => (Partition, name(at + 1)),
        "SYSTEM" | "PERIOD" => (Other, None),
        _ => (DropColumn, name(tokens.skip_any(at, &["COLUMN"]))),
    }
}

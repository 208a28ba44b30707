//! Batches for the stock client: a stored procedure that walks the table's key, each batch a transaction of its own.

use super::shape::{list, quote_in};
use super::work::{COPY_MODE, Copy};
use crate::quantity::grouped;
use crate::sql::record::{Walk, quote_identifier};
use crate::survey::record::TableFacts;

/// Seconds that one batch should take, its commit included: a writer of one of its rows waits no longer. Long enough that
/// the commits of the batches hardly count, and shorter than a batch of 10,000 rows of `pt-archiver` (`make bench`).
pub const BATCH_SECONDS: f64 = 0.1;
/// The session's own mode, to be set back after rows were copied.
const MODE: &str = "  DECLARE rehearse_mode TEXT CHARACTER SET utf8mb4 DEFAULT @@SESSION.sql_mode;\n";
/// Fewest and most rows of a batch.
const BATCH_ROWS: (u64, u64) = (1_000, 100_000);

/// Rows of a batch at the rate that the trial showed, rounded down to two digits; what copies its rows first gets half.
pub fn rows(walked: Option<u64>, seconds: f64, copies: bool) -> Option<u64> {
    let walked = walked.filter(|rows| *rows > 0 && seconds > 0.0)? as f64;
    let rows = walked / seconds * BATCH_SECONDS / if copies { 2.0 } else { 1.0 };
    let rows = (rows as u64).clamp(BATCH_ROWS.0, BATCH_ROWS.1);
    let digit = 10_u64.pow(rows.ilog10().saturating_sub(1));
    Some(rows / digit * digit)
}

/// The statements that create, call and drop the procedure for a walk, with DELIMITER lines. `sized` are the rows of a
/// batch by the trial's rate; without them the walk's own number stands.
///
/// # Errors
/// Why this walk cannot be run by a procedure.
pub fn walk(
    walk: &Walk,
    name: &str,
    facts: &TableFacts,
    copy: Option<&Copy>,
    sized: Option<u64>,
) -> Result<Vec<String>, String> {
    let key = Key::of(walk, facts)?;
    let table = walk.table.quoted();
    let mine = walk.condition.as_ref().map(|condition| format!("\n      AND ({condition})")).unwrap_or_default();
    let head = walk.head.trim_end();
    let body = |end: &str| {
        let range = format!("{} AND {end}{mine}", key.bound(">", ">=", "from"));
        let copied = copy.map(|copy| copy_statement(copy, &table, &range)).unwrap_or_default();
        let check = copy.map(check).unwrap_or_default();
        format!(
            "    START TRANSACTION;\n{copied}    {head}\n    WHERE {range};\n    SET rehearse_changed = ROW_COUNT();\n{check}    COMMIT;\n"
        )
    };
    let pause = walk.pause.as_secs_f64();
    let sleep = if pause > 0.0 { format!("    DO SLEEP({pause});\n") } else { String::new() };
    let rows = sized.unwrap_or(walk.rows).max(1);
    let size = match sized {
        Some(_) => format!("{} rows at a time: about {BATCH_SECONDS} s at the rate of the rehearsal.", grouped(rows)),
        None => format!("{} rows at a time.", grouped(rows)),
    };
    let procedure = quote_identifier(name);
    let columns = key.columns();
    let up = key.bound("<", "<=", "last");
    Ok(vec![
        format!("DROP PROCEDURE IF EXISTS {procedure}"),
        format!(
            "CREATE PROCEDURE {procedure}()\n\
             BEGIN\n\
             {}\
             \x20 DECLARE rehearse_copied, rehearse_changed, rehearse_done BIGINT DEFAULT 0;\n\
             {MODE}\
             \x20 DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;\n\
             \x20 SELECT {columns} INTO {} FROM {table} FORCE INDEX (PRIMARY) ORDER BY {columns} LIMIT 1;\n\
             \x20 SELECT {columns} INTO {} FROM {table} FORCE INDEX (PRIMARY) ORDER BY {} LIMIT 1;\n\
             \x20 -- Rows with a greater key than this came later: they are left alone. {size}\n\
             \x20 WHILE {} IS NOT NULL DO\n\
             \x20   SET {};\n\
             \x20   SELECT {columns} INTO {} FROM {table} FORCE INDEX (PRIMARY)\n\
             \x20   WHERE {} AND {up}\n\
             \x20   ORDER BY {columns} LIMIT 1 OFFSET {rows};\n\
             \x20   IF {} IS NULL THEN\n{}\
             \x20   ELSE\n{}\
             \x20   END IF;\n\
             \x20   SET rehearse_done = rehearse_done + rehearse_changed, {};\n{sleep}\
             \x20 END WHILE;\n\
             \x20 SELECT rehearse_done AS rows_changed;\n\
             END",
            key.declarations(),
            key.variables("from"),
            key.variables("last"),
            key.downwards(),
            key.variable(0, "from"),
            key.assign("next", |_| "NULL".to_owned()),
            key.variables("next"),
            key.bound(">", ">=", "from"),
            key.variable(0, "next"),
            indent(&body(&up)),
            indent(&body(&key.bound("<", "<", "next"))),
            key.assign("from", |at| key.variable(at, "next")),
        ),
        format!("CALL {procedure}()"),
        format!("DROP PROCEDURE {procedure}"),
    ])
}

/// The key that a procedure walks: its columns, quoted, with the type of a variable that holds one.
struct Key {
    parts: Vec<(String, String)>,
}

impl Key {
    fn of(walk: &Walk, facts: &TableFacts) -> Result<Self, String> {
        let part = |name: &String| {
            let column = facts.column(name).ok_or_else(|| format!("{} has no column {name}", walk.table))?;
            if column.column_type.is_empty() || matches!(column.data_type.as_str(), "enum" | "set" | "json") {
                return Err(format!("the key {name} of {} is of a type that a procedure cannot walk", walk.table));
            }
            let charset = match (&column.charset, &column.collation) {
                (Some(charset), Some(collation)) => format!(" CHARACTER SET {charset} COLLATE {collation}"),
                _ => String::new(),
            };
            Ok((quote_identifier(name), format!("{}{charset}", column.column_type)))
        };
        let parts = walk.key.iter().map(part).collect::<Result<Vec<_>, String>>()?;
        if parts.is_empty() { Err(format!("{} has no key to walk", walk.table)) } else { Ok(Self { parts }) }
    }

    /// `rehearse_from` of a key of one column, `rehearse_from_2` of the second of several.
    fn variable(&self, at: usize, word: &str) -> String {
        if self.parts.len() == 1 { format!("rehearse_{word}") } else { format!("rehearse_{word}_{}", at + 1) }
    }

    fn variables(&self, word: &str) -> String {
        (0..self.parts.len()).map(|at| self.variable(at, word)).collect::<Vec<_>>().join(", ")
    }

    fn assign(&self, word: &str, value: impl Fn(usize) -> String) -> String {
        let each = (0..self.parts.len()).map(|at| format!("{} = {}", self.variable(at, word), value(at)));
        each.collect::<Vec<_>>().join(", ")
    }

    fn declarations(&self) -> String {
        let line = |(at, (_, kind)): (usize, &(String, String))| {
            let names: Vec<String> = ["from", "next", "last"].iter().map(|word| self.variable(at, word)).collect();
            format!("  DECLARE {} {kind};\n", names.join(", "))
        };
        self.parts.iter().enumerate().map(line).collect()
    }

    fn columns(&self) -> String {
        self.parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn downwards(&self) -> String {
        self.parts.iter().map(|(name, _)| format!("{name} DESC")).collect::<Vec<_>>().join(", ")
    }

    /// Rows on one side of the values of `word`, written out column by column: a row constructor `(a, b) > (x, y)` would
    /// use no index. `last` is how the last column compares.
    fn bound(&self, strict: &str, last: &str, word: &str) -> String {
        let end = self.parts.len() - 1;
        let compare =
            |at: usize, operator: &str| format!("{} {operator} {}", self.parts[at].0, self.variable(at, word));
        if end == 0 {
            return compare(0, last);
        }
        let ways: Vec<String> = (0..=end)
            .map(|at| {
                let mut parts: Vec<String> = (0..at).map(|before| compare(before, "=")).collect();
                parts.push(compare(at, if at == end { last } else { strict }));
                parts.join(" AND ")
            })
            .collect();
        // The first column's own bound stands before them, so that the range is seen at once.
        let loose = format!("{strict}=");
        format!("({} AND ({}))", compare(0, &loose), ways.join(" OR "))
    }
}

/// The same for a statement that runs once: the copy, the change and the count in one transaction.
pub fn once(name: &str, factor: &str, condition: Option<&str>, text: &str, copy: &Copy) -> Vec<String> {
    let procedure = quote_identifier(name);
    let copied = copy_statement(copy, factor, condition.unwrap_or("TRUE"));
    vec![
        format!("DROP PROCEDURE IF EXISTS {procedure}"),
        format!(
            "CREATE PROCEDURE {procedure}()\n\
             BEGIN\n\
             \x20 DECLARE rehearse_copied, rehearse_changed BIGINT DEFAULT 0;\n\
             {MODE}\
             \x20 DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;\n\
             \x20 START TRANSACTION;\n{copied}    {text};\n    SET rehearse_changed = ROW_COUNT();\n{}\
             \x20 COMMIT;\n\
             \x20 SELECT rehearse_copied AS rows_kept, rehearse_changed AS rows_changed;\n\
             END",
            check(copy)
        ),
        format!("CALL {procedure}()"),
        format!("DROP PROCEDURE {procedure}"),
    ]
}

/// Copies the rows as they are and locks them until the transaction's end, so that none can change in between.
pub fn copy_statement(copy: &Copy, factor: &str, condition: &str) -> String {
    let columns = list(&copy.columns);
    format!(
        "    SET SESSION sql_mode = '{COPY_MODE}';\n    INSERT INTO {} ({columns})\n    SELECT {columns} FROM {factor}\n    \
         WHERE {condition} FOR UPDATE;\n    SET rehearse_copied = ROW_COUNT();\n    SET SESSION sql_mode = rehearse_mode;\n",
        copy.into.quoted()
    )
}

fn check(copy: &Copy) -> String {
    let (differs, message) = if copy.exact {
        ("<>", "rows kept and rows changed differ: rolled back")
    } else {
        ("<", "more rows were changed than kept: rolled back")
    };
    format!(
        "    IF rehearse_copied {differs} rehearse_changed THEN\n      SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = {};\n    END IF;\n",
        quote_in(message)
    )
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

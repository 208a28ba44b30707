//! Batches for the stock client: a stored procedure that walks the table's key, each batch a transaction of its own.

use super::shape::{list, quote_in};
use crate::sql::record::{TableName, Walk, quote_identifier};
use crate::survey::record::TableFacts;

/// A copy that is made of the rows that a statement is about to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The table that takes them.
    pub into: TableName,
    /// The columns.
    pub columns: Vec<String>,
    /// Every copied row must be changed (DELETE); else at most as many as were copied (UPDATE).
    pub exact: bool,
}

/// The statements that create, call and drop the procedure for a walk, with DELIMITER lines.
///
/// # Errors
/// Why this walk cannot be run by a procedure.
pub fn walk(walk: &Walk, name: &str, facts: &TableFacts, copy: Option<&Copy>) -> Result<Vec<String>, String> {
    let [key] = walk.key.as_slice() else {
        return Err(format!(
            "the key ({}) of {} has {} columns, and a procedure walks a key of one",
            walk.key.join(", "),
            walk.table,
            walk.key.len()
        ));
    };
    let column = facts.column(key).ok_or_else(|| format!("{} has no column {key}", walk.table))?;
    if column.column_type.is_empty() || matches!(column.data_type.as_str(), "enum" | "set" | "json") {
        return Err(format!("the key {key} of {} is of a type that a procedure cannot walk", walk.table));
    }
    let charset = match (&column.charset, &column.collation) {
        (Some(charset), Some(collation)) => format!(" CHARACTER SET {charset} COLLATE {collation}"),
        _ => String::new(),
    };
    let kind = format!("{}{charset}", column.column_type);
    let key = quote_identifier(key);
    let table = walk.table.quoted();
    let mine = walk.condition.as_ref().map(|condition| format!("\n      AND ({condition})")).unwrap_or_default();
    let range = |end: &str| format!("{key} >= rehearse_from AND {key} {end}{mine}");
    let head = walk.head.trim_end();
    let body = |end: &str| {
        let range = range(end);
        let copied = copy.map(|copy| copy_statement(copy, &table, &range)).unwrap_or_default();
        let check = copy.map(check).unwrap_or_default();
        format!(
            "    START TRANSACTION;\n{copied}    {head}\n    WHERE {range};\n    SET rehearse_changed = ROW_COUNT();\n{check}    COMMIT;\n"
        )
    };
    let pause = walk.pause.as_secs_f64();
    let sleep = if pause > 0.0 { format!("    DO SLEEP({pause});\n") } else { String::new() };
    let rows = walk.rows.max(1);
    let procedure = quote_identifier(name);
    Ok(vec![
        format!("DROP PROCEDURE IF EXISTS {procedure}"),
        format!(
            "CREATE PROCEDURE {procedure}()\n\
             BEGIN\n\
             \x20 DECLARE rehearse_from, rehearse_next, rehearse_last {kind};\n\
             \x20 DECLARE rehearse_copied, rehearse_changed, rehearse_done BIGINT DEFAULT 0;\n\
             \x20 DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;\n\
             \x20 SELECT MIN({key}), MAX({key}) INTO rehearse_from, rehearse_last FROM {table};\n\
             \x20 -- Rows with a greater key than this came later: they are left alone.\n\
             \x20 WHILE rehearse_from IS NOT NULL DO\n\
             \x20   SET rehearse_next = (SELECT {key} FROM {table} WHERE {key} >= rehearse_from AND {key} <= rehearse_last\n\
             \x20                        ORDER BY {key} LIMIT 1 OFFSET {rows});\n\
             \x20   IF rehearse_next IS NULL THEN\n{}\
             \x20   ELSE\n{}\
             \x20   END IF;\n\
             \x20   SET rehearse_done = rehearse_done + rehearse_changed, rehearse_from = rehearse_next;\n{sleep}\
             \x20 END WHILE;\n\
             \x20 SELECT rehearse_done AS rows_changed;\n\
             END",
            indent(&body("<= rehearse_last")),
            indent(&body("< rehearse_next")),
        ),
        format!("CALL {procedure}()"),
        format!("DROP PROCEDURE {procedure}"),
    ])
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

/// Copies the rows and locks them until the transaction's end, so that none can change in between.
pub fn copy_statement(copy: &Copy, factor: &str, condition: &str) -> String {
    let columns = list(&copy.columns);
    format!(
        "    INSERT INTO {} ({columns})\n    SELECT {columns} FROM {factor}\n    WHERE {condition} FOR UPDATE;\n    \
         SET rehearse_copied = ROW_COUNT();\n",
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

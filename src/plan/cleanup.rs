//! Dropping what a plan kept: guarded, and without a stall.

use super::record::Cleanup;
use super::shape::quote_in;
use crate::quantity;
use crate::sql::record::{TableName, quote_identifier};
use crate::survey::record::{Survey, TableFacts};

/// From this size on the removal of a table's file can stall the server.
const HUGE: u64 = 10 << 30;

/// What to drop, when and how, from what is known of the table that it was made from.
pub fn of(table: &TableName, what: &str, survey: &Survey) -> Cleanup {
    let origin = survey
        .tables
        .iter()
        .filter(|(name, _)| table.database == name.database && table.table.ends_with(&name.table))
        .map(|(_, facts)| facts)
        .max_by_key(|facts| facts.data_bytes + facts.index_bytes);
    let bytes = origin.map(|facts| facts.data_bytes + facts.index_bytes).filter(|bytes| *bytes >= HUGE);
    let (before, mind) = match (origin, bytes) {
        (Some(facts), Some(bytes)) => huge(table, facts, bytes),
        _ => {
            (Vec::new(), "a DROP takes the table's metadata lock: guarded, and nobody should use this table".to_owned())
        }
    };
    Cleanup {
        table: table.clone(),
        when: format!(
            "{what}; keep it until the verification has held for as long as you would want to go back (a week is usual)"
        ),
        mind,
        before,
    }
}

/// A huge table loses its partitions one by one, where it has any; its file is unlinked under another name where not.
fn huge(table: &TableName, facts: &TableFacts, bytes: u64) -> (Vec<String>, String) {
    let size = quantity::bytes(bytes);
    if !facts.partitions.is_empty() {
        let each = |name: &str| format!("ALTER TABLE {} TRUNCATE PARTITION {}", table.quoted(), quote_identifier(name));
        let before = facts.partitions.iter().map(|partition| each(&partition.name)).collect();
        return (
            before,
            format!("about {size}: its partitions are emptied one by one, so that no file that goes is the whole"),
        );
    }
    let mind = if facts.engine.eq_ignore_ascii_case("innodb") {
        format!(
            "about {size}: removing a file of this size can stall the server. Give it a second name first, in the data \
             directory (ln {0}/{1}.ibd {0}/{1}.ibd.later): then the DROP only takes one name away, and the file goes \
             afterwards, piece by piece (truncate -s -1G …)",
            table.database, table.table
        )
    } else {
        format!(
            "about {size}: removing files of this size can stall the server. DELETE FROM {} … LIMIT 10000 again and again \
             until it is empty does not, but is slow; else do it at a quiet hour",
            table.quoted()
        )
    };
    (Vec::new(), mind)
}

/// The statements: refused with a sentence while a foreign key of another table points at it, or a view, routine, trigger or
/// event names it.
pub fn sql(number: usize, item: &Cleanup) -> Vec<String> {
    let procedure = quote_identifier(&format!("rehearse_cleanup_{number:03}"));
    let (database, table) = (quote_in(&item.table.database), quote_in(&item.table.table));
    let said = |kind: &str, name: &str, schema: &str| {
        format!("SELECT CONVERT(CONCAT('{kind} ', {schema}, '.', {name}) USING utf8mb4) AS rehearse_user")
    };
    let names = |text: &str| format!("LOCATE({table}, {text}) > 0");
    let users = [
        format!(
            "{} FROM information_schema.KEY_COLUMN_USAGE\n      WHERE REFERENCED_TABLE_SCHEMA = {database} AND REFERENCED_TABLE_NAME = {table}\n      \
             AND NOT (TABLE_SCHEMA = {database} AND TABLE_NAME = {table})",
            said("a foreign key of", "TABLE_NAME", "TABLE_SCHEMA")
        ),
        format!(
            "{} FROM information_schema.VIEWS WHERE {}",
            said("view", "TABLE_NAME", "TABLE_SCHEMA"),
            format_args!("LOCATE({}, VIEW_DEFINITION) > 0", quote_in(&quote_identifier(&item.table.table)))
        ),
        format!(
            "{} FROM information_schema.ROUTINES\n      WHERE {} AND LEFT(ROUTINE_NAME, 9) <> 'rehearse_'",
            said("routine", "ROUTINE_NAME", "ROUTINE_SCHEMA"),
            names("ROUTINE_DEFINITION")
        ),
        format!(
            "{} FROM information_schema.TRIGGERS\n      WHERE {} AND NOT (EVENT_OBJECT_SCHEMA = {database} AND EVENT_OBJECT_TABLE = {table})",
            said("trigger", "TRIGGER_NAME", "TRIGGER_SCHEMA"),
            names("ACTION_STATEMENT")
        ),
        format!(
            "{} FROM information_schema.EVENTS WHERE {}",
            said("event", "EVENT_NAME", "EVENT_SCHEMA"),
            names("EVENT_DEFINITION")
        ),
    ];
    let mut sql = vec![
        "SET SESSION lock_wait_timeout = 5".to_owned(),
        format!("USE {}", quote_identifier(&item.table.database)),
        format!("DROP PROCEDURE IF EXISTS {procedure}"),
        format!(
            "CREATE PROCEDURE {procedure}()\n\
             BEGIN\n\
             \x20 DECLARE rehearse_users TEXT CHARACTER SET utf8mb4;\n\
             \x20 SELECT GROUP_CONCAT(rehearse_user SEPARATOR ', ') INTO rehearse_users FROM (\n    {}\n  ) AS rehearse_found;\n\
             \x20 IF rehearse_users IS NOT NULL THEN\n\
             \x20   SET rehearse_users = LEFT(CONCAT('still used: ', rehearse_users), 128);\n\
             \x20   SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = rehearse_users;\n\
             \x20 END IF;\n\
             END",
            users.join("\n    UNION ")
        ),
        format!("CALL {procedure}()"),
        format!("DROP PROCEDURE {procedure}"),
    ];
    sql.extend(item.before.iter().cloned());
    sql.push(format!("DROP TABLE IF EXISTS {}", item.table.quoted()));
    sql
}

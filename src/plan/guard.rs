//! What stands around a step: time-outs, what to watch, and how to see that it did what it should.

use super::record::{Duration, Guard, Verify, Watch};
use super::shape::{Simple, quote_in};
use super::unit::Unit;
use super::work::Task;
use crate::quantity::seconds;
use crate::server::flavor::{Flavor, Vendor};
use crate::sql::record::{Action, AlterClass, ColumnDefinition, Kind, Statement, TableName, quote_identifier};
use crate::survey::record::Survey;

/// Seconds that a DDL may wait for its metadata lock: while it waits, every later query on the table waits behind it.
const DDL_WAIT: u32 = 5;
/// Seconds that a change of rows may wait for a row lock.
const ROW_WAIT: u32 = 10;

/// The guard of some actions.
pub fn guard(actions: &[Action], flavor: Flavor) -> Guard {
    let has_ddl = actions.iter().any(|action| action.statement().reading.kind.is_ddl());
    let has_rows = actions.iter().any(|action| !action.statement().reading.kind.is_ddl());
    let mut settings = vec![format!("SET SESSION lock_wait_timeout = {DDL_WAIT}")];
    if has_rows {
        settings.push(format!("SET SESSION innodb_lock_wait_timeout = {ROW_WAIT}"));
    }
    let mut watch = vec![Watch {
        what: "Who waits for a lock: more than a few lines that grow older mean stop".to_owned(),
        query: "SELECT id, user, time, state, LEFT(info, 80) AS query FROM information_schema.processlist \
                WHERE state LIKE 'Waiting for%lock%' OR state LIKE 'updating%' ORDER BY time DESC LIMIT 20"
            .to_owned(),
    }];
    if has_rows {
        watch.push(Watch {
            what: "How far it is: rows modified grow towards the number rehearsed".to_owned(),
            query: "SELECT trx_mysql_thread_id AS connection, trx_started, trx_rows_locked, trx_rows_modified \
                    FROM information_schema.innodb_trx ORDER BY trx_started LIMIT 5"
                .to_owned(),
        });
    }
    if has_ddl && has_metadata_locks(flavor) {
        watch.push(Watch {
            what: "Who holds the table: kill or wait for whoever is GRANTED while the step is PENDING".to_owned(),
            query: METADATA_LOCKS.to_owned(),
        });
    }
    let when_tripped = match (has_ddl, has_rows) {
        (true, false) => {
            "error 1205: somebody held the table for 5 s. Nothing has changed; find the holder with the queries above, then run the script again"
        }
        (false, _) => {
            "error 1205 or 1213: a row stayed locked for 10 s, or a deadlock was broken. The statement (in batches: the last batch) was rolled back; run the script again"
        }
        (true, true) => {
            "error 1205 or 1213: a lock was not had in time. Look which statement it was before running anything again: those before it are done"
        }
    };
    Guard { settings, when_tripped: when_tripped.to_owned(), watch, stop_when: Vec::new() }
}

/// A step may run so many times as long as it did at most in the rehearsal.
const TIMES: f64 = 3.0;
/// And so many seconds in any case: less is noise.
const PATIENCE: f64 = 10.0;
/// No statement time-out is shorter, in seconds.
const SHORTEST_TIMEOUT: f64 = 60.0;

/// Says when a step has run too long, and lets the server end it where it can: MariaDB's `max_statement_time` holds for any
/// statement, MySQL's `max_execution_time` for SELECT only (both manuals). A procedure is left alone: its loop is long.
pub fn limit(guard: &mut Guard, flavor: Flavor, scale: f64, takes: Option<&Duration>, tasks: &[Task]) {
    let Some(takes) = takes else {
        guard
            .stop_when
            .push("it runs longer than you decided beforehand: how long it takes was not measured".to_owned());
        return;
    };
    let longest = takes.high_seconds;
    if scale < 1.0 {
        guard.stop_when.push(format!(
            "it runs longer than you decided beforehand: {} in the sandbox, on {} of the rows, says nothing on how long it may take here",
            seconds(longest),
            super::impact::share(scale)
        ));
        return;
    }
    let limit = (TIMES * longest).max(PATIENCE);
    let mut line = format!("it has run for {} (in the rehearsal {} at most)", seconds(limit), seconds(longest));
    match (tasks, flavor.vendor) {
        ([Task::Statement { .. }], Vendor::MariaDb) => {
            let ends = limit.max(SHORTEST_TIMEOUT).ceil();
            guard.settings.push(format!("SET SESSION max_statement_time = {ends}"));
            line.push_str(&format!(
                "; the server ends it by itself after {} (error 1969) and rolls it back",
                seconds(ends)
            ));
        }
        ([Task::Statement { .. }], Vendor::MySql) => {
            line.push_str(
                "; the server has no time-out for it (max_execution_time ends SELECT only): hold it to this by hand",
            );
        }
        _ => line.push_str("; no time-out of the server holds for it as a whole: hold it to this by hand"),
    }
    guard.stop_when.push(line);
}

/// Holders of metadata locks; needs the instrument, which MariaDB has off by default.
pub const METADATA_LOCKS: &str = "SELECT t.processlist_id AS connection, t.processlist_user AS user, t.processlist_time AS seconds, \
     l.object_schema, l.object_name, l.lock_type, l.lock_status FROM performance_schema.metadata_locks l \
     JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id \
     WHERE l.object_type = 'TABLE' AND l.object_schema NOT IN ('performance_schema', 'mysql', 'sys') \
     AND t.processlist_id <> CONNECTION_ID() ORDER BY t.processlist_time DESC LIMIT 20";

/// `performance_schema.metadata_locks` exists (MySQL 5.7.3; MariaDB 10.5.2).
pub fn has_metadata_locks(flavor: Flavor) -> bool {
    flavor.at_least_mysql(5, 7, 3) || flavor.at_least_mariadb(10, 5, 2)
}

/// How to see that an action did what it should.
pub fn verify(statement: &Statement, simple: Option<&Simple>, fresh: bool) -> Vec<Verify> {
    let effect = &statement.reading.effect;
    let first = |set: &std::collections::BTreeSet<TableName>| set.iter().next().cloned();
    match statement.reading.kind {
        Kind::Delete | Kind::Truncate if !effect.empties.is_empty() => effect.empties.iter().map(empty).collect(),
        Kind::Delete => simple
            .and_then(|simple| Some((simple, simple.condition.as_ref()?)))
            .map(|(simple, condition)| {
                vec![Verify {
                    query: format!("SELECT COUNT(*) FROM {} WHERE {condition}", simple.factor),
                    expect: "0, and rows that were written since".to_owned(),
                    equals: Some("0".to_owned()),
                }]
            })
            .unwrap_or_default(),
        Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex => first(&effect.defines)
            .map(|table| effect.renames.get(&table).cloned().unwrap_or(table))
            .map(|table| {
                let mut all: Vec<Verify> = effect
                    .clauses
                    .iter()
                    .flat_map(|clause| {
                        let own = clause.object.as_deref().and_then(|object| altered(&table, clause.class, object));
                        let is_modified = clause.class == AlterClass::ModifyColumn;
                        let columns =
                            clause.columns.iter().filter(|_| is_modified).map(|column| modified(&table, column));
                        own.into_iter().chain(columns).collect::<Vec<_>>()
                    })
                    .collect();
                // One ALTER drops before it adds: where both have the same question, the last answer counts.
                all.sort_by_key(|verify| verify.equals.as_deref() == Some("1"));
                all
            })
            .unwrap_or_default(),
        Kind::CreateTable if !effect.temporary => effect.defines.iter().map(|table| exists(table, true)).collect(),
        Kind::DropTable if !effect.temporary => effect.drops.iter().map(|table| exists(table, false)).collect(),
        Kind::RenameTable => effect.renames.values().map(|table| exists(table, true)).collect(),
        Kind::Insert | Kind::Replace | Kind::LoadData if fresh => effect
            .writes
            .iter()
            .map(|table| Verify {
                query: format!("SELECT COUNT(*) FROM {}", table.quoted()),
                expect: "about the number of rows rehearsed".to_owned(),
                equals: None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The table is empty but for what came since.
pub fn empty(table: &TableName) -> Verify {
    Verify {
        query: format!("SELECT COUNT(*) FROM {}", table.quoted()),
        expect: "0, and rows that were written since".to_owned(),
        // The application goes on: how many rows came since is not known.
        equals: None,
    }
}

/// A new table with a counter of its own stands where the old one stood: no id is in both.
pub fn ids_given_twice(survey: &Survey, unit: &Unit<'_>) -> Option<Verify> {
    let alternative = &unit.trial?.alternative;
    let [old] = alternative.expected_leftovers.as_slice() else { return None };
    let (table, _) = alternative.counters_ahead.first_key_value()?;
    let columns = &survey.tables.get(table)?.columns;
    let column = quote_identifier(&columns.iter().find(|column| column.auto_increment)?.name);
    Some(Verify {
        query: format!(
            "SELECT COUNT(*) FROM {} AS n JOIN {} AS o ON o.{column} = n.{column}",
            table.quoted(),
            old.quoted()
        ),
        expect: "0: no id was given out twice".to_owned(),
        equals: Some("0".to_owned()),
    })
}

fn exists(table: &TableName, there: bool) -> Verify {
    Verify {
        query: format!(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = {} AND table_name = {}",
            quote_in(&table.database),
            quote_in(&table.table)
        ),
        expect: if there { "1: it is there" } else { "0: it is gone" }.to_owned(),
        equals: Some(if there { "1" } else { "0" }.to_owned()),
    }
}

/// The column is as it was defined, as far as both vendors spell it alike.
fn modified(table: &TableName, column: &ColumnDefinition) -> Verify {
    let mut wanted = vec![
        format!("table_schema = {}", quote_in(&table.database)),
        format!("table_name = {}", quote_in(&table.table)),
        format!("column_name = {}", quote_in(&column.name)),
    ];
    let kind = column.data_type.as_str();
    match kind {
        // Text of bytes is another type, and of text the server takes the one that is large enough for the character set.
        _ if column.charset.as_deref() == Some("binary") => {}
        kind if kind.ends_with("text") => wanted.push("data_type LIKE '%text'".to_owned()),
        kind if kind.ends_with("blob") => wanted.push("data_type LIKE '%blob'".to_owned()),
        // MariaDB's is a longtext.
        "json" => wanted.push("data_type IN ('json', 'longtext')".to_owned()),
        kind => wanted.push(format!("data_type = {}", quote_in(kind))),
    }
    match (kind, column.length) {
        ("char" | "varchar" | "binary" | "varbinary", Some(length)) => {
            wanted.push(format!("character_maximum_length = {length}"));
        }
        ("decimal", Some(digits)) => {
            wanted.push(format!("numeric_precision = {digits}"));
            wanted.push(format!("numeric_scale = {}", column.scale.unwrap_or(0)));
        }
        (kind, _) if kind.ends_with("int") => {
            let not = if column.unsigned { "" } else { "NOT " };
            wanted.push(format!("column_type {not}LIKE '%unsigned%'"));
        }
        _ => {}
    }
    if let Some(nullable) = column.nullable {
        wanted.push(format!("is_nullable = '{}'", if nullable { "YES" } else { "NO" }));
    }
    Verify {
        query: format!("SELECT COUNT(*) FROM information_schema.columns WHERE {}", wanted.join(" AND ")),
        expect: format!("1: {} is as the statement defines it", column.name),
        equals: Some("1".to_owned()),
    }
}

fn altered(table: &TableName, class: AlterClass, object: &str) -> Option<Verify> {
    use AlterClass::*;
    let (source, column, there) = match class {
        AddColumn => ("columns", "column_name", true),
        DropColumn => ("columns", "column_name", false),
        AddIndex | AddUnique | AddFulltext | AddSpatial => ("statistics", "index_name", true),
        DropIndex => ("statistics", "index_name", false),
        AddForeignKey => ("table_constraints", "constraint_name", true),
        DropForeignKey => ("table_constraints", "constraint_name", false),
        _ => return None,
    };
    Some(Verify {
        query: format!(
            "SELECT COUNT(DISTINCT {column}) FROM information_schema.{source} WHERE table_schema = {} AND table_name = {} AND {column} = {}",
            quote_in(&table.database),
            quote_in(&table.table),
            quote_in(object)
        ),
        expect: format!("{}: {object} is {}", u8::from(there), if there { "there" } else { "gone" }),
        equals: Some(u8::from(there).to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::specimen::statement;

    fn asked(text: &str) -> Vec<String> {
        verify(&statement(1, text), None, false).into_iter().map(|verify| verify.query).collect()
    }

    #[test]
    fn a_modified_column_is_asked_for_as_both_vendors_spell_it() {
        let queries = asked(
            "ALTER TABLE orders MODIFY total DECIMAL(12,2) NOT NULL, MODIFY note VARCHAR(300), CHANGE a b BIGINT UNSIGNED",
        );
        assert_eq!(queries.len(), 3, "{queries:#?}");
        assert!(
            queries[0].ends_with(
                "column_name = 'total' AND data_type = 'decimal' AND numeric_precision = 12 AND numeric_scale = 2 AND is_nullable = 'NO'"
            ),
            "{queries:#?}"
        );
        assert!(queries[1].ends_with("data_type = 'varchar' AND character_maximum_length = 300"), "{queries:#?}");
        assert!(
            queries[2].ends_with("column_name = 'b' AND data_type = 'bigint' AND column_type LIKE '%unsigned%'"),
            "{queries:#?}"
        );
        let text = asked("ALTER TABLE orders MODIFY note TEXT(100)");
        assert!(text[0].ends_with("data_type LIKE '%text'"), "the server takes a type of its own: {text:?}");
    }

    #[test]
    fn of_what_is_dropped_and_made_again_the_last_answer_counts() {
        let both =
            verify(&statement(1, "ALTER TABLE orders ADD INDEX status (status), DROP INDEX status"), None, false);
        let answers: Vec<_> = both.iter().filter_map(|verify| verify.equals.as_deref()).collect();
        assert_eq!(answers, ["0", "1"], "an ALTER drops before it adds");
    }
}

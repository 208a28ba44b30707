//! What stands around a step: time-outs, what to watch, and how to see that it did what it should.

use super::record::{Guard, Verify, Watch};
use super::shape::{Simple, quote_in};
use crate::server::flavor::Flavor;
use crate::sql::record::{Action, AlterClass, Kind, Statement, TableName};

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
    Guard { settings, when_tripped: when_tripped.to_owned(), watch }
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
            .map(|table| {
                effect
                    .clauses
                    .iter()
                    .filter_map(|clause| altered(&table, clause.class, clause.object.as_deref()?))
                    .collect()
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
        equals: Some("0".to_owned()),
    }
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

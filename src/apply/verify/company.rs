//! Who is in the way: long transactions, holders of the tables, backups that run.

use anyhow::Result;

use super::ground::Ground;
use super::verdict::{Found, Severity};
use crate::plan::guard::has_metadata_locks;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_text};
use crate::survey::answer::Cells;
use crate::survey::rights::{Held, On};

/// Seconds after which a session that holds a table is in the way; one that is younger may be an ordinary query.
const BRIEF: u64 = 2;

pub(super) fn look(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    transactions(ground, found);
    holders(ground, reader, found)?;
    backups(ground, reader, found)
}

fn transactions(ground: &Ground<'_>, found: &mut Found) {
    if let Some(gap) = ground.now.gaps.iter().find(|gap| gap.starts_with("open transactions")) {
        found.unchecked(
            "locks",
            "long transactions",
            gap.as_str(),
            "give the account PROCESS, or look at information_schema.innodb_trx",
        );
        return;
    }
    let long = ground.options.long_seconds;
    let own = |connection: &u64| ground.options.own_connections.contains(connection);
    let mut open = (ground.now.server.long_transactions.iter())
        .filter(|open| open.seconds >= long && !own(&open.connection))
        .peekable();
    if open.peek().is_none() {
        found.fine(format!("no transaction has been open for {long} s"));
    }
    for open in open {
        found.add(
            Severity::Refuse,
            "locks",
            format!("connection {}", open.connection),
            format!("{} has a transaction open for {} s: {}", user(&open.user), open.seconds, open.state),
            "none",
            format!(
                "let it end, or end it (KILL {}): what it has read or changed holds up every DDL on it",
                open.connection
            ),
        );
    }
}

fn user(name: &str) -> &str {
    if name.is_empty() { "somebody" } else { name }
}

/// A session that holds one of the tables: every DDL waits for it, and everybody behind the DDL.
fn holders(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    let object = "metadata locks";
    let by_hand =
        "look in the process list for sessions that use the tables; on MariaDB, start with performance_schema=ON";
    let flavor = ground.now.server.flavor;
    if !has_metadata_locks(flavor) {
        found.unchecked("locks", object, format!("{flavor} does not show them"), by_hand);
        return Ok(());
    }
    if ground.now.server.settings.get("performance_schema").is_some_and(|value| value.eq_ignore_ascii_case("off")) {
        found.unchecked("locks", object, "performance_schema is OFF", by_hand);
        return Ok(());
    }
    let instrument =
        "SELECT ENABLED FROM performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl'";
    match reader.first::<Cells>(instrument) {
        Ok(Some(row)) if row.is_yes(0) => {}
        Ok(_) => {
            let next = "UPDATE performance_schema.setup_instruments SET ENABLED = 'YES' WHERE NAME = 'wait/lock/metadata/sql/mdl', wait a minute, verify again";
            found.unchecked("locks", object, "the instrument wait/lock/metadata/sql/mdl is off", next);
            return Ok(());
        }
        Err(fault) if fault.is_connection_lost() => return Err(fault.into()),
        Err(fault) => {
            found.unchecked("locks", object, fault.to_string(), "give the account SELECT on performance_schema");
            return Ok(());
        }
    }
    let names: Vec<String> = ground
        .related
        .keys()
        .map(|name| format!("({}, {})", quote_text(&name.database), quote_text(&name.table)))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT t.PROCESSLIST_ID, t.PROCESSLIST_USER, t.PROCESSLIST_TIME, t.PROCESSLIST_COMMAND, t.PROCESSLIST_STATE, \
         m.OBJECT_SCHEMA, m.OBJECT_NAME, m.LOCK_TYPE, m.LOCK_STATUS \
         FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID \
         WHERE m.OBJECT_TYPE = 'TABLE' AND (m.OBJECT_SCHEMA, m.OBJECT_NAME) IN ({}) \
         AND t.PROCESSLIST_ID IS NOT NULL AND t.PROCESSLIST_ID <> CONNECTION_ID() \
         ORDER BY t.PROCESSLIST_TIME DESC, t.PROCESSLIST_ID LIMIT 50",
        names.join(", ")
    );
    let rows = match reader.rows::<Cells>(&sql) {
        Ok(rows) => rows,
        Err(fault) if fault.is_connection_lost() => return Err(fault.into()),
        Err(fault) => {
            found.unchecked("locks", object, fault.to_string(), "give the account SELECT on performance_schema");
            return Ok(());
        }
    };
    let mut told: Vec<(u64, TableName)> = Vec::new();
    let mut refused = false;
    for row in rows {
        let (connection, table) = (row.number(0).unwrap_or_default(), TableName::new(row.text(5), row.text(6)));
        if told.contains(&(connection, table.clone())) || ground.options.own_connections.contains(&connection) {
            continue;
        }
        let mode = row.text(7);
        let seconds = row.number(2).unwrap_or_default();
        // One that excludes others is in the way from its first moment.
        let brief =
            seconds < BRIEF && !mode.contains("EXCLUSIVE") && !mode.contains("NO_WRITE") && row.text(8) != "PENDING";
        let severity = if brief { Severity::Warn } else { Severity::Refuse };
        refused |= !brief;
        let does = row.maybe(4).filter(|state| !state.is_empty()).unwrap_or_else(|| row.text(3));
        let what = if row.text(8) == "PENDING" { "waits for" } else { "holds" };
        let seen = format!("connection {connection} ({}, {does}, for {seconds} s) {what} {mode}", user(&row.text(1)));
        let next =
            format!("let it end, or end it (KILL {connection}): a DDL waits for it, and everybody behind the DDL");
        found.add(severity, "locks", format!("table {table}"), seen, "nobody holds it", next);
        told.push((connection, table));
    }
    if !refused {
        found.fine(format!("nobody has held one of {} tables for {BRIEF} s", ground.related.len()));
    }
    Ok(())
}

/// Sessions that look like a backup, by what they run and by the accounts and programs that backups use.
fn backups(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    if ground.now.rights.held("PROCESS", On::Server) == Held::No {
        let next = "give the account PROCESS, or look for mysqldump, xtrabackup and mariabackup on the hosts";
        found.unchecked("backups", "running backups", "this account sees its own sessions only", next);
        return Ok(());
    }
    let sql = "SELECT ID, USER, TIME, COMMAND, STATE, LEFT(INFO, 200) FROM information_schema.PROCESSLIST \
               WHERE ID <> CONNECTION_ID() AND (USER IN ('mariabackup', 'xtrabackup', 'mysqlbackup', 'bkpuser', 'backup') \
               OR INFO LIKE '%SQL\\_NO\\_CACHE%' OR STATE LIKE '%backup%' OR INFO LIKE 'BACKUP STAGE%' OR INFO LIKE 'CLONE %' \
               OR STATE LIKE '%global read lock%')";
    let rows = match reader.rows::<Cells>(sql) {
        Ok(rows) => rows,
        Err(fault) if fault.is_connection_lost() => return Err(fault.into()),
        Err(fault) => {
            found.unchecked("backups", "running backups", fault.to_string(), "give the account PROCESS");
            return Ok(());
        }
    };
    let before = found.reasons.len();
    for row in &rows {
        let what =
            row.maybe(5).filter(|info| !info.is_empty()).unwrap_or_else(|| format!("{} {}", row.text(3), row.text(4)));
        tell(found, row.text(0), format!("{} for {} s: {}", user(&row.text(1)), row.text(2), what.trim()));
    }
    // Who has locked out DDL for a backup, whatever it is called: MySQL 8.0, and MariaDB's BACKUP STAGE from START on.
    let locks = "SELECT t.PROCESSLIST_ID, t.PROCESSLIST_USER, t.PROCESSLIST_TIME, m.OBJECT_TYPE, m.LOCK_TYPE \
                 FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID \
                 WHERE m.LOCK_STATUS = 'GRANTED' AND t.PROCESSLIST_ID <> CONNECTION_ID() AND \
                 (m.OBJECT_TYPE = 'BACKUP LOCK' AND m.LOCK_TYPE = 'SHARED' OR m.OBJECT_TYPE = 'BACKUP' AND m.LOCK_TYPE LIKE 'BACKUP\\_%' \
                 AND m.LOCK_TYPE NOT LIKE 'BACKUP\\_TRANS\\_%' AND m.LOCK_TYPE NOT IN ('BACKUP_DML', 'BACKUP_DDL', 'BACKUP_SYS_DML', \
                 'BACKUP_STMT', 'BACKUP_COMMIT', 'BACKUP_ALTER_COPY') OR m.OBJECT_TYPE = 'GLOBAL' AND m.LOCK_TYPE = 'SHARED')";
    if let Ok(rows) = reader.rows::<Cells>(locks) {
        for row in &rows {
            tell(
                found,
                row.text(0),
                format!("{} holds {} {}, for {} s", user(&row.text(1)), row.text(3), row.text(4), row.text(2)),
            );
        }
    }
    if found.reasons.len() == before {
        found.fine("no backup is seen to run");
    }
    Ok(())
}

fn tell(found: &mut Found, connection: String, seen: String) {
    let object = format!("connection {connection}");
    if !found.reasons.iter().any(|reason| reason.check == "backups" && reason.object == object) {
        let next = "let the backup end: DDL breaks it, or waits for it with everybody behind";
        found.add(Severity::Refuse, "backups", object, seen, "no backup", next);
    }
}

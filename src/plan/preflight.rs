//! What to look at before the first step: each check with a query that a person can run.

use std::collections::BTreeMap;

use super::guard::{METADATA_LOCKS, has_metadata_locks};
use super::record::{Backup, Check, Identity};
use super::shape::quote_in;
use crate::quantity;
use crate::server::flavor::Flavor;
use crate::sql::record::TableName;
use crate::survey::record::Survey;

/// Settings that change what the upgrade does; each is compared where the survey has it.
const SETTINGS: &[&str] = &[
    "sql_mode",
    "binlog_format",
    "binlog_row_image",
    "transaction_isolation",
    "tx_isolation",
    "innodb_autoinc_lock_mode",
    "foreign_key_checks",
    "gtid_mode",
    "lower_case_table_names",
    "max_binlog_cache_size",
    "innodb_online_alter_log_max_size",
];

/// The checks.
pub fn checks(
    flavor: Flavor,
    survey: &Survey,
    identity: &Identity,
    backups: &[Backup],
    ours: &[TableName],
) -> Vec<Check> {
    let mut checks = vec![
        check(
            "server",
            "This is the server that was rehearsed for",
            "SELECT VERSION(), @@hostname, @@port, @@read_only",
            &format!("{} (or the same version at least), the host you mean, read_only 0", identity.version),
            "another version may choose another algorithm for the same ALTER",
        ),
        check(
            "schema",
            "The definitions are those that were rehearsed",
            &tables_query(&identity.rows, "table_name, engine, create_time, table_rows"),
            "no table is missing, none was altered since the survey",
            "a column or index more or less changes what a statement does",
        ),
    ];
    for (table, band) in &identity.rows {
        checks.push(Check {
            id: format!("rows-{table}"),
            title: format!("{table} holds about as many rows as were rehearsed"),
            query: Some(format!(
                "SELECT table_rows FROM information_schema.tables WHERE table_schema = {} AND table_name = {}",
                quote_in(&table.database),
                quote_in(&table.table)
            )),
            command: None,
            expect: format!(
                "{} to {} (the server's own estimate may be off by a third)",
                quantity::grouped(band.low),
                quantity::grouped(band.high)
            ),
            why: "times and locks grow with the rows".to_owned(),
        });
    }
    let bytes: u64 = backups
        .iter()
        .filter(|backup| !matches!(backup.way, super::record::Way::KeptTable { .. }))
        .filter_map(|backup| backup.bytes)
        .sum();
    let largest = identity
        .rows
        .keys()
        .filter_map(|table| survey.tables.get(table))
        .map(|facts| facts.data_bytes + facts.index_bytes)
        .max()
        .unwrap_or_default();
    checks.push(Check {
        id: "free-disk".to_owned(),
        title: "The disk has room".to_owned(),
        query: Some("SELECT @@datadir, @@tmpdir".to_owned()),
        command: Some("df -h DATADIR TMPDIR".to_owned()),
        expect: format!(
            "at least {} free: the backups ({}), and room to write the largest table anew ({}), and as much binary log",
            quantity::bytes(bytes + 2 * largest),
            quantity::bytes(bytes),
            quantity::bytes(largest)
        ),
        why: "a full disk in the middle of a change is worse than the change; replicas need the same room".to_owned(),
    });
    checks.push(check(
        "long-transactions",
        "No long transaction is open",
        "SELECT trx_mysql_thread_id AS connection, trx_started, TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS seconds, LEFT(trx_query, 80) AS query FROM information_schema.innodb_trx ORDER BY trx_started LIMIT 20",
        "nothing older than a few seconds",
        "an idle transaction that has read a table holds up every DDL on it, and then everybody behind that DDL",
    ));
    if has_metadata_locks(flavor) {
        let needs = if flavor.is_mariadb() {
            "nothing on the tables of this plan (empty also when performance_schema is off: then use the process list)"
        } else {
            "nothing on the tables of this plan"
        };
        checks.push(check(
            "metadata-locks",
            "Nobody holds the tables",
            METADATA_LOCKS,
            needs,
            "a holder delays the first DDL until its lock_wait_timeout",
        ));
    }
    let replicas = if flavor.at_least_mysql(8, 0, 22) { "SHOW REPLICAS" } else { "SHOW SLAVE HOSTS" };
    checks.push(check(
        "replicas",
        "Replicas are known, running and not behind; no long reader on them",
        replicas,
        "each replica that you expect; ask each for its lag and for its long transactions",
        "a DDL waits for readers on the replica too, and stops replication there meanwhile; no replica was rehearsed",
    ));
    checks.push(check(
        "running-backups",
        "No backup is running",
        "SELECT id, user, command, time, LEFT(info, 80) AS query FROM information_schema.processlist WHERE user LIKE '%backup%' OR info LIKE '%SQL_NO_CACHE%' OR info LIKE '%BACKUP STAGE%' OR info LIKE '%LOCK INSTANCE%' OR state LIKE '%backup%'",
        "nothing; and look at the hosts for mariabackup, xtrabackup, mysqldump",
        "DDL breaks a running backup, or waits for it",
    ));
    let known: Vec<(&str, &String)> =
        SETTINGS.iter().filter_map(|name| Some((*name, survey.server.settings.get(*name)?))).collect();
    if !known.is_empty() {
        let names: Vec<String> = known.iter().map(|(name, _)| quote_in(name)).collect();
        let values: Vec<String> = known
            .iter()
            .map(|(name, value)| format!("{name}={}", if value.is_empty() { "''" } else { value }))
            .collect();
        checks.push(check(
            "settings",
            "The settings are those that were rehearsed",
            &format!("SHOW GLOBAL VARIABLES WHERE variable_name IN ({})", names.join(", ")),
            &values.join(", "),
            "they decide what is locked and what is refused",
        ));
    }
    if !ours.is_empty() {
        let pairs: Vec<String> =
            ours.iter().map(|table| format!("({}, {})", quote_in(&table.database), quote_in(&table.table))).collect();
        checks.push(check("names-free", "The names of the kept tables are free", &format!("SELECT table_schema, table_name FROM information_schema.tables WHERE (table_schema, table_name) IN ({})", pairs.join(", ")), "nothing", "a table left by an earlier attempt would stop a backup"));
    }
    checks.push(check("privileges", "The account may do all of it", "SHOW GRANTS", "CREATE, DROP, ALTER, INSERT, SELECT, UPDATE, DELETE on the databases, CREATE ROUTINE and EXECUTE where a step makes a procedure", "a step that is refused half-way leaves the ones before it done"));
    checks
}

fn check(id: &str, title: &str, query: &str, expect: &str, why: &str) -> Check {
    Check {
        id: id.to_owned(),
        title: title.to_owned(),
        query: Some(query.to_owned()),
        command: None,
        expect: expect.to_owned(),
        why: why.to_owned(),
    }
}

fn tables_query<T>(tables: &BTreeMap<TableName, T>, columns: &str) -> String {
    let pairs: Vec<String> =
        tables.keys().map(|table| format!("({}, {})", quote_in(&table.database), quote_in(&table.table))).collect();
    if pairs.is_empty() {
        return "SELECT COUNT(*) FROM information_schema.tables".to_owned();
    }
    format!(
        "SELECT table_schema, {columns} FROM information_schema.tables WHERE (table_schema, table_name) IN ({})",
        pairs.join(", ")
    )
}

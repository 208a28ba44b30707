//! What to look at before the first step: each check with a query that a person can run. `rehearse verify` asks the same, and
//! compares definitions besides.

use std::collections::BTreeMap;

use super::demand::{Demand, LIMITS, Limited, Place, enlargement, rooms};
use super::guard::{METADATA_LOCKS, has_metadata_locks};
use super::meaning;
use super::record::{Backup, Check, Identity};
use super::shape::quote_in;
use crate::quantity;
use crate::server::flavor::Flavor;
use crate::sql::record::TableName;
use crate::survey::record::Survey;

/// What the checks are made from.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Vendor and version.
    pub flavor: Flavor,
    /// Production.
    pub survey: &'a Survey,
    /// What the plan is true for.
    pub identity: &'a Identity,
    /// What is kept.
    pub backups: &'a [Backup],
    /// What each step asks of the server.
    pub demands: &'a [Demand],
    /// Tables that the plan makes and keeps.
    pub ours: &'a [TableName],
}

/// The checks.
pub fn checks(subject: &Subject<'_>) -> Vec<Check> {
    let Subject { flavor, identity, ours, .. } = *subject;
    let mut checks = vec![
        check(
            "server",
            "This is the server that was rehearsed for",
            "SELECT VERSION(), @@hostname, @@port, @@read_only",
            &format!("{} (another patch of it at most), the host you mean, read_only 0", identity.version),
            "another version may choose another algorithm for the same ALTER",
        ),
        check(
            "schema",
            "The definitions are those that were rehearsed",
            &tables_query(&identity.rows, "table_name, engine, create_time, table_rows"),
            "no table is missing, none was altered since the survey (rehearse verify compares them)",
            "a column or index more or less changes what a statement does",
        ),
        check(
            "not-a-replica",
            "It replicates from nobody",
            replica_status(flavor),
            "no row",
            "what is written to a replica by hand makes it another than its primary",
        ),
    ];
    checks.extend(identity.rows.iter().map(|(table, band)| {
        check(
            &format!("rows-{table}"),
            &format!("{table} holds about as many rows as were rehearsed"),
            &format!(
                "SELECT table_rows FROM information_schema.tables WHERE table_schema = {} AND table_name = {}",
                quote_in(&table.database),
                quote_in(&table.table)
            ),
            &format!(
                "{} to {} (the server's own estimate may be off by a third; near the edges count)",
                quantity::grouped(band.low),
                quantity::grouped(band.high)
            ),
            "times and locks grow with the rows",
        )
    }));
    checks.push(disk(subject));
    checks.extend(limits(subject));
    checks.push(check(
        "long-transactions",
        "No long transaction is open",
        LONG_TRANSACTIONS,
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
    checks.extend(replicas(flavor));
    checks.push(check(
        "running-backups",
        "No backup is running",
        "SELECT id, user, command, time, LEFT(info, 80) AS query FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND (user LIKE '%backup%' OR info LIKE '%SQL_NO_CACHE%' OR info LIKE '%BACKUP STAGE%' OR info LIKE '%LOCK INSTANCE%' OR state LIKE '%backup%')",
        "nothing; and look at the hosts for mariabackup, xtrabackup, mysqldump",
        "DDL breaks a running backup, or waits for it",
    ));
    checks.extend(settings(subject));
    if !ours.is_empty() {
        let pairs: Vec<String> =
            ours.iter().map(|table| format!("({}, {})", quote_in(&table.database), quote_in(&table.table))).collect();
        checks.push(check(
            "names-free",
            "The names of the kept tables are free",
            &format!(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE (table_schema, table_name) IN ({})",
                pairs.join(", ")
            ),
            "nothing",
            "a table left by an earlier attempt would stop a backup",
        ));
    }
    checks.push(privileges(subject));
    checks
}

const LONG_TRANSACTIONS: &str = "SELECT trx_mysql_thread_id AS connection, trx_started, TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS seconds, LEFT(trx_query, 80) AS query FROM information_schema.innodb_trx ORDER BY trx_started LIMIT 20";

fn replica_status(flavor: Flavor) -> &'static str {
    if flavor.is_mariadb() {
        "SHOW ALL SLAVES STATUS"
    } else if flavor.at_least_mysql(8, 0, 22) {
        "SHOW REPLICA STATUS"
    } else {
        "SHOW SLAVE STATUS"
    }
}

/// Room by file system, at the highest.
fn disk(subject: &Subject<'_>) -> Check {
    let Subject { survey, identity, backups, demands, .. } = *subject;
    let rooms = rooms(demands, identity, backups, survey);
    let lines: Vec<String> = rooms
        .iter()
        .map(|room| {
            let place = match room.place {
                Place::Data => "datadir",
                Place::BinaryLog => "the binary log's directory",
                Place::Temporary => "tmpdir",
            };
            format!("{place}: {} free ({})", quantity::bytes(room.bytes), room.why.join(", "))
        })
        .collect();
    Check {
        command: Some("df -h DATADIR BINLOGDIR TMPDIR".to_owned()),
        ..check(
            "free-disk",
            "Each file system has room, here and on each replica",
            "SHOW GLOBAL VARIABLES WHERE variable_name IN ('datadir', 'log_bin_basename', 'tmpdir', 'innodb_tmpdir')",
            &format!(
                "{}; places on one file system add up (estimated from the survey and from what the sandbox wrote)",
                lines.join("; ")
            ),
            "a full disk in the middle of a change is worse than the change",
        )
    }
}

/// Limits that refuse what went well in the sandbox, where a step comes near to one that is known.
fn limits(subject: &Subject<'_>) -> Option<Check> {
    let Subject { identity, demands, .. } = *subject;
    let mut wanted: Vec<String> = Vec::new();
    for (of, variables) in [
        (Limited::Transaction, "max_binlog_cache_size, group_replication_transaction_size_limit, wsrep_max_ws_size"),
        (Limited::Statement, "max_allowed_packet"),
        (Limited::Seconds, "max_statement_time"),
    ] {
        let needed = |demand: &Demand| of.needed(demand, enlargement(demand, identity));
        let largest = demands.iter().map(|demand| (needed(demand), demand)).max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((needed, demand)) = largest.filter(|(needed, _)| *needed > 0.0) {
            wanted.push(format!("{variables}: more than {} ({})", of.words(needed), demand.step));
        }
    }
    if wanted.is_empty() {
        return None;
    }
    let names: Vec<String> = LIMITS.iter().map(|limit| quote_in(limit.variable)).collect();
    Some(check(
        "limits",
        "No limit of the server refuses a large transaction",
        &format!("SHOW GLOBAL VARIABLES WHERE variable_name IN ({})", names.join(", ")),
        &format!("{}; 0 stands for no limit", wanted.join("; ")),
        "a transaction that goes beyond fails at its end, and rolls back as long again",
    ))
}

/// Which replicas there are, and for each of them its lag and who reads there for long.
fn replicas(flavor: Flavor) -> [Check; 2] {
    let list = if flavor.at_least_mysql(8, 0, 22) { "SHOW REPLICAS" } else { "SHOW SLAVE HOSTS" };
    let client = if flavor.is_mariadb() { "mariadb" } else { "mysql" };
    let known = check(
        "replicas",
        "Replicas are known",
        list,
        "each replica that you expect, and no other",
        "what a step costs it costs on each replica again; none was rehearsed",
    );
    let status = replica_status(flavor);
    let each = Check {
        query: None,
        command: Some(format!("{client} -h REPLICA -e \"{status}\\G {LONG_TRANSACTIONS}; SHOW PROCESSLIST\"")),
        ..check(
            "replica-readers",
            "Each replica runs, is not behind, and nobody reads there for long",
            "",
            "both threads Yes, 0 seconds behind, no filter on the plan's tables, no transaction older than a few seconds, the version of this server (rehearse verify --replica DSN asks this)",
            "a DDL waits for readers on the replica too, and stops all replication there meanwhile",
        )
    };
    [known, each]
}

/// The settings that change what statements do: the query names those that are others now.
fn settings(subject: &Subject<'_>) -> Option<Check> {
    let Subject { flavor, survey, .. } = *subject;
    let known: Vec<(&str, &String)> =
        meaning::semantic().iter().filter_map(|name| Some((*name, survey.server.settings.get(*name)?))).collect();
    if known.is_empty() {
        return None;
    }
    let view =
        if flavor.is_mariadb() { "information_schema.global_variables" } else { "performance_schema.global_variables" };
    let others: Vec<String> = known
        .iter()
        .map(|(name, value)| format!("variable_name = {} AND variable_value <> {}", quote_in(name), quote_in(value)))
        .collect();
    let shown = |name: &str| {
        let (_, value) = known.iter().find(|(known, _)| *known == name)?;
        Some(format!("{name}={}", if value.is_empty() { "''" } else { value }))
    };
    let named: Vec<String> =
        ["sql_mode", "transaction_isolation", "gtid_mode", "binlog_format"].into_iter().filter_map(shown).collect();
    Some(check(
        "settings",
        "The settings are those that were rehearsed",
        &format!("SELECT variable_name, variable_value FROM {view} WHERE {}", others.join(" OR ")),
        &format!(
            "no row: {} are as they were rehearsed, among them {}",
            quantity::counted(known.len() as u64, "setting"),
            named.join(", ")
        ),
        "they decide what is locked and what is refused",
    ))
}

/// The account's privileges, for each step.
fn privileges(subject: &Subject<'_>) -> Check {
    let mut by_need: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for demand in subject.demands {
        for need in &demand.privileges {
            by_need.entry(need).or_default().push(&demand.step);
        }
    }
    // Steps that need the same stand together.
    let mut by_steps: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (need, steps) in by_need {
        by_steps.entry(steps).or_default().push(need);
    }
    let lines: Vec<String> = by_steps
        .iter()
        .map(|(steps, needs)| {
            let few: Vec<&str> = steps.iter().take(3).copied().collect();
            let more = if steps.len() > 3 { format!(" and {} more", steps.len() - 3) } else { String::new() };
            format!("{}{more}: {}", few.join(", "), needs.join(", "))
        })
        .collect();
    let expect = if lines.is_empty() { "SELECT on the databases".to_owned() } else { lines.join("; ") };
    check(
        "privileges",
        "The account may do all of it",
        "SHOW GRANTS",
        &expect,
        "a step that is refused half-way leaves the ones before it done",
    )
}

fn check(id: &str, title: &str, query: &str, expect: &str, why: &str) -> Check {
    Check {
        id: id.to_owned(),
        title: title.to_owned(),
        query: Some(query.to_owned()).filter(|query| !query.is_empty()),
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

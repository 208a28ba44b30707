//! The server itself: who it is, how it is set up, which transactions stay open.

use std::collections::BTreeMap;

use anyhow::Result;

use super::answer::Cells;
use super::ask::{Gaps, ask};
use super::record::{LongTransaction, ServerFacts};
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;

/// From how many seconds on an open transaction counts as long.
const LONG_SECONDS: u64 = 5;

/// Variables whose values are secrets: never read into a file.
const SECRET: [&str; 3] = ["report_password", "wsrep_sst_auth", "master_password"];

/// Reads the server's identity, global variables, plugins and long transactions.
///
/// # Errors
/// When the connection is lost.
pub fn read(reader: &mut ReadOnly, flavor: Flavor, version: String, gaps: &mut Gaps) -> Result<ServerFacts> {
    let settings: BTreeMap<String, String> = ask(reader, "SHOW GLOBAL VARIABLES", "the server's settings", gaps)?
        .iter()
        .map(|row| (row.text(0), row.text(1)))
        .filter(|(name, _)| !SECRET.contains(&name.as_str()))
        .collect();
    // MariaDB's server_uid (10.10 and later) lives in the data directory as MySQL's auto.cnf does.
    let uuid = ["server_uuid", "server_uid"].iter().find_map(|name| settings.get(*name)).cloned();
    let host = match (settings.get("hostname"), settings.get("port")) {
        (Some(host), Some(port)) => Some(format!("{host}:{port}")),
        _ => None,
    };
    let long_transactions = long_transactions(reader, gaps)?;
    let plugins = plugins(reader, flavor, gaps)?;
    Ok(ServerFacts { flavor, version, uuid, host, settings, long_transactions, plugins })
}

fn long_transactions(reader: &mut ReadOnly, gaps: &mut Gaps) -> Result<Vec<LongTransaction>> {
    // `trx_started` is in the server's own time, not in UTC (manual).
    let system_time = reader.set("time_zone", "'SYSTEM'");
    let sql = format!(
        "SELECT t.trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), p.USER, p.COMMAND, p.STATE, p.TIME \
         FROM information_schema.INNODB_TRX t LEFT JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id \
         WHERE t.trx_started <= NOW() - INTERVAL {LONG_SECONDS} SECOND AND t.trx_mysql_thread_id <> CONNECTION_ID() \
         ORDER BY t.trx_started, t.trx_mysql_thread_id"
    );
    let rows = match system_time {
        Ok(()) => ask(reader, &sql, "open transactions (they need the PROCESS privilege)", gaps)?,
        Err(fault) => {
            gaps.push(format!("open transactions could not be read: {fault}"));
            Vec::new()
        }
    };
    if let Err(fault) = reader.set("time_zone", "'+00:00'") {
        gaps.push(format!("times are in the server's own zone: {fault}"));
    }
    Ok(rows.iter().map(long_transaction).collect())
}

fn long_transaction(row: &Cells) -> LongTransaction {
    let mut state = row.text(3);
    if let Some(detail) = row.maybe(4).filter(|detail| !detail.is_empty()) {
        state = format!("{state}, {detail}");
    }
    if let Some(seconds) = row.number(5).filter(|_| row.text(3) == "Sleep") {
        state = format!("{state} for {seconds} s");
    }
    LongTransaction {
        connection: row.number(0).unwrap_or_default(),
        seconds: row.number(1).unwrap_or_default(),
        user: row.text(2),
        state,
    }
}

/// Plugins that come from a library (built-in ones are the version's own) and components.
fn plugins(reader: &mut ReadOnly, flavor: Flavor, gaps: &mut Gaps) -> Result<Vec<String>> {
    let sql = "SELECT PLUGIN_NAME FROM information_schema.PLUGINS \
               WHERE PLUGIN_STATUS = 'ACTIVE' AND PLUGIN_LIBRARY IS NOT NULL ORDER BY PLUGIN_NAME";
    let mut names: Vec<String> = ask(reader, sql, "plugins", gaps)?.iter().map(|row| row.text(0)).collect();
    if flavor.at_least_mysql(8, 0, 0) {
        let sql = "SELECT component_urn FROM mysql.component ORDER BY component_urn";
        let components = ask(reader, sql, "installed components (mysql.component)", gaps)?;
        names.extend(components.iter().map(|row| row.text(0)));
    }
    Ok(names)
}

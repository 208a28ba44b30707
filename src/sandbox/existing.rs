//! A server that is there already, and must prove that it is disposable before anything is written to it.
//!
//! The proof is a marker that only a person makes, and that nothing on the server looks like somebody's: no schema of
//! others, no replica, no channel, no other session, and not production itself. Any one missing, and it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::applied;
use super::instance::{Fill, Instance};
use super::settings::Carried;
use crate::server::address::Address;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::role::{Role, Roster};
use crate::server::session::{ReadOnly, read_only};
use crate::sql::record::quote_identifier;
pub use crate::survey::catalog::MARKER;

/// The least length of its nonce.
const NONCE: usize = 8;
/// How long a session of others may take to be gone, before it is taken for somebody's: a busy machine needs a second or two.
const PARTING: Duration = Duration::from_secs(5);
/// Schemas that every server has.
const OWN: &[&str] = &["mysql", "information_schema", "performance_schema", "sys", MARKER];

/// Why a server is not taken for disposable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDisposable {
    /// The server.
    pub server: String,
    /// Every condition that does not hold.
    pub reasons: Vec<String>,
}

impl fmt::Display for NotDisposable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not prove that it is disposable, so nothing was written to it:", self.server)?;
        self.reasons.iter().try_for_each(|reason| write!(f, "\n  - {reason}"))
    }
}

impl std::error::Error for NotDisposable {}

/// Connects to a server and has it prove that it is disposable. `production` are the global variables of the server
/// that the rehearsal is about.
///
/// # Errors
/// [`NotDisposable`] with every reason; or when it does not answer, or is not of the flavour asked for.
pub(super) fn prove(
    address: &Address,
    wanted: Option<&Flavor>,
    production: &BTreeMap<String, String>,
) -> Result<Instance> {
    let mut session = read_only(address, Role::Keeper)?;
    let version: Option<String> = session.first("SELECT VERSION()").with_context(|| format!("cannot ask {address}"))?;
    let version = version.with_context(|| format!("{address} does not say its version"))?;
    let flavor = Flavor::from_version_string(&version)?;
    let reasons = reasons(&mut session, flavor, production).with_context(|| format!("cannot examine {address}"))?;
    if !reasons.is_empty() {
        return Err(NotDisposable { server: address.to_string(), reasons }.into());
    }
    if let Some(wanted) = wanted
        && !flavor.serves(wanted)
    {
        bail!("{address} is {flavor}, not {wanted}");
    }
    let roster = Roster::default();
    Ok(Instance { address: address.clone(), flavor, version, roster, data: None, log: None, process: None })
}

fn reasons(
    session: &mut ReadOnly,
    flavor: Flavor,
    production: &BTreeMap<String, String>,
) -> Result<Vec<String>, Fault> {
    let mut reasons = Vec::new();
    if let Some(reason) = marker(session)? {
        reasons.push(reason);
    }
    let strangers = strangers(session)?;
    if !strangers.is_empty() {
        reasons.push(format!("it holds databases that are not ours: {}", strangers.join(", ")));
    }
    let (channels, replicas) = if flavor.is_mariadb() {
        ("SHOW ALL SLAVES STATUS", "SHOW SLAVE HOSTS")
    } else if flavor.at_least_mysql(8, 0, 22) {
        ("SHOW REPLICA STATUS", "SHOW REPLICAS")
    } else {
        ("SHOW SLAVE STATUS", "SHOW SLAVE HOSTS")
    };
    // What cannot be asked is not known, and what is not known is a reason.
    match session.rows::<mysql::Row>(channels) {
        Ok(rows) if rows.is_empty() => {}
        Ok(rows) => reasons.push(format!("it is a replica: {} channel(s) are configured", rows.len())),
        Err(fault) => reasons.push(format!("it does not say whether it is a replica: {fault}")),
    }
    match session.rows::<mysql::Row>(replicas) {
        Ok(rows) if rows.is_empty() => {}
        Ok(rows) => reasons.push(format!("it has {} replica(s)", rows.len())),
        Err(fault) => reasons.push(format!("it does not say whether it has replicas: {fault}")),
    }
    if variable(session, "wsrep_on")?.is_some_and(|value| value == "ON") {
        reasons.push("it is a node of a Galera cluster".to_owned());
    }
    if variable(session, "group_replication_group_name")?.is_some_and(|value| !value.is_empty()) {
        reasons.push("it is a member of a replication group".to_owned());
    }
    let who = others(session)?;
    if !who.is_empty() {
        let who: Vec<String> = who.into_iter().take(5).collect();
        reasons.push(format!("others are connected to it: {}", who.join(", ")));
    }
    if let Some(grant) = blind(session)? {
        reasons.push(grant);
    }
    if let Some(reason) = is_production(session, production)? {
        reasons.push(reason);
    }
    Ok(reasons)
}

/// Who else is connected, as `user@host`. A session that has just ended stands in the list until its thread is gone, the
/// last rehearsal's own among them: what counts is who stays, or comes anew.
fn others(session: &mut ReadOnly) -> Result<BTreeSet<String>, Fault> {
    let until = Instant::now() + PARTING;
    let mut parting: Option<BTreeSet<u64>> = None;
    loop {
        let others: Vec<(u64, String, String)> = session.rows(
            "SELECT id, user, COALESCE(host, '') FROM information_schema.processlist WHERE id <> CONNECTION_ID() \
             AND command <> 'Daemon' AND user NOT IN ('system user', 'event_scheduler', 'mysql.session', 'unauthenticated user')",
        )?;
        let ids = others.iter().map(|(id, ..)| *id).collect::<BTreeSet<_>>();
        let came = !ids.is_subset(parting.get_or_insert_with(|| ids.clone()));
        if ids.is_empty() || came || Instant::now() >= until {
            return Ok(others.into_iter().map(|(_, user, host)| format!("{user}@{host}")).collect());
        }
        std::thread::sleep(PARTING / 20);
    }
}

/// The marker database must hold a table `nonce` with one non-trivial value.
fn marker(session: &mut ReadOnly) -> Result<Option<String>, Fault> {
    let how = format!(
        "Make the mark by hand, on a server whose data nobody needs: CREATE DATABASE {MARKER}; CREATE TABLE {MARKER}.nonce \
         (nonce VARCHAR(64)); INSERT INTO {MARKER}.nonce VALUES (UUID());"
    );
    match session.rows::<Option<String>>(&format!("SELECT nonce FROM {MARKER}.nonce")) {
        Ok(rows) if rows.iter().flatten().any(|nonce| nonce.trim().len() >= NONCE) => Ok(None),
        Ok(_) => Ok(Some(format!("its table {MARKER}.nonce holds no value of {NONCE} characters or more. {how}"))),
        // No such database, table or column, or none that we may read.
        Err(fault) if matches!(fault.number, 1049 | 1054 | 1142 | 1044 | 1146) => {
            Ok(Some(format!("it has no marker {MARKER}.nonce. {how}")))
        }
        Err(fault) => Err(fault),
    }
}

/// Databases that neither the server nor an earlier rehearsal made.
fn strangers(session: &mut ReadOnly) -> Result<Vec<String>, Fault> {
    let ours: BTreeSet<String> = match session.rows(&format!("SELECT name FROM {MARKER}.ours")) {
        Ok(names) => names.into_iter().collect(),
        Err(fault) if fault.is_connection_lost() => return Err(fault),
        Err(_) => BTreeSet::new(),
    };
    let all = databases(session)?;
    Ok(all.into_iter().filter(|name| !ours.contains(name)).collect())
}

/// Drops what earlier rehearsals made: it would be read as a part of production.
fn drop_ours(instance: &Instance) -> Result<()> {
    // Before the first one there is no list.
    let ours =
        instance.reader(Role::Keeper)?.rows::<String>(&format!("SELECT name FROM {MARKER}.ours")).unwrap_or_default();
    let mut session = instance.writer(Role::Keeper)?;
    for name in ours {
        session.execute(&format!("DROP DATABASE IF EXISTS {}", quote_identifier(&name)))?;
    }
    Ok(())
}

fn databases(session: &mut ReadOnly) -> Result<Vec<String>, Fault> {
    let mut all: Vec<String> = session.rows("SELECT schema_name FROM information_schema.schemata")?;
    all.retain(|name| !OWN.iter().any(|own| own.eq_ignore_ascii_case(name)));
    all.sort();
    Ok(all)
}

/// An account without PROCESS or SHOW DATABASES sees only its own: its "nobody else" proves nothing.
fn blind(session: &mut ReadOnly) -> Result<Option<String>, Fault> {
    let grants: Vec<String> = session.rows("SHOW GRANTS")?;
    let global = grants.iter().filter(|grant| grant.contains(" ON *.* "));
    let held: BTreeSet<String> = global
        .filter_map(|grant| Some(grant.strip_prefix("GRANT ")?.split_once(" ON *.* ")?.0.to_owned()))
        .flat_map(|list| list.split(", ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let sees = held.contains("ALL PRIVILEGES") || (held.contains("PROCESS") && held.contains("SHOW DATABASES"));
    Ok((!sees)
        .then(|| "our account may not see everybody's sessions and databases (PROCESS, SHOW DATABASES)".to_owned()))
}

/// The server's identity against production's: the uuid where there is one, else host name, port and data directory.
fn is_production(session: &mut ReadOnly, production: &BTreeMap<String, String>) -> Result<Option<String>, Fault> {
    for name in ["server_uuid", "server_uid"] {
        if let Some(theirs) = production.get(name).filter(|value| !value.is_empty()) {
            let same = variable(session, name)?.is_some_and(|ours| ours == *theirs);
            return Ok(same.then(|| format!("it is the surveyed server itself: the same {name}")));
        }
    }
    let mut known = 0;
    for name in ["hostname", "port", "datadir"] {
        if let Some(theirs) = production.get(name) {
            known += 1;
            if variable(session, name)?.is_none_or(|ours| ours != *theirs) {
                return Ok(None);
            }
        }
    }
    Ok((known > 1).then(|| "it is the surveyed server itself: the same host name, port and data directory".to_owned()))
}

fn variable(session: &mut ReadOnly, name: &str) -> Result<Option<String>, Fault> {
    let row: Option<(String, String)> =
        session.first(&format!("SHOW GLOBAL VARIABLES WHERE variable_name = '{name}'"))?;
    Ok(row.map(|(_, value)| value))
}

/// Fills the server, and notes which databases are ours, so that the next run knows them; also when `fill` fails.
pub(super) fn fill(instance: &Instance, fill: &mut Fill<'_>) -> Result<Vec<String>> {
    drop_ours(instance).context("cannot drop what an earlier rehearsal made")?;
    let filled = fill(instance);
    let noted = note_ours(instance).with_context(|| format!("cannot note our databases in {MARKER}.ours"));
    filled.and_then(|notes| noted.map(|()| notes))
}

fn note_ours(instance: &Instance) -> Result<()> {
    let all = databases(&mut instance.reader(Role::Keeper)?)?;
    let mut session = instance.writer(Role::Keeper)?;
    session.execute(&format!("CREATE TABLE IF NOT EXISTS {MARKER}.ours (name VARCHAR(64) NOT NULL PRIMARY KEY)"))?;
    for name in all {
        session.execute(&format!(
            "INSERT IGNORE INTO {MARKER}.ours VALUES ('{}')",
            name.replace('\\', "\\\\").replace('\'', "''")
        ))?;
    }
    Ok(())
}

/// Sets what a sandbox must have and a running server lets us set; the rest is told.
pub(super) fn settle(instance: &Instance, carried: &mut Carried) -> Result<()> {
    let forced = [("event_scheduler", "OFF"), ("local_infile", "ON")];
    carried.running.extend(forced.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // Given at start only, or clamped to a machine that is not this one: compared, never claimed.
    let refused = applied::set(instance, carried)?;
    carried.clamped.clear();
    applied::judge(instance, carried, refused)?;
    for (name, _) in forced {
        carried.running.remove(name);
    }
    Ok(())
}

//! Replicas: those that are connected, and those that were named; how far they are behind, and who reads on them.

use std::time::Duration;

use anyhow::Result;

use super::super::channel::{Channel, channels};
use super::Options;
use super::ground::Ground;
use super::verdict::{Found, Severity};
use crate::server::address::Address;
use crate::server::flavor::Flavor;
use crate::server::role::{Role, Roster};
use crate::server::session::ReadOnly;
use crate::survey::answer::Cells;
use crate::survey::now;
use crate::survey::rights::{Held, On};

const CHECK: &str = "replicas";

/// Seconds that a replica may be behind before the first step.
const MOST_LAG: u64 = 10;

pub(super) fn look(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    let connected = connected(ground, reader, found)?;
    let own = own_id(reader, ground.now.server.flavor)?;
    let mut direct = 0;
    for address in &ground.options.replicas {
        direct += usize::from(named(ground, address, ground.options, &own, found)?);
    }
    let missing = connected.saturating_sub(direct);
    if missing > 0 {
        found.unchecked(
            CHECK,
            "replicas",
            format!("{connected} connected, {} of them named with --replica", connected - missing),
            "name each with --replica DSN, or ask each for its lag and for long readers: they hold up a DDL there, and replication behind it",
        );
    } else if connected == 0
        && ground.options.replicas.is_empty()
        && !found.reasons.iter().any(|one| one.check == CHECK)
    {
        found.fine("no replica is connected");
    }
    Ok(())
}

/// What this server's replicas know it by.
fn own_id(reader: &mut ReadOnly, flavor: Flavor) -> Result<String> {
    let sql = if flavor.is_mariadb() { "SELECT CAST(@@server_id AS CHAR)" } else { "SELECT @@server_uuid" };
    Ok(reader.first::<(String,)>(sql)?.map(|(id,)| id).unwrap_or_default())
}

/// How many replicas read this server's binary log now.
fn connected(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<usize> {
    if ground.now.rights.held("PROCESS", On::Server) == Held::No {
        let next = "give the account PROCESS, or look with SHOW REPLICAS which there are";
        found.unchecked(CHECK, "connected replicas", "this account sees its own sessions only", next);
        return Ok(0);
    }
    let sql = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'";
    match reader.first::<Cells>(sql) {
        Ok(row) => Ok(row.and_then(|row| row.number(0)).unwrap_or_default() as usize),
        Err(fault) if fault.is_connection_lost() => Err(fault.into()),
        Err(fault) => {
            let name = ground.now.server.host.clone().unwrap_or_default();
            found.unchecked(
                CHECK,
                format!("replicas of {name}"),
                fault.to_string(),
                "look with SHOW REPLICAS which there are",
            );
            Ok(0)
        }
    }
}

/// Looks at a replica that a person named; whether it replicates from this server itself.
fn named(ground: &Ground<'_>, address: &Address, options: &Options, own_id: &str, found: &mut Found) -> Result<bool> {
    let object = format!("replica {address}");
    let mut reader = match ReadOnly::open(address, Role::Surveyor, &Roster::default(), Duration::from_secs(10)) {
        Ok(reader) => reader,
        Err(fault) => {
            found.unchecked(
                CHECK,
                object,
                fault.to_string(),
                "look at it by hand, or name an account that may log in there",
            );
            return Ok(false);
        }
    };
    let mut direct = false;
    let before = found.reasons.len();
    let there = now::read(&mut reader, &Default::default(), &Default::default())?;
    let (own, primary) = (there.server.flavor, ground.now.server.flavor);
    if (own.vendor, own.major, own.minor) != (primary.vendor, primary.major, primary.minor) {
        let next = "rehearse on its version too: it carries each statement out by its own rules";
        found.add(Severity::Warn, CHECK, object.as_str(), format!("it is {own}"), primary.to_string(), next);
    }
    match channels(&mut reader, own)? {
        Ok(channels) if channels.is_empty() => {
            found.add(
                Severity::Refuse,
                CHECK,
                object.as_str(),
                "it replicates from nobody",
                "a replica",
                "name the right server",
            );
        }
        Ok(channels) => {
            direct = channels.iter().any(|channel| channel.source_id == own_id);
            if !direct && channels.iter().all(|channel| !channel.source_id.is_empty()) {
                let sources: Vec<&str> = channels.iter().map(|channel| channel.source.as_str()).collect();
                found.add(
                    Severity::Warn,
                    CHECK,
                    object.as_str(),
                    format!("it replicates from {}, not from this server itself", sources.join(", ")),
                    "a replica of this server",
                    "right when that one is a replica of this server; else name the right one",
                );
            }
            channels.iter().for_each(|channel| judge(ground, &object, channel, found));
        }
        Err(why) => found.unchecked(
            CHECK,
            object.as_str(),
            why,
            "give the account REPLICATION CLIENT (MariaDB: REPLICA MONITOR)",
        ),
    }
    for open in there.server.long_transactions.iter().filter(|open| open.seconds >= options.long_seconds) {
        found.add(
            Severity::Refuse,
            CHECK,
            object.as_str(),
            format!(
                "connection {} ({}) has a transaction open for {} s: {}",
                open.connection, open.user, open.seconds, open.state
            ),
            "no long reader",
            "end it: a DDL that arrives here waits for it, and all replication behind the DDL",
        );
    }
    if found.reasons.len() == before {
        found.fine(format!("{object} is not behind, and nobody reads there for long"));
    }
    Ok(direct)
}

fn judge(ground: &Ground<'_>, object: &str, channel: &Channel, found: &mut Found) {
    if !channel.runs {
        let seen = if channel.error.is_empty() { "replication is stopped".to_owned() } else { channel.error.clone() };
        found.add(
            Severity::Refuse,
            CHECK,
            object,
            seen,
            "replication that runs",
            "mend it first: START REPLICA, or take it out",
        );
        return;
    }
    match channel.lag {
        _ if channel.delay > 0 => found.add(
            Severity::Warn,
            CHECK,
            object,
            format!("it stays {} s behind on purpose", channel.delay),
            "",
            "it is a backup until then: note the time of the first step",
        ),
        Some(lag) if lag > MOST_LAG => found.add(
            Severity::Refuse,
            CHECK,
            object,
            format!("it is {lag} s behind"),
            format!("at most {MOST_LAG} s"),
            "wait until it has caught up: each step adds to its lag",
        ),
        Some(_) => {}
        None => found.unchecked(CHECK, object, "it does not say how far it is behind", "look with SHOW REPLICA STATUS"),
    }
    let renamed: Vec<String> = ground
        .sent
        .iter()
        .flat_map(|sent| sent.statement.reading.effect.renames.values())
        .map(ToString::to_string)
        .collect();
    for filter in &channel.filters {
        let also =
            if renamed.is_empty() { String::new() } else { format!(" (the plan renames to {})", renamed.join(", ")) };
        let next =
            "look whether the filter lets through what the plan makes and renames; else this replica becomes another";
        found.add(Severity::Warn, CHECK, object, format!("{filter}{also}"), "no filter", next);
    }
}

//! The server itself: the version and the settings that were rehearsed, and one that may be written to.

use std::collections::BTreeMap;

use anyhow::Result;

use super::ground::Ground;
use super::verdict::{Found, Severity};
use crate::plan::meaning::{self, Meaning};
use crate::sandbox::same;
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;
use crate::survey::answer::Cells;

pub(super) fn look(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    version(ground, found);
    settings(ground, found);
    writable(ground, found);
    replica(ground, reader, found)
}

fn version(ground: &Ground<'_>, found: &mut Found) {
    let (wanted, seen) = (ground.plan.identity.flavor, ground.now.server.flavor);
    let words = |flavor: Flavor, version: &str| {
        if version.is_empty() { flavor.to_string() } else { format!("{flavor} ({version})") }
    };
    let now = words(seen, &ground.now.server.version);
    let rehearsed = words(wanted, &ground.plan.identity.version);
    if (wanted.vendor, wanted.major, wanted.minor) != (seen.vendor, seen.major, seen.minor) {
        let next = "rehearse on this version: rehearse run --server VENDOR:VERSION; another version may choose another algorithm and other locks";
        found.add(Severity::Refuse, "server", "version", now, rehearsed, next);
    } else if wanted.patch.is_some() && wanted.patch != seen.patch {
        let next = "read the release notes between the two for what they say of ALTER TABLE and of locks";
        found.add(Severity::Warn, "server", "version", now, rehearsed, next);
    } else {
        found.fine(format!("the server is {now}"));
    }
}

fn settings(ground: &Ground<'_>, found: &mut Found) {
    let rehearsed = plain(&ground.survey.server.settings);
    let now = plain(&ground.now.server.settings);
    if rehearsed.is_empty() || now.is_empty() {
        found.unchecked(
            "settings",
            "settings",
            "no settings are known",
            "compare sql_mode and transaction_isolation by hand",
        );
        return;
    }
    let before = found.reasons.len();
    let (mut compared, mut slower) = (0_u64, Vec::new());
    for (name, was) in &rehearsed {
        let Some(meaning) = meaning::of(name) else { continue };
        let object = format!("setting {name}");
        match (now.get(name), meaning) {
            (Some(is), _) if same(is, was) => compared += 1,
            (is, Meaning::Semantic) => {
                let seen = is.map_or_else(|| "this server has no such setting".to_owned(), |is| shown(is));
                let next = "set it back, or survey and rehearse again: it changes what statements do";
                found.add(Severity::Refuse, "settings", object.as_str(), seen, shown(was), next);
            }
            (Some(is), Meaning::Speed) => slower.push(format!("{name} {} instead of {}", shown(is), shown(was))),
            (None, Meaning::Speed) => {}
        }
        if let Some(why) = ground.plan.identity.not_carried.get(*name).filter(|_| meaning == Meaning::Semantic) {
            let seen = format!("{}, and the sandbox did without it: {why}", shown(was));
            let next = "decide by the manual whether the upgrade depends on it";
            found.add(Severity::Warn, "settings", object, seen, "another value", next);
        }
    }
    if !slower.is_empty() {
        let next = "times and waits may be others than those of the rehearsal";
        found.add(Severity::Warn, "settings", "settings of speed", slower.join(", "), "", next);
    }
    if found.reasons.len() == before {
        found.fine(format!("{compared} settings of meaning are those that were rehearsed"));
    }
}

/// The settings by the name that newer servers have.
fn plain(settings: &BTreeMap<String, String>) -> BTreeMap<&str, &String> {
    let name = |name: &'_ str| if name == "tx_isolation" { "transaction_isolation" } else { name }.to_owned();
    settings
        .iter()
        .map(|(own, value)| (if name(own) == *own { own.as_str() } else { "transaction_isolation" }, value))
        .collect()
}

fn shown(value: &str) -> String {
    if value.is_empty() { "empty".to_owned() } else { value.to_owned() }
}

fn on(ground: &Ground<'_>, name: &str) -> bool {
    ground.now.server.settings.get(name).is_some_and(|value| same(value, "ON"))
}

fn writable(ground: &Ground<'_>, found: &mut Found) {
    for name in ["read_only", "super_read_only", "innodb_read_only", "offline_mode", "transaction_read_only"] {
        // MariaDB 12 has more values than ON and OFF.
        if let Some(value) = ground.now.server.settings.get(name).filter(|value| !same(value, "OFF")) {
            let next = "carry the plan out on the primary; on this server nobody should write";
            found.add(Severity::Refuse, "server", format!("setting {name}"), value.as_str(), "OFF", next);
        }
    }
    for name in ["event_scheduler"] {
        if on(ground, name) {
            let next = "see SHOW EVENTS: events change data beside the plan, and the sandbox ran none";
            found.add(Severity::Warn, "server", format!("setting {name}"), "ON", "OFF in the sandbox", next);
        }
    }
}

/// A server that itself replicates from another is no place for a plan.
fn replica(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    match super::super::channel::channels(reader, ground.now.server.flavor)? {
        Ok(channels) => {
            for channel in channels {
                let name = if channel.name.is_empty() {
                    "replication".to_owned()
                } else {
                    format!("channel {}", channel.name)
                };
                let next = "carry the plan out on the primary: what is written here by hand makes this replica another";
                found.add(
                    Severity::Refuse,
                    "server",
                    name,
                    format!("it replicates from {}", channel.source),
                    "a primary",
                    next,
                );
            }
        }
        Err(why) => {
            found.unchecked("server", "replication", why, "look with SHOW REPLICA STATUS that this is the primary")
        }
    }
    let members = "SELECT MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@server_uuid";
    if ground.now.server.plugins.iter().any(|plugin| plugin == "group_replication")
        && let Ok(rows) = reader.rows::<Cells>(members)
    {
        for row in rows.iter().filter(|row| row.text(1) == "SECONDARY") {
            let next = "carry the plan out on the group's primary";
            found.add(
                Severity::Refuse,
                "server",
                "group replication",
                format!("{} {}", row.text(0), row.text(1)),
                "a primary",
                next,
            );
        }
    }
    let cluster = ground.now.server.settings.get("wsrep_on").is_some_and(|value| same(value, "ON"));
    if cluster {
        let next = "a DDL runs on all nodes at once and blocks the whole cluster (TOI): plan it so, it was rehearsed on one server";
        found.add(Severity::Warn, "server", "cluster", "this is a node of a Galera cluster", "one server", next);
    }
    Ok(())
}

//! The option file of a sandbox's server: production's settings first, and last what is forced whatever they say.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use super::launch::Launch;
use super::settings::Carried;
use crate::server::flavor::Flavor;

/// Writes the option file.
pub(super) fn write(launch: &Launch, carried: &Carried, flavor: Option<&Flavor>) -> Result<()> {
    let path = launch.config();
    fs::write(&path, render(launch, carried, flavor)).with_context(|| format!("cannot write {}", path.display()))
}

fn render(launch: &Launch, carried: &Carried, flavor: Option<&Flavor>) -> String {
    let mut text = String::from("# Written by rehearse for one sandbox.\n[mysqld]\n");
    for (name, value) in &carried.at_start {
        match (name.as_str(), value.to_ascii_uppercase().as_str()) {
            ("log_bin", "OFF" | "0") => text.push_str("loose_skip_log_bin\n"),
            ("log_bin", _) => text.push_str("log_bin = binlog\n"),
            // Unknown to this version: a warning in its log, not the end; found out and told afterwards.
            _ => line(&mut text, &format!("loose_{name}"), value),
        }
    }
    text.push_str("\n# Forced.\n");
    for (name, value) in forced(launch) {
        line(&mut text, name, &value);
    }
    for (name, value) in FORCED {
        line(&mut text, name, value);
    }
    if flavor.is_none_or(|flavor| !flavor.is_mariadb()) {
        line(&mut text, "loose_mysqlx", "0");
        line(&mut text, "loose_disabled_storage_engines", "FEDERATED");
    }
    text
}

/// The sandbox's own paths and identity.
fn forced(launch: &Launch) -> Vec<(&'static str, String)> {
    let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    vec![
        ("datadir", text(launch.data())),
        ("socket", text(launch.socket())),
        ("pid_file", text(launch.process_file())),
        ("log_error", text(launch.log())),
        ("tmpdir", text(launch.temporary())),
        ("server_id", (rand::random::<u32>() / 2 + 1).to_string()),
    ]
}

/// Forced on every sandbox.
const FORCED: &[(&str, &str)] = &[
    // No way out, and nothing that acts by itself.
    ("skip_networking", "ON"),
    ("skip_name_resolve", "ON"),
    ("event_scheduler", "OFF"),
    ("loose_skip_replica_start", "ON"),
    ("loose_skip_slave_start", "ON"),
    ("loose_federated", "OFF"),
    ("read_only", "OFF"),
    ("loose_symbolic_links", "OFF"),
    ("secure_file_priv", ""),
    // Refused in a container without capabilities, and each refusal is a line in the log.
    ("loose_innodb_numa_interleave", "OFF"),
    // Seeding sends rows from here; runs must give the same values twice.
    ("local_infile", "ON"),
    ("sysdate_is_now", "ON"),
    // A warm buffer pool at every start: all of it, not the default quarter (measured on both vendors).
    ("innodb_buffer_pool_dump_pct", "100"),
    ("innodb_buffer_pool_dump_at_shutdown", "ON"),
    ("innodb_buffer_pool_load_at_startup", "ON"),
    // What the watchers read; off by default on MariaDB. Stages are switched on one by one, before an experiment: with all
    // of them on, the probes' own push a long ALTER's out of the history before it ends.
    ("performance_schema", "ON"),
    ("performance_schema_instrument", "wait/lock/metadata/sql/mdl=ON"),
];

fn line(text: &mut String, name: &str, value: &str) {
    let mut quoted = String::with_capacity(value.len() + 2);
    for letter in value.chars() {
        match letter {
            '\\' | '"' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    let _infallible = writeln!(text, "{name} = \"{quoted}\"");
}

#[cfg(test)]
mod tests {
    use super::super::launch::Owner;
    use super::*;

    #[test]
    fn what_is_forced_comes_after_what_is_carried() {
        let launch = Launch {
            root: "/r".into(),
            sockets: "/s".into(),
            lease: "/l".into(),
            owner: Owner { uid: 1, gid: 1 },
            names: ["mysqld", "mariadbd"],
            time_zone: None,
        };
        let mut carried = Carried::default();
        carried.at_start.insert("event_scheduler".into(), "ON".into());
        carried.at_start.insert("log_bin".into(), "OFF".into());
        carried.at_start.insert("innodb_x".into(), "a\"b\\".into());
        let text = render(&launch, &carried, None);
        let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("no {needle} in {text}"));
        assert!(at("loose_event_scheduler = \"ON\"") < at("\nevent_scheduler = \"OFF\""));
        assert!(text.contains("loose_skip_log_bin\n") && text.contains("loose_innodb_x = \"a\\\"b\\\\\"\n"));
        assert!(at("socket = \"/s/mysql.sock\"") > at("# Forced."));
    }
}

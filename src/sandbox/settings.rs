//! Which of production's settings a sandbox takes over, which it must not, and what it is given whatever they say.
//!
//! The lists follow what changes a verdict (carried as they are), what changes speed (carried, clamped to the machine),
//! and what could reach or break something outside (never). Nothing is dropped in silence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lists::{AT_START, COUNTS, NEVER, QUIETLY_NEVER, RUNNING, SESSION_SIZES, SHAPES, SIZES};

/// A setting of production's that the sandbox does not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotCarried {
    /// The variable.
    pub name: String,
    /// Production's value.
    pub value: String,
    /// Why the sandbox does without it.
    pub why: String,
}

/// A setting of production's that the sandbox has with another value, to fit this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Clamped {
    /// The variable.
    pub name: String,
    /// Production's value.
    pub wanted: String,
    /// The sandbox's.
    pub given: String,
    /// Why.
    pub why: String,
}

/// What is known of the machine that the sandbox runs on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// All memory, in bytes.
    pub memory: u64,
}

impl Machine {
    /// Asks `/proc/meminfo`; 2 GiB are assumed where it does not say.
    pub(super) fn here() -> Self {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
        let kilobytes = kilobytes.and_then(|number| number.trim().parse::<u64>().ok());
        Self { memory: kilobytes.map_or(2 << 30, |number| number * 1024) }
    }

    /// The most that the buffer pool gets: 30 % of memory, 4 GiB at most.
    fn largest_pool(self) -> u64 {
        (self.memory / 10 * 3).clamp(128 << 20, 4 << 30) >> 20 << 20
    }
}

/// What becomes of production's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// Given in the option file, because they are read at start only (or when the data directory is made).
    pub at_start: BTreeMap<String, String>,
    /// Set on the running server, where a value that this version refuses stops nothing.
    pub running: BTreeMap<String, String>,
    /// The server's time zone, as `TZ`.
    pub time_zone: Option<String>,
    /// Left out, each with its reason.
    pub not_carried: Vec<NotCarried>,
    /// Changed to fit this machine.
    pub clamped: Vec<Clamped>,
}

/// Names that mean the same on the other vendor or an older version.
fn canonical(name: &str) -> &str {
    match name {
        "tx_isolation" => "transaction_isolation",
        "table_type" | "storage_engine" => "default_storage_engine",
        "default_time_zone" => "time_zone",
        other => other,
    }
}

/// Sorts production's settings: given to the server, clamped, left out.
pub(super) fn carry(production: &BTreeMap<String, String>, machine: Machine) -> Carried {
    let mut carried = Carried::default();
    let pool = machine.largest_pool();
    for (name, value) in production {
        let lower = name.to_ascii_lowercase().replace('-', "_");
        let name = canonical(&lower);
        let listed = |list: &[(&str, u64)]| list.iter().find(|(one, _)| *one == name).map(|(_, number)| *number);
        let share = |divisor: u64| (machine.memory / divisor) >> 20 << 20;
        if name == "innodb_buffer_pool_size" {
            let given = carried.clamp(name, value, pool);
            carried.at_start.insert(name.to_owned(), given);
        } else if let Some(most) = listed(SIZES).map(share).or_else(|| listed(COUNTS)) {
            let given = carried.clamp(name, value, most);
            carried.at_start.insert(name.to_owned(), given);
        } else if let Some(most) = listed(SESSION_SIZES).map(share) {
            let given = carried.clamp(name, value, most);
            carried.running.insert(name.to_owned(), given);
        } else if name == "system_time_zone" {
            carried.system_time_zone(value);
        } else if let Some(why) = never(name) {
            carried.leave_out(name, value, why);
        } else if AT_START.contains(&name) {
            carried.at_start.insert(name.to_owned(), value.clone());
        } else if RUNNING.contains(&name) {
            carried.running.insert(name.to_owned(), value.clone());
        } else if !QUIETLY_NEVER.contains(&name) {
            // Judged against the running server: what has the same value there needs no word.
            carried.leave_out(name, value, UNLISTED);
        }
    }
    carried.at_start.entry("innodb_buffer_pool_size".to_owned()).or_insert_with(|| pool.to_string());
    carried
}

/// The reason given for a setting that is on no list.
pub(super) const UNLISTED: &str = "it is not among the settings that a rehearsal carries";

fn never(name: &str) -> Option<&'static str> {
    if name == "wsrep_max_ws_size" {
        return None;
    }
    if name.starts_with("ssl_") || name.starts_with("have_") {
        return Some("the sandbox has only a socket");
    }
    let path = name.starts_with("innodb_")
        && (name.ends_with("_dir") || name.ends_with("_directory") || name.contains("_home"));
    if path || name.ends_with("_file_path") || name.ends_with("_basename") || name.ends_with("_log_file") {
        return Some("a path of production's");
    }
    NEVER.iter().find(|(start, _)| name.starts_with(start)).map(|(_, why)| *why)
}

impl Carried {
    fn clamp(&mut self, name: &str, value: &str, most: u64) -> String {
        match bytes(value) {
            Some(wanted) if wanted > most => {
                self.clamped.push(Clamped {
                    name: name.to_owned(),
                    wanted: value.to_owned(),
                    given: most.to_string(),
                    why: "more than this machine is given to a sandbox".to_owned(),
                });
                most.to_string()
            }
            _ => value.to_owned(),
        }
    }

    fn system_time_zone(&mut self, value: &str) {
        let is_zone = value == "UTC" || value.contains('/');
        if is_zone && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte)) {
            self.time_zone = Some(value.to_owned());
        } else {
            let why = "an abbreviation does not say which zone; the sandbox has UTC";
            self.leave_out("system_time_zone", value, why);
        }
    }

    fn leave_out(&mut self, name: &str, value: &str, why: &str) {
        self.not_carried.push(NotCarried { name: name.to_owned(), value: value.to_owned(), why: why.to_owned() });
    }

    /// The settings that decide what bytes a store has.
    pub(super) fn made_with(&self) -> String {
        let settings = self.at_start.iter().chain(&self.running).filter(|(name, _)| SHAPES.contains(&name.as_str()));
        settings.map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// Takes a setting out that this server refuses at start. False when it is not one of ours.
    pub(super) fn refuse(&mut self, name: &str, why: &str) -> bool {
        let name = canonical(name).to_owned();
        match self.at_start.remove(&name) {
            Some(value) => {
                self.leave_out(&name, &value, why);
                true
            }
            None => false,
        }
    }
}

/// A count of bytes as settings write it: `134217728`, `128M`.
fn bytes(value: &str) -> Option<u64> {
    let value = value.trim();
    let (digits, shift) = match value.as_bytes().last()? {
        b'k' | b'K' => (&value[..value.len() - 1], 10),
        b'm' | b'M' => (&value[..value.len() - 1], 20),
        b'g' | b'G' => (&value[..value.len() - 1], 30),
        b't' | b'T' => (&value[..value.len() - 1], 40),
        _ => (value, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// True when two values of a setting mean the same: letter case, ON for 1, 128M for bytes, flags in any order.
pub fn same(one: &str, other: &str) -> bool {
    let plain = |value: &str| match value.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" => "1".to_owned(),
        "off" | "false" | "no" => "0".to_owned(),
        text => {
            let number = bytes(text).map(|number| number.to_string());
            let number = number.or_else(|| text.parse::<f64>().ok().map(|number| number.to_string()));
            number.unwrap_or_else(|| {
                let mut flags: Vec<&str> = text.split(',').collect();
                flags.sort_unstable();
                flags.join(",")
            })
        }
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(settings: &[(&str, &str)]) -> Carried {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        carry(&settings, Machine { memory: 16 << 30 })
    }

    #[test]
    fn what_changes_a_verdict_is_carried_as_it_is() {
        let carried =
            carried(&[("sql_mode", "ANSI"), ("tx_isolation", "READ-COMMITTED"), ("innodb-page-size", "8192")]);
        assert_eq!(carried.running.get("sql_mode").map(String::as_str), Some("ANSI"));
        assert_eq!(carried.at_start.get("transaction_isolation").map(String::as_str), Some("READ-COMMITTED"));
        assert_eq!(carried.at_start.get("innodb_page_size").map(String::as_str), Some("8192"));
        assert!(carried.not_carried.is_empty() && carried.clamped.is_empty());
    }

    #[test]
    fn speed_is_clamped_to_the_machine_and_said() {
        let carried = carried(&[("innodb_buffer_pool_size", "64G"), ("key_buffer_size", "8388608")]);
        assert_eq!(carried.at_start["innodb_buffer_pool_size"], (4u64 << 30).to_string());
        assert_eq!(carried.at_start["key_buffer_size"], "8388608");
        assert_eq!(
            carried.clamped.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["innodb_buffer_pool_size"]
        );
    }

    #[test]
    fn what_could_reach_outside_is_left_out_with_its_reason() {
        let settings =
            [("init_connect", "call x()"), ("rpl_semi_sync_source_enabled", "ON"), ("innodb_undo_directory", "/u")];
        let carried = carried(&settings);
        assert_eq!(carried.not_carried.len(), 3);
        assert!(carried.not_carried.iter().all(|one| !one.why.is_empty() && one.why != UNLISTED));
        assert!(carried.at_start.keys().all(|name| name == "innodb_buffer_pool_size"));
    }

    #[test]
    fn values_that_mean_the_same_are_the_same() {
        assert!(same("ON", "1") && same("128M", "134217728") && same("b,A", "a,b") && same("50.000000", "50"));
        assert!(!same("OFF", "ON") && !same("a", "a,b"));
    }
}

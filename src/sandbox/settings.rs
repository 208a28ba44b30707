//! Which of production's settings a sandbox takes over, which it must not, and what it is given whatever they say.
//!
//! The lists follow what changes a verdict (carried as they are), what changes speed (carried, clamped to the machine),
//! and what could reach or break something outside (never). Nothing is dropped in silence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::server::flavor::Flavor;

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

/// Carried as they are, read at start only.
const AT_START: &[&str] = &[
    "back_log",
    "binlog_format",
    "binlog_row_image",
    "binlog_transaction_compression",
    "character_set_server",
    "collation_server",
    "enforce_gtid_consistency",
    "explicit_defaults_for_timestamp",
    "ft_max_word_len",
    "ft_min_word_len",
    "gtid_mode",
    "innodb_autoinc_lock_mode",
    "innodb_buffer_pool_instances",
    "innodb_checksum_algorithm",
    "innodb_default_row_format",
    "innodb_doublewrite",
    "innodb_file_per_table",
    "innodb_flush_method",
    "innodb_ft_max_token_size",
    "innodb_ft_min_token_size",
    "innodb_instant_alter_column_allowed",
    "innodb_native_foreign_keys",
    "innodb_page_size",
    "innodb_read_io_threads",
    "innodb_rollback_on_timeout",
    "innodb_sort_buffer_size",
    "innodb_write_io_threads",
    "log_bin",
    "lower_case_table_names",
    "secure_timestamp",
    "thread_stack",
    "transaction_isolation",
];

/// Carried as they are, set on the running server.
const RUNNING: &[&str] = &[
    "alter_algorithm",
    "auto_increment_increment",
    "auto_increment_offset",
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
    "completion_type",
    "concurrent_insert",
    "default_storage_engine",
    "default_week_format",
    "div_precision_increment",
    "foreign_key_checks",
    "group_concat_max_len",
    "innodb_adaptive_hash_index",
    "innodb_change_buffering",
    "innodb_deadlock_detect",
    "innodb_fill_factor",
    "innodb_flush_log_at_trx_commit",
    "innodb_lock_wait_timeout",
    "innodb_online_alter_log_max_size",
    "innodb_print_all_deadlocks",
    "innodb_snapshot_isolation",
    "innodb_stats_auto_recalc",
    "innodb_stats_persistent",
    "innodb_stats_persistent_sample_pages",
    "innodb_strict_mode",
    "innodb_table_locks",
    "join_buffer_size",
    "lock_wait_timeout",
    "log_bin_trust_function_creators",
    "low_priority_updates",
    "max_allowed_packet",
    "max_binlog_cache_size",
    "max_binlog_stmt_cache_size",
    "max_error_count",
    "max_execution_time",
    "max_heap_table_size",
    "max_join_size",
    "max_sort_length",
    "max_sp_recursion_depth",
    "max_statement_time",
    "old_alter_table",
    "old_mode",
    "optimizer_prune_level",
    "optimizer_search_depth",
    "optimizer_switch",
    "range_optimizer_max_mem_size",
    "read_rnd_buffer_size",
    "restrict_fk_on_non_standard_key",
    "sort_buffer_size",
    "sql_big_selects",
    "sql_generate_invisible_primary_key",
    "sql_mode",
    "sql_require_primary_key",
    "sql_safe_updates",
    "sync_binlog",
    "system_versioning_alter_history",
    "time_zone",
    "tmp_table_size",
    "unique_checks",
    "updatable_views_with_limit",
    "wsrep_max_ws_size",
];

/// Speed: carried up to a share of this machine's memory (the divisor), at start.
const SIZES: &[(&str, u64)] = &[
    ("aria_pagecache_buffer_size", 16),
    ("innodb_ddl_buffer_size", 16),
    ("innodb_log_buffer_size", 32),
    ("innodb_log_file_size", 8),
    ("innodb_redo_log_capacity", 6),
    ("key_buffer_size", 16),
    ("myisam_sort_buffer_size", 16),
    ("temptable_max_ram", 8),
];

/// Speed: carried up to a number, at start.
const COUNTS: &[(&str, u64)] = &[
    ("innodb_ddl_threads", 16),
    ("innodb_io_capacity", 20_000),
    ("innodb_io_capacity_max", 40_000),
    ("innodb_parallel_read_threads", 16),
    ("innodb_purge_threads", 8),
    ("innodb_thread_concurrency", 64),
    ("max_connections", 2_000),
    ("open_files_limit", 65_535),
    ("table_definition_cache", 16_384),
    ("table_open_cache", 16_384),
    ("thread_cache_size", 512),
];

/// Never carried: beginnings of names, with the reason.
const NEVER: &[(&str, &str)] = &[
    ("audit", "an audit plugin may write or send what it sees"),
    ("authentication_", "accounts of the sandbox are its own"),
    ("basedir", "a path of production's"),
    ("bind_address", "the sandbox is not on the network"),
    ("early_plugin_load", "plugins may reach outside"),
    ("event_scheduler", "events would change data behind the rehearsal's back"),
    ("federated", "tables elsewhere must not be reached"),
    ("general_log", "logging every statement would change the times"),
    ("group_replication", "the sandbox replicates nothing"),
    ("init_connect", "it would run statements that nobody rehearses"),
    ("init_file", "it would run statements that nobody rehearses"),
    ("init_replica", "the sandbox replicates nothing"),
    ("init_slave", "the sandbox replicates nothing"),
    ("innodb_buffer_pool_dump", "the rehearsal keeps the buffer pool warm its own way"),
    ("innodb_buffer_pool_filename", "a path of production's"),
    ("innodb_buffer_pool_load", "the rehearsal keeps the buffer pool warm its own way"),
    ("innodb_encrypt", "the sandbox has no keys"),
    ("innodb_fast_shutdown", "the rehearsal stops the server its own way"),
    ("keyring", "the sandbox has no keys"),
    ("mandatory_roles", "accounts of the sandbox are its own"),
    ("offline_mode", "the rehearsal must be let in"),
    ("password_", "accounts of the sandbox are its own"),
    ("pid_file", "a path of production's"),
    ("plugin", "plugins may reach outside"),
    ("read_only", "the upgrade must be able to write"),
    ("relay_log", "the sandbox replicates nothing"),
    ("replica_", "the sandbox replicates nothing"),
    ("replicate_", "the sandbox replicates nothing"),
    ("report_", "the sandbox replicates nothing"),
    ("require_secure_transport", "the sandbox has only a socket"),
    ("rpl_semi_sync", "a commit would wait for a replica that is not there"),
    ("secure_auth", "accounts of the sandbox are its own"),
    ("secure_file_priv", "a path of production's"),
    ("server_audit", "an audit plugin may write or send what it sees"),
    ("server_id", "a copy must not pass for its original"),
    ("server_uuid", "a copy must not pass for its original"),
    ("skip_grant_tables", "accounts of the sandbox are its own"),
    ("skip_networking", "the sandbox is not on the network"),
    ("skip_replica", "the sandbox replicates nothing"),
    ("skip_slave", "the sandbox replicates nothing"),
    ("slave_", "the sandbox replicates nothing"),
    ("slow_query_log", "logging would change the times"),
    ("super_read_only", "the upgrade must be able to write"),
    ("table_encryption", "the sandbox has no keys"),
    ("tls_", "the sandbox has only a socket"),
    ("transaction_read_only", "the upgrade must be able to write"),
    ("tx_read_only", "the upgrade must be able to write"),
    ("validate_password", "accounts of the sandbox are its own"),
    ("wsrep_", "the sandbox is no cluster"),
];

/// Never carried and told only when asked for by name elsewhere: what every server answers about itself, and session
/// time-outs that would end our own sessions.
const QUIETLY_NEVER: &[&str] =
    &["datadir", "hostname", "port", "socket", "tmpdir", "version", "wait_timeout", "interactive_timeout"];

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
pub(super) fn carry(production: &BTreeMap<String, String>, flavor: &Flavor, machine: Machine) -> Carried {
    let mut carried = Carried::default();
    let pool = machine.largest_pool();
    for (name, value) in production {
        let lower = name.to_ascii_lowercase().replace('-', "_");
        let name = canonical(&lower);
        let share =
            SIZES.iter().find(|(one, _)| *one == name).map(|(_, divisor)| (machine.memory / divisor) >> 20 << 20);
        let most = share.or_else(|| COUNTS.iter().find(|(one, _)| *one == name).map(|(_, most)| *most));
        if name == "innodb_buffer_pool_size" {
            carried.clamp(name, value, pool);
        } else if let Some(most) = most {
            carried.clamp(name, value, most);
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
    if flavor.is_mariadb() {
        // Each counts as set by hand there, and `SET GLOBAL` of the pair is refused in the wrong order.
        carried.running.remove("character_set_results");
    }
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
    fn clamp(&mut self, name: &str, value: &str, most: u64) {
        let given = match bytes(value) {
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
        };
        self.at_start.insert(name.to_owned(), given);
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
pub(super) fn same(one: &str, other: &str) -> bool {
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
        carry(&settings, &"mysql:9.7".parse().expect("a flavour"), Machine { memory: 16 << 30 })
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

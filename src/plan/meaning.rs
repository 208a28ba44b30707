//! Settings by what they change: what a statement does and is refused, or only how fast it is. Pure.

/// How much a setting that differs weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// It changes what statements do, what they lock or whether they are refused.
    Semantic,
    /// It changes how long they take or how long they wait, or how they are replicated.
    Speed,
}

/// Settings that change what an upgrade does, what it locks or whether it is refused.
const SEMANTIC: &[&str] = &[
    "alter_algorithm",
    "auto_increment_increment",
    "auto_increment_offset",
    "autocommit",
    "binlog_format",
    "binlog_row_image",
    "character_set_server",
    "collation_server",
    "completion_type",
    "default_storage_engine",
    "enforce_gtid_consistency",
    "explicit_defaults_for_timestamp",
    "foreign_key_checks",
    "gtid_mode",
    "innodb_autoinc_lock_mode",
    "innodb_deadlock_detect",
    "innodb_default_row_format",
    "innodb_file_per_table",
    "innodb_instant_alter_column_allowed",
    "innodb_native_foreign_keys",
    "innodb_page_size",
    "innodb_rollback_on_timeout",
    "innodb_snapshot_isolation",
    "innodb_strict_mode",
    "innodb_table_locks",
    "log_bin",
    "lower_case_table_names",
    "old_alter_table",
    "old_mode",
    "restrict_fk_on_non_standard_key",
    "secure_timestamp",
    "sql_generate_invisible_primary_key",
    "sql_mode",
    "sql_require_primary_key",
    "sql_safe_updates",
    "system_versioning_alter_history",
    "time_zone",
    "transaction_isolation",
    "unique_checks",
];

/// Settings that change how long things take or wait, and limits that are checked against what a step needs.
const SPEED: &[&str] = &[
    "binlog_transaction_compression",
    "group_concat_max_len",
    "innodb_buffer_pool_size",
    "innodb_flush_log_at_trx_commit",
    "innodb_io_capacity",
    "innodb_lock_wait_timeout",
    "innodb_log_file_size",
    "innodb_online_alter_log_max_size",
    "innodb_redo_log_capacity",
    "lock_wait_timeout",
    "max_allowed_packet",
    "max_execution_time",
    "max_statement_time",
    "optimizer_switch",
    "sync_binlog",
    "thread_stack",
];

/// What a setting means to an upgrade; none for one that means nothing to it.
pub fn of(name: &str) -> Option<Meaning> {
    if SEMANTIC.contains(&name) { Some(Meaning::Semantic) } else { SPEED.contains(&name).then_some(Meaning::Speed) }
}

/// Those that change what statements do, by name.
pub fn semantic() -> &'static [&'static str] {
    SEMANTIC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_on_one_list_and_found() {
        assert!(SEMANTIC.is_sorted() && SPEED.is_sorted());
        assert!(SEMANTIC.iter().all(|name| !SPEED.contains(name)));
        assert_eq!(
            (of("sql_mode"), of("sync_binlog"), of("datadir")),
            (Some(Meaning::Semantic), Some(Meaning::Speed), None)
        );
    }
}

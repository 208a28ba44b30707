//! What a server of a flavour can do, asked by name, so that no watcher or seeder compares versions.

use super::flavor::Flavor;

/// Questions about a flavour. Each answer names its source.
pub trait Ability {
    /// `performance_schema.data_locks` and `data_lock_waits` exist (MySQL 8.0.1; MariaDB has neither, measured on 10.11).
    fn has_data_locks(&self) -> bool;
    /// `performance_schema.metadata_locks` exists (MySQL 5.7.3; MariaDB 10.5.2).
    fn has_metadata_locks(&self) -> bool;
    /// `ALTER INSTANCE DISABLE INNODB REDO_LOG` exists (MySQL 8.0.21; MariaDB never).
    fn can_switch_redo_log_off(&self) -> bool;
    /// `information_schema_stats_expiry` caches table statistics unless it is 0 (MySQL 8.0).
    fn caches_table_statistics(&self) -> bool;
    /// The data dictionary is `information_schema.innodb_*` (MySQL 8.0), not `innodb_sys_*` (MariaDB).
    fn has_new_dictionary_names(&self) -> bool;
    /// The X plugin listens by default and must be switched off (MySQL 8.0.11).
    fn has_x_plugin(&self) -> bool;
    /// CHECK constraints are kept and enforced (MySQL 8.0.16, MariaDB 10.2.1).
    fn enforces_checks(&self) -> bool;
    /// With `unique_checks = 0` and `foreign_key_checks = 0` a load into an empty table goes in bulk, page by page, and holds
    /// the whole table meanwhile: a second stream ends in a deadlock (MariaDB 10.6; measured on 10.11).
    fn loads_empty_tables_in_bulk(&self) -> bool;
    /// `ALTER TABLE … ADD COLUMN` can be instant (MySQL 8.0.12, MariaDB 10.3.2).
    fn adds_columns_instantly(&self) -> bool;
    /// INSTANT row versions that a table can have: 64 from MySQL 8.0.29 (manual), 255 from 9.1 (measured on 9.7: error 4092
    /// after 255); none where nothing is counted.
    fn most_row_versions(&self) -> Option<u64>;
    /// The variable `alter_algorithm` does nothing any more (MariaDB 11.5, its manual).
    fn ignores_alter_algorithm(&self) -> bool;
    /// The statement that empties the binary log (`RESET BINARY LOGS AND GTIDS` from MySQL 8.2, `RESET MASTER` else).
    fn reset_binary_log(&self) -> &'static str;
}

impl Ability for Flavor {
    fn has_data_locks(&self) -> bool {
        self.at_least_mysql(8, 0, 1)
    }
    fn has_metadata_locks(&self) -> bool {
        self.at_least_mysql(5, 7, 3) || self.at_least_mariadb(10, 5, 2)
    }
    fn can_switch_redo_log_off(&self) -> bool {
        self.at_least_mysql(8, 0, 21)
    }
    fn caches_table_statistics(&self) -> bool {
        self.at_least_mysql(8, 0, 0)
    }
    fn has_new_dictionary_names(&self) -> bool {
        self.at_least_mysql(8, 0, 0)
    }
    fn has_x_plugin(&self) -> bool {
        self.at_least_mysql(8, 0, 11)
    }
    fn enforces_checks(&self) -> bool {
        self.at_least_mysql(8, 0, 16) || self.at_least_mariadb(10, 2, 1)
    }
    fn loads_empty_tables_in_bulk(&self) -> bool {
        self.at_least_mariadb(10, 6, 0)
    }
    fn adds_columns_instantly(&self) -> bool {
        self.at_least_mysql(8, 0, 12) || self.at_least_mariadb(10, 3, 2)
    }
    fn most_row_versions(&self) -> Option<u64> {
        self.at_least_mysql(8, 0, 29).then(|| if self.at_least_mysql(9, 1, 0) { 255 } else { 64 })
    }
    fn ignores_alter_algorithm(&self) -> bool {
        self.at_least_mariadb(11, 5, 0)
    }
    fn reset_binary_log(&self) -> &'static str {
        if self.at_least_mysql(8, 2, 0) { "RESET BINARY LOGS AND GTIDS" } else { "RESET MASTER" }
    }
}

//! The sessions that fill a server, and the switches of the server that they need while they do.

use anyhow::{Context, Result};

use crate::progress::Progress;
use crate::sandbox::Instance;
use crate::server::ability::Ability;
use crate::server::role::Role;
use crate::server::session::Writer;

/// 1193: a variable that this version does not have.
const UNKNOWN_VARIABLE: u16 = 1193;

/// Opens a session for seeding: not replicated, unchecked where the generator vouches, in UTC, never strict about what
/// production once accepted, and without time-outs of production's.
///
/// # Errors
/// When the server does not let us in, or refuses a setting for another reason than not having it.
pub fn open(instance: &Instance) -> Result<Writer> {
    let address = instance.address();
    let mut writer =
        instance.writer(Role::Seeder).with_context(|| format!("cannot open a session on {address} to fill it"))?;
    for setting in [
        "NAMES utf8mb4",
        "SESSION autocommit = 1",
        "SESSION sql_log_bin = 0",
        "SESSION unique_checks = 0",
        "SESSION foreign_key_checks = 0",
        "SESSION time_zone = '+00:00'",
        "SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
        "SESSION innodb_lock_wait_timeout = 3600",
        "SESSION lock_wait_timeout = 3600",
        "SESSION net_read_timeout = 3600",
        "SESSION net_write_timeout = 3600",
        "SESSION sql_require_primary_key = 0",
        "SESSION sql_generate_invisible_primary_key = 0",
        "SESSION restrict_fk_on_non_standard_key = 0",
        "SESSION max_statement_time = 0",
        // MySQL sorts an index in pieces of 1 MiB by default.
        "SESSION innodb_ddl_buffer_size = 268435456",
        "SESSION information_schema_stats_expiry = 0",
        "SESSION myisam_sort_buffer_size = 268435456",
    ] {
        match writer.execute(&format!("SET {setting}")) {
            Ok(_) => {}
            Err(fault) if fault.number == UNKNOWN_VARIABLE => {}
            Err(fault) => return Err(fault).with_context(|| format!("cannot set {setting} on {address}")),
        }
    }
    Ok(writer)
}

/// The server set up for a load: redo log off where that can be, `LOAD DATA LOCAL` allowed. Put back on drop, whatever
/// happened; [`finish`](Self::finish) does it and tells when it fails.
#[derive(Debug)]
pub struct Opened<'a> {
    instance: &'a Instance,
    undo: Vec<String>,
}

impl<'a> Opened<'a> {
    /// Switches the server over.
    ///
    /// # Errors
    /// When it refuses local files.
    pub fn new(instance: &'a Instance, progress: &dyn Progress) -> Result<Self> {
        let mut opened = Self { instance, undo: Vec::new() };
        let mut writer = open(instance)?;
        for (variable, value) in [("local_infile", "ON"), ("log_bin_trust_function_creators", "ON")] {
            // Without a binary log, some builds do not have the second one.
            let before = writer.first::<u8>(&format!("SELECT @@GLOBAL.{variable}")).ok().flatten();
            if before == Some(0) {
                writer
                    .execute(&format!("SET GLOBAL {variable} = {value}"))
                    .with_context(|| format!("cannot switch {variable} on"))?;
                opened.undo.push(format!("SET GLOBAL {variable} = OFF"));
            }
        }
        if instance.flavor().can_switch_redo_log_off() {
            match writer.execute("ALTER INSTANCE DISABLE INNODB REDO_LOG") {
                Ok(_) => opened.undo.insert(0, "ALTER INSTANCE ENABLE INNODB REDO_LOG".to_owned()),
                Err(fault) => progress.note(&format!("filling with the redo log on, which is slower: {fault}")),
            }
        }
        Ok(opened)
    }

    /// Sets a number of the server until it is put back; sessions opened after this have it.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn set(&mut self, variable: &str, value: u64) -> Result<()> {
        let mut writer = open(self.instance)?;
        let cannot = || format!("cannot set {variable}");
        let before: Option<u64> = writer.first(&format!("SELECT @@GLOBAL.{variable}")).with_context(cannot)?;
        if let Some(before) = before {
            writer.execute(&format!("SET GLOBAL {variable} = {value}")).with_context(cannot)?;
            self.undo.push(format!("SET GLOBAL {variable} = {before}"));
        }
        Ok(())
    }

    /// Puts the server back.
    ///
    /// # Errors
    /// When it refuses; a server without its redo log must not be used.
    pub fn finish(mut self) -> Result<()> {
        let undo = std::mem::take(&mut self.undo);
        run_all(self.instance, &undo)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        if let Err(error) = run_all(self.instance, &undo) {
            tracing::warn!("the server keeps the settings of the load: {error:#}");
        }
    }
}

fn run_all(instance: &Instance, statements: &[String]) -> Result<()> {
    if statements.is_empty() {
        return Ok(());
    }
    let mut writer = open(instance)?;
    for statement in statements {
        writer.execute(statement).with_context(|| format!("cannot put the server back: {statement}"))?;
    }
    Ok(())
}

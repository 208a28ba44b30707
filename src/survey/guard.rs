//! Makes a reading session one that disturbs nobody: it gives up early, queues behind no lock, and sees fresh statistics.

use anyhow::{Context, Result};

use crate::server::ability::Ability as _;
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;

/// Seconds that our own queries may wait for a metadata lock. A queued reader lets later DDL queue behind it.
const LOCK_WAIT_SECONDS: u64 = 2;

/// Seconds that a query on the server's own tables may take.
pub const PATIENCE_SECONDS: u64 = 20;

/// Asks the server who it is and sets the session up. Settings that a version does not know are left out: only the
/// lock time-out is a must.
///
/// # Errors
/// When the server does not tell its version or refuses the lock time-out.
pub fn prepare(reader: &mut ReadOnly) -> Result<(Flavor, String)> {
    let version: String =
        reader.first("SELECT VERSION()").context("cannot ask the server's version")?.unwrap_or_default();
    let flavor = Flavor::from_version_string(&version).with_context(|| format!("the server says version {version}"))?;
    reader
        .set("lock_wait_timeout", &LOCK_WAIT_SECONDS.to_string())
        .context("cannot limit how long this session waits for locks")?;
    if flavor.caches_table_statistics() {
        // Otherwise AUTO_INCREMENT and row counts are up to a day old (measured on 9.7).
        reader.set("information_schema_stats_expiry", "0").context("cannot ask for fresh table statistics")?;
    }
    // `SHOW CREATE VIEW` leaves the default database's name out; so that it never does, the default is one without views.
    reader.use_database("information_schema").context("cannot leave the default database")?;
    // How definitions are printed and texts are quoted must not depend on production's settings.
    for (variable, value) in [
        ("sql_mode", "'NO_ENGINE_SUBSTITUTION'"),
        ("sql_quote_show_create", "1"),
        ("character_set_results", "utf8mb4"),
        ("show_gipk_in_create_table_and_information_schema", "1"),
        ("time_zone", "'+00:00'"),
    ] {
        match reader.set(variable, value) {
            Err(fault) if fault.is_connection_lost() => return Err(fault).context("cannot set up the reading session"),
            _ => {}
        }
    }
    limit(reader, flavor, PATIENCE_SECONDS)?;
    Ok((flavor, version))
}

/// Lets each of the session's queries run for so long; 0 for as long as it takes.
///
/// # Errors
/// When the connection is lost.
pub fn limit(reader: &mut ReadOnly, flavor: Flavor, seconds: u64) -> Result<()> {
    let done = if flavor.is_mariadb() {
        reader.set("max_statement_time", &seconds.to_string())
    } else {
        // Milliseconds, and SELECT only (manual); MySQL before 5.7.8 has none.
        reader.set("max_execution_time", &(seconds * 1000).to_string())
    };
    match done {
        Err(fault) if fault.is_connection_lost() => Err(fault).context("cannot limit the time of queries"),
        _ => Ok(()),
    }
}

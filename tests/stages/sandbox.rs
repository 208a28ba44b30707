//! Sandboxes on real servers.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::role::Role;

use super::servers::Servers;

/// This program again, as the victim of a `kill -9`; none when it was started as the tests.
pub fn child() -> Option<ExitCode> {
    None
}

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let shared = Arc::clone(servers);
    trials.push(Trial::test("sandbox::forced_settings_hold_on_mysql", move || forced_settings_hold(&shared.mysql()?)));
    let shared = Arc::clone(servers);
    trials.push(Trial::test("sandbox::forced_settings_hold_on_mariadb", move || {
        forced_settings_hold(&shared.mariadb()?)
    }));
    trials
}

fn forced_settings_hold(instance: &Instance) -> Result<(), Failed> {
    let mut session = instance.reader(Role::Keeper)?;
    for (name, value) in
        [("event_scheduler", "OFF"), ("skip_networking", "ON"), ("performance_schema", "ON"), ("local_infile", "ON")]
    {
        let row: Option<(String, String)> = session.first(&format!("SHOW GLOBAL VARIABLES LIKE '{name}'"))?;
        assert_eq!(row.map(|(_, value)| value).as_deref(), Some(value), "{name}");
    }
    let row: Option<(String,)> = session
        .first("SELECT enabled FROM performance_schema.setup_instruments WHERE name = 'wait/lock/metadata/sql/mdl'")?;
    assert_eq!(row.map(|(enabled,)| enabled).as_deref(), Some("YES"));
    assert!(instance.is_alive() && instance.cpu_seconds().is_some() && instance.data_directory().is_some());
    Ok(())
}

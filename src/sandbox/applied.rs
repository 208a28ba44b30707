//! Production's settings on a running server: set what can be set, then say what is different all the same.

use anyhow::{Context, Result};

use super::instance::Instance;
use super::settings::{Carried, NotCarried, UNLISTED, same};
use crate::server::fault::Fault;
use crate::server::role::Role;

/// Sets the variables that are set on a running server, after every start.
///
/// # Errors
/// When the server is lost. A variable that it refuses is no error: it is returned with the server's words.
pub(super) fn set(instance: &Instance, carried: &Carried) -> Result<Vec<NotCarried>, Fault> {
    let mut session = instance.writer(Role::Keeper)?;
    let mut refused = Vec::new();
    for (name, value) in &carried.running {
        let is_number = value.parse::<f64>().is_ok_and(f64::is_finite);
        let literal = if is_number { value.clone() } else { quoted(value) };
        match session.execute(&format!("SET GLOBAL {name} = {literal}")) {
            Err(fault) if fault.is_connection_lost() => return Err(fault),
            Err(fault) => {
                refused.push(NotCarried { name: name.clone(), value: value.clone(), why: fault.message });
            }
            Ok(_) => {}
        }
    }
    Ok(refused)
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// Compares what the server has with what production has, and notes in `carried` what is different and why.
///
/// # Errors
/// When the server does not answer.
pub(super) fn judge(instance: &Instance, carried: &mut Carried, refused: Vec<NotCarried>) -> Result<()> {
    let mut session = instance.reader(Role::Keeper)?;
    let variables: Vec<(String, String)> =
        session.rows("SHOW GLOBAL VARIABLES").context("cannot read the variables")?;
    let here = |name: &str| {
        let shown = |name: &str| variables.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        let found = shown(name).or_else(|| (name == "transaction_isolation").then(|| shown("tx_isolation")).flatten());
        found.map(|(_, value)| value.as_str())
    };
    let unknown = || "this version does not know it".to_owned();
    for mut one in refused {
        carried.running.remove(&one.name);
        match here(&one.name) {
            Some(now) if same(now, &one.value) => continue,
            Some(_) => {}
            None => one.why = unknown(),
        }
        carried.not_carried.push(one);
    }
    for (name, value) in carried.at_start.iter().chain(&carried.running) {
        let why = match here(name) {
            Some(now) if same(now, value) => continue,
            Some(now) => format!("this server gives it the value '{now}'"),
            None => unknown(),
        };
        carried.not_carried.push(NotCarried { name: name.clone(), value: value.clone(), why });
    }
    // A setting on no list needs a word only where this server's value is another one.
    carried.not_carried.retain(|one| one.why != UNLISTED || !here(&one.name).is_some_and(|now| same(now, &one.value)));
    carried.not_carried.sort();
    Ok(())
}

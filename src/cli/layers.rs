//! Where settings come from, and which of two wins: a scenario over `rehearse.yaml` over the environment.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::advise::record::Budget;
use crate::artifact;
use crate::capture::migration::Framework;
use crate::problem::{BadInput, nearest};
use crate::scenario::record::{Check, FORMAT, Production, Scenario, Server, Upgrade};

/// The configuration file's name, looked for upward from the working directory.
const CONFIGURATION: &str = "rehearse.yaml";

/// Reads a scenario or a configuration file; its paths are then relative to the working directory, not to the file.
///
/// # Errors
/// A [`BadInput`] that names the file, the place in it and the nearest right key.
pub fn load(path: &Path) -> Result<Scenario> {
    let bad = || BadInput::new(format!("the scenario {} cannot be used", path.display()));
    let mut scenario: Scenario = artifact::load_yaml(path).with_context(bad)?;
    if scenario.format != FORMAT {
        let found = if scenario.format.is_empty() { "nothing".to_owned() } else { format!("'{}'", scenario.format) };
        bail!(anyhow::anyhow!("hint: Begin the file with `format: {FORMAT}`.").context(BadInput::new(format!(
            "{}: `format:` says {found}, and this version reads {FORMAT}",
            path.display()
        ))));
    }
    beside(path.parent().unwrap_or(Path::new("")), &mut scenario);
    Ok(scenario)
}

/// Paths are meant from the file in which they stand.
fn beside(base: &Path, scenario: &mut Scenario) {
    let set = |path: &mut PathBuf| *path = base.join(&*path);
    let production = &mut scenario.production;
    [&mut production.schema, &mut production.survey, &mut production.data].into_iter().flatten().for_each(set);
    if let Some(upgrade) = &mut scenario.upgrade {
        upgrade.sql.iter_mut().chain(&mut upgrade.capture).chain(&mut upgrade.log).for_each(set);
    }
    scenario.check.paths.iter_mut().for_each(set);
    for (whose, mut printer) in std::mem::take(&mut scenario.check.print) {
        base.clone_into(&mut printer.home);
        let folder = || base.join(&whose).display().to_string();
        let whose = if Framework::of_name(&whose).is_some() { whose } else { folder() };
        scenario.check.print.insert(whose, printer);
    }
    scenario.environments.values_mut().for_each(|environment| beside(base, environment));
}

/// The configuration file that holds for the working directory, when there is one, with what it says of an environment
/// laid over the rest.
///
/// # Errors
/// As [`load`]; an environment that it does not have.
pub fn configuration(environment: Option<&str>) -> Result<Option<Scenario>> {
    let here = std::env::current_dir().context("cannot tell the working directory")?;
    let found = here.ancestors().map(|directory| directory.join(CONFIGURATION)).find(|path| path.is_file());
    let file = found.as_deref().map_or(CONFIGURATION.to_owned(), |path| path.display().to_string());
    let mut all = found.as_deref().map(load).transpose()?;
    // A variable that is set to nothing names none.
    let Some(wanted) = environment.filter(|name| !name.is_empty()) else { return Ok(all) };
    let environments = all.as_mut().map(|all| std::mem::take(&mut all.environments)).unwrap_or_default();
    let Some(own) = environments.get(wanted) else {
        let hint = match nearest(wanted, environments.keys().map(String::as_str)) {
            Some(near) => format!("hint: Did you mean {near}?"),
            None => format!("hint: Write it under `environments:` of {CONFIGURATION}."),
        };
        bail!(anyhow::anyhow!(hint).context(BadInput::new(format!("{file} has no environment '{wanted}'"))));
    };
    Ok(all.map(|all| over(own.clone(), all)))
}

/// What the environment says: `REHEARSE_SERVER`, `REHEARSE_IMAGE`, `REHEARSE_SANDBOX`.
///
/// # Errors
/// A [`BadInput`] that names the variable.
pub fn environment() -> Result<Scenario> {
    let flavor = variable("REHEARSE_SERVER")
        .map(|text| text.parse().map_err(|error| BadInput::new(format!("REHEARSE_SERVER: {error}"))))
        .transpose()?;
    let server = Server {
        flavor,
        image: variable("REHEARSE_IMAGE"),
        sandbox: variable("REHEARSE_SANDBOX"),
        ..Server::default()
    };
    Ok(Scenario { server, ..Scenario::default() })
}

/// An environment variable that is set to something.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// `upper` where it says something, else `lower`. Maps are merged entry by entry; lists, and the three ways to say what
/// production holds, are taken as a whole.
pub fn over(upper: Scenario, lower: Scenario) -> Scenario {
    let list = |upper: Vec<_>, lower| if upper.is_empty() { lower } else { upper };
    Scenario {
        format: FORMAT.to_owned(),
        name: if upper.name.is_empty() { lower.name } else { upper.name },
        about: if upper.about.is_empty() { lower.about } else { upper.about },
        server: Server {
            flavor: upper.server.flavor.or(lower.server.flavor),
            image: upper.server.image.or(lower.server.image),
            sandbox: upper.server.sandbox.or(lower.server.sandbox),
            settings: merged(lower.server.settings, upper.server.settings),
        },
        topology: upper.topology.or(lower.topology),
        production: production(upper.production, lower.production),
        upgrade: upper.upgrade.filter(|upgrade| *upgrade != Upgrade::default()).or(lower.upgrade),
        variables: merged(lower.variables, upper.variables),
        choose: merged(lower.choose, upper.choose),
        probe: list(upper.probe, lower.probe),
        workload: upper.workload.or(lower.workload),
        drills: upper.drills.or(lower.drills),
        budget: budget(upper.budget, lower.budget),
        allow: if upper.allow.is_empty() { lower.allow } else { upper.allow },
        severity: merged(lower.severity, upper.severity),
        check: Check {
            paths: if upper.check.paths.is_empty() { lower.check.paths } else { upper.check.paths },
            rehearse_from: upper.check.rehearse_from.or(lower.check.rehearse_from),
            print: merged(lower.check.print, upper.check.print),
        },
        environments: merged(lower.environments, upper.environments),
        expect: upper.expect.or(lower.expect),
    }
}

fn merged<K: Ord, V>(
    mut lower: std::collections::BTreeMap<K, V>,
    upper: std::collections::BTreeMap<K, V>,
) -> std::collections::BTreeMap<K, V> {
    lower.extend(upper);
    lower
}

fn production(upper: Production, lower: Production) -> Production {
    let says = upper.schema.is_some() || upper.survey.is_some() || upper.data.is_some();
    let (schema, survey, data) =
        if says { (upper.schema, upper.survey, upper.data) } else { (lower.schema, lower.survey, lower.data) };
    Production {
        schema,
        survey,
        data,
        rows: merged(lower.rows, upper.rows),
        scale: upper.scale.or(lower.scale),
        database: upper.database.or(lower.database),
    }
}

fn budget(upper: Budget, lower: Budget) -> Budget {
    Budget {
        longest_blocked_read: upper.longest_blocked_read.or(lower.longest_blocked_read),
        longest_blocked_write: upper.longest_blocked_write.or(lower.longest_blocked_write),
        rows_per_statement: upper.rows_per_statement.or(lower.rows_per_statement),
        replica_lag: upper.replica_lag.or(lower.replica_lag),
        pool_exhausted: upper.pool_exhausted.or(lower.pool_exhausted),
        tables: merged(lower.tables, upper.tables),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Count;

    #[test]
    fn the_upper_layer_wins_and_what_it_leaves_open_comes_from_below() {
        let parse = |text| artifact::parse_yaml::<Scenario>(text).expect("a scenario");
        let upper = parse("production: {survey: s.yaml, rows: {a: 5}}\nserver: {settings: {x: 0x10}}");
        let lower =
            parse("production: {schema: s.sql, rows: {a: 1, b: 2}, scale: 0.5}\nserver: {settings: {x: 1, y: 10.10}}");
        let both = over(upper, lower);
        assert_eq!(both.production.schema, None, "a survey above replaces the schema below");
        assert_eq!(both.production.rows, [("a".to_owned(), Count(5)), ("b".to_owned(), Count(2))].into());
        assert_eq!(both.production.scale, Some(0.5));
        assert_eq!(both.server.settings, [("x".into(), "0x10".into()), ("y".into(), "10.10".into())].into());
    }

    #[test]
    fn what_stands_in_a_file_is_meant_from_there_in_every_environment() {
        let text = "production: {schema: s.sql}\ncheck: {paths: [db], print: {django: [a], knex: [b]}}\n\
                    environments: {ci: {production: {survey: p.yaml}}}";
        let mut scenario: Scenario = artifact::parse_yaml(text).expect("a scenario");
        beside(Path::new("conf"), &mut scenario);
        assert_eq!(scenario.production.schema, Some("conf/s.sql".into()));
        assert_eq!(scenario.check.paths, [PathBuf::from("conf/db")]);
        let printers: Vec<_> =
            scenario.check.print.iter().map(|(whose, one)| (whose.as_str(), one.home.as_path())).collect();
        assert_eq!(printers, [("conf/knex", Path::new("conf")), ("django", Path::new("conf"))]);
        assert_eq!(scenario.environments["ci"].production.survey, Some("conf/p.yaml".into()));
    }

    #[test]
    fn settings_stay_as_they_were_typed() {
        let text = "server: {settings: {a: 10.10, b: 0x10, c: on, d: 1e3, e: 007, f: '', g: true, h: ~}}";
        let scenario: Scenario = artifact::parse_yaml(text).expect("a scenario");
        let values: Vec<_> = scenario.server.settings.values().map(String::as_str).collect();
        assert_eq!(values, ["10.10", "0x10", "on", "1e3", "007", "", "true", "~"]);
        let again: Scenario = artifact::parse_yaml(&artifact::to_yaml(&scenario).expect("yaml")).expect("a scenario");
        assert_eq!(again, scenario);
    }
}

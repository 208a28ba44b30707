//! Settings, resolved once: a flag over a scenario over `rehearse.yaml` over the environment over nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum as _;

use super::args::{FailOnArg, Run, share};
use super::layers::{configuration, environment, load, over, variable};
use super::{inputs, live_settings, option_file};
use crate::advise::catalogue::{RULES, find};
use crate::advise::gate;
use crate::artifact;
use crate::pipeline::settings::{FailOn, Production, Settings, Upgrade};
use crate::problem::{BadInput, nearest};
use crate::sandbox::Kind;
use crate::scenario::record::{self, Scenario};

/// A run's settings, and how `--show-config` shows them.
#[derive(Debug)]
pub struct Resolved {
    /// For the pipeline.
    pub settings: Settings,
    /// As a scenario file, what has no key there as comments. Holds no password.
    pub shown: String,
}

/// Resolves what was typed.
///
/// # Errors
/// A [`BadInput`] that names the object and the next step, with nothing started.
pub fn resolve(run: &Run) -> Result<Resolved> {
    let mut scenario = over(configuration(run.verdict.environment.as_deref())?.unwrap_or_default(), environment()?);
    if let Some(path) = &run.scenario {
        let mut own = load(&scenario_file(path))?;
        if own.name.is_empty() {
            own.name = folder_name(&scenario_file(path));
        }
        scenario = over(own, scenario);
    }
    let scenario = over(typed(run), scenario);
    refuse_what_is_not_built(&scenario)?;
    let settings = settings(run, &scenario)?;
    let mut shown = artifact::to_yaml(&scenario)?;
    let fail_on = format!("{:?}", settings.fail_on).to_lowercase();
    write!(shown, "# out: {}\n# fail-on: {fail_on}\n# cache: {}\n", settings.out.display(), settings.cache)?;
    writeln!(shown, "# drills: {}", settings.drills)?;
    Ok(Resolved { settings, shown })
}

/// What was typed, as the uppermost layer.
fn typed(run: &Run) -> Scenario {
    Scenario {
        server: record::Server {
            flavor: run.production.server,
            image: run.place.image.clone(),
            sandbox: run.place.sandbox.clone(),
            ..record::Server::default()
        },
        production: record::Production {
            data: run.data.clone(),
            scale: run.scale,
            ..record::Production::from(&run.production)
        },
        upgrade: (!run.paths.is_empty() || !run.live.command.is_empty()).then(|| record::Upgrade {
            sql: run.paths.clone(),
            command: run.live.command.clone(),
            ..record::Upgrade::default()
        }),
        variables: run.variables.iter().cloned().collect(),
        choose: run.choose.iter().cloned().collect(),
        probe: run.probe.clone(),
        ..Scenario::default()
    }
}

/// A scenario's file, where its directory was named.
pub fn scenario_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("scenario.yaml") } else { path.to_owned() }
}

fn folder_name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    full.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn refuse_what_is_not_built(scenario: &Scenario) -> Result<()> {
    let topology = scenario.topology.unwrap_or_default();
    let upgrade = scenario.upgrade.clone().unwrap_or_default();
    let asked = [
        (topology.replicas > 0, "topology.replicas"),
        (topology.galera.is_some(), "topology.galera"),
        (scenario.workload.is_some(), "workload"),
        (upgrade.log.is_some(), "upgrade.log"),
        (upgrade.server.is_some(), "upgrade.server"),
    ];
    match asked.iter().find(|(asked, _)| *asked) {
        Some((_, key)) => bail!(
            anyhow!("hint: Take the key out to rehearse the rest.")
                .context(BadInput::new(format!("`{key}` of the scenario is not in this version")))
        ),
        None => Ok(()),
    }
}

fn settings(run: &Run, scenario: &Scenario) -> Result<Settings> {
    let upgrade = upgrade(run, scenario)?;
    let first = match &upgrade {
        Upgrade::Sql(files) => files.first().and_then(|file| file.file_stem()),
        Upgrade::Command(live) => live.command.first().and_then(|word| Path::new(word).file_stem()),
    };
    let name = match (&scenario.name, first) {
        (name, Some(first)) if name.is_empty() => first.to_string_lossy().into_owned(),
        (name, _) => name.clone(),
    };
    rules_exist(scenario)?;
    Ok(Settings {
        name,
        about: scenario.about.clone(),
        upgrade,
        production: production(&scenario.production)?,
        server: scenario.server.flavor,
        image: scenario.server.image.clone(),
        sandbox: sandbox(scenario.server.sandbox.as_deref(), run.place.defaults_file.as_deref())?,
        settings: scenario.server.settings.clone(),
        variables: scenario.variables.clone(),
        budget: scenario.budget.clone(),
        allow: scenario.allow.clone(),
        severity: scenario.severity.clone(),
        choose: scenario.choose.clone(),
        probes: scenario.probe.clone(),
        out: run.out.clone().or_else(|| variable("REHEARSE_OUT").map(PathBuf::from)).unwrap_or("rehearsal".into()),
        keep_going: run.keep_going,
        drills: !run.no_drills && scenario.drills.unwrap_or(true),
        whole: true,
        fail_on: fail_on(run.verdict.fail_on)?,
        cache: !run.place.no_cache,
        expect: scenario.expect.clone(),
    })
}

/// Rules that are accepted or expected exist, and the days until which they are accepted are days.
pub(super) fn rules_exist(scenario: &Scenario) -> Result<()> {
    let expect = scenario.expect.clone().unwrap_or_default();
    let per_flavor = expect.per_flavor.values().flat_map(|flavor| flavor.findings.keys());
    let expected = expect.findings.keys().chain(expect.perhaps.keys()).chain(per_flavor).map(|rule| ("expect", rule));
    let allowed = scenario.allow.iter().map(|allowance| ("allow", &allowance.rule));
    let weighed = scenario.severity.keys().map(|rule| ("severity", rule));
    let is_known = |rule: &str| find(rule).is_some() || gate::IDS.contains(&rule);
    if let Some((place, rule)) = allowed.chain(weighed).chain(expected).find(|(_, rule)| !is_known(rule)) {
        let hint = match nearest(rule, RULES.iter().map(|rule| rule.id).chain(gate::IDS)) {
            Some(near) => format!("hint: Did you mean {near}?"),
            None => "hint: `rehearse explain` lists all rules.".to_owned(),
        };
        bail!(anyhow!(hint).context(BadInput::new(format!("{place}: there is no rule '{rule}'"))));
    }
    for allowance in &scenario.allow {
        if let Some(until) = allowance.until.as_ref().filter(|until| until.parse::<jiff::civil::Date>().is_err()) {
            bail!(BadInput::new(format!("allow: '{until}' of {} is no date: write 2026-12-31", allowance.rule)));
        }
    }
    Ok(())
}

fn upgrade(run: &Run, scenario: &Scenario) -> Result<Upgrade> {
    let upgrade = scenario.upgrade.clone().unwrap_or_default();
    if !upgrade.command.is_empty() {
        if !upgrade.sql.is_empty() || upgrade.capture.is_some() {
            bail!(BadInput::new("both SQL files and a command are to be the upgrade: name one of them"));
        }
        return Ok(Upgrade::Command(Box::new(live_settings::resolve(&run.live, &upgrade.command)?)));
    }
    // A capture is an SQL file that the tool wrote.
    let files = match (upgrade.sql.is_empty(), upgrade.capture) {
        (false, None) => upgrade.sql,
        (true, Some(capture)) => vec![capture],
        (false, Some(_)) => {
            bail!(BadInput::new("`upgrade` of the scenario says both `sql` and `capture`: keep one of them"))
        }
        (true, None) => bail!(
            anyhow!("hint: Name the upgrade's SQL files, a scenario with --scenario FILE, or a command after --.")
                .context(BadInput::new("there is nothing to rehearse"))
        ),
    };
    files.iter().try_for_each(|path| inputs::upgrade(path))?;
    Ok(Upgrade::Sql(files))
}

fn production(production: &record::Production) -> Result<Production> {
    if production.schema.is_none() && production.survey.is_none() && production.data.is_none() {
        bail!(
            anyhow!("hint: Give --schema FILE with --rows TABLE=N, or --survey FILE (see `rehearse survey`), or --data FILE.")
                .context(BadInput::new("it is not said what production holds"))
        );
    }
    if production.schema.is_some() && production.survey.is_some() {
        bail!(BadInput::new("a schema and a survey both say what production's tables are: keep one of them"));
    }
    production.schema.as_deref().map_or(Ok(()), inputs::schema)?;
    production.survey.as_deref().map_or(Ok(()), |path| inputs::file("the survey", path))?;
    production.data.as_deref().map_or(Ok(()), |path| inputs::file("the dump", path))?;
    let scale = production.scale.unwrap_or(1.0);
    share(&scale.to_string()).map_err(|why| BadInput::new(format!("scale {scale}: {why}")))?;
    Ok(Production {
        schema: production.schema.clone(),
        survey: production.survey.clone(),
        data: production.data.clone(),
        rows: production.rows.clone(),
        scale,
        at_most: None,
        database: production.database.clone().unwrap_or("app".to_owned()),
    })
}

fn sandbox(text: Option<&str>, defaults_file: Option<&Path>) -> Result<Kind> {
    Ok(match text {
        None | Some("auto") => Kind::Auto,
        Some("container") => Kind::Container,
        Some("process") => Kind::Process,
        Some(dsn) if dsn.contains("://") => Kind::Existing(option_file::address(dsn, defaults_file)?),
        Some(other) => {
            let near = nearest(other, ["auto", "container", "process"]);
            let hint = near.map_or(
                "hint: Write auto, container, process, or mysql://user@host/ of a server that may be destroyed."
                    .to_owned(),
                |near| format!("hint: Did you mean {near}?"),
            );
            bail!(anyhow!(hint).context(BadInput::new(format!("'{other}' is no kind of sandbox"))))
        }
    })
}

/// From which severity on a finding fails: what was typed, else `REHEARSE_FAIL_ON`.
///
/// # Errors
/// A [`BadInput`] that names the variable.
pub(super) fn fail_on(typed: Option<FailOnArg>) -> Result<FailOn> {
    let from_environment = || {
        variable("REHEARSE_FAIL_ON")
            .map(|text| FailOnArg::from_str(&text, false))
            .transpose()
            .map_err(|_| BadInput::new("REHEARSE_FAIL_ON is none of error, warning, never"))
    };
    let typed = match typed {
        Some(typed) => Some(typed),
        None => from_environment().context("hint: Unset REHEARSE_FAIL_ON, or give --fail-on.")?,
    };
    Ok(typed.map(FailOn::from).unwrap_or_default())
}

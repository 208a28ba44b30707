//! A lint's settings, resolved as a run's are: a flag over `rehearse.yaml` over the environment over nothing.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::args::Lint;
use super::inputs;
use super::layers::{configuration, environment, over};
use super::settings::{fail_on, rules_exist};
use crate::artifact;
use crate::pipeline::lint::Settings;
use crate::problem::BadInput;
use crate::scenario::record::{self, Scenario};
use crate::sql::script::STDIN;

/// Resolves what was typed: the settings, and how `--show-config` shows them.
///
/// # Errors
/// A [`BadInput`] that names the object and the next step.
pub fn resolve(lint: &Lint) -> Result<(Settings, String)> {
    let Judging { mut settings, shown, scenario } = judging(lint)?;
    settings.paths = paths(&scenario)?;
    Ok((settings, shown))
}

/// Settings for judging texts that are named later.
pub struct Judging {
    /// All but the paths.
    pub settings: Settings,
    /// How `--show-config` shows them.
    pub shown: String,
    /// What they were taken from.
    pub scenario: Scenario,
}

/// Resolves all but the paths.
///
/// # Errors
/// As [`resolve`].
pub fn judging(lint: &Lint) -> Result<Judging> {
    let scenario = over(
        typed(lint),
        over(configuration(lint.verdict.environment.as_deref())?.unwrap_or_default(), environment()?),
    );
    rules_exist(&scenario)?;
    let production = &scenario.production;
    let (schema, survey) = (production.schema.clone(), production.survey.clone());
    if schema.is_some() && survey.is_some() {
        bail!(BadInput::new("a schema and a survey both say what production's tables are: keep one of them"));
    }
    if schema.is_none() && survey.is_none() && !production.rows.is_empty() {
        bail!(
            anyhow!("hint: Name the tables with --schema FILE (CREATE statements) or --survey FILE.")
                .context(BadInput::new("--rows says how many rows tables have that nobody named"))
        );
    }
    schema.as_deref().map_or(Ok(()), inputs::schema)?;
    survey.as_deref().map_or(Ok(()), |path| inputs::file("the survey", path))?;
    let settings = Settings {
        paths: Vec::new(),
        schema,
        survey,
        rows: production.rows.clone(),
        database: production.database.clone().unwrap_or("app".to_owned()),
        server: scenario.server.flavor,
        variables: scenario.variables.clone(),
        budget: scenario.budget.clone(),
        allow: scenario.allow.clone(),
        severity: scenario.severity.clone(),
        fail_on: fail_on(lint.verdict.fail_on)?,
    };
    let fail_on = format!("{:?}", settings.fail_on).to_lowercase();
    let shown = format!("{}# fail-on: {fail_on}\n", artifact::to_yaml(&scenario)?);
    Ok(Judging { settings, shown, scenario })
}

/// What was typed, as the uppermost layer.
fn typed(lint: &Lint) -> Scenario {
    Scenario {
        server: record::Server { flavor: lint.production.server, ..record::Server::default() },
        production: record::Production::from(&lint.production),
        upgrade: (!lint.paths.is_empty())
            .then(|| record::Upgrade { sql: lint.paths.clone(), ..record::Upgrade::default() }),
        variables: lint.variables.iter().cloned().collect(),
        ..Scenario::default()
    }
}

fn paths(scenario: &Scenario) -> Result<Vec<PathBuf>> {
    let upgrade = scenario.upgrade.clone().unwrap_or_default();
    let paths = if upgrade.sql.is_empty() { upgrade.capture.into_iter().collect() } else { upgrade.sql };
    if paths.is_empty() {
        bail!(
            anyhow!("hint: Name SQL files or directories of them; - is the standard input.")
                .context(BadInput::new("there is nothing to lint"))
        );
    }
    let stdin = Path::new(STDIN);
    if paths.iter().filter(|path| *path == stdin).count() > 1 {
        bail!(BadInput::new("the standard input (-) can be read only once"));
    }
    paths.iter().filter(|path| *path != stdin).try_for_each(|path| inputs::upgrade(path))?;
    Ok(paths)
}

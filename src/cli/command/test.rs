//! `rehearse test`: scenarios, each held to what it expects, on each server asked for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::cli::args::{Production, Run, Test};
use crate::cli::exit::{self, Exit};
use crate::cli::layers::variable;
use crate::cli::output;
use crate::cli::progress::Teller;
use crate::cli::settings::{Resolved, resolve, scenario_file};
use crate::pipeline::{self, settings::Settings};
use crate::problem::BadInput;
use crate::scenario::expect::{self, Expect};
use crate::scenario::seen::Seen;
use crate::server::flavor::Flavor;

/// Runs them all and tells which expectation failed. Nothing runs before all of them were read.
///
/// # Errors
/// A [`BadInput`] for a scenario that cannot be used. A run that fails is told and counted, and the next one runs.
pub fn run(typed: &Test, teller: &Teller) -> Result<Exit> {
    let mut runs = Vec::new();
    for scenario in scenarios(&typed.scenarios)? {
        for server in servers(typed)? {
            runs.push(settings(typed, &scenario, server)?);
        }
    }
    let (total, mut held, mut worst) = (runs.len(), 0, Exit::Fine);
    for (settings, expect) in runs {
        let exit = one(&settings, &expect, teller)?;
        held += usize::from(exit == Exit::Fine);
        worst = worst.max(exit);
        if exit == Exit::Interrupted {
            break;
        }
    }
    output::print(&format!("{held} of {total} hold"))?;
    Ok(worst)
}

/// Runs one, and prints whether it holds.
fn one(settings: &Settings, expect: &Expect, teller: &Teller) -> Result<Exit> {
    let server = settings.server.map_or(String::new(), |flavor| format!(" on {flavor}"));
    let ended = pipeline::run(settings, teller);
    teller.finish();
    let ended = ended.and_then(|outcome| match outcome.failure {
        Some(failure) => Err(failure.context(format!("what was measured is in {}", outcome.directory.display()))),
        None => Ok((outcome.report, outcome.directory)),
    });
    let (report, directory) = match ended {
        Ok(ended) => ended,
        Err(error) => {
            output::print(&format!("ERROR {}{server}\n{}", settings.name, exit::render(&error)))?;
            return Ok(Exit::of(&error));
        }
    };
    let Some(member) = report.members.first() else {
        bail!("the report of {} names no server", settings.name);
    };
    let misses = expect::check(expect, member.flavor, &Seen::from(&report));
    let mut lines =
        format!("{}    {} on {}\n", if misses.is_empty() { "ok  " } else { "FAIL" }, settings.name, member.flavor);
    for miss in &misses {
        lines.push_str(&format!("        {miss}\n"));
    }
    lines.push_str(&format!("        {}\n", directory.display()));
    output::print(&lines)?;
    Ok(if misses.is_empty() { Exit::Fine } else { Exit::Findings })
}

/// A scenario's settings on one server, and what it expects.
fn settings(typed: &Test, scenario: &Path, server: Option<Flavor>) -> Result<(Settings, Expect)> {
    let run = Run {
        scenario: Some(scenario.to_owned()),
        production: Production { server, ..Production::default() },
        place: typed.place.clone(),
        scale: typed.scale,
        ..Run::default()
    };
    let Resolved { mut settings, .. } = resolve(&run)?;
    let Some(expect) = settings.expect.clone() else {
        bail!(
            anyhow!("hint: `rehearse run --scenario` runs one that expects nothing.")
                .context(BadInput::new(format!("the scenario {} has no `expect:` to be held to", scenario.display())))
        );
    };
    let flavor = settings.server.map_or("any".to_owned(), |flavor| flavor.to_string().replace(':', "-"));
    settings.out = typed.out.join(&settings.name).join(flavor);
    Ok((settings, expect))
}

/// The servers asked for: `--server`, else `REHEARSE_SERVERS`, else each scenario's own.
fn servers(typed: &Test) -> Result<Vec<Option<Flavor>>> {
    if !typed.server.is_empty() {
        return Ok(typed.server.iter().copied().map(Some).collect());
    }
    let Some(named) = variable("REHEARSE_SERVERS") else { return Ok(vec![None]) };
    let names = named.split([' ', ',']).filter(|name| !name.is_empty());
    let read =
        |name: &str| name.parse().map(Some).map_err(|error| BadInput::new(format!("REHEARSE_SERVERS: {error}")).into());
    names.map(read).collect()
}

/// The scenario files that were named, and those in the directories that were.
fn scenarios(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in named {
        let own = scenario_file(path);
        if own.is_file() || !path.is_dir() {
            found.push(own);
            continue;
        }
        let unreadable = || BadInput::new(format!("cannot read the directory {}", path.display()));
        let mut below = Vec::new();
        for entry in fs::read_dir(path).with_context(unreadable)? {
            let file = entry.with_context(unreadable)?.path().join("scenario.yaml");
            if file.is_file() {
                below.push(file);
            }
        }
        if below.is_empty() {
            bail!(BadInput::new(format!("no scenario.yaml in {}, nor in the directories in it", path.display())));
        }
        below.sort();
        found.extend(below);
    }
    Ok(found)
}

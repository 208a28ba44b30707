//! Gets the stage ready: production's survey, a sandbox that holds as many rows, and the state that every experiment
//! starts from.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::bad_input;
use super::settings::{Production, Settings};
use crate::artifact;
use crate::problem;
use crate::progress::{Progress, Unit};
use crate::quantity::{grouped, seconds};
use crate::replay::record::ExperimentKind;
use crate::sandbox::{self, Instance, Sandbox};
use crate::seed;
use crate::seed::record::Seeding;
use crate::server::flavor::Flavor;
use crate::server::role::Role;
use crate::sql::record::TableName;
use crate::sql::script::{Options, Script};
use crate::survey;
use crate::survey::record::{Basis, Fingerprint, Survey, TableFacts};

/// The format of seeded stores: raised whenever the generator would make other rows.
const STORE_FORMAT: u32 = 3;

/// A sandbox that stands at its checkpoint, and what it stands in for.
pub struct Stage {
    /// The servers.
    pub sandbox: Sandbox,
    /// Production as it is rehearsed: its shape, read from the filled sandbox, with production's own row counts.
    pub survey: Survey,
    /// What could not be filled as asked, in sentences.
    pub notes: Vec<String>,
    /// Share of production's rows that the sandbox has.
    pub scale: f64,
    /// The database in use when the upgrade begins.
    pub database: String,
    /// Tables that are probed besides those that the upgrade touches.
    pub extra_probes: Vec<TableName>,
    /// Go on after a statement that failed.
    pub keep_going: bool,
    /// The rows came from a dump.
    pub is_dump: bool,
    /// The experiments that ran, in order.
    pub ran: Vec<Ran>,
}

/// One line of the report's list of experiments.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The experiment's id.
    pub id: String,
    /// What it was for.
    pub kind: ExperimentKind,
    /// The statement it was about.
    pub statement: Option<String>,
    /// From its first statement to its last.
    pub seconds: f64,
    /// Every statement ended well.
    pub completed: bool,
}

impl Stage {
    /// Takes the counts of tables that nobody stated anything of (the schema file's own rows, a dump's) from what the
    /// sandbox holds.
    pub fn count_unstated(&mut self, before: &Fingerprint) {
        for (name, table) in &mut self.survey.tables {
            let unstated = table.rows_basis == Basis::Estimated && self.is_dump || table.rows == 0;
            if let Some(print) = before.tables.get(name).filter(|_| unstated) {
                table.rows = print.rows;
                table.rows_basis = Basis::Measured;
            }
        }
    }

    /// The server's own flavour and full version.
    pub fn flavor(&self) -> Flavor {
        self.survey.server.flavor
    }
}

/// Starts a sandbox of production's flavour and settings and fills it to production's size, or takes it from the cache.
///
/// # Errors
/// When an input is missing or wrong, when no server can be had, or when filling fails.
pub fn set(settings: &Settings, progress: &dyn Progress) -> Result<Stage> {
    let production = &settings.production;
    let surveyed = production.survey.as_deref().map(|path| survey::file::load(path).map_err(bad_input)).transpose()?;
    let flavor = settings.server.or(surveyed.as_ref().map(|survey| survey.server.flavor));
    let schema = production.schema.as_deref().map(|path| schema_script(settings, path, flavor)).transpose()?;
    if schema.is_none() && surveyed.is_none() && production.data.is_none() {
        return Err(bad_input(anyhow::anyhow!(
            "nothing says what production holds: give --schema FILE with --rows TABLE=N, or --survey FILE, or --data DUMP"
        )));
    }
    let request = sandbox::Request {
        flavor,
        kind: settings.sandbox.clone(),
        image: settings.image.clone(),
        settings: production_settings(settings, surveyed.as_ref()),
        cache: None,
        key: store_key(settings, surveyed.as_ref(), schema.as_ref())?,
        keep_cache: settings.cache,
    };
    let mut seeding = Seeding::default();
    let sandbox = Sandbox::prepare(
        &request,
        &mut |instance| fill(instance, production, surveyed.as_ref(), schema.as_ref(), &mut seeding, progress),
        progress,
    )?;
    tell_speed(&seeding, progress);
    let survey = read_back(&sandbox, settings, surveyed.as_ref(), progress)?;
    let extra_probes = known_tables("--probe", settings.probes.iter(), &production.database, &survey)?;
    Ok(Stage {
        notes: sandbox.facts().notes.clone(),
        sandbox,
        survey,
        scale: production.scale,
        database: production.database.clone(),
        extra_probes,
        keep_going: settings.keep_going,
        is_dump: production.data.is_some(),
        ran: Vec::new(),
    })
}

/// Tells how fast the rows were made; nothing when the store came from the cache.
fn tell_speed(seeding: &Seeding, progress: &dyn Progress) {
    let rows: u64 = seeding.tables.values().map(|filled| filled.rows).sum();
    let time: f64 = seeding.tables.values().map(|filled| filled.seconds).sum();
    if rows > 0 && time > 0.0 {
        let speed = grouped((rows as f64 / time) as u64);
        progress.note(&format!("filled {} rows in {}: {speed} rows/s, indexes included", grouped(rows), seconds(time)));
    }
}

/// The schema file as a script; its errors are the person's to mend.
fn schema_script(settings: &Settings, path: &std::path::Path, flavor: Option<Flavor>) -> Result<Script> {
    let options = Options {
        variables: settings.variables.clone(),
        database: settings.production.database.clone(),
        flavor: flavor.unwrap_or(super::DEFAULT_FLAVOR),
    };
    Script::from_files(&[path.to_owned()], options).context("cannot use the schema").map_err(bad_input)
}

/// Production's global settings: the survey's, and what the scenario sets over them.
fn production_settings(settings: &Settings, surveyed: Option<&Survey>) -> BTreeMap<String, String> {
    let mut all = surveyed.map(|survey| survey.server.settings.clone()).unwrap_or_default();
    all.extend(settings.settings.clone());
    all
}

/// All that a seeded store is made from, besides the engine and its settings.
fn store_key(settings: &Settings, surveyed: Option<&Survey>, schema: Option<&Script>) -> Result<String> {
    let production = &settings.production;
    let mut key = format!("format {STORE_FORMAT}\ndatabase {}\nscale {}\n", production.database, production.scale);
    if let Some(most) = production.at_most {
        key.push_str(&format!("at most {most}\n"));
    }
    for (table, rows) in &production.rows {
        key.push_str(&format!("rows {table} {}\n", rows.0));
    }
    if let Some(schema) = schema {
        key.push_str(&format!("schema {}\n", schema.digest().map_err(bad_input)?));
    }
    if let Some(survey) = surveyed {
        key.push_str(&artifact::to_yaml(survey)?);
    }
    if let Some(data) = &production.data {
        let facts =
            std::fs::metadata(data).with_context(|| format!("cannot read {}", data.display())).map_err(bad_input)?;
        key.push_str(&format!("data {} {} {:?}\n", data.display(), facts.len(), facts.modified().ok()));
    }
    Ok(artifact::sha256(&key))
}

/// Fills a fresh server: the schema or the survey's tables, then rows or the dump. Answers with what could not be filled.
fn fill(
    instance: &Instance,
    production: &Production,
    surveyed: Option<&Survey>,
    schema: Option<&Script>,
    seeding: &mut Seeding,
    progress: &dyn Progress,
) -> Result<Vec<String>> {
    if let Some(schema) = schema {
        progress.stage("creating the schema", Unit::Waiting, None);
        seed::schema::run_file(instance, schema, &production.database).map_err(bad_input)?;
    }
    if let Some(dump) = &production.data {
        seed::dump::load(instance, dump, &production.database, progress)?;
        return Ok(Vec::new());
    }
    let shape = match surveyed {
        Some(survey) => survey.clone(),
        // The date of a reading of our own server is none of production's: rows must not change with it.
        None => Survey { taken: None, ..read_shape(instance, progress)? },
    };
    let rows = wanted_rows(production, surveyed, &shape)?;
    *seeding = seed::fill(instance, &shape, &rows, progress)?;
    if let Some(schema) = schema {
        // What the file itself puts into tables that are not filled (settings, codes) belongs to the schema.
        let own: BTreeSet<TableName> =
            rows.iter().filter(|(_, rows)| **rows == 0).map(|(name, _)| name.clone()).collect();
        seed::schema::run_rows(instance, schema, &production.database, &own).map_err(bad_input)?;
    }
    Ok(seeding.unseedable.iter().map(|(table, why)| format!("{table}: {why}")).collect())
}

/// The survey's counts, and over them what the person said, at the scale asked for.
fn wanted_rows(production: &Production, surveyed: Option<&Survey>, shape: &Survey) -> Result<BTreeMap<TableName, u64>> {
    let stated = stated_rows(production, shape)?;
    let mut rows = BTreeMap::new();
    for (name, table) in &shape.tables {
        let count = stated.get(name).copied().or(surveyed.is_some().then_some(table.rows)).unwrap_or(0);
        rows.insert(name.clone(), scaled(count, production));
    }
    Ok(rows)
}

/// `count` at the scale asked for; what is not empty stays so.
fn scaled(count: u64, production: &Production) -> u64 {
    let rows = (count as f64 * production.scale).round() as u64;
    let rows = production.at_most.map_or(rows, |most| rows.min(most));
    if count > 0 { rows.max(1) } else { 0 }
}

/// What `--rows` and the scenario say, with each table found in the schema.
fn stated_rows(production: &Production, shape: &Survey) -> Result<BTreeMap<TableName, u64>> {
    let names = known_tables("--rows", production.rows.keys(), &production.database, shape)?;
    Ok(names.into_iter().zip(production.rows.values().map(|count| count.0)).collect())
}

/// The tables that a person named, as the schema spells them.
pub(super) fn known_tables<'a>(
    option: &str,
    named: impl Iterator<Item = &'a String>,
    database: &str,
    shape: &Survey,
) -> Result<Vec<TableName>> {
    let mut found = Vec::new();
    for text in named {
        let wanted = TableName::parse(text, database).map_err(|why| bad_input(anyhow::anyhow!(why)))?;
        let same = |name: &&TableName| {
            name.database.eq_ignore_ascii_case(&wanted.database) && name.table.eq_ignore_ascii_case(&wanted.table)
        };
        match shape.tables.keys().find(same) {
            Some(name) => found.push(name.clone()),
            None => return Err(bad_input(no_such_table(option, &wanted, shape))),
        }
    }
    Ok(found)
}

fn no_such_table(option: &str, wanted: &TableName, shape: &Survey) -> anyhow::Error {
    let names: Vec<String> = shape.tables.keys().map(TableName::to_string).collect();
    let error = anyhow::anyhow!("{option} names the table {wanted}, which the schema does not have");
    match problem::nearest(&wanted.to_string(), names.iter().map(String::as_str)) {
        Some(name) => error.context(format!("hint: Did you mean {name}?")),
        None => error.context(format!("hint: The schema has {}.", names.join(", "))),
    }
}

/// The shape of what the server holds now.
fn read_shape(instance: &Instance, progress: &dyn Progress) -> Result<Survey> {
    let mut reader = instance.reader(Role::Surveyor).context("cannot look at the sandbox")?;
    survey::read::survey(&mut reader, &survey::read::Options::default(), progress)
}

/// Gives a table of the sandbox production's size: the surveyed one, else the sandbox's own by production's rows.
fn size_as_production(table: &mut TableFacts, rows: u64, surveyed: Option<&TableFacts>) {
    let (data, index, of) = match surveyed.filter(|facts| facts.data_bytes > 0 && facts.rows > 0) {
        Some(facts) => (facts.data_bytes, facts.index_bytes, facts.rows),
        None => (table.data_bytes, table.index_bytes, table.rows),
    };
    // A few rows take a whole page; and the server's estimate is no reason to make a table smaller than it is.
    let times = if of > 0 { (rows as f64 / of as f64).max(1.0) } else { 1.0 };
    table.data_bytes = (data as f64 * times) as u64;
    table.index_bytes = (index as f64 * times) as u64;
}

/// The filled sandbox's shape with production's counts: what everything after this is judged by.
fn read_back(
    sandbox: &Sandbox,
    settings: &Settings,
    surveyed: Option<&Survey>,
    progress: &dyn Progress,
) -> Result<Survey> {
    progress.stage("reading the sandbox", Unit::Waiting, None);
    let mut shape = read_shape(sandbox.instance(), progress)?;
    let stated = stated_rows(&settings.production, &shape)?;
    for (name, table) in &mut shape.tables {
        let facts = surveyed.and_then(|survey| survey.tables.get(name));
        let (rows, basis) = match (stated.get(name), facts) {
            (Some(rows), _) => (*rows, Basis::Stated),
            (None, Some(facts)) => (facts.rows, facts.rows_basis),
            (None, None) if settings.production.data.is_some() => (table.rows, Basis::Estimated),
            (None, None) => (0, Basis::Stated),
        };
        size_as_production(table, rows, facts);
        table.rows = rows;
        table.rows_basis = basis;
    }
    if let Some(survey) = surveyed {
        shape.server.settings = survey.server.settings.clone();
        shape.server.long_transactions = survey.server.long_transactions.clone();
    }
    Ok(shape)
}

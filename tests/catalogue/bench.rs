//! One server per flavour, with filled databases to copy from, on which scripts are run and judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use mysql_rehearsal::advise::catalogue::SCHEMA;
use mysql_rehearsal::advise::{Case, judge};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::replay::experiment::Experiment;
use mysql_rehearsal::replay::record::{ExperimentKind, Outcome, TableChange, TableChanges};
use mysql_rehearsal::sandbox::{Instance, Kind, Request, Sandbox};
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::Writer;
use mysql_rehearsal::sql::record::{TableName, quote_identifier};
use mysql_rehearsal::sql::script::{Options, Script};
use mysql_rehearsal::survey::read;
use mysql_rehearsal::survey::record::Survey;
use mysql_rehearsal::{replay, seed};

use super::pairs::Pair;

/// MySQL in a container, MariaDB as a process.
pub const SERVERS: [&str; 2] = ["mysql:9.7", "mariadb:10.11"];

/// Rows of each table, but `page_views`.
const ROWS: u64 = 12_000;
/// Rows of `page_views`: more than one statement should change.
const VIEWS: u64 = 30_000;
/// Rows of `page_views` where waits are to be seen.
const MANY_VIEWS: u64 = 250_000;
/// Rows of a table that the script has nothing to do with.
const FEW: u64 = 50;
/// Seconds of probes before the first statement.
const STEADY: f64 = 0.4;

/// What the judge said of a script.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Rules that found something.
    pub rules: BTreeSet<String>,
    /// All findings, for the message of a miss.
    pub findings: String,
    /// The first statement that did not end well.
    pub failed: Option<String>,
    /// How long it took, on its server.
    pub took: Duration,
}

/// The servers, each started when a trial first asks. A script runs alone on its server.
#[derive(Default)]
pub struct Servers {
    benches: [Mutex<Option<Result<Bench, String>>>; 2],
    /// Experiments with probes measure: one at a time.
    measuring: Mutex<()>,
}

impl Servers {
    /// Runs a script on a server and judges it.
    pub fn judge(&self, server: &str, pair: &Pair, sql: &str) -> Result<Judged> {
        let place = SERVERS.iter().position(|one| *one == server).context("no such server")?;
        let mut slot = lock(&self.benches[place]);
        let bench = slot.get_or_insert_with(|| Bench::start(server).map_err(|error| format!("{error:#}")));
        let bench = bench.as_mut().map_err(|error| anyhow!("{error}\nfixtures/servers/get gets {server}."))?;
        let _alone = pair.loud.then(|| lock(&self.measuring));
        let begin = Instant::now();
        let judged = bench.judge(pair, sql)?;
        Ok(Judged { took: begin.elapsed(), ..judged })
    }

    /// Ends the servers.
    pub fn end(&self) {
        for bench in &self.benches {
            *lock(bench) = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Bench {
    sandbox: Sandbox,
    /// The filled databases, by their rows of `page_views`.
    filled: BTreeMap<u64, String>,
    databases: u32,
}

impl Bench {
    fn start(server: &str) -> Result<Self> {
        let process = server.starts_with("mariadb");
        // What a production server has and MySQL's defaults are: a binary log of rows, whose writing stalls commits.
        let binlog = [("log_bin", "ON"), ("binlog_format", "ROW")].map(|(name, value)| (name.into(), value.into()));
        let settings = if process { binlog.into() } else { BTreeMap::new() };
        let request = Request {
            flavor: Some(server.parse()?),
            kind: if process { Kind::Process } else { Kind::Container },
            image: None,
            settings,
            cache: None,
            key: String::new(),
            keep_cache: false,
        };
        let sandbox = Sandbox::prepare(&request, &mut |_| Ok(Vec::new()), &Silent)?;
        Ok(Self { sandbox, filled: BTreeMap::new(), databases: 0 })
    }

    fn instance(&self) -> &Instance {
        self.sandbox.instance()
    }

    fn judge(&mut self, pair: &Pair, sql: &str) -> Result<Judged> {
        let model = self.filled(if pair.large { MANY_VIEWS } else { VIEWS })?;
        self.databases += 1;
        let database = format!("pair_{}", self.databases);
        let script = script(self.instance(), sql, &database);
        self.copy(&model, &database, &script, pair.small)?;
        let judged = self.rehearse(pair, &script, &database).with_context(|| format!("cannot rehearse:\n{sql}"));
        let mut keeper = self.instance().writer(Role::Keeper)?;
        keeper.execute(&format!("DROP DATABASE {database}"))?;
        judged
    }

    /// The database with so many rows of `page_views`, filled when it is first asked for.
    fn filled(&mut self, views: u64) -> Result<String> {
        if let Some(name) = self.filled.get(&views) {
            return Ok(name.clone());
        }
        let name = format!("model_{views}");
        let instance = self.instance();
        create(instance, &name)?;
        let shape = survey(instance, &name)?;
        let rows = |table: &TableName| if table.table == "page_views" { views } else { ROWS };
        let rows = shape.tables.keys().map(|table| (table.clone(), rows(table))).collect();
        let seeding = seed::fill(instance, &shape, &rows, &Silent)?;
        if let Some((table, why)) = seeding.unseedable.first() {
            bail!("cannot fill {table}: {why}");
        }
        self.filled.insert(views, name.clone());
        Ok(name)
    }

    /// A database of its own for a script: the tables that it touches, and what refers to them, with all rows, unless few
    /// are wanted.
    fn copy(&self, model: &str, database: &str, script: &Script, small: bool) -> Result<()> {
        let instance = self.instance();
        create(instance, database)?;
        let shape = survey(instance, database)?;
        let mut writer = instance.writer(Role::Seeder)?;
        writer.execute("SET sql_log_bin = 0")?;
        writer.execute("SET foreign_key_checks = 0")?;
        writer.execute("SET unique_checks = 0")?;
        let touched = touched(script, &shape)?;
        for table in shape.tables.keys() {
            let limit = if touched.contains(table) && !small { String::new() } else { format!(" LIMIT {FEW}") };
            let source = TableName::new(model, &table.table).quoted();
            let own = table.quoted();
            writer.execute(&format!("INSERT INTO {own} SELECT * FROM {source}{limit}"))?;
            writer.execute(&format!("ANALYZE NO_WRITE_TO_BINLOG TABLE {own}"))?;
        }
        Ok(())
    }

    fn rehearse(&self, pair: &Pair, script: &Script, database: &str) -> Result<Judged> {
        let instance = self.instance();
        let mut shape = survey(instance, database)?;
        for (name, value) in &pair.settings {
            shape.server.settings.insert((*name).to_owned(), (*value).to_owned());
        }
        let mut changes = TableChanges::new();
        for (table, facts) in &shape.tables {
            let before = TableChange { rows_before: Some(facts.rows), ..TableChange::default() };
            changes.insert(table.clone(), before);
        }
        let experiment = Experiment {
            loud: pair.loud,
            steady: STEADY,
            ..Experiment::quiet("pair", ExperimentKind::Upgrade, script, database)
        };
        let rehearsal = replay::run(&experiment, instance, &shape, &Silent)?;
        let findings = judge(&Case {
            survey: &shape,
            changes: &changes,
            loud: &rehearsal,
            quiet: &[],
            trials: &[],
            drills: &[],
            budget: &pair.budget,
            allow: &[],
            today: "2026-11-20",
            flavor: instance.flavor(),
            severity: &BTreeMap::new(),
        });
        let failed = rehearsal.observations.iter().find(|seen| seen.outcome != Outcome::Done);
        let failed = failed.map(|seen| {
            let fault = seen.outcome.fault().map_or_else(|| "was not run".to_owned(), ToString::to_string);
            format!("{}: {fault}", seen.statement.text)
        });
        let lines: Vec<String> = findings
            .findings
            .iter()
            .map(|one| format!("  {} {}: {}", one.rule, one.statement.as_deref().unwrap_or("-"), one.message))
            .chain(rehearsal.observations.iter().map(|seen| {
                let (id, footprint) = (&seen.statement.id, &seen.footprint);
                format!("  {id}: {:.3} s, commit {:?} s, {footprint:?}", seen.seconds, seen.commit_seconds)
            }))
            .collect();
        Ok(Judged {
            rules: findings.findings.into_iter().map(|finding| finding.rule).collect(),
            findings: lines.join("\n"),
            failed,
            took: Duration::ZERO,
        })
    }
}

/// A database with the catalogue's schema, empty.
fn create(instance: &Instance, database: &str) -> Result<()> {
    let mut writer: Writer = instance.writer(Role::Keeper)?;
    writer.execute(&format!("CREATE DATABASE {}", quote_identifier(database)))?;
    writer.use_database(database)?;
    for action in script(instance, SCHEMA, database).actions()? {
        writer.execute(&action?.statement().text)?;
    }
    Ok(())
}

fn script(instance: &Instance, sql: &str, database: &str) -> Script {
    let options = Options { variables: BTreeMap::new(), database: database.to_owned(), flavor: instance.flavor() };
    Script::from_text("pair.sql", sql, options)
}

fn survey(instance: &Instance, database: &str) -> Result<Survey> {
    let mut reader = instance.reader(Role::Surveyor)?;
    let options = read::Options { databases: vec![database.to_owned()], exact: true, ..read::Options::default() };
    read::survey(&mut reader, &options, &Silent)
}

/// The tables that the script touches, and those that foreign keys join to them.
fn touched(script: &Script, shape: &Survey) -> Result<BTreeSet<TableName>> {
    let mut touched = BTreeSet::new();
    for action in script.actions()? {
        touched.extend(action?.statement().reading.effect.tables());
    }
    let keys = || shape.tables.iter().flat_map(|(child, facts)| facts.foreign_keys.iter().map(move |key| (child, key)));
    loop {
        let joined = keys().filter(|(child, key)| touched.contains(*child) != touched.contains(&key.parent));
        let joined: Vec<TableName> = joined.flat_map(|(child, key)| [child.clone(), key.parent.clone()]).collect();
        if joined.is_empty() {
            return Ok(touched);
        }
        touched.extend(joined);
    }
}

//! What surrounds the run itself: which tables are probed, our own table, the wait until the server is at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::experiment::Experiment;
use crate::progress::{Progress, Unit};
use crate::sandbox::Instance;
use crate::server::fault::Fault;
use crate::server::role::Role;
use crate::server::session::Writer;
use crate::sql::record::{Confidence, TableName};
use crate::survey::closure;
use crate::survey::record::Survey;
use crate::watch::footprint::Counters;
use crate::watch::probe_plan::{COMMIT_TABLE, PROBE_DATABASE};
use crate::watch::record::Entry;
use crate::watch::witness::Witness;

/// Tables that are probed at most.
const TABLES: usize = 16;
/// Connections that the server must have room for: up to 92 probes beside everything else.
const CONNECTIONS: u64 = 400;
/// How long the server is given to come to rest.
const PATIENCE: f64 = 300.0;
/// Cores that an idle server uses at most.
const IDLE: f64 = 0.1;

/// The script's slice, looked through once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Actions in it.
    pub actions: u64,
    /// Tables to probe, nearest first.
    pub tables: Vec<TableName>,
    /// Tables that would have been, and are too many.
    pub left_out: Vec<TableName>,
}

/// Looks a script through for what to probe.
///
/// # Errors
/// The script's own, with file and line.
pub fn scope(experiment: &Experiment<'_>, survey: &Survey) -> Result<Scope> {
    let mut named = BTreeSet::new();
    let (mut actions, mut unknown) = (0, false);
    let skip = usize::try_from(experiment.skip).unwrap_or(usize::MAX);
    let take = experiment.take.map_or(usize::MAX, |take| usize::try_from(take).unwrap_or(usize::MAX));
    for action in experiment.script.actions()?.skip(skip).take(take) {
        let action = action?;
        actions += 1;
        let reading = &action.statement().reading;
        named.extend(reading.effect.tables());
        unknown |= reading.confidence == Confidence::Unknown && reading.effect.tables().is_empty();
    }
    let mut order: Vec<TableName> = match &experiment.probe_tables {
        Some(tables) => tables.clone(),
        None => {
            let related = closure::related(survey, &named);
            closure::in_order(&related).into_iter().map(|(table, _)| table).collect()
        }
    };
    if (unknown || order.is_empty()) && experiment.probe_tables.is_none() {
        // Nobody knows what it touches: it may be anything.
        order.extend(survey.tables.keys().cloned());
    }
    let mut tables = Vec::new();
    for table in experiment.extra_probes.iter().cloned().chain(order) {
        if survey.tables.contains_key(&table) && !tables.contains(&table) {
            tables.push(table);
        }
    }
    let left_out = tables.split_off(tables.len().min(TABLES));
    Ok(Scope { actions, tables, left_out })
}

/// Each table with those that foreign keys and triggers tie to it, in both directions.
pub fn neighbours(survey: &Survey) -> BTreeMap<TableName, BTreeSet<TableName>> {
    let mut ties: BTreeMap<TableName, BTreeSet<TableName>> = BTreeMap::new();
    let mut tie = |a: &TableName, b: &TableName| {
        if a != b {
            ties.entry(a.clone()).or_default().insert(b.clone());
            ties.entry(b.clone()).or_default().insert(a.clone());
        }
    };
    for (child, facts) in &survey.tables {
        for key in &facts.foreign_keys {
            tie(child, &key.parent);
        }
    }
    for trigger in survey.triggers.values() {
        for touched in &trigger.touches {
            tie(&trigger.table, touched);
        }
    }
    ties
}

/// Makes our own table, which the commit probe updates, and room for the probes' connections.
///
/// # Errors
/// The server's fault.
pub fn prepare_probes(keeper: &mut Writer) -> Result<(), Fault> {
    let table = TableName::new(PROBE_DATABASE, COMMIT_TABLE).quoted();
    keeper.execute(&format!("CREATE DATABASE IF NOT EXISTS {PROBE_DATABASE}"))?;
    keeper.execute(&format!(
        "CREATE TABLE IF NOT EXISTS {table} (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL) ENGINE = InnoDB"
    ))?;
    keeper.execute(&format!("REPLACE INTO {table} VALUES (1, 0)"))?;
    let connections = keeper.first::<(u64,)>("SELECT @@GLOBAL.max_connections")?.map_or(0, |(most,)| most);
    if connections < CONNECTIONS {
        keeper.execute(&format!("SET GLOBAL max_connections = {CONNECTIONS}"))?;
    }
    Ok(())
}

/// Removes our own table.
///
/// # Errors
/// The server's fault.
pub fn remove_probes(keeper: &mut Writer) -> Result<(), Fault> {
    keeper.execute(&format!("DROP DATABASE IF EXISTS {PROBE_DATABASE}")).map(drop)
}

/// The time that all quiet runs of this process take for now: the original's and its alternatives' must be the same.
pub fn frozen_time() -> u64 {
    static TIME: OnceLock<u64> = OnceLock::new();
    *TIME.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1_700_000_000, |since| since.as_secs()))
}

/// Waits until the server is at rest again: the undo history is as short as before, and it uses no processor any more,
/// for after a mass DELETE the purge goes on long after the history list has gone (engines.md). Returns what was waited
/// for.
///
/// # Errors
/// The loss of the connection, or an interrupt.
pub fn settle(instance: &Instance, witness: &Witness, before: Option<u64>, progress: &dyn Progress) -> Result<String> {
    let mut reader = instance.reader(Role::Watcher).context("cannot watch the server come to rest")?;
    let clock = witness.clock();
    let begin = clock.now();
    let (mut calm, mut last_cpu, mut last_at) = (0_u32, instance.cpu_seconds(), begin);
    progress.stage("waiting until the server is at rest", Unit::Waiting, None);
    loop {
        progress.check()?;
        std::thread::sleep(Duration::from_millis(500));
        let counters = Counters::read(&mut reader).context("cannot watch the server come to rest")?;
        let (now, cpu) = (clock.now(), instance.cpu_seconds());
        let used = cpu.zip(last_cpu).map(|(cpu, last)| (cpu - last) / (now - last_at));
        (last_cpu, last_at) = (cpu, now);
        for (series, value) in [("history_list", counters.history_list.map(|value| value as f64)), ("server_cpu", used)]
        {
            if let Some(value) = value {
                witness.timeline().add(&Entry::Sample { at: now, series: series.to_owned(), value });
            }
        }
        calm = if used.is_none_or(|used| used < IDLE) { calm + 1 } else { 0 };
        if let Some(note) = at_rest(calm, counters.history_list, before, used.is_some()) {
            return Ok(note);
        }
        if now - begin > PATIENCE {
            let list = counters.history_list.map_or_else(|| "unknown".to_owned(), |length| length.to_string());
            let used = used.map_or_else(|| "unknown".to_owned(), |used| format!("{used:.1} cores"));
            return Ok(format!("gave up after {PATIENCE:.0} s: history list {list}, processor {used}"));
        }
    }
}

/// Why the server counts as at rest after so many calm looks in a row; none while it does not. A short list that stays is
/// no work left: MySQL trims what is purged only now and then (187 entries stood for 24 s on an idle 9.7).
fn at_rest(calm: u32, list: Option<u64>, before: Option<u64>, sees_processor: bool) -> Option<String> {
    let Some(list) = list else {
        return (calm >= 3).then(|| "the server does not tell its history list".to_owned());
    };
    let back = list <= before.unwrap_or(0) + 100;
    match (back, sees_processor) {
        (true, false) if calm >= 3 => {
            Some("history list back; the server's processor time cannot be seen from here".to_owned())
        }
        (true, true) if calm >= 3 => Some("purge done".to_owned()),
        (false, true) if calm >= 6 && list < 1_000 => Some("purge done".to_owned()),
        (false, true) if calm >= 40 => {
            Some(format!("the server is idle, but its history list stays at {list}: something holds purge up"))
        }
        _ => None,
    }
}

//! What each step asks of the server: room, limits, privileges. As measured in the sandbox, at its size.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::input::Input;
use super::privileges::needs;
use super::protection::Protection;
use super::record::{Backup, Identity, Way};
use super::unit::Unit;
use crate::replay::record::Observation;
use crate::sql::record::{Action, TableName};
use crate::survey::record::Survey;

/// What one step asks of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// The step.
    pub step: String,
    /// Tables whose size decides how much the rest is.
    pub tables: BTreeSet<TableName>,
    /// Binary log of its largest transaction, in bytes; none where nobody measured it.
    #[serde(default)]
    pub transaction_bytes: Option<u64>,
    /// Binary log in all, in bytes.
    #[serde(default)]
    pub binlog_bytes: Option<u64>,
    /// What the data directory grew by at its highest, in bytes.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
    /// Tables that it writes anew.
    #[serde(default)]
    pub rebuilds: BTreeSet<TableName>,
    /// Tables of whose rows it copies those that it changes, each with their share of all rows.
    #[serde(default)]
    pub copies: BTreeMap<TableName, f64>,
    /// Its longest statement, in bytes.
    pub statement_bytes: u64,
    /// Its longest statement, in seconds.
    pub statement_seconds: f64,
    /// Privileges that it and its backup need: `ALTER on app.orders`.
    pub privileges: Vec<String>,
}

/// What a unit asks for.
pub(super) fn of(input: &Input<'_>, unit: &Unit<'_>, id: &str, protections: &[Protection]) -> Demand {
    let seen = observations(input, unit);
    let copies = protections.iter().any(|protection| protection.within.is_some());
    // A copy of the rows, made in the same transaction, is written to the binary log besides.
    let times = if copies { 2 } else { 1 };
    let actions = unit.actions();
    let all: Option<u64> = seen.iter().map(|one| one.footprint.binlog_bytes).sum();
    let texts = unit.statements().map(|statement| statement.text.len() as u64).max();
    let mut privileges: BTreeSet<String> = actions
        .iter()
        .flat_map(|action| needs(action.statement(), input.flavor))
        .map(|need| need.to_string())
        .collect();
    for protection in protections {
        privileges.extend(of_backup(protection));
    }
    if actions.iter().any(|action| matches!(action, Action::Walk(_))) || copies {
        // Its script for the stock client is a procedure.
        let database = unit.database();
        privileges.extend(
            ["CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE"].map(|one| format!("{one} on {database}.* (by hand)")),
        );
    }
    Demand {
        step: id.to_owned(),
        tables: actions
            .iter()
            .flat_map(|action| action.statement().reading.effect.tables())
            .filter(|table| input.survey.tables.contains_key(table))
            .collect(),
        transaction_bytes: largest_transaction(&seen, &actions, input).map(|bytes| bytes * times),
        binlog_bytes: all.map(|bytes| bytes * times),
        disk_bytes: seen.iter().filter_map(|one| one.footprint.disk_bytes).max(),
        rebuilds: seen
            .iter()
            .filter(|one| one.ddl.as_ref().is_some_and(|ddl| ddl.rebuilds))
            .flat_map(|one| one.statement.reading.effect.defines.iter().cloned())
            .filter(|table| input.survey.tables.contains_key(table))
            .collect(),
        copies: copied(input, unit, protections),
        statement_bytes: texts.unwrap_or_default(),
        statement_seconds: seen.iter().map(|one| one.longest_seconds).fold(0.0, f64::max),
        privileges: privileges.into_iter().collect(),
    }
}

/// What was seen of it alone, where that was; with probes else.
fn observations<'a>(input: &Input<'a>, unit: &Unit<'a>) -> Vec<&'a Observation> {
    if let Some(trial) = unit.trial {
        return if trial.quiet.is_empty() { trial.loud.iter() } else { trial.quiet.iter() }.collect();
    }
    let alone = |loud: &&'a Observation| input.quiet.iter().find(|quiet| quiet.statement.id == loud.statement.id);
    unit.observations.iter().map(|loud| alone(loud).unwrap_or(loud)).collect()
}

/// The share of its rows that a table has copied by the step itself, of what the sandbox showed.
fn copied(input: &Input<'_>, unit: &Unit<'_>, protections: &[Protection]) -> BTreeMap<TableName, f64> {
    let changed: u64 = unit.observations.iter().map(|seen| seen.rows.matched.unwrap_or(seen.rows.affected)).sum();
    let share = |table: &TableName| {
        let before = input.changes.get(table).and_then(|change| change.rows_before).filter(|rows| *rows > 0);
        before.map_or(1.0, |rows| (changed as f64 / rows as f64).min(1.0))
    };
    let within = protections.iter().filter(|protection| protection.within.is_some());
    within.map(|protection| (protection.backup.of.clone(), share(&protection.backup.of))).collect()
}

/// Statements of one transaction count together; of a walk, a batch.
fn largest_transaction(seen: &[&Observation], actions: &[Action], input: &Input<'_>) -> Option<u64> {
    let mut by_transaction: BTreeMap<u32, u64> = BTreeMap::new();
    let mut largest = None;
    for one in seen {
        let Some(bytes) = one.footprint.binlog_bytes else { continue };
        if let Some(transaction) = one.transaction {
            *by_transaction.entry(transaction).or_default() += bytes;
            continue;
        }
        let walk = actions.iter().find_map(|action| match action {
            Action::Walk(walk) if walk.statement.id == one.statement.id || seen.len() == 1 => Some(walk),
            _ => None,
        });
        let parts = match walk {
            Some(walk) => {
                let rows = input.changes.get(&walk.table).and_then(|change| change.rows_before).unwrap_or_default();
                rows / walk.rows.max(1)
            }
            None => one.count,
        };
        largest = largest.max(Some(bytes / parts.max(1)));
    }
    largest.max(by_transaction.into_values().max())
}

/// What the statements that make a backup need.
fn of_backup(protection: &Protection) -> Vec<String> {
    let of = &protection.backup.of;
    match &protection.backup.way {
        Way::RowCopy { copy } | Way::TableCopy { copy } | Way::ColumnCopy { copy, .. } => {
            vec![
                format!("CREATE on {copy}"),
                format!("INSERT on {copy}"),
                format!("SELECT on {copy}"),
                format!("SELECT on {of}"),
            ]
        }
        Way::Dump { .. } => vec![format!("SELECT on {of}"), format!("LOCK TABLES on {}.*", of.database)],
        Way::KeptTable { .. } | Way::Definition => Vec::new(),
    }
}

/// A place where room is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `@@datadir`.
    Data,
    /// Where the binary log is (`@@log_bin_basename`).
    BinaryLog,
    /// `@@tmpdir`, and `@@innodb_tmpdir` where it is set.
    Temporary,
}

/// Room that is needed at the highest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Where.
    pub place: Place,
    /// How much, in bytes; estimated.
    pub bytes: u64,
    /// For what, in words.
    pub why: Vec<String>,
}

/// How many times more there is to do than there was in the sandbox: by the rows of the step's tables, the largest counts.
pub fn enlargement(demand: &Demand, identity: &Identity) -> f64 {
    let of = |table: &TableName| {
        let band = identity.rows.get(table)?;
        let rehearsed = band.rehearsed.filter(|rows| *rows > 0)?;
        Some(band.surveyed as f64 / rehearsed as f64)
    };
    demand.tables.iter().filter_map(of).fold(1.0, f64::max)
}

/// The room that a plan needs at the highest, by place: what is kept adds up, what a step writes anew goes again.
pub fn rooms(demands: &[Demand], identity: &Identity, backups: &[Backup], survey: &Survey) -> Vec<Room> {
    let size = |table: &TableName| survey.tables.get(table).map_or(0, |facts| facts.data_bytes + facts.index_bytes);
    let whole = |backup: &Backup| match &backup.way {
        Way::TableCopy { .. } => size(&backup.of),
        Way::ColumnCopy { .. } => backup.bytes.unwrap_or_else(|| size(&backup.of)),
        _ => 0,
    };
    let shares =
        demands.iter().flat_map(|demand| &demand.copies).map(|(table, share)| (size(table) as f64 * share) as u64);
    let copies: u64 = backups.iter().map(whole).chain(shares).sum();
    let (mut passing, mut passing_step, mut log, mut temporary) = (0_u64, "", 0_u64, 0_u64);
    for demand in demands {
        let times = enlargement(demand, identity);
        let grown = |bytes: u64| (bytes as f64 * times) as u64;
        let anew: u64 = demand.rebuilds.iter().map(size).sum();
        // Undo is of the size of the changes, and the binary log tells that.
        let undo = grown(demand.transaction_bytes.unwrap_or_default());
        let most = anew.max(grown(demand.disk_bytes.unwrap_or_default())).max(undo);
        if most > passing {
            (passing, passing_step) = (most, &demand.step);
        }
        log += grown(demand.binlog_bytes.unwrap_or_default());
        let sorted: u64 =
            demand.rebuilds.iter().filter_map(|table| survey.tables.get(table)).map(|facts| facts.index_bytes).sum();
        temporary = temporary.max(sorted + undo);
    }
    let mut rooms = vec![Room {
        place: Place::Data,
        bytes: copies + passing,
        why: vec![
            format!("{} for what is kept", crate::quantity::bytes(copies)),
            format!(
                "{} at the highest{}",
                crate::quantity::bytes(passing),
                if passing_step.is_empty() { String::new() } else { format!(" ({passing_step})") }
            ),
        ],
    }];
    if log > 0 {
        rooms.push(Room { place: Place::BinaryLog, bytes: log, why: vec!["the binary log of all steps".to_owned()] });
    }
    if temporary > 0 {
        let why = "sorting for indexes, and the cache of the largest transaction".to_owned();
        rooms.push(Room { place: Place::Temporary, bytes: temporary, why: vec![why] });
    }
    rooms
}

/// A limit of the server on one transaction or one statement, with the error that meets who goes beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The variable; 0 lifts those on transactions and times.
    pub variable: &'static str,
    /// What it limits.
    pub of: Limited,
    /// The error's number.
    pub error: u16,
}

/// What a limit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Bytes of binary log of a transaction.
    Transaction,
    /// Bytes of a statement's text.
    Statement,
    /// Seconds of a statement.
    Seconds,
}

/// The limits that refuse what went well on a smaller or another server.
pub const LIMITS: [Limit; 5] = [
    Limit { variable: "max_binlog_cache_size", of: Limited::Transaction, error: 1197 },
    Limit { variable: "group_replication_transaction_size_limit", of: Limited::Transaction, error: 3100 },
    Limit { variable: "wsrep_max_ws_size", of: Limited::Transaction, error: 1180 },
    Limit { variable: "max_allowed_packet", of: Limited::Statement, error: 1153 },
    Limit { variable: "max_statement_time", of: Limited::Seconds, error: 1969 },
];

impl Limited {
    /// What a step needs of it, at a size.
    pub fn needed(self, demand: &Demand, enlargement: f64) -> f64 {
        match self {
            Self::Transaction => demand.transaction_bytes.unwrap_or_default() as f64 * enlargement,
            Self::Statement => demand.statement_bytes as f64,
            Self::Seconds => demand.statement_seconds * enlargement,
        }
    }

    /// The amount in words.
    pub fn words(self, amount: f64) -> String {
        match self {
            Self::Transaction | Self::Statement => crate::quantity::bytes(amount as u64),
            Self::Seconds => crate::quantity::seconds(amount),
        }
    }
}

//! From what a rehearsal showed to a plan.

use std::collections::BTreeMap;

use super::backup::{Protection, Scene, protect};
use super::loss::{self, Loss};
use super::record::{Backup, Cleanup, FORMAT, Identity, Plan, RowBand, Way};
use super::script::{self, Made};
use super::shape::{Shapes, simple};
use super::step::{Covered, Step, StepBody};
use super::unit::{Unit, units};
use super::{guard, impact, preflight, trouble, undo};
use crate::advise::record::{Findings, Trial};
use crate::replay::record::{Observation, TableChanges};
use crate::server::flavor::Flavor;
use crate::sql::record::{Action, Kind, Statement, TableName};
use crate::survey::record::Survey;

/// All that a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What was rehearsed.
    pub name: &'a str,
    /// When and where it was rehearsed, as a sentence: `2026-11-20 in a container of mysql:9.7, all rows`.
    pub rehearsed: &'a str,
    /// Vendor and version.
    pub flavor: Flavor,
    /// The whole version string.
    pub version: &'a str,
    /// Share of production's rows that the sandbox held.
    pub scale: f64,
    /// Digest of the upgrade's statements.
    pub upgrade_digest: &'a str,
    /// How many there are.
    pub upgrade_statements: u64,
    /// Digest of the definitions before the upgrade.
    pub schema_digest: &'a str,
    /// Production.
    pub survey: &'a Survey,
    /// Tables before and after the upgrade.
    pub changes: &'a TableChanges,
    /// What each statement did, with probes.
    pub loud: &'a [Observation],
    /// What each did alone; empty when that run was not made.
    pub quiet: &'a [Observation],
    /// Alternatives that ran; the chosen ones enter the plan.
    pub trials: &'a [Trial],
    /// What was found.
    pub findings: &'a Findings,
    /// Statements by id, with the state of the session that each needs. Of a group of look-alikes all should be here:
    /// the step's script holds them; where one is missing the plan must not be carried out, and says so.
    pub statements: &'a BTreeMap<String, Said>,
}

/// A statement and what its session must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The statement.
    pub statement: Statement,
    /// The database in use.
    pub database: String,
    /// What brings a fresh session to the state that the statement needs, or why that cannot be done: then it must run
    /// in the session of the one before.
    pub preamble: Result<Vec<String>, String>,
}

/// Drafts the plan.
///
/// # Errors
/// A destructive statement that no backup covers: a sentence that names it.
pub fn draft(input: &Input<'_>) -> anyhow::Result<Plan> {
    let (units, left_out, mut blockers) = units(input);
    let mut shapes = Shapes::of(input.survey);
    let mut backups: Vec<Backup> = Vec::new();
    let mut steps = Vec::new();
    let mut made = Vec::new();
    let mut cleanup: Vec<Cleanup> = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let number = index + 1;
        let drafted = step(input, unit, number, &shapes, backups.len())
            .map_err(|why| anyhow::anyhow!("cannot plan {}: {why}", unit.label()))?;
        for statement in unit.statements() {
            shapes.apply(statement);
        }
        for (table, what) in &drafted.leaves {
            if !cleanup.iter().any(|known| known.table == *table) {
                cleanup.push(keep_until(table, what, input.survey));
            }
        }
        blockers.extend(drafted.blockers);
        backups.extend(drafted.backups);
        steps.push(drafted.step);
        made.push(drafted.made);
    }
    blockers.sort();
    blockers.dedup();
    let identity = identity(input);
    let ours: Vec<TableName> = cleanup.iter().map(|item| item.table.clone()).collect();
    let preflight = preflight::checks(input.flavor, input.survey, &identity, &backups, &ours);
    let scripts = script::all(&preflight, &identity, &steps, &made, &cleanup);
    Ok(Plan {
        format: FORMAT.to_owned(),
        name: input.name.to_owned(),
        trouble: trouble::sentences(&steps),
        identity,
        blockers,
        preflight,
        backups,
        steps,
        left_out,
        cleanup,
        sign_off: [
            "Written by",
            "Read by (DBA)",
            "Approved by (owner of the application)",
            "Carried out by, from … to …",
        ]
        .map(str::to_owned)
        .to_vec(),
        scripts,
    })
}

struct Drafted {
    step: Step,
    backups: Vec<Backup>,
    made: Made,
    leaves: Vec<(TableName, String)>,
    blockers: Vec<String>,
}

fn step(input: &Input<'_>, unit: &Unit<'_>, number: usize, shapes: &Shapes, backups: usize) -> Result<Drafted, String> {
    let first = unit.first();
    let alone = if unit.is_single() { simple(first) } else { None };
    let losses = losses(input, unit, shapes);
    let mut protections: Vec<Protection> = Vec::new();
    for loss in &losses {
        let scene = Scene {
            step: number,
            flavor: input.flavor,
            survey: input.survey,
            shapes,
            // Only a statement that the step runs itself, or walks, can take its rows along in its own transaction.
            simple: alone.as_ref().filter(|_| unit.keeps_statement()),
            step_alters: unit.statements().any(|statement| statement.reading.kind == Kind::AlterTable),
            kept: unit.kept(loss),
        };
        // Two losses of one table want one backup when the first covers both.
        if protections.iter().any(|protection| protection.backup.covering(loss).is_some()) {
            continue;
        }
        let id = format!("b{}", backups + protections.len() + 1);
        protections.push(protect(loss, id, &scene));
    }
    let (sql, blockers) = script::step_sql(unit, number, shapes, alone.as_ref(), &protections);
    let existed = |table: &TableName| {
        input.survey.tables.contains_key(table)
            || input.changes.get(table).is_some_and(|change| change.rows_before.is_some())
    };
    let mut undo = super::record::Undo::default();
    let mut limits = Vec::new();
    // Definitions go back first, so that the values that were kept find their columns again.
    for statement in unit.statements().collect::<Vec<_>>().into_iter().rev().filter(|_| unit.trial.is_none()) {
        let part = undo::definitions(statement, shapes, existed);
        let is_kept = losses.iter().any(|loss| !matches!(loss, Loss::Columns { .. }));
        if statement.reading.kind.is_ddl() && !is_kept || losses.is_empty() {
            undo.sql.extend(part.sql);
            limits.push(part.limit);
        }
    }
    for protection in protections.iter().rev() {
        undo.sql.extend(protection.undo.iter().cloned());
        limits.push(protection.limit.clone());
    }
    limits.dedup();
    undo.limit = limits.join("; ");
    let actions = unit.actions();
    let mut verify: Vec<_> = unit
        .statements()
        .take(20)
        .flat_map(|statement| {
            let mine = if unit.is_single() { alone.clone() } else { simple(statement) };
            let fresh = statement.reading.effect.writes.iter().all(|table| shapes.is_fresh(table));
            guard::verify(statement, mine.as_ref(), fresh)
        })
        .collect();
    verify.extend(protections.iter().filter_map(|protection| kept_rows(protection, unit)));
    verify.dedup();
    let body = StepBody {
        id: format!("step-{number:03}"),
        statements: (first.id.clone(), unit.last_id().to_owned()),
        count: unit.count(),
        title: unit.title(),
        instead: unit.trial.map(|trial| trial.alternative.id.clone()),
        know: impact::know(unit),
        guard: guard::guard(&actions, input.flavor),
        takes: impact::takes(input, unit, protections.iter().any(|protection| protection.within.is_some())),
        blocks: impact::blocks(unit),
        verify,
        undo,
    };
    let made = Made {
        label: unit.label(),
        session: unit.session(),
        before: protections.iter().flat_map(|protection| protection.before.iter().cloned()).collect(),
        commands: protections
            .iter()
            .filter_map(|protection| match &protection.backup.way {
                Way::Dump { command } => Some(command.clone()),
                _ => None,
            })
            .collect(),
        sql,
    };
    let leaves = protections.iter().flat_map(|protection| protection.leaves.iter().cloned()).collect();
    let step = match loss::class(losses) {
        Err(nothing) => Step::harmless(body, nothing),
        Ok(destruction) => {
            let covered: Vec<Covered> = destruction
                .losses()
                .iter()
                .filter_map(|loss| protections.iter().find_map(|protection| protection.backup.covering(loss)))
                .collect();
            Step::destructive(body, destruction, covered)?
        }
    };
    let backups = protections.into_iter().map(|protection| protection.backup).collect();
    Ok(Drafted { step, backups, made, leaves, blockers })
}

/// What the step destroys: the upgrade's statements and what stands in for them, without what the upgrade itself made.
fn losses(input: &Input<'_>, unit: &Unit<'_>, shapes: &Shapes) -> Vec<Loss> {
    let mut all: Vec<Loss> =
        unit.statements().take(1_000).flat_map(|statement| loss::of(statement, input.survey)).collect();
    if let Some(trial) = unit.trial {
        let made: Vec<TableName> = trial
            .alternative
            .actions
            .iter()
            .filter(|action| action.statement().reading.kind == Kind::CreateTable)
            .flat_map(|action| action.statement().reading.effect.defines.iter().cloned())
            .collect();
        let own = trial
            .alternative
            .actions
            .iter()
            .filter(|action| matches!(action, Action::Once(_)))
            .flat_map(|action| loss::of(action.statement(), input.survey))
            .filter(|loss| loss.table().is_none_or(|table| !made.contains(table)));
        all.extend(own);
    }
    all.retain(|loss| loss.table().is_none_or(|table| !shapes.is_fresh(table)));
    all.sort();
    all.dedup();
    // Of one table the greater loss decides: who keeps all rows keeps some.
    let whole: Vec<TableName> = all
        .iter()
        .filter(|loss| matches!(loss, Loss::AllRows { .. } | Loss::Table { .. }))
        .filter_map(|loss| loss.table().cloned())
        .collect();
    all.retain(|loss| match loss {
        Loss::Rows { table } | Loss::Values { table } | Loss::SomeRows { table } => !whole.contains(table),
        _ => true,
    });
    all
}

/// The copy holds what was rehearsed.
fn kept_rows(protection: &Protection, unit: &Unit<'_>) -> Option<super::record::Verify> {
    let copy = &protection.within.as_ref()?.into;
    let affected: u64 = unit.observations.iter().map(|seen| seen.rows.matched.unwrap_or(seen.rows.affected)).sum();
    Some(super::record::Verify {
        query: format!("SELECT COUNT(*) FROM {}", copy.quoted()),
        expect: format!("as many as the step says it changed; {} in the sandbox", crate::quantity::grouped(affected)),
        equals: None,
    })
}

fn keep_until(table: &TableName, what: &str, survey: &Survey) -> Cleanup {
    let origin = survey
        .tables
        .iter()
        .filter(|(name, _)| table.table.ends_with(&name.table))
        .map(|(_, facts)| facts.data_bytes + facts.index_bytes)
        .max();
    let mind = match origin {
        Some(bytes) if bytes >= 10 << 30 => format!(
            "about {}: a DROP of this size can stall the server while its file is removed; do it at a quiet hour",
            crate::quantity::bytes(bytes)
        ),
        _ => "a DROP takes the table's metadata lock: guarded, and nobody should use this table".to_owned(),
    };
    Cleanup {
        table: table.clone(),
        when: format!(
            "{what}; keep it until the verification has held for as long as you would want to go back (a week is usual)"
        ),
        mind,
    }
}

fn identity(input: &Input<'_>) -> Identity {
    let mut rows = BTreeMap::new();
    for observation in input.loud {
        for table in observation.statement.reading.effect.tables() {
            let Some(facts) = input.survey.tables.get(&table) else { continue };
            let rehearsed = input.changes.get(&table).and_then(|change| change.rows_before);
            // A fifth more or less does not change which way is best; beyond that, rehearse again.
            let (low, high) = (facts.rows - facts.rows / 5, facts.rows + facts.rows / 5);
            rows.insert(table, RowBand { surveyed: facts.rows, rehearsed, low, high });
        }
    }
    Identity {
        upgrade_digest: input.upgrade_digest.to_owned(),
        upgrade_statements: input.upgrade_statements,
        schema_digest: input.schema_digest.to_owned(),
        flavor: input.flavor,
        version: input.version.to_owned(),
        rehearsed: input.rehearsed.to_owned(),
        scale: input.scale,
        rows,
    }
}

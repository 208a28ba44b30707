//! From what a rehearsal showed to a plan.

use std::collections::BTreeMap;

use super::backup::protect;
use super::cleanup;
use super::demand::Demand;
use super::input::Input;
use super::loss::{self, Loss};
use super::protection::{Protection, Scene, parents_first};
use super::record::{Backup, Cleanup, FORMAT, Identity, Plan, RowBand};
use super::script::{self, Doing, Made};
use super::shape::{Shapes, simple};
use super::step::{Covered, Step, StepBody};
use super::unit::{Unit, units};
use super::{choice, demand, guard, impact, preflight, trouble, undo};
use crate::sql::record::{Action, Kind, Statement, TableName};

/// Drafts the plan.
///
/// # Errors
/// A destructive statement that no backup covers: a sentence that names it.
pub fn draft(input: &Input<'_>) -> anyhow::Result<Plan> {
    Ok(sketch(input)?.finish())
}

/// A plan whose scripts are still to be written: what a person edits in it goes into them.
#[derive(Clone, Debug)]
pub struct Sketch {
    /// The plan, without scripts.
    pub plan: Plan,
    made: Vec<Made>,
}

impl Sketch {
    /// The plan with its scripts.
    pub fn finish(self) -> Plan {
        let Self { mut plan, made } = self;
        plan.scripts = script::all(&plan.preflight, &plan.identity, &plan.steps, &made, &plan.cleanup);
        plan
    }
}

/// Drafts all but the scripts.
///
/// # Errors
/// As [`draft`].
pub fn sketch(input: &Input<'_>) -> anyhow::Result<Sketch> {
    let (units, left_out, mut blockers) = units(input);
    let mut shapes = Shapes::of(input.survey);
    let mut backups: Vec<Backup> = Vec::new();
    let mut steps = Vec::new();
    let mut made = Vec::new();
    let mut demands = Vec::new();
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
                cleanup.push(cleanup::of(table, what, input.survey));
            }
        }
        blockers.extend(drafted.blockers);
        backups.extend(drafted.backups);
        steps.push(drafted.step);
        made.push(drafted.made);
        demands.push(drafted.demand);
    }
    blockers.sort();
    blockers.dedup();
    let identity = identity(input);
    let ours: Vec<TableName> = cleanup.iter().map(|item| item.table.clone()).collect();
    let preflight = preflight::checks(&preflight::Subject {
        flavor: input.flavor,
        survey: input.survey,
        identity: &identity,
        backups: &backups,
        demands: &demands,
        ours: &ours,
    });
    let plan = Plan {
        format: FORMAT.to_owned(),
        name: input.name.to_owned(),
        trouble: trouble::sentences(&steps, input.drills),
        stops: trouble::stops(&steps, input.drills),
        half_done: trouble::half_done(input.drills),
        identity,
        choices: choice::taken(input),
        blockers,
        preflight,
        backups,
        steps,
        demands,
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
        scripts: Vec::new(),
    };
    Ok(Sketch { plan, made })
}

struct Drafted {
    step: Step,
    backups: Vec<Backup>,
    made: Made,
    leaves: Vec<(TableName, String)>,
    blockers: Vec<String>,
    demand: Demand,
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
            replaced: loss.table().is_some_and(|table| unit.statements().any(|statement| makes(statement, table))),
            kept: unit.kept(loss),
            refilled: unit.refills(),
        };
        // Two losses of one table want one backup when the first covers both.
        if protections.iter().any(|protection| protection.backup.covering(loss).is_some()) {
            continue;
        }
        let id = format!("b{}", backups + protections.len() + 1);
        protections.push(protect(loss, id, &scene));
    }
    let Doing { sql, tasks, blockers } =
        script::doing(unit, number, shapes, alone.as_ref(), &protections, input.changes);
    let existed = |table: &TableName| {
        // What the survey does not know may have stood in the sandbox.
        let unsurveyed = || input.changes.get(table).is_some_and(|change| change.rows_before.is_some());
        shapes.stands(table) || !shapes.is_gone(table) && unsurveyed()
    };
    let mut undo = super::record::Undo::default();
    let mut limits = Vec::new();
    // Definitions go back first, so that the values that were kept find their columns again.
    for statement in
        unit.statements().collect::<Vec<_>>().into_iter().rev().filter(|_| unit.trial.is_none() || unit.restates())
    {
        let part = undo::definitions(statement, shapes, existed);
        let is_kept = losses.iter().any(|loss| !matches!(loss, Loss::Columns { .. }));
        if statement.reading.kind.is_ddl() && !is_kept || losses.is_empty() {
            undo.sql.extend(part.sql);
            limits.push(part.limit);
        }
    }
    for protection in parents_first(&protections, input.survey) {
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
    verify.extend(guard::ids_given_twice(input.survey, unit));
    // What is dropped and made again has two answers to one question: the last one counts.
    let asked: Vec<String> = verify.iter().map(|verify| verify.query.clone()).collect();
    let mut place = 0;
    verify.retain(|verify| {
        place += 1;
        !asked[place..].contains(&verify.query)
    });
    let takes = impact::takes(input, unit, protections.iter().any(|protection| protection.within.is_some()));
    let mut guard = guard::guard(&actions, input.flavor);
    guard::limit(&mut guard, input.flavor, input.scale, takes.as_ref(), &tasks);
    guard.stop_when.push(impact::too_long_a_wait(input, unit));
    let body = StepBody {
        id: format!("step-{number:03}"),
        statements: (first.id.clone(), unit.last_id().to_owned()),
        count: unit.count(),
        title: unit.title(),
        instead: unit.trial.map(|trial| trial.alternative.id.clone()),
        others: choice::others(input, unit),
        know: impact::know(unit),
        session: unit.session(),
        tasks,
        guard,
        takes,
        blocks: impact::blocks(unit),
        verify,
        undo,
    };
    let made = Made::of(unit.label(), unit.session(), &protections, sql);
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
    let demand = demand::of(input, unit, &format!("step-{number:03}"), &protections);
    let backups = protections.into_iter().map(|protection| protection.backup).collect();
    Ok(Drafted { step, backups, made, leaves, blockers, demand })
}

/// It makes a table or a view of this name.
fn makes(statement: &Statement, name: &TableName) -> bool {
    matches!(statement.reading.kind, Kind::CreateTable | Kind::CreateView)
        && statement.reading.effect.defines.contains(name)
}

/// What the step destroys: the upgrade's statements and what stands in for them, without what the upgrade itself made.
fn losses(input: &Input<'_>, unit: &Unit<'_>, shapes: &Shapes) -> Vec<Loss> {
    let mut all: Vec<Loss> = unit.statements().flat_map(|statement| loss::of(statement, input.survey)).collect();
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
    all.retain(|loss| loss.table().is_none_or(|table| !shapes.is_fresh(table) && !shapes.is_gone(table)));
    all.sort();
    all.dedup();
    // Who keeps everything keeps each part.
    all.sort_by_key(|loss| *loss != Loss::Anything);
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

fn identity(input: &Input<'_>) -> Identity {
    let mut rows = BTreeMap::new();
    for observation in input.loud {
        for table in observation.statement.reading.effect.tables() {
            let Some(facts) = input.survey.tables.get(&table) else { continue };
            let rehearsed = input.changes.get(&table).and_then(|change| change.rows_before);
            rows.insert(table, RowBand::around(facts.rows, rehearsed));
        }
    }
    Identity {
        upgrade_digest: input.upgrade_digest.to_owned(),
        upgrade_statements: input.upgrade_statements,
        database: input.database.to_owned(),
        schema_digest: input.schema_digest.to_owned(),
        flavor: input.flavor,
        version: input.version.to_owned(),
        rehearsed: input.rehearsed.to_owned(),
        scale: input.scale,
        rows,
        not_carried: input.not_carried.clone(),
    }
}

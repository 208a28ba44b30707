//! What a rehearsal of a plan left, held against what it should have left.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::plan::record::{Backup, Plan, ScriptPhase};
use crate::plan::restored::Restored;
use crate::plan::step::Step;
use crate::plan::work::Task;
use crate::replay::proof;
use crate::sql::record::TableName;
use crate::survey::compare::{Difference, compare};
use crate::survey::record::Fingerprint;

/// What differs between where the upgrade and where the plan leads, without the tables that the plan keeps.
pub fn leads_there(
    wanted: &Fingerprint,
    reached: &Fingerprint,
    kept: &BTreeSet<TableName>,
    ahead: &BTreeMap<TableName, u64>,
    by_chance: &BTreeSet<String>,
) -> Vec<String> {
    let mut reached = reached.clone();
    reached.tables.retain(|name, _| !kept.contains(name) || wanted.tables.contains_key(name));
    proof::allow(wanted, &mut reached, ahead);
    proof::prove(wanted, &reached, by_chance).differences
}

/// What an undo did not bring back, without the tables that the plan keeps.
pub fn differences(start: &Fingerprint, back: &Fingerprint, kept: &BTreeSet<TableName>) -> Vec<String> {
    let without = |print: &Fingerprint| {
        let mut print = print.clone();
        print.tables.retain(|name, _| !kept.contains(name));
        print
    };
    proof::prove(&without(start), &without(back), &BTreeSet::new()).differences
}

/// Notes for each backup of a leg's steps whether what it is of is as it was at the leg's start.
pub fn back_again(
    plan: &mut Plan,
    leg: &Range<usize>,
    start: &Fingerprint,
    back: &Fingerprint,
    kept: &BTreeSet<TableName>,
) {
    let found: Vec<Difference> = compare(start, back)
        .into_iter()
        .filter(|one| one.table().is_none_or(|table| !kept.contains(table)))
        // A higher next number is no loss, and the undo's list of differences names it.
        .filter(|one| !matches!(one, Difference::AutoIncrement { .. }))
        .collect();
    let steps: Vec<Step> = plan.steps[leg.clone()].to_vec();
    for step in &steps {
        let Some(shown) = &step.body.undo.shown else { continue };
        let dumped = plan
            .scripts_of(&step.body.id)
            .filter(|script| script.phase == ScriptPhase::Backup && script.shell.is_some())
            .find_map(|script| script.rehearsed.as_ref()?.bytes);
        let adds = step.body.tasks.iter().any(adds_rows);
        for id in step.covered_by() {
            let Some(backup) = plan.backups.iter_mut().find(|backup| backup.id == *id) else { continue };
            // Rows that an INSERT added beside those that it changed stay, as its undo says: no loss of what was kept.
            let stays = |one: &&Difference| adds && matches!(one, Difference::Rows { left, right, .. } if right > left);
            let concerned: Vec<&Difference> = found.iter().filter(|one| concerns(one, backup)).collect();
            let same = concerned.iter().all(stays);
            let differences: Vec<String> = concerned.iter().map(ToString::to_string).collect();
            backup.restored =
                Some(Restored { at: shown.at.clone(), seconds: shown.seconds, same, differences, bytes: dumped });
        }
    }
}

/// An INSERT or REPLACE: its rows are not marked, and an undo leaves those that were not there before.
fn adds_rows(task: &Task) -> bool {
    let Task::Statement { sql } = task else { return false };
    let verb = sql.split_whitespace().next().unwrap_or_default();
    ["INSERT", "REPLACE"].iter().any(|adds| verb.eq_ignore_ascii_case(adds))
}

fn concerns(difference: &Difference, backup: &Backup) -> bool {
    let of = &backup.of;
    let whole = of.table.is_empty();
    match (difference.table(), difference) {
        (Some(table), _) => *table == *of || whole && (of.database.is_empty() || table.database == of.database),
        (None, Difference::Object { name, .. }) if whole => {
            of.database.is_empty() || name.contains(&format!(" {}.", of.database))
        }
        (None, Difference::Object { name, .. }) => name.ends_with(&format!(" {of}")),
        (None, _) => false,
    }
}

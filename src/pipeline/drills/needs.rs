//! What of an upgrade must have run before one of its statements can: the part that a drill replays.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Ground;
use crate::sql::record::{Action, Confidence, Kind, Statement, TableName, TransactionStep};
use crate::sql::script::Script;

/// More statements than this are not replayed for a drill.
const MOST: usize = 200;

/// A statement with what must stand before it.
#[derive(Clone, Debug)]
pub struct Part {
    /// The actions, the statement itself last.
    pub actions: Vec<Action>,
    /// What those before it take, in seconds.
    pub seconds: f64,
}

/// Which statements before count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Those that define its tables: their rows do not matter.
    Definitions,
    /// All that touch its tables.
    Everything,
}

/// The part of the upgrade that a statement needs: what rules its session, and what made its tables (or their rows) what
/// they are. None when that is too much to be replayed.
///
/// # Errors
/// The script's own.
pub fn part(ground: &Ground<'_>, target: &Statement, before: Before) -> Result<Option<Part>> {
    let mut tables = target.reading.effect.tables();
    loop {
        let Some((actions, touched)) = collect(ground.script, target, before, &tables)? else { return Ok(None) };
        if touched.is_subset(&tables) {
            let seconds = time_of(ground, &actions, target);
            return Ok(Some(Part { actions, seconds }));
        }
        tables.extend(touched);
    }
}

/// One look through the script; none when more than [`MOST`] are needed.
fn collect(
    script: &Script,
    target: &Statement,
    before: Before,
    tables: &BTreeSet<TableName>,
) -> Result<Option<(Vec<Action>, BTreeSet<TableName>)>> {
    let (mut actions, mut touched) = (Vec::new(), BTreeSet::new());
    for action in script.actions()? {
        let action = action?;
        let statement = action.statement();
        if statement.id == target.id {
            actions.push(action);
            break;
        }
        if !counts(statement, before, tables) {
            continue;
        }
        if actions.len() == MOST {
            return Ok(None);
        }
        touched.extend(statement.reading.effect.tables());
        actions.push(action);
    }
    Ok(Some((actions, touched)))
}

fn counts(statement: &Statement, before: Before, tables: &BTreeSet<TableName>) -> bool {
    let reading = &statement.reading;
    let effect = &reading.effect;
    let rules_the_session = effect.changes_session
        || matches!(reading.kind, Kind::Use | Kind::Set)
        || !matches!(effect.transaction, TransactionStep::None | TransactionStep::ImplicitCommit);
    let unknown = reading.confidence == Confidence::Unknown || matches!(reading.kind, Kind::Call | Kind::Execute);
    let meets = |set: &BTreeSet<TableName>| set.iter().any(|table| tables.contains(table));
    let renames = effect.renames.iter().any(|(from, to)| tables.contains(from) || tables.contains(to));
    let defines = meets(&effect.defines) || meets(&effect.drops) || renames;
    let fills = before == Before::Everything && (meets(&effect.writes) || meets(&effect.empties));
    rules_the_session || unknown || defines || fills
}

/// What the actions before the target take, by the quiet run.
fn time_of(ground: &Ground<'_>, actions: &[Action], target: &Statement) -> f64 {
    let all = if ground.quiet.is_empty() { &ground.loud.observations } else { ground.quiet };
    let times: BTreeMap<&str, f64> = all.iter().map(|seen| (seen.statement.id.as_str(), seen.seconds)).collect();
    let before = actions.iter().map(Action::statement).filter(|statement| statement.id != target.id);
    before.filter_map(|statement| times.get(statement.id.as_str())).sum()
}

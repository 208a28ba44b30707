//! The old snapshot: a backup or a report that began before the upgrade reads on while it runs.

use std::collections::BTreeMap;

use anyhow::Result;

use super::queue::{self, Example};
use super::small::failure;
use super::{Ground, Hand};
use crate::pipeline::run::Run;
use crate::replay::experiment::{Condition, Holder};
use crate::replay::record::{Drill, ExperimentKind, HoldKind, Rehearsal, Showed, Snapshot};
use crate::sql::script::Script;

/// How long a reader that has read the table stays open, in seconds.
const OPEN: f64 = 2.0;
/// What a statement on a small copy costs, in seconds.
const STATEMENT: f64 = 0.0005;
/// Tables that are told of at most.
const MOST: usize = 200;

/// Runs the whole upgrade beside a reader that began before it, and its example of a DDL behind one that has read the
/// table.
pub fn run(hand: &mut Hand<'_>, ground: &Ground<'_>) -> Result<()> {
    let Some(first) = ground.loud.observations.first().map(|seen| seen.statement.id.clone()) else { return Ok(()) };
    let what = "what becomes of a backup or report that began before the upgrade";
    if !hand.affords(what, &first, 2.0 + STATEMENT * ground.statements as f64) {
        return Ok(());
    }
    let outcome = beside(hand, ground);
    let mut drills = match outcome {
        Ok(rehearsal) => {
            if let Some(why) = failure(hand.stage, &rehearsal) {
                hand.leave_out(None, format!("{what} is known up to a failure on the small copy only: {why}"));
            }
            by_statement(hand, &rehearsal)
        }
        Err(error) => return hand.survives(what, &first, Err(error)),
    };
    if let Some(example) = queue::example(hand, ground, f64::INFINITY)? {
        let id = example.seen.statement.id.clone();
        let what = "whether a reader that has read its table holds it up";
        if hand.affords(what, &id, OPEN) {
            match held_up(hand, &example) {
                Ok(held) => {
                    if let Some(Drill { showed: Showed::Snapshot(snapshot), .. }) =
                        drills.iter_mut().find(|drill| drill.statement == id)
                    {
                        snapshot.holds_up = held;
                    }
                }
                Err(error) => hand.survives(what, &id, Err(error))?,
            }
        }
    }
    hand.drilled.drills.append(&mut drills);
    Ok(())
}

fn beside(hand: &mut Hand<'_>, ground: &Ground<'_>) -> Result<Rehearsal> {
    hand.stage.sandbox.rewind(hand.progress)?;
    let run = Run {
        condition: Condition::Snapshot,
        ..Run::quiet("upgrade-beside-a-backup", ExperimentKind::Drill, ground.script)
    };
    hand.stage.run(&run, hand.progress)
}

/// One drill for each statement that changed what a table is.
fn by_statement(hand: &Hand<'_>, rehearsal: &Rehearsal) -> Vec<Drill> {
    let happened = &rehearsal.happened;
    let mut drills: Vec<Drill> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for read in happened.reads.iter().take(MOST) {
        let place = *places.entry(&read.statement).or_insert_with(|| {
            drills.push(Drill {
                statement: read.statement.clone(),
                experiment: rehearsal.id.clone(),
                scale: hand.stage.scale,
                showed: Showed::Snapshot(Snapshot {
                    broken: Vec::new(),
                    read: Vec::new(),
                    holds_up: None,
                    history_held: None,
                    history_free: None,
                }),
            });
            drills.len() - 1
        });
        if let Showed::Snapshot(snapshot) = &mut drills[place].showed {
            match &read.error {
                Some(_) => snapshot.broken.push(read.clone()),
                None => snapshot.read.push(read.table.clone()),
            }
        }
    }
    // The history is the whole upgrade's: it stands where the reader ended.
    if let Some(Drill { showed: Showed::Snapshot(snapshot), .. }) = drills.last_mut() {
        (snapshot.history_held, snapshot.history_free) = (happened.history_held, happened.history_free);
    }
    drills
}

/// The DDL arrives while a transaction is open that has read its table; none when it failed.
fn held_up(hand: &mut Hand<'_>, example: &Example<'_>) -> Result<Option<bool>> {
    let id = &example.seen.statement.id;
    hand.stage.sandbox.rewind(hand.progress)?;
    let script = Script::from_actions(example.part.actions.clone());
    let holder = Holder { table: example.table.clone(), how: HoldKind::IdleReader, seconds: OPEN, patience: None };
    let run = Run {
        statement: Some(id.clone()),
        condition: Condition::Holder(holder),
        ..Run::quiet(format!("{id}-behind-a-report"), ExperimentKind::Drill, &script)
    };
    let rehearsal = hand.stage.run(&run, hand.progress)?;
    let seen = rehearsal.observations.iter().find(|seen| seen.statement.id == *id);
    Ok(seen.filter(|seen| seen.outcome.fault().is_none()).map(|seen| seen.seconds > 0.7 * OPEN))
}

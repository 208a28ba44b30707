//! The kill: a long statement ended half-way; how long its rollback takes, and who waits meanwhile.

use anyhow::Result;

use super::needs::{self, Before, Part};
use super::{Ground, Hand};
use crate::pipeline::run::Run;
use crate::quantity;
use crate::replay::experiment::{self, Condition};
use crate::replay::record::{Drill, ExperimentKind, Kill, Observation, Outcome, Showed};
use crate::sql::record::Kind;
use crate::sql::script::Script;

/// A statement shorter than this is over before anybody could kill it, in seconds.
const WORTH: f64 = 1.0;
/// A shorter one is killed half-way only, in seconds.
const WORTH_MORE: f64 = 5.0;
/// Statements that are killed at most.
const MOST: usize = 4;
/// What a statement beside probes takes, of its own time, at most.
const LOUDER: f64 = 1.3;

/// Kills the longest statement half-way.
pub fn at_half(hand: &mut Hand<'_>, ground: &Ground<'_>) -> Result<()> {
    let long = long(ground);
    for (_, seen) in long.iter().skip(MOST) {
        hand.leave_out(Some(&seen.statement.id), "killing it was not rehearsed: longer ones were".to_owned());
    }
    let first = long.first().map(|one| (*one, 0.5));
    kill(hand, ground, first.into_iter().collect())
}

/// Kills the longest statement earlier and later, then others half-way, as long as there is time.
pub fn at_other_shares(hand: &mut Hand<'_>, ground: &Ground<'_>) -> Result<()> {
    let long = long(ground);
    let (longest, short): (Vec<_>, Vec<_>) = long.first().copied().into_iter().partition(|one| one.0 >= WORTH_MORE);
    for (seconds, seen) in short {
        let took = quantity::seconds(seconds);
        let why = format!("killing it at 25 and 75 % was not rehearsed: it takes only {took}");
        hand.leave_out(Some(&seen.statement.id), why);
    }
    let mut wanted: Vec<_> = longest.into_iter().flat_map(|one| [(one, 0.25), (one, 0.75)]).collect();
    wanted.extend(long.iter().skip(1).take(MOST - 1).map(|one| (*one, 0.5)));
    kill(hand, ground, wanted)
}

/// Statements that are worth it, the longest first.
fn long<'a>(ground: &Ground<'a>) -> Vec<(f64, &'a Observation)> {
    let mut long: Vec<(f64, &Observation)> = (ground.loud.observations.iter())
        .filter(|seen| seen.outcome == Outcome::Done && seen.count == 1 && can_be_undone(seen))
        .map(|seen| (ground.seconds(seen), seen))
        .filter(|(seconds, _)| *seconds >= WORTH)
        .collect();
    long.sort_by(|a, b| b.0.total_cmp(&a.0));
    long
}

fn kill(hand: &mut Hand<'_>, ground: &Ground<'_>, wanted: Vec<((f64, &Observation), f64)>) -> Result<()> {
    for ((seconds, seen), share) in wanted {
        let id = &seen.statement.id;
        let what = format!("killing it at {:.0} %", share * 100.0);
        let Some(part) = needs::part(ground, &seen.statement, Before::Everything)? else {
            if share == 0.5 {
                hand.leave_out(Some(id), format!("{what} was not rehearsed: too much must run before it"));
            }
            continue;
        };
        // What has run, and about as much again to undo it.
        let takes = LOUDER * (part.seconds + 2.0 * share * seconds);
        if !hand.affords(&what, id, takes) {
            continue;
        }
        let outcome = killed(hand, ground, seen, &part, share);
        hand.survives(&what, id, outcome)?;
    }
    Ok(())
}

fn killed(
    hand: &mut Hand<'_>,
    ground: &Ground<'_>,
    seen: &Observation,
    part: &Part,
    share: f64,
) -> Result<Option<Drill>> {
    let id = &seen.statement.id;
    hand.stage.sandbox.rewind(hand.progress)?;
    let script = Script::from_actions(part.actions.clone());
    let alone = ground.alone(seen).unwrap_or(seen);
    // In a transaction of several statements the server counts the rows of all of them.
    let counted = seen.statement.reading.kind.is_dml() && seen.transaction.is_none();
    let rows = counted.then(|| alone.rows.affected + alone.rows.cascaded.unwrap_or(0));
    let kill = experiment::Kill { share, seconds: ground.seconds(seen), rows };
    let run = Run {
        statement: Some(id.clone()),
        loud: true,
        condition: Condition::KillAt(kill),
        ..Run::quiet(format!("{id}-kill-{:.0}", share * 100.0), ExperimentKind::Drill, &script)
    };
    let rehearsal = hand.stage.run(&run, hand.progress)?;
    let Some(killed) = rehearsal.happened.killed else {
        hand.leave_out(
            Some(id),
            format!("killing it at {:.0} % was tried, and it ended before the kill took effect", share * 100.0),
        );
        return Ok(None);
    };
    let showed = Showed::Kill(Kill {
        at: share,
        after_seconds: killed.after_seconds,
        rows: killed.rows,
        rollback_seconds: killed.rollback_seconds,
        whole_seconds: ground.seconds(seen),
        blocked: killed.blocked,
    });
    Ok(Some(Drill { statement: id.clone(), experiment: rehearsal.id, scale: hand.stage.scale, showed }))
}

/// Rows or a definition that a kill would bring back.
fn can_be_undone(seen: &Observation) -> bool {
    let kind = seen.statement.reading.kind;
    kind.is_dml() || matches!(kind, Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex | Kind::Optimize)
}

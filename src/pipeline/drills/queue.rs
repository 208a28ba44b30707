//! The metadata-lock queue: somebody holds the table when a DDL arrives; who queues behind it, and what a low
//! `lock_wait_timeout` leaves of that.

use std::time::Duration;

use anyhow::Result;

use super::needs::{self, Before, Part};
use super::{Ground, Hand};
use crate::pipeline::run::Run;
use crate::quantity::seconds;
use crate::replay::experiment::{Condition, Holder, Patience};
use crate::replay::record::{
    BoundedQueue, Drill, ExperimentKind, HoldKind, Observation, Outcome, Queue, Rehearsal, Relation, Showed,
};
use crate::sql::record::{Kind, TableName};
use crate::sql::script::Script;
use crate::survey::record::Survey;
use crate::watch::record::{Blocked, ProbeKind};

/// How long the table is held, in seconds: long beside an instant DDL, short beside a person's patience.
const HELD: f64 = 5.0;
/// How long a relative is held.
const RELATIVE_HELD: f64 = 3.0;
/// A DDL that takes longer than this (with what it needs before it) is no good example: it blocks by itself.
const LONGEST: f64 = 15.0;
/// The time-out that is suggested: the least that a server takes.
const PATIENCE: Patience = Patience { lock_wait_timeout: 1, tries: 20, pause: Duration::from_millis(500) };

/// The DDL that stands for all, and its table.
pub(super) struct Example<'a> {
    pub(super) seen: &'a Observation,
    pub(super) table: TableName,
    pub(super) part: Part,
    seconds: f64,
}

/// Runs the drill on the DDL of the largest table.
pub fn run(hand: &mut Hand<'_>, ground: &Ground<'_>) -> Result<()> {
    let Some(example) = example(hand, ground, LONGEST)? else { return Ok(()) };
    let id = example.seen.statement.id.as_str();
    let what = "the queue behind it while somebody holds its table";
    let one = example.part.seconds + example.seconds + HELD;
    if hand.affords(what, id, 2.0 * one + super::OVERHEAD) {
        let outcome = itself(hand, &example);
        hand.survives(what, id, outcome.map(Some))?;
    }
    for (held, relation) in relatives(&hand.stage.survey, &example.table) {
        let word = if relation == Relation::Parent { "parent" } else { "child" };
        let what = format!("the queue behind it while somebody holds {held}, its foreign-key {word}");
        if !hand.affords(&what, id, one) {
            continue;
        }
        let holder = Holder { table: held, how: HoldKind::IdleWriter, seconds: RELATIVE_HELD, patience: None };
        let outcome = held_by(hand, &example, holder, word).map(|(rehearsal, holder)| {
            let experiment = rehearsal.id.clone();
            let showed = Showed::Queue(queue(&rehearsal, id, &holder, relation, None));
            Some(Drill { statement: id.to_owned(), experiment, scale: hand.stage.scale, showed })
        });
        hand.survives(&what, id, outcome)?;
    }
    Ok(())
}

/// One slow SELECT, then the same with a DDL that gives up early.
fn itself(hand: &mut Hand<'_>, example: &Example<'_>) -> Result<Drill> {
    let id = example.seen.statement.id.clone();
    let holder = Holder { table: example.table.clone(), how: HoldKind::SlowRead, seconds: HELD, patience: None };
    let patient = Holder { patience: Some(PATIENCE), ..holder.clone() };
    let (bounded, _) = held_by(hand, example, patient, "impatient")?;
    let (rehearsal, holder) = held_by(hand, example, holder, "slow-select")?;
    let bounded = bounded_queue(&bounded, &id);
    let showed = Showed::Queue(queue(&rehearsal, &id, &holder, Relation::Itself, Some(bounded)));
    Ok(Drill { statement: id, experiment: rehearsal.id, scale: hand.stage.scale, showed })
}

fn held_by(hand: &mut Hand<'_>, example: &Example<'_>, holder: Holder, by: &str) -> Result<(Rehearsal, Holder)> {
    let id = &example.seen.statement.id;
    hand.stage.sandbox.rewind(hand.progress)?;
    let script = Script::from_actions(example.part.actions.clone());
    let run = Run {
        statement: Some(id.clone()),
        loud: true,
        condition: Condition::Holder(holder.clone()),
        ..Run::quiet(format!("{id}-queue-{by}"), ExperimentKind::Drill, &script)
    };
    Ok((hand.stage.run(&run, hand.progress)?, holder))
}

/// What waited while the statement did; the commit probe is on a table of its own.
fn behind(rehearsal: &Rehearsal, id: &str) -> (Vec<Blocked>, u64, f64) {
    let seen = rehearsal.observations.iter().find(|seen| seen.statement.id == id);
    let all = seen.map(|seen| seen.blocked.as_slice()).unwrap_or_default();
    let blocked: Vec<Blocked> = all.iter().filter(|one| one.probe != ProbeKind::Commit).cloned().collect();
    let queued = blocked.iter().map(|one| one.waits).sum();
    let longest = blocked.iter().map(|one| one.longest_seconds).fold(0.0, f64::max);
    (blocked, queued, longest)
}

fn outcome<'a>(rehearsal: &'a Rehearsal, id: &str) -> Option<&'a Observation> {
    rehearsal.observations.iter().find(|seen| seen.statement.id == id)
}

fn queue(rehearsal: &Rehearsal, id: &str, holder: &Holder, relation: Relation, bounded: Option<BoundedQueue>) -> Queue {
    let (blocked, queued, longest_seconds) = behind(rehearsal, id);
    let seen = outcome(rehearsal, id);
    Queue {
        holder: holder.how,
        held: holder.table.clone(),
        relation,
        held_seconds: rehearsal.happened.held_seconds.unwrap_or(holder.seconds),
        seconds: seen.map_or(0.0, |seen| seen.seconds),
        queued,
        longest_seconds,
        blocked,
        gave_up: seen.is_some_and(|seen| matches!(seen.outcome, Outcome::TimedOut(_))),
        bounded,
    }
}

fn bounded_queue(rehearsal: &Rehearsal, id: &str) -> BoundedQueue {
    let (blocked, queued, longest_seconds) = behind(rehearsal, id);
    BoundedQueue {
        lock_wait_timeout: PATIENCE.lock_wait_timeout,
        tries: rehearsal.happened.timed_out + 1,
        done: outcome(rehearsal, id).is_some_and(|seen| seen.outcome == Outcome::Done),
        queued,
        longest_seconds,
        blocked,
    }
}

/// The DDL on the largest table that does not take longer than `longest` seconds by itself; of those on one table, the
/// quickest.
pub(super) fn example<'a>(hand: &mut Hand<'_>, ground: &Ground<'a>, longest: f64) -> Result<Option<Example<'a>>> {
    let survey = &hand.stage.survey;
    let mut candidates: Vec<(u64, f64, &Observation, TableName)> = (ground.loud.observations.iter())
        .filter(|seen| seen.outcome == Outcome::Done && seen.count == 1 && takes_the_table(seen))
        .filter_map(|seen| {
            let table = table_of(seen, survey)?;
            Some((survey.tables[&table].rows, ground.seconds(seen), seen, table))
        })
        .collect();
    candidates.sort_by(|a, b| (b.0, &a.3).cmp(&(a.0, &b.3)).then(a.1.total_cmp(&b.1)));
    let mut first = None;
    for (_, own, seen, table) in candidates {
        let part = needs::part(ground, &seen.statement, Before::Definitions)?;
        match part.filter(|part| part.seconds + own <= longest) {
            Some(part) => return Ok(Some(Example { seen, table, part, seconds: own })),
            None => first = first.or(Some((seen, own))),
        }
    }
    if let Some((seen, own)) = first {
        let why = format!(
            "the queue behind a DDL while somebody holds its table was not rehearsed: each takes longer than {} with \
             what must run before it (this one {} by itself)",
            seconds(longest),
            seconds(own)
        );
        hand.leave_out(Some(&seen.statement.id), why);
    }
    Ok(None)
}

/// It takes its table for itself, if only for a moment.
fn takes_the_table(seen: &Observation) -> bool {
    let reading = &seen.statement.reading;
    !reading.effect.temporary
        && matches!(
            reading.kind,
            Kind::AlterTable
                | Kind::CreateIndex
                | Kind::DropIndex
                | Kind::Truncate
                | Kind::DropTable
                | Kind::RenameTable
                | Kind::CreateTrigger
                | Kind::DropTrigger
                | Kind::Optimize
        )
}

/// The largest table of production's that it takes.
fn table_of(seen: &Observation, survey: &Survey) -> Option<TableName> {
    let effect = &seen.statement.reading.effect;
    let taken = effect.defines.iter().chain(&effect.drops).chain(&effect.empties).chain(effect.renames.keys());
    let known = taken.filter_map(|table| Some((survey.tables.get(table)?.rows, table)));
    known.max().map(|(_, table)| table.clone())
}

/// One foreign-key parent and one child of a table, the largest each.
fn relatives(survey: &Survey, table: &TableName) -> Vec<(TableName, Relation)> {
    let rows = |name: &TableName| survey.tables.get(name).map_or(0, |facts| facts.rows);
    let parents = (survey.tables.get(table).into_iter())
        .flat_map(|facts| &facts.foreign_keys)
        .map(|key| key.parent.clone())
        .filter(|parent| parent != table && survey.tables.contains_key(parent));
    let children = (survey.tables.iter())
        .filter(|(name, facts)| *name != table && facts.foreign_keys.iter().any(|key| key.parent == *table))
        .map(|(name, _)| name.clone());
    let parent = parents.max_by_key(|name| (rows(name), name.clone())).map(|name| (name, Relation::Parent));
    let child = children.max_by_key(|name| (rows(name), name.clone())).map(|name| (name, Relation::Child));
    parent.into_iter().chain(child).collect()
}

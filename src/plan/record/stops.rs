//! Kill, wait or help: what pages say of a step that takes too long. `**` and backticks are Markdown's.

use super::told::{Lasts, lasts, list};
use super::{Plan, Stop};
use crate::plan::step::Step;
use crate::plan::work::Task;
use crate::quantity;

/// Steps that took longer than this somewhere in the sandbox are worth a table, in seconds.
pub const LONG: f64 = 1.0;

/// A step that is long enough to be killed on its way.
pub struct Long<'a> {
    /// Its place, from 0.
    pub place: usize,
    /// It.
    pub step: &'a Step,
    /// How long it takes.
    pub lasts: Lasts,
    /// What killing it showed; empty where nobody tried.
    pub stops: Vec<&'a Stop>,
}

/// The long steps, in order.
pub fn long(plan: &Plan) -> Vec<Long<'_>> {
    let long = |(place, step)| {
        let lasts = lasts(plan, step).filter(|lasts| lasts.high > LONG)?;
        let stops = plan.stops.iter().filter(|stop| stop.step == step.body.id).collect();
        Some(Long { place, step, lasts, stops })
    };
    plan.steps.iter().enumerate().filter_map(long).collect()
}

/// A line of the table of a step's stops: how much was done, after how long, what a kill takes, who waits for its rollback,
/// what is still to go, what to turn off meanwhile.
pub fn line(stop: &Stop) -> [String; 6] {
    let tables: Vec<String> = stop.turn_off.iter().map(|table| format!("what writes to `{table}`")).collect();
    [
        format!("{:.0} %", stop.at * 100.0),
        quantity::seconds(stop.ran_seconds),
        quantity::seconds(stop.rollback_seconds),
        list(&stop.blocked, ", ", 3, "nobody"),
        quantity::seconds(stop.rest_seconds),
        list(&tables, ", ", 4, "nothing waited for it"),
    ]
}

/// Whom a step goes on to block while it runs.
pub fn meanwhile(step: &Step) -> String {
    list(&step.body.blocks, "; ", 4, "nobody")
}

/// From when on a kill takes longer than to wait, as far as it was measured.
pub fn no_return(stops: &[&Stop]) -> String {
    let longer = |stop: &&&Stop| stop.rollback_seconds >= stop.rest_seconds;
    let percent = |stop: &Stop| format!("{:.0} %", stop.at * 100.0);
    match (stops.iter().find(longer), stops.iter().rev().find(|stop| !longer(stop))) {
        (Some(late), Some(early)) if early.at < late.at => format!(
            "between {} and {} of the work, that is after {} to {}: before it a kill is the shorter way, after it waiting is.",
            percent(early),
            percent(late),
            quantity::seconds(early.ran_seconds),
            quantity::seconds(late.ran_seconds)
        ),
        (Some(late), _) => format!(
            "at {} (after {}) or before it: from then on the rollback takes longer than the rest. Nothing earlier was measured.",
            percent(late),
            quantity::seconds(late.ran_seconds)
        ),
        (None, Some(early)) => format!(
            "after {} (after {}), if at all: until then a kill was the shorter way. Nothing later was measured.",
            percent(early),
            quantity::seconds(early.ran_seconds)
        ),
        (None, None) => "not measured.".to_owned(),
    }
}

/// What is known of a kill that nobody tried.
pub fn unrehearsed(step: &Step) -> String {
    let walks = step.body.tasks.iter().any(|task| matches!(task, Task::Batches { .. }));
    let meanwhile = meanwhile(step);
    let kill = if walks {
        "A kill rolls back the batch that is running, and the batches before it stay done; the same script goes on with the rest"
    } else {
        "Count on a rollback that takes as long as the step has run, with its locks held until then"
    };
    format!("**Killing this step was not rehearsed.** {kill}. While you wait it goes on to block: {meanwhile}.")
}

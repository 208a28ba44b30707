//! If it goes wrong: what was measured, and what was not.

use std::collections::BTreeSet;

use super::impact;
use super::record::{HalfDone, Stop};
use super::step::Step;
use crate::quantity;
use crate::replay::record::{Drill, Interruption, Kill, Queue, Relation, Showed, grouped};
use crate::watch::record::ProbeKind;

/// What to know and do, in sentences.
pub fn sentences(steps: &[Step], drills: &[Drill]) -> Vec<String> {
    let mut lines = vec![
        "A script that stops has said why in its last line. The stock client stops at the first error; what stands before it in the script is done, except inside a transaction that was not committed: that is rolled back.".to_owned(),
        "Do not restart the server to stop a statement: a crash recovery rolls the same change back, with the site down meanwhile.".to_owned(),
        "To stop a step, KILL QUERY its connection. A change of rows is rolled back first, and its locks stay until that is done.".to_owned(),
    ];
    lines.push(match kills(drills).map(|(_, kill)| kill.rollback_seconds / kill.after_seconds.max(0.001)).reduce(f64::max) {
        Some(worst) => format!(
            "A rollback took up to {worst:.1} times as long as the statement had run until then, where it was rehearsed."
        ),
        None => "How long a rollback takes here was not measured: no kill drill was run. On other tables it took about as long as the statement had already run.".to_owned(),
    });
    lines.extend(drills.iter().filter_map(|drill| match &drill.showed {
        Showed::Queue(queue) => Some(behind(queue)),
        _ => None,
    }));
    let mut long: Vec<&Step> =
        steps.iter().filter(|step| step.body.takes.as_ref().is_some_and(|takes| takes.high_seconds >= 10.0)).collect();
    long.sort_by(|a, b| {
        let high = |step: &Step| step.body.takes.as_ref().map_or(0.0, |takes| takes.high_seconds);
        high(b).total_cmp(&high(a))
    });
    for step in long.into_iter().take(5) {
        let Some(takes) = &step.body.takes else { continue };
        let blocks = if step.body.blocks.is_empty() {
            "nothing was seen to wait for it".to_owned()
        } else {
            step.body.blocks.join("; ")
        };
        lines.push(format!(
            "{} is long ({} in the sandbox), and {blocks}. Decide before you start it until when you would still kill it.",
            step.body.id,
            quantity::seconds(takes.high_seconds)
        ));
    }
    lines.push("When the connection is lost, look first (the step's verification) and only then run anything again: a DDL that was running goes on, a transaction is rolled back.".to_owned());
    lines.push("To go back behind everything, run the plan/80-*.sql scripts in the order of their names: the last step's undo first. To go back from the middle, begin with the undo of the last step that ran, even half-way. A step without such a script has none, and says what to do by hand.".to_owned());
    lines.push(match drills.iter().any(|drill| matches!(drill.showed, Showed::Interruption(_))) {
        true => "Replicas and restarts were not rehearsed.".to_owned(),
        false => "Replicas, restarts and connections lost half-way were not rehearsed.".to_owned(),
    });
    lines
}

fn kills(drills: &[Drill]) -> impl Iterator<Item = (&str, &Kill)> {
    drills.iter().filter_map(|drill| match &drill.showed {
        Showed::Kill(kill) => Some((drill.statement.as_str(), kill)),
        _ => None,
    })
}

/// What comes of the upgrade as written where it was cut off; places that are alike as one.
pub fn half_done(drills: &[Drill]) -> Vec<HalfDone> {
    let cuts = grouped(drills).into_iter().filter_map(|(first, last, count)| match &first.showed {
        Showed::Interruption(cut) => Some(cut_off(&first.statement, &last.statement, count as u64, cut)),
        _ => None,
    });
    cuts.collect()
}

fn cut_off(first: &str, last: &str, places: u64, cut: &Interruption) -> HalfDone {
    let having = if cut.differences.is_empty() { "nothing".to_owned() } else { cut.differences.join("; ") };
    let rerun = match (&cut.fails_at, &cut.error) {
        _ if cut.rerun_safe => "ends well, and leaves what it should".to_owned(),
        (Some(at), Some(error)) => format!("fails at {at} with error {}, having changed {having}", error.number),
        _ => format!("ends well, and leaves something else: {having}"),
    };
    let instead = match (cut.resume_safe, places, &cut.resume_at) {
        _ if cut.rerun_safe => String::new(),
        (Some(true), 1, Some(next)) => format!("go on at {next}: that leaves what it should"),
        (Some(true), 1, None) => "nothing is left to be done".to_owned(),
        (Some(true), _, _) => {
            "go on with the statement after the last that is done: that leaves what it should".to_owned()
        }
        _ => "look what is done before anything is run again".to_owned(),
    };
    HalfDone {
        after: first.to_owned(),
        up_to: last.to_owned(),
        places,
        rerun_safe: cut.rerun_safe,
        rerun,
        instead,
        cleanup: if places == 1 { cut.cleanup.clone() } else { Vec::new() },
    }
}

/// What to do when everything waits for a DDL that waits itself.
fn behind(queue: &Queue) -> String {
    let held = match queue.relation {
        Relation::Itself => format!("{} itself", queue.held),
        Relation::Parent => format!("{}, a foreign-key parent", queue.held),
        Relation::Child => format!("{}, a foreign-key child", queue.held),
    };
    if queue.longest_seconds < 0.5 * queue.held_seconds {
        return format!("A session that holds {held} for long queued nothing behind the DDL that was tried.");
    }
    format!(
        "When a DDL waits (\"Waiting for table metadata lock\"), every request to its table waits behind it, reads too: up \
         to {} in the sandbox while a session held {held} for {}. Kill the DDL, not the requests: they go on at once. \
         Then look for who holds the table, and try again with lock_wait_timeout = 1.",
        quantity::seconds(queue.longest_seconds),
        quantity::seconds(queue.held_seconds)
    )
}

/// Kill, wait or help, for each step that does what a statement does that was killed in the sandbox.
pub fn stops(steps: &[Step], drills: &[Drill]) -> Vec<Stop> {
    let mut stops = Vec::new();
    for step in steps.iter().filter(|step| step.body.instead.is_none()) {
        let (first, last) = &step.body.statements;
        let own = kills(drills).filter(|(statement, _)| first == last && statement == first);
        let mut own: Vec<Stop> = own
            .map(|(_, kill)| {
                let held: BTreeSet<_> = (kill.blocked.iter())
                    .filter(|one| one.longest_seconds >= 0.05 && one.probe != ProbeKind::Commit)
                    .map(|one| one.table.clone())
                    .collect();
                Stop {
                    step: step.body.id.clone(),
                    at: kill.at,
                    ran_seconds: kill.after_seconds,
                    rollback_seconds: kill.rollback_seconds,
                    rest_seconds: kill.whole_seconds * (1.0 - kill.at),
                    blocked: impact::waits(kill.blocked.iter()),
                    turn_off: held.into_iter().collect(),
                }
            })
            .collect();
        own.sort_by(|a, b| a.at.total_cmp(&b.at));
        stops.extend(own);
    }
    stops
}

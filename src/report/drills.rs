//! Drills in words: what was made to go wrong, what that cost, and what bounds it.

use super::record::Report;
use super::wording::{self, NOISE_SECONDS, PROBES, name_of};
use crate::quantity::{counted, grouped as grouped_number, seconds};
use crate::replay::record::{Drill, HoldKind, Interruption, Kill, Queue, Relation, Showed, Snapshot, grouped};
use crate::watch::record::Blocked;

/// One line of the list of drills.
pub struct Line {
    /// `queue`, `kill`, `cut off`, `snapshot`.
    pub word: &'static str,
    /// Something waited long, broke, or is left half done.
    pub hurts: bool,
    /// What happened, harm first.
    pub text: String,
}

/// All drills, interruptions that a rerun meets alike as one, readers that nothing happened to as one.
pub fn lines(report: &Report) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut unharmed = 0;
    for (first, last, count) in grouped(&report.drills) {
        if let Showed::Snapshot(snapshot) = &first.showed
            && snapshot.broken.is_empty()
            && snapshot.holds_up != Some(true)
        {
            unharmed += 1;
            continue;
        }
        let until = (count > 1).then(|| (name_of(report, &last.statement), count));
        let text = sentence(report, first, until);
        lines.push(Line { word: word(first), hurts: hurts(first), text });
    }
    if let Some(small) =
        report.drills.iter().map(|drill| drill.scale).filter(|scale| *scale < report.scale).reduce(f64::min)
    {
        let most = report.tables.iter().filter_map(|table| table.production_rows).max().unwrap_or(0);
        let rows = grouped_number((most as f64 * small).round() as u64);
        let text = format!(
            "cutting off and reading from a snapshot do not depend on size: they ran on a small copy (the largest of these \
             tables with {rows} rows)"
        );
        lines.push(Line { word: "·", hurts: false, text });
    }
    if unharmed > 0 {
        let text = format!(
            "{} left the tables readable for a backup or report that began before",
            counted(unharmed, "changed definition")
        );
        lines.push(Line { word: "snapshot", hurts: false, text });
    }
    lines
}

/// A drill in a few sentences; `until` names the last of several that went alike.
fn sentence(report: &Report, drill: &Drill, until: Option<(String, usize)>) -> String {
    let name = name_of(report, &drill.statement);
    match &drill.showed {
        Showed::Queue(queue) => behind(&name, queue),
        Showed::Kill(kill) => killed(&name, kill),
        Showed::Interruption(cut) => interrupted(report, &name, until, cut),
        Showed::Snapshot(snapshot) => read_on(&name, snapshot),
    }
}

fn word(drill: &Drill) -> &'static str {
    match &drill.showed {
        Showed::Queue(_) => "queue",
        Showed::Kill(_) => "kill",
        Showed::Interruption(_) => "cut off",
        Showed::Snapshot(_) => "snapshot",
    }
}

fn hurts(drill: &Drill) -> bool {
    match &drill.showed {
        Showed::Queue(queue) => queue.longest_seconds >= 1.0,
        Showed::Kill(kill) => kill.rollback_seconds >= 1.0,
        Showed::Interruption(cut) => !cut.rerun_safe,
        Showed::Snapshot(snapshot) => !snapshot.broken.is_empty(),
    }
}

/// `reads 4.9 s, updates 4.8 s`: the longest wait of each kind of request; empty when none waited.
fn wait_list(blocked: &[Blocked]) -> String {
    let waited = PROBES.iter().filter_map(|probe| {
        let longest = wording::longest(blocked, *probe).filter(|longest| *longest >= NOISE_SECONDS)?;
        Some(format!("{} {}", wording::plural(*probe), seconds(longest)))
    });
    waited.collect::<Vec<_>>().join(", ")
}

fn behind(name: &str, queue: &Queue) -> String {
    let holder = match queue.holder {
        HoldKind::SlowRead => "one slow SELECT",
        HoldKind::IdleReader => "one idle transaction (it had read)",
        HoldKind::IdleWriter => "one idle transaction (it had written)",
    };
    let held = match queue.relation {
        Relation::Itself => format!("{}", queue.held),
        Relation::Parent => format!("{}, its foreign-key parent,", queue.held),
        Relation::Child => format!("{}, its foreign-key child,", queue.held),
    };
    if queue.queued == 0 {
        let took = seconds(queue.seconds);
        return format!("{holder} on {held} did not hold {name} up: it took {took}, and nothing queued behind it");
    }
    let held = format!("behind {holder} of {} on {held}", seconds(queue.held_seconds));
    let gave_up = if queue.gave_up { " until it gave up" } else { "" };
    let mut text = format!(
        "{} queued behind {name}, the longest for {} ({}): {held} it waited {}{gave_up}",
        counted(queue.queued, "request"),
        seconds(queue.longest_seconds),
        wait_list(&queue.blocked),
        seconds(queue.seconds)
    );
    if let Some(bounded) = &queue.bounded {
        let ended = if bounded.done { "it was done" } else { "it gave up" };
        text.push_str(&format!(
            "; with lock_wait_timeout = {} and retries none waited longer than {}, and {ended} at try {}",
            bounded.lock_wait_timeout,
            seconds(bounded.longest_seconds),
            bounded.tries
        ));
    }
    text
}

fn killed(name: &str, kill: &Kill) -> String {
    let blocked = wait_list(&kill.blocked);
    let meanwhile =
        if blocked.is_empty() { "nothing waited meanwhile".to_owned() } else { format!("meanwhile {blocked}") };
    format!(
        "{name} killed at {:.0} %, after {}: its rollback took {}, and {meanwhile}; waiting would have taken about {} more",
        kill.at * 100.0,
        seconds(kill.after_seconds),
        seconds(kill.rollback_seconds),
        seconds(kill.whole_seconds * (1.0 - kill.at))
    )
}

fn interrupted(report: &Report, name: &str, until: Option<(String, usize)>, cut: &Interruption) -> String {
    let after = match &until {
        Some((last, count)) => format!("{name} or at {} more places up to {last}", count - 1),
        None => name.to_owned(),
    };
    // Many columns may be filled by chance; a few names tell which kind they are.
    let chance = match cut.excluded.as_slice() {
        [] => String::new(),
        names if names.len() <= 3 => {
            format!(" (but for chance: {} differ between two whole runs, too)", names.join(", "))
        }
        [one, more @ ..] => {
            format!(" (but for chance: {one} and {} more differ between two whole runs, too)", more.len())
        }
    };
    if cut.rerun_safe {
        return format!(
            "cut off after {after}, the upgrade may be run again from its start: it leaves the same{chance}"
        );
    }
    let mut text = match (&cut.fails_at, &cut.error) {
        (Some(at), Some(error)) => {
            let having = if cut.differences.is_empty() { "nothing" } else { &cut.differences.join("; ") };
            let at = name_of(report, at);
            format!("cut off after {after}, a rerun fails at {at} with {error}, having changed {having}")
        }
        _ => format!(
            "cut off after {after}, a rerun ends well and leaves something else: {}{chance}",
            cut.differences.join("; ")
        ),
    };
    text.push_str(match (cut.resume_safe, &cut.resume_at) {
        (Some(true), Some(_)) => "; going on with the next statement instead leaves what it should",
        (Some(true), None) => "; nothing is left to be done",
        (Some(false), _) => "; going on with the next statement in a new session leaves something else, too",
        (None, _) => "; going on in a new session could not be tried",
    });
    if until.is_none() && !cut.cleanup.is_empty() {
        text.push_str(&format!("; or take back what ran: {}", cut.cleanup.join("; ")));
    }
    text
}

fn read_on(name: &str, snapshot: &Snapshot) -> String {
    let broken: Vec<String> = (snapshot.broken.iter())
        .map(|read| {
            let error = read.error.as_ref().map_or_else(String::new, |error| format!(" (error {})", error.number));
            format!("{}{error}", read.table)
        })
        .collect();
    let mut text = if broken.is_empty() {
        format!("a backup or report that began before {name} reads on")
    } else {
        format!("a backup or report that began before {name} cannot read {} any more", broken.join(", "))
    };
    if snapshot.holds_up == Some(true) {
        text.push_str("; one that has read the table and is still open holds the statement up");
    }
    if let (Some(held), Some(free)) = (snapshot.history_held, snapshot.history_free)
        && held > free
    {
        text.push_str(&format!(
            "; while it was open the undo history stood at {held} entries, a second after it at {free}"
        ));
    }
    text
}

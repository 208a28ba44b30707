//! How a wait that probes met becomes a risk: over the budget it is an error, over half of it a warning.

use super::budget::Side;
use super::evidence::Subject;
use super::phrase;
use super::record::Severity;
use super::rule::{Risk, Verdict};
use crate::quantity::seconds;
use crate::watch::record::Blocked;

/// Where no limit holds, a wait from here on is still worth knowing (seconds).
const WORTH_KNOWING_SECONDS: f64 = 1.0;

/// How bad a wait is under its limit; none when it is not worth a word.
pub fn severity(longest: f64, limit: Option<f64>) -> Option<Severity> {
    match limit {
        Some(limit) if longest > limit => Some(Severity::Error),
        Some(limit) if longest > limit / 2.0 => Some(Severity::Warning),
        None if longest > WORTH_KNOWING_SECONDS => Some(Severity::Info),
        _ => None,
    }
}

/// `, over the budget of 1.00 s`, where it is.
pub fn against(longest: f64, limit: Option<f64>) -> String {
    match limit {
        Some(limit) if longest > limit => format!(", over the budget of {}", seconds(limit)),
        Some(limit) => format!(", within the budget of {} but near it", seconds(limit)),
        None => String::new(),
    }
}

/// The risks on one side, one a table.
pub fn on(side: Side, subject: &Subject<'_>) -> Verdict {
    if subject.loud.is_none_or(|_| subject.evidence.loud.is_some_and(|loud| !loud.loud)) {
        return Verdict::Unchecked("no probes ran beside it".to_owned());
    }
    let risks: Vec<Risk> = subject.blocked(side).into_iter().filter_map(|wait| risk(side, subject, wait)).collect();
    risks.into()
}

fn risk(side: Side, subject: &Subject<'_>, wait: &Blocked) -> Option<Risk> {
    let longest = wait.longest_seconds;
    let limit = subject.limit(&wait.table, side);
    let severity = severity(longest, limit)?;
    let harm = format!(
        "blocks {} to {} for {} {}{}",
        side.noun(),
        wait.table,
        seconds(longest),
        phrase::measured(subject, &wait.table),
        against(longest, limit)
    );
    let risk = Risk::new(severity, phrase::message(Some(harm), cause(subject, wait), phrase::instead(subject)));
    Some(numbers(risk, wait, limit))
}

/// Adds a wait's numbers.
pub fn numbers(risk: Risk, wait: &Blocked, limit: Option<f64>) -> Risk {
    let risk = risk
        .with("table", wait.table.to_string())
        .with("probe", wait.probe.name())
        .with("longest_seconds", wait.longest_seconds)
        .with("total_seconds", wait.total_seconds)
        .with("share", wait.share)
        .with("waits", wait.waits)
        .with("basis", "measured");
    match limit {
        Some(limit) => risk.with("limit_seconds", limit),
        None => risk,
    }
}

fn cause(subject: &Subject<'_>, wait: &Blocked) -> String {
    let verb = subject.kind().name().replace('_', " ").to_uppercase();
    let own = subject.statement.reading.effect.tables().contains(&wait.table);
    let whose = if own { "" } else { ", which it does not name but is bound to (foreign key, trigger or view)" };
    let took = subject.seconds().map_or_else(String::new, |own| format!(" takes {}", seconds(own)));
    let waited = match wait.waits {
        0 | 1 => String::new(),
        waits => format!(" and {waits} {} requests waited", wait.probe.name()),
    };
    let kept = phrase::kept_locks(subject);
    format!("{}{took}{waited}{kept}{whose}", phrase::each(subject, &verb))
}

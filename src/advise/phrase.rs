//! The sentences that rules share: the harm with its number, and what was tried instead.

use std::collections::BTreeSet;

use super::alternatives;
use super::budget::Side;
use super::choose::{among, longest, trade};
use super::evidence::{Figure, NOTICEABLE_SECONDS, Subject};
use super::record::{Alternative, Budget, Trial};
use crate::quantity::{grouped, seconds};
use crate::sql::record::TableName;
use crate::survey::record::Basis;
use crate::watch::record::Blocked;

/// A wait of less than this part of the longest one is not worth a word beside it.
const WEIGHTY_PART: f64 = 10.0;

/// `blocks writes to zdz.tracking for 50.7 s (measured)`; none where it blocked nobody, or nobody looked.
pub fn harm(subject: &Subject<'_>) -> Option<String> {
    let (reads, writes) = (subject.blocked(Side::Read), subject.blocked(Side::Write));
    let (worst, what) = match (reads.first(), writes.first()) {
        (Some(read), Some(write))
            if read.table == write.table && read.longest_seconds >= write.longest_seconds / 2.0 =>
        {
            let worse = if read.longest_seconds > write.longest_seconds { read } else { write };
            (worse, "reads and writes")
        }
        (_, Some(write)) => (write, "writes"),
        (Some(read), None) => (read, "reads"),
        (None, None) => return None,
    };
    // What waited a little beside a long wait is a footnote of the table of waits, not of the sentence.
    let weighty = |blocked: &&&Blocked| blocked.longest_seconds >= worst.longest_seconds / WEIGHTY_PART;
    let tables = reads.iter().chain(&writes).filter(weighty).map(|blocked| &blocked.table);
    let tables = tables.filter(|table| **table != worst.table);
    let others = tables.collect::<BTreeSet<_>>().len();
    let others = match others {
        0 => String::new(),
        1 => " and one more table".to_owned(),
        n => format!(" and {n} more tables"),
    };
    let time = seconds(worst.longest_seconds);
    Some(format!("blocks {what} to {}{others} for {time} {}", worst.table, measured(subject, &worst.table)))
}

/// `(measured)`, or on how much of production it was.
pub fn measured(subject: &Subject<'_>, table: &TableName) -> String {
    match subject.rows_of(table) {
        Some(Figure { rows, rehearsed: Some(rehearsed), .. }) if rehearsed < rows => {
            format!("(measured on {} of {} rows)", grouped(rehearsed), grouped(rows))
        }
        _ => "(measured)".to_owned(),
    }
}

/// `9,000,000 rows`, with its basis where it was not counted.
pub fn rows(figure: Figure) -> String {
    let noun = if figure.rows == 1 { "row" } else { "rows" };
    match (figure.basis, figure.rehearsed) {
        (Basis::Extrapolated, Some(rehearsed)) => {
            format!("about {} {noun} (extrapolated from {})", grouped(figure.rows), grouped(rehearsed))
        }
        (Basis::Estimated, None) => format!("about {} {noun} (by the survey, not measured)", grouped(figure.rows)),
        (Basis::Stated, None) => format!("{} {noun} (stated, not measured)", grouped(figure.rows)),
        (Basis::Extrapolated | Basis::Estimated, _) => format!("about {} {noun}", grouped(figure.rows)),
        _ => format!("{} {noun}", grouped(figure.rows)),
    }
}

/// `all 9,000,000 rows`, or `all of about 9,000,000 rows` where nobody counted.
pub fn all_rows(figure: Figure) -> String {
    let rows = rows(figure);
    if rows.starts_with("about") { format!("all of {rows}") } else { format!("all {rows}") }
}

/// A basis by its word.
pub fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Estimated => "estimated",
        Basis::Stated => "stated",
        Basis::Extrapolated => "extrapolated",
    }
}

/// `one DELETE` or `each of 1,200 look-alike DELETEs`.
pub fn each(subject: &Subject<'_>, verb: &str) -> String {
    match subject.count() {
        1 => format!("one {verb}"),
        count => format!("each of {} look-alike {verb}s", grouped(count)),
    }
}

/// `, and keeps its locks until s9`, for a statement in a transaction.
pub fn kept_locks(subject: &Subject<'_>) -> String {
    subject.locks_outlive_it().map_or_else(String::new, |until| format!(", and its locks stay until {until}"))
}

/// What may stand in for the statement: what was tried, with its numbers; else what may be tried or why nothing may.
pub fn instead(subject: &Subject<'_>) -> Option<String> {
    match best_trial(subject) {
        Some(trial) if trial.completed && trial.proof.same_result => {
            let blocked = longest(&trial.loud, None);
            let blocked = if blocked <= NOTICEABLE_SECONDS {
                "blocks nobody".to_owned()
            } else {
                format!("blocks for {} at most", seconds(blocked))
            };
            let title = &trial.alternative.title;
            let default = Budget::default();
            let trade = trade(trial, subject.trials().iter().copied(), subject.evidence.budget.unwrap_or(&default));
            let trade = trade.map(|trade| format!("; {trade}")).unwrap_or_default();
            Some(format!("{title} gives the same result in {} and {blocked} (tried){trade}", seconds(trial.seconds)))
        }
        Some(trial) if trial.completed => {
            let difference = trial.proof.differences.first().map_or("it could not be compared", String::as_str);
            Some(format!("{} was tried, but the result is not the same: {difference}", trial.alternative.title))
        }
        Some(trial) => Some(format!("{} was tried and did not end well", trial.alternative.title)),
        None => untried(&alternatives_of(subject)),
    }
}

fn untried(alternatives: &[Alternative]) -> Option<String> {
    if let Some(open) = alternatives.iter().find(|alternative| alternative.eligible) {
        return Some(format!("{} may do the same work (not tried)", open.title));
    }
    if alternatives.iter().any(|alternative| !alternative.commands.is_empty()) {
        return Some("an online copy tool does the same work while the application goes on (not tried)".to_owned());
    }
    let refused: Vec<_> = alternatives
        .iter()
        .filter_map(|alternative| Some(format!("{}: {}", alternative.id, alternative.reason.as_deref()?)))
        .collect();
    (!refused.is_empty()).then(|| format!("no shortcut is safe here ({})", refused.join("; ")))
}

fn alternatives_of(subject: &Subject<'_>) -> Vec<Alternative> {
    match (subject.evidence.survey, subject.evidence.flavor) {
        (Some(survey), Some(flavor)) => alternatives::of(subject.statement, subject.loud, survey, flavor),
        _ => Vec::new(),
    }
}

/// The trial to tell of: the plan's, else the one that it should take, else one with the same result, else any.
fn best_trial<'a>(subject: &Subject<'a>) -> Option<&'a Trial> {
    let trials = subject.trials();
    let chosen = trials.iter().find(|trial| trial.chosen).copied();
    let to_choose = || {
        let default = Budget::default();
        let choice = among(trials.iter().copied(), subject.loud?, subject.evidence.budget.unwrap_or(&default))?;
        trials.get(choice.index).copied()
    };
    let same = || trials.iter().find(|trial| trial.completed && trial.proof.same_result).copied();
    chosen.or_else(to_choose).or_else(same).or_else(|| trials.first().copied())
}

/// The message's parts joined: harm, cause and cure.
pub fn message(harm: Option<String>, cause: String, cure: Option<String>) -> String {
    let mut message = match harm {
        Some(harm) => format!("{harm}: {cause}"),
        None => cause,
    };
    if let Some(cure) = cure {
        message.push_str("; ");
        message.push_str(&cure);
    }
    message
}

//! A report in two sentences: the worst that the upgrade does, and what to do instead.

use super::record::{Report, Statement, Verdict};
use super::wording::{NOISE_SECONDS, floor, label, one_line, proof};
use crate::advise::record::{Finding, Severity};
use crate::quantity;
use crate::watch::record::ProbeKind;

/// The whole in two sentences: the worst that it does, and what to do instead.
pub fn sentences(report: &Report) -> String {
    let Spoken { word, harm, better } = spoken(report);
    format!("{word}: {harm}.{}", better.map(|better| format!(" {better}")).unwrap_or_default())
}

/// A verdict in its parts.
pub struct Spoken {
    /// `PASS` or `FAIL`.
    pub word: &'static str,
    /// The worst that it does, without a full stop.
    pub harm: String,
    /// What to do instead, a sentence.
    pub better: Option<String>,
}

/// The same in its parts, for those who set them apart.
pub fn spoken(report: &Report) -> Spoken {
    let word = match report.verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
    };
    if let Some(failed) = report.statements.iter().find(|statement| statement.error.is_some()) {
        let error = failed.error.as_ref().map(ToString::to_string).unwrap_or_default();
        return Spoken { word, harm: format!("{} fails with {error}", label(failed)), better: None };
    }
    let errors: Vec<&Finding> = report.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let accused =
        |statement: &&Statement| errors.iter().any(|finding| finding.statement.as_ref() == Some(&statement.id));
    let longest = |statement: &Statement| statement.blocked.iter().map(|one| one.longest_seconds).fold(0.0, f64::max);
    let of = |among: &mut dyn Iterator<Item = &Statement>| {
        among.max_by(|a: &&Statement, b: &&Statement| longest(a).total_cmp(&longest(b))).map(|one| one.id.clone())
    };
    // The harm that fails the run comes before a longer wait that does not.
    let id = of(&mut report.statements.iter().filter(accused)).or_else(|| of(&mut report.statements.iter()));
    let worst = report.statements.iter().find(|statement| Some(&statement.id) == id.as_ref());
    let finding = worst.and_then(|worst| errors.iter().find(|one| one.statement.as_ref() == Some(&worst.id)));
    let over = report.budget.iter().find(|line| !line.ok);
    let harm = match (worst, finding, over) {
        (Some(worst), _, _) if longest(worst) > floor(report) => {
            format!("{} blocks {} for up to {}", said(worst), victims(worst), quantity::seconds(longest(worst)))
        }
        (Some(worst), Some(finding), _) => format!("{}: {}", said(worst), first_part(&finding.message)),
        (_, _, Some(line)) => {
            format!("{} was {}, and {} is allowed", line.limit, line.observed, line.allowed)
        }
        _ => match errors.first() {
            Some(finding) => first_part(&finding.message).to_owned(),
            None if floor(report) > NOISE_SECONDS => format!(
                "no statement kept a probe waiting longer than one waited while nothing ran, {}",
                quantity::seconds(floor(report))
            ),
            None => "no statement kept a probe waiting for 50 ms or more".to_owned(),
        },
    };
    let better = worst.and_then(instead).or_else(|| {
        let (_, advice) = finding?.message.split_once("; ")?;
        Some(format!("Instead: {advice}."))
    });
    Spoken { word, harm, better }
}

/// A statement's name with the beginning of its text, where the name is not the text's own.
fn said(statement: &Statement) -> String {
    format!("{} ({})", label(statement), one_line(&statement.text, 60))
}

/// A finding's harm and cause, without its advice.
fn first_part(message: &str) -> &str {
    message.split("; ").next().unwrap_or(message)
}

/// Who waits for a statement's worst table: `reads and writes of zdz.votes`, `every commit on the server`.
fn victims(statement: &Statement) -> String {
    let Some(worst) = statement.blocked.iter().max_by(|a, b| a.longest_seconds.total_cmp(&b.longest_seconds)) else {
        return "nothing".to_owned();
    };
    if worst.probe == ProbeKind::Commit {
        return "every commit on the server".to_owned();
    }
    let waits = |is_write: bool| {
        statement.blocked.iter().any(|one| {
            one.table == worst.table
                && one.longest_seconds >= NOISE_SECONDS.max(worst.longest_seconds / 10.0)
                && one.probe != ProbeKind::Commit
                && (one.probe != ProbeKind::Read) == is_write
        })
    };
    match (waits(false), waits(true)) {
        (true, true) => format!("reads of and writes to {}", worst.table),
        (true, false) => format!("reads of {}", worst.table),
        (false, _) => format!("writes to {}", worst.table),
    }
}

/// What the plan runs in a statement's place.
fn instead(statement: &Statement) -> Option<String> {
    let way = statement.alternatives.iter().find(|way| way.chosen)?;
    let waits = way.blocked.iter().map(|one| one.longest_seconds).fold(0.0, f64::max);
    let waits = if waits >= NOISE_SECONDS {
        format!("blocks {} at most", quantity::seconds(waits))
    } else {
        "keeps nothing waiting for 50 ms".to_owned()
    };
    let result = match proof(way).as_str() {
        "differs" => "leaves another result".to_owned(),
        "same (checksums)" => "leaves the same (checksums)".to_owned(),
        "same (counts only)" => "leaves the same number of rows".to_owned(),
        proof => format!("its result is {proof}"),
    };
    Some(format!(
        "The plan runs {} instead: takes {}, {waits} and {result}.",
        way.title,
        quantity::seconds(way.seconds?)
    ))
}

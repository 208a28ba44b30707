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

#[cfg(test)]
mod tests {
    use crate::advise::record::Severity;
    use crate::advise::rules;
    use crate::advise::specimen::Specimen;
    use crate::quantity::Span;
    use crate::watch::record::ProbeKind;

    #[test]
    fn waits_are_weighed_by_the_budget() {
        let found = |seconds| {
            let specimen =
                Specimen::of(rules::blocked_writes::RULE.risky).blocks(1, "page_views", ProbeKind::Update, seconds);
            specimen.found("blocked-writes").first().map(|finding| finding.severity)
        };
        assert_eq!(found(1.2), Some(Severity::Error), "one second where nothing is said");
        assert_eq!(found(0.7), Some(Severity::Warning));
        assert_eq!(found(0.3), None);
    }

    #[test]
    fn reads_and_writes_are_told_apart_and_lifted_limits_leave_information() {
        let mut specimen = Specimen::of(rules::blocked_reads::RULE.risky)
            .blocks(2, "page_views", ProbeKind::Read, 30.0)
            .blocks(2, "page_views", ProbeKind::Insert, 31.0);
        assert_eq!(specimen.found("blocked-reads")[0].statement.as_deref(), Some("s2"));
        assert_eq!(specimen.found("blocked-writes")[0].severity, Severity::Error);
        assert!(specimen.messages("blocked-reads")[0].starts_with(
            "blocks reads to shop.page_views for 30.0 s (measured), over the budget of 1.00 s: one UPDATE takes 10 ms"
        ));
        specimen.budget.longest_blocked_read = Some(Span(None));
        assert_eq!(specimen.found("blocked-reads")[0].severity, Severity::Info);
        for safer in [rules::blocked_reads::RULE.safer, rules::blocked_writes::RULE.safer] {
            assert!(Specimen::of(safer).judge().findings.iter().all(|finding| !finding.rule.starts_with("blocked-")));
        }
    }

    #[test]
    fn a_wait_that_was_there_before_anything_ran_is_noise() {
        let mut specimen =
            Specimen::of(rules::blocked_writes::RULE.risky).blocks(1, "page_views", ProbeKind::Update, 1.5);
        for steady in &mut specimen.loud.steady {
            steady.longest_seconds = 1.6;
        }
        assert!(specimen.found("blocked-writes").is_empty());
    }

    #[test]
    fn a_table_that_only_a_foreign_key_binds_is_told_as_such() {
        let specimen =
            Specimen::of("ALTER TABLE orders DROP COLUMN status").blocks(1, "customers", ProbeKind::Update, 4.0);
        assert!(specimen.messages("blocked-writes")[0].contains("which it does not name but is bound to"));
    }

    #[test]
    fn without_probes_nothing_is_called_unblocked() {
        let mut specimen = Specimen::of(rules::blocked_writes::RULE.risky);
        specimen.loud.loud = false;
        let findings = specimen.judge();
        assert!(findings.unchecked.iter().any(|unchecked| unchecked.rule == "blocked-writes"));
        assert!(findings.budget.iter().all(|line| !line.ok && line.observed == "not measured"));
    }
}

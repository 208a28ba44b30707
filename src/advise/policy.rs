//! How findings count: who accepted which, why and until when. An allowance that ran out, or that nothing needed, is
//! itself said.

use jiff::civil::Date;

use super::budget::Accepted;
use super::record::{Allowance, Finding, Severity};

/// The rule id of the finding that an allowance ran out (or that its date cannot be read).
pub const EXPIRED: &str = "allowance-expired";

/// The rule id of the finding that an allowance met no finding.
pub const UNUSED: &str = "allowance-unused";

/// Applies the allowances: an accepted finding becomes information and says so. Yields what was accepted.
/// `labels` tells whether a statement's id (first) goes by a name or id (second).
pub fn apply(
    findings: &mut Vec<Finding>,
    allow: &[Allowance],
    today: &str,
    labels: &dyn Fn(&str, &str) -> bool,
) -> Accepted {
    let mut accepted = Accepted::new();
    let mut notes = Vec::new();
    for allowance in allow {
        let mut meets = findings.iter_mut().filter(|finding| is_meant(allowance, finding, labels)).peekable();
        if meets.peek().is_none() {
            notes.push(note(UNUSED, Severity::Info, allowance, None, "met no finding; take it out"));
            continue;
        }
        if let Err(why) = in_force(allowance, today) {
            let statement = meets.peek().and_then(|finding| finding.statement.clone());
            notes.push(note(EXPIRED, Severity::Warning, allowance, statement, &why));
            continue;
        }
        for finding in meets {
            finding.severity = Severity::Info;
            let until = allowance.until.as_ref().map_or_else(String::new, |until| format!(" until {until}"));
            finding.message.push_str(&format!(" (accepted{until}: {})", allowance.reason));
            finding.evidence.insert("accepted".to_owned(), allowance.reason.clone().into());
            if let Some(statement) = &finding.statement {
                accepted.insert((finding.rule.clone(), statement.clone()));
            }
        }
    }
    findings.extend(notes);
    accepted
}

fn is_meant(allowance: &Allowance, finding: &Finding, labels: &dyn Fn(&str, &str) -> bool) -> bool {
    allowance.rule == finding.rule
        && match (&allowance.statement, &finding.statement) {
            (None, _) => true,
            (Some(name), Some(id)) => labels(id, name),
            (Some(_), None) => false,
        }
}

/// Whether an allowance holds today; its last day is a day on which it does.
fn in_force(allowance: &Allowance, today: &str) -> Result<(), String> {
    let Some(until) = &allowance.until else { return Ok(()) };
    let Ok(last) = until.parse::<Date>() else {
        return Err(format!("does not count: '{until}' is no date; write it as 2026-12-31"));
    };
    match today.parse::<Date>() {
        Ok(today) if today <= last => Ok(()),
        _ => Err(format!("ran out on {until}, so it no longer counts; decide again")),
    }
}

fn note(rule: &str, severity: Severity, allowance: &Allowance, statement: Option<String>, what: &str) -> Finding {
    let on = allowance.statement.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
    let message = format!("the allowance of {}{on} (\"{}\") {what}", allowance.rule, allowance.reason);
    let evidence = [("allowed_rule".to_owned(), allowance.rule.clone().into())].into();
    Finding { rule: rule.to_owned(), severity, statement, message, evidence }
}

#[cfg(test)]
mod tests {
    use crate::advise::record::{Allowance, Findings, Severity};
    use crate::advise::rules::drop_table::RULE;
    use crate::advise::specimen::Specimen;

    fn judged(rule: &str, statement: Option<&str>, until: Option<&str>) -> Findings {
        let mut specimen = Specimen::of(RULE.risky).with(1, |seen| seen.statement.name = Some("old-views".into()));
        specimen.allow.push(Allowance {
            rule: rule.into(),
            statement: statement.map(str::to_owned),
            reason: "kept elsewhere".into(),
            until: until.map(str::to_owned),
        });
        specimen.judge()
    }

    #[test]
    fn an_accepted_finding_stays_as_information_with_its_reason() {
        for name in [None, Some("s1"), Some("old-views")] {
            let findings = judged("drop-table", name, Some("2026-11-20")).findings;
            assert_eq!(findings.len(), 1, "its last day is a day on which it holds");
            assert_eq!(findings[0].severity, Severity::Info);
            assert!(findings[0].message.ends_with("(accepted until 2026-11-20: kept elsewhere)"));
        }
    }

    #[test]
    fn an_allowance_that_ran_out_no_longer_counts_and_is_said() {
        for until in ["2026-11-19", "soon"] {
            let findings = judged("drop-table", None, Some(until)).findings;
            assert_eq!(findings.len(), 2);
            assert!(findings.iter().all(|finding| finding.severity == Severity::Warning), "{findings:?}");
            assert!(findings.iter().any(|finding| finding.rule == super::EXPIRED && finding.message.contains(until)));
        }
    }

    #[test]
    fn an_allowance_that_nothing_needs_is_said() {
        for (rule, statement) in [("drop-column", None), ("drop-table", Some("s2"))] {
            let findings = judged(rule, statement, None).findings;
            assert!(findings.iter().any(|finding| finding.rule == super::UNUSED), "{rule}");
        }
    }
}

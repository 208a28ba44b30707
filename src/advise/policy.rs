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

//! How findings count: who accepted which, why and until when, in the configuration (`allow:`) or beside the statement
//! (`-- rehearse: ignore`). An allowance that ran out, that nothing needed, or that gives no reason, is itself said.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;

use super::budget::Accepted;
use super::catalogue::{RULES, find};
use super::record::{Allowance, Finding, Severity, Unchecked};
use crate::problem::nearest;
use crate::sql::record::{Ignore, Origin, Statement};

/// The rule id of the finding that an allowance ran out (or that its date cannot be read).
pub const EXPIRED: &str = "allowance-expired";

/// The rule id of the finding that an allowance met no finding.
pub const UNUSED: &str = "allowance-unused";

/// The rule id of the finding that an ignore beside a statement does not count.
pub const INVALID: &str = "ignore-invalid";

/// Whether an allowance was of any use so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It met nothing.
    None,
    /// Its rule could not tell: it may be needed.
    Unknown,
    /// It met a finding.
    Met,
}

/// An allowance, and what became of it.
struct Held {
    allowance: Allowance,
    /// Where it stands, when that is beside a statement.
    place: Option<Origin>,
    used: Use,
}

/// The allowances, held against findings as they come.
pub struct Policy<'a> {
    today: &'a str,
    allowed: Vec<Held>,
    /// Those that stand beside statements, by the statement's id.
    beside: BTreeMap<String, Vec<Held>>,
    /// Names of statements that have one, by id.
    names: BTreeMap<String, String>,
    /// What was accepted so far: rules and statements.
    accepted: Accepted,
}

impl<'a> Policy<'a> {
    /// Nothing met yet; `today` is a date such as `2026-11-20`.
    pub fn new(allow: &[Allowance], today: &'a str) -> Self {
        let held = |allowance: &Allowance| Held { allowance: allowance.clone(), place: None, used: Use::None };
        Self {
            today,
            allowed: allow.iter().map(held).collect(),
            beside: BTreeMap::new(),
            names: BTreeMap::new(),
            accepted: Accepted::new(),
        }
    }

    /// Tells the name that people gave a statement.
    pub fn name(&mut self, id: &str, name: String) {
        if name != id && !self.allowed.is_empty() {
            self.names.insert(id.to_owned(), name);
        }
    }

    /// Applies the allowances to what one statement was found to do: an accepted finding becomes information and says
    /// so; one whose allowance ran out is followed by a finding about that.
    pub fn apply(&mut self, statement: &Statement, findings: &mut Vec<Finding>, unchecked: &[Unchecked]) {
        if self.allowed.is_empty() && self.beside.is_empty() && statement.ignores.is_empty() {
            return;
        }
        if let Some(name) = &statement.name {
            self.name(&statement.id, name.clone());
        }
        let mut notes = self.take_ignores(statement);
        let Self { today, allowed, beside, names, accepted } = self;
        let mut meet = |held: &mut Held, finding: &mut Finding| {
            if let Err(why) = in_force(&held.allowance, today) {
                if held.used != Use::Met {
                    notes.push(note(EXPIRED, Severity::Warning, held, finding.statement.clone(), &why));
                }
            } else {
                accept(&held.allowance, finding);
                accepted.extend(finding.statement.clone().map(|statement| (finding.rule.clone(), statement)));
            }
            held.used = Use::Met;
        };
        for finding in findings.iter_mut() {
            let own = finding.statement.as_ref().and_then(|id| beside.get_mut(id));
            for held in allowed.iter_mut().chain(own.into_iter().flatten()) {
                if is_meant(&held.allowance, &finding.rule, finding.statement.as_deref(), names) {
                    meet(held, finding);
                }
            }
        }
        for unchecked in unchecked {
            let own = unchecked.statement.as_ref().and_then(|id| beside.get_mut(id));
            for held in allowed.iter_mut().chain(own.into_iter().flatten()).filter(|held| held.used == Use::None) {
                if is_meant(&held.allowance, &unchecked.rule, unchecked.statement.as_deref(), names) {
                    held.used = Use::Unknown;
                }
            }
        }
        findings.extend(notes);
    }

    /// Takes in what stands beside a statement; what of it does not count is said.
    fn take_ignores(&mut self, statement: &Statement) -> Vec<Finding> {
        let mut notes = Vec::new();
        for ignore in &statement.ignores {
            let place = Origin { line: ignore.line, column: 0, ..statement.origin.clone() };
            if let Some(why) = not_valid(ignore) {
                let message = format!("an ignore does not count, so what it is to accept does: {why}");
                notes.push(placed(INVALID, Severity::Error, Some(statement.id.clone()), message, &place));
                continue;
            }
            for rule in &ignore.rules {
                let allowance = Allowance {
                    rule: rule.clone(),
                    statement: Some(statement.id.clone()),
                    reason: ignore.reason.clone().unwrap_or_default(),
                    until: ignore.until.clone(),
                };
                let held = Held { allowance, place: Some(place.clone()), used: Use::None };
                self.beside.entry(statement.id.clone()).or_default().push(held);
            }
        }
        notes
    }

    /// What was accepted, and a finding for each allowance that met none; `judged` tells of a rule whether it could be
    /// judged at all.
    pub fn finish(self, judged: impl Fn(&str) -> bool) -> (Accepted, Vec<Finding>) {
        let unused = |held: &&Held| held.used == Use::None && judged(&held.allowance.rule);
        let held = self.allowed.iter().chain(self.beside.values().flatten());
        let notes = held.filter(unused).map(|held| {
            // What stands in the script concerns whoever reads it; the configuration may be meant for other scripts.
            let severity = if held.place.is_some() { Severity::Warning } else { Severity::Info };
            let statement = held.allowance.statement.clone().filter(|_| held.place.is_some());
            note(UNUSED, severity, held, statement, "met no finding; take it out")
        });
        (self.accepted, notes.collect())
    }
}

/// Why an ignore cannot count; none when it can.
pub fn not_valid(ignore: &Ignore) -> Option<String> {
    let rules = if ignore.rules.is_empty() { "RULE".to_owned() } else { ignore.rules.join(", ") };
    let form = format!("write `-- rehearse: ignore {rules} reason=\"why it is safe here\"`");
    if let Some(strange) = &ignore.strange {
        return Some(format!("it says '{strange}', which is neither reason nor until; {form}"));
    }
    if ignore.rules.is_empty() {
        return Some(format!("it names no rule; {form}"));
    }
    if let Some(unknown) = ignore.rules.iter().find(|rule| find(rule).is_none()) {
        return Some(match nearest(unknown, RULES.iter().map(|rule| rule.id)) {
            Some(near) => format!("there is no rule '{unknown}'; did you mean {near}?"),
            None => format!("there is no rule '{unknown}'; `rehearse explain` lists all rules"),
        });
    }
    ignore.reason.is_none().then(|| format!("it gives no reason; {form}"))
}

pub(super) fn accept(allowance: &Allowance, finding: &mut Finding) {
    finding.severity = Severity::Info;
    let until = allowance.until.as_ref().map_or_else(String::new, |until| format!(" until {until}"));
    finding.message.push_str(&format!(" (accepted{until}: {})", allowance.reason));
    finding.evidence.insert("accepted".to_owned(), allowance.reason.clone().into());
}

fn is_meant(allowance: &Allowance, rule: &str, id: Option<&str>, names: &BTreeMap<String, String>) -> bool {
    allowance.rule == rule
        && match (&allowance.statement, id) {
            (None, _) => true,
            (Some(name), Some(id)) => id == name || names.get(id) == Some(name),
            (Some(_), None) => false,
        }
}

/// Whether an allowance holds today; its last day is a day on which it does.
pub(super) fn in_force(allowance: &Allowance, today: &str) -> Result<(), String> {
    let Some(until) = &allowance.until else { return Ok(()) };
    let Ok(last) = until.parse::<Date>() else {
        return Err(format!("does not count: '{until}' is no date; write it as 2026-12-31"));
    };
    match today.parse::<Date>() {
        Ok(today) if today <= last => Ok(()),
        _ => Err(format!("ran out on {until}, so it no longer counts; decide again")),
    }
}

fn note(rule: &str, severity: Severity, held: &Held, statement: Option<String>, what: &str) -> Finding {
    let allowance = &held.allowance;
    let of = |what: &str| format!("the {what} of {}", allowance.rule);
    let mut finding = match &held.place {
        Some(place) => {
            let message = format!("{} (\"{}\") {what}", of("ignore"), allowance.reason);
            placed(rule, severity, statement, message, place)
        }
        None => {
            let on = allowance.statement.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
            let message = format!("{}{on} (\"{}\") {what}", of("allowance"), allowance.reason);
            Finding { rule: rule.to_owned(), severity, statement, message, evidence: BTreeMap::new(), place: None }
        }
    };
    finding.evidence.insert("allowed_rule".to_owned(), allowance.rule.clone().into());
    finding
}

/// A finding about an ignore, which stands at a place of its own.
fn placed(rule: &str, severity: Severity, statement: Option<String>, message: String, place: &Origin) -> Finding {
    let evidence = [("file", Value::from(place.file.clone())), ("line", place.line.into())];
    let evidence = evidence.map(|(name, value)| (name.to_owned(), value)).into();
    Finding { rule: rule.to_owned(), severity, statement, message, evidence, place: None }
}

#[cfg(test)]
mod tests {
    use crate::advise::record::{Allowance, Findings, Severity};
    use crate::advise::rules::drop_table::RULE;
    use crate::advise::specimen::Specimen;

    fn judged(rule: &str, statement: Option<&str>, until: Option<&str>) -> Findings {
        let mut specimen = Specimen::of(RULE.risky).with(1, |seen| seen.statement.name = Some("old-views".into()));
        specimen.survey.server.settings.insert("lock_wait_timeout".into(), "5".into());
        specimen.allow.push(Allowance {
            rule: rule.into(),
            statement: statement.map(str::to_owned),
            reason: "kept elsewhere".into(),
            until: until.map(str::to_owned),
        });
        let mut findings = specimen.judge();
        findings.findings.retain(|one| [RULE.id, super::EXPIRED, super::UNUSED].contains(&one.rule.as_str()));
        findings
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

    fn ignoring(text: &str) -> Vec<crate::advise::record::Finding> {
        let ignore = crate::sql::record::Ignore::read(text, 7);
        Specimen::of(RULE.risky).with(1, |seen| seen.statement.ignores.push(ignore)).judge().findings
    }

    #[test]
    fn what_a_statement_s_own_remark_accepts_stays_as_information() {
        let findings = ignoring("drop-table reason=\"kept elsewhere\"");
        let found: Vec<_> = findings.iter().filter(|finding| finding.rule == "drop-table").collect();
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        assert!(found[0].message.ends_with("(accepted: kept elsewhere)"), "{}", found[0].message);
        assert!(findings.iter().all(|finding| finding.rule != super::UNUSED), "{findings:?}");
    }

    #[test]
    fn an_ignore_without_a_reason_or_with_an_unknown_rule_does_not_count() {
        for (text, words) in [
            ("drop-table", "it gives no reason; write `-- rehearse: ignore drop-table reason="),
            ("drop-tabel reason=\"x\"", "there is no rule 'drop-tabel'; did you mean drop-table?"),
            ("drop-table reson=\"x\"", "it says 'reson'"),
            ("reason=\"x\"", "it names no rule"),
        ] {
            let findings = ignoring(text);
            let told = findings.iter().find(|finding| finding.rule == super::INVALID).expect("an error");
            assert!(told.message.contains(words), "{}", told.message);
            assert_eq!((told.severity, &told.evidence["line"]), (Severity::Error, &7.into()));
            assert!(findings.iter().any(|finding| finding.rule == "drop-table" && finding.severity > Severity::Info));
        }
    }

    #[test]
    fn an_ignore_that_nothing_needs_is_said_at_its_line() {
        let findings = ignoring("drop-column, drop-table reason=\"x\"");
        let unused: Vec<_> = findings.iter().filter(|finding| finding.rule == super::UNUSED).collect();
        assert_eq!(unused.len(), 1);
        assert_eq!(unused[0].message, "the ignore of drop-column (\"x\") met no finding; take it out");
        assert_eq!(unused[0].evidence["line"], 7);
        assert_eq!(unused[0].statement.as_deref(), Some("s1"));
    }

    #[test]
    fn a_severity_that_somebody_set_wins_and_an_accepted_finding_stays_information() {
        let mut specimen = Specimen::of(RULE.risky);
        specimen.severity.insert("drop-table".to_owned(), Severity::Error);
        assert!(specimen.found("drop-table").iter().all(|finding| finding.severity == Severity::Error));
        specimen.allow.push(Allowance { rule: "drop-table".into(), statement: None, reason: "x".into(), until: None });
        assert!(specimen.found("drop-table").iter().all(|finding| finding.severity == Severity::Info));
    }

    #[test]
    fn an_ignore_of_what_could_not_be_told_is_not_called_unused() {
        let ignore = crate::sql::record::Ignore::read("table-rebuild reason=\"small\"", 1);
        let sql = "ALTER TABLE page_views FORCE";
        let findings = Specimen::of(sql).with(1, |seen| seen.statement.ignores.push(ignore)).judge();
        assert!(findings.unchecked.iter().any(|unchecked| unchecked.rule == "table-rebuild"));
        assert!(findings.findings.iter().all(|finding| finding.rule != super::UNUSED), "{findings:?}");
    }
}

//! The one loop over statements and rules, whatever there is to go by: a text alone, a survey, a whole rehearsal.

use std::collections::{BTreeMap, BTreeSet};

use super::altered::Altered;
use super::births::Births;
use super::budget::{self, RowsChanged};
use super::catalogue::RULES;
use super::evidence::{Evidence, Subject};
use super::history::History;
use super::lint::spot::place_of;
use super::policy::{EXPIRED, Policy};
use super::record::{Allowance, Budget, Finding, Findings, Unchecked};
use super::rule::{Needs, Verdict};
use crate::quantity::grouped;
use crate::replay::record::{Observation, Outcome};
use crate::sql::record::{Statement, TableName};
use crate::survey::record::Basis;

/// Judges the statements of a rehearsal in their order.
pub fn judge<'s>(
    evidence: &Evidence<'_>,
    statements: impl Iterator<Item = (&'s Statement, Option<&'s Observation>)>,
    allow: &[Allowance],
    today: &str,
) -> Findings {
    let mut judge = Judge::new(evidence, allow, today);
    let mut findings = Findings::default();
    let mut places: BTreeMap<&str, (usize, &Statement)> = BTreeMap::new();
    for (place, (statement, loud)) in statements.enumerate() {
        places.insert(&statement.id, (place, statement));
        let judged = judge.look(statement, loud, loud.map_or(1, |loud| loud.count));
        for finding in judged.findings {
            supersede(&mut findings.findings, finding, &statement.id);
        }
        findings.unchecked.extend(judged.unchecked);
    }
    let whole = judge.finish();
    findings.findings.extend(whole.findings);
    findings.unchecked.extend(whole.unchecked);
    findings.budget = whole.budget;
    // Of an earlier statement that stands in a group of look-alikes, only its id still tells.
    let by_id = |id: &str| id.trim_start_matches('s').parse::<usize>().map_or(usize::MAX, |n| n.saturating_sub(1));
    let place = |id: &Option<String>| {
        id.as_deref().map_or(usize::MAX, |id| places.get(id).map_or_else(|| by_id(id), |(place, _)| *place))
    };
    findings.findings.sort_by(|a, b| place(&a.statement).cmp(&place(&b.statement)).then_with(|| worst_first(a, b)));
    for finding in &mut findings.findings {
        let statement = finding.statement.as_deref().and_then(|id| places.get(id)).map(|(_, statement)| *statement);
        finding.place = place_of(statement, finding);
    }
    findings
}

/// Adds what was found while the statement `looked_at` was judged: a finding that is about an earlier one stands in the
/// stead of what the same rule has said of that one.
fn supersede(findings: &mut Vec<Finding>, finding: Finding, looked_at: &str) {
    if finding.statement.as_deref() != Some(looked_at) && finding.rule != EXPIRED {
        findings.retain(|known| known.rule != finding.rule || known.statement != finding.statement);
    }
    findings.push(finding);
}

/// The order of the findings on one statement.
fn worst_first(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    (b.severity, &a.rule, &a.message).cmp(&(a.severity, &b.rule, &b.message))
}

/// Judges statements one after the other. Of those that are done it holds only what later ones need, so that a script
/// of any length takes no room.
pub struct Judge<'a> {
    evidence: &'a Evidence<'a>,
    policy: Policy<'a>,
    births: Births,
    history: History,
    rows: RowsChanged,
    gaps: Gaps,
}

impl<'a> Judge<'a> {
    /// Nothing seen yet; `today` is a date such as `2026-11-20`, which allowances are held against.
    pub fn new(evidence: &'a Evidence<'a>, allow: &'a [Allowance], today: &'a str) -> Self {
        Self {
            evidence,
            policy: Policy::new(allow, today),
            births: Births::default(),
            history: History::new(evidence.survey),
            rows: RowsChanged::new(),
            gaps: Gaps::default(),
        }
    }

    /// Every rule on the next statement, which stands for so many look-alikes, and what it did, where that is known.
    /// Yields what was found and what could not be told, worst first. A finding about an earlier statement stands in the
    /// stead of what the same rule has said of that one.
    pub fn look(&mut self, statement: &Statement, loud: Option<&Observation>, alike: u64) -> Findings {
        let quiet = self.evidence.quiet.get(statement.id.as_str()).copied();
        let (births, history) = (&self.births, &self.history);
        let subject = Subject { evidence: self.evidence, births, history, statement, loud, quiet, alike };
        self.gaps.look(&subject);
        let mut findings = apply_rules(&subject, &mut self.policy);
        if let Some(figure) = subject.rows_changed() {
            let changed = (figure.rows, figure.basis == Basis::Extrapolated);
            let most = self.rows.entry(subject.target().cloned()).or_default();
            *most = changed.max(*most);
        }
        let anew = Altered::of(&subject).and_then(|altered| altered.writes_anew(&subject));
        let survey = self.evidence.survey;
        let created = |table: &TableName| births.made(table);
        self.history.apply_alike(statement, alike, quiet.or(loud), created);
        if let Some(anew) = anew {
            self.history.note_anew(statement, anew);
        }
        self.births.apply(statement, quiet.or(loud), survey);
        self.policy.apply(statement, &mut findings.findings, &findings.unchecked);
        findings.findings.sort_by(worst_first);
        findings
    }

    /// What is to be said of the whole: allowances that nothing needed, what nobody looked at, the budget.
    pub fn finish(self) -> Findings {
        let evidence = self.evidence;
        let judged = |id: &str| RULES.iter().any(|rule| rule.id == id && has(evidence, rule.needs));
        let mut whole = Findings::default();
        let (accepted, notes) = self.policy.finish(judged);
        whole.findings = notes;
        if evidence.loud.is_some() {
            let default = Budget::default();
            whole.budget = budget::lines(evidence, evidence.budget.unwrap_or(&default), &self.rows, &accepted);
        }
        self.gaps.tell(evidence, &mut whole);
        whole
    }
}

/// There is what a rule needs, at least for some statements.
fn has(evidence: &Evidence<'_>, needs: Needs) -> bool {
    match needs {
        Needs::Text => true,
        Needs::Survey => evidence.survey.is_some(),
        Needs::Rehearsal => evidence.loud.is_some(),
    }
}

/// Every rule on one statement. The labels of earlier statements that a finding is about are told to the policy.
fn apply_rules(subject: &Subject<'_>, policy: &mut Policy<'_>) -> Findings {
    let id = &subject.statement.id;
    let skipped = subject.loud.is_some_and(|loud| loud.outcome == Outcome::Skipped);
    let mut findings = Findings::default();
    for rule in RULES {
        let set = subject.evidence.severity.and_then(|set| set.get(rule.id)).copied();
        let ran = subject.loud.is_some() && !skipped;
        if !has(subject.evidence, rule.needs) || (rule.needs == Needs::Rehearsal && !ran) {
            continue; // said once for the whole
        }
        match (rule.check)(subject) {
            Verdict::Clear => {}
            Verdict::Risks(risks) => {
                for risk in risks {
                    let statement = match risk.about {
                        Some((earlier, label)) => {
                            policy.name(&earlier, label);
                            earlier
                        }
                        None => id.clone(),
                    };
                    findings.findings.push(Finding {
                        rule: rule.id.to_owned(),
                        severity: set.unwrap_or(risk.severity),
                        statement: Some(statement),
                        message: risk.message,
                        evidence: risk.evidence,
                        place: None,
                    });
                }
            }
            Verdict::Unchecked(why) => {
                findings.unchecked.push(Unchecked { rule: rule.id.to_owned(), statement: Some(id.clone()), why })
            }
        }
    }
    findings
}

/// What nobody looked at, gathered over the whole upgrade so that it is said once.
#[derive(Default)]
struct Gaps {
    skipped: Option<(String, String, u64)>,
    touched: BTreeSet<TableName>,
}

impl Gaps {
    fn look(&mut self, subject: &Subject<'_>) {
        let effect = &subject.statement.reading.effect;
        if subject.loud.is_some_and(|loud| loud.outcome == Outcome::Skipped) {
            let id = &subject.statement.id;
            let last = subject.loud.map_or(id, |loud| &loud.last_id).clone();
            let count = subject.count();
            match &mut self.skipped {
                Some((_, until, n)) => (*until, *n) = (last, *n + count),
                none => *none = Some((id.clone(), last, count)),
            }
        } else if !effect.temporary {
            let changed = effect.writes.iter().chain(&effect.defines).chain(&effect.empties);
            self.touched.extend(changed.filter(|table| subject.facts(table).is_some()).cloned());
        }
    }

    fn tell(self, evidence: &Evidence<'_>, findings: &mut Findings) {
        let mut say = |rule: &str, statement: Option<String>, why: String| {
            findings.unchecked.push(Unchecked { rule: rule.to_owned(), statement, why });
        };
        for rule in RULES.iter().filter(|rule| !has(evidence, rule.needs)) {
            let missing = if rule.needs == Needs::Survey { "a survey" } else { "a rehearsal" };
            say(rule.id, None, format!("nobody can tell without {missing}"));
        }
        if let Some((first, last, count)) = self.skipped {
            let which = if first == last { first.clone() } else { format!("{first} to {last}") };
            let why = format!(
                "{which} did not run ({} in all), because a statement before failed: what they block, break or rebuild \
                 is not known",
                grouped(count)
            );
            say("replay", Some(first), why);
        }
        let Some(loud) = evidence.loud else { return };
        if loud.loud {
            let probed = evidence.probed();
            for table in self.touched.iter().filter(|table| !probed.contains(table)) {
                say("probes", None, format!("{table} was not probed, so what the upgrade blocks there is not known"));
            }
        }
        for table in &self.touched {
            let rehearsed =
                evidence.changes.and_then(|changes| changes.get(table)).and_then(|change| change.rows_before);
            let production = evidence.survey.and_then(|survey| survey.tables.get(table)).map(|facts| facts.rows);
            if let (Some(rehearsed), Some(production)) = (rehearsed, production)
                && rehearsed < production
            {
                let why = format!(
                    "{table} was rehearsed with {} of its {} rows: times and waits in production will be longer, and are \
                     not extrapolated",
                    grouped(rehearsed),
                    grouped(production)
                );
                say("scale", None, why);
            }
        }
        for (statement, why) in &loud.unchecked {
            say("replay", (!statement.is_empty()).then(|| statement.clone()), why.clone());
        }
        for line in findings.budget.iter().filter(|line| line.basis == "not measured") {
            findings.unchecked.push(Unchecked {
                rule: "budget".to_owned(),
                statement: None,
                why: format!("{} ({}) was not measured, so it cannot be said to hold", line.limit, line.allowed),
            });
        }
    }
}

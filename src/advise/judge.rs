//! The one loop over statements and rules, whatever there is to go by: a text alone, a survey, a whole rehearsal.

use std::collections::{BTreeMap, BTreeSet};

use super::births::Births;
use super::budget::{self, RowsChanged};
use super::catalogue::RULES;
use super::evidence::{Evidence, Subject};
use super::policy;
use super::record::{Allowance, Budget, Finding, Findings, Unchecked};
use super::rule::{Needs, Verdict};
use crate::quantity::grouped;
use crate::replay::record::{Observation, Outcome};
use crate::sql::record::{Statement, TableName};
use crate::survey::record::Basis;

/// Judges statements in their order; only findings are kept, so a long script takes no room.
pub fn judge<'a>(
    evidence: &'a Evidence<'a>,
    statements: impl Iterator<Item = (&'a Statement, Option<&'a Observation>)>,
    allow: &[Allowance],
    today: &str,
) -> Findings {
    let mut births = Births::default();
    let mut findings = Findings::default();
    let mut places: BTreeMap<&str, (usize, &Statement)> = BTreeMap::new();
    let mut rows = RowsChanged::new();
    let mut gaps = Gaps::default();
    for (place, (statement, loud)) in statements.enumerate() {
        let quiet = evidence.quiet.get(statement.id.as_str()).copied();
        let subject = Subject { evidence, births: &births, statement, loud, quiet };
        gaps.look(&subject);
        if apply_rules(&subject, &mut findings) || !allow.is_empty() {
            places.insert(&statement.id, (place, statement));
        }
        if let Some(figure) = subject.rows_changed() {
            let changed = (figure.rows, figure.basis == Basis::Extrapolated);
            let most = rows.entry(subject.target().cloned()).or_default();
            *most = changed.max(*most);
        }
        births.apply(statement, quiet.or(loud), evidence.survey);
    }
    let labels = |id: &str, name: &str| {
        id == name || places.get(id).is_some_and(|(_, statement)| statement.name.as_deref() == Some(name))
    };
    let accepted = policy::apply(&mut findings.findings, allow, today, &labels);
    let default = Budget::default();
    let limits = evidence.budget.unwrap_or(&default);
    if evidence.loud.is_some() {
        findings.budget = budget::lines(evidence, limits, &rows, &accepted);
    }
    gaps.tell(evidence, &mut findings);
    let place =
        |id: &Option<String>| id.as_deref().and_then(|id| places.get(id)).map_or(usize::MAX, |(place, _)| *place);
    findings.findings.sort_by(|a, b| {
        (place(&a.statement), b.severity, &a.rule, &a.message).cmp(&(
            place(&b.statement),
            a.severity,
            &b.rule,
            &b.message,
        ))
    });
    findings
}

/// Every rule on one statement; true when one of them found something.
fn apply_rules(subject: &Subject<'_>, findings: &mut Findings) -> bool {
    let id = &subject.statement.id;
    let skipped = subject.loud.is_some_and(|loud| loud.outcome == Outcome::Skipped);
    let before = findings.findings.len();
    for rule in RULES {
        let needed = match rule.needs {
            Needs::Text => true,
            Needs::Survey => subject.evidence.survey.is_some(),
            Needs::Rehearsal => subject.loud.is_some() && !skipped,
        };
        if !needed {
            continue; // said once for the whole
        }
        match (rule.check)(subject) {
            Verdict::Clear => {}
            Verdict::Risks(risks) => findings.findings.extend(risks.into_iter().map(|risk| Finding {
                rule: rule.id.to_owned(),
                severity: risk.severity,
                statement: Some(id.clone()),
                message: risk.message,
                evidence: risk.evidence,
            })),
            Verdict::Unchecked(why) => {
                findings.unchecked.push(Unchecked { rule: rule.id.to_owned(), statement: Some(id.clone()), why })
            }
        }
    }
    findings.findings.len() > before
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
        for (needs, missing) in [
            (Needs::Survey, evidence.survey.is_none().then_some("without a survey")),
            (Needs::Rehearsal, evidence.loud.is_none().then_some("without a rehearsal")),
        ] {
            for rule in RULES.iter().filter(|rule| rule.needs == needs) {
                if let Some(missing) = missing {
                    say(rule.id, None, format!("nobody can tell {missing}"));
                }
            }
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

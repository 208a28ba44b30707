//! What was found, as other programs take it: statements, and issues at their places. A rehearsal and a lint both lead
//! here; SARIF, annotations, code quality and JUnit all start from here.

use std::collections::BTreeMap;

use super::record::{Report, Statement};
use super::wording;
use crate::advise::record::{BudgetLine, Finding, LintSummary, Located, Place, Severity};
use crate::quantity::counted;
use crate::sql::record::{self, Origin};

/// A verdict on some SQL for other programs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Issues {
    /// What was judged: the scenario's name, the upgrade's.
    pub name: String,
    /// From which severity on an issue fails what was judged; none: never.
    pub fail_from: Option<Severity>,
    /// What was found, worst first within a statement.
    pub issues: Vec<Issue>,
    /// The statements, in order.
    pub cases: Vec<Case>,
    /// The budget held against what was seen; empty without a rehearsal.
    pub budget: Vec<BudgetLine>,
    /// What nobody looked at, in sentences.
    pub unchecked: Vec<String>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Issue {
    /// The rule's id.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// Harm, cause, cure.
    pub message: String,
    /// Why somebody accepted it; none when nobody did.
    pub accepted: Option<String>,
    /// The statement's id.
    pub statement: Option<String>,
    /// Where it is; none where nobody can tell.
    pub place: Option<Place>,
    /// What stays the same when lines move: the part's or the statement's text.
    pub key: String,
}

/// One statement, or look-alikes in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// `s3`.
    pub id: String,
    /// Its name, else its id.
    pub label: String,
    /// The beginning of its text, in one line.
    pub text: String,
    /// The file it stands in.
    pub file: String,
    /// Its line.
    pub line: u64,
    /// Its time; none where it was not run.
    pub seconds: Option<f64>,
    /// The server's error.
    pub error: Option<String>,
    /// It was not run, because an earlier one failed.
    pub skipped: bool,
}

/// Characters of a statement's text in a case's name.
const TEXT: usize = 80;

impl Issues {
    /// Of a rehearsal. `fail_from`: from which severity on a finding fails it.
    pub fn of_report(report: &Report, fail_from: Option<Severity>) -> Self {
        let texts: BTreeMap<&str, &str> =
            report.statements.iter().map(|one| (one.id.as_str(), one.text.as_str())).collect();
        let key = |finding: &Finding| {
            let text = finding.statement.as_deref().and_then(|id| texts.get(id)).copied().unwrap_or_default();
            squeezed(text, 400)
        };
        Self {
            name: report.name.clone(),
            fail_from,
            issues: report.findings.iter().map(|one| issue(one, place(report, one), key(one))).collect(),
            cases: report.statements.iter().map(case).collect(),
            budget: report.budget.clone(),
            unchecked: report
                .unchecked
                .iter()
                .map(|one| match &one.statement {
                    Some(id) => format!("{} on {}: {}", one.rule, wording::name_of(report, id), one.why),
                    None => format!("{}: {}", one.rule, one.why),
                })
                .chain(wording::not_rehearsed(report))
                .collect(),
        }
    }

    /// A finding as one issue, where it is not of a statement that was run.
    pub fn of_finding(finding: &Finding) -> Issue {
        let key = finding.place.as_ref().map(|place| place.file.clone()).unwrap_or_default();
        issue(finding, finding.place.clone(), key)
    }

    /// Takes in a finding of a lint.
    pub fn add(&mut self, located: &Located) {
        let Located { finding, spot, count, more } = located;
        let mut found = issue(finding, Some(spot.place()), squeezed(&spot.excerpt, 400));
        if *count > 1 {
            found.message.push_str(&format!(" ({} in a row)", counted(*count, "look-alike")));
        }
        if let Some((more, last)) = more {
            found.message.push_str(&format!(" (and {} further on, the last at {last})", counted(*more, "look-alike")));
        }
        self.issues.push(found);
    }

    /// Takes in a statement of a lint.
    pub fn read(&mut self, statement: &record::Statement) {
        self.cases.push(Case {
            id: statement.id.clone(),
            label: statement.label().to_owned(),
            text: wording::one_line(&statement.text, TEXT),
            file: statement.origin.file.clone(),
            line: statement.origin.line,
            ..Case::default()
        });
    }

    /// Takes in what a lint could not tell.
    pub fn lacks(&mut self, summary: &LintSummary) {
        self.unchecked.extend(summary.unchecked.iter().map(|untold| match &untold.first {
            Some((label, origin)) => format!("{} on {label} ({origin}): {}", untold.rule, untold.why),
            None => format!("{}: {}", untold.rule, untold.why),
        }));
    }

    /// The same with every file named otherwise: for hosts that name files from a repository's root.
    pub fn rename(&mut self, name: impl Fn(&str) -> String) {
        for place in self.issues.iter_mut().filter_map(|issue| issue.place.as_mut()) {
            place.file = name(&place.file);
        }
        for case in &mut self.cases {
            case.file = name(&case.file);
        }
    }

    /// The file that stands for the whole, for hosts that want one for each issue.
    pub fn file(&self) -> Option<&str> {
        let placed = self.issues.iter().filter_map(|issue| issue.place.as_ref()).map(|place| place.file.as_str());
        self.cases.iter().map(|case| case.file.as_str()).chain(placed).find(|file| !file.is_empty())
    }

    /// True when an issue fails what was judged.
    pub fn fails(&self, issue: &Issue) -> bool {
        self.fail_from.is_some_and(|from| issue.severity >= from)
    }
}

fn issue(finding: &Finding, place: Option<Place>, key: String) -> Issue {
    let accepted = finding.evidence.get("accepted").and_then(serde_json::Value::as_str);
    Issue {
        rule: finding.rule.clone(),
        severity: finding.severity,
        message: finding.message.clone(),
        accepted: accepted.map(str::to_owned),
        statement: finding.statement.clone(),
        place: place.filter(|place| !place.file.is_empty() && place.line > 0),
        key,
    }
}

/// The finding's own place, else its statement's line.
fn place(report: &Report, finding: &Finding) -> Option<Place> {
    finding.place.clone().or_else(|| {
        let id = finding.statement.as_ref()?;
        let Origin { file, line, .. } = origin(&report.statements.iter().find(|one| one.id == *id)?.origin);
        Some(Place { file, line, end_line: line, ..Place::default() })
    })
}

fn case(statement: &Statement) -> Case {
    let origin = origin(&statement.origin);
    Case {
        id: statement.id.clone(),
        label: wording::label(statement),
        text: wording::one_line(&statement.text, TEXT),
        file: origin.file,
        line: origin.line,
        seconds: statement.seconds,
        error: statement.error.as_ref().map(ToString::to_string),
        skipped: statement.outcome == "skipped",
    }
}

/// `upgrade.sql:12`, as an origin is written.
fn origin(text: &str) -> Origin {
    let (file, line) = text.rsplit_once(':').unwrap_or((text, ""));
    match line.parse() {
        Ok(line) => Origin { file: file.to_owned(), line, column: 1 },
        Err(_) => Origin { file: text.to_owned(), line: 1, column: 1 },
    }
}

/// A text's first words with single spaces between them.
fn squeezed(text: &str, limit: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(limit).collect()
}

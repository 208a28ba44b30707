//! Statements as test cases of JUnit's XML, which every CI server shows.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::issues::{Case, Issue, Issues};

/// The suite of the budget's lines.
const BUDGET: &str = "budget";
/// The suite of what concerns no single statement.
const WHOLE: &str = "the upgrade as a whole";

/// A suite for each file, a case for each statement; a finding that fails the run fails its statement's case, the others
/// stand in its output. The budget's limits are a suite of their own.
///
/// # Errors
/// When it cannot be written as XML.
pub fn render(issues: &Issues) -> Result<String> {
    let mut of_statement: BTreeMap<&str, Vec<&Issue>> = BTreeMap::new();
    let mut of_none = Vec::new();
    for issue in &issues.issues {
        let known = issue.statement.as_deref().filter(|id| issues.cases.iter().any(|case| case.id == *id));
        match known {
            Some(id) => of_statement.entry(id).or_default().push(issue),
            None => of_none.push(issue),
        }
    }
    let mut report = Report::new("rehearse");
    let mut suite: Option<TestSuite> = None;
    for case in &issues.cases {
        if suite.as_ref().is_none_or(|suite| suite.name.as_str() != case.file) {
            report.add_test_suites(suite.take());
        }
        let suite = suite.get_or_insert_with(|| TestSuite::new(case.file.as_str()));
        let found = of_statement.get(case.id.as_str()).map_or(&[][..], Vec::as_slice);
        suite.add_test_case(statement(issues, case, found));
    }
    report.add_test_suites(suite);
    if !issues.budget.is_empty() {
        let mut suite = TestSuite::new(BUDGET);
        for line in &issues.budget {
            let said = format!("{} allowed, {} observed ({})", line.allowed, line.observed, line.basis);
            let status = if line.ok { TestCaseStatus::success() } else { failure(&said, "budget", &said) };
            let mut case = TestCase::new(line.limit.as_str(), status);
            case.set_classname(BUDGET).set_system_out(said);
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    if !of_none.is_empty() || !issues.unchecked.is_empty() {
        let mut suite = TestSuite::new(WHOLE);
        for issue in of_none {
            let case = Case { label: issue.rule.clone(), ..Case::default() };
            suite.add_test_case(statement(issues, &case, &[issue]));
        }
        if !issues.unchecked.is_empty() {
            let mut case = TestCase::new("what nobody looked at", TestCaseStatus::skipped());
            case.set_classname(WHOLE).set_system_out(issues.unchecked.join("\n"));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    let text = report.to_string().context("cannot write JUnit's XML")?;
    Ok(without_skipped_sum(&text))
}

/// Jenkins' schema knows the number of skipped cases of a suite, not of all suites.
fn without_skipped_sum(text: &str) -> String {
    let end = text.find("<testsuites").and_then(|from| Some(from + text[from..].find('>')?)).unwrap_or(0);
    let (head, rest) = text.split_at(end);
    let sum = head.find(" skipped=\"").and_then(|from| Some((from, head[from + 10..].find('"')? + from + 11)));
    match sum {
        Some((from, to)) => format!("{}{}{rest}", &head[..from], &head[to..]),
        None => text.to_owned(),
    }
}

fn statement(issues: &Issues, case: &Case, found: &[&Issue]) -> TestCase {
    let said = |issue: &Issue| {
        let place = issue.place.as_ref().map(|place| format!("{}:{}:{}: ", place.file, place.line, place.column));
        format!("{}{} [{}]", place.unwrap_or_default(), issue.message, issue.rule)
    };
    let failing: Vec<&&Issue> = found.iter().filter(|issue| issues.fails(issue)).collect();
    let status = match (&case.error, failing.first()) {
        (Some(error), _) => failure(error, "statement-failed", error),
        (None, Some(first)) => {
            let all: Vec<String> = failing.iter().map(|issue| said(issue)).collect();
            failure(&first.message, &first.rule, &all.join("\n"))
        }
        (None, None) if case.skipped => TestCaseStatus::skipped(),
        (None, None) => TestCaseStatus::success(),
    };
    let name = if case.text.is_empty() { case.label.clone() } else { format!("{}: {}", case.label, case.text) };
    let mut test = TestCase::new(name, status);
    test.set_classname(if case.file.is_empty() { WHOLE } else { &case.file });
    if let Some(seconds) = case.seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
        test.set_time(Duration::from_secs_f64(seconds));
    }
    let others: Vec<String> = found.iter().filter(|issue| !issues.fails(issue)).map(|issue| said(issue)).collect();
    if !others.is_empty() {
        test.set_system_out(others.join("\n"));
    }
    test
}

fn failure(message: &str, kind: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message).set_type(kind).set_description(text);
    status
}

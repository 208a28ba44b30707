//! The renderings of a real rehearsal, held to what they were. `UPDATE_GOLDEN=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use super::record::{Report, SCHEMA_VERSION, Verdict};
use super::{markdown, text};
use crate::advise::record::{Finding, Severity};

/// The design's list of keys that other programs rely on.
const KEYS: &str = "schema_version verdict tool environment scale members upgrade phases tables statements experiments \
                    findings unchecked drills pools budget plan";
const MEMBER: &str = "name role flavor version sandbox";
const TABLE: &str = "name production_rows rows_before rows_after bytes_before bytes_after schema_diff";
const STATEMENT: &str = "id name kind text digest count origin session transaction tables outcome error warnings seconds \
                         rows algorithm locks locks_until blocked failed commit_seconds rebuilds lock footprint alternatives";
const ROWS: &str = "affected matched examined locked";
const BLOCKED: &str = "table probe longest_seconds total_seconds share from_seconds waits";
const FOOTPRINT: &str = "binlog_bytes redo_bytes disk_bytes history_list";
const ALTERNATIVE: &str = "id title script seconds blocked proof eligible reason chosen";
const PROOF: &str = "same_result differences excluded_columns basis";
const EXPERIMENT: &str = "id kind statement seconds outcome";
const FINDING: &str = "rule severity statement message evidence";
const UNCHECKED: &str = "rule statement why";
const BUDGET: &str = "limit allowed observed ok basis";
const PLAN: &str = "path digest";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/report").join(name)
}

fn zdz() -> Report {
    let content = fs::read_to_string(fixture("zdz.report.json")).expect("the fixture is there");
    serde_json::from_str(&content).expect("a report of this version is read")
}

/// Holds a rendering to its file, or writes the file when told to.
fn hold(name: &str, seen: &str) {
    let file = fixture(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, seen).expect("the golden file can be written");
        return;
    }
    let wanted = fs::read_to_string(&file).unwrap_or_default();
    if wanted != seen {
        let diff = similar::TextDiff::from_lines(&wanted, seen);
        panic!(
            "{name} has changed (UPDATE_GOLDEN=1 writes it anew):\n{}",
            diff.unified_diff().header("golden", "seen")
        );
    }
}

#[test]
fn the_terminal_sees_what_it_saw() {
    let seen = text::render(&zdz(), false);
    for line in seen.lines() {
        assert!(line.chars().count() <= usize::from(text::WIDTH), "too wide: {line}");
    }
    hold("zdz.txt", &seen);
}

#[test]
fn a_narrow_terminal_keeps_a_line_a_statement() {
    let seen = text::render_for(&zdz(), false, 80);
    assert_eq!(seen.lines().filter(|line| line.trim_start().starts_with("votes-widen-id ")).count(), 1);
    assert!(seen.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn colours_change_nothing_but_escapes() {
    let coloured = text::render(&zdz(), true);
    assert!(coloured.contains("\u{1b}["), "errors are red");
    assert!(!text::render(&zdz(), false).contains('\u{1b}'), "no escape where none was asked for");
}

#[test]
fn a_pull_request_sees_what_it_saw() {
    hold("zdz.md", &markdown::render(&zdz()));
}

#[test]
fn the_verdict_says_the_worst_harm_and_what_to_do_instead() {
    let verdict = super::verdict::sentences(&zdz());
    assert!(
        verdict.starts_with("FAIL: tracking-delete (DELETE FROM tracking) blocks writes to zdz.tracking"),
        "{verdict}"
    );
    assert!(verdict.contains("The plan runs batches of 10,000 rows by primary key instead"), "{verdict}");
}

#[test]
fn the_keys_that_programs_rely_on_are_there() {
    let report = serde_json::to_value(zdz()).expect("a report is JSON");
    let has = |value: &serde_json::Value, keys: &str| {
        for key in keys.split_whitespace() {
            assert!(value.get(key).is_some(), "{key} is missing in {value}");
        }
    };
    has(&report, KEYS);
    assert_eq!(report["schema_version"], SCHEMA_VERSION);
    assert_eq!(report["verdict"], "fail");
    has(&report["tool"], "version");
    has(&report["environment"], "cpus memory_bytes");
    has(&report["upgrade"], "digest statements");
    has(&report["members"][0], MEMBER);
    has(&report["tables"][0], TABLE);
    let delete = &report["statements"][10];
    has(delete, STATEMENT);
    assert_eq!(delete["kind"], "delete");
    has(&delete["rows"], ROWS);
    has(&delete["blocked"][0], BLOCKED);
    has(&delete["footprint"], FOOTPRINT);
    has(&delete["alternatives"][0], ALTERNATIVE);
    has(&delete["alternatives"][0]["proof"], PROOF);
    assert_eq!(delete["alternatives"][0]["proof"]["basis"], "checksum");
    has(&report["experiments"][0], EXPERIMENT);
    has(&report["findings"][0], FINDING);
    has(&report["unchecked"][0], UNCHECKED);
    has(&report["budget"][0], BUDGET);
    has(&report["plan"], PLAN);
}

#[test]
fn a_summary_of_five_thousand_statements_fits_and_counts_what_it_dropped() {
    let mut report = zdz();
    let pattern = report.statements[10].clone();
    let said = "blocks writes to zdz.tracking for 1.01 s: one DELETE removes all rows; delete in batches instead";
    report.findings.clear();
    report.statements = (1..=5_000)
        .map(|number| {
            let mut one = pattern.clone();
            (one.id, one.name) = (format!("s{number}"), None);
            one.alternatives.clear();
            report.findings.push(Finding {
                rule: "blocked-writes".to_owned(),
                severity: if number == 4_999 { Severity::Error } else { Severity::Info },
                statement: Some(one.id.clone()),
                message: format!("{said} (of {number} rows)"),
                evidence: Default::default(),
                place: None,
            });
            one
        })
        .collect();
    let summary = markdown::render(&report);
    assert!(summary.chars().count() <= markdown::LIMIT, "{}", summary.chars().count());
    assert!(summary.contains("- **error** `blocked-writes` on `s4999`"), "the error stays");
    let kept = summary.matches("- **note**").count() + 1;
    assert!(kept > 50, "what fits is there");
    assert!(summary.contains(&format!("{} more findings, the least severe, did not fit", 5_000 - kept)));
    assert!(summary.contains("4,980 more statements blocked less and took less"));
}

#[test]
fn what_is_said_of_many_statements_is_said_once() {
    let mut report = zdz();
    let ids: Vec<String> = report.statements.iter().take(8).map(|one| one.id.clone()).collect();
    report.findings = ids
        .iter()
        .map(|id| Finding {
            rule: "not-understood".to_owned(),
            severity: Severity::Warning,
            statement: Some(id.clone()),
            message: "may touch anything".to_owned(),
            evidence: Default::default(),
            place: None,
        })
        .collect();
    let text = text::render(&report, false);
    assert_eq!(text.matches("not-understood on").count(), 1, "{text}");
    assert!(text.contains("and 2 more: may touch"), "{text}");
    assert!(text.contains("8 warnings"), "all are counted");
    assert_eq!(markdown::render(&report).matches("may touch anything").count(), 1);
}

#[test]
fn a_wait_that_the_machine_makes_by_itself_is_no_verdict() {
    let mut report = zdz();
    report.verdict = Verdict::Pass;
    report.findings.clear();
    report.budget.clear();
    let longest = |report: &Report| {
        report.statements.iter().flat_map(|one| &one.blocked).map(|one| one.longest_seconds).fold(0.0, f64::max)
    };
    let mut noise = report.statements[10].blocked[0].clone();
    noise.longest_seconds = longest(&report);
    report.noise = vec![noise];
    let verdict = super::verdict::sentences(&report);
    assert!(
        verdict.starts_with("PASS: no statement kept a probe waiting longer than one waited while nothing ran"),
        "{verdict}"
    );
}

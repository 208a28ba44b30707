//! What a run showed, as far as a scenario can expect something of it.

use std::collections::{BTreeMap, BTreeSet};

use super::expect::Verdict;
use crate::replay::record::{Algorithm, ProofBasis};
use crate::report::record::{self, Report};
use crate::watch::record::{Blocked, ProbeKind};

/// What a run showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its verdict.
    pub verdict: Verdict,
    /// Rule → ids of the statements that it found.
    pub findings: BTreeMap<String, BTreeSet<String>>,
    /// The upgrade's statements.
    pub statements: Vec<SeenStatement>,
}

/// What a statement showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenStatement {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// `done`, `failed`, `timed_out` or `skipped`.
    pub outcome: String,
    /// Rows that it changed; none when nobody could tell.
    pub rows_affected: Option<u64>,
    /// How it was carried out.
    pub algorithm: Option<Algorithm>,
    /// Kind of request → its longest wait in seconds and the share of the statement's time in which one waited, of the
    /// worst table. A kind that nobody asked is not there.
    pub blocked: BTreeMap<ProbeKind, (f64, f64)>,
    /// Its alternatives.
    pub trials: Vec<SeenTrial>,
}

/// What an alternative showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenTrial {
    /// `truncate`, `swap`, `batches`.
    pub id: String,
    /// It may be tried.
    pub eligible: bool,
    /// Why not.
    pub reason: Option<String>,
    /// The plan takes it.
    pub chosen: bool,
    /// How long it took; none when it did not run.
    pub seconds: Option<f64>,
    /// The same state as the statement's; none when nothing was compared.
    pub same_result: Option<bool>,
    /// What differs.
    pub differences: Vec<String>,
    /// What differs without its cure.
    pub without_cure: Vec<String>,
    /// The longest wait of a write, in seconds; none when nobody asked one.
    pub longest_blocked_write: Option<f64>,
}

impl SeenStatement {
    /// True when `label` is its name or its id.
    pub fn is(&self, label: &str) -> bool {
        self.id == label || self.name.as_deref() == Some(label)
    }

    /// The name people gave it, else its id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

impl From<&Report> for Seen {
    fn from(report: &Report) -> Self {
        let mut findings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for finding in &report.findings {
            let statements = findings.entry(finding.rule.clone()).or_default();
            statements.extend(finding.statement.clone());
        }
        let verdict = match report.verdict {
            record::Verdict::Pass => Verdict::Pass,
            record::Verdict::Fail => Verdict::Fail,
        };
        Self { verdict, findings, statements: report.statements.iter().map(|seen| statement(seen, report)).collect() }
    }
}

/// The kinds of request that the probes asked on a statement's tables. A report lists those that waited; that the others
/// were asked at all shows in the requests of the time before the upgrade.
fn asked(seen: &record::Statement, report: &Report) -> BTreeSet<ProbeKind> {
    let ours = |wait: &&Blocked| wait.probe == ProbeKind::Commit || seen.tables.contains(&wait.table);
    report.noise.iter().filter(|wait| wait.asked > 0).filter(ours).map(|wait| wait.probe).collect()
}

fn statement(seen: &record::Statement, report: &Report) -> SeenStatement {
    let asked = asked(seen, report);
    let mut blocked: BTreeMap<ProbeKind, (f64, f64)> = asked.iter().map(|probe| (*probe, (0.0, 0.0))).collect();
    for wait in &seen.blocked {
        let worst = blocked.entry(wait.probe).or_default();
        *worst = (worst.0.max(wait.longest_seconds), worst.1.max(wait.share));
    }
    let writes = asked.iter().any(|probe| probe.is_write());
    SeenStatement {
        id: seen.id.clone(),
        name: seen.name.clone(),
        outcome: seen.outcome.clone(),
        rows_affected: seen.rows.affected,
        algorithm: seen.algorithm,
        blocked,
        trials: seen.alternatives.iter().map(|seen| trial(seen, writes)).collect(),
    }
}

fn trial(seen: &record::Alternative, writes_asked: bool) -> SeenTrial {
    let proof = seen.proof.as_ref().filter(|proof| proof.basis != ProofBasis::NotComparable);
    let writes = seen.blocked.iter().filter(|wait| wait.probe.is_write()).map(|wait| wait.longest_seconds);
    let longest = writes.reduce(f64::max);
    SeenTrial {
        id: seen.id.clone(),
        eligible: seen.eligible,
        reason: seen.reason.clone(),
        chosen: seen.chosen,
        seconds: seen.seconds,
        same_result: proof.map(|proof| proof.same_result),
        differences: proof.map(|proof| proof.differences.clone()).unwrap_or_default(),
        without_cure: proof.map(|proof| proof.without_cure.clone()).unwrap_or_default(),
        longest_blocked_write: longest.or((writes_asked && seen.completed == Some(true)).then_some(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::expect::{Expect, check};
    use crate::server::flavor::Flavor;

    fn seen() -> Seen {
        let delete = SeenStatement {
            id: "s10".into(),
            name: Some("tracking-delete".into()),
            outcome: "done".into(),
            rows_affected: Some(9_000_000),
            algorithm: None,
            blocked: [(ProbeKind::Update, (50.7, 0.9)), (ProbeKind::Read, (0.02, 0.0))].into(),
            trials: vec![SeenTrial {
                id: "swap".into(),
                eligible: true,
                chosen: true,
                seconds: Some(0.3),
                same_result: Some(true),
                without_cure: vec!["zdz.tracking: AUTO_INCREMENT 1 instead of 9000001".into()],
                longest_blocked_write: Some(0.08),
                ..SeenTrial::default()
            }],
        };
        let findings = [("delete-all-rows".to_owned(), ["s10".to_owned()].into())].into();
        Seen { verdict: Verdict::Fail, findings, statements: vec![delete] }
    }

    fn misses(expect: &str) -> Vec<String> {
        let expect: Expect = serde_json::from_str(expect).expect("an expectation");
        check(&expect, "mariadb:10.11.19".parse::<Flavor>().expect("a flavour"), &seen())
    }

    #[test]
    fn a_rule_that_nobody_named_is_a_miss_where_nothing_else_may_be_found() {
        let missed = misses(r#"{"nothing_else": true, "findings": {"table-rebuild": []}}"#);
        assert_eq!(missed, ["delete-all-rows finds tracking-delete, which is not expected"]);
        assert!(misses(r#"{"nothing_else": true, "findings": {"delete-all-rows": ["s10"]}}"#).is_empty());
        assert!(misses(r#"{"nothing_else": true, "perhaps": {"delete-all-rows": ["s10"]}}"#).is_empty());
    }

    #[test]
    fn what_holds_gives_no_miss() {
        let expect = r#"{"verdict": "fail", "findings": {"delete-all-rows": ["tracking-delete"]},
            "chosen": {"tracking-delete": "swap"},
            "statements": {"s10": {"outcome": "done", "rows_affected": "9M",
                "blocked": {"update": {"share_at_least": 0.5}, "read": {"longest_at_most": "1s"}}}},
            "trials": {"tracking-delete": {"swap": {"same_result": true, "without_cure": "AUTO_INCREMENT",
                "longest_blocked_write_at_most": "1s", "seconds_at_most": 2}}}}"#;
        assert_eq!(misses(expect), Vec::<String>::new());
    }

    #[test]
    fn each_miss_names_its_object_and_what_was_seen() {
        let expect = r#"{"verdict": "pass", "findings": {"delete-all-rows": [], "table-rebuild": ["s10"]},
            "chosen": {"tracking-delete": "truncate"},
            "statements": {"tracking-delete": {"rows_affected": "8M",
                "blocked": {"read": {"longest_at_least": "1s"}, "lock": {"share_at_least": 0.5}}}, "nobody": {}},
            "trials": {"tracking-delete": {"batches": {}, "swap": {"seconds_at_most": 0.1}}}}"#;
        assert_eq!(
            misses(expect),
            [
                "the verdict is fail, expected pass",
                "delete-all-rows finds tracking-delete, which is not expected",
                "table-rebuild does not find s10",
                "for tracking-delete the plan takes swap, expected truncate",
                "the upgrade has no statement nobody",
                "tracking-delete changes 9,000,000 rows, expected 8,000,000",
                "the longest read during tracking-delete waits 20 ms, expected 1.00 s or more",
                "nobody asked a lock while tracking-delete ran",
                "tracking-delete has no alternative batches",
                "tracking-delete/swap takes 0.30 s, expected 0.10 s or less",
            ]
        );
    }

    #[test]
    fn a_flavour_replaces_only_what_differs() {
        let expect = r#"{"verdict": "pass", "chosen": {"tracking-delete": "truncate"},
            "per_flavor": {"mariadb": {"chosen": {"tracking-delete": "batches"}}, "mysql": {"verdict": "pass"},
                "mariadb:10.11": {"verdict": "fail", "chosen": {"tracking-delete": "swap"}}}}"#;
        assert_eq!(misses(expect), Vec::<String>::new());
    }
}

//! What a report shows, as far as a scenario can expect something of it.

use std::collections::BTreeMap;

use crate::report::record::{Alternative, Report, Statement, Verdict};
use crate::scenario::expect;
use crate::scenario::seen::{Seen, SeenStatement, SeenTrial};

/// Reads a report for a scenario's expectations.
pub fn of(report: &Report) -> Seen {
    let mut findings: BTreeMap<String, _> = BTreeMap::new();
    for finding in &report.findings {
        let statements: &mut std::collections::BTreeSet<String> = findings.entry(finding.rule.clone()).or_default();
        statements.extend(finding.statement.clone());
    }
    Seen {
        verdict: match report.verdict {
            Verdict::Pass => expect::Verdict::Pass,
            Verdict::Fail => expect::Verdict::Fail,
        },
        findings,
        statements: report.statements.iter().map(statement).collect(),
    }
}

fn statement(statement: &Statement) -> SeenStatement {
    let mut blocked = BTreeMap::new();
    for wait in &statement.blocked {
        let worst: &mut (f64, f64) = blocked.entry(wait.probe).or_default();
        *worst = (worst.0.max(wait.longest_seconds), worst.1.max(wait.share));
    }
    SeenStatement {
        id: statement.id.clone(),
        name: statement.name.clone(),
        outcome: statement.outcome.clone(),
        rows_affected: statement.rows.affected.unwrap_or(0),
        algorithm: statement.algorithm,
        blocked,
        trials: statement.alternatives.iter().map(trial).collect(),
    }
}

fn trial(alternative: &Alternative) -> SeenTrial {
    let proof = alternative.proof.clone().unwrap_or_default();
    let writes = alternative.blocked.iter().filter(|wait| wait.probe.is_write());
    SeenTrial {
        id: alternative.id.clone(),
        eligible: alternative.eligible,
        reason: alternative.reason.clone(),
        chosen: alternative.chosen,
        seconds: alternative.seconds,
        same_result: alternative.proof.as_ref().map(|proof| proof.same_result),
        differences: proof.differences,
        without_cure: proof.without_cure,
        longest_blocked_write: alternative
            .completed
            .map(|_| writes.map(|wait| wait.longest_seconds).fold(0.0, f64::max)),
    }
}

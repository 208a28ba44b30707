//! What a scenario expects of its run, and the holding of a run to it.
//!
//! ```yaml
//! expect:
//!   verdict: fail
//!   findings: {delete-all-rows: [tracking-delete]}   # of each rule named here: exactly these statements
//!   nothing_else: true                               # no other rule finds anything
//!   perhaps: {broken-queries: [rename-visits]}       # found or not, as quick as the machine is
//!   chosen: {tracking-delete: swap}                  # `none`: no alternative may be chosen
//!   statements:
//!     tracking-delete:
//!       outcome: done
//!       rows_affected: 9M
//!       algorithm: copy
//!       blocked:                                     # read, lock, update, insert, commit
//!         update: {share_at_least: 0.5}
//!         read: {longest_at_most: 1s}
//!   trials:
//!     tracking-delete:
//!       truncate: {same_result: true, without_cure: AUTO_INCREMENT, seconds_at_most: 5}
//!       batches: {same_result: true, longest_blocked_write_at_most: 1s}
//!   per_flavor: {mariadb: {chosen: {tracking-delete: truncate}}}   # only what differs
//! ```
//!
//! Statements go by name or by id. What is not named is not held to anything. `per_flavor` is keyed by vendor or by
//! vendor and version (the closer one wins) and replaces whole entries: a rule, a statement, a statement's choice or trial.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::seen::{Seen, SeenStatement, SeenTrial};
use crate::quantity::{Count, Span, grouped, seconds};
use crate::replay::record::Algorithm;
use crate::server::flavor::Flavor;
use crate::watch::record::ProbeKind;

/// The choice that stands for: no alternative is chosen.
const NONE: &str = "none";

/// What a run is expected to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Rule → the statements that it finds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<String, BTreeSet<String>>,
    /// No rule finds anything but those that `findings` names.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nothing_else: bool,
    /// Rule → statements that it may find or not: what depends on the machine's speed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub perhaps: BTreeMap<String, BTreeSet<String>>,
    /// Statement → the alternative that the plan takes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub chosen: BTreeMap<String, String>,
    /// Statement → what it did.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub statements: BTreeMap<String, StatementExpect>,
    /// Statement → alternative → what its trial showed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub trials: BTreeMap<String, BTreeMap<String, TrialExpect>>,
    /// What differs on one vendor (`mariadb`) or version (`mariadb:10.11`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub per_flavor: BTreeMap<String, FlavorExpect>,
}

/// What differs on one flavour: the same keys, but for `per_flavor` itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field is that of `Expect`")]
pub struct FlavorExpect {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<String, BTreeSet<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub chosen: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub statements: BTreeMap<String, StatementExpect>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub trials: BTreeMap<String, BTreeMap<String, TrialExpect>>,
}

/// A run's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within the budget.
    Pass,
    /// Not.
    Fail,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// What one statement is expected to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatementExpect {
    /// `done`, `failed`, `timed_out` or `skipped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Rows that it changes, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_affected: Option<Count>,
    /// How the server carries it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// Whom it blocks, and whom not; the worst table counts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub blocked: BTreeMap<ProbeKind, BlockedExpect>,
}

/// How long one kind of request is expected to wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockedExpect {
    /// The longest wait is this or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_at_least: Option<Span>,
    /// The longest wait is this or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_at_most: Option<Span>,
    /// Waits cover this share of the statement's time (0 to 1) or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_at_least: Option<f64>,
}

/// What an alternative's trial is expected to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrialExpect {
    /// It may be tried; when not, the rest is not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eligible: Option<bool>,
    /// It leaves the same state behind as the statement does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_result: Option<bool>,
    /// What differs without its cure names this (`AUTO_INCREMENT`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_cure: Option<String>,
    /// No write waits longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_blocked_write_at_most: Option<Span>,
    /// It takes no longer, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_at_most: Option<f64>,
}

impl Expect {
    /// The expectations that hold on one flavour: the general ones, with the vendor's and then the version's over them.
    pub fn on(&self, flavor: Flavor) -> Self {
        let mut all = Self { per_flavor: BTreeMap::new(), ..self.clone() };
        for key in
            [flavor.vendor_name().to_owned(), format!("{}:{}.{}", flavor.vendor_name(), flavor.major, flavor.minor)]
        {
            let Some(other) = self.per_flavor.get(&key) else { continue };
            all.verdict = other.verdict.or(all.verdict);
            all.findings.extend(other.findings.clone());
            all.chosen.extend(other.chosen.clone());
            all.statements.extend(other.statements.clone());
            for (statement, trials) in &other.trials {
                all.trials.entry(statement.clone()).or_default().extend(trials.clone());
            }
        }
        all
    }
}

/// Holds what was seen to what was expected: each miss as a sentence, none when all holds.
pub fn check(expect: &Expect, flavor: Flavor, seen: &Seen) -> Vec<String> {
    let expect = expect.on(flavor);
    let mut misses = Vec::new();
    if let Some(wanted) = expect.verdict.filter(|wanted| *wanted != seen.verdict) {
        misses.push(format!("the verdict is {}, expected {}", seen.verdict.name(), wanted.name()));
    }
    for (rule, wanted) in &expect.findings {
        check_rule(rule, wanted, expect.perhaps.get(rule), seen, &mut misses);
    }
    if expect.nothing_else {
        for (rule, found) in seen.findings.iter().filter(|(rule, _)| !expect.findings.contains_key(*rule)) {
            match found.is_empty() {
                true => misses.push(format!("{rule} finds something in the whole, which is not expected")),
                false => check_rule(rule, &BTreeSet::new(), expect.perhaps.get(rule), seen, &mut misses),
            }
        }
    }
    for (label, wanted) in &expect.chosen {
        if let Some(statement) = find(label, seen, &mut misses) {
            let chosen = statement.trials.iter().find(|trial| trial.chosen).map_or(NONE, |trial| trial.id.as_str());
            if chosen != wanted {
                misses.push(format!("for {label} the plan takes {chosen}, expected {wanted}"));
            }
        }
    }
    for (label, wanted) in &expect.statements {
        if let Some(statement) = find(label, seen, &mut misses) {
            check_statement(label, wanted, statement, &mut misses);
        }
    }
    for (label, trials) in &expect.trials {
        let Some(statement) = find(label, seen, &mut misses) else { continue };
        for (id, wanted) in trials {
            match statement.trials.iter().find(|trial| trial.id == *id) {
                Some(trial) => check_trial(&format!("{label}/{id}"), wanted, trial, &mut misses),
                None => misses.push(format!("{label} has no alternative {id}")),
            }
        }
    }
    misses
}

fn find<'a>(label: &str, seen: &'a Seen, misses: &mut Vec<String>) -> Option<&'a SeenStatement> {
    let statement = seen.statements.iter().find(|statement| statement.is(label));
    if statement.is_none() {
        misses.push(format!("the upgrade has no statement {label}"));
    }
    statement
}

fn check_rule(
    rule: &str,
    wanted: &BTreeSet<String>,
    perhaps: Option<&BTreeSet<String>>,
    seen: &Seen,
    misses: &mut Vec<String>,
) {
    let found = seen.findings.get(rule).cloned().unwrap_or_default();
    let mut wanted_ids = BTreeSet::new();
    for label in wanted {
        let Some(statement) = find(label, seen, misses) else { continue };
        wanted_ids.insert(statement.id.clone());
        if !found.contains(&statement.id) {
            misses.push(format!("{rule} does not find {label}"));
        }
    }
    for id in found.difference(&wanted_ids) {
        let label =
            seen.statements.iter().find(|statement| statement.id == *id).map_or(id.as_str(), SeenStatement::label);
        if perhaps.is_some_and(|perhaps| perhaps.contains(label) || perhaps.contains(id)) {
            continue;
        }
        misses.push(format!("{rule} finds {label}, which is not expected"));
    }
}

fn check_statement(label: &str, wanted: &StatementExpect, seen: &SeenStatement, misses: &mut Vec<String>) {
    if let Some(outcome) = wanted.outcome.as_ref().filter(|outcome| **outcome != seen.outcome) {
        misses.push(format!("the outcome of {label} is {}, expected {outcome}", seen.outcome));
    }
    if let Some(rows) = wanted.rows_affected.filter(|rows| Some(rows.0) != seen.rows_affected) {
        let changed = seen.rows_affected.map_or("an unknown number of".to_owned(), grouped);
        misses.push(format!("{label} changes {changed} rows, expected {}", grouped(rows.0)));
    }
    if let Some(algorithm) = wanted.algorithm.filter(|algorithm| Some(*algorithm) != seen.algorithm) {
        let used = seen.algorithm.map_or_else(|| "not known".to_owned(), |algorithm| format!("{algorithm:?}"));
        misses.push(format!("the algorithm of {label} is {}, expected {algorithm:?}", used).to_lowercase());
    }
    for (probe, limits) in &wanted.blocked {
        let Some((longest, share)) = seen.blocked.get(probe).copied() else {
            misses.push(format!("nobody asked a {} while {label} ran", probe.name()));
            continue;
        };
        let what = format!("the longest {} during {label} waits {}", probe.name(), seconds(longest));
        if let Some(limit) = limits.longest_at_least.filter(|limit| over(*limit, longest).is_lt()) {
            misses.push(format!("{what}, expected {limit} or more"));
        }
        if let Some(limit) = limits.longest_at_most.filter(|limit| over(*limit, longest).is_gt()) {
            misses.push(format!("{what}, expected {limit} or less"));
        }
        if let Some(limit) = limits.share_at_least.filter(|limit| share < *limit) {
            misses.push(format!(
                "a {} waits for {:.0} % of the time of {label}, expected {:.0} % or more",
                probe.name(),
                share * 100.0,
                limit * 100.0
            ));
        }
    }
}

/// How `seen` compares to a limit; everything is below `none`.
fn over(limit: Span, seen: f64) -> std::cmp::Ordering {
    limit.0.map_or(std::cmp::Ordering::Less, |limit| seen.total_cmp(&limit.as_secs_f64()))
}

fn check_trial(what: &str, wanted: &TrialExpect, seen: &SeenTrial, misses: &mut Vec<String>) {
    if let Some(eligible) = wanted.eligible.filter(|eligible| *eligible != seen.eligible) {
        let why = seen.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        misses.push(format!("{what} is {}{why}", if eligible { "refused" } else { "eligible, expected refused" }));
    }
    if wanted.eligible == Some(false) {
        return;
    }
    if let Some(same) = wanted.same_result.filter(|same| Some(*same) != seen.same_result) {
        let difference = match seen.same_result {
            None => "nothing was compared".to_owned(),
            Some(true) => "nothing differs".to_owned(),
            Some(false) => seen.differences.join("; "),
        };
        misses.push(format!(
            "{what} is expected to {} the same result: {difference}",
            if same { "have" } else { "lack" }
        ));
    }
    if let Some(cure) =
        wanted.without_cure.as_ref().filter(|cure| !seen.without_cure.iter().any(|line| line.contains(*cure)))
    {
        misses.push(format!("no difference of {what} without its cure names {cure}"));
    }
    if let Some(limit) = wanted.longest_blocked_write_at_most {
        match seen.longest_blocked_write {
            None => misses.push(format!("nobody asked a write while {what} ran")),
            Some(longest) if over(limit, longest).is_gt() => {
                misses.push(format!(
                    "the longest write during {what} waits {}, expected {limit} or less",
                    seconds(longest)
                ));
            }
            Some(_) => {}
        }
    }
    if let Some(limit) = wanted.seconds_at_most {
        match seen.seconds {
            None => misses.push(format!("{what} did not run")),
            Some(took) if took > limit => {
                misses.push(format!("{what} takes {}, expected {} or less", seconds(took), seconds(limit)));
            }
            Some(_) => {}
        }
    }
}

//! The words and the choices that every rendering shares: cells, which statements to show, remarks.

use std::collections::BTreeMap;

use super::record::{Alternative, Report, Statement};
use crate::advise::record::{Finding, Severity};
use crate::quantity;
use crate::replay::record::{Algorithm, ProofBasis};
use crate::sql::record::Kind;
use crate::watch::record::{Blocked, ProbeKind};

/// The probes in the order in which reports show them.
pub const PROBES: [ProbeKind; 5] =
    [ProbeKind::Read, ProbeKind::Lock, ProbeKind::Update, ProbeKind::Insert, ProbeKind::Commit];

/// A wait shorter than this is within a healthy server's noise and is shown as none.
pub const NOISE_SECONDS: f64 = 0.05;

/// What to know about the size of what was rehearsed; none at full size.
pub fn scale(report: &Report) -> Option<String> {
    if report.scale >= 1.0 {
        return None;
    }
    let largest = report
        .tables
        .iter()
        .filter(|table| table.rows_before.is_some() && table.production_rows.is_some())
        .max_by_key(|table| table.production_rows);
    let rows = largest.map(|table| {
        format!(
            ", {} of {} rows in {}",
            quantity::grouped(table.rows_before.unwrap_or_default()),
            quantity::grouped(table.production_rows.unwrap_or_default()),
            table.name
        )
    });
    Some(format!(
        "Scale {}{}: times and waits are of the sandbox, not production's.",
        report.scale,
        rows.unwrap_or_default()
    ))
}

/// Where it ran.
pub fn place(report: &Report) -> String {
    let members: Vec<String> = report
        .members
        .iter()
        .map(|member| format!("{} {} ({})", member.flavor, member.sandbox, member.version))
        .collect();
    let memory =
        report.environment.memory_bytes.map(|bytes| format!(", {}", quantity::bytes(bytes))).unwrap_or_default();
    format!("{}, {} CPUs{memory}", members.join(", "), report.environment.cpus)
}

/// A statement's name, else its id; a group with its count.
pub fn label(statement: &Statement) -> String {
    let name = statement.name.as_deref().unwrap_or(&statement.id);
    if statement.count > 1 { format!("{name} ×{}", quantity::grouped(statement.count)) } else { name.to_owned() }
}

/// The probe's requests as people call them.
pub fn plural(probe: ProbeKind) -> &'static str {
    match probe {
        ProbeKind::Read => "reads",
        ProbeKind::Lock => "locks",
        ProbeKind::Update => "updates",
        ProbeKind::Insert => "inserts",
        ProbeKind::Commit => "commits",
    }
}

/// The longest wait of one kind of request; none when nobody asked.
pub fn longest(blocked: &[Blocked], probe: ProbeKind) -> Option<f64> {
    blocked.iter().filter(|blocked| blocked.probe == probe).map(|blocked| blocked.longest_seconds).reduce(f64::max)
}

/// A wait for people; nothing below the noise, and where nobody asked.
pub fn wait(seconds: Option<f64>, failed: u64) -> String {
    let waited = match seconds {
        None => String::new(),
        Some(seconds) if seconds < NOISE_SECONDS => String::new(),
        Some(seconds) => quantity::seconds(seconds),
    };
    match (failed, waited.as_str()) {
        (0, _) => waited,
        (failed, "") => format!("{failed} failed"),
        (failed, _) => format!("{waited}, {failed} failed"),
    }
}

/// How many requests of a kind failed.
pub fn failures(statement: &Statement, probe: ProbeKind) -> u64 {
    statement.failed.iter().filter(|failed| failed.probe == probe).map(|failed| failed.count).sum()
}

/// Rows for people: affected, and matched or locked where they tell more.
pub fn rows(statement: &Statement) -> String {
    let mut text = statement.rows.affected.map(quantity::grouped).unwrap_or_default();
    if let Some(cascaded) = statement.rows.cascaded.filter(|cascaded| *cascaded > 0) {
        text.push_str(&format!(" +{}", quantity::grouped(cascaded)));
    }
    text
}

/// Its time, or what became of it.
pub fn time(statement: &Statement) -> String {
    match (statement.outcome.as_str(), statement.seconds) {
        ("done", Some(seconds)) => quantity::seconds(seconds),
        ("skipped", _) => "skipped".to_owned(),
        ("timed_out", Some(seconds)) => format!("timed out, {}", quantity::seconds(seconds)),
        (_, Some(seconds)) => format!("failed, {}", quantity::seconds(seconds)),
        (outcome, None) => outcome.to_owned(),
    }
}

/// How a DDL was carried out.
pub fn how(statement: &Statement) -> String {
    match (statement.algorithm, statement.rebuilds) {
        (Some(Algorithm::Instant), _) => "instant".to_owned(),
        (Some(Algorithm::Inplace), true) => "rebuild".to_owned(),
        (Some(Algorithm::Inplace), false) => "in place".to_owned(),
        (Some(Algorithm::Copy), _) => "copy".to_owned(),
        (None, _) => String::new(),
    }
}

/// A statement's text on one line, at most so many characters.
pub fn one_line(text: &str, limit: usize) -> String {
    let folded: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if folded.chars().count() <= limit {
        return folded;
    }
    let mut cut: String = folded.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// The statements worth a line, and those that are not.
#[derive(Clone, Debug, Default)]
pub struct Shown<'a> {
    /// In the upgrade's order.
    pub statements: Vec<&'a Statement>,
    /// Statements that only look or set up the session, ended well, were quick and kept nothing waiting.
    pub folded: u64,
    /// Their time.
    pub folded_seconds: f64,
    /// Statements for which there was no room; they blocked less and took less than those shown.
    pub rest: u64,
}

impl Shown<'_> {
    /// What is not shown, in sentences.
    pub fn left_out(&self) -> Vec<String> {
        let more = if self.statements.is_empty() { "" } else { "more " };
        let folded = (self.folded > 0).then(|| {
            let time = quantity::seconds(self.folded_seconds);
            format!("{}: nothing waited, {time} in all", quantity::counted(self.folded, &format!("{more}statement")))
        });
        let rest = (self.rest > 0).then(|| {
            let count = quantity::counted(self.rest, "more statement");
            format!("{count} blocked less and took less; report.json has them all")
        });
        folded.into_iter().chain(rest).collect()
    }
}

/// Chooses the statements to show: those that failed, then those that blocked longest, then the longest.
pub fn shown(report: &Report, limit: usize) -> Shown<'_> {
    let harm = |statement: &Statement| {
        let blocked = statement.blocked.iter().map(|blocked| blocked.longest_seconds).fold(0.0, f64::max);
        (statement.error.is_some(), blocked, statement.seconds.unwrap_or(0.0))
    };
    let (trivial, mut order): (Vec<usize>, Vec<usize>) =
        (0..report.statements.len()).partition(|index| is_trivial(&report.statements[*index]));
    order.sort_by(|a, b| {
        let (a, b) = (harm(&report.statements[*a]), harm(&report.statements[*b]));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)).then(b.2.total_cmp(&a.2))
    });
    let count = |of: &[usize]| of.iter().map(|index| report.statements[*index].count).sum();
    let rest = count(order.get(limit..).unwrap_or_default());
    order.truncate(limit);
    order.sort_unstable();
    Shown {
        statements: order.into_iter().map(|index| &report.statements[index]).collect(),
        folded: count(&trivial),
        folded_seconds: trivial.iter().filter_map(|index| report.statements[*index].seconds).sum(),
        rest,
    }
}

/// It looks or sets up the session, and nothing came of it.
fn is_trivial(statement: &Statement) -> bool {
    let is_quiet = matches!(
        statement.kind,
        Kind::Use | Kind::Show | Kind::Select | Kind::Set | Kind::Explain | Kind::Begin | Kind::Commit
    );
    is_quiet
        && statement.outcome == "done"
        && statement.failed.is_empty()
        && statement.alternatives.is_empty()
        && statement.seconds.unwrap_or(0.0) < NOISE_SECONDS
        && statement.commit_seconds.unwrap_or(0.0) < NOISE_SECONDS
        && statement.blocked.iter().all(|blocked| blocked.longest_seconds < NOISE_SECONDS)
}

/// Whether an alternative leaves the same.
pub fn proof(way: &Alternative) -> String {
    let Some(proof) = &way.proof else {
        return if way.eligible { "not tried" } else { "refused" }.to_owned();
    };
    match (way.completed, proof.same_result, proof.basis) {
        (Some(false), _, _) => "failed".to_owned(),
        (_, _, ProofBasis::NotComparable) => "not comparable".to_owned(),
        (_, true, ProofBasis::Checksum) => "same (checksums)".to_owned(),
        (_, true, ProofBasis::Counts) => "same (counts only)".to_owned(),
        (_, false, _) => "differs".to_owned(),
    }
}

/// What to say under an alternative: why not, what differs, what the cure is for, and, of the one that the plan takes,
/// what to know.
pub fn remarks(way: &Alternative) -> Vec<String> {
    let mut lines = Vec::new();
    if !way.eligible {
        lines.push(format!("{}: refused, {}", way.id, way.reason.as_deref().unwrap_or("for no reason given")));
    }
    if let Some(proof) = &way.proof {
        lines.extend(some(&proof.differences).map(|what| format!("{} differs: {what}", way.id)));
        lines.extend(some(&proof.without_cure).map(|what| format!("{} without its cure differs: {what}", way.id)));
        lines.extend(some(&proof.excluded_columns).map(|what| format!("{}: left out of the proof, {what}", way.id)));
    }
    if way.chosen {
        lines.extend(way.caveats.iter().map(|caveat| format!("{}: {caveat}", way.id)));
    }
    lines
}

/// The first few of some, in one line; none of none.
fn some(all: &[String]) -> Option<String> {
    const FEW: usize = 6;
    let more = all.len().saturating_sub(FEW);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    let few: Vec<&str> = all.iter().take(FEW).map(String::as_str).collect();
    (!all.is_empty()).then(|| format!("{}{rest}", few.join("; ")))
}

/// Where the key decided how long a request waited: the worst such statement and probe, at most so many.
pub fn key_differences(report: &Report, limit: usize) -> Vec<String> {
    let mut found: Vec<(f64, String)> = Vec::new();
    for statement in &report.statements {
        for blocked in &statement.blocked {
            let at = |name: &str| blocked.by_key.iter().find(|(key, _)| key == name).map(|(_, seconds)| *seconds);
            let (Some(first), Some(last)) = (at("first"), at("last")) else { continue };
            let (more, less) = (first.max(last), first.min(last));
            if more >= 0.1 && more > 2.0 * less {
                let line = format!(
                    "{}, {} of {}: the first key waited {}, the last {}",
                    label(statement),
                    plural(blocked.probe),
                    blocked.table,
                    quantity::seconds(first),
                    quantity::seconds(last)
                );
                found.push((more, line));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().take(limit).map(|(_, line)| line).collect()
}

/// The name of a statement by its id.
pub fn name_of(report: &Report, id: &str) -> String {
    report.statements.iter().find(|statement| statement.id == id).map_or_else(|| id.to_owned(), label)
}

/// `3 errors, 1 warning, 0 notes`.
pub fn counts(findings: &[&Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let all = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")];
    all.map(|(severity, noun)| quantity::counted(count(severity), noun)).join(", ")
}

/// Findings, worst first; within a severity in the report's own order.
pub fn by_severity(report: &Report) -> Vec<&Finding> {
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Findings, worst first, what is said of several statements once: with all of their ids, in the report's order.
pub fn told_once(report: &Report) -> Vec<(&Finding, Vec<&str>)> {
    let mut told: Vec<(&Finding, Vec<&str>)> = Vec::new();
    let mut places: BTreeMap<(&str, Severity, &str), usize> = BTreeMap::new();
    for finding in by_severity(report) {
        let key = (finding.rule.as_str(), finding.severity, finding.message.as_str());
        let place = *places.entry(key).or_insert(told.len());
        if place == told.len() {
            told.push((finding, Vec::new()));
        }
        told[place].1.extend(finding.statement.as_deref());
    }
    told
}

/// Statements by name: `s6 ×5, s11, s12 and 9 more`; empty for none.
pub fn names_of(report: &Report, ids: &[&str]) -> String {
    const NAMED: usize = 6;
    let named: Vec<String> = ids.iter().take(NAMED).map(|id| name_of(report, id)).collect();
    let more = ids.len().saturating_sub(NAMED);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{tail}", named.join(", "))
}

/// The longest wait while nothing ran, in seconds, and at least what a healthy server does anyway: below it nothing is told.
pub fn floor(report: &Report) -> f64 {
    report.noise.iter().map(|one| one.longest_seconds).fold(NOISE_SECONDS, f64::max)
}

/// The severity's word.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// What was not rehearsed at all, in sentences.
pub fn not_rehearsed(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.drills.is_empty() {
        lines.push("kills and rollbacks, restarts, lost connections: no drill ran".to_owned());
    } else {
        lines.push("restarts of the server in the middle of the upgrade".to_owned());
    }
    if report.pools.is_empty() {
        lines.push(
            "the application's own queries and its pools: no workload ran; probes cannot show deadlocks with it"
                .to_owned(),
        );
    }
    if !report.members.iter().any(|member| member.role == "replica") {
        lines.push("replicas and their lag: there was none".to_owned());
    }
    for member in &report.members {
        lines.extend(
            member.not_carried.iter().map(|setting| format!("{}: setting not carried, {setting}", member.name)),
        );
    }
    lines
}

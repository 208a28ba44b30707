//! The words and the choices that every rendering shares: one sentence for the whole, cells, which statements to show.

use super::record::{Alternative, Report, Statement, Verdict};
use crate::advise::record::{Finding, Severity};
use crate::quantity;
use crate::replay::record::{Algorithm, ProofBasis};
use crate::watch::record::{Blocked, ProbeKind};

/// The probes in the order in which reports show them.
pub const PROBES: [ProbeKind; 5] =
    [ProbeKind::Read, ProbeKind::Lock, ProbeKind::Update, ProbeKind::Insert, ProbeKind::Commit];

/// A wait shorter than this is within a healthy server's noise and is shown as none.
const NOISE_SECONDS: f64 = 0.05;

/// The whole in one sentence.
pub fn verdict(report: &Report) -> String {
    let word = match report.verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
    };
    let failed = report.statements.iter().find(|statement| statement.error.is_some());
    let worst = report
        .statements
        .iter()
        .flat_map(|statement| statement.blocked.iter().map(move |blocked| (statement, blocked)))
        .filter(|(_, blocked)| blocked.longest_seconds >= NOISE_SECONDS)
        .max_by(|a, b| a.1.longest_seconds.total_cmp(&b.1.longest_seconds));
    let harm = match (failed, worst) {
        (Some(failed), _) => {
            let error = failed.error.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} fails with {error}", label(failed))
        }
        (None, Some((statement, blocked))) => {
            format!(
                "{} blocks {} for up to {}",
                label(statement),
                of(blocked),
                quantity::seconds(blocked.longest_seconds)
            )
        }
        (None, None) if report.statements.iter().any(|statement| statement.error.is_some()) => String::new(),
        (None, None) => "no statement kept a probe waiting for 50 ms or more".to_owned(),
    };
    let better = worst.filter(|_| failed.is_none()).and_then(|(statement, _)| chosen(statement)).map(
        |(title, seconds, same)| {
            let same = if same { "with the same result" } else { "with another result" };
            format!("; {title} does its work in {} {same}", quantity::seconds(seconds))
        },
    );
    format!("{word}: {harm}{}.", better.unwrap_or_default())
}

fn chosen(statement: &Statement) -> Option<(&str, f64, bool)> {
    let way = statement.alternatives.iter().find(|way| way.chosen)?;
    Some((way.title.as_str(), way.seconds?, way.proof.as_ref().is_some_and(|proof| proof.same_result)))
}

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
            ": {} of {} rows in {}",
            quantity::grouped(table.rows_before.unwrap_or_default()),
            quantity::grouped(table.production_rows.unwrap_or_default()),
            table.name
        )
    });
    Some(format!("scale {}{}; times are of the sandbox, not production's", report.scale, rows.unwrap_or_default()))
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

/// `updates of zdz.tracking`, `every commit`.
fn of(blocked: &Blocked) -> String {
    match blocked.probe {
        ProbeKind::Commit => "every commit on the server".to_owned(),
        probe => format!("{} of {}", plural(probe), blocked.table),
    }
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

/// A wait for people: `·` when it was asked and did not wait, `` when nobody asked, else the seconds.
pub fn wait(seconds: Option<f64>, failed: u64) -> String {
    let waited = match seconds {
        None => String::new(),
        Some(seconds) if seconds < NOISE_SECONDS => "·".to_owned(),
        Some(seconds) => quantity::seconds(seconds),
    };
    match (failed, waited.as_str()) {
        (0, _) => waited,
        (failed, "" | "·") => format!("{failed} failed"),
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
        ("done", Some(seconds)) => {
            let commit = statement.commit_seconds.filter(|commit| *commit >= NOISE_SECONDS);
            let commit = commit.map(|commit| format!(" + commit {}", quantity::seconds(commit))).unwrap_or_default();
            format!("{}{commit}", quantity::seconds(seconds))
        }
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
        (Some(Algorithm::Inplace), true) => "in place, rebuilds".to_owned(),
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

/// The statements to show, in order, and how many are left out: those that failed, then those that blocked longest,
/// then the longest.
pub fn worst(report: &Report, limit: usize) -> (Vec<&Statement>, u64) {
    let harm = |statement: &Statement| {
        let blocked = statement.blocked.iter().map(|blocked| blocked.longest_seconds).fold(0.0, f64::max);
        (statement.error.is_some(), blocked, statement.seconds.unwrap_or(0.0))
    };
    let mut order: Vec<usize> = (0..report.statements.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (harm(&report.statements[*a]), harm(&report.statements[*b]));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)).then(b.2.total_cmp(&a.2))
    });
    let rest: u64 = order.iter().skip(limit).map(|index| report.statements[*index].count).sum();
    order.truncate(limit);
    order.sort_unstable();
    (order.into_iter().map(|index| &report.statements[index]).collect(), rest)
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

/// What to say under an alternative: why not, what differs, what the cure is for.
pub fn remarks(way: &Alternative) -> Vec<String> {
    let mut lines = Vec::new();
    if !way.eligible {
        lines.push(format!("{}: refused, {}", way.id, way.reason.as_deref().unwrap_or("for no reason given")));
    }
    if let Some(proof) = &way.proof {
        lines.extend(proof.differences.iter().map(|difference| format!("{}: differs, {difference}", way.id)));
        lines.extend(proof.without_cure.iter().map(|cured| format!("{}: cured, without the cure {cured}", way.id)));
        if !proof.excluded_columns.is_empty() {
            lines.push(format!("{}: left out of the proof, {}", way.id, proof.excluded_columns.join(", ")));
        }
    }
    if way.chosen {
        lines.extend(way.caveats.iter().map(|caveat| format!("{}: {caveat}", way.id)));
    }
    lines
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

/// Findings, worst first; within a severity in the report's own order.
pub fn by_severity(report: &Report) -> Vec<&Finding> {
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// The severity's word.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// What was not rehearsed at all, in sentences.
pub fn not_rehearsed(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.drills.is_empty() {
        lines.push("kills and rollbacks, restarts, lost connections: no drill ran".to_owned());
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

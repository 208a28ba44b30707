//! A statement as a line of the list, and what opens below it.

use crate::advise::record::Finding;
use crate::quantity;
use crate::report::record::{Report, Statement};
use crate::report::wording::{self, NOISE_SECONDS, PROBES};

/// A cell that tells how long a kind of request waited.
#[derive(Clone, Debug)]
pub struct Wait {
    /// `updates`.
    pub what: &'static str,
    /// `1.01 s`; empty when none waited.
    pub text: String,
    /// How bad, 0 (nothing) to 4: it deepens the colour, and never says anything alone.
    pub level: u8,
}

/// A fact with its name.
#[derive(Clone, Debug)]
pub struct Fact {
    /// `binary log`.
    pub name: &'static str,
    /// `14.8 MiB`.
    pub value: String,
}

/// Who waited, in full.
#[derive(Clone, Debug)]
pub struct Victim {
    /// The table.
    pub table: String,
    /// `updates`.
    pub what: &'static str,
    /// The longest wait.
    pub longest: String,
    /// All stretches of waiting together.
    pub total: String,
    /// Their share of the statement's time.
    pub share: String,
    /// When it began to, after the statement did.
    pub from: String,
    /// Requests that waited, of those asked.
    pub waits: String,
    /// The wait by the key's place.
    pub keys: String,
}

/// One statement.
#[derive(Clone, Debug)]
pub struct StatementView<'a> {
    /// Its place in the report, which the picture's bars name.
    pub index: usize,
    /// What the report knows.
    pub of: &'a Statement,
    /// Its name, with a count for look-alikes.
    pub label: String,
    /// Its text on one line.
    pub line: String,
    /// Rows.
    pub rows: String,
    /// Its time, or what became of it.
    pub time: String,
    /// How a DDL was carried out.
    pub how: String,
    /// Five waits.
    pub waits: Vec<Wait>,
    /// Nothing waited and nothing was found: not shown in a long list at first.
    pub plain: bool,
    /// What was measured.
    pub facts: Vec<Fact>,
    /// Who waited.
    pub victims: Vec<Victim>,
    /// Locks that were seen.
    pub locks: Vec<String>,
    /// Requests that failed.
    pub failures: Vec<String>,
    /// What was found.
    pub findings: Vec<(&'static str, &'a Finding)>,
    /// The server's warnings.
    pub warnings: Vec<String>,
}

/// All statements, in order.
pub fn all(report: &Report) -> Vec<StatementView<'_>> {
    let mut found: std::collections::BTreeMap<&str, Vec<&Finding>> = std::collections::BTreeMap::new();
    for finding in wording::by_severity(report) {
        if let Some(id) = &finding.statement {
            found.entry(id).or_default().push(finding);
        }
    }
    (report.statements.iter().enumerate())
        .map(|(index, statement)| of(index, statement, found.remove(statement.id.as_str()).unwrap_or_default()))
        .collect()
}

fn of<'a>(index: usize, statement: &'a Statement, found: Vec<&'a Finding>) -> StatementView<'a> {
    let waits: Vec<Wait> = PROBES
        .into_iter()
        .map(|probe| {
            let longest = wording::longest(&statement.blocked, probe);
            let failed = wording::failures(statement, probe);
            Wait {
                what: wording::plural(probe),
                text: wording::wait(longest, failed),
                level: if failed > 0 { 4 } else { level(longest.unwrap_or(0.0)) },
            }
        })
        .collect();
    let plain = waits.iter().all(|wait| wait.text.is_empty())
        && found.is_empty()
        && statement.alternatives.is_empty()
        && statement.outcome == "done"
        && statement.seconds.unwrap_or(0.0) < 1.0;
    StatementView {
        index,
        of: statement,
        label: wording::label(statement),
        line: wording::one_line(&statement.text, 120),
        rows: wording::rows(statement),
        time: wording::time(statement),
        how: wording::how(statement),
        waits,
        plain,
        facts: facts(statement),
        victims: victims(statement),
        locks: (statement.locks.iter())
            .filter(|lock| lock.held_seconds >= 0.001)
            .map(|lock| format!("{} on {}, seen for {}", lock.mode, lock.object, quantity::seconds(lock.held_seconds)))
            .collect(),
        failures: (statement.failed.iter())
            .map(|one| {
                let times = quantity::counted(one.count, "time");
                format!(
                    "{} of {}: error {} {times} ({})",
                    wording::plural(one.probe),
                    one.table,
                    one.error,
                    one.message
                )
            })
            .collect(),
        findings: found.into_iter().map(|finding| (wording::severity(finding.severity), finding)).collect(),
        warnings: statement.warnings.iter().map(|warning| format!("{} {}", warning.number, warning.message)).collect(),
    }
}

/// How deep the colour of a wait is.
pub fn level(seconds: f64) -> u8 {
    match seconds {
        s if s < NOISE_SECONDS => 0,
        s if s < 0.25 => 1,
        s if s < 1.0 => 2,
        s if s < 10.0 => 3,
        _ => 4,
    }
}

fn facts(statement: &Statement) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push(Fact { name, value });
        }
    };
    let seconds = |value: Option<f64>| value.map(quantity::seconds);
    let count = |value: Option<u64>| value.map(quantity::grouped);
    let bytes = |value: Option<u64>| value.filter(|bytes| *bytes > 0).map(quantity::bytes);
    let alone = if statement.seconds_run.as_deref() == Some("quiet") { "time, alone" } else { "time, beside probes" };
    add(alone, seconds(statement.seconds));
    if statement.seconds_run.as_deref() == Some("quiet") {
        add("time, beside probes", seconds(statement.loud_seconds));
    }
    if statement.count > 1 {
        add("the slowest of them", seconds(statement.longest_seconds));
    }
    add("its commit", seconds(statement.commit_seconds.filter(|seconds| *seconds >= 0.001)));
    add("rows changed", count(statement.rows.affected));
    add("rows matched", count(statement.rows.matched));
    add("rows read", count(statement.rows.examined));
    add("rows locked", count(statement.rows.locked));
    add("changed by foreign keys and triggers", count(statement.rows.cascaded.filter(|rows| *rows > 0)));
    add("carried out", Some(wording::how(statement)));
    add("its locks were freed at the end of", statement.locks_until.clone().filter(|id| *id != statement.id));
    add("binary log", bytes(statement.footprint.binlog_bytes));
    add("redo log", bytes(statement.footprint.redo_bytes));
    add("disk, at its highest", bytes(statement.footprint.disk_bytes));
    add("undo history at the end", count(statement.footprint.history_list.filter(|entries| *entries > 0)));
    add("tables", Some(statement.tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
    add("transaction", statement.transaction.map(|number| number.to_string()));
    add("from", Some(statement.origin.clone()));
    facts
}

fn victims(statement: &Statement) -> Vec<Victim> {
    let mut blocked: Vec<_> = statement.blocked.iter().filter(|one| one.longest_seconds >= NOISE_SECONDS).collect();
    blocked.sort_by(|a, b| b.longest_seconds.total_cmp(&a.longest_seconds));
    (blocked.into_iter())
        .map(|one| Victim {
            table: if one.probe == crate::watch::record::ProbeKind::Commit {
                "the whole server".to_owned()
            } else {
                one.table.to_string()
            },
            what: wording::plural(one.probe),
            longest: quantity::seconds(one.longest_seconds),
            total: quantity::seconds(one.total_seconds),
            share: format!("{:.0} %", (one.share * 100.0).min(100.0)),
            from: quantity::seconds(one.from_seconds),
            waits: format!("{} of {}", quantity::grouped(one.waits), quantity::grouped(one.asked.max(one.waits))),
            keys: one
                .by_key
                .iter()
                .map(|(key, seconds)| format!("{key} {}", quantity::seconds(*seconds)))
                .collect::<Vec<_>>()
                .join(", "),
        })
        .collect()
}

//! Puts the records of a run into the one record that is reported.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{
    Alternative, Environment, Experiment, Member, PlanReference, Report, Rows, SCHEMA_VERSION, Statement, Table, Tool,
    Upgrade, Verdict,
};
use crate::advise::record::{self as advise, Findings, Severity, Trial};
use crate::replay::record::{DdlFacts, Drill, Observation, Outcome, Rehearsal, TableChanges};
use crate::sql::record::{Action, Kind, TableName};
use crate::survey::record::{Basis, Survey};

/// Characters of a statement's text that a report keeps.
const TEXT_LIMIT: usize = 4_000;

/// All that a report is made from. What the sandbox was comes as plain values.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// What was rehearsed.
    pub name: &'a str,
    /// Why the scenario exists; empty without one.
    pub about: &'a str,
    /// When the run began (RFC 3339, UTC).
    pub started: &'a str,
    /// The version of `rehearse`.
    pub tool_version: &'a str,
    /// The machine.
    pub environment: Environment,
    /// Share of production's rows that the sandbox held.
    pub scale: f64,
    /// The servers.
    pub members: Vec<Member>,
    /// The upgrade as written.
    pub upgrade: Upgrade,
    /// Production.
    pub survey: &'a Survey,
    /// Tables before and after the upgrade.
    pub changes: &'a TableChanges,
    /// The upgrade with probes.
    pub loud: &'a Rehearsal,
    /// The upgrade alone; empty when that run was not made.
    pub quiet: &'a [Observation],
    /// Alternatives that ran.
    pub trials: &'a [Trial],
    /// Alternatives that did not: refused, or not reached.
    pub untried: &'a [advise::Alternative],
    /// What was rehearsed to go wrong.
    pub drills: &'a [Drill],
    /// What was found.
    pub findings: &'a Findings,
    /// From which severity on a finding fails the run; none: never.
    pub fail_from: Option<Severity>,
    /// Everything that ran.
    pub experiments: Vec<Experiment>,
    /// The plan.
    pub plan: Option<PlanReference>,
    /// What else the run wrote.
    pub files: BTreeMap<String, String>,
}

/// Makes the report.
pub fn build(input: &Input<'_>) -> Report {
    let statements: Vec<Statement> =
        input.loud.observations.iter().map(|observation| statement(observation, input)).collect();
    let mut unchecked = input.findings.unchecked.clone();
    unchecked.extend(input.loud.unchecked.iter().map(|(statement, why)| advise::Unchecked {
        rule: "replay".to_owned(),
        statement: (!statement.is_empty()).then(|| statement.clone()),
        why: why.clone(),
    }));
    unchecked.sort();
    unchecked.dedup();
    Report {
        schema_version: SCHEMA_VERSION,
        verdict: verdict(input),
        name: input.name.to_owned(),
        about: input.about.to_owned(),
        started: input.started.to_owned(),
        tool: Tool { version: input.tool_version.to_owned() },
        environment: input.environment,
        scale: input.scale,
        members: input.members.clone(),
        upgrade: input.upgrade.clone(),
        phases: input.loud.phases.clone(),
        tables: tables(input),
        statements,
        experiments: input.experiments.clone(),
        findings: input.findings.findings.clone(),
        unchecked,
        drills: input.drills.to_vec(),
        pools: Vec::new(),
        budget: input.findings.budget.clone(),
        plan: input.plan.clone(),
        noise: input.loud.steady.clone(),
        coverage: input.loud.coverage,
        files: input.files.clone(),
    }
}

/// Fails on a budget line that does not hold, on a finding at or above the limit and on a statement that failed.
fn verdict(input: &Input<'_>) -> Verdict {
    let over = input.findings.budget.iter().any(|line| !line.ok);
    let failed = input.loud.observations.iter().any(|seen| seen.outcome != Outcome::Done) || !input.loud.completed;
    let found = input.findings.findings.iter().any(|finding| {
        // A limit of "never" speaks of the exit code; what is an error stays one.
        finding.severity >= input.fail_from.unwrap_or(Severity::Error)
    });
    if over || failed || found { Verdict::Fail } else { Verdict::Pass }
}

/// The tables that the upgrade touches or that changed, by name.
fn tables(input: &Input<'_>) -> Vec<Table> {
    let mut names: BTreeSet<TableName> = input.changes.keys().cloned().collect();
    for observation in &input.loud.observations {
        names.extend(observation.statement.reading.effect.tables());
    }
    names
        .into_iter()
        .filter(|name| input.changes.contains_key(name) || input.survey.tables.contains_key(name))
        .map(|name| {
            let facts = input.survey.tables.get(&name);
            let change = input.changes.get(&name).cloned().unwrap_or_default();
            Table {
                production_rows: facts.map(|facts| facts.rows),
                production_rows_basis: facts.map(|facts| facts.rows_basis).filter(|basis| *basis != Basis::Measured),
                name,
                rows_before: change.rows_before,
                rows_after: change.rows_after,
                bytes_before: change.bytes_before,
                bytes_after: change.bytes_after,
                schema_diff: change.schema_diff,
            }
        })
        .collect()
}

fn statement(loud: &Observation, input: &Input<'_>) -> Statement {
    let said = &loud.statement;
    let quiet = input.quiet.iter().find(|quiet| quiet.statement.id == said.id && quiet.last_id == loud.last_id);
    // Time, rows and footprint are the quiet run's, where both ended alike: probes cost a little of each.
    let own = quiet.filter(|quiet| quiet.outcome.name() == loud.outcome.name()).unwrap_or(loud);
    let ran = loud.outcome != Outcome::Skipped;
    let (text, text_cut) = cut(&said.text, TEXT_LIMIT);
    let ddl = loud.ddl.or(own.ddl);
    Statement {
        id: said.id.clone(),
        name: said.name.clone(),
        kind: said.reading.kind,
        text,
        text_cut,
        digest: said.digest.clone(),
        count: loud.count,
        last_id: loud.last_id.clone(),
        origin: said.origin.to_string(),
        session: said.session,
        transaction: loud.transaction,
        tables: said.reading.effect.tables().into_iter().collect(),
        outcome: loud.outcome.name().to_owned(),
        error: loud.outcome.fault().cloned(),
        warnings: loud.warnings.clone(),
        warning_count: loud.warning_count,
        seconds: ran.then_some(own.seconds),
        seconds_run: ran.then(|| if std::ptr::eq(own, loud) { "loud" } else { "quiet" }.to_owned()),
        loud_seconds: ran.then_some(loud.seconds),
        longest_seconds: ran.then_some(own.longest_seconds),
        rows: rows(own, ran),
        algorithm: ddl.map(|ddl| ddl.algorithm),
        locks: loud.locks.clone(),
        locks_until: loud.locks_until.clone(),
        blocked: loud.blocked.clone(),
        failed: loud.failed.clone(),
        commit_seconds: own.commit_seconds,
        rebuilds: ddl.is_some_and(|ddl: DdlFacts| ddl.rebuilds),
        lock: ddl.and_then(|ddl| ddl.lock).or_else(|| own.ddl.and_then(|ddl| ddl.lock)),
        footprint: own.footprint,
        alternatives: alternatives(&said.id, input),
    }
}

fn rows(own: &Observation, ran: bool) -> Rows {
    let changes = own.statement.reading.kind.is_dml() || own.statement.reading.kind == Kind::Opaque;
    Rows {
        affected: (ran && (changes || own.rows.affected > 0)).then_some(own.rows.affected),
        matched: own.rows.matched,
        examined: own.rows.examined,
        locked: own.rows.locked,
        cascaded: own.rows.cascaded,
    }
}

/// The ways that ran, the chosen one first, then by time; after them those that did not.
fn alternatives(statement: &str, input: &Input<'_>) -> Vec<Alternative> {
    let mut tried: Vec<&Trial> = input.trials.iter().filter(|trial| trial.alternative.statement == statement).collect();
    tried.sort_by(|a, b| b.chosen.cmp(&a.chosen).then(a.seconds.total_cmp(&b.seconds)));
    let ran: BTreeSet<&str> = tried.iter().map(|trial| trial.alternative.id.as_str()).collect();
    let untried = input
        .untried
        .iter()
        .filter(|alternative| alternative.statement == statement && !ran.contains(alternative.id.as_str()))
        .map(|alternative| of(alternative, None));
    tried.iter().map(|trial| of(&trial.alternative, Some(trial))).chain(untried).collect()
}

fn of(alternative: &advise::Alternative, trial: Option<&Trial>) -> Alternative {
    Alternative {
        id: alternative.id.clone(),
        also: alternative.also.clone(),
        title: alternative.title.clone(),
        script: alternative.actions.iter().map(action).chain(alternative.commands.iter().cloned()).collect(),
        seconds: trial.map(|trial| trial.seconds),
        binlog_bytes: trial.and_then(|trial| sum(trial.quiet.iter().map(|seen| seen.footprint.binlog_bytes))),
        blocked: trial.map(|trial| worst(&trial.loud)).unwrap_or_default(),
        failed: trial
            .map(|trial| trial.loud.iter().flat_map(|seen| seen.failed.iter().cloned()).collect())
            .unwrap_or_default(),
        proof: trial.map(|trial| trial.proof.clone()),
        eligible: alternative.eligible,
        reason: alternative.reason.clone(),
        chosen: trial.is_some_and(|trial| trial.chosen),
        completed: trial.map(|trial| trial.completed),
        caveats: alternative.caveats.clone(),
    }
}

/// The sum; none where nothing was told.
fn sum(parts: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    parts.flatten().reduce(|a, b| a.saturating_add(b))
}

/// Of each table and probe the longest wait over a trial's actions; intervals and waits add up.
fn worst(loud: &[Observation]) -> Vec<crate::watch::record::Blocked> {
    let mut by_probe = BTreeMap::new();
    for blocked in loud.iter().flat_map(|seen| &seen.blocked) {
        let entry = by_probe.entry((blocked.table.clone(), blocked.probe)).or_insert_with(|| {
            let mut none = blocked.clone();
            (none.total_seconds, none.waits, none.asked) = (0.0, 0, 0);
            none
        });
        entry.total_seconds += blocked.total_seconds;
        entry.waits += blocked.waits;
        entry.asked += blocked.asked;
        if blocked.longest_seconds > entry.longest_seconds {
            entry.longest_seconds = blocked.longest_seconds;
            entry.share = blocked.share;
            entry.from_seconds = blocked.from_seconds;
            entry.by_key.clone_from(&blocked.by_key);
        }
    }
    by_probe.into_values().collect()
}

fn action(action: &Action) -> String {
    match action {
        Action::Once(statement) => statement.text.clone(),
        Action::Walk(walk) => {
            let condition = walk.condition.as_ref().map(|text| format!(" AND ({text})")).unwrap_or_default();
            format!(
                "-- in ranges of {} rows by ({}), each committed, {} apart\n{} WHERE (range){condition}",
                walk.rows,
                walk.key.join(", "),
                crate::quantity::seconds(walk.pause.as_secs_f64()),
                walk.head.trim_end(),
            )
        }
    }
}

/// The text's first `limit` characters, and whether there were more.
fn cut(text: &str, limit: usize) -> (String, bool) {
    match text.char_indices().nth(limit) {
        Some((at, _)) => (text[..at].to_owned(), true),
        None => (text.to_owned(), false),
    }
}

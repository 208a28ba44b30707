//! What the template lays out: every section, in words.

use askama::Template;

use super::drawing::{self, Drawing};
use super::picture::Picture;
use super::plan_view::{self, PlanView};
use super::statement_view::{self, StatementView};
use super::table_view::{self, TableView};
use super::ways_view::{self, Ways};
use crate::advise::record::{BudgetLine, Finding};
use crate::plan::record::Plan;
use crate::quantity;
use crate::report::drills::{self, Line};
use crate::report::record::{Report, Verdict};
use crate::report::{verdict, wording};

/// Statements above which those that nothing is said of are not shown at first.
const LONG_LIST: usize = 60;

/// A finding, told once for all statements that it is of.
pub struct Found<'a> {
    /// `error`, `warning`, `note`.
    pub word: &'static str,
    /// What was found.
    pub of: &'a Finding,
    /// Statements: id and name, at most a dozen.
    pub on: Vec<(&'a str, String)>,
    /// How many more.
    pub more: usize,
}

/// Something that nobody looked at.
pub struct Unlooked {
    /// The rule or stage.
    pub rule: String,
    /// The statement; empty for the whole.
    pub on: String,
    /// Why.
    pub why: String,
}

/// The whole page.
#[derive(Template)]
#[template(path = "report.html")]
pub struct Page<'a> {
    report: &'a Report,
    style: &'static str,
    script: &'static str,
    word: &'static str,
    fails: bool,
    harm: String,
    better: Option<String>,
    place: String,
    when: String,
    size: String,
    unmeasured: Vec<String>,
    drawing: Option<Drawing>,
    budget: &'a [BudgetLine],
    findings: Vec<Found<'a>>,
    notes: usize,
    counts: String,
    statements: Vec<StatementView<'a>>,
    plain: usize,
    folds: bool,
    ways: Vec<Ways>,
    tables: Vec<TableView>,
    drills: Vec<Line>,
    plan: Option<PlanView>,
    plan_path: &'a str,
    measured: Vec<(&'static str, String)>,
    experiments: Vec<(String, String, String)>,
    unchecked: Vec<Unlooked>,
}

impl<'a> Page<'a> {
    /// All that the page says.
    pub fn of(report: &'a Report, picture: &Picture, plan: Option<&Plan>) -> Self {
        let spoken = verdict::spoken(report);
        let statements = statement_view::all(report);
        let plain = statements.iter().filter(|statement| statement.plain).count();
        let findings = findings(report);
        let reference = report.plan.as_ref();
        Self {
            report,
            style: super::STYLE,
            script: include_str!("script.js"),
            word: spoken.word,
            fails: report.verdict == Verdict::Fail,
            harm: capital(&spoken.harm),
            better: spoken.better,
            place: wording::place(report),
            when: quantity::moment(&report.started),
            size: quantity::counted(report.upgrade.statements, "statement"),
            unmeasured: unmeasured(report),
            drawing: drawing::draw(picture, report),
            budget: &report.budget,
            counts: wording::counts(&wording::by_severity(report)),
            notes: findings.iter().filter(|found| found.word == "note").count(),
            findings,
            folds: statements.len() > LONG_LIST && plain > 0 && plain < statements.len(),
            plain,
            statements,
            ways: ways_view::all(report),
            tables: table_view::all(report),
            drills: drills::lines(report),
            plan: plan.map(|plan| plan_view::of(plan, reference.map_or("", |reference| &reference.digest))),
            plan_path: reference.map_or("", |reference| reference.path.as_str()),
            measured: measured(report),
            experiments: experiments(report),
            unchecked: unchecked(report),
        }
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    match rest.next() {
        // A name keeps its own letters.
        Some(first) if text.starts_with("no statement") => first.to_uppercase().chain(rest).collect(),
        _ => text.to_owned(),
    }
}

/// What the verdict does not speak of, weightiest first.
fn unmeasured(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = wording::scale(report).into_iter().collect();
    let excluded: std::collections::BTreeSet<&str> = (report.statements.iter())
        .flat_map(|statement| &statement.alternatives)
        .filter(|way| way.chosen)
        .filter_map(|way| way.proof.as_ref())
        .flat_map(|proof| proof.excluded_columns.iter().map(String::as_str))
        .collect();
    lines.extend(wording::not_rehearsed(report).iter().map(|line| sentence(line)));
    if !excluded.is_empty() {
        let names: Vec<&str> = excluded.into_iter().collect();
        lines.push(format!("Left out of the proofs, for they are filled by chance: {}.", names.join(", ")));
    }
    lines
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first: String = rest.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", rest.as_str().trim_end_matches('.'))
}

fn findings(report: &Report) -> Vec<Found<'_>> {
    const NAMED: usize = 12;
    (wording::told_once(report).into_iter())
        .map(|(finding, ids)| Found {
            word: wording::severity(finding.severity),
            of: finding,
            more: ids.len().saturating_sub(NAMED),
            on: ids.into_iter().take(NAMED).map(|id| (id, wording::name_of(report, id))).collect(),
        })
        .collect()
}

fn measured(report: &Report) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    for member in &report.members {
        let cache = if member.seeded_from_cache { ", its rows from an earlier run's cache" } else { "" };
        lines.push((
            "server",
            format!("{}: {} {}, {}{cache}", member.name, member.flavor, member.version, member.engine),
        ));
    }
    let memory =
        report.environment.memory_bytes.map(|bytes| format!(", {}", quantity::bytes(bytes))).unwrap_or_default();
    lines.push(("machine", format!("{} processors{memory}", report.environment.cpus)));
    for phase in &report.phases {
        let name = match phase.name.as_str() {
            "steady" => "before",
            "run" => "the run",
            "settle" => "afterwards",
            _ => "phase",
        };
        let note = if phase.note.is_empty() { String::new() } else { format!(", {}", phase.note) };
        lines.push((name, format!("{}{note}", quantity::seconds(phase.seconds))));
    }
    let noise = report.noise.iter().map(|one| one.longest_seconds).reduce(f64::max);
    lines.extend(
        noise.map(|noise| ("noise", format!("while nothing ran the longest wait was {}", quantity::seconds(noise)))),
    );
    lines.push((
        "watched",
        format!(
            "{} of the server's views, the longest gap {}",
            quantity::counted(report.coverage.samples, "sample"),
            quantity::seconds(report.coverage.longest_gap_seconds)
        ),
    ));
    lines.push((
        "upgrade",
        format!("{}, digest {:.16}", quantity::counted(report.upgrade.statements, "statement"), report.upgrade.digest),
    ));
    lines.push(("made by", format!("rehearse {}", report.tool.version)));
    lines
}

fn experiments(report: &Report) -> Vec<(String, String, String)> {
    (report.experiments.iter())
        .map(|ran| (ran.id.clone(), quantity::seconds(ran.seconds), ran.outcome.clone()))
        .collect()
}

fn unchecked(report: &Report) -> Vec<Unlooked> {
    (report.unchecked.iter())
        .map(|item| Unlooked {
            rule: item.rule.clone(),
            on: item.statement.as_deref().map(|id| wording::name_of(report, id)).unwrap_or_default(),
            why: item.why.clone(),
        })
        .collect()
}

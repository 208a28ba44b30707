//! Judges what a rehearsal showed: risks by rule, each with its evidence, and alternatives as scripts to be rehearsed.
//!
//! Pure. One catalogue, one rule shape; an alternative is an [`Action`](crate::sql::record::Action) list, so the one
//! loop can run it.

pub mod again;
pub mod altered;
pub mod alternatives;
pub mod births;
pub mod budget;
pub mod catalogue;
pub mod charset;
pub mod choose;
pub mod column;
pub mod condition;
pub mod evidence;
pub mod explain;
pub mod foresight;
pub mod gate;
pub mod heirs;
pub mod history;
pub mod judge;
pub mod limits;
pub mod lint;
pub mod narrowing;
pub mod phrase;
pub mod policy;
pub mod record;
pub mod rule;
pub mod rules;
pub mod size;
pub(crate) mod specimen;
pub mod waits;

use std::collections::BTreeMap;

use crate::replay::record::{Drill, Observation, Rehearsal, TableChanges};
use crate::server::flavor::Flavor;
use crate::survey::record::Survey;
use evidence::Evidence;
use record::{Allowance, Budget, Findings, Severity, Trial};

/// All that judging goes by.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// Production's shape and sizes.
    pub survey: &'a Survey,
    /// What the sandbox's tables were before and after the upgrade.
    pub changes: &'a TableChanges,
    /// The loud run of the upgrade as written: what it blocked.
    pub loud: &'a Rehearsal,
    /// Its quiet run: its own times; empty when there was none.
    pub quiet: &'a [Observation],
    /// The alternatives that were tried.
    pub trials: &'a [Trial],
    /// What was rehearsed to go wrong.
    pub drills: &'a [Drill],
    /// What it may do to the application.
    pub budget: &'a Budget,
    /// Findings that somebody accepted.
    pub allow: &'a [Allowance],
    /// Today's date, `2026-11-20`, which allowances are held against.
    pub today: &'a str,
    /// The server that was rehearsed on.
    pub flavor: Flavor,
    /// Severities of rules that somebody set over their own.
    pub severity: &'a BTreeMap<String, Severity>,
}

/// Judges a rehearsed upgrade: every rule over every statement, the allowances, the budget.
pub fn judge(case: &Case<'_>) -> Findings {
    let evidence = Evidence {
        survey: Some(case.survey),
        loud: Some(case.loud),
        quiet: case.quiet.iter().map(|observation| (observation.statement.id.as_str(), observation)).collect(),
        changes: Some(case.changes),
        trials: by_statement(case.trials),
        drills: drills_by_statement(case.drills),
        budget: Some(case.budget),
        flavor: Some(case.flavor),
        severity: Some(case.severity),
    };
    let statements = case.loud.observations.iter().map(|observation| (&observation.statement, Some(observation)));
    judge::judge(&evidence, statements, case.allow, case.today)
}

fn drills_by_statement(drills: &[Drill]) -> BTreeMap<&str, Vec<&Drill>> {
    let mut by_statement: BTreeMap<&str, Vec<&Drill>> = BTreeMap::new();
    for drill in drills {
        by_statement.entry(&drill.statement).or_default().push(drill);
    }
    by_statement
}

fn by_statement(trials: &[Trial]) -> BTreeMap<&str, Vec<&Trial>> {
    let mut by_statement: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in trials {
        by_statement.entry(&trial.alternative.statement).or_default().push(trial);
    }
    by_statement
}

//! Judges what a rehearsal showed: risks by rule, each with its evidence, and alternatives as scripts to be rehearsed.
//!
//! Pure. One catalogue, one rule shape; an alternative is an [`Action`](crate::sql::record::Action) list, so the one
//! loop can run it.

pub mod alternatives;
pub mod catalogue;
pub mod choose;
pub mod evidence;
pub mod record;
pub mod rule;

use crate::replay::record::{Observation, Rehearsal, TableChanges};
use crate::server::flavor::Flavor;
use crate::survey::record::Survey;
use record::{Allowance, Budget, Findings, Trial};

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
    /// What it may do to the application.
    pub budget: &'a Budget,
    /// Findings that somebody accepted.
    pub allow: &'a [Allowance],
    /// Today's date, `2026-11-20`, which allowances are held against.
    pub today: &'a str,
    /// The server that was rehearsed on.
    pub flavor: Flavor,
}

/// Judges a rehearsed upgrade.
pub fn judge(case: &Case<'_>) -> Findings {
    let _ = case;
    Findings::default()
}

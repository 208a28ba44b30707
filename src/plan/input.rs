//! What a plan is made from.

use std::collections::BTreeMap;

use crate::advise::record::{Findings, Trial};
use crate::replay::record::{Drill, Observation, TableChanges};
use crate::server::flavor::Flavor;
use crate::sql::record::Statement;
use crate::survey::record::Survey;

/// All that a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What was rehearsed.
    pub name: &'a str,
    /// When and where it was rehearsed, as a sentence: `2026-11-20 in a container of mysql:9.7, all rows`.
    pub rehearsed: &'a str,
    /// Vendor and version.
    pub flavor: Flavor,
    /// The whole version string.
    pub version: &'a str,
    /// Share of production's rows that the sandbox held.
    pub scale: f64,
    /// The database in use when the upgrade begins.
    pub database: &'a str,
    /// Settings of production's that the sandbox did without, each with the reason.
    pub not_carried: &'a BTreeMap<String, String>,
    /// Digest of the upgrade's statements.
    pub upgrade_digest: &'a str,
    /// How many there are.
    pub upgrade_statements: u64,
    /// Digest of the definitions before the upgrade.
    pub schema_digest: &'a str,
    /// Production.
    pub survey: &'a Survey,
    /// Tables before and after the upgrade.
    pub changes: &'a TableChanges,
    /// What each statement did, with probes.
    pub loud: &'a [Observation],
    /// What each did alone; empty when that run was not made.
    pub quiet: &'a [Observation],
    /// Alternatives that ran; the chosen ones enter the plan.
    pub trials: &'a [Trial],
    /// What was rehearsed to go wrong.
    pub drills: &'a [Drill],
    /// What was found.
    pub findings: &'a Findings,
    /// Statements by id, with the state of the session that each needs. Of a group of look-alikes all should be here:
    /// the step's script holds them; where one is missing the plan must not be carried out, and says so.
    pub statements: &'a BTreeMap<String, Said>,
}

/// A statement and what its session must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The statement.
    pub statement: Statement,
    /// The database in use.
    pub database: String,
    /// What brings a fresh session to the state that the statement needs, or why that cannot be done: then it must run
    /// in the session of the one before.
    pub preamble: Result<Vec<String>, String>,
}

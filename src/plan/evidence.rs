//! What a rehearsal leaves beside its survey and its upgrade, so that its plan can be drafted again without a server.
//!
//! `evidence.json` holds what was measured. The texts of the upgrade's statements stay in `upgrade.sql`: here stands only
//! their id. What the rehearsal of the plan itself noted is kept as the plan that it wrote, long texts left out.

use std::collections::{BTreeMap, BTreeSet};

use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::input::{Input, Said};
use super::record::{Plan, PlanScript};
use super::redraft::edits::Edits;
use crate::advise::record::{Alternative, Findings, Trial};
use crate::artifact::sha256;
use crate::replay::record::{Drill, Observation, TableChanges};
use crate::server::flavor::Flavor;
use crate::sql::record::Statement;
use crate::survey::record::Survey;

/// The format line of the evidence.
pub const FORMAT: &str = "rehearse/evidence@1";

/// What was measured, as it is written: nothing is copied but what must be changed.
#[derive(Debug, Serialize)]
pub struct Written<'a> {
    format: &'static str,
    tool_version: &'a str,
    name: &'a str,
    rehearsed: &'a str,
    flavor: Flavor,
    version: &'a str,
    scale: f64,
    database: &'a str,
    not_carried: &'a BTreeMap<String, String>,
    upgrade_digest: &'a str,
    upgrade_statements: u64,
    schema_digest: &'a str,
    changes: &'a TableChanges,
    loud: WithoutTexts<'a>,
    quiet: WithoutTexts<'a>,
    trials: &'a [Trial],
    untried: &'a [Alternative],
    drills: &'a [Drill],
    findings: &'a Findings,
    plan: Plan,
    accepted: &'a Edits,
}

impl<'a> Written<'a> {
    /// The evidence of a plan that was drafted from `input` and then rehearsed; `untried` are alternatives that did not
    /// run, each with its reason, `accepted` what was edited since.
    pub fn of(input: &Input<'a>, untried: &'a [Alternative], plan: &Plan, accepted: &'a Edits) -> Self {
        Self::with(input, untried, abridged(plan), accepted)
    }

    /// The same evidence with what was edited since.
    pub fn again(evidence: &'a Evidence, accepted: &'a Edits) -> Self {
        Self::with(&evidence.input(&evidence.trials), &evidence.untried, evidence.plan.clone(), accepted)
    }

    fn with(input: &Input<'a>, untried: &'a [Alternative], plan: Plan, accepted: &'a Edits) -> Self {
        Self {
            format: FORMAT,
            tool_version: env!("CARGO_PKG_VERSION"),
            name: input.name,
            rehearsed: input.rehearsed,
            flavor: input.flavor,
            version: input.version,
            scale: input.scale,
            database: input.database,
            not_carried: input.not_carried,
            upgrade_digest: input.upgrade_digest,
            upgrade_statements: input.upgrade_statements,
            schema_digest: input.schema_digest,
            changes: input.changes,
            loud: WithoutTexts(input.loud),
            quiet: WithoutTexts(input.quiet),
            trials: input.trials,
            untried,
            drills: input.drills,
            findings: input.findings,
            plan,
            accepted,
        }
    }
}

/// Observations, each with its statement's id in the statement's place.
#[derive(Debug)]
struct WithoutTexts<'a>(&'a [Observation]);

impl Serialize for WithoutTexts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for seen in self.0 {
            let mut value = serde_json::to_value(seen).map_err(S::Error::custom)?;
            value["statement"] = Value::String(seen.statement.id.clone());
            list.serialize_element(&value)?;
        }
        list.end()
    }
}

/// A plan without the texts that drafting it again makes again: of each script the digest of its text, of each step no
/// task.
fn abridged(plan: &Plan) -> Plan {
    let script = |script: &PlanScript| PlanScript { sql: sha256(&script.sql), ..script.clone() };
    let mut steps = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let mut step = step.clone();
        step.body.tasks.clear();
        steps.push(step);
    }
    Plan { steps, scripts: plan.scripts.iter().map(script).collect(), ..plan.clone() }
}

/// The evidence as a file holds it, the texts of statements still missing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    format: String,
    tool_version: String,
    name: String,
    rehearsed: String,
    flavor: Flavor,
    version: String,
    scale: f64,
    database: String,
    not_carried: BTreeMap<String, String>,
    upgrade_digest: String,
    upgrade_statements: u64,
    schema_digest: String,
    changes: TableChanges,
    loud: Vec<Value>,
    quiet: Vec<Value>,
    trials: Vec<Trial>,
    untried: Vec<Alternative>,
    drills: Vec<Drill>,
    findings: Findings,
    plan: Plan,
    accepted: Edits,
}

impl Read {
    /// The server that the upgrade's text is to be read for.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The version of `rehearse` that made it.
    pub fn tool_version(&self) -> &str {
        &self.tool_version
    }

    /// The database in use when the upgrade begins.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Digest of the upgrade's statements.
    pub fn upgrade_digest(&self) -> &str {
        &self.upgrade_digest
    }

    /// Ids of the statements that [`Read::complete`] must be given.
    pub fn wanted(&self) -> BTreeSet<String> {
        let ids = self.loud.iter().chain(&self.quiet).filter_map(|seen| seen["statement"].as_str());
        ids.map(str::to_owned).collect()
    }

    /// The evidence with the texts of its statements: `texts` of all that are wanted, `statements` as
    /// [`Input::statements`].
    ///
    /// # Errors
    /// A sentence: the file is of another format, or a statement is missing.
    pub fn complete(
        self,
        survey: Survey,
        texts: &BTreeMap<String, Statement>,
        statements: BTreeMap<String, Said>,
    ) -> Result<Evidence, String> {
        if self.format != FORMAT {
            return Err(format!("the format is '{}', not '{FORMAT}'", self.format));
        }
        let observation = |mut value: Value| {
            let id = value["statement"].as_str().unwrap_or_default().to_owned();
            let text = texts.get(&id).ok_or_else(|| format!("the upgrade has no statement {id}"))?;
            value["statement"] = serde_json::to_value(text).map_err(|error| error.to_string())?;
            serde_json::from_value::<Observation>(value).map_err(|error| format!("what {id} did: {error}"))
        };
        Ok(Evidence {
            loud: self.loud.into_iter().map(observation).collect::<Result<_, _>>()?,
            quiet: self.quiet.into_iter().map(observation).collect::<Result<_, _>>()?,
            name: self.name,
            rehearsed: self.rehearsed,
            flavor: self.flavor,
            version: self.version,
            scale: self.scale,
            database: self.database,
            not_carried: self.not_carried,
            upgrade_digest: self.upgrade_digest,
            upgrade_statements: self.upgrade_statements,
            schema_digest: self.schema_digest,
            changes: self.changes,
            trials: self.trials,
            untried: self.untried,
            drills: self.drills,
            findings: self.findings,
            plan: self.plan,
            accepted: self.accepted,
            survey,
            statements,
        })
    }
}

/// All that a plan is drafted from, owned.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Alternatives that ran; the chosen ones enter the plan.
    pub trials: Vec<Trial>,
    /// Alternatives that did not run, each with its reason.
    pub untried: Vec<Alternative>,
    /// The plan as it was rehearsed: of its scripts' texts only digests, of its steps no tasks.
    pub plan: Plan,
    /// What of the plan that was written last was a person's.
    pub accepted: Edits,
    /// What each statement did, with probes.
    pub loud: Vec<Observation>,
    name: String,
    rehearsed: String,
    flavor: Flavor,
    version: String,
    scale: f64,
    database: String,
    not_carried: BTreeMap<String, String>,
    upgrade_digest: String,
    upgrade_statements: u64,
    schema_digest: String,
    changes: TableChanges,
    quiet: Vec<Observation>,
    drills: Vec<Drill>,
    findings: Findings,
    survey: Survey,
    statements: BTreeMap<String, Said>,
}

impl Evidence {
    /// What to draft from, with other trials chosen.
    pub fn input<'a>(&'a self, trials: &'a [Trial]) -> Input<'a> {
        Input {
            name: &self.name,
            rehearsed: &self.rehearsed,
            flavor: self.flavor,
            version: &self.version,
            scale: self.scale,
            database: &self.database,
            not_carried: &self.not_carried,
            upgrade_digest: &self.upgrade_digest,
            upgrade_statements: self.upgrade_statements,
            schema_digest: &self.schema_digest,
            survey: &self.survey,
            changes: &self.changes,
            loud: &self.loud,
            quiet: &self.quiet,
            trials,
            drills: &self.drills,
            findings: &self.findings,
            statements: &self.statements,
        }
    }

    /// Ids of statements by their names and by their ids.
    pub fn names(&self) -> BTreeMap<String, String> {
        super::choice::names(&self.loud)
    }
}

//! A plan as what is to be carried out, in order: legs (a script or a step each, on a session of its own) of atoms.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::atom::Atom;
use super::cut::Cutter;
use super::record::Phase;
use crate::artifact;
use crate::plan::record::{Plan, ScriptPhase, Way};
use crate::problem::BadInput;
use crate::server::flavor::Flavor;
use crate::sql::record::Action;
use crate::sql::script::{Options, Script};

/// Changes when the same plan is cut into atoms in another way than before: journals do not mix.
const CUT: u32 = 2;

/// All that is to be carried out.
#[derive(Clone, Debug)]
pub struct Course {
    /// Digest of all that is carried out of the plan, in whichever phase: 64 hex digits.
    pub digest: String,
    /// What of it.
    pub phase: Phase,
    /// The legs, in order.
    pub legs: Vec<Leg>,
}

/// One script or step, on a session of its own.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Its name in the journal: `20-001-s5-1-backup`, `step-003`.
    pub name: String,
    /// The step that it belongs to.
    pub step: Option<String>,
    /// What it is for.
    pub phase: ScriptPhase,
    /// One line.
    pub title: String,
    /// What a person types in a shell instead: the script itself does nothing.
    pub shell: Option<String>,
    /// What it does.
    pub atoms: Vec<Atom>,
}

impl Course {
    /// What a plan has to be carried out in a phase. `autocommit` is the target's own.
    ///
    /// # Errors
    /// A script that cannot be read.
    pub fn of(plan: &Plan, phase: Phase, flavor: Flavor, autocommit: bool) -> Result<Self> {
        let wanted = |script: ScriptPhase| match phase {
            Phase::Forward => matches!(script, ScriptPhase::Backup | ScriptPhase::Step | ScriptPhase::Verify),
            Phase::Undo => script == ScriptPhase::Undo,
            Phase::Cleanup => script == ScriptPhase::Cleanup,
        };
        let mut legs = Vec::new();
        for script in plan.scripts.iter().filter(|script| wanted(script.phase)) {
            let step = script.step.as_ref().and_then(|id| plan.steps.iter().find(|step| step.body.id == *id));
            let file = script.path.trim_start_matches("plan/").trim_end_matches(".sql");
            let (name, atoms) = match (script.phase, step) {
                (ScriptPhase::Step, Some(step)) => {
                    let name = step.body.id.clone();
                    let mut cutter = Cutter::new(&name, flavor, autocommit);
                    step.body.session.iter().chain(&step.body.guard.settings).for_each(|text| cutter.text(text));
                    step.body.tasks.iter().for_each(|task| cutter.task(task));
                    (name, cutter.end())
                }
                (ScriptPhase::Verify, Some(step)) => {
                    let mut cutter = Cutter::new(file, flavor, autocommit);
                    let uses = |text: &&String| text.trim_start().to_ascii_uppercase().starts_with("USE ");
                    step.body.session.iter().filter(uses).for_each(|text| cutter.text(text));
                    step.body.verify.iter().for_each(|verify| cutter.verify(verify));
                    (file.to_owned(), cutter.end())
                }
                _ => {
                    let options = Options { variables: BTreeMap::new(), database: String::new(), flavor };
                    let text = Script::from_text(script.path.clone(), &script.sql, options);
                    let mut cutter = Cutter::new(file, flavor, autocommit);
                    for action in text.actions().with_context(|| format!("cannot read {}", script.path))? {
                        match action.with_context(|| format!("cannot read {}", script.path))? {
                            Action::Once(statement) => cutter.text(&statement.text),
                            Action::Walk(walk) => anyhow::bail!("{} walks {}", script.path, walk.table),
                        }
                    }
                    (file.to_owned(), cutter.end())
                }
            };
            let (step, title) = (script.step.clone(), script.title.clone());
            let shell = script.shell.as_ref().map(|shell| shell.text.clone());
            legs.push(Leg { name, step, phase: script.phase, title, shell, atoms });
        }
        if phase == Phase::Forward
            && let Some(step) = plan.steps.iter().find(|step| !legs.iter().any(|leg| leg.name == step.body.id))
        {
            bail!(BadInput::new(format!(
                "{} has no script in the plan, so it is not known when to run it",
                step.body.id
            )));
        }
        Ok(Self { digest: digest(plan)?, phase, legs })
    }

    /// Atoms that the journal keeps.
    pub fn units(&self) -> u64 {
        self.legs.iter().map(|leg| leg.atoms.iter().filter(|atom| atom.is_journaled()).count() as u64).sum()
    }
}

/// Dumps that the plan leaves to the operator: backup and command.
pub fn dumps(plan: &Plan) -> Vec<(&str, &str)> {
    plan.backups
        .iter()
        .filter_map(|backup| match &backup.way {
            Way::Dump { command, .. } => Some((backup.id.as_str(), command.as_str())),
            _ => None,
        })
        .collect()
}

/// Digest of all that is carried out of a plan; its sentences may change.
fn digest(plan: &Plan) -> Result<String> {
    #[derive(Serialize)]
    struct Carried<'a> {
        cut: u32,
        upgrade: &'a str,
        schema: &'a str,
        steps: Vec<serde_json::Value>,
        scripts: Vec<(&'a str, ScriptPhase, &'a str)>,
    }
    let steps = plan.steps.iter().map(|step| {
        let body = &step.body;
        serde_json::json!({"id": body.id, "session": body.session, "guard": body.guard.settings, "tasks": body.tasks, "verify": body.verify})
    });
    let carried = Carried {
        cut: CUT,
        upgrade: &plan.identity.upgrade_digest,
        schema: &plan.identity.schema_digest,
        steps: steps.collect(),
        scripts: plan.scripts.iter().map(|script| (script.path.as_str(), script.phase, script.sql.as_str())).collect(),
    };
    let text = serde_json::to_string(&carried).context("cannot tell the plan's digest")?;
    Ok(artifact::sha256(&text))
}

//! The quiet pass: every statement alone and timed, and at each one that has alternatives a halt, where these are tried
//! from the very bytes that the statement itself starts from.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::looked::Looked;
use super::run::Run;
use super::stage::Stage;
use crate::advise::record::{Alternative, Trial, Unchecked};
use crate::progress::Progress;
use crate::replay::proof;
use crate::replay::record::{ExperimentKind, Observation, Proof, Rehearsal};
use crate::sandbox::Checkpoint;
use crate::sql::script::Script;
use crate::sql::session_state::SessionState;
use crate::survey::fingerprint::Depth;
use crate::survey::record::Fingerprint;

/// Alternatives by the id of the statement that they stand in for.
pub type Choices = BTreeMap<String, Vec<Alternative>>;

/// What the quiet pass yields.
#[derive(Default)]
pub struct Quiet {
    /// Each statement's own time, rows and footprint.
    pub observations: Vec<Observation>,
    /// The trials that ran.
    pub trials: Vec<Trial>,
    /// What could not be tried, and why.
    pub unchecked: Vec<Unchecked>,
    /// What the whole upgrade left behind; none when it did not get to its end.
    pub final_state: Option<Fingerprint>,
}

/// Runs the upgrade quietly from the checkpoint and tries the alternatives where each would stand.
///
/// # Errors
/// When a server or the disk fails; what was measured until then is in `quiet`.
pub fn quiet_pass(
    stage: &mut Stage,
    script: &Script,
    choices: &Choices,
    quiet: &mut Quiet,
    progress: &dyn Progress,
) -> Result<()> {
    stage.sandbox.rewind(progress)?;
    let mut state = SessionState::default();
    let mut slice = Slice { from: 0, preamble: Vec::new() };
    let mut position = 0;
    let mut actions = script.actions()?;
    while let Some(action) = actions.next() {
        let action = action?;
        let statement = action.statement().clone();
        let halts = choices.get(&statement.id);
        match halts.map(|alternatives| (alternatives, state.preamble())) {
            None => {}
            Some((_, Err(why))) => quiet.unchecked.push(Unchecked {
                rule: "trials".into(),
                statement: Some(statement.id.clone()),
                why: format!("its alternatives were not tried: {why}"),
            }),
            Some((alternatives, Ok(preamble))) => {
                if !slice.run(stage, script, position, quiet, progress)? {
                    return Ok(());
                }
                // With the statements after it that an alternative stands in for as well.
                let more = alternatives.iter().map(|alternative| alternative.also.len()).max().unwrap_or(0);
                let mut held = vec![action];
                for action in actions.by_ref().take(more) {
                    held.push(action?);
                }
                let count = held.len() as u64;
                for action in &held {
                    state.apply(action.statement());
                }
                let halt = Halt { script: &Script::from_actions(held), id: &statement.id, preamble: &preamble };
                if !halt.hold(stage, alternatives, quiet, progress)? {
                    return Ok(());
                }
                // A statement that has alternatives is DML or an ALTER, and leaves the session as it was.
                slice = Slice { from: position + count, preamble };
                position += count;
                continue;
            }
        }
        state.apply(&statement);
        position += 1;
    }
    if slice.run(stage, script, position, quiet, progress)? {
        quiet.final_state = Some(stage.print(Depth::Checksums, progress)?);
    }
    Ok(())
}

/// A stretch of the upgrade that runs in one go.
struct Slice {
    from: u64,
    preamble: Vec<String>,
}

impl Slice {
    /// Runs it up to (not with) the action at `until`. False when a statement failed and the run ends there.
    fn run(
        &self,
        stage: &mut Stage,
        script: &Script,
        until: u64,
        quiet: &mut Quiet,
        progress: &dyn Progress,
    ) -> Result<bool> {
        if until == self.from {
            return Ok(true);
        }
        let run = Run {
            slice: (self.from, Some(until - self.from)),
            preamble: self.preamble.clone(),
            ..Run::quiet(format!("upgrade-quiet-{}", self.from + 1), ExperimentKind::Upgrade, script)
        };
        let rehearsal = stage.run(&run, progress)?;
        let goes_on = rehearsal.completed || stage.keep_going;
        quiet.observations.extend(rehearsal.observations);
        Ok(goes_on)
    }
}

/// A halt at one statement: its alternatives and itself, each from the same bytes.
struct Halt<'a> {
    script: &'a Script,
    id: &'a str,
    preamble: &'a [String],
}

/// An alternative that ran, and what it left behind.
struct Attempt {
    trial: Trial,
    left: Fingerprint,
    left_without_cure: Option<Fingerprint>,
}

impl Halt<'_> {
    /// Tries all, then runs the statement itself. False when that failed.
    fn hold(
        &self,
        stage: &mut Stage,
        alternatives: &[Alternative],
        quiet: &mut Quiet,
        progress: &dyn Progress,
    ) -> Result<bool> {
        let here = stage.sandbox.checkpoint(progress)?;
        let mut attempts = Vec::new();
        for alternative in alternatives.iter().filter(|alternative| alternative.eligible) {
            progress.check()?;
            attempts.push(self.attempt(stage, &here, alternative, progress)?);
        }
        let (rehearsal, left) = self.original(stage, &here, Depth::Checksums, progress)?;
        let goes_on = rehearsal.completed || stage.keep_going;
        quiet.observations.extend(rehearsal.observations);
        for attempt in attempts {
            let proof = if rehearsal.completed {
                self.prove(stage, &here, &attempt, &left, progress)?
            } else {
                Proof {
                    differences: vec!["the statement itself failed: there is nothing to compare with".into()],
                    ..Proof::default()
                }
            };
            quiet.trials.push(Trial { proof, ..attempt.trial });
        }
        Ok(goes_on)
    }

    /// The statement itself, quietly, and what it leaves behind.
    fn original(
        &self,
        stage: &mut Stage,
        here: &Checkpoint,
        depth: Depth,
        progress: &dyn Progress,
    ) -> Result<(Rehearsal, Fingerprint)> {
        stage.sandbox.rewind_to(here, progress)?;
        let id = format!("upgrade-quiet-{}", self.id);
        let run = Run { preamble: self.preamble.to_vec(), ..Run::quiet(id, ExperimentKind::Upgrade, self.script) };
        let rehearsal = stage.run(&run, progress)?;
        let left = stage.print(depth, progress)?;
        Ok((rehearsal, left))
    }

    /// An alternative: quietly with and without its cure, and loudly.
    fn attempt(
        &self,
        stage: &mut Stage,
        here: &Checkpoint,
        alternative: &Alternative,
        progress: &dyn Progress,
    ) -> Result<Attempt> {
        let script = Script::from_actions(alternative.actions.clone());
        let quiet = self.alternative(stage, here, alternative, &script, "quiet", progress)?;
        let left = stage.print(Depth::Checksums, progress)?;
        let left_without_cure = if alternative.without_cure.is_empty() {
            None
        } else {
            let bare = Script::from_actions(alternative.without_cure.clone());
            self.alternative(stage, here, alternative, &bare, "without-cure", progress)?;
            Some(stage.print(Depth::Checksums, progress)?)
        };
        let loud = self.alternative(stage, here, alternative, &script, "loud", progress)?;
        let trial = Trial {
            alternative: alternative.clone(),
            seconds: quiet.seconds,
            completed: quiet.completed && loud.completed,
            quiet: quiet.observations,
            loud: loud.observations,
            proof: Proof::default(),
            chosen: false,
        };
        Ok(Attempt { trial, left, left_without_cure })
    }

    fn alternative(
        &self,
        stage: &mut Stage,
        here: &Checkpoint,
        alternative: &Alternative,
        script: &Script,
        manner: &str,
        progress: &dyn Progress,
    ) -> Result<Rehearsal> {
        stage.sandbox.rewind_to(here, progress)?;
        let id = format!("{}-{}-{manner}", self.id, alternative.id);
        let run = Run {
            statement: Some(self.id.to_owned()),
            preamble: self.preamble.to_vec(),
            loud: manner == "loud",
            ..Run::quiet(id, ExperimentKind::Trial, script)
        };
        stage.run(&run, progress)
    }

    /// Compares what an alternative left with what the statement left. Where they differ, the statement runs twice more:
    /// what those two runs already differ in is left out, by name, and which rows the alternative leaves otherwise is
    /// looked up. The sandbox is left where the statement itself leads.
    fn prove(
        &self,
        stage: &mut Stage,
        here: &Checkpoint,
        attempt: &Attempt,
        left: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<Proof> {
        let alternative = &attempt.trial.alternative;
        let without = |original: &Fingerprint, print: &Fingerprint| {
            let mut print = print.clone();
            print.tables.retain(|name, _| !alternative.expected_leftovers.contains(name));
            proof::allow(original, &mut print, &alternative.counters_ahead);
            print
        };
        let none = BTreeSet::new();
        let without_cure = match &attempt.left_without_cure {
            Some(bare) => proof::prove(left, &without(left, bare), &none).differences,
            None => Vec::new(),
        };
        let found = without(left, &attempt.left);
        let first = proof::prove(left, &found, &none);
        if first.same_result || !attempt.trial.completed {
            return Ok(Proof { without_cure, ..first });
        }
        let (_, one) = self.original(stage, here, Depth::Columns, progress)?;
        let mut looked = Looked::at(stage, &proof::of_other_rows(left, &found))?;
        let script = Script::from_actions(alternative.actions.clone());
        self.alternative(stage, here, alternative, &script, "control", progress)?;
        let tried = stage.print(Depth::Columns, progress)?;
        looked.trial(stage)?;
        let (_, two) = self.original(stage, here, Depth::Columns, progress)?;
        let unsteady = proof::unstable(&one, &two);
        let mut proof = proof::prove(&one, &without(&one, &tried), &unsteady);
        if !proof.same_result {
            proof.differences.extend(looked.told(stage, &unsteady)?);
        }
        Ok(Proof { without_cure, ..proof })
    }
}

//! A whole rehearsal: the list of experiments and the loop over them. Prints nothing.
//!
//! In: [`settings::Settings`], resolved. Out: the directory of a rehearsal, and its report.
//!
//! 1. [`stage`]: a sandbox filled to production's size, at its checkpoint.
//! 2. The upgrade, *loud*: probes and watchers beside it, for what it blocks.
//! 3. [`trials`]: the upgrade, *quiet*: for its own time and what it leaves; at each statement that has alternatives a
//!    halt, where these run from the same bytes and are held against it.
//! 4. [`plan_run`]: the plan itself, script by script, and its undo.
//! 5. [`assemble`]: judge, report, write.

mod assemble;
mod changes;
mod choices;
mod output;
mod plan_run;
mod run;
pub mod settings;
mod stage;
mod trials;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Error, Result, anyhow, bail};

use self::assemble::Gathered;
use self::output::Output;
use self::run::Run;
use self::settings::{Settings, Upgrade};
use self::stage::Stage;
use self::trials::Quiet;
use crate::advise::record::Unchecked;
use crate::problem::{BadInput, is_bad_input};
use crate::progress::Progress;
use crate::replay::experiment::Broken;
use crate::replay::record::ExperimentKind;
use crate::report::record::Report;
use crate::server::flavor::{Flavor, Vendor};
use crate::sql::script::{Options, Script};
use crate::survey::fingerprint::Depth;
use crate::survey::record::Fingerprint;

/// The flavour that texts are read as before a server has said its own.
const DEFAULT_FLAVOR: Flavor = Flavor { vendor: Vendor::MySql, major: 8, minor: 4, patch: None };

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The report, as it was written.
    pub report: Report,
    /// Where it and everything else was written.
    pub directory: PathBuf,
    /// Why the rehearsal could not be completed; then the report holds what was measured until then.
    pub failure: Option<Error>,
}

/// Rehearses an upgrade, end to end.
///
/// # Errors
/// When nothing could be measured: an input that cannot be used, no server to be had, a sandbox that cannot be filled.
/// A rehearsal that broke off later is an [`Outcome`] with its `failure`.
pub fn run(settings: &Settings, progress: &dyn Progress) -> Result<Outcome> {
    let output = Output::begin(&settings.out)?;
    let started = jiff::Timestamp::now();
    // Read once before any server is started: what is wrong with the text is said at once.
    let digest = upgrade(settings, settings.server.unwrap_or(DEFAULT_FLAVOR))?.digest().map_err(bad_input)?;
    let mut stage = stage::set(settings, progress)?;
    let script = upgrade(settings, stage.flavor())?;
    let mut gathered = Gathered::new(settings, &script, digest, started)?;
    let failure = rehearse(&mut stage, &script, &output, &mut gathered, progress).err();
    if gathered.loud.is_none() {
        return Err(failure.unwrap_or_else(|| anyhow!("nothing was run")));
    }
    let (report, directory) = assemble::write(&stage, &script, gathered, output)?;
    Ok(Outcome { report, directory, failure })
}

/// The upgrade as a script for a flavour.
fn upgrade(settings: &Settings, flavor: Flavor) -> Result<Script> {
    let Upgrade::Sql(files) = &settings.upgrade;
    let options =
        Options { variables: settings.variables.clone(), database: settings.production.database.clone(), flavor };
    Script::from_files(files, options).map_err(bad_input)
}

/// The experiments, in order. What was measured is in `gathered` also when one of them breaks off.
fn rehearse(
    stage: &mut Stage,
    script: &Script,
    output: &Output,
    gathered: &mut Gathered<'_>,
    progress: &dyn Progress,
) -> Result<()> {
    let before = stage.print(Depth::Checksums, progress)?;
    stage.count_unstated(&before);
    holds_what_is_touched(stage, script, &before)?;
    gathered.changes = changes::between(&before, None);
    gathered.before = Some(before.clone());
    let loud = Run {
        loud: true,
        settle: true,
        timeline: Some(output.path("timeline.jsonl")),
        ..Run::quiet("upgrade-loud", ExperimentKind::Upgrade, script)
    };
    match stage.run(&loud, progress) {
        Ok(rehearsal) => gathered.loud = Some(rehearsal),
        Err(error) => {
            gathered.loud = error.downcast_ref::<Broken>().map(|broken| (*broken.rehearsal).clone());
            return Err(error);
        }
    }
    let after = stage.print(Depth::Counts, progress)?;
    gathered.changes = changes::between(&before, Some(&after));
    if !stage.sandbox.can_rewind() {
        gathered.unchecked.push(Unchecked {
            rule: "trials".into(),
            statement: None,
            why: "an existing server cannot be put back: no quiet run, no alternative and no plan was rehearsed".into(),
        });
        return Ok(());
    }
    let choices = gathered.loud.as_ref().map(|loud| choices::choose(stage, loud)).unwrap_or_default();
    gathered.note_choices(&choices);
    let mut quiet = Quiet::default();
    let passed = trials::quiet_pass(stage, script, &choices.tried, &mut quiet, progress);
    gathered.take_quiet(quiet);
    passed?;
    gathered.judge(stage)?;
    plan_run::rehearse(stage, gathered, progress)
}

/// A rehearsal of an upgrade on empty tables would say that all is well: it is not made.
fn holds_what_is_touched(stage: &Stage, script: &Script, before: &Fingerprint) -> Result<()> {
    let mut seen = BTreeSet::new();
    for action in script.actions()? {
        for table in action?.statement().reading.effect.tables() {
            if !seen.insert(table.clone()) {
                continue;
            }
            let wanted = stage.survey.tables.get(&table).map_or(0, |facts| facts.rows);
            let is_empty = before.tables.get(&table).is_some_and(|print| print.rows == 0);
            if wanted > 0 && is_empty {
                let why = stage.notes.iter().find(|note| note.starts_with(&format!("{table}:")));
                let why = why.map_or_else(|| "it was left empty".to_owned(), Clone::clone);
                bail!(
                    anyhow!("hint: Give its rows with --data, or leave out what the generator cannot meet.").context(
                        format!("cannot fill {table}, which the upgrade touches, with its {wanted} rows: {why}")
                    )
                );
            }
        }
    }
    Ok(())
}

/// Marks an error as the person's to mend, in its own words.
fn bad_input(error: Error) -> Error {
    if is_bad_input(&error) {
        return error;
    }
    let words = error.chain().map(ToString::to_string).find(|words| !words.starts_with("hint: "));
    error.context(BadInput::new(words.unwrap_or_default()))
}

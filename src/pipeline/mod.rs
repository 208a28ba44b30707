//! A whole rehearsal: the list of experiments and the loop over them. Prints nothing.
//!
//! In: [`settings::Settings`], resolved. Out: the directory of a rehearsal, and its report.
//!
//! 1. [`stage`]: a sandbox filled to production's size, at its checkpoint.
//! 2. The upgrade, *loud*: probes and watchers beside it, for what it blocks.
//! 3. [`trials`]: the upgrade, *quiet*: for its own time and what it leaves; at each statement that has alternatives a
//!    halt, where these run from the same bytes and are held against it.
//! 4. [`drills`]: what goes wrong: a held table, a kill.
//! 5. [`plan_run`]: the plan itself, script by script with the stock client, and its undo.
//! 6. [`assemble`]: judge, report, write.

mod assemble;
mod changes;
pub mod check;
mod choices;
mod drills;
pub mod lint;
pub mod live;
mod looked;
mod output;
pub mod page;
mod plan_run;
pub mod redraft;
mod run;
mod said;
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
use crate::advise::policy::not_valid;
use crate::advise::record::Unchecked;
use crate::plan::choice::WAYS;
use crate::problem::{BadInput, is_bad_input, nearest};
use crate::progress::Progress;
use crate::replay::experiment::Broken;
use crate::replay::record::ExperimentKind;
use crate::report::record::Report;
use crate::server::flavor::{Flavor, Vendor};
use crate::sql::script::{Options, Script};
use crate::survey::fingerprint::Depth;
use crate::survey::record::Fingerprint;

/// The flavour that texts are read as before a server has said its own.
pub const DEFAULT_FLAVOR: Flavor = Flavor { vendor: Vendor::MySql, major: 8, minor: 4, patch: None };

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The report, as it was written.
    pub report: Report,
    /// Where it and everything else was written.
    pub directory: PathBuf,
    /// Why the rehearsal could not be completed; then the report holds what was measured until then.
    pub failure: Option<Error>,
    /// The exit code of the upgrade command; none when there was no command, or when we ended it.
    pub code: Option<u8>,
}

/// Rehearses an upgrade, end to end.
///
/// # Errors
/// When nothing could be measured: an input that cannot be used, no server to be had, a sandbox that cannot be filled.
/// A rehearsal that broke off later is an [`Outcome`] with its `failure`.
pub fn run(settings: &Settings, progress: &dyn Progress) -> Result<Outcome> {
    let output = Output::begin(&settings.out)?;
    let started = jiff::Timestamp::now();
    if let Upgrade::Sql(files) = &settings.upgrade {
        // Read once before any server is started: what is wrong with the text is said at once.
        can_be_read(settings, files, progress)?;
    }
    let mut stage = stage::set(settings, progress)?;
    // A capture may begin with nothing, as an installation does. Nothing can be said of what nobody has.
    if stage.survey.tables.is_empty() {
        return Err(bad_input(anyhow::anyhow!("the schema holds no table")));
    }
    let mut came = None;
    let recorded;
    let settings = match &settings.upgrade {
        Upgrade::Sql(_) => settings,
        Upgrade::Command(live) => {
            let (path, how) = live::rehearsed(&mut stage, settings, live, progress)?;
            came = Some(how);
            recorded = Settings { upgrade: Upgrade::Sql(vec![path]), ..settings.clone() };
            &recorded
        }
    };
    let Upgrade::Sql(files) = &settings.upgrade else { bail!("the command left no capture") };
    let script = upgrade(settings, files, stage.flavor())?;
    // Of what this server reads: that is what `upgrade.sql` holds.
    let digest = script.digest().map_err(bad_input)?;
    let mut gathered = Gathered::new(settings, &script, digest, started)?;
    gathered.unchecked.extend(came.iter().flat_map(live::unchecked));
    let failure = rehearse(&mut stage, &script, &output, &mut gathered, progress).err();
    if gathered.loud.is_none() {
        return Err(failure.unwrap_or_else(|| anyhow!("nothing was run")));
    }
    let (report, directory) = assemble::write(&stage, &script, gathered, output)?;
    Ok(Outcome { report, directory, failure, code: came.and_then(|came| came.code) })
}

/// Reads the upgrade once, as far as that goes without a server.
fn can_be_read(settings: &Settings, files: &[PathBuf], progress: &dyn Progress) -> Result<()> {
    let text = upgrade(settings, files, settings.server.unwrap_or(DEFAULT_FLAVOR))?;
    tell_left_out(&text, progress);
    text.digest().map_err(bad_input)?;
    for (file, ignore) in text.ignores().map_err(bad_input)? {
        if let Some(why) = not_valid(&ignore) {
            bail!(BadInput::new(format!("{file}:{}: an ignore cannot count: {why}", ignore.line)));
        }
    }
    can_be_chosen(settings, &text)
}

/// What a person chooses is a way that there is, of a statement that there is.
fn can_be_chosen(settings: &Settings, text: &Script) -> Result<()> {
    if settings.choose.is_empty() {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    for action in text.actions().map_err(bad_input)? {
        let statement = action.map_err(bad_input)?.into_statement();
        names.extend(statement.name);
        names.insert(statement.id);
    }
    for (name, way) in &settings.choose {
        let known = [
            (name, names.iter().map(String::as_str).collect::<Vec<_>>(), "statement of the name or id"),
            (way, WAYS.to_vec(), "alternative"),
        ];
        for (given, known, what) in known {
            if !known.contains(&given.as_str()) {
                let hint = match nearest(given, known.iter().copied()) {
                    Some(near) => format!("hint: Did you mean {near}?"),
                    None => format!("hint: Write STATEMENT=WAY; the ways are {}.", WAYS.join(", ")),
                };
                bail!(anyhow!(hint).context(BadInput::new(format!("choose: there is no {what} '{given}'"))));
            }
        }
    }
    Ok(())
}

/// The upgrade as a script for a flavour.
fn upgrade(settings: &Settings, files: &[PathBuf], flavor: Flavor) -> Result<Script> {
    let options =
        Options { variables: settings.variables.clone(), database: settings.production.database.clone(), flavor };
    Script::from_files(files, options).map_err(bad_input)
}

/// Says which files of a folder do not run.
fn tell_left_out(script: &Script, progress: &dyn Progress) {
    for (path, why) in script.left_out() {
        progress.note(&format!("{} is left out: {why}", path.display()));
    }
}

/// The experiments, in order. What was measured is in `gathered` also when one of them breaks off.
fn rehearse(
    stage: &mut Stage,
    script: &Script,
    output: &Output,
    gathered: &mut Gathered<'_>,
    progress: &dyn Progress,
) -> Result<()> {
    let whole = gathered.is_whole();
    let before = stage.print(if whole { Depth::Checksums } else { Depth::Counts }, progress)?;
    stage.count_unstated(&before);
    holds_what_is_touched(stage, script, &before)?;
    gathered.changes = changes::between(&before, None);
    gathered.before = Some(before.clone());
    let loud = Run {
        loud: true,
        settle: whole,
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
    if !whole {
        gathered.unchecked.push(Unchecked {
            rule: "trials".into(),
            statement: None,
            why: "no other way was tried, nothing was rehearsed to go wrong and no plan was made: `rehearse run` does that".into(),
        });
        return Ok(());
    }
    if !stage.sandbox.can_rewind() {
        gathered.unchecked.push(Unchecked {
            rule: "trials".into(),
            statement: None,
            why: "an existing server cannot be put back: no quiet run, no alternative, no drill and no plan was rehearsed"
                .into(),
        });
        return Ok(());
    }
    let choices =
        gathered.loud.as_ref().map(|loud| choices::choose(stage, loud, &gathered.wanted())).unwrap_or_default();
    gathered.note_choices(&choices);
    let mut quiet = Quiet::default();
    let passed = trials::quiet_pass(stage, script, &choices.tried, &mut quiet, progress);
    gathered.take_quiet(quiet);
    passed?;
    gathered.drill(stage, script, progress)?;
    gathered.judge(stage)?;
    plan_run::rehearse(stage, script, gathered, progress)
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

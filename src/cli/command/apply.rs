//! `rehearse apply`: carries a plan out on a server, resumably.

use std::io::{self, IsTerminal, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::apply::course::dumps;
use crate::apply::planned::{self, Planned};
use crate::apply::record::{Ending, Options, Phase, Stand, Summary};
use crate::apply::target::Target;
use crate::apply::verify::is_local;
use crate::apply::{self, dry, verify};
use crate::cli::args::{Apply, ApplyPhase};
use crate::cli::exit::Exit;
use crate::cli::progress::Teller;
use crate::cli::{option_file, output};
use crate::plan::Plan;
use crate::plan::batches::BATCH_SECONDS;
use crate::problem::BadInput;
use crate::progress::{Progress as _, Unit};
use crate::quantity::{counted, grouped, seconds};
use crate::server::role::Role;

/// `--reconnect none`: a year.
const FOR_EVER: Duration = Duration::from_secs(31_536_000);

/// Verifies, asks, and carries the plan out.
///
/// # Errors
/// Input that cannot be used, a server that cannot be reached, the person's interruption.
pub fn run(typed: &Apply, teller: &Teller) -> Result<Exit> {
    let planned = planned::load(&typed.plan)?;
    let plan = &planned.plan;
    let address = option_file::address(&typed.dsn, typed.defaults_file.as_deref())?;
    let local = is_local(&address);
    let target = Target::server(address);
    let options = options(typed, &planned.directory)?;
    let (way, _) = apply::course(plan, &target, &options).context(option_file::HINT)?;
    if typed.dry_run {
        teller.finish();
        output::print(&dry::statements(&way, &options.journal_database).join("\n"))?;
        return Ok(Exit::Fine);
    }
    if options.phase == Phase::Forward
        && let Some((id, command)) =
            dumps(plan).into_iter().find(|(id, _)| !typed.have_backup.iter().any(|own| own == id))
    {
        let wants = BadInput::new(format!("the plan wants a dump before it begins ({id}): {command}"));
        let hint = format!("hint: Make it, look at its exit code and size, then add --have-backup {id}.");
        return Err(anyhow::Error::new(wants).context(hint));
    }
    if options.phase == Phase::Forward && !fits(&planned, &target, &options, local, teller)? {
        return Ok(Exit::Findings);
    }
    confirm(typed, plan, &target, options.phase)?;
    let proven = plan.proven().map_err(|reasons| {
        let unproven = BadInput::new(format!("the plan's backups are not proved: {}", reasons.join("; ")));
        anyhow::Error::new(unproven).context("hint: Rehearse to the end: rehearse run.")
    })?;
    let summary = apply::carry_out(proven, &target, &options, teller)
        .context("hint: Run the same command again: it goes on where it was, and does nothing twice.")?;
    teller.finish();
    show(&summary, options.phase)
}

/// Whether the target is still what was rehearsed; a plan that was begun is held to the rest of it. What speaks against it
/// is told, and what a person should know goes to the standard error.
fn fits(planned: &Planned, target: &Target, options: &Options, local: bool, teller: &Teller) -> Result<bool> {
    let begun = apply::begun(&planned.plan, target, options)?;
    if begun.all_done {
        return Ok(true);
    }
    let look = verify::Options {
        replicas: options.replicas.clone(),
        begun: begun.steps,
        own_connections: begun.connections,
        journal: Some(options.journal_database.clone()),
        local,
        ..verify::Options::default()
    };
    teller.stage("looking whether the server is what was rehearsed", Unit::Waiting, None);
    let mut reader = target.reader(Role::Surveyor).with_context(|| format!("cannot connect to {}", target.name()))?;
    let verdict = verify::verify(&planned.plan, &planned.survey, &planned.directory, &mut reader, &look)?;
    teller.finish();
    let text = super::verify::text(&verdict);
    if verdict.fit {
        teller.note(&text);
    } else {
        output::print(&text)?;
    }
    Ok(verdict.fit)
}

fn options(typed: &Apply, directory: &Path) -> Result<Options> {
    let phase = match typed.phase {
        ApplyPhase::Forward => Phase::Forward,
        ApplyPhase::Undo => Phase::Undo,
        ApplyPhase::Cleanup => Phase::Cleanup,
    };
    let replicas = typed.replica.iter().map(|dsn| option_file::address(dsn, typed.defaults_file.as_deref()));
    Ok(Options {
        phase,
        journal_database: typed.journal_database.clone(),
        reconnect: typed.reconnect.0.unwrap_or(FOR_EVER),
        retries: typed.retries,
        accept: typed.accept.iter().cloned().collect(),
        settled: typed.settled.iter().cloned().collect(),
        anew: typed.anew,
        renew_backups: typed.renew_backups,
        beside: typed.beside.iter().cloned().collect(),
        replicas: replicas.collect::<Result<_>>()?,
        max_lag: typed.max_lag.0,
        max_threads_running: typed.max_threads_running,
        pause_file: typed.pause_file.clone(),
        batch_seconds: typed.batch_time.0.map_or(BATCH_SECONDS, |time| time.as_secs_f64()),
        trail: Some(directory.join("apply")),
        cut: None,
    })
}

/// `--yes`, or the database's name from a person.
fn confirm(typed: &Apply, plan: &Plan, target: &Target, phase: Phase) -> Result<()> {
    if typed.yes {
        return Ok(());
    }
    let database = plan.identity.rows.keys().next().map(|table| table.database.clone()).unwrap_or_default();
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() || database.is_empty() {
        let nobody = anyhow::Error::new(BadInput::new("nobody confirmed it"));
        return Err(nobody.context("hint: Confirm with --yes; --dry-run shows what would be sent."));
    }
    let what = match phase {
        Phase::Forward => format!("{} of '{}'", counted(plan.steps.len() as u64, "step"), plan.name),
        Phase::Undo => format!("the undo of '{}'", plan.name),
        Phase::Cleanup => format!("the clean-up of '{}', which drops what an undo needs,", plan.name),
    };
    let mut err = io::stderr();
    write!(err, "This carries out {what} on {}.\nType the database's name ({database}) to go on: ", target.name())
        .and_then(|()| err.flush())
        .context("cannot ask")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    if answer.trim() == database {
        return Ok(());
    }
    Err(BadInput::new("the database's name was not typed: nothing was done").into())
}

fn show(summary: &Summary, phase: Phase) -> Result<Exit> {
    let Summary { before, done, units, rows, batches, .. } = summary;
    let mut line = format!("{done} of {units} units done");
    if *before > 0 {
        line.push_str(&format!(" ({before} were done before)"));
    }
    line.push_str(&format!(", {}, {}", counted(*rows, "row"), seconds(summary.seconds)));
    if *batches > 0 {
        line.push_str(&format!(
            ", {} batches, the longest {}",
            grouped(*batches),
            seconds(summary.longest_batch_seconds)
        ));
    }
    for (count, what) in [(summary.retries, "tries more for a lock"), (summary.reconnects, "connections more")] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    if summary.rested_seconds > 0.0 {
        line.push_str(&format!(", rested {}", seconds(summary.rested_seconds)));
    }
    match &summary.ending {
        Ending::Done => {
            output::print(&format!("done: {line}"))?;
            if phase == Phase::Forward {
                output::print("What was kept stays until --phase cleanup; --phase undo goes back.")?;
            }
            Ok(Exit::Fine)
        }
        Ending::AlreadyDone => {
            output::print(&format!("it was done before: nothing was left to do ({units} units)"))?;
            Ok(Exit::Fine)
        }
        Ending::Failed(stand) => ended("failed", stand, &line, Exit::Findings),
        Ending::Stopped(stand) => ended("stopped", stand, &line, Exit::Incomplete),
    }
}

fn ended(word: &str, stand: &Stand, line: &str, exit: Exit) -> Result<Exit> {
    let at = if stand.unit.is_empty() { String::new() } else { format!(" at {}", stand.unit) };
    output::print(&format!("{word}{at}: {}\nwhat to do: {}\nso far: {line}", stand.why, stand.next))?;
    Ok(exit)
}

//! One script of a plan, carried out: by the stock client where there is one, else by our own reader.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::pipeline::run::Run;
use crate::pipeline::stage::{Ran, Stage};
use crate::plan::PlanScript;
use crate::plan::record::{Rehearsed, Shell, ShellProgram};
use crate::progress::{Progress, Unit};
use crate::replay::record::{ExperimentKind, Outcome, Rehearsal};
use crate::sandbox::client::{Call, Ended, Program};
use crate::server::role::Role;
use crate::sql::script::{Options, Script};
use crate::watch::footprint::binlog_bytes;

/// The file of the desk that holds the script of the moment.
const SCRIPT: &str = "script.sql";
/// Bytes of a dump in which its settings stand.
const HEAD: u64 = 16 * 1024;

/// Carries out a script, `text` as the plan's directory holds it.
///
/// # Errors
/// When the sandbox fails; a script that fails is a [`Rehearsed`] that did not go well.
pub fn out(
    stage: &mut Stage,
    script: &PlanScript,
    text: &str,
    kind: ExperimentKind,
    progress: &dyn Progress,
) -> Result<Rehearsed> {
    progress.stage(&format!("running {}", script.path), Unit::Waiting, None);
    let rehearsed = match &script.shell {
        Some(shell) => command(stage, shell, progress)?,
        None => {
            let path = stage.sandbox.desk()?.join(SCRIPT);
            write_for_all(&path, text)?;
            let call = Call {
                program: Program::Client,
                arguments: vec!["--show-warnings".to_owned()],
                input: Some(SCRIPT.to_owned()),
                output: None,
            };
            match stage.sandbox.call(&call, progress)? {
                Some(ended) => of_program(ended),
                None => return by_ourselves(stage, script, kind, progress),
            }
        }
    };
    stage.ran.push(Ran {
        id: script.path.clone(),
        kind,
        statement: None,
        seconds: rehearsed.seconds,
        completed: rehearsed.ok,
    });
    Ok(rehearsed)
}

/// What a plan says where there was no stock client.
pub fn no_client(stage: &Stage) -> String {
    format!(
        "The scripts were not run with the stock client, for there is none beside {}: rehearse read them as that would.",
        stage.sandbox.facts().engine
    )
}

/// Makes or restores a dump.
fn command(stage: &mut Stage, shell: &Shell, progress: &dyn Progress) -> Result<Rehearsed> {
    let program = match shell.program {
        ShellProgram::Client => Program::Client,
        ShellProgram::Dump => Program::Dump,
    };
    let call =
        Call { program, arguments: shell.arguments.clone(), input: shell.input.clone(), output: shell.output.clone() };
    let logged = binary_log(stage)?;
    let Some(ended) = stage.sandbox.call(&call, progress)? else {
        let flavor = stage.sandbox.facts().flavor;
        return Ok(Rehearsed {
            at: now(),
            outcome: format!("there is no {} beside {}", program.name(flavor), stage.sandbox.facts().engine),
            ..Rehearsed::default()
        });
    };
    let mut rehearsed = of_program(ended);
    let refuse = |rehearsed: &mut Rehearsed, why: &str| {
        rehearsed.ok = false;
        rehearsed.outcome = why.to_owned();
    };
    if rehearsed.ok
        && let Some(file) = &shell.output
    {
        let path = stage.sandbox.desk()?.join(file);
        rehearsed.bytes = Some(fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?.len());
        if rewrites_replication(&path)? {
            refuse(
                &mut rehearsed,
                "the dump turns the binary log off or sets GTIDs: its restore would not reach replicas",
            );
        }
    }
    if rehearsed.ok && shell.input.is_some() && logged.is_some() && binary_log(stage)? <= logged {
        refuse(&mut rehearsed, "the restore was not written to the binary log: it would not reach replicas");
    }
    Ok(rehearsed)
}

/// Bytes of all binary logs; none without any.
fn binary_log(stage: &Stage) -> Result<Option<u64>> {
    let mut reader = stage.sandbox.instance().reader(Role::Watcher).context("cannot look at the sandbox")?;
    binlog_bytes(&mut reader).context("cannot see the binary log's size")
}

/// A dump that would change how the server replicates when it is restored.
fn rewrites_replication(path: &Path) -> Result<bool> {
    use std::io::Read;
    let file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).with_context(|| format!("cannot read {}", path.display()))?;
    let head = String::from_utf8_lossy(&head).to_ascii_uppercase();
    let sets = |line: &&str| line.contains("SET @@") || line.starts_with("SET ");
    Ok(head.lines().filter(sets).any(|line| line.contains("SQL_LOG_BIN") || line.contains("GTID_PURGED")))
}

fn of_program(ended: Ended) -> Rehearsed {
    let error = ended.errors.lines().find(|line| line.contains("ERROR") || line.contains("rror:"));
    let said = error.or_else(|| ended.errors.lines().next_back()).unwrap_or("it said nothing");
    Rehearsed {
        at: now(),
        seconds: ended.seconds,
        outcome: match ended.code {
            0 => "done".to_owned(),
            code => format!("{said} (exit code {code})"),
        },
        ok: ended.code == 0,
        by: ended.program,
        exit: Some(ended.code),
        bytes: None,
    }
}

/// Runs a script on a session of ours.
fn by_ourselves(
    stage: &mut Stage,
    script: &PlanScript,
    kind: ExperimentKind,
    progress: &dyn Progress,
) -> Result<Rehearsed> {
    let options = Options { variables: BTreeMap::new(), database: stage.database.clone(), flavor: stage.flavor() };
    let text = Script::from_text(script.path.clone(), &script.sql, options);
    Ok(told(&stage.run(&Run::quiet(script.path.clone(), kind, &text), progress)?))
}

fn told(rehearsal: &Rehearsal) -> Rehearsed {
    let fault = rehearsal.observations.iter().find_map(|seen| seen.outcome.fault());
    let undone = rehearsal.observations.iter().any(|seen| seen.outcome != Outcome::Done);
    Rehearsed {
        at: now(),
        seconds: rehearsal.seconds,
        outcome: fault.map_or_else(|| "done".to_owned(), ToString::to_string),
        ok: rehearsal.completed && !undone,
        ..Rehearsed::default()
    }
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// The server's user reads it, too.
fn write_for_all(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
        .with_context(|| format!("cannot open {} to every user", path.display()))
}

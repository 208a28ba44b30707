//! `rehearse verify`: is production still what was rehearsed? Read-only.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::apply::planned;
use crate::apply::verify::{Options, Reason, Severity, Verdict, is_local, verify};
use crate::cli::args::{LintFormat, Verify};
use crate::cli::exit::Exit;
use crate::cli::progress::Teller;
use crate::cli::{option_file, output};
use crate::progress::{Progress as _, Unit};
use crate::quantity::counted;
use crate::server::address::Address;
use crate::server::role::Role;
use crate::server::session;

/// Looks, and tells every reason.
///
/// # Errors
/// A plan or an address that cannot be used is the person's; a server that does not answer is not.
pub fn run(typed: &Verify, teller: &Teller) -> Result<Exit> {
    let planned = planned::load(&typed.plan)?;
    let address = option_file::address(&typed.dsn, typed.defaults_file.as_deref())?;
    let options = Options {
        replicas: replicas(&typed.replica, typed.defaults_file.as_ref())?,
        count_seconds: typed.count_time,
        account: typed.account.clone(),
        local: is_local(&address),
        ..Options::default()
    };
    let mut reader = session::read_only(&address, Role::Surveyor).context(option_file::HINT)?;
    teller.stage("looking whether the server is what was rehearsed", Unit::Waiting, None);
    let verdict = verify(&planned.plan, &planned.survey, &planned.directory, &mut reader, &options)?;
    teller.finish();
    match typed.format {
        LintFormat::Text => output::print(&text(&verdict))?,
        LintFormat::Json => {
            output::print(&serde_json::to_string_pretty(&verdict).context("cannot write the verdict as JSON")?)?;
        }
    }
    Ok(if verdict.fit { Exit::Fine } else { Exit::Findings })
}

/// The addresses of replicas, with the same sources for their passwords.
pub fn replicas(typed: &[String], defaults_file: Option<&PathBuf>) -> Result<Vec<Address>> {
    typed.iter().map(|dsn| option_file::address(dsn, defaults_file.map(PathBuf::as_path))).collect()
}

/// A verdict for people.
pub fn text(verdict: &Verdict) -> String {
    let count = |severity| verdict.of(severity).count() as u64;
    let (refused, warned, unchecked) = (count(Severity::Refuse), count(Severity::Warn), count(Severity::Unchecked));
    let sum = format!(
        "{} against it, {} to know, {unchecked} unchecked",
        counted(refused, "reason"),
        counted(warned, "thing")
    );
    let mut lines = vec![if verdict.fit {
        format!("FIT: {} may be carried out on {} ({sum})", verdict.plan, verdict.target)
    } else {
        format!("REFUSED: {} must not be carried out on {} ({sum})", verdict.plan, verdict.target)
    }];
    for severity in [Severity::Refuse, Severity::Warn, Severity::Unchecked] {
        for reason in verdict.of(severity) {
            lines.push(String::new());
            lines.extend(of_reason(reason));
        }
    }
    if !verdict.fine.is_empty() {
        lines.push(String::new());
        lines.push("As it should be".to_owned());
        lines.extend(verdict.fine.iter().map(|sentence| format!("  · {sentence}")));
    }
    lines.join("\n")
}

fn of_reason(reason: &Reason) -> Vec<String> {
    let word = match reason.severity {
        Severity::Refuse => "refused",
        Severity::Warn => "know",
        Severity::Unchecked => "unchecked",
    };
    let mut lines = vec![format!("{word}[{}]: {}: {}", reason.check, reason.object, reason.seen)];
    if !reason.rehearsed.is_empty() {
        lines.push(format!("  rehearsed: {}", reason.rehearsed));
    }
    if let Some(diff) = &reason.diff {
        lines.extend(diff.lines().map(|line| format!("    {line}")));
    }
    lines.push(format!("  next: {}", reason.next));
    lines
}

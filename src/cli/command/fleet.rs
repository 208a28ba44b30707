//! `rehearse survey` of several servers: their drift, and the largest one's survey.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::cli::args::{LintFormat, Survey};
use crate::cli::exit::Exit;
use crate::cli::progress::Teller;
use crate::cli::{option_file, output};
use crate::problem::BadInput;
use crate::progress::{Progress, Silent, Unit};
use crate::quantity::{bytes, counted, grouped};
use crate::server::address::{Address, Endpoint};
use crate::server::role::Role;
use crate::server::session;
use crate::survey::fleet::{Fleet, Member, compare};
use crate::survey::{file, read};

/// Members that are asked at the same time.
const AT_ONCE: usize = 8;

/// All addresses: those given, then the file's.
///
/// # Errors
/// A [`BadInput`] when the file cannot be read or names none.
pub fn addresses(typed: &Survey) -> Result<Vec<String>> {
    let mut all = typed.dsn.clone();
    if let Some(path) = &typed.fleet {
        let text =
            fs::read_to_string(path).with_context(|| BadInput::new(format!("cannot read {}", path.display())))?;
        let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(line, _)| line).trim());
        all.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        if all.is_empty() {
            bail!(BadInput::new(format!("{} names no server: write a DSN a line", path.display())));
        }
    }
    Ok(all)
}

/// Surveys all members, prints in what they differ and saves the largest one's survey.
///
/// # Errors
/// A bad address is the person's. A member that does not answer is named, the others are surveyed and written, and the
/// command fails.
pub fn run(typed: &Survey, dsns: &[String], teller: &Teller) -> Result<Exit> {
    if typed.output == Path::new("-") {
        bail!(BadInput::new("the survey of a fleet goes into a file: name one with --output"));
    }
    let addresses: Vec<Address> =
        dsns.iter().map(|dsn| option_file::address(dsn, typed.defaults_file.as_deref())).collect::<Result<_>>()?;
    teller.stage("surveying the fleet", Unit::Steps, Some(addresses.len() as u64));
    let answers = ask(typed, &addresses, teller);
    teller.finish();
    teller.check()?;
    let mut members = Vec::new();
    let mut silent = Vec::new();
    for (address, answer) in addresses.iter().zip(answers) {
        match answer {
            Ok(survey) => members.push(Member { name: name(address), survey }),
            Err(error) => silent.push(format!("{}: {error:#}", name(address))),
        }
    }
    let Some(fleet) = compare(&members) else {
        bail!("no member of the fleet could be surveyed\n{}", silent.join("\n"));
    };
    if let Some(worst) = members.iter().find(|member| member.name == fleet.worst) {
        file::save(&typed.output, &worst.survey)?;
    }
    for member in &members {
        for gap in &member.survey.gaps {
            teller.note(&format!("{}: not read: {gap}", member.name));
        }
    }
    match typed.format {
        LintFormat::Text => output::print(&text(&fleet, &typed.output))?,
        LintFormat::Json => {
            output::print(&serde_json::to_string_pretty(&fleet).context("cannot write the fleet as JSON")?)?;
        }
    }
    if !silent.is_empty() {
        let count = counted(silent.len() as u64, "member");
        bail!("{count} of the fleet could not be surveyed\n{}", silent.join("\n"));
    }
    Ok(if typed.fail_on_drift && !fleet.drifts.is_empty() { Exit::Findings } else { Exit::Fine })
}

/// Surveys each member on a thread of its own, a few at a time; answers in the members' order.
fn ask(typed: &Survey, addresses: &[Address], teller: &Teller) -> Vec<Result<crate::survey::record::Survey>> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let answers: Mutex<Vec<Option<Result<crate::survey::record::Survey>>>> =
        Mutex::new(addresses.iter().map(|_| None).collect());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(addresses.len()) {
            scope.spawn(|| {
                while let Some((index, address)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    addresses.get(index).map(|address| (index, address))
                } {
                    if teller.interrupted() {
                        break;
                    }
                    let answer = one(typed, address);
                    answers.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(answer);
                    teller.at(done.fetch_add(1, Ordering::Relaxed) as u64 + 1);
                }
            });
        }
    });
    let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(anyhow::anyhow!("it was not asked")))).collect()
}

fn one(typed: &Survey, address: &Address) -> Result<crate::survey::record::Survey> {
    let mut databases = typed.database.clone();
    if databases.is_empty() {
        databases.extend(address.database.clone());
    }
    let options = read::Options { databases, exact: typed.exact, statistics: true, values: !typed.no_values };
    let mut reader = session::read_only(address, Role::Surveyor)?;
    read::survey(&mut reader, &options, &Silent)
}

/// `db1.example:3306/shop`.
fn name(address: &Address) -> String {
    let place = match &address.endpoint {
        Endpoint::Socket(path) => path.display().to_string(),
        Endpoint::Tcp { host, port } => format!("{host}:{port}"),
    };
    match &address.database {
        Some(database) => format!("{place}/{database}"),
        None => place,
    }
}

/// The fleet for people.
fn text(fleet: &Fleet, saved: &Path) -> String {
    let mut out = format!(
        "{}: {}, the largest of {}\n\n",
        saved.display(),
        fleet.worst,
        counted(fleet.members.len() as u64, "member")
    );
    let wide = fleet.members.iter().map(|member| member.name.chars().count()).max().unwrap_or(0);
    for member in &fleet.members {
        let mark = if member.name == fleet.worst { "→" } else { " " };
        out.push_str(&format!(
            "{mark} {:<wide$}  {:<16} {:>12}  {:>16} rows  {:>10}\n",
            member.name,
            member.server,
            counted(member.tables, "table"),
            grouped(member.rows),
            bytes(member.bytes)
        ));
    }
    if fleet.drifts.is_empty() {
        out.push_str(
            "\nNo drift: all members have the same tables, views, triggers, routines and settings of meaning.\n",
        );
    } else {
        out.push_str(&format!("\nDrift: {}\n", counted(fleet.drifts.len() as u64, "difference")));
    }
    for drift in &fleet.drifts {
        out.push_str(&format!("\n{} {} on {}\n", drift.object, drift.how, drift.members.join(", ")));
        for line in drift.diff.lines() {
            out.push_str(&format!("    {line}\n"));
        }
    }
    if !fleet.larger.is_empty() {
        out.push_str("\nLarger elsewhere than in the survey; to rehearse on the most there is, add\n");
        for one in &fleet.larger {
            out.push_str(&format!(
                "    --rows {}={}    (on {}; {} here)\n",
                one.table,
                one.rows,
                one.member,
                grouped(one.here)
            ));
        }
    }
    out
}

//! Named locks on the target: one apply at a time, and none while a statement of a client that is gone still runs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::halt::{Course, Halt};
use super::target::Line;
use crate::artifact::sha256;
use crate::progress::Progress;
use crate::server::fault::Fault;
use crate::server::session::ReadOnly;
use crate::survey::answer::Cells;

/// How long another apply is waited for.
const OTHER: Duration = Duration::from_secs(10);
/// A session without its client is ended when it does nothing for so long, in seconds.
const ORPHANED: u64 = 5;
/// How often a person hears that it still waits.
const TELL: Duration = Duration::from_secs(15);

/// The lock that an apply holds all the time, on the session that keeps the journal.
/// There is one for a journal: plans are carried out one after the other.
pub fn keeper_lock(journal_database: &str) -> String {
    format!("rehearse-keeper-{}", &sha256(journal_database)[..16])
}

/// The lock that the session holds which carries statements out: held as long as one of them runs, client or no client.
pub fn apply_lock(digest: &str) -> String {
    format!("rehearse-apply-{}", &digest[..16.min(digest.len())])
}

fn get(line: &mut Line, name: &str, seconds: u32) -> Result<bool, Fault> {
    let got = line.first::<(Option<i64>,)>(&format!("SELECT GET_LOCK('{name}', {seconds})"))?;
    Ok(got == Some((Some(1),)))
}

/// Lets a lock go.
///
/// # Errors
/// The server's fault.
pub fn release(line: &mut Line, name: &str) -> Result<(), Fault> {
    line.first::<(Option<i64>,)>(&format!("SELECT RELEASE_LOCK('{name}')")).map(drop)
}

/// True while this session holds the lock.
///
/// # Errors
/// The server's fault.
pub fn holds(line: &mut Line, name: &str) -> Result<bool, Fault> {
    let own = line.id();
    let holder = line.aside::<(Option<u64>,)>(&format!("SELECT IS_USED_LOCK('{name}')"))?;
    Ok(holder.and_then(|(id,)| id) == Some(u64::from(own)))
}

/// The connections that hold these locks now.
///
/// # Errors
/// The server's fault.
pub fn holders(reader: &mut ReadOnly, names: &[String]) -> Result<BTreeSet<u64>, Fault> {
    let mut holders = BTreeSet::new();
    for name in names {
        let row = reader.first::<(Option<u64>,)>(&format!("SELECT IS_USED_LOCK('{name}')"))?;
        holders.extend(row.and_then(|(id,)| id));
    }
    Ok(holders)
}

/// Takes the lock that an apply holds all the time.
///
/// # Errors
/// A stop that says who holds it, after a little while.
pub fn keep(line: &mut Line, name: &str, apply_lock: &str, progress: &dyn Progress) -> Course<()> {
    let begin = Instant::now();
    while !get(line, name, 1)? {
        progress.check()?;
        // A keeper whose other session is gone is an orphan that a network cut off: one that lives has both.
        let alone = line.first::<(Option<u64>,)>(&format!("SELECT IS_USED_LOCK('{apply_lock}')"))? == Some((None,));
        if let Some(other) = holder(line, name)?.filter(|other| alone && other.idle && other.seconds >= ORPHANED) {
            progress.note(&format!("ending a session whose client is gone: {}", other.text));
            end(line, &other)?;
            continue;
        }
        if begin.elapsed() > OTHER {
            let holder = holder(line, name)?;
            return Err(Halt::stopped(
                "",
                format!(
                    "another apply carries this plan out: {}",
                    holder.map_or("nobody can say who".into(), |h| h.text)
                ),
                "wait for it, or end it; then run the same command again",
            ));
        }
    }
    Ok(())
}

/// Takes the lock that the session holds which carries statements out. Whoever holds it has no keeper any more: its
/// statement is waited for; a session that does nothing is ended, which rolls back what it had not committed.
///
/// # Errors
/// The server's fault, or the person's interruption.
pub fn take_over(line: &mut Line, name: &str, progress: &dyn Progress) -> Course<()> {
    let mut told: Option<Instant> = None;
    while !get(line, name, 1)? {
        progress.check()?;
        let Some(holder) = holder(line, name)? else { continue };
        if told.is_none_or(|at| at.elapsed() > TELL) {
            progress.note(&format!("waiting for a statement whose client is gone: {}", holder.text));
            told = Some(Instant::now());
        }
        if holder.idle && holder.seconds >= ORPHANED {
            progress.note(&format!("ending it: {}", holder.text));
            end(line, &holder)?;
        }
    }
    Ok(())
}

fn end(line: &mut Line, holder: &Holder) -> Course<()> {
    match line.execute(&format!("KILL {}", holder.id)) {
        // 1094: it is gone already.
        Err(fault) if fault.number != 1094 => Err(fault.into()),
        _ => Ok(()),
    }
}

struct Holder {
    id: u64,
    idle: bool,
    seconds: u64,
    text: String,
}

fn holder(line: &mut Line, name: &str) -> Result<Option<Holder>, Fault> {
    let row = line.first::<Cells>(&format!(
        "SELECT ID, USER, HOST, COMMAND, TIME, STATE, LEFT(INFO, 100) FROM information_schema.PROCESSLIST \
         WHERE ID = IS_USED_LOCK('{name}')"
    ))?;
    Ok(row.and_then(|row| {
        let text = format!(
            "connection {} of {}@{}, {} s in {} {} {}",
            row.text(0),
            row.text(1),
            row.text(2),
            row.text(4),
            row.text(3),
            row.text(5),
            row.text(6)
        );
        let idle = row.text(3).eq_ignore_ascii_case("sleep");
        Some(Holder { id: row.number(0)?, idle, seconds: row.number(4).unwrap_or(0), text: text.trim_end().to_owned() })
    }))
}

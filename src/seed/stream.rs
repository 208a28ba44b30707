//! Rows into one table: `LOAD DATA LOCAL` answered by generators, several streams side by side, each with its range of
//! the key.
//!
//! With `LOCAL` a server turns errors into warnings and leaves rows out, so every block is counted: as many rows must
//! have gone in as were sent.

use std::io::{self, Write as _};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use mysql::LocalInfileHandler;

use crate::progress::{Interrupted, Progress, Unit};
use crate::quantity::grouped;
use crate::sandbox::Instance;
use crate::server::ability::Ability;
use crate::server::fault::Fault;
use crate::server::session::Writer;
use crate::sql::record::quote_identifier;

use super::rows::{Plans, TablePlan};
use super::session;
use super::values::Entry;

/// Rows of one `LOAD DATA`, which is one transaction: large enough that starting it costs nothing, small enough that its
/// undo log stays in memory.
const BLOCK: u64 = 250_000;
/// Tables below this many rows are not worth a second session.
const SMALL: u64 = 20_000;
/// Bytes gathered before they are handed to the driver.
const BUFFER: usize = 64 * 1024;
/// A load that lost a deadlock was rolled back whole and is sent again, this often.
const TRIES: u32 = 5;
/// More streams than this only wait for each other inside the server (measured: it is CPU-bound with two).
const MOST_STREAMS: usize = 4;

/// How a load ended that did not break the rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// All rows are in; the server's remarks, if it made any.
    Whole(Option<String>),
    /// Rows are missing, and why.
    Refused(String),
}

/// Fills one table, which must be empty. `together` allows more than one stream.
///
/// # Errors
/// A lost connection, or [`Interrupted`].
pub fn load(
    instance: &Instance,
    plans: &Arc<Plans>,
    table: usize,
    together: bool,
    progress: &dyn Progress,
) -> Result<Loaded> {
    let plan = &plans.0[table];
    let cpus = std::thread::available_parallelism().map_or(2, NonZero::get);
    let in_bulk = instance.flavor().loads_empty_tables_in_bulk();
    let streams = if together && !in_bulk && plan.rows >= SMALL { cpus.clamp(2, MOST_STREAMS) } else { 1 } as u64;
    // Only the load that meets the table empty goes in bulk.
    let block = if in_bulk { u64::MAX } else { BLOCK };
    progress.stage(&format!("filling {}", plan.name), Unit::Rows, Some(plan.rows));
    let state = Arc::new(State { done: AtomicU64::new(0), stop: AtomicBool::new(false) });
    let ends: Vec<Result<Loaded>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..streams)
            .map(|stream| {
                let range = plan.rows * stream / streams..plan.rows * (stream + 1) / streams;
                let (plans, state) = (Arc::clone(plans), Arc::clone(&state));
                scope.spawn(move || {
                    let end = fill_range(instance, &plans, table, range, block, &state);
                    if !matches!(end, Ok(Loaded::Whole(_))) {
                        state.stop.store(true, Ordering::Relaxed);
                    }
                    end
                })
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            progress.at(state.done.load(Ordering::Relaxed));
            if progress.interrupted() {
                state.stop.store(true, Ordering::Relaxed);
            }
        }
        let gone = || Err(anyhow::anyhow!("a stream ended without a word"));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| gone())).collect()
    });
    progress.check()?;
    progress.at(state.done.load(Ordering::Relaxed));
    let mut remark = None;
    let mut broken = None;
    for end in ends {
        match end {
            // What a stream says that was stopped for another's sake is not the reason.
            Ok(Loaded::Refused(why)) => return Ok(Loaded::Refused(why)),
            Ok(Loaded::Whole(said)) => remark = remark.or(said),
            Err(error) if error.is::<Interrupted>() => broken = broken.or(Some(error)),
            Err(error) => broken = Some(error),
        }
    }
    broken.map_or(Ok(Loaded::Whole(remark)), |error| Err(error.context(format!("cannot fill {}", plan.name))))
}

#[derive(Debug)]
struct State {
    done: AtomicU64,
    stop: AtomicBool,
}

fn fill_range(
    instance: &Instance,
    plans: &Arc<Plans>,
    table: usize,
    range: std::ops::Range<u64>,
    block: u64,
    state: &Arc<State>,
) -> Result<Loaded> {
    let mut writer = session::open(instance)?;
    let statement = statement(&plans.0[table]);
    let mut from = range.start;
    let mut remark = None;
    let mut tries = 0;
    while from < range.end {
        let to = range.end.min(from.saturating_add(block));
        writer.serve_local_infile(Some(generator(plans, table, from..to, state)));
        let done = match writer.execute(&statement) {
            Ok(done) => done,
            Err(_) if state.stop.load(Ordering::Relaxed) => return Err(Interrupted.into()),
            Err(fault) if fault.is_connection_lost() => return Err(fault).context("while rows were sent"),
            Err(fault) if fault.is_deadlock() && tries < TRIES => {
                tries += 1;
                continue;
            }
            Err(fault) => return Ok(Loaded::Refused(fault.to_string())),
        };
        tries = 0;
        let missing = (to - from).saturating_sub(done.affected);
        if done.warnings > 0 || missing > 0 {
            let words = warnings(&mut writer).with_context(|| "cannot read the warnings of the load")?;
            if missing > 0 {
                let sent = grouped(to - from);
                let missing = grouped(missing);
                return Ok(Loaded::Refused(format!("the server left out {missing} of {sent} rows: {words}")));
            }
            remark = Some(words);
        }
        from = to;
    }
    Ok(Loaded::Whole(remark))
}

fn generator(plans: &Arc<Plans>, table: usize, range: std::ops::Range<u64>, state: &Arc<State>) -> LocalInfileHandler {
    let (plans, state) = (Arc::clone(plans), Arc::clone(state));
    LocalInfileHandler::new(move |_, out| {
        let mut buffer = Vec::with_capacity(BUFFER + 16 * 1024);
        let mut pending = 0;
        for row in range.clone() {
            plans.row(table, row, &mut buffer);
            pending += 1;
            if buffer.len() >= BUFFER {
                if state.stop.load(Ordering::Relaxed) {
                    return Err(io::Error::other("stopped"));
                }
                out.write_all(&buffer)?;
                buffer.clear();
                state.done.fetch_add(std::mem::take(&mut pending), Ordering::Relaxed);
            }
        }
        out.write_all(&buffer)?;
        state.done.fetch_add(pending, Ordering::Relaxed);
        Ok(())
    })
}

/// The first few warnings, in words.
fn warnings(writer: &mut Writer) -> Result<String, Fault> {
    let rows: Vec<(String, u32, String)> = writer.rows("SHOW WARNINGS LIMIT 3")?;
    let words: Vec<String> = rows.into_iter().map(|(level, code, text)| format!("{level} {code}: {text}")).collect();
    Ok(if words.is_empty() { "it gave no reason".to_owned() } else { words.join("; ") })
}

/// The `LOAD DATA` of a table: every written column by name, invisible ones too.
pub fn statement(plan: &TablePlan) -> String {
    let mut list = Vec::new();
    let mut sets = Vec::new();
    for (place, column) in plan.columns.iter().enumerate() {
        let name = quote_identifier(&column.name);
        match &column.entry {
            Entry::Plain => list.push(name),
            Entry::Through(expression) => {
                let variable = format!("@v{place}");
                sets.push(format!("{name} = {}", expression.replace('@', &variable)));
                list.push(variable);
            }
        }
    }
    let set = if sets.is_empty() { String::new() } else { format!(" SET {}", sets.join(", ")) };
    format!(
        "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {} CHARACTER SET utf8mb4 \
         FIELDS TERMINATED BY X'09' ESCAPED BY X'5C' LINES TERMINATED BY X'0A' ({}){set}",
        plan.name.quoted(),
        list.join(", ")
    )
}

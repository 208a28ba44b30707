//! Drives a script's actions one after the other, with what each cost, until the end, a failure, or the loss of the server.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};

use super::disturb::Disturbance;
use super::experiment::Experiment;
use super::fold::Fold;
use crate::execute::Executor;
use crate::execute::record::{Outcome, Ran, TwinAnswer};
use crate::progress::{Progress, Unit};
use crate::sandbox::Instance;
use crate::server::fault::Fault;
use crate::server::role::Role;
use crate::server::session::ReadOnly;
use crate::sql::record::{Action, Statement};
use crate::survey::record::Survey;
use crate::watch::footprint::{Counters, Disk};
use crate::watch::witness::Witness;

/// Times that counters are read at most because the kind of statement changed; slow statements always get theirs.
const READINGS: u32 = 5000;
/// A statement that took longer than this gets a footprint of its own, in seconds.
const SLOW: f64 = 0.05;
/// How often a statement that a deadlock with a probe undid is run again.
const TRIES: u64 = 3;

/// How a script ended.
#[derive(Debug)]
pub enum Ended {
    /// Every statement ended well.
    Well,
    /// One did not.
    Failed,
    /// The server or the person ended it.
    Broken(anyhow::Error),
}

/// What stands beside the loop, shared with the threads that watch.
pub struct Beside<'a> {
    /// The data directory's scales.
    pub disk: &'a Mutex<Disk>,
    /// What goes wrong on purpose.
    pub disturbance: &'a Disturbance<'a>,
}

/// The loop over a script's actions.
pub struct Drive<'a> {
    experiment: &'a Experiment<'a>,
    instance: &'a Instance,
    survey: &'a Survey,
    progress: &'a dyn Progress,
    witness: &'a Witness,
    executor: Executor<'a>,
    disk: &'a Mutex<Disk>,
    disturbance: &'a Disturbance<'a>,
    reader: ReadOnly,
    cost: Cost,
    readings: u32,
    done: u64,
    span: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    counters: Counters,
    disk: Option<u64>,
}

impl<'a> Drive<'a> {
    /// Ready to run.
    ///
    /// # Errors
    /// The server's fault.
    pub fn new(
        experiment: &'a Experiment<'a>,
        instance: &'a Instance,
        survey: &'a Survey,
        progress: &'a dyn Progress,
        witness: &'a Witness,
        executor: Executor<'a>,
        beside: Beside<'a>,
    ) -> Result<Self> {
        let Beside { disk, disturbance } = beside;
        let mut reader = instance.reader(Role::Watcher)?;
        let cost = Cost {
            counters: Counters::read(&mut reader)?,
            disk: disk.lock().unwrap_or_else(PoisonError::into_inner).look(),
        };
        let (readings, done, span) = (0, 0, None);
        Ok(Self {
            experiment,
            instance,
            survey,
            progress,
            witness,
            executor,
            disk,
            disturbance,
            reader,
            cost,
            readings,
            done,
            span,
        })
    }

    /// From the first statement's begin to the last one's end.
    pub fn seconds(&self) -> f64 {
        self.span.map_or(0.0, |(begin, end)| end - begin)
    }

    /// Ends the upgrade's sessions.
    pub fn close(&mut self) {
        self.executor.close();
    }

    /// Runs all actions; what they yield goes into `fold`.
    pub fn all(&mut self, fold: &mut Fold, total: u64) -> Ended {
        match self.run(fold, total) {
            Ok(true) => Ended::Well,
            Ok(false) => Ended::Failed,
            Err(cause) => Ended::Broken(cause),
        }
    }

    fn slice(&self) -> (usize, usize) {
        let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        (whole(self.experiment.skip), self.experiment.take.map_or(usize::MAX, whole))
    }

    fn run(&mut self, fold: &mut Fold, total: u64) -> Result<bool> {
        let (skip, take) = self.slice();
        let script = self.experiment.script;
        let mut actions = script.actions()?.skip(skip).take(take).peekable();
        let mut well = true;
        self.disturbance.begin().context("cannot set up what is to go wrong")?;
        let (mut digest, mut slow) = (String::new(), false);
        while let Some(action) = actions.next() {
            self.progress.check()?;
            let action = action?;
            let statement = action.statement();
            let changed = statement.digest != digest || statement.digest.is_empty();
            if changed || slow {
                if self.done > 0 && (slow || self.readings < READINGS) {
                    self.take_cost(fold, statement)?;
                }
                self.tell(statement, total);
            }
            digest.clone_from(&statement.digest);
            let twin = if changed { self.ask_twin(statement)? } else { None };
            self.disturbance.before(statement).context("cannot set up what is to go wrong")?;
            let next = actions.peek().and_then(|next| next.as_ref().ok()).map(Action::statement);
            let mut ran = self.act(&action, next).map_err(|fault| {
                let label = match fault.is_connection_lost() {
                    true => self.lost(statement),
                    false => format!("cannot run {} ({})", statement.label(), statement.origin),
                };
                self.explain(fault).context(label)
            })?;
            match twin {
                Some(Ok(answer)) => ran.twin = Some(answer),
                Some(Err(why)) => fold.unchecked.push((statement.id.clone(), why)),
                None => {}
            }
            if let Some(window) = self.disturbance.after(statement, &ran)? {
                fold.set_aside(window);
            }
            self.done += 1;
            let end = self.witness.clock().now();
            self.span = Some((self.span.map_or(ran.at, |span| span.0), end));
            slow = ran.longest_seconds >= SLOW;
            let fault = ran.outcome.fault().cloned();
            let failed = ran.outcome != Outcome::Done;
            fold.push(&action, ran);
            fold.settle(self.witness, false);
            self.progress.check()?;
            if let Some(fault) = fault.filter(Fault::is_connection_lost) {
                return Err(self.explain(fault).context(self.lost(statement)));
            }
            well &= !failed;
            if failed && !self.experiment.keep_going {
                break;
            }
        }
        if self.done > 0 {
            self.finish_cost(fold)?;
        }
        Ok(well)
    }

    /// Asks an empty twin what a DDL of a quiet run will do. What the asking cost is nobody's: it is not counted.
    fn ask_twin(&mut self, statement: &Statement) -> Result<Option<Result<TwinAnswer, String>>> {
        if self.experiment.loud || self.readings >= READINGS {
            return Ok(None);
        }
        let label = statement.label();
        let twin =
            self.executor.twin(statement).with_context(|| format!("the server was lost at the twin of {label}"))?;
        if twin.is_some() {
            self.readings += 1;
            self.cost = self.look().with_context(|| format!("cannot read the server's counters before {label}"))?.0;
        }
        Ok(twin)
    }

    /// Runs one action. What a deadlock with a probe undid, outside of any transaction, is run again: the probes are
    /// there to measure, and the upgrade's result must not depend on them.
    fn act(&mut self, action: &Action, next: Option<&Statement>) -> Result<Ran, Fault> {
        let mut retries = 0;
        loop {
            let mut ran = match action {
                Action::Once(statement) => self.executor.once(statement, next)?,
                Action::Walk(walk) => self.executor.walk(walk, self.progress)?,
            };
            let again = self.experiment.loud
                && retries < TRIES
                && ran.transaction.is_none()
                && ran.outcome.fault().is_some_and(Fault::is_deadlock);
            ran.retries += retries;
            if again {
                retries += 1;
            } else if !self.disturbance.tries_again(action.statement(), &ran) {
                return Ok(ran);
            }
        }
    }

    fn lost(&self, statement: &Statement) -> String {
        format!("the server was lost at {} ({})", statement.label(), statement.origin)
    }

    /// Why the connection was lost: the server's own last words when it is gone.
    fn explain(&self, fault: Fault) -> anyhow::Error {
        if self.instance.is_alive() {
            return fault.into();
        }
        let log = self.instance.error_log_tail();
        let words = if log.is_empty() { String::new() } else { format!("; its log ends with:\n{log}") };
        anyhow!("{fault}; the server has ended{words}")
    }

    fn tell(&self, statement: &Statement, total: u64) {
        let effect = &statement.reading.effect;
        let rows = match (effect.empties.len(), effect.empties.first()) {
            (1, Some(table)) => self.survey.tables.get(table).map(|facts| facts.rows),
            _ => None,
        };
        self.witness.rows_begin();
        let what = format!("{}: {} ({} of {total})", self.experiment.id, statement.label(), self.done + 1);
        self.progress.stage(&what, if rows.is_some() { Unit::Rows } else { Unit::Waiting }, rows);
    }

    /// Reads what the statements since the last reading cost.
    fn take_cost(&mut self, fold: &mut Fold, next: &Statement) -> Result<()> {
        self.readings += 1;
        self.finish_cost(fold).with_context(|| format!("cannot read the server's counters before {}", next.label()))
    }

    /// The counters and the disk as they are now, and the most that the disk held since the last look.
    fn look(&mut self) -> Result<(Cost, Option<u64>)> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let highest = disk.take_highest();
        Ok((Cost { counters: Counters::read(&mut self.reader)?, disk: disk.look() }, highest))
    }

    fn finish_cost(&mut self, fold: &mut Fold) -> Result<()> {
        let (now, highest) = self.look()?;
        let peak = highest.max(now.disk).zip(self.cost.disk).map(|(peak, before)| peak.saturating_sub(before));
        fold.footprint(self.cost.counters.footprint(&now.counters, peak));
        self.cost = now;
        Ok(())
    }

    /// Adds what was not run, as one observation.
    ///
    /// # Errors
    /// The script's own.
    pub fn skip_rest(&self, fold: &mut Fold) -> Result<()> {
        let (skip, take) = self.slice();
        let done = usize::try_from(self.done).unwrap_or(usize::MAX);
        let mut rest = self.experiment.script.actions()?.skip(skip).take(take).skip(done);
        let Some(first) = rest.next().transpose()? else { return Ok(()) };
        let (mut count, mut last_id) = (1, first.statement().id.clone());
        for action in rest {
            count += 1;
            last_id.clone_from(&action?.statement().id);
        }
        fold.skipped(first.statement(), count, last_id);
        Ok(())
    }
}

//! The course of an experiment: prepare, watch the steady state, run, settle, fold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::conditions::{self, Scope};
use super::disturb::Disturbance;
use super::drive::{Beside, Drive, Ended};
use super::experiment::{Broken, Condition, Experiment, Holder};
use super::fold::Fold;
use super::minder::Minder;
use super::record::{Happened, Rehearsal};
use crate::execute::{self, Conditions, Executor};
use crate::progress::{Progress, Unit};
use crate::sandbox::Instance;
use crate::server::role::Role;
use crate::server::session::Writer;
use crate::survey::record::Survey;
use crate::watch::clock::Clock;
use crate::watch::footprint::{Counters, Disk};
use crate::watch::probe::Probes;
use crate::watch::record::{Coverage, Entry, Phase};
use crate::watch::row_locks::Transactions;
use crate::watch::timeline::Timeline;
use crate::watch::watcher::Watcher;
use crate::watch::witness::Witness;

/// Seconds that late answers are waited for after the last statement.
const LATE: f64 = 15.0;

/// Runs an experiment on a server that holds what it starts from.
///
/// # Errors
/// A [`Broken`] once statements ran: the server died, the connection was lost, or the person asked to stop; it carries
/// what was measured. Before that, what kept it from beginning.
pub fn run(
    experiment: &Experiment<'_>,
    instance: &Instance,
    survey: &Survey,
    progress: &dyn Progress,
) -> Result<Rehearsal> {
    let cannot = || format!("cannot run the experiment {}", experiment.id);
    let scope = conditions::scope(experiment, survey)?;
    let timeline = Timeline::open(experiment.timeline)?;
    let witness = Witness::new(Clock::start(), timeline, conditions::neighbours(survey));
    let mut keeper = instance.writer(Role::Keeper).with_context(cannot)?;
    let mut course = Course::new(experiment, instance, survey, progress, &witness, scope);
    if let Err(fault) = execute::enable(&mut keeper) {
        course.fold.unchecked.push((String::new(), format!("which algorithm a DDL used cannot be told: {fault}")));
    }
    if experiment.loud {
        conditions::prepare_probes(&mut keeper).with_context(cannot)?;
    }
    let ended = course.go(keeper).with_context(cannot)?;
    let rehearsal = course.rehearsal(&ended);
    witness.timeline().close()?;
    match ended {
        Ended::Broken(cause) => Err(Broken { rehearsal: Box::new(rehearsal), cause }.into()),
        Ended::Well | Ended::Failed => Ok(rehearsal),
    }
}

struct Course<'a> {
    experiment: &'a Experiment<'a>,
    instance: &'a Instance,
    survey: &'a Survey,
    progress: &'a dyn Progress,
    witness: &'a Witness,
    scope: Scope,
    fold: Fold,
    phases: Vec<Phase>,
    coverage: Coverage,
    seconds: f64,
    cpu_seconds: Option<f64>,
    happened: Happened,
    /// Seconds between two requests of a probe.
    interval: f64,
}

impl<'a> Course<'a> {
    fn new(
        experiment: &'a Experiment<'a>,
        instance: &'a Instance,
        survey: &'a Survey,
        progress: &'a dyn Progress,
        witness: &'a Witness,
        scope: Scope,
    ) -> Self {
        let (phases, coverage) = (Vec::new(), Coverage::default());
        let fold = Fold::new(experiment.loud);
        Self {
            experiment,
            instance,
            survey,
            progress,
            witness,
            scope,
            fold,
            phases,
            coverage,
            seconds: 0.0,
            cpu_seconds: None,
            happened: Happened::default(),
            interval: 0.0,
        }
    }

    /// Everything between the first connection and the last.
    fn go(&mut self, mut keeper: Writer) -> Result<Ended> {
        let (instance, witness) = (self.instance, self.witness);
        let mut reader = instance.reader(Role::Watcher)?;
        let before = Counters::read(&mut reader)?;
        let transactions = Arc::new(Mutex::new(Transactions::new(reader)));
        let disk = Mutex::new(Disk::of(instance));
        let (stop, stop_watching) = (AtomicBool::new(false), AtomicBool::new(false));
        let probes = match self.experiment.loud {
            true => Some(Probes::prepare(instance, self.survey, &self.scope.tables, witness)?),
            false => None,
        };
        let rings = probes.as_ref().map(Probes::rings).unwrap_or_default();
        let connections = probes.as_ref().map(Probes::connections).unwrap_or_default();
        self.interval = probes.as_ref().map_or(0.0, Probes::interval);
        self.note_limits(probes.as_ref());
        let target = self.experiment.statement.as_deref();
        let disturbance = Disturbance::new(&self.experiment.condition, target, instance, self.survey, witness);
        let minder = Minder {
            witness,
            disturbance: &disturbance,
            probes: self.experiment.loud.then(|| instance.roster()),
            disk: &disk,
            transactions: (!self.experiment.loud).then_some(&*transactions),
            progress: self.progress,
            keeper: instance.writer(Role::Keeper)?,
        };
        let watcher = match self.experiment.loud {
            true => Some(Watcher::open(instance, witness, &transactions)?),
            false => None,
        };

        let ended = thread::scope(|scope| {
            let minding = scope.spawn(|| minder.mind(&stop_watching));
            let watching = watcher.map(|watcher| scope.spawn(|| watcher.watch(&stop_watching)));
            let lanes = probes.map(|probes| probes.start(scope, witness, &stop, instance.flavor())).unwrap_or_default();
            let ended = self.steady_and_run(
                Arc::clone(&transactions),
                rings,
                Beside { disk: &disk, disturbance: &disturbance },
            );
            let behind = std::mem::take(&mut self.fold.behind_aside);
            self.happened = disturbance.finish(&mut keeper, behind);
            stop.store(true, Ordering::Release);
            release(&mut keeper, &connections, || lanes.iter().all(thread::ScopedJoinHandle::is_finished));
            for lane in lanes {
                if let Ok(Some(why)) = lane.join() {
                    self.fold.unchecked.push((String::new(), why));
                }
            }
            stop_watching.store(true, Ordering::Release);
            if let Some(Ok((coverage, fault))) = watching.map(thread::ScopedJoinHandle::join) {
                self.coverage = coverage;
                if let Some(fault) = fault {
                    self.fold.unchecked.push((String::new(), format!("the watchers ended early: {fault}")));
                }
            }
            let notes = minding.join().unwrap_or_default();
            self.fold.unchecked.extend(notes.into_iter().map(|why| (String::new(), why)));
            ended
        })?;
        self.fold.settle(witness, true);
        let ended = self.settle(ended, before.history_list);
        if self.experiment.loud && instance.is_alive() {
            // Left behind, it would be gone with the next rewind anyway.
            let _gone = conditions::remove_probes(&mut keeper);
        }
        Ok(ended)
    }

    fn note_limits(&mut self, probes: Option<&Probes>) {
        let Some(probes) = probes else { return };
        let sentences = probes.limits.iter().cloned();
        self.fold.unchecked.extend(sentences.map(|why| (String::new(), why)));
        if !self.scope.left_out.is_empty() {
            let names: Vec<String> = self.scope.left_out.iter().map(ToString::to_string).collect();
            self.fold
                .unchecked
                .push((String::new(), format!("not probed, for there are too many: {}", names.join(", "))));
        }
    }

    fn steady_and_run(
        &mut self,
        transactions: Arc<Mutex<Transactions>>,
        rings: BTreeMap<crate::sql::record::TableName, Arc<crate::watch::key_ring::KeyRing>>,
        beside: Beside<'_>,
    ) -> Result<Ended> {
        let clock = self.witness.clock();
        if self.experiment.loud {
            let begin = clock.now();
            self.progress.stage("watching the server at rest", Unit::Waiting, None);
            while clock.now() < begin + self.experiment.steady && !self.progress.interrupted() {
                thread::sleep(Duration::from_millis(50));
            }
            self.phase("steady", begin, String::new());
        }
        let conditions = Conditions {
            database: self.experiment.database.clone(),
            preamble: self.preamble(),
            frozen: (!self.experiment.loud).then(conditions::frozen_time),
            pauses: !self.experiment.loud,
        };
        let executor = Executor::new(self.instance, self.survey, self.witness, conditions, transactions, rings)?;
        let (begin, cpu) = (clock.now(), self.instance.cpu_seconds());
        let mut drive =
            Drive::new(self.experiment, self.instance, self.survey, self.progress, self.witness, executor, beside)?;
        let ended = drive.all(&mut self.fold, self.scope.actions);
        self.seconds = drive.seconds();
        self.cpu_seconds = self.instance.cpu_seconds().zip(cpu).map(|(after, before)| after - before);
        drive.close();
        self.wait_for_late_answers();
        drive.skip_rest(&mut self.fold)?;
        self.phase("run", begin, String::new());
        Ok(ended)
    }

    /// What brings the first session to where the script begins, and makes it as patient as the experiment wants it.
    fn preamble(&self) -> Vec<String> {
        let mut preamble = self.experiment.preamble.clone();
        if let Condition::Holder(Holder { patience: Some(patience), .. }) = &self.experiment.condition {
            preamble.push(format!("SET SESSION lock_wait_timeout = {}", patience.lock_wait_timeout));
        }
        preamble
    }

    /// Requests that still wait when the last lock is freed are answered soon; they belong to what held it. And each
    /// probe asks once more, for a table that the last statement dropped at once would else never be missed.
    fn wait_for_late_answers(&mut self) {
        let begin = self.witness.clock().now();
        let asked_again = |witness: &Witness| witness.told_until() >= begin + self.interval;
        while (self.fold.is_waiting() || !asked_again(self.witness))
            && self.witness.clock().now() < begin + LATE
            && self.instance.is_alive()
            && !self.progress.interrupted()
        {
            thread::sleep(Duration::from_millis(20));
            self.fold.settle(self.witness, false);
        }
        self.fold.settle(self.witness, true);
    }

    fn settle(&mut self, ended: Ended, history_list: Option<u64>) -> Ended {
        if !self.experiment.settle || matches!(ended, Ended::Broken(_)) {
            return ended;
        }
        let begin = self.witness.clock().now();
        match conditions::settle(self.instance, self.witness, history_list, self.progress) {
            Ok(note) => {
                self.phase("settle", begin, note);
                ended
            }
            Err(error) => {
                self.phase("settle", begin, format!("{error:#}"));
                Ended::Broken(error)
            }
        }
    }

    fn phase(&mut self, name: &str, begin: f64, note: String) {
        let phase =
            Phase { name: name.to_owned(), from_seconds: begin, seconds: self.witness.clock().now() - begin, note };
        self.witness.timeline().add(&Entry::Phase(phase.clone()));
        self.phases.push(phase);
    }

    fn rehearsal(&mut self, ended: &Ended) -> Rehearsal {
        let mut fold = std::mem::take(&mut self.fold);
        let unchecked = std::mem::take(&mut fold.unchecked);
        Rehearsal {
            id: self.experiment.id.clone(),
            kind: self.experiment.kind,
            statement: self.experiment.statement.clone(),
            loud: self.experiment.loud,
            seconds: self.seconds,
            completed: matches!(ended, Ended::Well),
            phases: std::mem::take(&mut self.phases),
            observations: fold.into_observations(),
            coverage: self.coverage,
            server_cpu_seconds: self.cpu_seconds,
            steady: self.witness.steady(),
            unchecked,
            happened: std::mem::take(&mut self.happened),
        }
    }
}

/// Probes wait as long as it takes; once nobody listens any more they are ended after a while, whoever they wait for.
fn release(keeper: &mut Writer, connections: &[u32], ended: impl Fn() -> bool) {
    for _ in 0..100 {
        if ended() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    for connection in connections {
        // Most have ended by themselves.
        let _gone = keeper.execute(&format!("KILL {connection}"));
    }
}

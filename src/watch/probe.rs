//! Asks as the application would, on a fixed schedule: a slow answer does not slow the asking, and requests that fell due
//! while one waited count from when they were due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use super::key_ring::KeyRing;
use super::probe_plan::{self, InsertPlan, Lane};
use super::record::ProbeKind;
use super::witness::{Answer, Mark, Witness};
use crate::sandbox::Instance;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::role::Role;
use crate::server::session::{Done, Writer};
use crate::sql::record::TableName;
use crate::survey::record::{Survey, TableFacts};

/// Requests a second in all. One costs the server 0.1 to 0.3 ms of CPU: at 250 the loud run took 1.07 times the quiet
/// one's (`make bench`), over the 5 % aimed at.
const RATE: f64 = 130.0;
/// Shortest and longest time between two requests of a lane, in seconds.
const INTERVAL: (f64, f64) = (0.02, 0.5);
/// Each commit costs a write to disk: not more than 20 a second.
const COMMIT_INTERVAL: f64 = 0.05;
/// Tables that get lanes of their own for the first and the last key.
const WIDE: usize = 6;

/// All probes of an experiment, ready to ask.
#[derive(Debug)]
pub struct Probes {
    lanes: Vec<ReadyLane>,
    rings: BTreeMap<TableName, Arc<KeyRing>>,
    /// Why some probes are less than an application's request, in sentences.
    pub limits: Vec<String>,
}

#[derive(Debug)]
struct ReadyLane {
    lane: Lane,
    session: Writer,
    ring: Option<Arc<KeyRing>>,
    insert: Option<(InsertPlan, Vec<String>)>,
    mark: Mark,
}

impl Probes {
    /// Opens the sessions, picks the keys and tries each kind of request once.
    ///
    /// # Errors
    /// When a session cannot be opened or set up. A request that the server refuses becomes a limit.
    pub fn prepare(
        instance: &Instance,
        survey: &Survey,
        tables: &[TableName],
        witness: &Witness,
    ) -> Result<Self, Fault> {
        let mut probes = Self { lanes: Vec::new(), rings: BTreeMap::new(), limits: Vec::new() };
        for (index, name) in tables.iter().enumerate() {
            if let Some(facts) = survey.tables.get(name) {
                match probes.add_table(instance, survey, (name, facts), index < WIDE, witness) {
                    Err(fault) if fault.is_connection_lost() => return Err(fault),
                    Err(fault) => probes.limits.push(format!("{name} is not probed: {fault}")),
                    Ok(()) => {}
                }
            }
        }
        let lane = probe_plan::commit_lane();
        let session = open(instance, &lane)?;
        probes.lanes.push(ReadyLane { lane, session, ring: None, insert: None, mark: witness.mark() });
        Ok(probes)
    }

    fn add_table(
        &mut self,
        instance: &Instance,
        survey: &Survey,
        (name, facts): (&TableName, &TableFacts),
        wide: bool,
        witness: &Witness,
    ) -> Result<(), Fault> {
        let plan = probe_plan::plan(survey, name, facts, wide);
        let mut trial = open(instance, &plan.lanes[plan.lanes.len() - 1])?;
        let ring = match plan.key {
            Some(key) => Some(Arc::new(KeyRing::fill(name, key, facts.rows, &mut trial)?)),
            None => None,
        };
        trial.execute("ROLLBACK")?;
        self.limits.extend(plan.limits);
        let condition = |turn| {
            ring.as_ref()
                .map_or_else(|| String::from("1 = 1"), |ring| ring.condition(probe_plan::Keys::Rotating, turn).0)
        };
        let mut refused = None;
        let mut update = None;
        for text in plan.updates {
            match attempt(&mut trial, &text.replacen("{}", &condition(0), 1))? {
                Ok(()) => {
                    update = Some(text);
                    break;
                }
                Err(fault) => refused = Some(fault),
            }
        }
        if let (None, Some(fault)) = (&update, refused) {
            self.limits.push(format!("updates of {name} are not probed: {fault}"));
        }
        let insert = match plan.insert {
            None => None,
            Some(insert) => {
                let row = trial.first::<String>(&insert.template(name, facts))?;
                trial.execute("ROLLBACK")?;
                match row.and_then(|row| super::key::split(&insert.fields, &row)) {
                    None => {
                        self.limits.push(format!(
                            "inserts into {name} are probed by one that makes no row: there is no row to make another like"
                        ));
                        None
                    }
                    Some(row) => match attempt(&mut trial, &insert.request(name, &row, 1))? {
                        Ok(()) => Some((insert, row)),
                        Err(fault) => {
                            self.limits.push(format!(
                                "inserts into {name} are probed by one that makes no row: a copy of a row is refused: {fault}"
                            ));
                            None
                        }
                    },
                }
            }
        };
        drop(trial);
        for mut lane in plan.lanes {
            let mut own_insert = None;
            match lane.kind {
                ProbeKind::Update => match &update {
                    Some(text) => lane.text.clone_from(text),
                    None => continue,
                },
                ProbeKind::Insert => {
                    lane.text.clone_from(&plan.empty_insert);
                    own_insert.clone_from(&insert);
                }
                _ => {}
            }
            let session = open(instance, &lane)?;
            let mark = witness.mark();
            self.lanes.push(ReadyLane { lane, session, ring: ring.clone(), insert: own_insert, mark });
        }
        self.rings.extend(ring.map(|ring| (name.clone(), ring)));
        Ok(())
    }

    /// The probes' connections.
    pub fn connections(&self) -> Vec<u32> {
        self.lanes.iter().map(|lane| lane.session.connection_id()).collect()
    }

    /// Seconds between two requests of a lane.
    pub fn interval(&self) -> f64 {
        (self.lanes.len() as f64 / RATE).clamp(INTERVAL.0, INTERVAL.1)
    }

    /// Keys of all tables.
    pub fn rings(&self) -> BTreeMap<TableName, Arc<KeyRing>> {
        self.rings.clone()
    }

    /// Starts asking, until `stop`. Each thread ends with a sentence when it had to give up before.
    pub fn start<'scope, 'env>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        witness: &'env Witness,
        stop: &'env AtomicBool,
        flavor: Flavor,
    ) -> Vec<ScopedJoinHandle<'scope, Option<String>>> {
        let many = self.lanes.len();
        let interval = self.interval();
        let begin = witness.clock().now();
        (self.lanes.into_iter().enumerate())
            .map(|(index, lane)| {
                let interval =
                    if lane.lane.kind == ProbeKind::Commit { interval.max(COMMIT_INTERVAL) } else { interval };
                let begin = begin + interval * index as f64 / many as f64;
                scope.spawn(move || lane.ask(witness, stop, begin, interval, flavor))
            })
            .collect()
    }
}

impl ReadyLane {
    fn ask(
        mut self,
        witness: &Witness,
        stop: &AtomicBool,
        begin: f64,
        interval: f64,
        flavor: Flavor,
    ) -> Option<String> {
        let clock = witness.clock();
        let mut due = begin;
        let mut turn = 0u64;
        let given_up = loop {
            self.mark.at(due);
            clock.sleep_until(due);
            if stop.load(Ordering::Acquire) {
                break None;
            }
            let (text, key) = self.text(turn);
            let answer = self.session.execute(&text);
            let answered = clock.now();
            let fault = answer.as_ref().err();
            witness.answer(&Answer {
                table: &self.lane.table,
                probe: self.lane.kind,
                key,
                due,
                answered,
                interval,
                fault,
            });
            match answer {
                Err(fault) if fault.is_connection_lost() => {
                    break Some(format!("the {} probe of {} ended: {fault}", self.lane.kind.name(), self.lane.table));
                }
                Err(_) => drop(self.lane.rolls_back.then(|| self.session.execute("ROLLBACK"))),
                Ok(done) if self.found_nothing(&done) => {
                    if let Some(ring) = &self.ring {
                        ring.refresh(&mut self.session, flavor);
                        if self.lane.rolls_back {
                            drop(self.session.execute("ROLLBACK"));
                        }
                    }
                }
                Ok(_) => {}
            }
            turn += 1;
            // What fell due meanwhile has been counted with this answer; the schedule goes on where it would be.
            due += interval * (1.0 + ((answered - due) / interval).floor().max(0.0));
        };
        self.mark.done();
        given_up
    }

    fn text(&self, turn: u64) -> (String, &'static str) {
        if let Some((insert, row)) = &self.insert {
            return (insert.request(&self.lane.table, row, turn + 2), "");
        }
        match &self.ring {
            Some(ring) if self.lane.keys != probe_plan::Keys::None => {
                let (condition, key) = ring.condition(self.lane.keys, turn);
                (self.lane.request(&condition), key)
            }
            _ => (self.lane.text.clone(), ""),
        }
    }

    /// The row that it asked for is not there.
    fn found_nothing(&self, done: &Done) -> bool {
        match self.lane.kind {
            ProbeKind::Read | ProbeKind::Lock => done.returned == 0,
            ProbeKind::Update => done.info.starts_with("Rows matched: 0"),
            ProbeKind::Insert | ProbeKind::Commit => false,
        }
    }
}

/// Tries a request once, and takes it back.
fn attempt(session: &mut Writer, text: &str) -> Result<Result<(), Fault>, Fault> {
    let answer = session.execute(text).map(drop);
    match answer {
        Err(fault) if fault.is_connection_lost() => Err(fault),
        answer => {
            session.execute("ROLLBACK")?;
            Ok(answer)
        }
    }
}

/// A session that a lane may use: it waits as long as it takes, keeps out of the binary log unless it is there to
/// commit, and never leaves a transaction open.
fn open(instance: &Instance, lane: &Lane) -> Result<Writer, Fault> {
    let mut session = instance.writer(Role::Probe)?;
    let commits = lane.kind == ProbeKind::Commit;
    session.execute("SET NAMES utf8mb4")?;
    session.execute(
        "SET SESSION lock_wait_timeout = 31536000, innodb_lock_wait_timeout = 100000000, sql_mode = '', \
         wait_timeout = 31536000",
    )?;
    if !commits {
        // An update in READ COMMITTED is refused where the binary log holds statements (1665); the probes' own changes
        // are taken back anyway.
        session.execute("SET SESSION sql_log_bin = 0")?;
        session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")?;
    }
    let autocommit = u8::from(!lane.rolls_back);
    session.execute(&format!("SET SESSION autocommit = {autocommit}"))?;
    Ok(session)
}

//! Brings together what the executor measured, what the witness saw, and what the counters tell, into observations.

use std::collections::VecDeque;

use super::group::{Groups, fold, joined};
use super::record::{Algorithm, DdlFacts, DdlLock, MET_A_DEADLOCK, Observation, Outcome, TwinAnswer};
use crate::execute::record::Ran;
use crate::sql::record::{Action, Statement};
use crate::watch::record::{Blocked, Footprint, LockHeld, ProbeKind};
use crate::watch::witness::{Seen, Witness};

/// A DDL shorter than this tells nothing of its lock by who waited, in seconds.
const TELLING: f64 = 0.3;

/// Observations on their way: those whose windows may still hear from probes wait here.
#[derive(Debug, Default)]
pub struct Fold {
    pending: VecDeque<(u64, Observation)>,
    groups: Groups,
    loud: bool,
    /// What was seen of earlier tries of the next statement, whose windows no observation has.
    tries: Vec<Seen>,
    aside: Option<u64>,
    /// Who waited in the window that was set aside.
    pub behind_aside: Vec<Blocked>,
    /// What could not be seen, by statement.
    pub unchecked: Vec<(String, String)>,
}

impl Fold {
    /// A fold of a loud or a quiet run.
    pub fn new(loud: bool) -> Self {
        Self { loud, ..Self::default() }
    }

    /// A window that belongs to no statement: what is seen of it is kept for itself.
    pub fn set_aside(&mut self, window: u64) {
        self.aside = Some(window);
    }

    /// Some observations still wait for answers.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty() || self.aside.is_some()
    }

    /// Takes in what running an action yielded.
    pub fn push(&mut self, action: &Action, ran: Ran) {
        let statement = action.statement();
        if ran.retries > 0 {
            self.unchecked.push((
                statement.id.clone(),
                format!(
                    "{MET_A_DEADLOCK} {} times and was run again: production's own queries may do the same to it",
                    ran.retries
                ),
            ));
        }
        let window = ran.window;
        let observation = observation(statement, ran);
        match self.pending.back_mut() {
            // The witness gave look-alikes one window: they are one observation, too.
            Some((last, group)) if *last == window => fold(group, observation),
            _ => self.pending.push_back((window, observation)),
        }
    }

    /// What the statements since the last call cost; it goes to the last one, or the group that it belongs to.
    pub fn footprint(&mut self, footprint: Footprint) {
        let last = self.pending.back_mut().map(|(_, observation)| observation).or_else(|| self.groups.last());
        if let Some(observation) = last {
            observation.footprint = joined(observation.footprint, footprint);
        }
    }

    /// Finishes what nobody will tell more about; with `all`, everything.
    pub fn settle(&mut self, witness: &Witness, all: bool) {
        for seen in witness.settled(all) {
            if self.aside == Some(seen.window) {
                self.aside = None;
                self.behind_aside = seen.blocked;
                continue;
            }
            while self.pending.front().is_some_and(|(window, _)| *window < seen.window) {
                self.finish_first(None);
            }
            if self.pending.front().is_some_and(|(window, _)| *window == seen.window) {
                self.finish_first(Some(seen));
            } else {
                self.tries.push(seen);
            }
        }
        while all && !self.pending.is_empty() {
            self.finish_first(None);
        }
        if all {
            for (id, failed) in witness.late_failures() {
                if let Some(observation) = self.groups.find(&id) {
                    observation.failed.extend(failed);
                    observation.failed.sort_by(|a, b| (&a.table, a.probe, a.error).cmp(&(&b.table, b.probe, b.error)));
                }
            }
        }
    }

    fn finish_first(&mut self, seen: Option<Seen>) {
        let Some((_, mut observation)) = self.pending.pop_front() else { return };
        if let Some(mut seen) = seen {
            for earlier in std::mem::take(&mut self.tries) {
                join_blocked(&mut seen.blocked, earlier.blocked);
                seen.failed.extend(earlier.failed);
            }
            observation.blocked = seen.blocked;
            observation.failed = seen.failed;
            observation.locks.extend(seen.locks);
            observation.locks_until = seen.locks_until;
            if self.loud {
                observation.rows.locked = seen.rows_locked.or(observation.rows.locked);
                if let Some(rows) = seen.rows_locked.filter(|rows| *rows > 0) {
                    observation.locks.push(LockHeld {
                        object: format!("{rows} rows"),
                        mode: "rows".to_owned(),
                        held_seconds: observation.seconds,
                    });
                }
                let (seconds, blocked) = (observation.seconds, &observation.blocked);
                if let Some(ddl) = observation.ddl.as_mut() {
                    ddl.lock = lock_of(ddl.algorithm, seconds, blocked).or(ddl.lock);
                }
            }
        }
        self.groups.push(observation);
    }

    /// All observations.
    pub fn into_observations(self) -> Vec<Observation> {
        self.groups.into_observations()
    }

    /// Takes in what was not run: one observation for all of it.
    pub fn skipped(&mut self, first: &Statement, count: u64, last_id: String) {
        let mut observation = observation(first, Ran::new(u64::MAX, 0.0, 0.0, None));
        observation.outcome = Outcome::Skipped;
        observation.count = count;
        observation.last_id = last_id;
        self.groups.push(observation);
    }
}

/// Adds who waited behind an earlier try of the same statement.
fn join_blocked(blocked: &mut Vec<Blocked>, earlier: Vec<Blocked>) {
    for one in earlier {
        match blocked.iter_mut().find(|known| known.table == one.table && known.probe == one.probe) {
            Some(known) => {
                known.longest_seconds = known.longest_seconds.max(one.longest_seconds);
                known.total_seconds += one.total_seconds;
                known.share = known.share.max(one.share);
                known.waits += one.waits;
                known.asked += one.asked;
            }
            None => blocked.push(one),
        }
    }
}

fn observation(statement: &Statement, ran: Ran) -> Observation {
    Observation {
        statement: statement.clone(),
        count: ran.count.max(1),
        last_id: statement.id.clone(),
        outcome: ran.outcome,
        at_seconds: ran.at,
        seconds: ran.seconds,
        longest_seconds: ran.longest_seconds,
        commit_seconds: ran.commit_seconds,
        transaction: ran.transaction,
        warning_count: ran.warning_count,
        warnings: ran.warnings,
        rows: ran.rows,
        ddl: ran.ddl.map(|ddl| DdlFacts { lock: ddl.lock.or_else(|| lock_by_twin(&ddl, ran.twin.as_ref())), ..ddl }),
        twin: ran.twin,
        locks: Vec::new(),
        locks_until: None,
        blocked: Vec::new(),
        failed: Vec::new(),
        footprint: Footprint::default(),
    }
}

/// Which lock a DDL left to others, by its table's empty twin, where that one went the same way.
fn lock_by_twin(ddl: &DdlFacts, twin: Option<&TwinAnswer>) -> Option<DdlLock> {
    let alike = |twin: &&TwinAnswer| (twin.algorithm, twin.rebuilds) == (ddl.algorithm, ddl.rebuilds);
    twin.filter(alike).map(|twin| twin.lock)
}

/// Which lock a DDL left to others, by who waited for most of it. One too short to tell has none, unless its algorithm
/// does: a copy lets nobody write.
fn lock_of(algorithm: Algorithm, seconds: f64, blocked: &[Blocked]) -> Option<DdlLock> {
    let held_up =
        |is: &dyn Fn(ProbeKind) -> bool| blocked.iter().any(|one| is(one.probe) && one.total_seconds > seconds * 0.5);
    if seconds < TELLING {
        return (algorithm == Algorithm::Copy).then_some(DdlLock::Shared);
    }
    Some(if held_up(&|probe| probe == ProbeKind::Read) {
        DdlLock::Exclusive
    } else if held_up(&|probe| matches!(probe, ProbeKind::Lock | ProbeKind::Update | ProbeKind::Insert)) {
        DdlLock::Shared
    } else {
        DdlLock::None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::record::TableName;

    #[test]
    fn the_lock_of_a_ddl_is_told_by_who_waited_for_most_of_it() {
        let blocked = |probe, total_seconds| Blocked {
            table: TableName::new("app", "t"),
            probe,
            longest_seconds: total_seconds,
            total_seconds,
            share: 1.0,
            from_seconds: 0.0,
            waits: 9,
            by_key: Vec::new(),
            asked: 9,
        };
        let lock = |blocked: &[Blocked]| lock_of(Algorithm::Inplace, 2.0, blocked);
        assert_eq!(lock(&[]), Some(DdlLock::None));
        assert_eq!(lock(&[blocked(ProbeKind::Read, 0.1)]), Some(DdlLock::None));
        assert_eq!(lock(&[blocked(ProbeKind::Update, 1.9)]), Some(DdlLock::Shared));
        assert_eq!(lock(&[blocked(ProbeKind::Read, 1.9)]), Some(DdlLock::Exclusive));
        assert_eq!(lock_of(Algorithm::Instant, 0.01, &[]), None);
    }
}

//! Folds look-alikes: memory stays flat when a script says the same a million times. What blocked is never folded. Pure.

use std::collections::BTreeMap;

use super::record::{Observation, Outcome};
use crate::watch::record::Footprint;

/// Observations past which look-alikes fold over what stands between them, too.
const MANY: usize = 2000;
/// How far back a look-alike is then looked for: the longest cycle of statements (`BEGIN; INSERT; COMMIT; …`) that folds.
const BACK: usize = 16;

/// Observations in order, look-alikes folded.
#[derive(Debug, Default)]
pub struct Groups {
    observations: Vec<Observation>,
    /// Ids of statements that stand alone or first, for what is told of them later.
    by_id: BTreeMap<String, usize>,
}

impl Groups {
    /// Takes one observation in.
    pub fn push(&mut self, observation: Observation) {
        let back = if self.observations.len() > MANY { BACK } else { 1 };
        let from = self.observations.len().saturating_sub(back);
        let like = self.observations[from..].iter().rposition(|earlier| folds(earlier, &observation));
        match like {
            Some(index) => fold(&mut self.observations[from + index], observation),
            None => {
                if self.by_id.len() < 100_000 {
                    self.by_id.insert(observation.statement.id.clone(), self.observations.len());
                }
                self.observations.push(observation);
            }
        }
    }

    /// The observation of a statement, or the group that it began.
    pub fn find(&mut self, id: &str) -> Option<&mut Observation> {
        let index = self.by_id.get(id)?;
        self.observations.get_mut(*index)
    }

    /// The last one.
    pub fn last(&mut self) -> Option<&mut Observation> {
        self.observations.last_mut()
    }

    /// All of them.
    pub fn into_observations(self) -> Vec<Observation> {
        self.observations
    }
}

fn folds(earlier: &Observation, later: &Observation) -> bool {
    let calm = |one: &Observation| one.blocked.is_empty() && one.failed.is_empty() && one.ddl.is_none();
    let ended = |one: &Observation| matches!(one.outcome, Outcome::Done | Outcome::Skipped);
    earlier.statement.digest == later.statement.digest
        && !later.statement.digest.is_empty()
        && earlier.statement.session == later.statement.session
        && earlier.statement.name == later.statement.name
        && earlier.statement.ignores == later.statement.ignores
        && ended(earlier)
        && earlier.outcome == later.outcome
        && calm(earlier)
        && calm(later)
}

/// Adds a later look-alike to its group.
pub fn fold(group: &mut Observation, later: Observation) {
    let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        _ => None,
    };
    group.count += later.count;
    group.last_id = later.last_id;
    group.seconds += later.seconds;
    group.longest_seconds = group.longest_seconds.max(later.longest_seconds);
    group.commit_seconds = match (group.commit_seconds, later.commit_seconds) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
    };
    group.warning_count += later.warning_count;
    group.warnings.extend(later.warnings);
    group.warnings.truncate(10);
    let (rows, more) = (&mut group.rows, later.rows);
    rows.affected += more.affected;
    rows.returned += more.returned;
    rows.matched = add(rows.matched, more.matched);
    // Only looked at closely in some of them: a sum over those would pass for one over all.
    rows.examined = add(rows.examined, more.examined);
    rows.locked = add(rows.locked, more.locked);
    rows.cascaded = add(rows.cascaded, more.cascaded);
    group.locks.extend(later.locks);
    group.locks.truncate(50);
    group.locks_until = later.locks_until;
    group.footprint = joined(group.footprint, later.footprint);
}

/// Two costs, one after the other.
pub fn joined(a: Footprint, b: Footprint) -> Footprint {
    let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
    };
    Footprint {
        binlog_bytes: add(a.binlog_bytes, b.binlog_bytes),
        redo_bytes: add(a.redo_bytes, b.redo_bytes),
        disk_bytes: a.disk_bytes.max(b.disk_bytes),
        history_list: b.history_list.or(a.history_list),
        row_lock_waits: add(a.row_lock_waits, b.row_lock_waits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::record::RowCounts;
    use crate::sql::record::{Confidence, Effect, Kind, Origin, Reading, Statement, TableName};
    use crate::watch::record::{Blocked, ProbeKind};

    fn observation(number: u64, digest: &str) -> Observation {
        Observation {
            statement: Statement {
                id: format!("s{number}"),
                name: None,
                text: String::new(),
                origin: Origin::default(),
                session: 1,
                digest: digest.to_owned(),
                reading: Reading {
                    kind: Kind::Insert,
                    effect: Effect::default(),
                    confidence: Confidence::Parsed,
                    why: None,
                },
                ignores: Vec::new(),
            },
            count: 1,
            last_id: format!("s{number}"),
            outcome: Outcome::Done,
            at_seconds: 0.0,
            seconds: 0.001,
            longest_seconds: 0.001,
            commit_seconds: None,
            transaction: None,
            warning_count: 0,
            warnings: Vec::new(),
            rows: RowCounts { affected: 1, examined: Some(1), ..RowCounts::default() },
            ddl: None,
            twin: None,
            locks: Vec::new(),
            locks_until: None,
            blocked: Vec::new(),
            failed: Vec::new(),
            footprint: Footprint::default(),
        }
    }

    #[test]
    fn look_alikes_fold_and_what_blocked_stands_alone() {
        let mut groups = Groups::default();
        for number in 1..=5 {
            let mut one = observation(number, "a");
            if number == 3 {
                one.blocked.push(Blocked {
                    table: TableName::new("app", "t"),
                    probe: ProbeKind::Update,
                    longest_seconds: 1.0,
                    total_seconds: 1.0,
                    share: 1.0,
                    from_seconds: 0.0,
                    waits: 1,
                    by_key: Vec::new(),
                    asked: 1,
                });
            }
            groups.push(one);
        }
        let folded = groups.into_observations();
        assert_eq!(folded.iter().map(|one| one.count).collect::<Vec<_>>(), [2, 1, 2]);
        assert_eq!(folded[0].last_id, "s2");
        assert_eq!(folded[2].rows.affected, 2);
    }

    #[test]
    fn a_cycle_of_statements_stays_small_however_long() {
        let mut groups = Groups::default();
        for number in 0..30_000 {
            groups.push(observation(number, ["begin", "insert", "commit"][(number % 3) as usize]));
        }
        let folded = groups.into_observations();
        assert!(folded.len() <= MANY + BACK, "{}", folded.len());
        assert_eq!(folded.iter().map(|one| one.count).sum::<u64>(), 30_000);
    }
}

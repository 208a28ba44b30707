//! The witness's books: windows that are still open to attribution, and the rules by which a wait, a failure or a lock
//! finds its statement.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::record::{Failed, LockHeld, ProbeKind};
use super::tally::Tally;
use super::witness::{Answer, BLOCKED, Scope, Seen};
use crate::server::fault::Fault;
use crate::sql::record::TableName;

/// Failures of one number, of one kind of request on one table, that get a line each in the timeline.
const TOLD: u32 = 100;

/// How often an error number struck a kind of request on a table, with the first message.
pub(super) type Failures = BTreeMap<(TableName, ProbeKind, u16), (String, u64)>;

/// What is open.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) windows: VecDeque<Window>,
    pub(super) next: u64,
    pub(super) steady: BTreeMap<(TableName, ProbeKind), Tally>,
    pub(super) running: bool,
    pub(super) changed_by: BTreeMap<TableName, String>,
    pub(super) late: BTreeMap<String, Failures>,
    pub(super) held: BTreeMap<(u32, String, String), Held>,
    pub(super) told: BTreeMap<(TableName, ProbeKind, u16), u32>,
}

/// One statement, from its begin to the moment its locks are freed.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) number: u64,
    pub(super) session: u32,
    pub(super) digest: String,
    pub(super) begin: f64,
    pub(super) end: Option<f64>,
    pub(super) release: Option<f64>,
    pub(super) freed_by: Option<String>,
    pub(super) scope: Scope,
    pub(super) grip: BTreeSet<TableName>,
    pub(super) tallies: BTreeMap<(TableName, ProbeKind), Tally>,
    pub(super) failed: Failures,
    pub(super) locks: BTreeMap<(String, String), f64>,
    pub(super) rows_locked: Option<u64>,
}

/// A lock that samples show.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) owner: u64,
}

impl Window {
    pub(super) fn is_open_at(&self, second: f64) -> bool {
        self.begin <= second && self.release.is_none_or(|release| second <= release)
    }

    pub(super) fn tally(&mut self, answer: &Answer<'_>) -> &mut Tally {
        self.tallies.entry((answer.table.clone(), answer.probe)).or_default()
    }

    pub(super) fn into_seen(self, now: f64) -> Seen {
        let length = self.release.unwrap_or(now) - self.begin;
        let blocked = self.tallies.iter().filter(|(_, tally)| tally.waits() > 0);
        Seen {
            window: self.number,
            blocked: blocked.map(|((table, probe), tally)| tally.blocked(table, *probe, self.begin, length)).collect(),
            failed: into_failed(self.failed),
            locks: (self.locks.into_iter())
                .map(|((object, mode), held_seconds)| LockHeld { object, mode, held_seconds })
                .collect(),
            rows_locked: self.rows_locked,
            locks_until: self.freed_by,
        }
    }
}

pub(super) fn into_failed(failed: Failures) -> Vec<Failed> {
    failed
        .into_iter()
        .map(|((table, probe, error), (message, count))| Failed { table, probe, error, message, count })
        .collect()
}

impl Ledger {
    /// The open window at a second that best explains what happens to a table.
    pub(super) fn owner(
        &self,
        second: f64,
        table: &TableName,
        neighbours: Option<&BTreeSet<TableName>>,
    ) -> Option<usize> {
        let mut near = None;
        let mut any = None;
        for (index, window) in self.windows.iter().enumerate().rev() {
            if !window.is_open_at(second) {
                continue;
            }
            if window.grip.contains(table) {
                return Some(index);
            }
            if neighbours.is_some_and(|tables| tables.iter().any(|table| window.grip.contains(table))) {
                near = near.or(Some(index));
            }
            any = any.or(Some(index));
        }
        near.or(any)
    }

    /// A wait cut into the stretches that different statements caused. A stretch too short to count goes with its
    /// neighbour; when all are, the whole wait is the longest one's.
    pub(super) fn owners(
        &self,
        answer: &Answer<'_>,
        neighbours: Option<&BTreeSet<TableName>>,
    ) -> Vec<(usize, f64, f64)> {
        let inside = |second: &f64| *second > answer.due && *second < answer.answered;
        let mut cuts: Vec<f64> = self.windows.iter().flat_map(|one| [Some(one.begin), one.release]).flatten().collect();
        cuts.retain(inside);
        cuts.extend([answer.due, answer.answered]);
        cuts.sort_by(f64::total_cmp);
        let mut parts: Vec<(Option<usize>, f64, f64)> = Vec::new();
        for pair in cuts.windows(2) {
            let owner = self.owner(f64::midpoint(pair[0], pair[1]), answer.table, neighbours);
            match parts.last_mut() {
                Some(last) if owner.is_none() || last.0 == owner => last.2 = pair[1],
                Some(last) if last.0.is_none() => *last = (owner, last.1, pair[1]),
                _ => parts.push((owner, pair[0], pair[1])),
            }
        }
        let known: Vec<(usize, f64, f64)> =
            parts.into_iter().filter_map(|(owner, from, to)| Some((owner?, from, to))).collect();
        let long: Vec<_> = known.iter().copied().filter(|part| part.2 - part.1 > BLOCKED).collect();
        if !long.is_empty() {
            return long;
        }
        let longest = known.into_iter().max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)));
        longest.map(|part| (part.0, answer.due, answer.answered)).into_iter().collect()
    }

    /// A failure is worth a line: the same one fails at every request once a table is gone.
    pub(super) fn tells(&mut self, answer: &Answer<'_>, fault: &Fault) -> bool {
        let told = self.told.entry((answer.table.clone(), answer.probe, fault.number)).or_insert(0);
        *told = told.saturating_add(1);
        *told <= TOLD
    }

    pub(super) fn fail(&mut self, answer: &Answer<'_>, fault: &Fault, neighbours: Option<&BTreeSet<TableName>>) {
        let key = (answer.table.clone(), answer.probe, fault.number);
        // 1049, 1054, 1146, 1356: the object is gone or is another; that stays the doing of who changed it.
        let gone = matches!(fault.number, 1049 | 1054 | 1146 | 1356);
        let culprit = if gone { self.changed_by.get(answer.table).cloned() } else { None };
        let count = match culprit {
            Some(id) => self.late.entry(id).or_default().entry(key),
            None => match self.owner(answer.answered, answer.table, neighbours).or(self.windows.len().checked_sub(1)) {
                Some(index) => self.windows[index].failed.entry(key),
                None => return,
            },
        };
        count.or_insert_with(|| (fault.message.clone(), 0)).1 += 1;
    }

    pub(super) fn owner_of_lock(&self, session: u32, at: f64, table: Option<&TableName>) -> Option<u64> {
        let open = || self.windows.iter().rev().filter(|one| one.session == session && one.is_open_at(at));
        let holder = table.and_then(|table| open().find(|one| one.grip.contains(table)));
        holder.or_else(|| open().next()).map(|one| one.number)
    }

    pub(super) fn drop_missing(&mut self, session: u32, is_there: impl Fn(&str, &str) -> bool) {
        let gone: Vec<_> =
            self.held.keys().filter(|key| key.0 == session && !is_there(&key.1, &key.2)).cloned().collect();
        for key in gone {
            if let Some(held) = self.held.remove(&key) {
                self.note_lock(&key, &held);
            }
        }
    }

    pub(super) fn drop_everything(&mut self) {
        for (key, held) in std::mem::take(&mut self.held) {
            self.note_lock(&key, &held);
        }
    }

    pub(super) fn note_lock(&mut self, key: &(u32, String, String), held: &Held) {
        if let Some(window) = self.windows.iter_mut().find(|one| one.number == held.owner) {
            let seconds = window.locks.entry((key.1.clone(), key.2.clone())).or_insert(0.0);
            *seconds = seconds.max(held.last - held.first);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::super::clock::Clock;
    use super::super::timeline::Timeline;
    use super::super::witness::{Begun, Witness};
    use super::*;

    fn name(table: &str) -> TableName {
        TableName::new("app", table)
    }

    fn begin(witness: &Witness, id: &str, table: &str, scope: Scope) -> u64 {
        let grip = [name(table)].into();
        witness.begin(Begun { id, session: 1, digest: id, grip, changes: BTreeSet::new(), scope })
    }

    fn waited(witness: &Witness, table: &str, due: f64, answered: f64) {
        let table = name(table);
        let probe = ProbeKind::Update;
        witness.answer(&Answer { table: &table, probe, key: "first", due, answered, interval: 0.02, fault: None });
    }

    fn pause(milliseconds: u64) {
        sleep(Duration::from_millis(milliseconds));
    }

    #[test]
    fn a_wait_belongs_to_who_took_the_table_until_its_transaction_ends() {
        let witness = Witness::new(Clock::start(), Timeline::default(), BTreeMap::new());
        let clock = witness.clock();
        let first = begin(&witness, "s2", "a", Scope::Transaction);
        let due = clock.now();
        witness.end(first, "s2");
        let second = begin(&witness, "s3", "b", Scope::Transaction);
        pause(120);
        witness.end(second, "s3");
        let commit = begin(&witness, "s4", "", Scope::Own);
        witness.end(commit, "s4");
        witness.release(1, Scope::Transaction, Some("s4"));
        waited(&witness, "a", due, clock.now());
        let seen = witness.settled(true);
        assert_eq!(seen.iter().map(|one| one.blocked.len()).collect::<Vec<_>>(), [1, 0, 0], "{seen:#?}");
        let blocked = &seen[0].blocked[0];
        assert!(blocked.longest_seconds > 0.1 && blocked.share > 0.8 && blocked.waits > 1, "{blocked:?}");
        assert_eq!(seen[0].locks_until.as_deref(), Some("s4"));
    }

    #[test]
    fn a_wait_through_two_statements_is_cut_between_them() {
        let witness = Witness::new(Clock::start(), Timeline::default(), BTreeMap::new());
        let clock = witness.clock();
        let one = begin(&witness, "s1", "a", Scope::Own);
        let due = clock.now();
        pause(100);
        let before = clock.now();
        witness.end(one, "s1");
        let two = begin(&witness, "s2", "a", Scope::Own);
        let after = clock.now();
        pause(200);
        witness.end(two, "s2");
        let answered = clock.now();
        waited(&witness, "a", due, answered);
        let longest: Vec<f64> = witness.settled(true).iter().map(|seen| seen.blocked[0].longest_seconds).collect();
        // The cut lies where the one ends and the other begins, however long a busy machine makes the pauses.
        assert!(before - due <= longest[0] && longest[0] <= after - due, "{longest:?}");
        assert!((longest[0] + longest[1] - (answered - due)).abs() < 1e-6, "{longest:?}");
    }

    #[test]
    fn a_window_waits_until_every_source_has_told() {
        let witness = Witness::new(Clock::start(), Timeline::default(), BTreeMap::new());
        let mark = witness.mark();
        let window = begin(&witness, "s1", "a", Scope::Own);
        witness.end(window, "s1");
        assert!(witness.settled(false).is_empty());
        mark.at(witness.clock().now());
        assert_eq!(witness.settled(false).len(), 1);
    }

    #[test]
    fn crowded_look_alikes_share_a_window() {
        let witness = Witness::new(Clock::start(), Timeline::default(), BTreeMap::new());
        for _ in 0..3000 {
            let window = begin(&witness, "s1", "a", Scope::Transaction);
            witness.end(window, "s1");
        }
        assert_eq!(witness.settled(true).len(), 1001);
    }

    #[test]
    fn a_failure_on_what_a_statement_dropped_is_that_statements() {
        let witness = Witness::new(Clock::start(), Timeline::default(), BTreeMap::new());
        let changes: BTreeSet<TableName> = [name("a")].into();
        let grip = changes.clone();
        let begun = Begun { id: "s1", session: 1, digest: "s1", grip, changes, scope: Scope::Own };
        let window = witness.begin(begun);
        witness.end(window, "s1");
        begin(&witness, "s2", "b", Scope::Own);
        let fault = Fault { number: 1146, state: "42S02".into(), message: "gone".into() };
        let (table, now) = (name("a"), witness.clock().now());
        let probe = ProbeKind::Read;
        let answer =
            Answer { table: &table, probe, key: "", due: now, answered: now, interval: 0.02, fault: Some(&fault) };
        witness.answer(&answer);
        assert!(witness.settled(true).iter().all(|seen| seen.failed.is_empty()));
        assert_eq!(witness.late_failures()["s1"][0].count, 1);
    }
}

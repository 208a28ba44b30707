//! The time line of the watched run, folded so that a page can draw it: however long the run was, it stays small.

use std::collections::BTreeMap;

use crate::report::record::Report;
use crate::sql::record::TableName;
use crate::watch::record::{Entry, Phase, ProbeKind};

/// Stretches of a row that a page draws; where there are more, the nearest become one.
const STRETCHES: usize = 1_500;
/// Values of a series that a page draws; where there are more, of neighbours the larger one.
const VALUES: usize = 1_000;
/// Waits that are no further apart than this, in seconds, are drawn as one.
const NEAR: f64 = 0.02;

/// A stretch of time, in seconds on the experiment's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// When it began.
    pub from: f64,
    /// When it ended.
    pub to: f64,
}

/// How one kind of request on one table fared over the run.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// When a request waited.
    pub blocked: Vec<Stretch>,
    /// When one failed, and with which error number.
    pub failed: Vec<(f64, u16)>,
    /// The longest wait.
    pub longest: f64,
    /// Requests that waited and that the time line names.
    pub waits: u64,
}

/// What the page draws.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// By index of the report's statements: from the first begin to the last end.
    pub statements: BTreeMap<usize, Stretch>,
    /// By table and kind of request.
    pub lanes: BTreeMap<(TableName, ProbeKind), Lane>,
    /// Sessions that the server said to be waiting: when, and who waited for whom and what.
    pub waits: Vec<(f64, String)>,
    /// Values by series.
    pub series: BTreeMap<String, Vec<(f64, f64)>>,
    /// Steady, run, settle.
    pub phases: Vec<Phase>,
    /// Lines of the time line that were not understood.
    pub strange: u64,
    /// First id of each group of the report, as a number, with its last one and its index.
    groups: BTreeMap<u64, (u64, usize)>,
}

impl Picture {
    /// Nothing seen yet, of the statements of a report.
    pub fn of(report: &Report) -> Self {
        let groups = report.statements.iter().enumerate().filter_map(|(index, statement)| {
            let first = number(&statement.id)?;
            Some((first, (number(&statement.last_id).unwrap_or(first).max(first), index)))
        });
        Self { groups: groups.collect(), phases: report.phases.clone(), ..Self::default() }
    }

    /// Takes a line of the time line.
    pub fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Statement { at, seconds, statement, .. } => self.ran(&statement, at, at + seconds),
            Entry::Probe { at, seconds, table, probe, error } => {
                let lane = self.lanes.entry((table, probe)).or_default();
                if error == 0 {
                    lane.waits += 1;
                    lane.longest = lane.longest.max(seconds);
                    lane.blocked.push(Stretch { from: at, to: at + seconds });
                    if lane.blocked.len() > 8 * STRETCHES {
                        lane.blocked = joined(std::mem::take(&mut lane.blocked));
                    }
                } else {
                    lane.failed.push((at + seconds, error));
                }
            }
            Entry::Sample { at, series, value } => {
                let values = self.series.entry(series).or_default();
                values.push((at, value));
                if values.len() > 8 * VALUES {
                    *values = thinned(values);
                }
            }
            Entry::Wait { at, waiter, holder, lock } => {
                if self.waits.len() < STRETCHES {
                    self.waits.push((at, format!("{waiter} waits for {holder}: {lock}")));
                }
            }
            // The report has them.
            Entry::Phase(_) => {}
        }
    }

    /// Ends the folding.
    pub fn finish(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.blocked = joined(std::mem::take(&mut lane.blocked));
        }
        for values in self.series.values_mut() {
            values.sort_by(|a, b| a.0.total_cmp(&b.0));
            while values.len() > VALUES {
                *values = thinned(values);
            }
        }
    }

    /// From the first to the last moment that anything is known of; none when nothing is.
    pub fn whole(&self) -> Option<Stretch> {
        let phases = self
            .phases
            .iter()
            .map(|phase| Stretch { from: phase.from_seconds, to: phase.from_seconds + phase.seconds });
        phases
            .chain(self.statements.values().copied())
            .reduce(|a, b| Stretch { from: a.from.min(b.from), to: a.to.max(b.to) })
    }

    /// The part that a reader wants to see first: the run with a little before and after it.
    pub fn run(&self) -> Option<Stretch> {
        let whole = self.whole()?;
        let ran =
            self.statements.values().copied().reduce(|a, b| Stretch { from: a.from.min(b.from), to: a.to.max(b.to) });
        let blocked = self.lanes.values().flat_map(|lane| &lane.blocked).copied();
        let ran = blocked.fold(ran.unwrap_or(whole), |all, one| {
            // What waits at the end of the run waits because of it.
            if one.from <= all.to { Stretch { from: all.from, to: all.to.max(one.to) } } else { all }
        });
        let margin = (ran.to - ran.from).max(0.05) * 0.03;
        Some(Stretch { from: (ran.from - margin).max(whole.from), to: (ran.to + margin).min(whole.to.max(ran.to)) })
    }

    fn ran(&mut self, id: &str, from: f64, to: f64) {
        let Some(number) = number(id) else { return };
        let Some((_, (last, index))) = self.groups.range(..=number).next_back() else { return };
        if number <= *last {
            let seen = self.statements.entry(*index).or_insert(Stretch { from, to });
            *seen = Stretch { from: seen.from.min(from), to: seen.to.max(to) };
        }
    }
}

/// `s12` is 12.
fn number(id: &str) -> Option<u64> {
    id.strip_prefix('s')?.parse().ok()
}

/// Stretches in order, what overlaps or nearly does as one; at most [`STRETCHES`].
fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut near = NEAR;
    loop {
        let mut out: Vec<Stretch> = Vec::new();
        for one in &stretches {
            match out.last_mut() {
                Some(last) if one.from <= last.to + near => last.to = last.to.max(one.to),
                _ => out.push(*one),
            }
        }
        if out.len() <= STRETCHES {
            return out;
        }
        stretches = out;
        near *= 2.0;
    }
}

/// Of each two neighbours the larger one.
fn thinned(values: &[(f64, f64)]) -> Vec<(f64, f64)> {
    values.chunks(2).filter_map(|pair| pair.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(at: f64, seconds: f64, error: u16) -> Entry {
        Entry::Probe { at, seconds, table: TableName::new("app", "orders"), probe: ProbeKind::Update, error }
    }

    #[test]
    fn waits_that_touch_are_one_stretch_and_failures_are_none() {
        let mut picture = Picture::default();
        for entry in [probe(1.0, 0.5, 0), probe(1.2, 0.4, 0), probe(3.0, 0.1, 0), probe(4.0, 0.2, 1146)] {
            picture.add(entry);
        }
        picture.finish();
        let lane = picture.lanes.values().next().expect("the lane");
        assert_eq!(lane.blocked.len(), 2);
        assert!((lane.blocked[0].to - 1.6).abs() < 1e-9 && (lane.longest - 0.5).abs() < 1e-9);
        assert_eq!((lane.waits, lane.failed.len(), lane.failed[0].1), (3, 1, 1146));
    }

    #[test]
    fn a_long_run_stays_small_and_keeps_its_ends_and_its_highest_value() {
        let mut picture = Picture::default();
        for second in 0..200_000_u32 {
            let at = f64::from(second);
            picture.add(probe(at, 0.1, 0));
            let value = if second == 77_777 { 9.0 } else { 1.0 };
            picture.add(Entry::Sample { at, series: "history_list".to_owned(), value });
        }
        picture.finish();
        let lane = picture.lanes.values().next().expect("the lane");
        assert!(lane.blocked.len() <= STRETCHES && lane.waits == 200_000);
        assert!(lane.blocked[0].from == 0.0 && lane.blocked.last().is_some_and(|last| last.to > 199_999.0));
        let values = &picture.series["history_list"];
        assert!(values.len() <= VALUES && values.iter().any(|(_, value)| *value == 9.0));
    }
}

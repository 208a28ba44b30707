//! How one kind of request on one table fared: waits added up as they come. Pure.

use std::collections::BTreeMap;

use super::record::{Blocked, ProbeKind};
use super::spans::Spans;
use super::witness::{Answer, BLOCKED};
use crate::sql::record::TableName;

/// Waits of one probe on one table, added up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    longest: f64,
    spans: Spans,
    waits: u64,
    asked: u64,
    by_key: BTreeMap<&'static str, f64>,
}

impl Tally {
    /// Takes in the stretch `from`…`to` of an answer's wait. Requests that fell due in it would have waited till its end.
    pub fn add(&mut self, from: f64, to: f64, answer: &Answer<'_>) {
        let wait = to - from;
        self.longest = self.longest.max(wait);
        let due = 1 + (wait / answer.interval) as u64;
        self.asked += due;
        if wait > BLOCKED {
            self.spans.add(from, to);
            self.waits += 1 + ((wait - BLOCKED) / answer.interval) as u64;
        }
        if !answer.key.is_empty() {
            let longest = self.by_key.entry(answer.key).or_insert(0.0);
            *longest = longest.max(wait);
        }
    }

    /// Requests that waited.
    pub fn waits(&self) -> u64 {
        self.waits
    }

    /// As a record, for a window that began at `begin` and lasted `length` seconds.
    pub fn blocked(&self, table: &TableName, probe: ProbeKind, begin: f64, length: f64) -> Blocked {
        let total_seconds = self.spans.total();
        Blocked {
            table: table.clone(),
            probe,
            longest_seconds: self.longest,
            total_seconds,
            share: if length > 0.0 { (total_seconds / length).min(1.0) } else { 0.0 },
            from_seconds: self.spans.begin().map_or(0.0, |first| (first - begin).max(0.0)),
            waits: self.waits,
            by_key: self.by_key.iter().map(|(key, seconds)| ((*key).to_owned(), *seconds)).collect(),
            asked: self.asked,
        }
    }
}

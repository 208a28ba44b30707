//! The ways to do a statement's work, side by side.

use super::statement_view::level;
use crate::quantity;
use crate::report::record::{Alternative, Report, Statement};
use crate::report::wording::{self, NOISE_SECONDS};
use crate::watch::record::Blocked;

/// A number with a bar beside it.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    /// `2 min 5 s`; empty when it was not measured.
    pub text: String,
    /// The bar's length, 0 to 100, against the longest of its column.
    pub percent: String,
    /// How bad, 0 to 4.
    pub level: u8,
}

/// One way.
#[derive(Clone, Debug)]
pub struct Way {
    /// One line.
    pub title: String,
    /// The plan takes it.
    pub chosen: bool,
    /// It is the statement itself.
    pub as_written: bool,
    /// Its time.
    pub time: Measure,
    /// The longest wait of a read.
    pub reads: Measure,
    /// The longest wait of a write.
    pub writes: Measure,
    /// Binary log.
    pub binlog: Measure,
    /// Whether it leaves the same.
    pub result: String,
    /// `=`, `≠`, `?` or nothing.
    pub sign: &'static str,
    /// What it runs.
    pub script: Vec<String>,
    /// What to know.
    pub remarks: Vec<String>,
}

impl Way {
    /// Its numbers, each with what it is.
    pub fn cells(&self) -> [(&'static str, &Measure); 4] {
        [("time", &self.time), ("reads wait", &self.reads), ("writes wait", &self.writes), ("binary log", &self.binlog)]
    }
}

/// A statement with its ways.
#[derive(Clone, Debug)]
pub struct Ways {
    /// The statement's id.
    pub id: String,
    /// Its name.
    pub label: String,
    /// Its text on one line.
    pub line: String,
    /// As written, then those that ran, then those that did not.
    pub ways: Vec<Way>,
}

/// The statements that have other ways.
pub fn all(report: &Report) -> Vec<Ways> {
    report.statements.iter().filter(|statement| !statement.alternatives.is_empty()).map(of).collect()
}

fn of(statement: &Statement) -> Ways {
    let tried = || statement.alternatives.iter().filter(|way| way.seconds.is_some());
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let slowest = most(&mut tried().filter_map(|way| way.seconds).chain(statement.seconds));
    let waits = || tried().map(|way| way.blocked.as_slice()).chain([statement.blocked.as_slice()]);
    let read = most(&mut waits().map(|blocked| longest(blocked, false)));
    let write = most(&mut waits().map(|blocked| longest(blocked, true)));
    let wait = read.max(write);
    let bytes = |value: Option<u64>| value.map(|bytes| bytes as f64);
    let logged =
        most(&mut tried().filter_map(|way| bytes(way.binlog_bytes)).chain(bytes(statement.footprint.binlog_bytes)));
    let time = |seconds: Option<f64>, text: Option<String>| {
        measure(seconds, slowest, text.unwrap_or_else(|| seconds.map(quantity::seconds).unwrap_or_default()), 0)
    };
    let waited = |blocked: &[Blocked], writes: bool, ran: bool| {
        let seconds = longest(blocked, writes);
        let text = wording::wait(Some(seconds), 0);
        let text = if ran && text.is_empty() { "none".to_owned() } else { text };
        measure(ran.then_some(seconds).filter(|seconds| *seconds >= NOISE_SECONDS), wait, text, level(seconds))
    };
    let log = |value: Option<u64>| measure(bytes(value), logged, value.map(quantity::bytes).unwrap_or_default(), 0);
    let itself = Way {
        title: "as written".to_owned(),
        chosen: false,
        as_written: true,
        time: time(statement.seconds, Some(wording::time(statement))),
        reads: waited(&statement.blocked, false, true),
        writes: waited(&statement.blocked, true, true),
        binlog: log(statement.footprint.binlog_bytes),
        result: String::new(),
        sign: "",
        script: Vec::new(),
        remarks: Vec::new(),
    };
    let others = statement.alternatives.iter().map(|way| Way {
        title: way.title.clone(),
        chosen: way.chosen,
        as_written: false,
        time: time(way.seconds, None),
        reads: waited(&way.blocked, false, way.seconds.is_some()),
        writes: waited(&way.blocked, true, way.seconds.is_some()),
        binlog: log(way.binlog_bytes),
        result: wording::proof(way),
        sign: sign(way),
        script: way.script.clone(),
        remarks: remarks(way),
    });
    Ways {
        id: statement.id.clone(),
        label: wording::label(statement),
        line: wording::one_line(&statement.text, 120),
        ways: std::iter::once(itself).chain(others).collect(),
    }
}

fn longest(blocked: &[Blocked], writes: bool) -> f64 {
    blocked.iter().filter(|one| one.probe.is_write() == writes).map(|one| one.longest_seconds).fold(0.0, f64::max)
}

fn measure(value: Option<f64>, most: f64, text: String, level: u8) -> Measure {
    let share = value.filter(|_| most > 0.0).map_or(0.0, |value| value / most * 100.0);
    Measure { text, percent: format!("{share:.1}"), level }
}

fn sign(way: &Alternative) -> &'static str {
    match (wording::proof(way).as_str(), way.completed) {
        ("same (checksums)" | "same (counts only)", _) => "=",
        ("differs", _) => "≠",
        ("failed", _) => "✕",
        (_, None) => "",
        _ => "?",
    }
}

/// What the terminal says, and the caveats of every way that may be taken.
fn remarks(way: &Alternative) -> Vec<String> {
    let mut lines = wording::remarks(way);
    if !way.chosen && way.eligible {
        lines.extend(way.caveats.iter().cloned());
    }
    let mark = format!("{}: ", way.id);
    lines.into_iter().map(|line| line.strip_prefix(&mark).map(str::to_owned).unwrap_or(line)).collect()
}

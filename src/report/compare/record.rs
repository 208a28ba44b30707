//! What a comparison yields. Times are seconds; a number that nobody has is `null`.

use serde::Serialize;

use crate::advise::record::Severity;
use crate::report::record::Verdict;

/// The version of the keys below.
pub const SCHEMA_VERSION: u32 = 1;

/// Two rehearsals, and what changed from A to B.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Always [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What was.
    pub a: Side,
    /// What is.
    pub b: Side,
    /// What was not the same in the two runs, besides what was rehearsed; sentences.
    pub conditions: Vec<String>,
    /// Times and waits were held against each other: the tables were of one size.
    pub judges_times: bool,
    /// How far two runs of the same differ anyway.
    pub band: Band,
    /// What changed, worse first.
    pub changes: Vec<Change>,
    /// Statement by statement: B's in their order, then those that only A has.
    pub statements: Vec<Pair>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// What was rehearsed.
    pub name: String,
    /// When (RFC 3339, UTC).
    pub started: String,
    /// Where.
    pub place: String,
    /// Share of production's rows.
    pub scale: f64,
    /// Within its budget, or not.
    pub verdict: Verdict,
    /// Its verdict in words.
    pub sentences: String,
}

/// How far two numbers may lie apart and still be the same: by so many seconds, or by such a share of the smaller one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Band {
    /// Seconds.
    pub seconds: f64,
    /// Share of the smaller number.
    pub share: f64,
    /// Where both come from.
    pub basis: String,
}

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// For the worse, outside of the noise.
    Worse,
    /// For the better, outside of the noise.
    Better,
    /// Neither.
    Changed,
    /// Within the noise, or not judged.
    Same,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Which way.
    pub trend: Trend,
    /// How grave, when for the worse.
    pub severity: Severity,
    /// The statement's name; none for the whole.
    pub statement: Option<String>,
    /// A sentence without its full stop, the number of B first.
    pub what: String,
}

/// A number of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// `time`, `reads`, `locks`, `updates`, `inserts`, `commits`.
    pub what: &'static str,
    /// Seconds in A.
    pub a: Option<f64>,
    /// Seconds in B.
    pub b: Option<f64>,
    /// Which way it went.
    pub trend: Trend,
}

/// A statement of both sides, or of one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Its name or id, B's where it is in both.
    pub name: String,
    /// Its text on one line.
    pub text: String,
    /// Its id in A; none when A lacks it.
    pub a: Option<String>,
    /// Its id in B.
    pub b: Option<String>,
    /// Time and waits.
    pub cells: Vec<Cell>,
    /// What changed of it.
    pub changes: Vec<Change>,
}

//! How far two runs of the same upgrade lie apart on these machines.

use super::record::{Band, Trend};
use crate::quantity;
use crate::report::record::{Report, Statement};
use crate::report::wording::floor;

/// Runs of one upgrade on one machine differ by so much although nothing changed: a quarter at least.
const SHARE: f64 = 0.25;

/// The band of two reports: the longest wait while nothing ran, and how far the two runs that each of them made of its
/// upgrade (with probes, and alone) lay apart.
pub fn band(a: &Report, b: &Report) -> Band {
    let seconds = floor(a).max(floor(b));
    let spread = [spread(a), spread(b)].into_iter().flatten().reduce(f64::max);
    let share = SHARE.max(spread.unwrap_or(0.0));
    let why = match spread {
        Some(spread) => format!(
            "with probes and alone the same statements differed by {:.0} % in one of the two; a quarter at least",
            spread * 100.0
        ),
        None => "no side ran its upgrade twice".to_owned(),
    };
    let basis = format!(
        "a change is one of more than {} (the longest wait while nothing ran, 50 ms at least) and of more than {:.0} % ({why}); \
         a time also lies outside of both runs of the other side",
        quantity::seconds(seconds),
        share * 100.0
    );
    Band { seconds, share, basis }
}

/// How far the two runs of a rehearsal lay apart, over all statements: long ones weigh more. None when there was but one.
fn spread(report: &Report) -> Option<f64> {
    let both: Vec<(f64, f64)> = report.statements.iter().filter_map(range).filter(|(low, _)| *low > 0.0).collect();
    let least: f64 = both.iter().map(|(low, _)| low).sum();
    let apart: f64 = both.iter().map(|(low, high)| high - low).sum();
    (least > 0.0).then(|| apart / least)
}

/// The shorter and the longer of a statement's two runs; none when it ran once.
fn range(statement: &Statement) -> Option<(f64, f64)> {
    let ran_twice = statement.seconds_run.as_deref() == Some("quiet");
    let (alone, beside) = (statement.seconds?, statement.loud_seconds.filter(|_| ran_twice)?);
    Some((alone.min(beside), alone.max(beside)))
}

impl Band {
    /// Which way a number went; what only one side has went nowhere.
    pub fn trend(&self, was: Option<f64>, is: Option<f64>) -> Trend {
        let (Some(was), Some(is)) = (was, is) else { return Trend::Same };
        self.between((was, was), (is, is))
    }

    /// Which way a statement's time went: all that was measured of it lies outside of all that was.
    pub fn time(&self, was: &Statement, is: &Statement) -> Trend {
        let all = |statement: &Statement| range(statement).or_else(|| Some((statement.seconds?, statement.seconds?)));
        match (all(was), all(is)) {
            (Some(was), Some(is)) => self.between(was, is),
            _ => Trend::Same,
        }
    }

    fn between(&self, was: (f64, f64), is: (f64, f64)) -> Trend {
        let outside = |low: f64, high: f64| high - low > self.seconds && high - low > self.share * low;
        if outside(was.1, is.0) {
            Trend::Worse
        } else if outside(is.1, was.0) {
            Trend::Better
        } else {
            Trend::Same
        }
    }
}

//! What goes wrong, rehearsed: which drills are run, on which statements, and within which time.
//!
//! Each is an experiment of the one loop on a rewound copy. All of them together may take about twice the upgrade's own
//! time and a minute and a half; what there was no time for is named.

mod control;
mod cuts;
mod interruption;
mod inverse;
mod kill;
mod needs;
mod queue;
mod small;
mod snapshot;

use std::time::Instant;

use anyhow::Result;

use super::settings::Settings;
use super::stage::Stage;
use crate::advise::record::Unchecked;
use crate::progress::{Interrupted, Progress};
use crate::quantity::seconds;
use crate::replay::record::{Drill, Observation, Rehearsal};
use crate::sql::script::Script;

/// Time for drills, whatever the upgrade takes, in seconds.
const LEAST: f64 = 90.0;
/// And for each second that the upgrade takes, so many more.
const FACTOR: f64 = 2.0;
/// What an experiment costs besides its statements: rewinding, starting, warming, watching the steady state.
const OVERHEAD: f64 = 8.0;
/// What making a small copy costs, the first time.
const SMALL_COPY: f64 = 12.0;

/// What the drills showed.
#[derive(Debug, Default)]
pub struct Drilled {
    /// Those that ran, in order.
    pub drills: Vec<Drill>,
    /// Those that did not, and why.
    pub unchecked: Vec<Unchecked>,
}

/// What drills go by.
pub struct Ground<'a> {
    /// The upgrade.
    pub script: &'a Script,
    /// How many statements it has.
    pub statements: u64,
    /// Its loud run.
    pub loud: &'a Rehearsal,
    /// Its quiet run.
    pub quiet: &'a [Observation],
}

impl<'a> Ground<'a> {
    /// A statement's own time: the quiet run's, where there is one.
    fn seconds(&self, seen: &Observation) -> f64 {
        self.alone(seen).map_or(seen.seconds, |alone| alone.seconds)
    }

    fn alone(&self, seen: &Observation) -> Option<&'a Observation> {
        self.quiet.iter().find(|alone| alone.statement.id == seen.statement.id)
    }
}

/// Runs the drills that there is time for.
///
/// # Errors
/// When the person asks to stop, or the sandbox cannot be brought back. A drill that fails by itself is named.
pub fn run(
    stage: &mut Stage,
    settings: &Settings,
    ground: &Ground<'_>,
    drilled: &mut Drilled,
    progress: &dyn Progress,
) -> Result<()> {
    let purse = Purse { begin: Instant::now(), allowed: LEAST + FACTOR * ground.loud.seconds };
    let mut hand = Hand { stage, drilled, purse, progress };
    queue::run(&mut hand, ground)?;
    kill::at_half(&mut hand, ground)?;
    let what = "what an interruption leaves, and what becomes of a reader that began before";
    if !ground.loud.completed {
        hand.leave_out(None, format!("{what}, was not rehearsed: the upgrade itself does not get to its end"));
    } else if hand.affords(what, "", SMALL_COPY) {
        let outcome = small::on_a_small_copy(&mut hand, settings, |hand| {
            snapshot::run(hand, ground)?;
            interruption::run(hand, ground)
        });
        hand.survives(what, "", outcome.map(|()| None))?;
    }
    kill::at_other_shares(&mut hand, ground)
}

/// The time that is left.
#[derive(Clone, Copy)]
struct Purse {
    begin: Instant,
    allowed: f64,
}

impl Purse {
    fn left(&self) -> f64 {
        self.allowed - self.begin.elapsed().as_secs_f64()
    }
}

/// What every drill has at hand.
struct Hand<'a> {
    stage: &'a mut Stage,
    drilled: &'a mut Drilled,
    purse: Purse,
    progress: &'a dyn Progress,
}

impl Hand<'_> {
    /// True when there is time for another experiment whose statements take so long; else it is named as left out.
    fn affords(&mut self, what: &str, statement: &str, statements_take: f64) -> bool {
        let wanted = OVERHEAD + statements_take;
        let left = self.purse.left();
        if wanted <= left {
            return true;
        }
        let allowed = seconds(self.purse.allowed);
        self.leave_out(
            Some(statement).filter(|id| !id.is_empty()),
            format!(
                "{what} was not rehearsed: it would take about {} more, and of the {allowed} that drills may take {} \
                 are left",
                seconds(wanted),
                seconds(left.max(0.0))
            ),
        );
        false
    }

    fn leave_out(&mut self, statement: Option<&str>, why: String) {
        let statement = statement.map(str::to_owned);
        self.drilled.unchecked.push(Unchecked { rule: "drills".into(), statement, why });
    }

    /// A drill that failed is named and the next one begins from a rewound copy; a person who asks to stop ends it all.
    fn survives(&mut self, what: &str, statement: &str, outcome: Result<Option<Drill>>) -> Result<()> {
        match outcome {
            Ok(drill) => self.drilled.drills.extend(drill),
            Err(error) if error.chain().any(|cause| cause.is::<Interrupted>()) => return Err(error),
            Err(error) => self.leave_out(
                Some(statement).filter(|id| !id.is_empty()),
                format!("{what} could not be rehearsed: {error:#}"),
            ),
        }
        Ok(())
    }
}

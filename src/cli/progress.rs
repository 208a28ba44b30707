//! Progress on the standard error: bars on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::args::Voice;
use super::interrupt::Flag;
use crate::progress::{Progress, Unit};
use crate::quantity::{bytes, grouped, seconds};

/// Before this much time and this share of the work no estimate is given: it would be a guess.
const ESTIMATE_AFTER: (Duration, f64) = (Duration::from_secs(2), 0.02);

/// How often a log that is no terminal gets a line.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Tells a person where a long stage is.
pub struct Teller {
    flag: Flag,
    face: Face,
    verbose: bool,
    stage: Mutex<Option<Stage>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    Quiet,
    Lines,
    Bars,
}

struct Stage {
    what: String,
    unit: Unit,
    total: Option<u64>,
    began: Instant,
    told: Instant,
    bar: Option<ProgressBar>,
}

impl Teller {
    /// One that says as much as was asked, and bars only where they can be drawn.
    pub fn new(voice: Voice, flag: Flag) -> Self {
        let face = match (voice.quiet, io::stderr().is_terminal()) {
            (true, _) => Face::Quiet,
            (false, true) => Face::Bars,
            (false, false) => Face::Lines,
        };
        Self { flag, face, verbose: voice.verbose, stage: Mutex::default() }
    }

    /// Takes the last bar away, so that a result does not stand beside it.
    pub fn finish(&self) {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.ended(stage);
    }

    /// A stage that took long leaves a line of what it was and how long it took; to the verbose, each does.
    fn ended(&self, stage: Option<Stage>) {
        let Some(stage) = stage else { return };
        if let Some(bar) = &stage.bar {
            bar.finish_and_clear();
        }
        let took = stage.began.elapsed();
        if self.face != Face::Quiet && (self.verbose || took >= Duration::from_secs(5)) {
            say(&format!("{}: {}", stage.what, seconds(took.as_secs_f64())));
        }
    }

    fn bar(&self, what: &str, unit: Unit, total: Option<u64>) -> Option<ProgressBar> {
        if self.face != Face::Bars {
            return None;
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let template = match (unit, total) {
            (Unit::Waiting, _) | (_, None) => "{spinner} {wide_msg} {elapsed}",
            (Unit::Bytes, Some(_)) => "{spinner} {msg} [{wide_bar}] {bytes}/{total_bytes} {remaining}",
            (_, Some(_)) => "{spinner} {msg} [{wide_bar}] {human_pos}/{human_len} {remaining}",
        };
        let remaining = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A bar that cannot be written to has nobody to tell.
            let _ = write!(out, "{}", estimate(state.elapsed(), state.pos(), state.len()));
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("remaining", remaining).progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    }
}

impl Progress for Teller {
    fn stage(&self, what: &str, unit: Unit, total: Option<u64>) {
        let now = Instant::now();
        let bar = self.bar(what, unit, total.filter(|total| *total > 0));
        let fresh = Stage { what: what.to_owned(), unit, total, began: now, told: now, bar };
        let before = self.stage.lock().unwrap_or_else(PoisonError::into_inner).replace(fresh);
        self.ended(before);
    }

    fn at(&self, done: u64) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stage) = stage.as_mut() else { return };
        if let Some(bar) = &stage.bar {
            bar.set_position(done);
        } else if self.face == Face::Lines && stage.told.elapsed() >= LINE_EVERY {
            stage.told = Instant::now();
            let amount = |count| if stage.unit == Unit::Bytes { bytes(count) } else { grouped(count) };
            let of = stage.total.map_or(String::new(), |total| format!(" of {}", amount(total)));
            let left = estimate(stage.began.elapsed(), done, stage.total);
            say(format!("{}: {}{of} {left}", stage.what, amount(done)).trim_end());
        }
    }

    fn note(&self, line: &str) {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.face, stage.as_ref().and_then(|stage| stage.bar.as_ref())) {
            (Face::Quiet, _) => {}
            (_, Some(bar)) => bar.suspend(|| say(line)),
            (_, None) => say(line),
        }
    }

    fn interrupted(&self) -> bool {
        self.flag.is_set()
    }
}

/// `about 40 s left`, or nothing while it cannot be told: early on, and without a total.
fn estimate(elapsed: Duration, done: u64, total: Option<u64>) -> String {
    let Some(total) = total.filter(|total| *total > done) else { return String::new() };
    let share = done as f64 / total as f64;
    if elapsed < ESTIMATE_AFTER.0 || share < ESTIMATE_AFTER.1 {
        return String::new();
    }
    let left = (elapsed.as_secs_f64() * (1.0 - share) / share).ceil() as u64;
    if left < 120 { format!("about {left} s left") } else { format!("about {} min left", left.div_ceil(60)) }
}

/// A line on the standard error; nobody is left to hear of a closed one.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_estimate_is_given_before_there_is_something_to_judge_by() {
        assert_eq!(estimate(Duration::from_secs(1), 50, Some(100)), "");
        assert_eq!(estimate(Duration::from_secs(10), 1, Some(100)), "");
        assert_eq!(estimate(Duration::from_secs(10), 50, None), "");
        assert_eq!(estimate(Duration::from_secs(10), 20, Some(100)), "about 40 s left");
        assert_eq!(estimate(Duration::from_secs(100), 20, Some(100)), "about 7 min left");
    }
}

//! A copy of production that is small enough to be rewound again and again: for what does not depend on size.

use anyhow::{Context, Result, bail};

use super::Hand;
use crate::pipeline::settings::Settings;
use crate::pipeline::stage::{self, Stage};
use crate::replay::record::Rehearsal;

/// Rows of the largest table of a small copy.
const ROWS: u64 = 2_000;
/// A sandbox whose largest table has no more rows than this is small enough as it is.
const SMALL: f64 = 20_000.0;

/// Runs `drill` on a small copy: the sandbox itself where that is small, else another one, filled with fewer rows. The
/// drill gets a hand whose stage is the small one; what ran and what came of it goes into the first hand.
///
/// # Errors
/// When no small copy can be made; and the drill's own.
pub fn on_a_small_copy(
    hand: &mut Hand<'_>,
    settings: &Settings,
    drill: impl FnOnce(&mut Hand<'_>) -> Result<()>,
) -> Result<()> {
    let most = hand.stage.survey.tables.values().map(|table| table.rows).max().unwrap_or(0);
    if most as f64 * hand.stage.scale <= SMALL {
        return drill(hand);
    }
    if hand.stage.is_dump {
        bail!("the rows come from a dump, of which no small copy can be made");
    }
    let mut settings = settings.clone();
    settings.production.scale = (ROWS as f64 / most as f64).min(1.0);
    hand.progress.note("making a small copy for the drills that do not depend on size");
    let mut small = stage::set(&settings, hand.progress).context("cannot make a small copy")?;
    let mut inner = Hand { stage: &mut small, drilled: &mut *hand.drilled, purse: hand.purse, progress: hand.progress };
    let outcome = drill(&mut inner);
    hand.stage.ran.append(&mut small.ran);
    outcome
}

/// The first failure of a run, as a sentence; none when it got to its end.
pub fn failure(stage: &Stage, rehearsal: &Rehearsal) -> Option<String> {
    if rehearsal.completed || stage.keep_going {
        return None;
    }
    let seen = rehearsal.observations.iter().find(|seen| seen.outcome.fault().is_some())?;
    Some(format!("{}: {}", seen.statement.label(), seen.outcome.fault()?))
}

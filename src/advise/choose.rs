//! Which of the trials the plan should take.

use super::record::{Budget, Trial};
use crate::replay::record::Observation;

/// The trial to take, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its place among the trials.
    pub index: usize,
    /// One sentence for people.
    pub why: String,
}

/// Picks the trial that should stand in for a statement; none when the statement had better stay as it is.
pub fn choose(trials: &[Trial], original: &Observation, budget: &Budget) -> Option<Choice> {
    let _ = (trials, original, budget);
    None
}

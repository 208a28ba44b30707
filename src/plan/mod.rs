//! Order and protection: which alternative to take, what to back up, how to guard, verify and undo each step. Pure.
//!
//! In: what a rehearsal showed. Out: a [`record::Plan`] and its scripts for the stock client. It runs nothing; the
//! pipeline runs the scripts in the sandbox and notes what came of each.

mod backup;
pub mod batches;
pub mod choice;
mod cleanup;
mod copies;
pub mod demand;
pub mod draft;
pub mod drift;
mod dump;
pub mod evidence;
pub mod guard;
pub mod identity;
mod impact;
pub mod input;
pub mod loss;
pub mod meaning;
mod merge;
mod page;
mod preflight;
pub mod privileges;
mod protection;
pub mod record;
pub mod redraft;
pub mod render;
pub mod restored;
mod script;
mod shape;
pub mod step;
mod trouble;
mod undo;
mod unit;
pub mod work;

pub use draft::draft;
pub use input::{Input, Said};
pub use record::{Plan, PlanScript, ScriptPhase};
pub use render::files;

/// The scripts in the order in which a rehearsal of the plan runs them: each backup before its step, each verification
/// after it; then the undos, last step first; then the merges, and the clean-up.
pub fn scripts(plan: &Plan) -> Vec<PlanScript> {
    plan.scripts.clone()
}

#[cfg(test)]
mod tests;

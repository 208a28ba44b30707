//! Order and protection: which alternative to take, what to back up, how to guard, verify and undo each step. Pure.
//!
//! In: what a rehearsal showed. Out: a [`record::Plan`] and its scripts for the stock client. It runs nothing; the
//! pipeline runs the scripts in the sandbox and notes what came of each.

mod backup;
mod batches;
mod copies;
pub mod draft;
mod guard;
mod impact;
pub mod loss;
mod preflight;
pub mod record;
pub mod render;
mod script;
mod shape;
pub mod step;
mod trouble;
mod undo;
mod unit;

pub use draft::{Input, Said, draft};
pub use record::{Plan, PlanScript, ScriptPhase};
pub use render::files;

/// The scripts in the order in which a rehearsal of the plan runs them: each backup before its step, each verification
/// after it; then the undos, last step first; then the clean-up.
pub fn scripts(plan: &Plan) -> Vec<PlanScript> {
    plan.scripts.clone()
}

#[cfg(test)]
mod tests;

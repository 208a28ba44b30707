//! The course of an experiment: prepare, watch the steady state, run, settle, fold.

use anyhow::Result;

use super::experiment::Experiment;
use super::record::Rehearsal;
use crate::progress::Progress;
use crate::sandbox::Instance;
use crate::survey::record::Survey;

/// Runs an experiment on a server that holds what it starts from.
///
/// # Errors
/// A [`Broken`](super::experiment::Broken) once statements ran: the server died, the connection was lost, or the person
/// asked to stop; it carries what was measured. Before that, what kept it from beginning.
pub fn run(
    experiment: &Experiment<'_>,
    instance: &Instance,
    survey: &Survey,
    progress: &dyn Progress,
) -> Result<Rehearsal> {
    let _ = (experiment, instance, survey, progress);
    anyhow::bail!("experiments are not run yet")
}

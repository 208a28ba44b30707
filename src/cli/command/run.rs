//! `rehearse run`: the main job, end to end.

use anyhow::Result;

use super::report::show;
use crate::cli::args::{Format, Run};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::progress::Teller;
use crate::cli::settings::resolve;
use crate::pipeline::{self, settings::FailOn};
use crate::report::record::Verdict;

/// Rehearses, prints the report, and exits by the budget.
///
/// # Errors
/// When the rehearsal could not be made or completed.
pub fn run(typed: &Run, teller: &Teller) -> Result<Exit> {
    let resolved = resolve(typed)?;
    if typed.show_config {
        output::print(&resolved.shown)?;
        return Ok(Exit::Fine);
    }
    let outcome = pipeline::run(&resolved.settings, teller)?;
    teller.finish();
    show(&outcome.report, typed.format)?;
    if typed.format == Format::Text {
        let directory = outcome.directory.display();
        output::print(&format!("\nReport: {directory}/summary.md   Plan: {directory}/plan.md"))?;
    }
    if let Some(failure) = outcome.failure {
        return Err(failure.context(format!("the rehearsal of {} was not completed", resolved.settings.name)));
    }
    let fail_on = resolved.settings.fail_on;
    let broken = outcome.report.verdict == Verdict::Fail && fail_on != FailOn::Never;
    let fails = broken || outcome.report.findings.iter().any(|finding| fail_on.fails(finding.severity));
    Ok(if fails { Exit::Findings } else { Exit::Fine })
}

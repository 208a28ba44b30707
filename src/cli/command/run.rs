//! `rehearse run`: the main job, end to end.

use anyhow::Result;

use super::report::Rehearsed;
use crate::cli::args::{Format, Run};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::progress::Teller;
use crate::cli::settings::resolve;
use crate::cli::show::{can_show, show};
use crate::pipeline::{self, settings::FailOn};
use crate::progress::Progress as _;
use crate::report::record::Verdict;

/// Rehearses, prints the report, and exits by the budget.
///
/// # Errors
/// When the rehearsal could not be made or completed.
pub fn run(typed: &Run, teller: &Teller) -> Result<Exit> {
    let printed = can_show(&typed.verdict.show)?;
    let resolved = resolve(typed)?;
    if typed.verdict.show_config {
        output::print(&resolved.shown)?;
        return Ok(Exit::Fine);
    }
    let outcome = pipeline::run(&resolved.settings, teller)?;
    teller.finish();
    let fail_from = resolved.settings.fail_on.from_severity();
    let rehearsed = Rehearsed {
        report: &outcome.report,
        directory: &outcome.directory,
        fail_from,
        complete: outcome.failure.is_none(),
    };
    show(&rehearsed, &typed.verdict.show, true)?;
    if printed == Format::Text {
        let directory = outcome.directory.display();
        output::print(&format!("\nReport: {directory}/report.html   Plan: {directory}/plan.md"))?;
    }
    if let Some(failure) = outcome.failure {
        return Err(failure.context(format!("the rehearsal of {} was not completed", resolved.settings.name)));
    }
    let fail_on = resolved.settings.fail_on;
    let broken = outcome.report.verdict == Verdict::Fail && fail_on != FailOn::Never;
    if let Some(code) = outcome.code.filter(|code| *code != 0) {
        teller.note(&format!("the upgrade command itself failed: exit code {code}"));
    }
    let fails = broken
        || outcome.code.is_some_and(|code| code != 0)
        || outcome.report.findings.iter().any(|finding| fail_on.fails(finding.severity));
    Ok(if fails { Exit::Findings } else { Exit::Fine })
}

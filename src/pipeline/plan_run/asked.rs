//! A step's own questions, asked where nobody else writes: there each has the answer that the plan promises.

use anyhow::{Context, Result};

use crate::pipeline::stage::Stage;
use crate::plan::PlanScript;
use crate::plan::record::Plan;
use crate::server::role::Role;
use crate::survey::answer::Cells;

/// Asks the questions of a script's step. One that is answered otherwise than the plan promises would stop the plan in
/// production, where it has led here to what the upgrade leads to: it keeps its answer as a thing to look at, and promises none.
///
/// # Errors
/// When the sandbox fails.
pub fn answers(stage: &Stage, plan: &mut Plan, script: &PlanScript) -> Result<()> {
    let step = plan.steps.iter_mut().find(|step| script.step.as_ref() == Some(&step.body.id));
    let Some(body) = step.map(|step| &mut step.body) else { return Ok(()) };
    let mut session = stage.sandbox.instance().writer(Role::Pool).context("cannot ask what a step left")?;
    let uses = |text: &&String| text.trim_start().to_ascii_uppercase().starts_with("USE ");
    for text in body.session.iter().filter(uses) {
        session.execute(text).with_context(|| format!("cannot begin the verification of {}", body.id))?;
    }
    for verify in &mut body.verify {
        let Some(wanted) = &verify.equals else { continue };
        let seen = match session.first::<Cells>(&verify.query) {
            Ok(row) => row.and_then(|row| row.maybe(0)).unwrap_or_else(|| "nothing".to_owned()),
            Err(fault) if fault.is_connection_lost() => return Err(fault).context("cannot ask what a step left"),
            Err(fault) => fault.to_string(),
        };
        if seen != *wanted {
            plan.trouble.push(format!(
                "A verification of {} was answered otherwise than it promises ({seen}, not {wanted}), and is only to be looked at: {}",
                body.id, verify.query
            ));
            verify.expect = format!("{seen}, as in the sandbox");
            verify.equals = None;
        }
    }
    Ok(())
}

//! `rehearse plan`: a rehearsal's plan drafted again after a person edited it.

use anyhow::Result;

use crate::cli::args::Plan;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::pipeline::redraft;

/// Drafts again, and says what was kept.
///
/// # Errors
/// When an edit cannot be taken over: then nothing was written.
pub fn run(typed: &Plan) -> Result<Exit> {
    let directory = typed.directory.display();
    let drafted = redraft::again(&typed.directory)?;
    if drafted.kept.is_empty() {
        output::print(&format!("Nothing was edited in {directory}/plan.yaml: the plan stays as it is."))?;
        return Ok(Exit::Fine);
    }
    let mut text = format!("The plan of {directory} was drafted again.\n\nKept\n");
    let list = |text: &mut String, lines: &[String]| {
        for line in lines {
            text.push_str(&format!("  {line}\n"));
        }
    };
    list(&mut text, &drafted.kept);
    if !drafted.blockers.is_empty() {
        text.push_str("\nNot to be carried out as it is\n");
        list(&mut text, &drafted.blockers);
    }
    text.push('\n');
    list(&mut text, &drafted.notes);
    output::print(text.trim_end())?;
    Ok(Exit::Fine)
}

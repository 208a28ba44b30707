//! A plan as files: `plan.md` for people, `plan.yaml` for programs, `plan/*.sql` for the stock client.

use super::page::page;
use super::record::{Plan, PlanScript};
use crate::quantity;

/// The files, each with its path from the directory of the plan.
///
/// # Errors
/// When the plan cannot be written as YAML.
pub fn files(plan: &Plan) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = vec![("plan.md".to_owned(), page(plan)), ("plan.yaml".to_owned(), crate::artifact::to_yaml(plan)?)];
    files.extend(plan.scripts.iter().map(|script| (script.path.clone(), sql(plan, script))));
    Ok(files)
}

/// A script with its header.
pub fn sql(plan: &Plan, script: &PlanScript) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        for (index, part) in wrapped(text, 100).into_iter().enumerate() {
            out.push_str(if index == 0 { "-- " } else { "--   " });
            out.push_str(&part);
            out.push('\n');
        }
    };
    line(&format!("{} ({})", script.path, plan.name));
    line(&format!("What: {}.", script.title));
    line(&format!("When: {}.", script.when));
    line(&format!("Rehearsed: {}.", ran(script)));
    line(&format!(
        "For: {} {}; upgrade {}.",
        plan.identity.flavor, plan.identity.version, plan.identity.upgrade_digest
    ));
    out.push('\n');
    out.push_str(&script.sql);
    out
}

/// How a script was rehearsed, in words that cannot be overlooked when it was not.
pub(super) fn ran(script: &PlanScript) -> String {
    match &script.rehearsed {
        Some(ran) if ran.ok => {
            format!("ran in the sandbox in {} ({})", quantity::seconds(ran.seconds), quantity::moment(&ran.at))
        }
        Some(ran) => format!("IT FAILED in the sandbox ({}): {}", quantity::moment(&ran.at), ran.outcome),
        None => "NOT RUN in the sandbox".to_owned(),
    }
}

/// Lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

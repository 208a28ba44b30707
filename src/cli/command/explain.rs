//! `rehearse explain`: a rule in its own words.

use std::fmt::Write as _;

use anyhow::{Result, anyhow, bail};

use crate::advise::catalogue::{RULES, find};
use crate::advise::rule::Rule;
use crate::cli::args::Explain;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::problem::{BadInput, nearest};

/// Prints one rule, or a line about each.
///
/// # Errors
/// A [`BadInput`] with the nearest rule when there is none of that name.
pub fn run(typed: &Explain) -> Result<Exit> {
    let Some(id) = &typed.rule else {
        let width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
        let lines: Vec<String> = RULES.iter().map(|rule| format!("{:width$}  {}", rule.id, rule.what)).collect();
        output::print(&lines.join("\n"))?;
        return Ok(Exit::Fine);
    };
    match find(id) {
        Some(rule) => output::print(&page(rule)?)?,
        None => {
            let hint = match nearest(id, RULES.iter().map(|rule| rule.id)) {
                Some(near) => format!("hint: Did you mean {near}?"),
                None => "hint: `rehearse explain` lists all rules.".to_owned(),
            };
            bail!(anyhow!(hint).context(BadInput::new(format!("there is no rule '{id}'"))));
        }
    }
    Ok(Exit::Fine)
}

fn page(rule: &Rule) -> Result<String> {
    let mut page = String::new();
    write!(page, "{}\n\n{}\n\nWhy: {}\n\nInstead: {}\n", rule.id, rule.what, rule.why, rule.instead)?;
    write!(page, "\nRisky:\n{}\nSafer:\n{}", indented(rule.risky), indented(rule.safer))?;
    Ok(page)
}

fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") })
        .collect()
}

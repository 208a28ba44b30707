//! `rehearse explain`: a rule in its own words.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use crate::advise::explain::{Explanation, explain, ids};
use crate::artifact;
use crate::cli::args::{Explain, ManualFormat};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::problem::{BadInput, nearest};

/// The page that is about no rule.
const MEASURING: (&str, &str) = ("measuring", include_str!("../../advise/measuring.md"));

/// Prints one page of the manual, all of it, or a line about each.
///
/// # Errors
/// A [`BadInput`] with the nearest rule when there is none of that name.
pub fn run(typed: &Explain) -> Result<Exit> {
    let page = |page: &Explanation| match typed.format {
        ManualFormat::Text => text(page),
        ManualFormat::Markdown => markdown(page),
    };
    match &typed.rule {
        Some(id) if id == MEASURING.0 => output::print(MEASURING.1)?,
        Some(id) => match explain(id) {
            Some(found) => output::print(&page(&found)?)?,
            None => {
                let hint = match nearest(id, ids().chain([MEASURING.0])) {
                    Some(near) => format!("hint: Did you mean {near}?"),
                    None => "hint: `rehearse explain` lists all rules.".to_owned(),
                };
                bail!(anyhow!(hint).context(BadInput::new(format!("there is no rule '{id}'"))));
            }
        },
        None if typed.all && typed.out.is_some() => {
            if let Some(directory) = &typed.out {
                write(directory)?;
            }
        }
        None if typed.all => {
            let pages = ids().filter_map(explain).map(|found| page(&found)).collect::<Result<Vec<_>>>()?;
            output::print(&pages.join("\n"))?;
        }
        None => {
            let width = ids().map(str::len).max().unwrap_or(0);
            let line = |page: Explanation| format!("{:width$}  {}", page.id, page.what);
            output::print(&ids().filter_map(explain).map(line).collect::<Vec<_>>().join("\n"))?;
        }
    }
    Ok(Exit::Fine)
}

/// Writes a page for each rule, and an index.
fn write(directory: &Path) -> Result<()> {
    let put = |name: &str, text: &str| {
        artifact::write_whole(&directory.join(name), |out| Ok(out.write_all(text.as_bytes())?))
            .with_context(|| format!("cannot write the manual into {}", directory.display()))
    };
    put(&format!("{}.md", MEASURING.0), MEASURING.1)?;
    let mut index = format!(
        "# Rules of rehearse\n\n[How lock impact is measured]({}.md).\n\n| rule | what it finds |\n| --- | --- |\n",
        MEASURING.0
    );
    for page in ids().filter_map(explain) {
        put(&format!("{}.md", page.id), &markdown(&page)?.replacen("## ", "# ", 1))?;
        writeln!(index, "| [{0}]({0}.md) | {1} |", page.id, page.what.replace('|', "\\|"))?;
    }
    put("README.md", &index)
}

fn text(page: &Explanation) -> Result<String> {
    let Explanation { id, what, why, instead, needs, .. } = page;
    let mut out = format!("{id}\n\n{what}\n\nWhy: {why}\n\nInstead: {instead}\n\nNeeds: {needs}\n");
    if let (Some(risky), Some(safer)) = (page.risky, page.safer) {
        write!(out, "\nRisky:\n{}\nSafer:\n{}", indented(risky), indented(safer))?;
    }
    Ok(out)
}

fn markdown(page: &Explanation) -> Result<String> {
    let Explanation { id, what, why, instead, needs, .. } = page;
    let mut out = format!(
        "## {id}\n\n{}.\n\n**Why.** {why}\n\n**Instead.** {instead}\n\n**Needs** {needs}.\n",
        capitalised(what)
    );
    if let (Some(risky), Some(safer)) = (page.risky, page.safer) {
        write!(out, "\nRisky:\n\n```sql\n{}```\n\nSafer:\n\n```sql\n{}```\n", cut(risky, ""), cut(safer, ""))?;
    }
    Ok(out)
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Lines of a script that are shown; of a longer one, the first and how many more there are.
const LINES: usize = 12;

fn indented(text: &str) -> String {
    cut(text, "    ")
}

/// The lines of a script, each behind an indent.
fn cut(text: &str, indent: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{indent}{line}\n") };
    let all: Vec<&str> = text.trim_end().lines().collect();
    if all.len() <= LINES {
        return all.into_iter().map(line).collect();
    }
    let shown: String = all.iter().take(3).copied().map(line).collect();
    format!("{shown}{indent}-- … and {} more like these\n", all.len() - 3)
}

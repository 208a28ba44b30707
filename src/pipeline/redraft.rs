//! A rehearsal's plan drafted again from its directory, after a person edited `plan.yaml`. No server is asked.

mod line;
mod swap;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::output::EVIDENCE;
use super::{bad_input, page, said};
use crate::artifact;
use crate::plan::choice::AS_WRITTEN;
use crate::plan::evidence::{Evidence, Read, Written};
use crate::plan::redraft::differences::Refusal;
use crate::plan::redraft::{Redraft, last_written, redraft};
use crate::plan::{self, Plan};
use crate::problem::BadInput;
use crate::report;
use crate::report::record::Report;
use crate::sql::script::{Options, Script};
use crate::survey;

/// What drafting again came to.
#[derive(Debug)]
pub struct Drafted {
    /// What was edited and is kept, each with its path; empty: nothing was, and nothing was written.
    pub kept: Vec<String>,
    /// Why the plan must not be carried out as it is now.
    pub blockers: Vec<String>,
    /// What else the person should know.
    pub notes: Vec<String>,
}

/// Drafts the plan of a rehearsal's directory again.
///
/// # Errors
/// A [`BadInput`] when the directory holds no plan that can be drafted again, or when an edit cannot be taken over: then
/// nothing was written.
pub fn again(directory: &Path) -> Result<Drafted> {
    swap::recover(directory)?;
    has_not_begun(directory)?;
    let evidence = evidence(directory)
        .with_context(|| BadInput::new(format!("the plan of {} cannot be drafted again", directory.display())))?;
    let written = last_written(&evidence)?;
    let path = directory.join("plan.yaml");
    let text = fs::read_to_string(&path).with_context(|| BadInput::new(format!("cannot read {}", path.display())))?;
    let edited: Value =
        artifact::parse_yaml(&text).with_context(|| BadInput::new(format!("cannot use {}", path.display())))?;
    let files: BTreeMap<String, String> = plan::files(&written)?.into_iter().collect();
    let mut refused = edited_scripts(directory, &files)?;
    let drafted = match redraft(&evidence, &written, &edited) {
        Ok(drafted) if refused.is_empty() => drafted,
        outcome => {
            refused.extend(outcome.err().unwrap_or_default().iter().map(|refusal| located(refusal, &text)));
            return Err(refuse(&path, &refused));
        }
    };
    if drafted.plan == written {
        return Ok(Drafted { kept: Vec::new(), blockers: drafted.plan.blockers, notes: Vec::new() });
    }
    write(directory, &evidence, drafted, &text, &files)
}

/// A plan that is being carried out is not changed under way.
fn has_not_begun(directory: &Path) -> Result<()> {
    let journal = directory.join("apply");
    if fs::read_dir(&journal).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            anyhow!("hint: Copy the directory without {} to draft another plan from it.", journal.display()).context(
                BadInput::new(format!("{} says that this plan was begun: it is not drafted again", journal.display()))
            )
        );
    }
    Ok(())
}

/// Reads what was measured, and the texts that belong to it.
fn evidence(directory: &Path) -> Result<Evidence> {
    let path = directory.join(EVIDENCE);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display())).context(
        "hint: Name the directory that `rehearse run --out DIR` wrote, of a run that came as far as its plan.",
    )?;
    let read: Read = serde_json::from_str(&text).with_context(|| format!("{} is no evidence", path.display()))?;
    drop(text);
    let again = "hint: Rehearse again with this version, then edit the new plan.";
    if read.tool_version() != env!("CARGO_PKG_VERSION") {
        bail!(anyhow!(again).context(format!("it was made by rehearse {}", read.tool_version())));
    }
    let survey = survey::file::load(&directory.join("survey.yaml"))?;
    let upgrade = directory.join("upgrade.sql");
    let options = Options { variables: BTreeMap::new(), database: read.database().to_owned(), flavor: read.flavor() };
    let script = Script::from_files(std::slice::from_ref(&upgrade), options)?;
    if script.digest()? != read.upgrade_digest() {
        bail!(
            anyhow!("hint: Rehearse it: rehearse run {} with the options of the run before.", upgrade.display())
                .context(format!("{} was changed since, and what was changed was not rehearsed", upgrade.display()))
        );
    }
    let spoken = said::of(&script, read.database(), &read.wanted())?;
    read.complete(survey, &spoken.wanted, spoken.statements).map_err(|why| anyhow!(why))
}

/// Scripts that somebody edited in their own files.
fn edited_scripts(directory: &Path, files: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let mut refused = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".sql")) {
        let path = directory.join(name);
        if path.exists() {
            let now = fs::read(&path).with_context(|| format!("cannot read {}", path.display())).map_err(bad_input)?;
            if now != text.as_bytes() {
                refused.push(format!(
                    "{name}: it was changed by hand, and what was changed was not rehearsed: change the upgrade and run it again"
                ));
            }
        }
    }
    Ok(refused)
}

fn located(refusal: &Refusal, text: &str) -> String {
    match line::of(text, &refusal.path) {
        Some(line) => format!("line {line}, {refusal}"),
        None => refusal.to_string(),
    }
}

fn refuse(path: &Path, refused: &[String]) -> anyhow::Error {
    let count = crate::quantity::counted(refused.len() as u64, "edit");
    let mut text = format!("{}: {count} cannot be taken over, and nothing was written:", path.display());
    for line in refused {
        text.push_str("\n  ");
        text.push_str(line);
    }
    anyhow!("hint: Take these back, or rehearse again with what they ask for.").context(BadInput::new(text))
}

/// Writes the plan's files and what else speaks of it, all or none.
fn write(
    directory: &Path,
    evidence: &Evidence,
    drafted: Redraft,
    edited: &str,
    files: &BTreeMap<String, String>,
) -> Result<Drafted> {
    let Redraft { plan, edits, kept } = drafted;
    let mut notes = vec![format!("what you edited is kept as {}", directory.join("plan.yaml.before").display())];
    let mut swap = swap::Swap::begin(directory)?;
    let fresh = plan::files(&plan)?;
    let obsolete = files.keys().filter(|name| !fresh.iter().any(|(path, _)| path == *name));
    obsolete.for_each(|name| swap.remove(name));
    for (name, text) in &fresh {
        swap.text(name, text)?;
    }
    swap.text("plan.yaml.before", edited)?;
    let page = directory.join("plan.md");
    if let Ok(now) = fs::read_to_string(&page)
        && files.get("plan.md") != Some(&now)
    {
        swap.text("plan.md.before", &now)?;
        notes.push(format!(
            "{} had been edited, and is drawn anew from plan.yaml: yours is plan.md.before",
            page.display()
        ));
    }
    swap.json(EVIDENCE, &Written::again(evidence, &edits))?;
    let report = directory.join("report.json");
    if report.exists() {
        let text = fs::read_to_string(&report).with_context(|| format!("cannot read {}", report.display()))?;
        let mut report: Report = serde_json::from_str(&text).context("report.json is no report").map_err(bad_input)?;
        follow(&mut report, &plan)?;
        swap.text("summary.md", &report::markdown::render(&report))?;
        swap.text(page::PAGE, &page::render(&report, directory, Some(&plan))?)?;
        swap.json("report.json", &report)?;
    }
    swap.finish()?;
    Ok(Drafted { kept, blockers: plan.blockers, notes })
}

/// The report names the plan as it is now, and what it takes.
fn follow(report: &mut Report, plan: &Plan) -> Result<()> {
    if let Some(reference) = &mut report.plan {
        reference.digest = artifact::sha256(&artifact::to_yaml(plan)?);
    }
    for statement in &mut report.statements {
        let label = statement.name.as_ref().unwrap_or(&statement.id);
        let Some(way) = plan.choices.get(label) else { continue };
        for alternative in &mut statement.alternatives {
            alternative.chosen = way != AS_WRITTEN && alternative.id == *way;
        }
    }
    Ok(())
}

//! The plan on paper: what lies in its directory is what was rehearsed, and it went well there.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;

use super::ground::Ground;
use super::verdict::{Found, Severity};
use crate::artifact;
use crate::plan::record::ScriptPhase;
use crate::plan::render;
use crate::quantity;
use crate::sql::script::{Options, Script};
use crate::survey::definition;
use crate::survey::record::Survey;

const AGAIN: &str = "rehearse again with what is to be carried out: rehearse run";

pub(super) fn look(ground: &Ground<'_>, found: &mut Found) -> Result<()> {
    upgrade(ground, found);
    scripts(ground, found);
    survey(ground, found);
    outcome(ground, found);
    Ok(())
}

/// `upgrade.sql` still holds the statements that were rehearsed.
fn upgrade(ground: &Ground<'_>, found: &mut Found) {
    let identity = &ground.plan.identity;
    let path = ground.directory.join("upgrade.sql");
    let options = Options { variables: BTreeMap::new(), database: identity.database.clone(), flavor: identity.flavor };
    let read = Script::from_files(&[path], options).and_then(|script| Ok((script.digest()?, script.count()?)));
    let (seen, wanted) = match read {
        Ok((digest, _)) if digest == identity.upgrade_digest => {
            found.fine("upgrade.sql is the upgrade that was rehearsed");
            return;
        }
        Ok((digest, count)) => (
            format!("digest {digest}, {}", quantity::counted(count, "statement")),
            format!(
                "digest {}, {}",
                identity.upgrade_digest,
                quantity::counted(identity.upgrade_statements, "statement")
            ),
        ),
        Err(error) => (format!("{error:#}"), format!("digest {}", identity.upgrade_digest)),
    };
    found.add(Severity::Refuse, "scripts", "upgrade.sql", seen, wanted, AGAIN);
}

/// Each `plan/*.sql` is what `plan.yaml` holds: an edited script was not rehearsed.
fn scripts(ground: &Ground<'_>, found: &mut Found) {
    let before = found.reasons.len();
    for script in &ground.plan.scripts {
        let wanted = render::sql(ground.plan, script);
        match fs::read_to_string(ground.directory.join(&script.path)) {
            Ok(text) if statements(&text) == statements(&wanted) => {}
            Ok(text) => {
                found.add(
                    Severity::Refuse,
                    "scripts",
                    script.path.as_str(),
                    "its text is another than that which ran in the sandbox",
                    "as plan.yaml has it",
                    "put the script back, or edit the upgrade and rehearse again: an edited script was never run",
                );
                if let Some(reason) = found.reasons.last_mut() {
                    reason.diff = Some(definition::diff(&wanted, &text));
                }
            }
            Err(error) => found.add(
                Severity::Refuse,
                "scripts",
                script.path.as_str(),
                format!("it cannot be read: {error}"),
                "as plan.yaml has it",
                "keep the directory of the rehearsal whole, or rehearse again",
            ),
        }
    }
    if found.reasons.len() == before {
        found.fine(format!(
            "{} are those that the plan holds",
            quantity::counted(ground.plan.scripts.len() as u64, "script")
        ));
    }
}

/// A script without its header, which says when it was run: it ends at the first empty line.
fn statements(text: &str) -> &str {
    let text = text.trim();
    if text.starts_with("--") { text.split_once("\n\n").map_or("", |(_, rest)| rest.trim()) } else { text }
}

/// The survey beside the plan is the one that it was made from.
fn survey(ground: &Ground<'_>, found: &mut Found) {
    let seen = schema_digest(ground.survey);
    if seen == ground.plan.identity.schema_digest {
        found.fine("survey.yaml has the definitions that were rehearsed");
    } else {
        found.add(
            Severity::Refuse,
            "scripts",
            "survey.yaml",
            format!("its definitions have the digest {seen}"),
            format!("digest {}", ground.plan.identity.schema_digest),
            "put survey.yaml back, or rehearse again: an edited survey says nothing about what was rehearsed",
        );
    }
}

/// Digest of a survey's definitions, as the plan's identity has it.
pub(super) fn schema_digest(survey: &Survey) -> String {
    let texts = survey.tables.iter().map(|(name, facts)| format!("{name}\n{}\n", definition::normalise(&facts.create)));
    artifact::sha256(&texts.collect::<String>())
}

/// How the plan fared in the sandbox.
fn outcome(ground: &Ground<'_>, found: &mut Found) {
    let plan = ground.plan;
    for blocker in &plan.blockers {
        let next = "see \"Do not carry this plan out\" in plan.md; mend it and rehearse again";
        found.add(Severity::Refuse, "plan", "plan.yaml", blocker.as_str(), "a plan that nothing speaks against", next);
    }
    // Whoever takes a line out of the list of blockers has not restored a backup.
    for reason in plan.unproven().iter().filter(|reason| !plan.blockers.contains(reason)) {
        let next = "rehearse to the end: a backup that was never restored is a hope";
        found.add(
            Severity::Refuse,
            "plan",
            "backups",
            reason.as_str(),
            "a backup that was restored and compared",
            next,
        );
    }
    let mut ran = 0_u64;
    for script in &plan.scripts {
        // What is only looked at, or years off, stops nobody from beginning.
        let must =
            matches!(script.phase, ScriptPhase::Backup | ScriptPhase::Step | ScriptPhase::Verify | ScriptPhase::Undo);
        let severity = if must { Severity::Refuse } else { Severity::Warn };
        match &script.rehearsed {
            Some(rehearsed) if rehearsed.ok => ran += 1,
            Some(rehearsed) => {
                let seen = format!("it failed in the sandbox: {}", rehearsed.outcome);
                found.add(
                    severity,
                    "plan",
                    script.path.as_str(),
                    seen,
                    "a script that ran",
                    "mend the upgrade and rehearse again",
                );
            }
            None => {
                let next = "rehearse to the end: rehearse run";
                found.add(
                    severity,
                    "plan",
                    script.path.as_str(),
                    "it was never run in the sandbox",
                    "a script that ran",
                    next,
                );
            }
        }
    }
    if ran == plan.scripts.len() as u64 && plan.blockers.is_empty() && plan.unproven().is_empty() {
        found.fine(format!("all {ran} scripts ran in the sandbox, and nothing speaks against the plan"));
    }
    if plan.identity.scale < 1.0 {
        found.add(
            Severity::Warn,
            "plan",
            "scale",
            format!("the sandbox held {} of production's rows", quantity_share(plan.identity.scale)),
            "all rows",
            "its times and locks are not production's; rehearse at --scale 1 before a large change",
        );
    }
}

fn quantity_share(scale: f64) -> String {
    format!("{:.3} %", scale * 100.0).replace(".000 %", " %")
}

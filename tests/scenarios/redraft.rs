//! `rehearse plan` on a rehearsal that ran: what a person edits in plan.yaml stays, or is refused and nothing is written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use super::desk::{Desk, entry};

/// A rehearsal of an upgrade whose first statement is done in batches and could be done as it was written.
pub fn by_hand(desk: &Desk) -> Result<(), Failed> {
    let home = desk.path().join("rehearsal");
    let before = files(&home)?;
    let said = desk.rehearse(&["plan", "rehearsal"])?;
    said.exits(0)?;
    assert!(said.out().contains("Nothing was edited"), "{}", said.out());
    assert_eq!(files(&home)?, before, "nothing edited is nothing written");

    refused(desk, "s1: batches", "s1: truncate", "choices.s1: truncate: it was not rehearsed")?;
    refused(desk, "outcome: done", "outcome: perfect", "only a rehearsal says what ran")?;
    refused(desk, "format: rehearse/plan@1", "format: rehearse/plan@1\nsing_off: []", "did you mean `sign_off`?")?;
    let step = before.keys().find(|name| name.ends_with("s1-2-step.sql")).ok_or("no script of the step")?;
    fs::write(home.join(step), "DELETE FROM t;\n")?;
    let said = desk.rehearse(&["plan", "rehearsal"])?;
    said.exits(2)?;
    assert!(said.err().contains("it was changed by hand"), "{}", said.err());
    fs::write(home.join(step), &before[step])?;

    let yaml = text(&before, "plan.yaml")?;
    fs::write(
        home.join("plan.yaml"),
        yaml.replace("s1: batches", "s1: as-written").replace("Written by", "Written by Ada"),
    )?;
    let said = desk.rehearse(&["plan", "rehearsal"])?;
    said.exits(0)?;
    for part in ["choices.s1: as-written instead of batches", "sign_off: as edited", "--choose s1=as-written"] {
        assert!(said.out().contains(part), "{part}\n{}", said.out());
    }
    let after = files(&home)?;
    let plan: Value = serde_yaml::from_str(&text(&after, "plan.yaml")?)?;
    assert_eq!(plan["choices"]["s1"], "as-written");
    assert_eq!(plan["sign_off"][0], "Written by Ada");
    for script in plan["scripts"].as_array().into_iter().flatten() {
        let path = script["path"].as_str().ok_or("a script without a path")?;
        assert!(
            text(&after, path)?.ends_with(script["sql"].as_str().unwrap_or("no SQL")),
            "{path} is not what plan.yaml holds"
        );
        if script["step"] == "step-002" {
            assert_eq!(script["rehearsed"]["ok"], true, "what stays as it was rehearsed counts as rehearsed: {path}");
        }
    }
    let step = entry(&plan["scripts"], "path", step)?;
    assert!(step["rehearsed"].is_null(), "{step:#}");
    let page = text(&after, "plan.md")?;
    assert!(page.contains("Do not carry") && page.contains("NOT RUN") && page.contains("Written by Ada"), "{page}");
    let report = desk.report()?;
    let chosen = entry(&report["statements"][0]["alternatives"], "id", "batches")?;
    assert_eq!(chosen["chosen"], false, "the report follows the plan");
    assert!(text(&after, "plan.yaml.before")?.contains("s1: as-written"));

    let yaml = text(&after, "plan.yaml")?;
    fs::write(home.join("plan.yaml"), yaml.replace("s1: as-written", "s1: batches"))?;
    desk.rehearse(&["plan", "rehearsal"])?.exits(0)?;
    let back: Value = serde_yaml::from_str(&fs::read_to_string(home.join("plan.yaml"))?)?;
    assert_eq!(
        back["blockers"].as_array().map(Vec::len),
        Some(0),
        "what was rehearsed counts again: {:#}",
        back["blockers"]
    );
    assert_eq!(back["sign_off"][0], "Written by Ada");
    Ok(())
}

/// Edits plan.yaml, drafts, and holds the program to refusing it without writing; then takes the edit back.
fn refused(desk: &Desk, from: &str, to: &str, why: &str) -> Result<(), Failed> {
    let home = desk.path().join("rehearsal");
    let path = home.join("plan.yaml");
    let text = fs::read_to_string(&path)?;
    assert!(text.contains(from), "{from} is not in plan.yaml");
    fs::write(&path, text.replacen(from, to, 1))?;
    let before = files(&home)?;
    let said = desk.rehearse(&["plan", "rehearsal"])?;
    said.exits(2)?;
    assert!(said.err().contains(why) && said.err().contains("nothing was written"), "{}", said.err());
    assert_eq!(files(&home)?, before);
    Ok(fs::write(&path, text)?)
}

fn text(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Result<String, Failed> {
    let bytes = files.get(name).ok_or_else(|| format!("there is no {name}"))?;
    Ok(String::from_utf8(bytes.clone())?)
}

/// All files of a rehearsal by their names.
fn files(home: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failed> {
    let mut files = BTreeMap::new();
    for directory in [home.to_owned(), home.join("plan")] {
        for entry in fs::read_dir(directory)?.flatten().filter(|entry| entry.path().is_file()) {
            let name = entry.path().strip_prefix(home)?.to_string_lossy().into_owned();
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

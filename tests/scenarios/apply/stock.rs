//! The plan's scripts, by hand: each with the vendor's own client, as the plan says it.

use std::fs;

use libtest_mimic::Failed;
use serde_json::Value;

use super::carried::same;
use super::scene::Scene;

/// All scripts in the plan's order, unedited: it leads where `apply` leads, the undos lead back, and the clean-up leaves nothing.
pub fn runs_every_script(scene: &mut Scene) -> Result<(), Failed> {
    scene.put_back()?;
    let before = scene.stand_in.print()?;
    for phase in ["preflight", "backup", "step", "verify"] {
        assert!(scripts(&scene.plan()?, &[phase]).next().is_some(), "no script of the phase {phase}");
    }
    let plan = scene.plan()?;
    for script in scripts(&plan, &["preflight", "backup", "step", "verify"]) {
        run(scene, script)?;
    }
    let after = scene.stand_in.print()?;
    if let Some(undisturbed) = &scene.undisturbed {
        same(&undisturbed.print, &after, "what the stock client left, from what `apply` left,")?;
    }
    for script in scripts(&plan, &["undo"]) {
        run(scene, script)?;
    }
    let back = scene.stand_in.print()?;
    let told = plan["trouble"].to_string() + &plan["blockers"].to_string();
    for (name, table) in &before.tables {
        let now = back.tables.get(name);
        let is_back = now.is_some_and(|now| {
            (now.rows, now.checksum, &now.definition) == (table.rows, table.checksum, &table.definition)
        });
        // What has no undo is said in the plan.
        if !is_back && !told.contains(&format!("{name} ")) && !told.contains(&format!("{name}:")) {
            return Err(
                format!("{name} after the undos: {now:?}\nbefore: {table:?}\nThe plan tells only: {told}").into()
            );
        }
    }
    for script in scripts(&plan, &["cleanup"]) {
        run(scene, script)?;
    }
    let left: Vec<_> =
        scene.stand_in.print()?.tables.into_keys().filter(|name| !before.tables.contains_key(name)).collect();
    assert!(left.is_empty(), "left after undo and clean-up: {left:?}");
    Ok(())
}

fn scripts<'a>(plan: &'a Value, phases: &'a [&str]) -> impl Iterator<Item = &'a Value> {
    let all = plan["scripts"].as_array().into_iter().flatten();
    all.filter(|script| script["phase"].as_str().is_some_and(|phase| phases.contains(&phase)))
}

fn run(scene: &mut Scene, script: &Value) -> Result<(), Failed> {
    let path = script["path"].as_str().ok_or("a script without a path")?;
    let file = scene.rehearsal().join(path);
    let ended = scene.stand_in.run_with_stock_client(&file)?;
    if ended.code == 0 && ended.errors.is_empty() {
        return Ok(());
    }
    let text = fs::read_to_string(&file)?;
    Err(format!("{path}: {} ended with {}\n{}\n{text}", ended.program, ended.code, ended.errors).into())
}

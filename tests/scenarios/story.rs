//! The scenario that the tool was made for, a hundredth of its size (or a twentieth), from its file to its report.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::desk::{Desk, MARIADB, MYSQL, On, entry};

/// Its directory.
const STORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/package-upgrade-deletes-everything");

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("story::a_delete_of_all_rows_is_found_and_a_swap_chosen_on_mysql", || whole(MYSQL, "0.04")),
        // Both large enough that the DELETE breaks the budget on a quick machine too.
        Trial::test("story::a_delete_of_all_rows_is_found_and_a_swap_chosen_on_mariadb", || whole(MARIADB, "0.05")),
    ]
}

fn whole(on: On, scale: &str) -> Result<(), Failed> {
    let desk = Desk::new("SELECT 1;\n")?;
    let scenario = format!("{STORY}/scenario.yaml");
    desk.run(on, &["--scenario", &scenario, "--scale", scale])?.exits(1)?;
    let report = desk.report()?;
    assert_eq!(report["verdict"], "fail");
    assert_eq!(report["members"][0]["seeded_from_cache"], false);
    let delete = entry(&report["statements"], "name", "tracking-delete")?;
    let rows = 9_000_000.0 * scale.parse::<f64>()?;
    assert_eq!(delete["rows"]["affected"].as_f64(), Some(rows));
    for (name, algorithm) in [
        ("users-add-timezone", "instant"),
        ("posts-add-slug", "instant"),
        ("posts-index-status", "inplace"),
        ("votes-widen-id", "copy"),
    ] {
        assert_eq!(entry(&report["statements"], "name", name)?["algorithm"], algorithm, "{name}");
    }
    let finding = entry(&report["findings"], "rule", "delete-all-rows")?;
    assert_eq!(finding["severity"], "error", "{finding:#}");
    alternatives(delete)?;
    files(&desk.path().join("rehearsal"), &report)?;
    let plan = std::fs::read_to_string(desk.path().join("rehearsal/plan.md"))?;
    assert!(plan.contains("**Nothing speaks against it**"), "{}", plan.chars().take(900).collect::<String>());

    // The same production, another upgrade: the rows are there already.
    let again = desk.run(on, &["--scenario", &scenario, "--scale", scale, "upgrade.sql"])?;
    again.exits(0)?;
    assert!(!again.err().contains("filled") && !again.err().contains("filling"), "{}", again.err());
    assert_eq!(desk.report()?["members"][0]["seeded_from_cache"], true);
    Ok(())
}

fn alternatives(delete: &Value) -> Result<(), Failed> {
    for id in ["truncate", "swap", "batches"] {
        let tried = entry(&delete["alternatives"], "id", id)?;
        assert_eq!(tried["completed"], true, "{id}: {tried:#}");
        assert_eq!(tried["proof"]["same_result"], true, "{id}: {:#}", tried["proof"]);
        assert_eq!(tried["chosen"], id == "swap", "{id}");
        let resets = tried["proof"]["without_cure"].to_string().contains("AUTO_INCREMENT");
        assert_eq!(resets, id != "batches", "{id}: {:#}", tried["proof"]);
    }
    Ok(())
}

/// Every file that the report names is there, and every script of the plan was run and ended well.
fn files(directory: &Path, report: &Value) -> Result<(), Failed> {
    for (what, name) in report["files"].as_object().ok_or("no files")? {
        assert!(directory.join(name.as_str().unwrap_or_default()).is_file(), "{what}: {name}");
    }
    let plan: Value = serde_yaml::from_str(&std::fs::read_to_string(directory.join("plan.yaml"))?)?;
    let scripts = plan["scripts"].as_array().ok_or("no scripts")?;
    assert!(!scripts.is_empty());
    for script in scripts {
        assert!(directory.join(script["path"].as_str().unwrap_or_default()).is_file(), "{}", script["path"]);
        assert_eq!(script["rehearsed"]["ok"], true, "{}: {}", script["path"], script["rehearsed"]);
    }
    // What others write after the swap leaves with its undo and comes back with the merge, though the new table has a
    // column by then that the old one has not.
    let steps = plan["steps"].as_array().ok_or("no steps")?;
    let swap = steps.iter().find(|step| step["undo"]["shown"]["written"]["merge"].is_string());
    let written = &swap.ok_or("no step with a merge script")?["undo"]["shown"]["written"];
    assert_eq!(
        (&written["inserted"], &written["inserted_gone"], &written["merged"]),
        (&3.into(), &3.into(), &3.into()),
        "{written}"
    );
    assert_eq!(written["untried"], "", "{written}");
    let parts = "The way back was rehearsed in parts: steps 1 to 8; step 9; steps 10 and 11.";
    assert!(plan["trouble"].to_string().contains(parts), "{:#}", plan["trouble"]);
    Ok(())
}

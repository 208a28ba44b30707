//! `rehearse check` with a server: what matters is rehearsed, held to the budget, and nothing more is done than a gate asks.

use std::fs;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::desk::{Desk, MARIADB, SCHEMA};

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![Trial::test("gate::what_matters_is_rehearsed_and_held_to_the_budget_on_mariadb", gate)]
}

fn git(desk: &Desk, args: &[&str]) -> Result<(), Failed> {
    let own = ["-c", "user.email=a@example.org", "-c", "user.name=A"];
    let said = Command::new("git").args(own).args(args).current_dir(desk.path()).output()?;
    if said.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said.stderr).into_owned().into()) }
}

/// The exit code of a check, and what it says as JSON.
fn check(desk: &Desk, arguments: &[&str]) -> Result<(Option<i32>, Value), Failed> {
    let said = desk.rehearse(&[&["check", "--git-diff", "main", "--format", "json"], arguments].concat())?;
    let value =
        serde_json::from_str(&said.out()).map_err(|error| format!("{error}: {}\n{}", said.out(), said.err()))?;
    Ok((said.code(), value))
}

fn gate() -> Result<(), Failed> {
    let desk = Desk::new("")?;
    let (flavor, kind) = MARIADB;
    let configuration = format!(
        "format: rehearse/scenario@1\nserver: {{flavor: \"{flavor}\", sandbox: {kind}}}\n\
         production: {{schema: schema.sql, rows: {{t: 20000}}}}\nbudget: {{rows_per_statement: 5k}}\n"
    );
    fs::write(desk.path().join("rehearse.yaml"), &configuration)?;
    fs::write(
        desk.path().join("schema.sql"),
        format!("{SCHEMA}CREATE TABLE codes (code int NOT NULL PRIMARY KEY);\n"),
    )?;
    let migrations = desk.path().join("db/migrations");
    fs::create_dir_all(&migrations)?;
    fs::write(migrations.join("1.sql"), "SELECT 1;\n")?;
    fs::write(desk.path().join(".gitignore"), "rehearsal\n")?;
    git(&desk, &["init", "-q", "-b", "main"])?;
    git(&desk, &["add", "-A"])?;
    git(&desk, &["commit", "-q", "-m", "first"])?;
    fs::write(migrations.join("2.sql"), "INSERT INTO codes VALUES (1);\n")?;
    let (code, small) = check(&desk, &[])?;
    assert_eq!((code, small["rehearsal"].is_null()), (Some(0), true), "a small table's row needs no server: {small:#}");
    fs::write(migrations.join("3.sql"), "-- rehearse: name widen\nUPDATE t SET n = n + 1 WHERE id <= 9000;\n")?;
    let (code, large) = check(&desk, &[])?;
    assert_eq!((code, &large["verdict"]), (Some(1), &"fail".into()), "9,000 rows are above the budget: {large:#}");
    let judged = large["migrations"][1]["judged"]["rehearsed"].as_str().unwrap_or_default();
    assert!(judged.contains("app.t with 20,000 rows") || judged.contains(" on widen"), "{judged}");
    let rehearsal = &large["rehearsal"];
    assert_eq!(rehearsal["statements"][1]["rows"]["affected"], 9_000);
    let ran: Vec<&str> =
        rehearsal["experiments"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(ran, ["upgrade-loud"], "no trial, no drill, no plan");
    let broken =
        rehearsal["budget"].as_array().into_iter().flatten().find(|line| line["limit"] == "rows_per_statement");
    assert_eq!(broken.map(|line| &line["ok"]), Some(&Value::from(false)), "{:#}", rehearsal["budget"]);
    fs::write(desk.path().join("rehearse.yaml"), configuration.replace("5k", "10k"))?;
    let (code, within) = check(&desk, &["--fail-on", "error"])?;
    assert_eq!(code, Some(0), "{:#}", within["findings"]);
    assert_eq!(within["rehearsal"]["members"][0]["seeded_from_cache"], true);
    printed(&desk, &configuration)
}

/// The SQL that a command prints of a program is rehearsed, and what is found stands at the program.
fn printed(desk: &Desk, configuration: &str) -> Result<(), Failed> {
    fs::remove_file(desk.path().join("db/migrations/3.sql"))?;
    let migration = "shop/migrations/0002_more.py";
    fs::create_dir_all(desk.path().join("shop/migrations"))?;
    fs::write(desk.path().join(migration), "class Migration(migrations.Migration):\n    pass\n")?;
    fs::write(desk.path().join("sqlmigrate"), "-- It\nUPDATE t SET n = n + 1 WHERE id <= 9000;\n")?;
    let print = "check: {print: {django: [cat, sqlmigrate]}}\n";
    fs::write(desk.path().join("rehearse.yaml"), format!("{configuration}{print}"))?;
    let (code, check) = check(desk, &["--format", "markdown=summary.md"])?;
    assert_eq!(code, Some(1), "9,000 rows are above the budget: {check:#}");
    let line = check["migrations"].as_array().into_iter().flatten().find(|line| line["file"] == migration);
    assert!(line.is_some_and(|line| line["judged"]["rehearsed"].is_string()), "{:#}", check["migrations"]);
    assert_eq!(
        check["rehearsal"]["statements"][1]["rows"]["affected"], 9_000,
        "{:#}",
        check["rehearsal"]["statements"]
    );
    let found: Vec<&Value> = (check["findings"].as_array().into_iter().flatten())
        .filter(|one| one["severity"] == "error" && one["place"]["file"] == migration)
        .collect();
    assert!(!found.is_empty(), "{:#}", check["findings"]);
    let summary = fs::read_to_string(desk.path().join("summary.md"))?;
    for finding in found {
        let rule = finding["rule"].as_str().unwrap_or_default();
        assert!(summary.contains(&format!("**error** `{rule}` on")), "the rehearsal tells it:\n{summary}");
        assert!(!summary.contains(&format!("| `{rule}` |")), "and nobody else:\n{summary}");
    }
    Ok(())
}

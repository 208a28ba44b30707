//! A schema, a count and an upgrade, without any scenario; and upgrades that fail or that nobody can read.

use libtest_mimic::{Failed, Trial};

use super::desk::{Desk, MARIADB, MYSQL, On, entry};

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("plain::a_harmless_upgrade_is_within_the_budget_on_mariadb", || harmless(MARIADB)),
        Trial::test("plain::a_failing_statement_is_reported_and_the_rest_skipped_on_mysql", || fails(MYSQL, 1146)),
        Trial::test("plain::what_nobody_understands_is_said_on_mariadb", || opaque(MARIADB)),
    ]
}

fn harmless(on: On) -> Result<(), Failed> {
    let desk = Desk::new(
        "-- rehearse: name add-extra\nALTER TABLE t ADD COLUMN extra int NULL;\nUPDATE t SET n = n + 1 WHERE id = 1;\n",
    )?;
    let said = desk.run(on, &["--schema", "schema.sql", "--rows", "app.t=20000", "upgrade.sql"])?;
    said.exits(0)?;
    let report = desk.report()?;
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["members"][0]["sandbox"], on.1);
    assert_eq!(report["tables"][0]["rows_before"], 20_000);
    assert_eq!(report["statements"][0]["algorithm"], "instant");
    assert_eq!(report["statements"][1]["rows"]["affected"], 1);
    std::fs::write(desk.path().join("empty.sql"), "CREATE DATABASE shop;\n")?;
    let none = desk.run(on, &["--schema", "empty.sql", "--out", "none", "upgrade.sql"])?;
    none.exits(2)?;
    assert!(none.err().contains("the schema holds no table"), "{}", none.err());
    for name in [
        "report.json",
        "report.html",
        "summary.md",
        "plan.md",
        "plan.yaml",
        "upgrade.sql",
        "survey.yaml",
        "timeline.jsonl",
    ] {
        assert!(desk.path().join("rehearsal").join(name).is_file(), "{name}");
    }
    let shown = desk.rehearse(&["report", "rehearsal", "--format", "json"])?;
    shown.exits(0)?;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown.out())?, report);
    compares(&desk, on)
}

/// The same upgrade changed for the worse, rehearsed and set beside the first.
fn compares(desk: &Desk, on: On) -> Result<(), Failed> {
    let worse = "-- rehearse: name add-extra\nALTER TABLE t ADD COLUMN extra int NULL, ALGORITHM=COPY;\n\
                 UPDATE t SET n = n + 1 WHERE id = 1;\nINSERT INTO nowhere VALUES (1);\n";
    std::fs::write(desk.path().join("worse.sql"), worse)?;
    let rows = ["--schema", "schema.sql", "--rows", "app.t=20000"];
    desk.run(on, &[&rows[..], &["--out", "worse", "worse.sql"]].concat())?.exits(1)?;
    desk.rehearse(&["compare", "rehearsal", "rehearsal"])?.exits(0)?;
    let said = desk.rehearse(&["compare", "rehearsal", "worse"])?;
    said.exits(1)?;
    let out = said.out();
    for words in ["the verdict is FAIL, and was PASS", "add-extra: is carried out as copy, and was as instant"] {
        assert!(out.contains(words), "'{words}' is not in:\n{out}");
    }
    let better = desk.rehearse(&["compare", "worse", "rehearsal", "--format", "json", "--fail-on", "error"])?;
    better.exits(0)?;
    let better: serde_json::Value = serde_json::from_str(&better.out())?;
    let changes = better["changes"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(changes.iter().any(|change| change["what"] == "the verdict is PASS, and was FAIL"), "{better}");
    let page = std::fs::read_to_string(desk.path().join("worse/report.html"))?;
    assert!(page.contains("<svg class=\"bars\"") && page.contains("add-extra"), "the page has the time line");
    Ok(())
}

fn fails(on: On, number: u64) -> Result<(), Failed> {
    let desk = Desk::new("UPDATE t SET n = 1 WHERE id < 10;\nINSERT INTO nowhere VALUES (1);\nUPDATE t SET n = 2;\n")?;
    desk.run_small(on)?.exits(1)?;
    let report = desk.report()?;
    let outcomes: Vec<_> = (0..3).map(|at| report["statements"][at]["outcome"].as_str().unwrap_or("none")).collect();
    assert_eq!(outcomes, ["done", "failed", "skipped"]);
    assert_eq!(report["statements"][1]["error"]["number"], number);
    assert_eq!(report["verdict"], "fail");
    Ok(())
}

fn opaque(on: On) -> Result<(), Failed> {
    let desk =
        Desk::new("UPDATE t SET n = 1 WHERE id < 10;\nDELIMITER //\nBEGIN NOT ATOMIC UPDATE t SET n = 3; END //\n")?;
    let said = desk.run_small(on)?;
    assert!(matches!(said.code(), Some(0 | 1)), "{:?}\n{}", said.code(), said.err());
    let report = desk.report()?;
    assert_eq!(report["statements"][1]["kind"], "opaque", "{:#}", report["statements"][1]);
    let finding = entry(&report["findings"], "rule", "not-understood")?;
    assert!(finding.to_string().contains("s2"), "{finding:#}");
    Ok(())
}

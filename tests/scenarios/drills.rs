//! A run with its drills: what goes wrong, from the program to the report and the plan.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::desk::{Desk, MARIADB, MYSQL, On};

/// The first statement may be run twice (what it writes into one row is chance), the second changes rows twice, the third
/// fails the second time.
const UPGRADE: &str =
    "UPDATE t SET s = UUID() WHERE id = 1;\nUPDATE t SET n = n + 1;\nALTER TABLE t ADD COLUMN a int;\n";

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    [("mysql", MYSQL), ("mariadb", MARIADB)]
        .map(|(name, on)| {
            Trial::test(format!("drills::what_goes_wrong_is_rehearsed_and_told_on_{name}"), move || whole(on))
        })
        .into()
}

fn whole(on: On) -> Result<(), Failed> {
    let desk = Desk::new(UPGRADE)?;
    let said = desk.run_with_drills(on, &["--schema", "schema.sql", "--rows", "app.t=1000", "upgrade.sql"])?;
    said.exits(0)?;
    let report = desk.report()?;
    let drills = report["drills"].as_array().ok_or("no drills")?;
    let of = |kind: &str, statement: &str| -> Result<&Value, Failed> {
        let one = drills.iter().find(|drill| drill["kind"] == kind && drill["statement"] == statement);
        one.ok_or_else(|| format!("no {kind} of {statement} in {drills:#?}\n{:#}", report["unchecked"]).into())
    };
    let queue = of("queue", "s3")?;
    assert!(queue["longest_seconds"].as_f64() > Some(4.0) && queue["queued"].as_u64() > Some(100), "{queue:#}");
    let bounded = &queue["bounded"];
    assert!(bounded["longest_seconds"].as_f64() < Some(1.8) && bounded["done"] == true, "{queue:#}");

    let first = of("interruption", "s1")?;
    assert_eq!((&first["rerun_safe"], &first["differences"]), (&true.into(), &Value::Array(Vec::new())), "{first:#}");
    assert_eq!(first["excluded"], serde_json::json!(["app.t.s"]), "what UUID() gives is chance: {first:#}");
    let second = of("interruption", "s2")?;
    assert!(second["differences"].to_string().contains("other values in n\""), "not in s: {second:#}");
    assert_eq!(second["rerun_safe"], false, "{second:#}");
    assert!(second["fails_at"].is_null() && second["differences"].to_string().contains("app.t"), "{second:#}");
    assert_eq!((&second["resume_safe"], &second["resume_at"]), (&true.into(), &"s3 (upgrade.sql:3)".into()));
    let third = of("interruption", "s3")?;
    assert_eq!((&third["fails_at"], &third["error"]["number"]), (&"s3".into(), &1060.into()), "{third:#}");
    assert!(third["differences"].to_string().contains("app.t"), "the second UPDATE ran again: {third:#}");
    let snapshot = of("snapshot", "s3")?;
    // Measured: on MySQL 9.7 an INSTANT ADD COLUMN, too, is more than an older snapshot can read past.
    let broken = if on == MYSQL { 1412.into() } else { Value::Null };
    assert_eq!(
        (&snapshot["broken"][0]["error"]["number"], &snapshot["holds_up"]),
        (&broken, &true.into()),
        "{snapshot:#}"
    );

    assert!(said.out().contains("When something goes wrong"), "{}", said.out());
    let plan = std::fs::read_to_string(desk.path().join("rehearsal/plan.md"))?;
    assert!(plan.contains("Kill the DDL, not the requests"), "{plan}");
    assert!(plan.contains("| s2 | **no**: it ends well, and leaves something else"), "{plan}");
    Ok(())
}

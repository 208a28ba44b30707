//! Alternatives side by side: a DELETE of most rows with its batches and the copy of what stays; batches over a key of two
//! columns; ALTERs with their algorithm demanded, and several as one. From their trial to the plan's script.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::desk::{Desk, MARIADB, MYSQL, On, entry};
use super::redraft;

/// NULLs that the condition does not choose, an invisible column, a generated one, and ids that end above what stays.
const SCHEMA: &str = "CREATE TABLE t (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, n int NULL, s varchar(40) NOT NULL, \
                      twice bigint AS (n * 2) VIRTUAL, hidden int INVISIBLE NOT NULL DEFAULT 7, KEY n (n)) ENGINE=InnoDB;\n\
                      CREATE TABLE c (tenant smallint unsigned NOT NULL, code varchar(24) NOT NULL, n int NOT NULL, \
                      s varchar(60) NOT NULL, PRIMARY KEY (tenant, code), KEY n (n)) ENGINE=InnoDB;\n\
                      CREATE TABLE p (id bigint NOT NULL AUTO_INCREMENT, n int NOT NULL, s varchar(40) NOT NULL, \
                      PRIMARY KEY (id, n)) ENGINE=InnoDB PARTITION BY RANGE (n) (PARTITION p0 VALUES LESS THAN (1000), \
                      PARTITION p1 VALUES LESS THAN (2000000000), PARTITION p2 VALUES LESS THAN MAXVALUE);\n\
                      CREATE TABLE a (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, n int NOT NULL, s varchar(40) NOT NULL) \
                      ENGINE=InnoDB;\n";
/// Most rows of a table, and whole partitions of another; all rows of one whose key has two columns, one of them text; a change that is instant; and two, one
/// of which copies, that can be one.
const UPGRADE: &str = "DELETE FROM t WHERE n IS NULL AND id % 10 = 3 OR id % 10 <> 3;\nUPDATE c SET n = n + 1;\n\
                       ALTER TABLE a ADD COLUMN extra int NULL;\nUPDATE a SET n = 1 WHERE id = 1;\n\
                       ALTER TABLE a MODIFY n bigint NOT NULL;\nALTER TABLE a ADD KEY s (s);\n\
                       DELETE FROM p WHERE n < 2000000000;\n";

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("alternatives::each_way_is_tried_and_the_plan_carries_it_out_on_mysql", || side_by_side(MYSQL)),
        Trial::test("alternatives::each_way_is_tried_and_the_plan_carries_it_out_on_mariadb", || side_by_side(MARIADB)),
    ]
}

fn side_by_side(on: On) -> Result<(), Failed> {
    let desk = Desk::new(UPGRADE)?;
    std::fs::write(desk.path().join("schema.sql"), SCHEMA)?;
    let rows = ["--rows", "app.t=120000", "--rows", "app.c=100000", "--rows", "app.a=100000", "--rows", "app.p=20000"];
    // Chosen by a person: on a busy machine the figures of so few rows decide nothing.
    let choices = ["--choose", "s1=batches", "--choose", "s2=batches"];
    let said = desk.run(on, &[&["--schema", "schema.sql"][..], &choices, &rows, &["upgrade.sql"]].concat())?;
    assert!(matches!(said.code(), Some(0 | 1)), "{:?}\n{}", said.code(), said.err());
    let report = desk.report()?;
    let delete = &report["statements"][0];
    let batches = entry(&delete["alternatives"], "id", "batches")?;
    assert_eq!(batches["proof"]["same_result"], true, "{batches:#}");
    assert_eq!(batches["chosen"], true, "a person chose them: {batches:#}");
    let survivors = entry(&delete["alternatives"], "id", "survivors")?;
    if on == MARIADB {
        assert_eq!(survivors["eligible"], false);
        assert!(survivors["reason"].to_string().contains("error 1192"), "{survivors:#}");
    } else {
        assert_eq!(survivors["completed"], true, "{survivors:#}");
        assert_eq!(survivors["proof"]["same_result"], true, "{:#}", survivors["proof"]);
        assert!(survivors["proof"]["without_cure"].to_string().contains("AUTO_INCREMENT"), "{:#}", survivors["proof"]);
        let waits = survivors["blocked"].to_string();
        let writers = ["update", "lock", "insert"].iter().any(|probe| waits.contains(&format!("\"{probe}\"")));
        assert!(writers, "a guarded copy makes writers wait: {waits}");
    }
    let walked = entry(&report["statements"][1]["alternatives"], "id", "batches")?;
    assert_eq!(walked["proof"]["same_result"], true, "{walked:#}");
    assert_eq!(walked["chosen"], true, "{:#}", report["statements"][1]);
    let plan = every_script_ran(&desk)?;
    let step = plan["scripts"].as_array().into_iter().flatten().find(|script| {
        script["phase"] == "step" && script["sql"].as_str().is_some_and(|sql| sql.contains("rehearse_from_2"))
    });
    assert!(step.is_some(), "the plan walks the key of two columns: {:#}", plan["scripts"]);
    let explicit = entry(&report["statements"][2]["alternatives"], "id", "explicit")?;
    assert_eq!(explicit["proof"]["same_result"], true, "{explicit:#}");
    assert_eq!(explicit["chosen"], true, "{explicit:#}");
    assert!(
        plan["scripts"].to_string().contains("ADD COLUMN extra int NULL, ALGORITHM=INSTANT"),
        "{:#}",
        plan["scripts"]
    );
    let merged = entry(&report["statements"][4]["alternatives"], "id", "merged")?;
    assert_eq!(merged["proof"]["same_result"], true, "{merged:#}");
    assert_eq!(merged["also"], serde_json::json!(["s6"]));
    assert_eq!(report["statements"][5]["seconds_run"], "quiet", "the second of them ran at the halt of the first");
    let partition = entry(&report["statements"][6]["alternatives"], "id", "partition")?;
    assert_eq!(partition["proof"]["same_result"], true, "{partition:#}");
    let tools = entry(&report["statements"][4]["alternatives"], "id", "online-copy")?;
    assert!(tools["eligible"] == false && tools["script"].to_string().contains("MODIFY n bigint"), "{tools:#}");
    let alone = entry(&report["statements"][5]["alternatives"], "id", "explicit")?;
    assert!(alone["reason"].to_string().contains("of which this statement is a part"), "{alone:#}");
    redraft::by_hand(&desk)
}

/// Every script of the plan was run and ended well, and the undo brought everything back.
pub fn every_script_ran(desk: &Desk) -> Result<Value, Failed> {
    let plan: Value = serde_yaml::from_str(&std::fs::read_to_string(desk.path().join("rehearsal/plan.yaml"))?)?;
    assert_eq!(plan["blockers"].as_array().map(Vec::len), Some(0), "{:#}", plan["blockers"]);
    let scripts = plan["scripts"].as_array().ok_or("no scripts")?;
    assert!(!scripts.is_empty());
    for script in scripts {
        assert_eq!(script["rehearsed"]["ok"], true, "{}: {}", script["path"], script["rehearsed"]);
    }
    let trouble = plan["trouble"].to_string();
    assert!(!trouble.contains("does not bring everything back"), "{trouble}");
    Ok(plan)
}

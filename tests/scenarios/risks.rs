//! Twelve statements with a risk each: every rule speaks where it should, and nowhere else.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::desk::{Desk, MARIADB, MYSQL, On};

/// Its directory; its `expect:` is the table.
const RISKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/every-kind-of-risk");
/// The newest MariaDB that Debian has.
const MARIADB_11: On = ("mariadb:11.8", "container");

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    let on = |name: &str, on: On| Trial::test(format!("risks::each_is_found_where_it_is_{name}"), move || found(on));
    vec![on("on_mysql", MYSQL), on("on_mariadb_10_11", MARIADB), on("on_mariadb_11_8", MARIADB_11)]
}

fn found((flavor, kind): On) -> Result<(), Failed> {
    let desk = Desk::new("SELECT 1;\n")?;
    let said = desk.rehearse(&["test", RISKS, "--server", flavor, "--sandbox", kind, "--out", "out"])?;
    if said.err().contains("cannot start") || said.out().contains("cannot start") {
        return Err(format!("{}\nThe trials need {flavor}: fixtures/servers/get {flavor}", said.err()).into());
    }
    said.exits(0)?;
    let report = desk.path().join("out/every-kind-of-risk").join(flavor.replace(':', "-")).join("report.json");
    // MariaDB keeps no binary log unless it is asked to.
    tried(&report, flavor.starts_with("mysql"))
}

/// Each alternative that ran has its time, whom it kept waiting, its binary log (where there is one) and its proof.
fn tried(report: &Path, has_binlog: bool) -> Result<(), Failed> {
    let report: Value = serde_json::from_str(&std::fs::read_to_string(report)?)?;
    let statements = report["statements"].as_array().ok_or("no statements")?;
    assert_eq!(statements.len(), 12);
    let mut ran = 0;
    for alternative in statements.iter().flat_map(|one| one["alternatives"].as_array().into_iter().flatten()) {
        if alternative["completed"] == true {
            ran += 1;
            assert!(alternative["seconds"].is_number() && alternative["blocked"].is_array(), "{alternative:#}");
            assert_eq!(alternative["binlog_bytes"].is_number(), has_binlog, "{alternative:#}");
            assert!(alternative["proof"]["same_result"].is_boolean(), "{alternative:#}");
        } else {
            assert!(alternative["eligible"] == true || alternative["reason"].is_string(), "{alternative:#}");
        }
    }
    assert!(ran >= 3, "only {ran} alternatives ran");
    Ok(())
}

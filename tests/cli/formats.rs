//! What other programs read of a lint and of a rehearsal, held to the schemas that are published of each form.

use serde_json::Value;

use super::*;

const RISKY: &str = "SELECT 'é'; DELETE FROM page_views;\n\nALTER TABLE orders\n  DROP COLUMN status;\n";

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(desk: &Desk, name: &str) -> Value {
    let text = fs::read_to_string(desk.path().join(name)).expect("the file was written");
    serde_json::from_str(&text).expect("JSON")
}

/// Every error that a schema has to say of a document.
fn errors(schema: &str, document: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(&fixture(schema)).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn valid(schema: &str, document: &Value) {
    assert_eq!(errors(schema, document), Vec::<String>::new(), "{schema}");
}

fn valid_junit(desk: &Desk, name: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas/junit-10.xsd");
    let said = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .args([schema, desk.path().join(name)])
        .output()
        .expect("xmllint runs; `fixtures/servers/get tools` installs it");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// A rehearsal's directory with a report of a real run.
fn rehearsed(desk: &Desk) {
    fs::create_dir(desk.path().join("rehearsal")).expect("a directory");
    desk.write("rehearsal/report.json", fixture("fixtures/report/zdz.report.json"));
}

#[test]
fn a_lint_in_every_form_at_once_is_valid_in_each() {
    let desk = Desk::new();
    desk.write("up.sql", RISKY);
    let forms = ["sarif=out/a.sarif", "gitlab=out/cq.json", "junit=out/j.xml", "markdown=out/m.md", "json=out/l.json"];
    let args: Vec<&str> = ["lint", "up.sql", "--fail-on", "warning"]
        .into_iter()
        .chain(forms.iter().flat_map(|form| ["--format", form]))
        .collect();
    let said = desk.rehearse(&args);
    assert_eq!(said.0.status.code(), Some(1), "{}", said.err());
    assert!(said.out().contains("warning[drop-column]"), "text goes to the standard output:\n{}", said.out());
    let sarif = read(&desk, "out/a.sarif");
    valid("fixtures/schemas/sarif-2.1.0.json", &sarif);
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().expect("results");
    let dropped = results.iter().find(|one| one["ruleId"] == "drop-column").expect("drop-column");
    let place = &dropped["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "up.sql");
    assert_eq!(place["region"], serde_json::json!({"startLine": 4, "startColumn": 3, "endLine": 4, "endColumn": 21}));
    let at = dropped["ruleIndex"].as_u64().expect("an index") as usize;
    assert_eq!(run["tool"]["driver"]["rules"][at]["id"], "drop-column");
    let removed = results.iter().find(|one| one["ruleId"] == "delete-all-rows").expect("delete-all-rows");
    assert_eq!(removed["locations"][0]["physicalLocation"]["region"]["startColumn"], 13, "characters, not bytes");
    let quality = read(&desk, "out/cq.json");
    valid("fixtures/schemas/gitlab-code-quality.json", &quality);
    let prints: std::collections::BTreeSet<&str> =
        quality.as_array().expect("a list").iter().filter_map(|one| one["fingerprint"].as_str()).collect();
    assert_eq!(prints.len(), quality.as_array().expect("a list").len(), "each finding has its own fingerprint");
    valid_junit(&desk, "out/j.xml");
    let junit = fs::read_to_string(desk.path().join("out/j.xml")).expect("a file");
    assert_eq!(junit.matches("<testcase name=\"s").count(), 3, "one case a statement:\n{junit}");
    assert!(junit.contains("failures=\"2\""), "{junit}");
    assert_eq!(read(&desk, "out/l.json")["summary"]["warnings"], 2);
    let page = fs::read_to_string(desk.path().join("out/m.md")).expect("a file");
    assert!(
        page.starts_with("## ❌ up.sql\n") && page.contains("| **warning** | `drop-column` | `up.sql:4` |"),
        "{page}"
    );
}

#[test]
fn a_rehearsal_in_every_form_is_valid_in_each() {
    let desk = Desk::new();
    rehearsed(&desk);
    let show =
        ["report", "rehearsal", "--format", "sarif=a.sarif", "--format", "gitlab=cq.json", "--format", "junit=j.xml"];
    desk.rehearse(&[&show[..], &["--format", "json"]].concat()).is_fine(&["\"schema_version\": 1"]);
    let sarif = read(&desk, "a.sarif");
    valid("fixtures/schemas/sarif-2.1.0.json", &sarif);
    let rebuilt = &sarif["runs"][0]["results"][0];
    let place = &rebuilt["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "scenarios/package-upgrade-deletes-everything/upgrade.sql");
    assert!(place["region"]["startLine"].as_u64().is_some_and(|line| line > 1), "{place}");
    valid("fixtures/schemas/gitlab-code-quality.json", &read(&desk, "cq.json"));
    valid_junit(&desk, "j.xml");
    let junit = fs::read_to_string(desk.path().join("j.xml")).expect("a file");
    assert!(
        junit.contains("name=\"longest_blocked_write\"") && junit.contains("1.01s observed"),
        "the budget is a suite"
    );
}

#[test]
fn report_json_keeps_to_its_schema() {
    let desk = Desk::new();
    rehearsed(&desk);
    let schema = "src/report/report.schema.json";
    let early: Value = serde_json::from_str(&fixture("fixtures/report/zdz.report.json")).expect("JSON");
    valid(schema, &early);
    let said = desk.rehearse(&["report", "rehearsal", "--format", "json"]);
    valid(schema, &serde_json::from_str(&said.out()).expect("JSON"));
    let printed = desk.rehearse(&["report", "--schema"]);
    assert_eq!(printed.out(), fixture(schema));
    for key in ["verdict", "statements", "budget"] {
        let mut broken = early.clone();
        broken.as_object_mut().expect("an object").remove(key);
        assert!(!errors(schema, &broken).is_empty(), "{key} is required");
    }
    let mut broken = early;
    broken["statements"][0]["outcome"] = "perhaps".into();
    assert!(!errors(schema, &broken).is_empty(), "an outcome is one of four words");
}

#[test]
fn annotations_come_by_themselves_under_github_and_mix_with_nothing() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path().join(".git")).expect("a directory");
    fs::create_dir_all(desk.path().join("db")).expect("a directory");
    desk.write("db/up.sql", RISKY);
    let github = [("GITHUB_ACTIONS", "true")];
    let said = desk.rehearse_with(&["lint", "--format", "json", "db/up.sql"], &github);
    assert!(serde_json::from_str::<Value>(&said.out()).is_ok(), "the standard output is one document");
    let err = said.err();
    assert!(
        err.contains("::warning file=db/up.sql,line=4,endLine=4,col=3,endColumn=21,title=drop-column::destroys"),
        "{err}"
    );
    let mut inside = Command::new(env!("CARGO_BIN_EXE_rehearse"));
    inside.args(["lint", "up.sql"]).current_dir(desk.path().join("db")).env_clear().env("GITHUB_ACTIONS", "true");
    let inside = Said(inside.output().expect("the binary starts"));
    assert!(inside.err().contains("file=db/up.sql,"), "named from the repository's root:\n{}", inside.err());
    assert_eq!(desk.rehearse_with(&["lint", "--no-annotations", "db/up.sql"], &github).err(), "");
    assert_eq!(desk.rehearse(&["lint", "db/up.sql"]).err(), "", "not elsewhere");
    let asked = desk.rehearse(&["lint", "--format", "github", "db/up.sql"]);
    assert!(asked.out().lines().all(|line| line.starts_with("::")), "{}", asked.out());
}

#[test]
fn forms_that_cannot_go_together_are_refused_before_anything_is_done() {
    let desk = Desk::new();
    desk.rehearse(&["lint", "--format", "json", "--format", "text", "upgrade.sql"])
        .refuses(&["two formats", "hint: Give one"]);
    desk.rehearse(&["run", "--scenario", "scenario.yaml", "--format", "jsn"]).refuses(&["jsn", "did you mean json?"]);
    desk.rehearse(&["lint", "--format", "sarif=", "upgrade.sql"]).refuses(&["no file is named"]);
}

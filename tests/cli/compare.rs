//! `rehearse compare` and the page of a recorded rehearsal, by the binary.

use std::fs;
use std::path::Path;

use super::Desk;

/// The recorded rehearsal, its report changed.
fn rehearsal(desk: &Desk, name: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/report/zdz/report.json");
    let mut report = serde_json::from_str(&fs::read_to_string(recorded).expect("the fixture")).expect("JSON");
    change(&mut report);
    fs::create_dir(desk.path().join(name)).expect("a directory");
    desk.write(&format!("{name}/report.json"), report.to_string());
}

fn statement<'a>(report: &'a mut serde_json::Value, name: &str) -> &'a mut serde_json::Value {
    let all = report["statements"].as_array_mut().expect("statements");
    all.iter_mut().find(|one| one["name"] == name).expect("the statement")
}

#[test]
fn compare_exits_by_what_is_worse_outside_of_the_noise() {
    let desk = Desk::new();
    rehearsal(&desk, "a", |_| ());
    rehearsal(&desk, "slower", |report| {
        let one = statement(report, "tracking-delete");
        (one["seconds"], one["loud_seconds"]) = (90.0.into(), 90.0.into());
    });
    rehearsal(&desk, "broken", |report| {
        let one = statement(report, "tracking-delete");
        one["outcome"] = "failed".into();
        one["error"] = serde_json::json!({"number": 1213, "message": "Deadlock found", "state": "40001"});
    });
    let code = |args: &[&str]| desk.rehearse(args).0.status.code();
    assert_eq!(code(&["compare", "a", "a"]), Some(0));
    assert_eq!(code(&["compare", "a", "slower"]), Some(1));
    assert_eq!(code(&["compare", "slower", "a"]), Some(0), "better is not worse");
    assert_eq!(code(&["compare", "a", "slower", "--fail-on", "error"]), Some(0));
    assert_eq!(code(&["compare", "a", "broken", "--fail-on", "error"]), Some(1));
    assert_eq!(code(&["compare", "a", "broken", "--fail-on", "never"]), Some(0));
    let said = desk.rehearse(&["compare", "a", "slower"]).out();
    assert!(
        said.starts_with("WORSE: 1 thing worse") && said.contains("tracking-delete: takes 90.0 s, and took"),
        "{said}"
    );
    let page = desk.rehearse(&["compare", "a", "slower", "--format", "html"]).out();
    assert!(page.starts_with("<!doctype html>") && page.contains("takes 90.0 s"));
    let json: serde_json::Value =
        serde_json::from_str(&desk.rehearse(&["compare", "a", "slower", "--format", "json"]).out()).expect("JSON");
    assert_eq!(json["changes"][0]["trend"], "worse");
}

#[test]
fn compare_of_what_is_no_rehearsal_is_refused() {
    let desk = Desk::new();
    rehearsal(&desk, "a", |_| ());
    desk.rehearse(&["compare", "a", "nowhere"]).refuses(&["nowhere cannot be shown", "hint: Name the directory"]);
    desk.rehearse(&["compare", "a"]).refuses(&["REHEARSAL_DIR_B"]);
}

#[test]
fn the_page_is_made_again_from_a_directory() {
    let desk = Desk::new();
    rehearsal(&desk, "a", |_| ());
    let page = desk.rehearse(&["report", "a", "--format", "html"]).out();
    assert!(
        page.contains("id=\"s11\"") && !page.contains("class=\"bars\" role=\"img\" aria-label=\"15"),
        "no time line, no bars"
    );
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/report/zdz");
    for file in ["timeline.jsonl", "plan.yaml"] {
        fs::copy(recorded.join(file), desk.path().join("a").join(file)).expect("copied");
    }
    let page = desk.rehearse(&["report", "a", "--format", "html"]).out();
    assert!(page.contains("15 statements as bars") && page.contains("id=\"step-step-001\""), "time line and plan");
    let cut = fs::read_to_string(recorded.join("timeline.jsonl")).expect("the fixture");
    desk.write("a/timeline.jsonl", &cut[..cut.len() - 20]);
    desk.rehearse(&["report", "a", "--format", "html"]).is_fine(&["1 line of timeline.jsonl could not be read"]);
}

#[test]
fn a_fleet_that_cannot_be_used_is_refused() {
    let desk = Desk::new();
    desk.write("empty.txt", "# nobody yet\n");
    desk.rehearse(&["survey", "--fleet", "empty.txt"]).refuses(&["empty.txt names no server"]);
    desk.rehearse(&["survey", "--fleet", "none.txt"]).refuses(&["cannot read none.txt"]);
    desk.rehearse(&["survey"]).refuses(&["--dsn"]);
    desk.rehearse(&["survey", "--dsn", "mysql://a@x/one", "--dsn", "mysql://a@x/two", "-o", "-"])
        .refuses(&["goes into a file"]);
}

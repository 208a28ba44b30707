//! The page of a recorded rehearsal, of hostile names and of 5,000 statements. A browser looks at it in `make browser`.

use super::picture::Picture;
use super::render;
use crate::artifact;
use crate::plan::record::{Plan, ScriptPhase};
use crate::report::record::Report;
use crate::sql::record::TableName;
use crate::watch::record::{Entry, ProbeKind};

fn zdz() -> Report {
    serde_json::from_str(include_str!("../../../fixtures/report/zdz/report.json")).expect("a report of this version")
}

fn timeline(report: &Report) -> Picture {
    let mut picture = Picture::of(report);
    for line in include_str!("../../../fixtures/report/zdz/timeline.jsonl").lines() {
        picture.add(serde_json::from_str(line).expect("an entry of this version"));
    }
    picture.finish();
    picture
}

/// What a browser fetches or runs, as markup has it.
fn loads(page: &str) -> Vec<&str> {
    ["src=", "url(", "@import", "<iframe", "<object", "http://", "https://", "<img"]
        .into_iter()
        .filter(|word| page.contains(*word))
        .collect()
}

#[test]
fn the_page_says_what_the_report_says_and_loads_nothing() {
    let report = zdz();
    let page = render(&report, &timeline(&report), None).expect("a page");
    assert_eq!(loads(&page), Vec::<&str>::new());
    assert!(
        page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"),
        "its own policy forbids it, too"
    );
    for statement in &report.statements {
        assert!(page.contains(&format!("id=\"{}\"", statement.id)), "{} is missing", statement.id);
    }
    for finding in &report.findings {
        assert!(page.contains(&finding.rule), "{} is missing", finding.rule);
    }
    for (what, wanted) in [
        ("the verdict", "tracking-delete (DELETE FROM tracking) blocks writes to zdz.tracking"),
        ("what was not measured", "The application&#39;s own queries and its pools"),
        ("the size", "Scale 0.02"),
        ("the picture", "<svg class=\"bars\""),
        ("who was blocked", "updates, zdz.tracking: blocked for"),
        ("the ways", "in the plan"),
        ("a schema's change", "class=\"add\""),
    ] {
        assert!(page.contains(wanted), "{what}: '{wanted}' is missing");
    }
    assert_eq!(
        page.matches("<rect data-i=").count() + page.matches("<rect class=\"loud\" data-i=").count(),
        report.statements.len()
    );
}

fn plan() -> Plan {
    artifact::parse_yaml(include_str!("../../../fixtures/report/zdz/plan.yaml")).expect("a plan of this version")
}

#[test]
fn the_plan_has_all_that_a_person_does_and_a_box_for_each() {
    let (report, plan) = (zdz(), plan());
    let page = render(&report, &timeline(&report), Some(&plan)).expect("a page");
    for check in &plan.preflight {
        assert!(page.contains(&format!("id=\"check-{}\" data-todo", check.id)), "{} has no box", check.id);
    }
    for script in plan.scripts.iter().filter(|script| script.phase != ScriptPhase::Preflight) {
        let shell = script.shell.as_ref().is_some_and(|shell| page.contains(&shell.text.replace('<', "&#60;")));
        assert!(shell || page.contains(&script.path), "{} is missing", script.path);
    }
    for backup in &plan.backups {
        assert!(page.contains(&format!("id=\"backup-{}\" data-todo", backup.id)), "{} has no box", backup.id);
    }
    for step in &plan.steps {
        let id = &step.body.id;
        assert!(page.contains(&format!("id=\"run-{id}-")), "{id} is not to be run");
        assert!(page.contains(&format!("id=\"verify-{id}-")), "{id} is not to be verified");
    }
    assert_eq!(page.matches("<dt>undo</dt>").count(), plan.steps.len(), "each step's way back");
    for wanted in ["<dt>way back</dt>", "<dt>destroys</dt>", "If it goes wrong", "KILL QUERY", "Signed"] {
        assert!(page.contains(wanted), "'{wanted}' is missing");
    }
    assert_eq!(page.contains("Point of no return"), !plan.stops.is_empty());
    assert_eq!(page.contains("cut off half-way"), !plan.half_done.is_empty());
    let plan_part = page.split_once("<section id=\"plan\"").and_then(|(_, rest)| rest.split_once("</section>"));
    assert!(plan_part.is_some_and(|(own, _)| !own.contains("**")), "Markdown's marks are elements");
}

#[test]
fn the_picture_shows_queues_and_names_what_nobody_measured() {
    let report = zdz();
    let mut picture = timeline(&report);
    let page = render(&report, &picture, None).expect("a page");
    for unseen in ["metadata-lock queue", "pools: busy, lost", "replica lag"] {
        assert!(
            page.contains(&format!("<span class=\"label\">{unseen}</span>")),
            "{unseen} is not said to be unmeasured"
        );
    }
    for (at, value) in [(1.0, 0.0), (2.0, 7.0), (2.5, 7.0), (2.6, 0.0)] {
        picture.add(Entry::Sample { at, series: "metadata_lock_queue".to_owned(), value });
        picture.add(Entry::Sample { at, series: "row_lock_queue".to_owned(), value: 0.0 });
    }
    picture.finish();
    let page = render(&report, &picture, None).expect("a page");
    assert!(page.contains("metadata-lock queue<small>≤ 7</small>") && page.contains("data-most=\"7\""));
    assert!(page.contains("nobody stood in it: row-lock queue."));
    assert!(!page.contains("<span class=\"label\">metadata-lock queue</span>"));
}

#[test]
fn texts_of_others_stay_texts() {
    let hostile = "</script><img src=x onerror=alert(1)>\"'`&";
    let mut report = zdz();
    report.name = hostile.to_owned();
    report.about = hostile.to_owned();
    for statement in &mut report.statements {
        statement.name = Some(hostile.to_owned());
        statement.text = hostile.to_owned();
        statement.origin = hostile.to_owned();
        for way in &mut statement.alternatives {
            way.title = hostile.to_owned();
            way.script = vec![hostile.to_owned()];
            way.caveats = vec![hostile.to_owned()];
        }
    }
    for finding in &mut report.findings {
        finding.message = hostile.to_owned();
    }
    for table in &mut report.tables {
        table.schema_diff = format!("+{hostile}\n");
        table.name = TableName::new("a", hostile);
    }
    let mut picture = timeline(&report);
    let table = TableName::new(hostile, hostile);
    picture.add(Entry::Probe { at: 3.0, seconds: 1.0, table, probe: ProbeKind::Read, error: 0 });
    picture.add(Entry::Sample { at: 1.0, series: hostile.to_owned(), value: 1.0 });
    picture.add(Entry::Sample { at: 2.0, series: hostile.to_owned(), value: 2.0 });
    picture.finish();
    let page = render(&report, &picture, None).expect("a page");
    assert!(!page.contains("<img"), "markup of others");
    assert_eq!(page.matches("</script>").count(), 1, "the page's own script, and no other");
    assert!(page.contains("&lt;/script&gt;") || page.contains("&#60;/script&#62;"), "the text is there, as text");
}

#[test]
fn five_thousand_statements_are_all_there_and_the_dull_ones_folded() {
    let mut report = zdz();
    let pattern = report.statements[0].clone();
    let loud = report
        .statements
        .iter()
        .find(|one| one.name.as_deref() == Some("tracking-delete"))
        .cloned()
        .expect("the DELETE");
    let mut picture = Picture::default();
    report.statements = (1..=5_000_u32)
        .map(|number| {
            let mut one = if number % 100 == 0 { loud.clone() } else { pattern.clone() };
            (one.id, one.name) = (format!("s{number}"), None);
            one.last_id.clone_from(&one.id);
            one.alternatives.clear();
            one
        })
        .collect();
    report.findings.clear();
    picture.clone_from(&Picture::of(&report));
    for number in 1..=5_000_u32 {
        let at = f64::from(number);
        picture.add(Entry::Statement { at, seconds: 0.9, statement: format!("s{number}"), outcome: "done".to_owned() });
    }
    picture.finish();
    let page = render(&report, &picture, None).expect("a page");
    assert_eq!(page.matches("<details class=\"statement").count(), 5_000);
    assert_eq!(page.matches("<details class=\"statement plain\"").count(), 4_950);
    assert!(page.contains("class=\"list folded\"") && page.contains("Show the 4950"));
    assert!(page.contains("id=\"s4999\"") && page.len() < 12_000_000, "{} bytes", page.len());
}

#[test]
fn without_a_time_line_the_page_is_whole() {
    let mut report = zdz();
    report.phases.clear();
    let page = render(&report, &Picture::default(), None).expect("a page");
    assert!(!page.contains("id=\"timeline\"") && page.contains("id=\"statements\""));
}

//! What a person edits stays or is refused, on a small plan whose scripts all ran.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::evidence::{Evidence, Read, Written};
use super::*;
use crate::advise::record::Findings;
use crate::advise::specimen::{Specimen, flavor, shop, trial};
use crate::artifact::{parse_yaml, to_yaml};
use crate::plan::record::{Rehearsed, ScriptPhase};
use crate::plan::restored::Restored;
use crate::plan::{Input, Said, draft, render};

/// A table emptied by a swap, after one ALTER and before an UPDATE; all of the plan ran.
fn evidence() -> Evidence {
    let mut specimen = Specimen::of(
        "ALTER TABLE orders ADD COLUMN note int; DELETE FROM page_views; UPDATE orders SET status = 'x' WHERE id = 1",
    )
    .changes(2, 9_000_000, 50.0);
    specimen.loud.observations[1].statement.name = Some("tracking-delete".to_owned());
    specimen.changes.get_mut(&shop("page_views")).expect("the table").rows_before = Some(9_000_000);
    let original = specimen.loud.observations[1].clone();
    specimen.trials = ["swap", "truncate", "batches"].map(|id| trial(&original, id, 0.3, 0.1)).to_vec();
    specimen.trials[0].chosen = true;
    specimen.trials[1].proof.same_result = false;
    specimen.trials[1].proof.differences = vec!["AUTO_INCREMENT is 1 instead of 9000001".to_owned()];
    let mut refused = specimen.trials[0].alternative.clone();
    (refused.id, refused.eligible, refused.reason) =
        ("survivors".to_owned(), false, Some("no condition says which rows stay".to_owned()));
    let said = |seen: &crate::replay::record::Observation| {
        let (statement, database) = (seen.statement.clone(), "shop".to_owned());
        (statement.id.clone(), Said { statement, database, preamble: Ok(Vec::new()) })
    };
    let statements: BTreeMap<String, Said> = specimen.loud.observations.iter().map(said).collect();
    let (findings, not_carried) = (Findings::default(), BTreeMap::new());
    let input = Input {
        name: "an upgrade",
        rehearsed: "2026-11-20",
        flavor: flavor(),
        version: "9.7.4",
        scale: 1.0,
        database: "shop",
        not_carried: &not_carried,
        upgrade_digest: "0123456789abcdef",
        upgrade_statements: 3,
        schema_digest: "feed",
        survey: &specimen.survey,
        changes: &specimen.changes,
        loud: &specimen.loud.observations,
        quiet: &[],
        trials: &specimen.trials,
        drills: &[],
        findings: &findings,
        statements: &statements,
    };
    let mut plan = draft(&input).expect("a plan");
    for path in plan.scripts.iter().map(|script| script.path.clone()).collect::<Vec<_>>() {
        let at = "2026-11-20T20:14:52.7Z".to_owned();
        plan.mark(&path, Rehearsed { at, seconds: 0.2, outcome: "done".to_owned(), ok: true, ..Rehearsed::default() });
    }
    let at = "2026-11-20T20:14:52.7Z".to_owned();
    for backup in &mut plan.backups {
        backup.restored =
            Some(Restored { at: at.clone(), seconds: 0.3, same: true, differences: Vec::new(), bytes: None });
    }
    plan.trouble.push("The undo does not bring everything back: shop.orders: 6 rows instead of 3.".to_owned());
    let nobodys = Edits::default();
    let text = serde_json::to_string(&Written::of(&input, &[refused], &plan, &nobodys)).expect("JSON");
    assert!(!text.contains("\"text\":\"ALTER TABLE orders"), "the upgrade's texts stay in upgrade.sql");
    let texts = statements.iter().map(|(id, said)| (id.clone(), said.statement.clone())).collect();
    let read: Read = serde_json::from_str(&text).expect("what was written");
    let evidence = read.complete(specimen.survey.clone(), &texts, statements.clone()).expect("all texts");
    assert_eq!(last_written(&evidence).expect("a plan"), plan, "drafting again gives the plan that was rehearsed");
    evidence
}

fn written(evidence: &Evidence) -> (Plan, Value) {
    let plan = last_written(evidence).expect("a plan");
    let value = parse_yaml(&to_yaml(&plan).expect("YAML")).expect("a document");
    (plan, value)
}

/// Drafts again after an edit, and remembers what was accepted.
fn edited(evidence: &mut Evidence, edit: impl FnOnce(&mut Value)) -> Redraft {
    let (plan, mut value) = written(evidence);
    edit(&mut value);
    let redraft = redraft(evidence, &plan, &value).unwrap_or_else(|refused| panic!("{refused:?}"));
    evidence.accepted = redraft.edits.clone();
    assert_eq!(last_written(evidence).expect("a plan"), redraft.plan, "the next time begins where this one ended");
    redraft
}

fn refused(edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let evidence = evidence();
    let (plan, mut value) = written(&evidence);
    edit(&mut value);
    match redraft(&evidence, &plan, &value) {
        Ok(_) => panic!("it was taken over"),
        Err(refused) => refused.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn nothing_edited_is_nothing_changed() {
    let mut evidence = evidence();
    let before = written(&evidence).0;
    let after = edited(&mut evidence, |_| {});
    assert_eq!(after.plan, before);
    assert_eq!(after.kept, Vec::<String>::new());
}

#[test]
fn another_way_is_drafted_and_says_that_it_did_not_run_as_a_part_of_the_plan() {
    let mut evidence = evidence();
    let after = edited(&mut evidence, |plan| plan["choices"]["tracking-delete"] = json!("batches")).plan;
    assert_eq!(after.choices["tracking-delete"], "batches");
    assert_eq!(after.steps[1].body.instead.as_deref(), Some("batches"));
    assert!(
        after.blockers.iter().any(|line| line.contains("--choose tracking-delete=batches")),
        "{:?}",
        after.blockers
    );
    assert!(after.blockers.iter().any(|line| line.contains("was not restored in the sandbox")), "{:?}", after.blockers);
    for script in &after.scripts {
        let is_new = script.step.as_deref() == Some("step-002") || script.phase == ScriptPhase::Preflight;
        // A clean-up's script names its number, which may be another one now.
        if script.phase != ScriptPhase::Cleanup {
            assert_eq!(script.rehearsed.is_none(), is_new, "{}", script.path);
        }
    }
    assert!(after.trouble.iter().any(|line| line.contains("does not bring everything back")), "what was noted stays");
    let files = render::files(&after).expect("files");
    let page = &files.iter().find(|(path, _)| path == "plan.md").expect("a page").1;
    assert!(page.contains("Do not carry this plan out") && page.contains("NOT RUN"), "{page}");
    let back = edited(&mut evidence, |plan| plan["choices"] = json!({"s2": "swap"})).plan;
    assert_eq!(back.blockers, Vec::<String>::new(), "what was rehearsed needs no second rehearsal");
    assert!(back.scripts.iter().all(|script| script.rehearsed.is_some()));
    let written = edited(&mut evidence, |plan| plan["choices"]["tracking-delete"] = json!("as-written")).plan;
    assert_eq!(written.steps[1].body.instead, None);
}

#[test]
fn what_a_person_wrote_survives_other_choices_and_the_next_time() {
    let mut evidence = evidence();
    edited(&mut evidence, |plan| {
        plan["sign_off"] = json!(["Written by Ada"]);
        plan["steps"][1]["know"] = json!(["The nightly report reads it at 02:00."]);
        plan["steps"][1]["guard"]["settings"][0] = json!("SET SESSION lock_wait_timeout = 2");
        plan["steps"][2]["guard"]["watch"] =
            json!([{"what": "The queue", "query": "SELECT COUNT(*) FROM shop.orders"}]);
        plan["trouble"].as_array_mut().expect("a list").push(json!("Call Grace."));
    });
    let after = edited(&mut evidence, |plan| plan["choices"]["tracking-delete"] = json!("batches"));
    assert_eq!(
        after.kept,
        [
            "choices.tracking-delete: batches instead of swap",
            "sign_off: as edited",
            "trouble: as edited",
            "the step of s2, know: as edited",
            "the step of s2, guard.settings: as edited",
            "the step of s3, guard.watch: as edited"
        ]
    );
    let plan = after.plan;
    assert_eq!(plan.sign_off, ["Written by Ada"]);
    assert!(plan.steps[1].body.know.contains(&"The nightly report reads it at 02:00.".to_owned()));
    assert!(
        plan.steps[1].body.know.len() > 1,
        "the other way's own caveats are there, too: {:?}",
        plan.steps[1].body.know
    );
    let settings = &plan.steps[1].body.guard.settings;
    assert!(settings.contains(&"SET SESSION lock_wait_timeout = 2".to_owned()), "{settings:?}");
    assert!(!settings.contains(&"SET SESSION lock_wait_timeout = 5".to_owned()), "{settings:?}");
    assert_eq!(plan.trouble.last().map(String::as_str), Some("Call Grace."));
}

#[test]
fn a_guard_is_edited_in_its_script_too_and_the_script_counts_as_rehearsed() {
    let plan = edited(&mut evidence(), |plan| {
        plan["steps"][0]["guard"]["settings"][0] = json!("SET SESSION lock_wait_timeout = 2");
    })
    .plan;
    let script = plan.scripts_of("step-001").find(|script| script.phase == ScriptPhase::Step).expect("a step");
    assert!(
        script.sql.contains("lock_wait_timeout = 2") && !script.sql.contains("lock_wait_timeout = 5"),
        "{}",
        script.sql
    );
    let rehearsed = script.rehearsed.as_ref().expect("it ran");
    assert!(rehearsed.ok && rehearsed.outcome == "done, before its guard was edited", "{rehearsed:?}");
}

#[test]
fn what_is_not_a_persons_to_change_is_refused_with_its_path() {
    let lines = refused(|plan| {
        plan["choices"]["tracking-delete"] = json!("batches");
        plan["steps"][0]["tasks"][0]["sql"] = json!("ALTER TABLE orders ADD COLUMN note text");
        plan["scripts"][1]["sql"] = json!("SELECT 1");
        plan["scripts"][2]["rehearsed"] = json!(null);
        plan["identity"]["version"] = json!("8.0");
        plan["steps"][0]["kow"] = json!(["a misspelt key"]);
    });
    let has = |part: &str| assert!(lines.iter().any(|line| line.contains(part)), "{part} is missing in {lines:#?}");
    has("steps[0].tasks[0].sql: this SQL was changed by hand");
    has("scripts[1].sql: this SQL was changed by hand");
    has("scripts[2].rehearsed: only a rehearsal says what ran");
    has("identity.version: it says what was rehearsed");
    has("steps[0].kow: unknown key `kow`; did you mean `know`?");
    assert_eq!(lines.len(), 5, "{lines:#?}");
}

#[test]
fn a_way_that_did_not_run_or_leaves_something_else_is_refused() {
    let of = |name: &str, way: &str| refused(|plan| plan["choices"][name] = json!(way)).join("\n");
    assert_eq!(
        of("tracking-delete", "truncate"),
        "choices.tracking-delete: truncate: it does not leave the same: AUTO_INCREMENT is 1 instead of 9000001"
    );
    assert_eq!(
        of("tracking-delete", "survivors"),
        "choices.tracking-delete: survivors: it was not rehearsed: no condition says which rows stay"
    );
    assert_eq!(
        of("tracking-delete", "batchs"),
        "choices.tracking-delete: batchs: it was not rehearsed; what ran: swap, truncate, batches, as-written; did you mean batches?"
    );
    assert!(of("traking-delete", "batches").ends_with("did you mean tracking-delete?"));
    assert!(of("s1", "batches").contains("what ran: as-written"));
}

#[test]
fn steps_stay_in_their_order_and_all_of_them() {
    let order = refused(|plan| plan["steps"].as_array_mut().expect("steps").swap(0, 2));
    assert!(order[0].contains("the order of the steps"), "{order:?}");
    let fewer = refused(|plan| {
        plan["steps"].as_array_mut().expect("steps").remove(0);
    });
    assert!(fewer[0].contains("step-001 was taken out"), "{fewer:?}");
}

#[test]
fn a_guard_sets_time_outs_and_a_watch_looks() {
    let setting = |text: &str| {
        refused(|plan| plan["steps"][2]["guard"]["settings"].as_array_mut().expect("a list").push(json!(text)))
            .join("\n")
    };
    assert!(setting("SET SESSION foreign_key_checks = 0").contains("may change what the step does"));
    assert!(setting("DROP TABLE orders").contains("is no `SET SESSION name = value`"));
    assert!(setting("SET SESSION lock_wait_timeout = 0").contains("above 0"));
    assert!(setting("SET SESSION lock_wait_timeout = 3").contains("set twice"));
    let none = refused(|plan| plan["steps"][0]["guard"]["settings"] = json!([]));
    assert!(none[0].contains("without lock_wait_timeout"), "{none:?}");
    let watch = refused(|plan| {
        plan["steps"][2]["guard"]["watch"] = json!([{"what": "x", "query": "SELECT * FROM shop.orders FOR UPDATE"}]);
    });
    assert!(watch[0].contains("a watch only looks"), "{watch:?}");
}

#[test]
fn a_clean_up_that_another_choice_takes_away_takes_no_edit_along() {
    let at = |plan: &Value| {
        let items = plan["cleanup"].as_array().expect("a list");
        items
            .iter()
            .position(|item| item["table"].as_str().is_some_and(|name| name.contains("_old_")))
            .expect("a kept table")
    };
    let mut evidence = evidence();
    let kept = edited(&mut evidence, |plan| {
        let place = at(plan);
        plan["cleanup"][place]["when"] = json!("after the audit of March");
    });
    let script = kept.plan.scripts.iter().find(|script| script.when == "after the audit of March");
    assert!(script.is_some_and(|script| script.rehearsed.is_some()), "{:?}", kept.kept);
    let (plan, mut value) = written(&evidence);
    value["choices"]["tracking-delete"] = json!("as-written");
    let refused = redraft(&evidence, &plan, &value).expect_err("it has no place");
    assert!(refused[0].why.contains("take it back"), "{refused:?}");
}

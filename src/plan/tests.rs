//! What a plan must hold, on small upgrades drafted by hand.

use std::collections::BTreeMap;

use serde_json::json;

use super::loss::{self, Loss};
use super::record::{Backup, Plan, Rehearsed, ScriptPhase, Way};
use super::step::Step;
use super::{Input, Said, draft, render};
use crate::advise::record::Findings;
use crate::advise::specimen::{Specimen, flavor, shop, trial};
use crate::artifact::{parse_yaml, to_yaml};

fn plan_of(specimen: &Specimen) -> Plan {
    let said = |seen: &crate::replay::record::Observation| {
        let (statement, database) = (seen.statement.clone(), "shop".to_owned());
        (statement.id.clone(), Said { statement, database, preamble: Ok(Vec::new()) })
    };
    let statements: BTreeMap<String, Said> = specimen.loud.observations.iter().map(said).collect();
    draft(&Input {
        name: "an upgrade",
        rehearsed: "2026-11-20",
        flavor: flavor(),
        version: "9.7.4",
        scale: 1.0,
        upgrade_digest: "0123456789abcdef",
        upgrade_statements: statements.len() as u64,
        schema_digest: "feed",
        survey: &specimen.survey,
        changes: &specimen.changes,
        loud: &specimen.loud.observations,
        quiet: &[],
        trials: &specimen.trials,
        findings: &Findings::default(),
        statements: &statements,
    })
    .expect("a plan")
}

fn sql(plan: &Plan, phase: ScriptPhase) -> String {
    plan.scripts
        .iter()
        .filter(|script| script.phase == phase && script.step.is_some())
        .map(|one| one.sql.as_str())
        .collect()
}

/// Page views with a column that counts up, one of an awkward name, one invisible and one generated.
fn awkward(text: &str) -> Specimen {
    let mut specimen = Specimen::of(text);
    let facts = specimen.survey.tables.get_mut(&shop("page_views")).expect("the table");
    let column = |name: &str| json!({"name": name, "data_type": "int", "column_type": "int", "nullable": true});
    let more = [("we`ird", None, None), ("hidden", Some(true), None), ("twice", None, Some("id * 2"))];
    for (name, invisible, generated) in more {
        let mut facts_of = column(name);
        facts_of["invisible"] = json!(invisible.unwrap_or_default());
        facts_of["generated"] = json!(generated);
        facts.columns.push(serde_json::from_value(facts_of).expect("a column"));
    }
    specimen
}

const COLUMNS: &str = "`id`, `user_id`, `url`, `created_at`, `we``ird`, `hidden`";

#[test]
fn a_copy_lists_its_columns_with_invisible_ones_and_without_generated_ones() {
    let plan = plan_of(&awkward("DELETE FROM page_views WHERE user_id = 7").changes(1, 3, 0.1));
    assert_eq!(plan.blockers, Vec::<String>::new());
    assert!(
        sql(&plan, ScriptPhase::Backup)
            .contains("CREATE TABLE `shop`.`rehearse_001_page_views` LIKE `shop`.`page_views`;")
    );
    let step = sql(&plan, ScriptPhase::Step);
    let copies = format!(
        "INSERT INTO `shop`.`rehearse_001_page_views` ({COLUMNS})\n    SELECT {COLUMNS} FROM page_views\n    WHERE user_id = 7 FOR UPDATE;"
    );
    assert!(step.contains(&copies), "{step}");
    assert!(!step.contains("`twice`") && !step.contains('*'), "{step}");
    let at = |what: &str| step.find(what).unwrap_or_else(|| panic!("{what} is missing in\n{step}"));
    assert!(at("NO_AUTO_VALUE_ON_ZERO") < at("CREATE PROCEDURE"), "a procedure keeps the mode it was made in");
    assert!(at("START TRANSACTION") < at("INSERT INTO") && at("INSERT INTO") < at("DELETE FROM page_views"));
    assert!(
        at("IF rehearse_copied <> rehearse_changed") < at("COMMIT"),
        "a DELETE takes what was kept, no more, no less"
    );
}

#[test]
fn an_undo_puts_back_what_is_missing_and_keeps_a_zero_in_a_counting_column() {
    let plan = plan_of(&awkward("DELETE FROM page_views WHERE user_id = 7").changes(1, 3, 0.1));
    let undo = sql(&plan, ScriptPhase::Undo);
    assert!(undo.contains("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';"), "{undo}");
    assert!(undo.contains(&format!("INSERT INTO `shop`.`page_views` ({COLUMNS}) SELECT b.`id`,")), "{undo}");
    assert!(undo.contains("LEFT JOIN `shop`.`page_views` AS t ON t.`id` = b.`id` WHERE t.`id` IS NULL"), "{undo}");
}

#[test]
fn an_update_is_undone_by_key_and_only_where_it_wrote() {
    let plan = plan_of(&awkward("UPDATE page_views SET url = 'x' WHERE user_id = 7").changes(1, 3, 0.1));
    let step = sql(&plan, ScriptPhase::Step);
    assert!(step.contains("IF rehearse_copied < rehearse_changed"), "a row that already had the value is kept too");
    let undo = sql(&plan, ScriptPhase::Undo);
    assert!(
        undo.contains("JOIN `shop`.`rehearse_001_page_views` AS b ON t.`id` = b.`id` SET t.`url` = b.`url`;"),
        "{undo}"
    );
}

#[test]
fn in_a_transaction_rows_are_kept_before_it() {
    let mut specimen = awkward("BEGIN; DELETE FROM page_views WHERE user_id = 7; COMMIT").changes(2, 3, 0.1);
    for seen in &mut specimen.loud.observations {
        seen.transaction = Some(1);
    }
    let plan = plan_of(&specimen);
    assert_eq!(plan.steps.len(), 1, "a transaction is one step");
    assert_eq!(plan.blockers, Vec::<String>::new());
    let backup = sql(&plan, ScriptPhase::Backup);
    assert!(
        backup.contains(&format!("INSERT INTO `shop`.`rehearse_001_page_views` ({COLUMNS})")),
        "no empty copy: {backup}"
    );
    assert!(sql(&plan, ScriptPhase::Undo).contains("FROM `shop`.`rehearse_001_page_views`"));
}

#[test]
fn of_look_alikes_rows_are_kept_before_them() {
    let mut specimen = awkward("DELETE FROM page_views WHERE user_id = 7");
    specimen.loud.observations[0].count = 3;
    specimen.loud.observations[0].last_id = "s3".to_owned();
    let plan = plan_of(&specimen);
    assert!(sql(&plan, ScriptPhase::Backup).contains("INSERT INTO `shop`.`rehearse_001_page_views` ("));
    assert!(plan.blockers.iter().any(|blocker| blocker.contains("stands for 3 statements")), "{:?}", plan.blockers);
}

#[test]
fn a_swap_goes_back_by_name_and_merges_what_was_written_since() {
    let mut specimen = awkward("DELETE FROM page_views").changes(1, 9_000_000, 50.0);
    let mut swap = trial(&specimen.loud.observations[0], "swap", 0.1, 0.0);
    swap.chosen = true;
    specimen.trials.push(swap);
    let plan = plan_of(&specimen);
    assert!(matches!(plan.backups[0].way, Way::KeptTable { .. }), "{:?}", plan.backups);
    let undo = sql(&plan, ScriptPhase::Undo);
    let (rename, merge) =
        (undo.find("RENAME TABLE `shop`.`page_views` TO"), undo.find("INSERT INTO `shop`.`page_views`"));
    assert!(rename.is_some() && rename < merge, "{undo}");
    assert!(plan.steps[0].body.undo.limit.starts_with("until the first write"), "{}", plan.steps[0].body.undo.limit);
}

#[test]
fn a_guard_gives_up_soon() {
    let plan =
        plan_of(&Specimen::of("ALTER TABLE orders ADD COLUMN note int; UPDATE orders SET status = 'x' WHERE id = 1"));
    let settings: Vec<String> = plan.steps.iter().map(|step| step.body.guard.settings.join("; ")).collect();
    assert_eq!(settings[0], "SET SESSION lock_wait_timeout = 5");
    assert_eq!(settings[1], "SET SESSION lock_wait_timeout = 5; SET SESSION innodb_lock_wait_timeout = 10");
}

#[test]
fn what_destroys_is_refused_without_its_cover() {
    let plan = plan_of(&Specimen::of("DELETE FROM page_views WHERE user_id = 7"));
    let body = plan.steps[0].body.clone();
    let lost = Loss::Rows { table: shop("page_views") };
    let destruction = || loss::class(vec![lost.clone()]).expect("a loss");
    let why = Step::destructive(body.clone(), destruction(), Vec::new()).expect_err("no cover");
    assert_eq!(why, "step-001 destroys rows of shop.page_views, and no backup covers it");
    let elsewhere = Backup { of: shop("orders"), ..plan.backups[0].clone() };
    assert_eq!(elsewhere.covering(&lost), None, "another table's backup covers nothing");
    let covered = plan.backups[0].covering(&lost).expect("its own covers it");
    assert!(Step::destructive(body, destruction(), vec![covered]).is_ok());
}

#[test]
fn a_plan_is_read_back_as_it_was_and_not_without_its_backups() {
    let plan = plan_of(&awkward("DELETE FROM page_views WHERE user_id = 7; ALTER TABLE orders ADD COLUMN note int"));
    let text = to_yaml(&plan).expect("YAML");
    assert_eq!(parse_yaml::<Plan>(&text).expect("the same plan"), plan);
    let mut bare: serde_json::Value = serde_json::to_value(&plan).expect("JSON");
    bare["backups"] = json!([]);
    let why = serde_json::from_value::<Plan>(bare).expect_err("a step without its backup").to_string();
    assert!(why.contains("no backup covers it"), "{why}");
}

#[test]
fn each_script_says_whether_it_ran_and_how_long() {
    let mut plan = plan_of(&Specimen::of("ALTER TABLE orders ADD COLUMN note int"));
    plan.scripts[0].rehearsed =
        Some(Rehearsed { at: "2026-11-20T20:14:52.7Z".to_owned(), seconds: 0.2, outcome: "done".to_owned(), ok: true });
    let files = render::files(&plan).expect("files");
    let scripts: Vec<&(String, String)> = files.iter().filter(|(path, _)| path.ends_with(".sql")).collect();
    assert!(
        scripts[0].1.contains("-- Rehearsed: ran in the sandbox in 0.20 s (2026-11-20 20:14 UTC)."),
        "{}",
        scripts[0].1
    );
    assert!(scripts[1..].iter().all(|(_, sql)| sql.contains("-- Rehearsed: NOT RUN in the sandbox.")));
}

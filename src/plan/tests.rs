//! What a plan must hold, on small upgrades drafted by hand.

use std::collections::BTreeMap;

use serde_json::json;

use super::loss::{self, Loss};
use super::record::{Backup, Plan, Rehearsed, ScriptPhase, Way};
use super::restored::Restored;
use super::step::Step;
use super::{Input, Said, draft, render};
use crate::advise::record::Findings;
use crate::advise::specimen::{Specimen, flavor, shop, trial};
use crate::artifact::{parse_yaml, to_yaml};
use crate::replay::group::fold;
use crate::replay::record::Observation;

pub(super) fn plan_of(specimen: &Specimen) -> Plan {
    planned(specimen, &specimen.loud.observations)
}

/// The plan of a specimen whose observations were folded to `loud`.
fn planned(specimen: &Specimen, loud: &[Observation]) -> Plan {
    let said = |seen: &Observation| {
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
        database: "shop",
        not_carried: &BTreeMap::new(),
        upgrade_digest: "0123456789abcdef",
        upgrade_statements: statements.len() as u64,
        schema_digest: "feed",
        survey: &specimen.survey,
        changes: &specimen.changes,
        loud,
        quiet: &[],
        trials: &specimen.trials,
        drills: &specimen.drills,
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
    assert!(at("CREATE PROCEDURE") < at("sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"), "only for the copy");
    assert!(
        at("sql_mode = rehearse_mode") < at("    DELETE FROM page_views"),
        "the statement has its own mode: {step}"
    );
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
    assert!(undo.contains("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"), "{undo}");
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

/// What the upgrade did, look-alikes (here: of the same verb) folded as in an upgrade of many statements.
fn folded(specimen: &mut Specimen) -> Vec<Observation> {
    let mut all: Vec<Observation> = Vec::new();
    for seen in &mut specimen.loud.observations {
        seen.statement.digest = seen.statement.text[..6].to_owned();
        match all.iter_mut().find(|earlier| earlier.statement.digest == seen.statement.digest) {
            Some(group) => fold(group, seen.clone()),
            None => all.push(seen.clone()),
        }
    }
    all
}

#[test]
fn of_thousands_of_look_alikes_each_is_in_the_plan() {
    let many: Vec<String> =
        (1..=2_500).map(|id| format!("UPDATE orders SET status = 's{id}' WHERE id = {id}")).collect();
    let mut specimen = Specimen::of(&many.join(";"));
    let loud = folded(&mut specimen);
    assert_eq!(loud.len(), 1);
    let plan = planned(&specimen, &loud);
    assert_eq!(plan.blockers, Vec::<String>::new());
    let step = sql(&plan, ScriptPhase::Step);
    assert!(step.contains("'s1'") && step.contains("'s2500'"), "the last of them, too");
    assert_eq!(plan.steps[0].body.tasks.len(), 2_500);
}

#[test]
fn look_alikes_with_others_between_them_are_no_plan() {
    let text = "UPDATE orders SET status = 'x' WHERE id = 1; DELETE FROM page_views WHERE user_id = 1; \
                UPDATE orders SET status = 'y' WHERE id = 2; DELETE FROM page_views WHERE user_id = 2";
    let mut specimen = Specimen::of(text);
    let loud = folded(&mut specimen);
    let plan = planned(&specimen, &loud);
    let spoken = plan.blockers.iter().filter(|blocker| blocker.contains("others stand between them")).count();
    assert_eq!(spoken, 2, "{:?}", plan.blockers);
    assert_eq!(plan_of(&specimen).blockers, Vec::<String>::new(), "each by itself is as it was");
}

#[test]
fn a_swap_goes_back_by_name_and_merges_what_was_written_since() {
    let mut specimen = awkward("DELETE FROM page_views").changes(1, 9_000_000, 50.0);
    let mut swap = trial(&specimen.loud.observations[0], "swap", 0.1, 0.0);
    swap.chosen = true;
    specimen.trials.push(swap);
    let plan = plan_of(&specimen);
    assert!(matches!(plan.backups[0].way, Way::KeptTable { .. }), "{:?}", plan.backups);
    let (undo, merge) = (sql(&plan, ScriptPhase::Undo), sql(&plan, ScriptPhase::Merge));
    assert!(undo.contains("RENAME TABLE `shop`.`page_views` TO") && !undo.contains("INSERT"), "{undo}");
    assert!(merge.contains("INSERT INTO `shop`.`page_views` (`id`,"), "explicit columns: {merge}");
    assert!(merge.contains("keys_of_both_with_other_values"), "what both hold is counted: {merge}");
    let path = &plan.scripts.iter().find(|script| script.phase == ScriptPhase::Merge).expect("a merge").path;
    assert_eq!(path, "plan/81-001-merge-s1.sql");
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
fn the_preflight_names_room_limits_privileges_and_each_replica() {
    let mut specimen = Specimen::of("DELETE FROM page_views WHERE user_id = 7; ALTER TABLE orders ADD COLUMN note int")
        .changes(1, 3, 0.1);
    specimen.loud.observations[0].footprint.binlog_bytes = Some(100 << 20);
    specimen.loud.observations[1].ddl =
        Some(serde_json::from_value(json!({"algorithm": "copy", "rebuilds": true, "lock": null})).expect("facts"));
    specimen.survey.server.settings.insert("sql_mode".into(), "ANSI_QUOTES".into());
    let plan = plan_of(&specimen);
    assert_eq!(plan.demands.len(), 2);
    assert_eq!(plan.demands[0].transaction_bytes, Some(200 << 20), "the rows that are kept are in it too");
    assert_eq!(plan.demands[1].rebuilds, [shop("orders")].into());
    assert_eq!(plan.demands[0].copies.keys().collect::<Vec<_>>(), [&shop("page_views")]);
    let expect = |id: &str| {
        plan.preflight.iter().find(|check| check.id == id).map(|check| check.expect.as_str()).unwrap_or_default()
    };
    assert!(expect("limits").starts_with("max_binlog_cache_size, group_replication_transaction_size_limit, wsrep_max_ws_size: more than 200.0 MiB (step-001)"), "{}", expect("limits"));
    assert!(expect("free-disk").contains("the binary log's directory: 200.0 MiB free"), "{}", expect("free-disk"));
    assert!(expect("privileges").contains("step-002: ALTER on shop.orders"), "{}", expect("privileges"));
    assert!(expect("privileges").contains("INSERT on shop.rehearse_001_page_views"), "{}", expect("privileges"));
    assert!(expect("settings").starts_with("no row: "), "{}", expect("settings"));
    let readers = plan.preflight.iter().find(|check| check.id == "replica-readers").expect("a check");
    assert!(
        readers
            .command
            .as_ref()
            .is_some_and(|command| command.contains("innodb_trx") && command.contains("SHOW REPLICA STATUS"))
    );
    let preflight = plan.scripts.iter().find(|script| script.phase == ScriptPhase::Preflight).expect("a script");
    assert!(
        preflight.sql.contains("variable_name = 'sql_mode' AND variable_value <> 'ANSI_QUOTES'"),
        "{}",
        preflight.sql
    );
}

#[test]
fn each_script_says_whether_it_ran_and_how_long() {
    let mut plan = plan_of(&Specimen::of("ALTER TABLE orders ADD COLUMN note int"));
    plan.scripts[0].rehearsed = Some(Rehearsed {
        at: "2026-11-20T20:14:52.7Z".to_owned(),
        seconds: 0.2,
        outcome: "done".to_owned(),
        ok: true,
        ..Rehearsed::default()
    });
    let files = render::files(&plan).expect("files");
    let scripts: Vec<&(String, String)> = files.iter().filter(|(path, _)| path.ends_with(".sql")).collect();
    assert!(
        scripts[0].1.contains("-- Rehearsed: ran in the sandbox in 0.20 s (2026-11-20 20:14 UTC)."),
        "{}",
        scripts[0].1
    );
    assert!(scripts[1..].iter().all(|(_, sql)| sql.contains("-- Rehearsed: NOT RUN in the sandbox.")));
}

#[test]
fn batches_over_a_key_of_several_columns_are_walked_column_by_column() {
    let mut specimen = Specimen::of("DELETE FROM page_views WHERE user_id > 7").changes(1, 8_000_000, 60.0);
    specimen.changes.get_mut(&shop("page_views")).expect("the table").rows_before = Some(9_000_000);
    let facts = specimen.survey.tables.get_mut(&shop("page_views")).expect("the table");
    let second = serde_json::from_value(json!({"name": "url"})).expect("a part");
    facts.indexes[0].columns.push(second);
    let url = facts.columns.iter_mut().find(|column| column.name == "url").expect("a column");
    url.column_type = "varchar(40)".to_owned();
    (url.charset, url.collation) = (Some("latin1".to_owned()), Some("latin1_bin".to_owned()));
    let original = specimen.loud.observations[0].clone();
    let mut tried = trial(&original, "batches", 90.0, 0.1);
    let crate::sql::record::Action::Walk(walk) = &mut tried.alternative.actions[0] else { panic!("no walk") };
    walk.key = vec!["id".to_owned(), "url".to_owned()];
    tried.chosen = true;
    specimen.trials = vec![tried];
    let plan = plan_of(&specimen);
    assert_eq!(plan.blockers, Vec::<String>::new());
    let step = sql(&plan, ScriptPhase::Step);
    for part in [
        "DECLARE rehearse_from_2, rehearse_next_2, rehearse_last_2 varchar(40) CHARACTER SET latin1 COLLATE latin1_bin;",
        "(`id` >= rehearse_from_1 AND (`id` > rehearse_from_1 OR `id` = rehearse_from_1 AND `url` >= rehearse_from_2))",
        "(`id` <= rehearse_next_1 AND (`id` < rehearse_next_1 OR `id` = rehearse_next_1 AND `url` < rehearse_next_2))",
        "(`id` <= rehearse_last_1 AND (`id` < rehearse_last_1 OR `id` = rehearse_last_1 AND `url` <= rehearse_last_2))",
        "5,000 rows at a time: about 0.1 s at the rate of the rehearsal.",
        "OFFSET 5000;",
    ] {
        assert!(step.contains(part), "{part}\n{step}");
    }
}

#[test]
fn what_takes_copied_rows_has_no_index_but_its_key() {
    let mut specimen = Specimen::of("DELETE FROM page_views WHERE user_id = 7").changes(1, 3, 0.1);
    let facts = specimen.survey.tables.get_mut(&shop("page_views")).expect("the table");
    for (name, column) in [("by`user", "user_id"), ("counts", "id")] {
        let index = json!({"name": name, "unique": false, "kind": "BTREE", "columns": [{"name": column}]});
        facts.indexes.push(serde_json::from_value(index).expect("an index"));
    }
    facts.columns[0].auto_increment = true;
    let drop = "ALTER TABLE `shop`.`rehearse_001_page_views` DROP INDEX `by``user`;";
    let backup = sql(&plan_of(&specimen), ScriptPhase::Backup);
    assert!(backup.contains(drop), "the counter's index stays, for the server asks for it:\n{backup}");
    specimen.survey.tables.get_mut(&shop("page_views")).expect("the table").indexes.remove(0);
    let backup = sql(&plan_of(&specimen), ScriptPhase::Backup);
    assert!(!backup.contains("DROP INDEX"), "without a primary key they stay:\n{backup}");
}

#[test]
fn a_backup_that_was_not_restored_proves_nothing() {
    let mut plan = plan_of(&Specimen::of("DELETE FROM page_views WHERE user_id = 7"));
    let not_restored = "backup b1 of shop.page_views (step-001) was not restored in the sandbox: nobody knows whether it brings the data back";
    assert_eq!(plan.unproven(), [not_restored]);
    assert_eq!(plan.proven().map(|_| ()), Err(vec![not_restored.to_owned()]), "no type for a plan like that");
    let restored = |same: bool| {
        let differences = if same { Vec::new() } else { vec!["shop.page_views: 3 rows against 2".to_owned()] };
        Some(Restored { at: "2026-11-20T20:14:52Z".to_owned(), seconds: 0.4, same, differences, bytes: None })
    };
    plan.backups[0].restored = restored(true);
    assert_eq!(plan.unproven(), Vec::<String>::new());
    assert_eq!(plan.proven().map(|proven| proven.plan().steps.len()), Ok(plan.steps.len()));
    plan.backups[0].restored = restored(false);
    let not_same =
        "backup b1 of shop.page_views (step-001) does not bring the data back: shop.page_views: 3 rows against 2";
    assert_eq!(plan.unproven(), [not_same]);
    let text = to_yaml(&plan).expect("YAML");
    assert_eq!(parse_yaml::<Plan>(&text).expect("the same plan").unproven(), [not_same], "also when it is read again");
}

#[test]
fn what_nobody_understands_is_dumped_with_a_restore_that_replicates() {
    let plan = plan_of(&Specimen::of("CALL tidy()"));
    let Way::Dump { command } = &plan.backups[0].way else { panic!("{:?}", plan.backups) };
    for flag in ["--set-gtid-purged=OFF", "--single-transaction", "--hex-blob", "--routines", "--add-drop-database"] {
        assert!(command.contains(flag), "{flag}: {command}");
    }
    let restore = plan.scripts.iter().find(|script| script.phase == ScriptPhase::Undo).expect("a restore");
    let shell = restore.shell.as_ref().expect("a command");
    assert_eq!((shell.text.as_str(), shell.input.as_deref()), ("mysql < rehearse-001.sql", Some("rehearse-001.sql")));
    assert!(plan.backups[0].alternatives.iter().all(|one| one.why.contains("not rehearsed")), "{:?}", plan.backups);
}

//! What the page must say, and that it says nothing else than plan.yaml.

use std::fs;
use std::path::Path;

use super::super::tests::plan_of;
use super::page;
use crate::advise::specimen::{Specimen, blocked, trial};
use crate::artifact::{parse_yaml, to_yaml};
use crate::plan::record::{HalfDone, Plan, Rehearsed, Stop};
use crate::watch::record::ProbeKind;

/// All scripts ran.
fn ran(mut plan: Plan) -> Plan {
    for path in plan.scripts.iter().map(|script| script.path.clone()).collect::<Vec<_>>() {
        let at = "2026-11-20T20:14:52.7Z".to_owned();
        plan.mark(&path, Rehearsed { at, seconds: 0.2, outcome: "done".to_owned(), ok: true, ..Rehearsed::default() });
    }
    plan
}

/// A long UPDATE that blocks, and a table that is swapped instead of emptied.
fn plan() -> Plan {
    let mut specimen = Specimen::of("UPDATE orders SET status = 'x' WHERE id > 5; DELETE FROM page_views")
        .changes(1, 1_900_000, 42.0)
        .blocks(1, "orders", ProbeKind::Update, 41.2)
        .changes(2, 9_000_000, 50.0);
    let original = specimen.loud.observations[1].clone();
    specimen.trials = ["swap", "batches"].map(|id| trial(&original, id, 0.3, 0.1)).to_vec();
    specimen.trials[0].chosen = true;
    ran(plan_of(&specimen))
}

#[track_caller]
fn says(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
}

#[test]
fn the_page_is_drawn_from_what_plan_yaml_holds_and_from_nothing_else() {
    let plan = plan();
    let read: Plan = parse_yaml(&to_yaml(&plan).expect("YAML")).expect("the same plan");
    assert_eq!(page(&read), page(&plan));
    let text = page(&plan);
    for script in plan.scripts.iter().filter(|script| script.step.is_some()) {
        says(&text, &[&format!("< {}`", script.path)]);
    }
    for step in &plan.steps {
        let exact = step.body.verify.iter().filter_map(|verify| verify.equals.as_ref());
        says(
            &text,
            &exact
                .map(|equals| format!("expect exactly `{equals}`"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        says(&text, &step.body.guard.stop_when.iter().map(String::as_str).collect::<Vec<_>>());
        says(&text, &step.body.others.iter().map(|other| other.title.as_str()).collect::<Vec<_>>());
    }
    says(&text, &plan.trouble.iter().chain(&plan.sign_off).map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_top_says_what_it_is_true_for_what_it_takes_blocks_and_destroys() {
    let mut plan = plan();
    says(
        &page(&plan),
        &[
            "> **Nothing speaks against it**",
            "| **true for** | mysql:9.7 (9.7.4)",
            "All 12 scripts were run in the sandbox.".replace("12", &plan.scripts.len().to_string()).as_str(),
            "| **takes** | 0.",
            "updates of shop.orders: up to 41.2 s (step 1)",
            "all rows of shop.page_views (step 2; kept in `shop.page_views_old_s2`)",
        ],
    );
    plan.blockers.push("somebody must look at this".to_owned());
    plan.scripts[1].rehearsed = None;
    let text = page(&plan);
    says(
        &text,
        &["Do not carry this plan out", "> - somebody must look at this", "1 were not.**", "NOT RUN in the sandbox"],
    );
}

#[test]
fn each_step_says_what_to_type_when_to_stop_and_how_to_go_back() {
    says(
        &page(&plan()),
        &[
            "- [ ] run: `mysql --defaults-extra-file=production.cnf --show-warnings < plan/20-001-s1-2-step.sql`",
            "- guards, in the script: lock_wait_timeout = 5, innodb_lock_wait_timeout = 10",
            "- **stop when** it has run for 2 min 6 s (in the rehearsal 42.0 s at most)",
            "- **stop when** a request of the application waits longer than 1 min 22 s"
                .replace("1 min 22 s", "82.4 s")
                .as_str(),
            "- throttle: none",
            "- watch: W1, W2 above",
            "  - `batches`: ",
            "  - `as-written`: the statement as it was written",
        ],
    );
}

#[test]
fn a_long_step_has_its_kills_or_says_that_there_were_none() {
    let mut plan = plan();
    says(&page(&plan), &["### Step 1 takes too long", "**Killing this step was not rehearsed.**"]);
    let stop = |at: f64, rollback: f64| Stop {
        step: "step-001".to_owned(),
        at,
        ran_seconds: 42.0 * at,
        rollback_seconds: rollback,
        rest_seconds: 42.0 * (1.0 - at),
        blocked: vec!["updates of shop.orders: up to 30.0 s".to_owned()],
        turn_off: vec![blocked("orders", ProbeKind::Update, 1.0).table],
    };
    plan.stops = vec![stop(0.25, 9.0), stop(0.5, 24.0), stop(0.75, 33.0)];
    says(
        &page(&plan),
        &[
            "| 50 % | 21.0 s | 24.0 s | updates of shop.orders: up to 30.0 s | 21.0 s | what writes to `shop.orders` |",
            "**Point of no return**: between 25 % and 50 % of the work, that is after 10.5 s to 21.0 s",
            "it goes on to block: updates of shop.orders: up to 41.2 s",
        ],
    );
}

#[test]
fn five_thousand_plain_steps_fold_and_what_is_not_plain_stands_out() {
    let mut text: String = (0..600).map(|id| format!("UPDATE orders SET status = '{id}' WHERE id = {id};")).collect();
    text.push_str("ALTER TABLE orders ADD COLUMN note int;");
    text.extend((0..600).map(|id| format!("UPDATE customers SET note = '{id}' WHERE id = {id};")));
    let specimen = Specimen::of(&text).blocks(601, "orders", ProbeKind::Read, 2.0);
    let plan = ran(plan_of(&specimen));
    let text = page(&plan);
    says(
        &text,
        &[
            "| 1 to 600 |",
            "| 601 | ALTER TABLE orders",
            "### 601. ALTER TABLE",
            "### 602 to 1201. 600 short steps",
            "more, each made by the scripts of its step; `plan.yaml` has them all",
        ],
    );
    assert!(text.lines().count() < 300, "{} lines", text.lines().count());
}

#[test]
fn what_was_not_measured_is_said() {
    let mut plan = plan();
    plan.steps[0].body.takes = None;
    plan.scripts.iter_mut().for_each(|script| script.rehearsed = None);
    says(
        &page(&plan),
        &[
            "**not measured**",
            "**None of the",
            "**1 of the steps were not measured**",
            "**no undo was run in the sandbox**",
        ],
    );
}

/// Held to a file, so that a change of the page is seen as a person sees it.
#[test]
fn the_page_is_the_one_that_people_know() {
    let mut plan = plan();
    plan.half_done = vec![
        HalfDone {
            after: "s1".to_owned(),
            up_to: "s1".to_owned(),
            places: 1,
            rerun_safe: false,
            rerun: "fails at s1 with error 1060, having changed nothing".to_owned(),
            instead: "go on at s2: that leaves what it should".to_owned(),
            cleanup: vec!["ALTER TABLE t DROP COLUMN `a|b`".to_owned()],
        },
        HalfDone {
            after: "s2".to_owned(),
            up_to: "s4".to_owned(),
            places: 3,
            rerun_safe: true,
            rerun: "ends well, and leaves what it should".to_owned(),
            instead: String::new(),
            cleanup: Vec::new(),
        },
    ];
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plan/plan.md");
    let seen = page(&plan);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &seen).expect("the golden file can be written");
    }
    let wanted = fs::read_to_string(&file).unwrap_or_default();
    if wanted != seen {
        let diff = similar::TextDiff::from_lines(&wanted, &seen);
        panic!(
            "plan.md has changed (UPDATE_GOLDEN=1 writes it anew):\n{}",
            diff.unified_diff().header("golden", "seen")
        );
    }
}

//! What stands in the way of a plan: a statement that fails, a table that is held, a second apply, a person who stops it, a
//! verification that does not hold.

use std::time::Duration;

use libtest_mimic::Failed;
use mysql_rehearsal::apply::record::{Ending, Options, Phase};
use mysql_rehearsal::apply::target::Target;
use mysql_rehearsal::apply::{begun, carry_out};
use mysql_rehearsal::progress::{Interrupted, Progress, Unit};
use serde_json::{Value, json};

use super::stand::{Stand, filled};

pub fn a_failing_statement(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let tasks = stand.statements(&["BEGIN", "UPDATE sums SET n = 5", "INSERT INTO sums VALUES ('a', 1)", "COMMIT"]);
    let plan = stand
        .plan(&[json!({"tasks": tasks}), json!({"tasks": stand.statements(&["ALTER TABLE t ADD COLUMN n INT"])})])?;
    let summary = stand.apply(&plan, &stand.options())?;
    let Ending::Failed(failed) = &summary.ending else { return Err(format!("{summary:#?}").into()) };
    assert!(failed.unit == "step-001/3" && failed.why.contains("1062"), "{failed:#?}");
    assert_eq!(stand.value("SELECT CAST(n AS CHAR) FROM sums")?, "0", "it was rolled back");
    stand.execute(&["DELETE FROM sums"])?;
    let summary = stand.apply(&plan, &stand.options())?;
    let Ending::Failed(failed) = &summary.ending else { return Err(format!("{summary:#?}").into()) };
    assert!(failed.unit == "step-002/3" && failed.why.contains("1060"), "{failed:#?}");
    stand.execute(&["ALTER TABLE t DROP COLUMN n"])?;
    let summary = stand.apply(&plan, &stand.options())?;
    assert_eq!((summary.ending, summary.before), (Ending::Done, 1), "what had failed is no step half done");
    Ok(())
}

/// What stands between LOCK TABLES and UNLOCK TABLES is committed statement by statement.
pub fn a_failing_statement_under_locks(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let tasks = stand.statements(&[
        "LOCK TABLES t WRITE, sums WRITE",
        "UPDATE t SET n = n + 1 WHERE id = 7",
        "INSERT INTO sums VALUES ('a', 1)",
        "UNLOCK TABLES",
    ]);
    let plan = stand.plan(&[json!({"tasks": tasks})])?;
    for _ in 0..2 {
        let summary = stand.apply(&plan, &stand.options())?;
        let Ending::Stopped(stop) = &summary.ending else { return Err(format!("{summary:#?}").into()) };
        assert!(stop.next.contains("--settled"), "{stop:#?}");
        assert_eq!(stand.value("SELECT CAST(n AS CHAR) FROM t WHERE id = 7")?, "1", "it is not done twice");
    }
    Ok(())
}

/// Rows that today's strictness would not let in are copied as they are, by the one way and the other.
pub fn rows_of_laxer_days(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let db = &stand.database;
    stand.execute(&[
        "CREATE TABLE old (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, day DATE NOT NULL)",
        "CREATE TABLE old_kept LIKE old",
        "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
        "INSERT INTO old VALUES (0, '0000-00-00'), (1, '2024-02-30'), (2, '2024-01-01')",
    ])?;
    let strict = "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'";
    let copy = json!({"into": format!("{db}.old_kept"), "columns": ["id", "day"], "exact": true});
    let mut tasks = stand.statements(&[strict]);
    tasks.push(json!({"kind": "batches", "table": format!("{db}.old"), "key": ["id"], "head": "DELETE FROM old",
                      "condition": "\"id\" < 1", "rows": 10, "pause_seconds": 0.0, "copy": copy}));
    tasks.push(json!({"kind": "kept", "sql": "DELETE FROM old WHERE \"id\" = 1", "factor": "old",
                      "condition": "\"id\" = 1", "copy": copy}));
    tasks.extend(stand.statements(&["INSERT INTO sums SELECT @@SESSION.sql_mode LIKE '%STRICT_TRANS_TABLES%', 1"]));
    let plan = stand.plan(&[json!({"tasks": tasks})])?;
    let summary = stand.apply(&plan, &stand.options())?;
    assert_eq!(summary.ending, Ending::Done, "{summary:#?}");
    let kept = "SELECT GROUP_CONCAT(id, ' ', CAST(day AS CHAR) ORDER BY id) FROM old_kept";
    assert_eq!(stand.value(kept)?, "0 0000-00-00,1 2024-02-30");
    assert_eq!(stand.value("SELECT what FROM sums WHERE n = 1")?, "1", "afterwards it is as strict as before");
    Ok(())
}

pub fn a_held_table(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let plan = stand.plan(&[json!({"tasks": stand.statements(&["ALTER TABLE t ADD COLUMN a INT"])})])?;
    let mut holder = stand.writer()?;
    holder.execute("BEGIN")?;
    holder.first::<(i64,)>("SELECT id FROM t LIMIT 1")?;
    let none = stand.apply(&plan, &Options { retries: 1, ..stand.options() })?;
    let Ending::Failed(failed) = &none.ending else { return Err(format!("{none:#?}").into()) };
    assert!(failed.why.contains("1205") && failed.next.contains("long transactions"), "{failed:#?}");
    assert_eq!(none.retries, 1);
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(2500));
        drop(holder);
    });
    let summary = stand.apply(&plan, &Options { retries: 20, ..stand.options() })?;
    release.join().map_err(|_| "the holder panicked")?;
    assert_eq!(summary.ending, Ending::Done);
    assert!(summary.retries >= 1, "{summary:#?}");
    Ok(())
}

pub fn two_at_once(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let plan = stand.plan(&[json!({"tasks": stand.statements(&["INSERT INTO log (what) SELECT SLEEP(14)"])})])?;
    std::thread::scope(|scope| -> Result<(), Failed> {
        let first =
            scope.spawn(|| stand.apply(&plan, &stand.options()).map_err(|error| error.message().map(str::to_owned)));
        std::thread::sleep(Duration::from_millis(700));
        let second = stand.apply(&plan, &stand.options())?;
        let Ending::Stopped(stop) = &second.ending else { return Err(format!("{second:#?}").into()) };
        assert!(stop.why.contains("another apply carries this plan out: connection "), "{stop:#?}");
        let first = first.join().map_err(|_| "the first panicked")?.map_err(|error| format!("{error:?}"))?;
        assert_eq!(first.ending, Ending::Done);
        Ok(())
    })?;
    // A client that is gone, its statement still running: it is waited for, and what it did is not done again.
    let plan = stand.plan(&[json!({"tasks": stand.statements(&["INSERT INTO log (what) SELECT SLEEP(3)", "INSERT INTO log (what) VALUES ('x')"])})])?;
    let digest = mysql_rehearsal::apply::course(&plan, &Target::sandbox(&stand.instance), &stand.options())?.0.digest;
    let mut orphan = stand.writer()?;
    orphan.execute(&format!("SELECT GET_LOCK('rehearse-apply-{}', 0)", &digest[..16]))?;
    let running = std::thread::spawn(move || orphan.execute("DO SLEEP(3)"));
    std::thread::sleep(Duration::from_millis(300));
    let begin = std::time::Instant::now();
    let summary = stand.apply(&plan, &stand.options())?;
    assert_eq!(summary.ending, Ending::Done);
    assert!(begin.elapsed() > Duration::from_secs(5), "it waited for the statement of a client that is gone");
    running.join().map_err(|_| "the orphan panicked")??;
    Ok(())
}

/// Asks for an end after so many batches.
struct After {
    batches: u64,
    seen: std::sync::atomic::AtomicU64,
}

impl Progress for After {
    fn stage(&self, _: &str, _: Unit, _: Option<u64>) {}
    fn at(&self, _: u64) {
        self.seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        self.seen.load(std::sync::atomic::Ordering::Relaxed) >= self.batches
    }
}

/// Takes the pause file away when it hears that somebody rests for it.
struct Rests {
    file: std::path::PathBuf,
}

impl Progress for Rests {
    fn stage(&self, _: &str, _: Unit, _: Option<u64>) {}
    fn at(&self, _: u64) {}
    fn note(&self, text: &str) {
        if text.starts_with("resting: ") {
            // What is not there is told by the trial.
            let _ = std::fs::remove_file(&self.file);
        }
    }
    fn interrupted(&self) -> bool {
        false
    }
}

pub fn it_rests(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let walk = json!({"kind": "batches", "table": format!("{}.t", stand.database), "key": ["id"], "head": "UPDATE t SET n = n + 1",
                      "rows": 10, "pause_seconds": 0.0});
    let plan = stand.plan(&[json!({"tasks": [walk]})])?;
    let target = Target::sandbox(&stand.instance);
    let asked = After { batches: 1, seen: Default::default() };
    let error = carry_out(plan.proven().map_err(|reasons| reasons.join("; "))?, &target, &stand.options(), &asked)
        .err()
        .ok_or("it was not interrupted")?;
    assert!(error.is::<Interrupted>() || error.chain().any(|link| link.is::<Interrupted>()), "{error:#}");
    let changed = stand.value("SELECT CAST(SUM(n) AS CHAR) FROM t")?;
    assert_ne!(changed, "297", "the batch was finished");
    assert_eq!(begun(&plan, &target, &stand.options())?.steps, ["step-001".to_owned()].into());
    let home = tempfile::tempdir()?;
    let file = home.path().join("pause");
    std::fs::write(&file, "")?;
    let options = Options { pause_file: Some(file.clone()), trail: Some(home.path().join("apply")), ..stand.options() };
    // Let go once it says that it rests: on a busy machine nobody knows when that is.
    let rests = Rests { file };
    let proven = plan.proven().map_err(|reasons| reasons.join("; "))?;
    let summary = carry_out(proven, &target, &options, &rests).map_err(|error| format!("{error:#}"))?;
    assert!(!rests.file.exists(), "it never rested");
    assert!(summary.ending == Ending::Done && summary.rested_seconds > 0.0, "{summary:#?}");
    assert_eq!(stand.value("SELECT CAST(SUM(n) AS CHAR) FROM t")?, "397");
    let entries: Vec<_> = std::fs::read_dir(home.path().join("apply"))?.collect::<Result<_, _>>()?;
    let text = std::fs::read_to_string(entries[0].path())?;
    assert!(entries.len() == 1 && text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
    assert!(text.contains("\"event\":\"done\"") && text.contains("step-001/3"), "{text}");
    Ok(())
}

pub fn an_undo_goes_back(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let db = &stand.database;
    let plan = stand.plan(&[
        json!({"tasks": stand.statements(&["CREATE TABLE added (a INT)"]), "undo": format!("DROP TABLE {db}.added;")}),
        json!({"tasks": stand.statements(&["UPDATE sums SET n = n + 1"]), "undo": format!("UPDATE {db}.sums SET n = n - 1;")}),
        json!({"tasks": stand.statements(&["INSERT INTO sums VALUES ('a', 1)"]), "undo": format!("DELETE FROM {db}.sums;")}),
    ])?;
    let before = stand.print()?;
    let undo = Options { phase: Phase::Undo, ..stand.options() };
    let nothing = stand.apply(&plan, &undo)?;
    assert!(matches!(nothing.ending, Ending::Failed(_)), "nothing was carried out: {nothing:#?}");
    for _ in 0..2 {
        let forward = stand.apply(&plan, &stand.options())?;
        assert!(matches!(forward.ending, Ending::Failed(_)), "its last step fails: {forward:#?}");
        assert_eq!(stand.value("SELECT CAST(n AS CHAR) FROM sums")?, "1");
        let back = stand.apply(&plan, &undo)?;
        assert_eq!((back.ending, back.done), (Ending::Done, 2), "the step that was not done is not undone");
        assert_eq!(stand.print()?, before);
        assert_eq!(stand.apply(&plan, &undo)?.ending, Ending::AlreadyDone);
    }
    Ok(())
}

pub fn a_verification(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let verify = json!([{"query": "SELECT COUNT(*) FROM log", "expect": "2", "equals": "2"}]);
    let plan = stand.plan(&[
        json!({"tasks": stand.statements(&["INSERT INTO log (what) VALUES ('x')"]), "verify": verify}),
        json!({"tasks": stand.statements(&["CREATE TABLE later (a INT)"])}),
    ])?;
    let summary = stand.apply(&plan, &stand.options())?;
    let Ending::Failed(failed) = &summary.ending else { return Err(format!("{summary:#?}").into()) };
    assert!(failed.why.contains("answers 1, not 2") && failed.next.contains("--accept step-001"), "{failed:#?}");
    let accept = ["step-001".to_owned()].into();
    let summary = stand.apply(&plan, &Options { accept, ..stand.options() })?;
    assert_eq!((summary.ending, summary.done), (Ending::Done, 1));
    Ok(())
}

//! What was done before: by the journal on the server, by the local one, and by what is there. Where they disagree nothing
//! begins from zero, and nothing is believed, without a word.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use mysql_rehearsal::apply::record::{Cut, Ending, Options, Phase, Stand as Stop, Summary};
use mysql_rehearsal::apply::target::Target;
use mysql_rehearsal::apply::{begun, carry_out};
use mysql_rehearsal::artifact::sha256;
use mysql_rehearsal::plan::Plan;
use mysql_rehearsal::progress::{Progress, Unit};
use serde_json::json;

use super::stand::{Stand, filled};

fn failed(summary: &Summary) -> Result<Stop, Failed> {
    match &summary.ending {
        Ending::Failed(stop) => Ok(stop.clone()),
        other => Err(format!("it did not fail: {other:?}").into()),
    }
}

fn stopped(summary: &Summary) -> Result<Stop, Failed> {
    match &summary.ending {
        Ending::Stopped(stop) => Ok(stop.clone()),
        other => Err(format!("it did not stop: {other:?}").into()),
    }
}

impl Stand {
    /// The tables as a backup has them, made again; the journal stays as it is.
    fn restored(&self) -> Result<(), Failed> {
        let (journal, aside) = (self.journal(), format!("{}_aside", self.database));
        let mut keeper = self.writer()?;
        keeper.execute(&format!("CREATE DATABASE {aside}"))?;
        keeper.execute(&format!("RENAME TABLE {journal}.steps TO {aside}.steps"))?;
        filled(self)?;
        keeper.execute(&format!("CREATE DATABASE {journal}"))?;
        keeper.execute(&format!("RENAME TABLE {aside}.steps TO {journal}.steps"))?;
        keeper.execute(&format!("DROP DATABASE {aside}"))?;
        Ok(())
    }

    fn anew(&self) -> Options {
        Options { anew: true, ..self.options() }
    }

    fn logged(&self) -> Result<String, Failed> {
        self.value("SELECT CAST(COUNT(*) AS CHAR) FROM log")
    }

    fn log_once(&self, word: &str) -> Result<Plan, Failed> {
        self.plan(&[json!({"tasks": self.statements(&[&format!("INSERT INTO log (what) VALUES ('{word}')")])})])
    }
}

pub fn put_back(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let (db, target) = (&stand.database, Target::sandbox(&stand.instance));
    let plan = stand.plan(&[
        json!({"tasks": stand.statements(&["ALTER TABLE t ADD COLUMN a INT"]), "undo": format!("ALTER TABLE {db}.t DROP COLUMN a;")}),
        json!({"tasks": stand.statements(&["INSERT INTO log (what) VALUES ('x')"]), "undo": format!("DELETE FROM {db}.log;")}),
    ])?;
    assert_eq!(stand.apply(&plan, &stand.options())?.ending, Ending::Done);
    assert_eq!(stand.apply(&plan, &stand.options())?.ending, Ending::AlreadyDone);
    let twice = failed(&stand.apply(&plan, &stand.anew())?)?;
    assert!(twice.why.contains("would be done twice"), "{twice:#?}");
    stand.restored()?;
    let seen = failed(&stand.apply(&plan, &stand.options())?)?;
    assert!(
        seen.why.contains("carried out to its end") && seen.why.contains(&format!("{db}.t is defined")),
        "{seen:#?}"
    );
    assert!(seen.next.contains("--anew"), "{seen:#?}");
    assert_eq!(stand.logged()?, "0", "nothing was done");
    assert!(begun(&plan, &target, &stand.options())?.all_done);
    assert_eq!(begun(&plan, &target, &stand.anew())?.steps, [].into(), "all of it is verified as before a first run");
    // Cut off on its way, the same command goes on in the round that it began.
    let cut = Options { cut: Some(Cut { calls: 25, sent: true }), ..stand.anew() };
    let first = stand.apply(&plan, &cut)?;
    assert_ne!(first.ending, Ending::Done, "it was to be cut off on its way: {first:#?}");
    let anew = stand.apply(&plan, &stand.anew())?;
    assert_eq!(anew.ending, Ending::Done, "{anew:#?}");
    assert_eq!((stand.logged()?.as_str(), stand.value("SELECT CAST(COUNT(a) AS CHAR) FROM t")?.as_str()), ("1", "0"));
    assert!(failed(&stand.apply(&plan, &stand.anew())?)?.why.contains("would be done twice"));
    assert_eq!(stand.apply(&plan, &Options { phase: Phase::Undo, ..stand.options() })?.ending, Ending::Done);
    assert_eq!(stand.logged()?, "0");

    let half = stand.plan(&[
        json!({"tasks": stand.statements(&["INSERT INTO log (what) VALUES ('y')", "INSERT INTO sums VALUES ('a', 1)"])}),
    ])?;
    assert!(failed(&stand.apply(&half, &stand.options())?)?.why.contains("1062"));
    let refused = failed(&stand.apply(&half, &stand.anew())?)?;
    assert!(refused.why.contains("half done") && refused.next.contains("--phase undo"), "{refused:#?}");
    assert_eq!(stand.logged()?, "1");
    Ok(())
}

pub fn rows_of_before(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let plan = stand.log_once("x")?;
    assert_eq!(stand.apply(&plan, &stand.options())?.ending, Ending::Done);
    stand.restored()?;
    let seen = failed(&stand.apply(&plan, &stand.options())?)?;
    assert!(seen.why.contains(&format!("{}.log was made anew", stand.database)), "{seen:#?}");

    assert!(seen.next.contains("say so with --accept step-001"), "{seen:#?}");
    let accept = || ["step-001".to_owned()].into();
    let rebuilt = stand.apply(&plan, &Options { accept: accept(), ..stand.options() })?;
    assert_eq!(rebuilt.ending, Ending::AlreadyDone, "a person says that it was only rebuilt");

    let verify = json!([{"query": "SELECT COUNT(*) FROM t WHERE n = 3", "expect": "0", "equals": "0"}]);
    let passing = |there: &str| {
        json!([{"query": "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() \
                AND table_name = 'u' AND column_name = 'passing'", "expect": there, "equals": there}])
    };
    let deletes = stand.plan(&[
        // What a later step takes back again is no loss in the end.
        json!({"tasks": stand.statements(&["ALTER TABLE u ADD COLUMN passing INT"]), "verify": passing("1")}),
        json!({"tasks": stand.statements(&["DELETE FROM t WHERE n = 3"]), "verify": verify}),
        json!({"tasks": stand.statements(&["ALTER TABLE u DROP COLUMN passing"]), "verify": passing("0")}),
    ])?;
    assert_eq!(stand.apply(&deletes, &stand.options())?.ending, Ending::Done);
    assert_eq!(stand.apply(&deletes, &stand.options())?.ending, Ending::AlreadyDone);
    stand.execute(&["ALTER TABLE t FORCE"])?;
    let rebuilt = stand.apply(&deletes, &stand.options())?;
    assert_eq!(rebuilt.ending, Ending::AlreadyDone, "the rows that it deleted are not there again");
    stand.execute(&["INSERT INTO t VALUES (3, 3, 'put back')"])?;
    let seen = failed(&stand.apply(&deletes, &stand.options())?)?;
    assert!(seen.why.contains("answers 1, not 0") && seen.next.contains("--anew"), "{seen:#?}");
    let accept = ["step-002".to_owned()].into();
    assert_eq!(stand.apply(&deletes, &Options { accept, ..stand.options() })?.ending, Ending::AlreadyDone);
    assert_eq!(stand.apply(&deletes, &stand.anew())?.ending, Ending::Done);
    assert_eq!(stand.value("SELECT CAST(COUNT(*) AS CHAR) FROM t WHERE n = 3")?, "0");
    Ok(())
}

pub fn a_lost_journal(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let home = tempfile::tempdir()?;
    let options = || Options { trail: Some(home.path().join("apply")), ..stand.options() };
    let plan = stand.plan(&[json!({"tasks": stand.statements(&[
        "INSERT INTO log (what) VALUES ('x')", "ALTER TABLE t ADD COLUMN a INT",
    ])})])?;
    assert_eq!(stand.apply(&plan, &options())?.ending, Ending::Done);
    // Another database for the journal.
    let elsewhere = Options { journal_database: format!("{}_other", stand.database), ..options() };
    let stop = stopped(&stand.apply(&plan, &elsewhere)?)?;
    assert!(stop.next.contains(&format!("--journal-database {}", stand.journal())), "{stop:#?}");
    // A journal that was put back to an earlier state.
    let journal = stand.journal();
    stand.execute(&[&format!("DELETE FROM {journal}.steps WHERE unit <> 'step-001/3'")])?;
    let stop = stopped(&stand.apply(&plan, &options())?)?;
    assert!(stop.why.contains("the journals disagree") && stop.next.contains("move "), "{stop:#?}");
    assert!(stop.why.contains("that its journal") && stop.next.contains("jsonl"), "{stop:#?}");
    // A journal that is gone.
    stand.execute(&[&format!("DROP DATABASE {journal}")])?;
    let stop = stopped(&stand.apply(&plan, &options())?)?;
    assert!(stop.why.contains("the journals disagree") && stop.next.contains("--anew"), "{stop:#?}");
    assert_eq!(stand.logged()?, "1", "nothing was done twice");
    stand.execute(&["ALTER TABLE t DROP COLUMN a"])?;
    let anew = stand.apply(&plan, &Options { anew: true, ..options() })?;
    assert_eq!((anew.ending, stand.logged()?.as_str()), (Ending::Done, "2"), "a person said that nothing is there");
    assert_eq!(stand.apply(&plan, &options())?.ending, Ending::AlreadyDone);
    Ok(())
}

pub fn drafted_again(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let home = tempfile::tempdir()?;
    let options = || Options { trail: Some(home.path().to_owned()), ..stand.options() };
    assert_eq!(stand.apply(&stand.log_once("first")?, &options())?.ending, Ending::Done);
    // The same upgrade, another way of doing it.
    let again = stand.log_once("drafted again")?;
    let stop = stopped(&stand.apply(&again, &options())?)?;
    assert!(stop.why.contains("this upgrade was carried out on this server before"), "{stop:#?}");
    assert_eq!(stand.logged()?, "1");
    let digest = stop.next.rsplit("--beside ").next().unwrap_or_default().to_owned();
    let summary = stand.apply(&again, &Options { beside: [digest].into(), ..options() })?;
    assert_eq!((summary.ending, stand.logged()?.as_str()), (Ending::Done, "2"));
    Ok(())
}

pub fn an_old_copy(stand: &Stand) -> Result<(), Failed> {
    let (db, journal) = (&stand.database, stand.journal());
    let plan = stand.plan(&[json!({
        "backup": format!("CREATE TABLE {db}.t_copy LIKE {db}.t;\nINSERT INTO {db}.t_copy SELECT * FROM {db}.t;"),
        "tasks": stand.statements(&["UPDATE t SET n = 0"]),
    })])?;
    // Cut off between the copy and its step.
    for calls in 16.. {
        filled(stand)?;
        stand.apply(&plan, &Options { cut: Some(Cut { calls, sent: true }), ..stand.options() })?;
        let copied = format!("SELECT CAST(COUNT(*) AS CHAR) FROM {journal}.steps WHERE unit = '20-001-1-backup'");
        if stand.value(&copied).is_ok_and(|copied| copied == "1") {
            break;
        }
    }
    assert_eq!(stand.value("SELECT CAST(MAX(n) AS CHAR) FROM t")?, "6", "the step has not begun");
    stand.execute(&[
        &format!("UPDATE {journal}.steps SET begun_at = begun_at - INTERVAL 20 MINUTE, done_at = done_at - INTERVAL 20 MINUTE"),
        "INSERT INTO t VALUES (1000, 7, 'written since')",
    ])?;
    let stop = stopped(&stand.apply(&plan, &stand.options())?)?;
    assert!(stop.why.contains("its backup was made") && stop.next.contains("--renew-backups"), "{stop:#?}");
    let summary = stand.apply(&plan, &Options { renew_backups: true, ..stand.options() })?;
    assert_eq!(summary.ending, Ending::Done, "{summary:#?}");
    assert_eq!(stand.value("SELECT s FROM t_copy WHERE id = 1000 AND n = 7")?, "written since");
    assert_eq!(stand.value("SELECT CAST(COUNT(*) AS CHAR) FROM t_copy")?, "101");
    Ok(())
}

/// Hears of batches, and of a connection that is made again.
#[derive(Default)]
struct Ear {
    batches: AtomicU64,
    again: AtomicBool,
    notes: Mutex<Vec<String>>,
}

impl Progress for Ear {
    fn stage(&self, _: &str, _: Unit, _: Option<u64>) {}
    fn at(&self, _: u64) {
        self.batches.fetch_add(1, Ordering::Relaxed);
    }
    fn note(&self, text: &str) {
        self.again.fetch_or(text.contains("connecting again"), Ordering::Relaxed);
        self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text.to_owned());
    }
    fn interrupted(&self) -> bool {
        false
    }
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) -> Result<(), Failed> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(format!("not within a minute: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

pub fn a_lost_keeper(stand: &Stand) -> Result<(), Failed> {
    filled(stand)?;
    let walk = json!({"kind": "batches", "table": format!("{}.t", stand.database), "key": ["id"], "head": "UPDATE t SET n = n + 1",
                      "rows": 5, "pause_seconds": 0.2});
    let plan = stand.plan(&[json!({"tasks": [walk]})])?;
    let proven = plan.proven().map_err(|reasons| reasons.join("; "))?;
    let (ear, target) = (Ear::default(), Target::sandbox(&stand.instance));
    let lock = format!("rehearse-keeper-{}", &sha256(&stand.journal())[..16]);
    let options = Options { batch_seconds: 0.000_001, ..stand.options() };
    let summary = std::thread::scope(|scope| -> Result<Summary, Failed> {
        let apply = scope.spawn(|| carry_out(proven, &target, &options, &ear));
        wait_for("the first batch", || ear.batches.load(Ordering::Relaxed) > 0 || apply.is_finished())?;
        let mut other = stand.writer()?;
        let keeper = other.first::<(u64,)>(&format!("SELECT IS_USED_LOCK('{lock}')"))?.ok_or("nobody keeps it")?.0;
        other.execute(&format!("KILL {keeper}"))?;
        let got = other.first::<(i64,)>(&format!("SELECT GET_LOCK('{lock}', 10)"))?;
        assert_eq!(got, Some((1,)), "the lock was still held");
        wait_for("the loss is seen", || ear.again.load(Ordering::Relaxed) || apply.is_finished())?;
        let changed = stand.value("SELECT CAST(SUM(n) AS CHAR) FROM t")?;
        assert_ne!(changed, "397", "it went on to its end");
        // Asked now and then, so that it passes for no orphan.
        for _ in 0..6 {
            other.execute("DO SLEEP(0.1)")?;
        }
        assert_eq!(stand.value("SELECT CAST(SUM(n) AS CHAR) FROM t")?, changed, "somebody else has the lock");
        other.first::<(i64,)>(&format!("SELECT RELEASE_LOCK('{lock}')"))?;
        Ok(apply.join().map_err(|_| "it panicked")?.map_err(|error| format!("{error:#}"))?)
    })?;
    assert_eq!((summary.ending, summary.reconnects), (Ending::Done, 1), "{:?}", ear.notes);
    assert_eq!(stand.value("SELECT CAST(SUM(n) AS CHAR) FROM t")?, "397", "each row once");
    Ok(())
}

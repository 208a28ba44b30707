//! Runs that end before their last statement: killed, stopped, failed.

use super::*;

pub fn a_killed_server_leaves_what_was_measured() -> Result<(), Failed> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Its own server: the others must outlive this trial.
    let sandbox = Sandbox::prepare(&request("mariadb:10.11", Kind::Process)?, &mut |_| Ok(Vec::new()), &Silent)?;
    let instance = sandbox.instance().clone();
    let pid = instance.pid().ok_or("no process")?;
    let bench = Bench { database: "app".to_owned(), instance };
    bench.instance.writer(Role::Keeper)?.execute("CREATE DATABASE app")?;
    bench.table("t", "InnoDB", 1_000)?;
    let survey = bench.survey()?;
    let script = bench.script("UPDATE t SET hits = 1;\nDO SLEEP(60);\nUPDATE t SET hits = 2;");
    let experiment =
        Experiment { loud: true, ..Experiment::quiet("killed", ExperimentKind::Upgrade, &script, &bench.database) };
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(6));
        std::process::Command::new("kill").args(["-9", &pid.to_string()]).status()
    });
    let begin = Instant::now();
    let error = mysql_rehearsal::replay::run(&experiment, &bench.instance, &survey, &Silent);
    let error = error.err().ok_or("a dead server is an error")?;
    assert!(begin.elapsed() < Duration::from_secs(40));
    drop(killer.join());
    let broken = error.downcast_ref::<Broken>().ok_or_else(|| format!("{error:#}"))?;
    let outcomes: Vec<_> = broken.rehearsal.observations.iter().map(|one| one.outcome.name()).collect();
    assert_eq!(outcomes, ["done", "failed", "skipped"]);
    assert!(!broken.rehearsal.completed);
    assert!(format!("{error:#}").contains("the server was lost at s2 (upgrade.sql:2)"), "{error:#}");
    Ok(())
}

/// Asks to stop once so much time has passed.
struct Impatient(Instant);

impl Progress for Impatient {
    fn stage(&self, _what: &str, _unit: Unit, _total: Option<u64>) {}
    fn at(&self, _done: u64) {}
    fn note(&self, _line: &str) {}
    fn interrupted(&self) -> bool {
        self.0.elapsed() > Duration::from_secs(3)
    }
}

pub fn an_interrupt_ends_the_running_statement(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 1_000)?;
    let survey = bench.survey()?;
    let script = bench.script("UPDATE t SET hits = 1;\nDELETE FROM t WHERE SLEEP(1) = 0;");
    let experiment = Experiment::quiet("stopped", ExperimentKind::Upgrade, &script, &bench.database);
    let begin = Instant::now();
    let error = mysql_rehearsal::replay::run(&experiment, &bench.instance, &survey, &Impatient(begin));
    let error = error.err().ok_or("an interrupt is an error")?;
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert!(error.chain().any(|cause| cause.is::<Interrupted>()), "{error:#}");
    let broken = error.downcast_ref::<Broken>().ok_or_else(|| format!("{error:#}"))?;
    assert_eq!(broken.rehearsal.observations.first().map(|one| one.rows.affected), Some(1_000));
    assert_eq!(bench.value("SELECT COUNT(*) FROM t")?, 1_000, "the statement was undone");
    Ok(())
}

pub fn a_script_stops_at_its_first_failure(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 10)?;
    let sql =
        "DELETE FROM t WHERE id = 1;\nDELETE FROM nowhere;\nDELETE FROM t WHERE id = 2;\nDELETE FROM t WHERE id = 3;";
    let quiet = bench.run(sql, false)?;
    assert!(!quiet.completed);
    let outcomes: Vec<_> = quiet.observations.iter().map(|one| (one.outcome.name(), one.count)).collect();
    assert_eq!(outcomes, [("done", 1), ("failed", 1), ("skipped", 2)]);
    assert_eq!(quiet.observations[1].outcome.fault().map(|fault| fault.number), Some(1146));
    assert_eq!(bench.value("SELECT COUNT(*) FROM t")?, 9);
    let script = bench.script(sql);
    let experiment =
        Experiment { keep_going: true, ..Experiment::quiet("on", ExperimentKind::Upgrade, &script, &bench.database) };
    assert!(!bench.run_with(experiment)?.completed);
    assert_eq!(bench.value("SELECT COUNT(*) FROM t")?, 7);
    Ok(())
}

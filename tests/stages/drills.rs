//! What goes wrong, on real servers: a queue behind a held table, a kill half-way.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::replay::experiment::{Condition, Experiment, Holder, Kill, Patience};
use mysql_rehearsal::replay::record::{ExperimentKind, HoldKind, Outcome, Rehearsal};
use mysql_rehearsal::sql::record::TableName;
use mysql_rehearsal::watch::record::ProbeKind;

use super::replay::{ALONE, Bench, Check, by_id, longest};
use super::servers::Servers;

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let checks: &[(&str, Check)] = &[
        ("everything_queues_behind_a_ddl_that_waits_for_one_slow_select", everything_queues_behind_a_ddl),
        ("a_low_lock_wait_timeout_with_retries_lets_the_queue_go", a_low_time_out_lets_the_queue_go),
        ("a_writer_of_the_parent_holds_up_a_ddl_on_the_child", a_writer_of_the_parent_holds_up_a_ddl_on_the_child),
        ("a_knot_of_row_and_metadata_locks_is_untied", a_knot_is_untied),
        ("a_backup_that_began_before_breaks_where_a_table_is_made_anew", a_backup_that_began_before_breaks),
        ("a_delete_killed_half_way_is_rolled_back_while_its_rows_stay_locked", a_killed_delete_rolls_back),
    ];
    let mut trials = Vec::new();
    for (name, check) in checks {
        for flavor in ["mysql", "mariadb"] {
            let (servers, check) = (Arc::clone(servers), *check);
            trials.push(Trial::test(format!("drills::{name}_on_{flavor}"), move || {
                let instance = if flavor == "mysql" { servers.mysql()? } else { servers.mariadb()? };
                let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
                check(&Bench::new(&servers, instance)?)
            }));
        }
    }
    trials
}

/// The script's first statement, with what goes wrong.
fn disturbed(bench: &Bench, sql: &str, condition: Condition) -> Result<Rehearsal, Failed> {
    let script = bench.script(sql);
    bench.run_with(Experiment {
        loud: true,
        statement: Some("s1".to_owned()),
        condition,
        ..Experiment::quiet("drill", ExperimentKind::Drill, &script, &bench.database)
    })
}

fn slow_select(bench: &Bench, patience: Option<Patience>) -> Condition {
    let table = TableName::new(bench.database.as_str(), "t");
    Condition::Holder(Holder { table, how: HoldKind::SlowRead, seconds: 3.0, patience })
}

fn everything_queues_behind_a_ddl(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 2_000)?;
    let held = disturbed(bench, "ALTER TABLE t ADD COLUMN a INT, ALGORITHM=INSTANT;", slow_select(bench, None))?;
    let alter = by_id(&held, "s1")?;
    assert_eq!(alter.outcome, Outcome::Done, "{alter:#?}");
    assert!(alter.seconds > 2.5 && alter.seconds < 4.5, "{alter:#?}");
    for probe in [ProbeKind::Read, ProbeKind::Lock, ProbeKind::Update, ProbeKind::Insert] {
        let waited = longest(alter, "t", probe);
        assert!(waited > 2.3 && waited < 4.5, "{probe:?}: {alter:#?}");
    }
    let queued: u64 = alter.blocked.iter().map(|one| one.waits).sum();
    assert!(queued > 50, "{alter:#?}");
    assert!(held.happened.held_seconds.is_some_and(|seconds| seconds > 2.8), "{:?}", held.happened);
    Ok(())
}

fn a_low_time_out_lets_the_queue_go(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 2_000)?;
    let patience = Patience { lock_wait_timeout: 1, tries: 10, pause: Duration::from_millis(500) };
    let sql = "ALTER TABLE t ADD COLUMN a INT, ALGORITHM=INSTANT;";
    let bounded = disturbed(bench, sql, slow_select(bench, Some(patience)))?;
    let alter = by_id(&bounded, "s1")?;
    assert_eq!(alter.outcome, Outcome::Done, "{alter:#?}");
    assert!(bounded.happened.timed_out >= 1, "{:?}", bounded.happened);
    for probe in [ProbeKind::Read, ProbeKind::Update] {
        let waited = longest(alter, "t", probe);
        assert!(waited > 0.7 && waited < 1.6, "{probe:?}: {alter:#?}");
    }
    assert_eq!(bench.value("SELECT COUNT(a IS NULL) FROM t")?, 2_000, "it was altered in the end");
    Ok(())
}

fn a_killed_delete_rolls_back(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 900_000)?;
    let whole = bench.run("UPDATE t SET hits = hits + 1, user_id = user_id + 1;", false)?;
    let seconds = by_id(&whole, "s1")?.seconds;
    let kill = Kill { share: 0.5, seconds, rows: Some(900_000) };
    let killed = disturbed(bench, "DELETE FROM t;", Condition::KillAt(kill))?;
    let delete = by_id(&killed, "s1")?;
    assert_eq!(delete.outcome.fault().map(|fault| fault.number), Some(1317), "{delete:#?}");
    let told = killed.happened.killed.as_ref().ok_or_else(|| format!("{:?}", killed.happened))?;
    assert!(told.rows >= 450_000 && told.rows < 900_000, "{told:?}");
    assert!((told.after_seconds + told.rollback_seconds - delete.seconds).abs() < 0.1, "{told:?} {delete:#?}");
    assert!(told.rollback_seconds > 0.1 * told.after_seconds, "{told:?}");
    let waited = told.blocked.iter().filter(|one| one.probe == ProbeKind::Update && one.table.table == "t");
    let waited = waited.map(|one| one.longest_seconds).fold(0.0, f64::max);
    assert!(waited > 0.6 * told.rollback_seconds && waited < told.rollback_seconds + 0.5, "{told:#?}");
    assert_eq!(bench.value("SELECT COUNT(*) FROM t")?, 900_000, "every row is back");
    Ok(())
}

fn a_backup_that_began_before_breaks(bench: &Bench) -> Result<(), Failed> {
    let tables = [
        "added",
        "indexed",
        "rebuilt",
        "copied",
        "emptied",
        "swapped",
        "dropped",
        "deleted",
        "renamed",
        "defaulted",
        "shrunk",
    ];
    for table in tables {
        bench.table(table, "InnoDB", 100)?;
    }
    let script = bench.script(
        "ALTER TABLE added ADD COLUMN a INT, ALGORITHM=INSTANT;\n\
         ALTER TABLE indexed ADD INDEX h (hits), ALGORITHM=INPLACE;\n\
         ALTER TABLE rebuilt FORCE, ALGORITHM=INPLACE;\n\
         ALTER TABLE copied MODIFY hits BIGINT NOT NULL, ALGORITHM=COPY;\n\
         TRUNCATE TABLE emptied;\n\
         CREATE TABLE fresh LIKE swapped;\n\
         RENAME TABLE swapped TO swapped_old, fresh TO swapped;\n\
         DROP TABLE dropped;\n\
         DELETE FROM deleted;\n\
         ALTER TABLE renamed RENAME COLUMN hits TO clicks, ALGORITHM=INSTANT;\n\
         ALTER TABLE defaulted ALTER COLUMN hits SET DEFAULT 7, ALGORITHM=INSTANT;\n\
         ALTER TABLE shrunk DROP COLUMN hits, ALGORITHM=INSTANT;\n",
    );
    let seen = bench.run_with(Experiment {
        condition: Condition::Snapshot,
        ..Experiment::quiet("backup", ExperimentKind::Drill, &script, &bench.database)
    })?;
    assert!(seen.completed, "nothing holds the upgrade up: {seen:#?}");
    let met = |table: &str| {
        let read = seen.happened.reads.iter().find(|read| read.table.table == table);
        read.map(|read| read.error.as_ref().map_or(0, |fault| fault.number))
    };
    let met: Vec<_> = tables.iter().map(|table| (*table, met(table))).collect();
    // Measured: an INSTANT ADD COLUMN breaks it on MySQL 9.7, not on MariaDB 10.11.
    let added = if bench.instance.flavor().is_mariadb() { 0 } else { 1412 };
    let expected = [added, 0, 1412, 1412, 1412, 1412, 1146, 0, 0, 0, added];
    let expected: Vec<_> = tables.iter().zip(expected).map(|(table, number)| (*table, Some(number))).collect();
    assert_eq!(met, expected, "{:?}", seen.happened);
    assert!(seen.happened.history_held.is_some(), "{:?}", seen.happened);
    Ok(())
}

/// Tables `parent` and `child`, the second with so many rows.
fn family(bench: &Bench, rows: u64) -> Result<(), Failed> {
    bench.table("parent", "InnoDB", 1_000)?;
    bench.table("child", "InnoDB", rows)?;
    bench.execute("ALTER TABLE child MODIFY user_id BIGINT NOT NULL")?;
    bench.execute("UPDATE child SET user_id = 1 + user_id")?;
    bench.execute("ALTER TABLE child ADD CONSTRAINT own FOREIGN KEY (user_id) REFERENCES parent (id)")
}

fn a_writer_of_the_parent_holds_up_a_ddl_on_the_child(bench: &Bench) -> Result<(), Failed> {
    family(bench, 1_000)?;
    let table = TableName::new(bench.database.as_str(), "parent");
    let holder = Holder { table, how: HoldKind::IdleWriter, seconds: 2.0, patience: None };
    let sql = "ALTER TABLE child ADD COLUMN a INT, ALGORITHM=INSTANT;";
    let held = disturbed(bench, sql, Condition::Holder(holder))?;
    let alter = by_id(&held, "s1")?;
    assert_eq!(alter.outcome, Outcome::Done, "{alter:#?}");
    assert!(alter.seconds > 1.5 && longest(alter, "child", ProbeKind::Read) > 1.3, "{alter:#?}");
    Ok(())
}

/// A COPY of a child locks the parent's rows; updates of the parent wait for those and hold the child's metadata, for which
/// the COPY waits at its end. Without an end to that the trial would not end, either.
fn a_knot_is_untied(bench: &Bench) -> Result<(), Failed> {
    family(bench, 200_000)?;
    let before = bench.value("SELECT @@GLOBAL.innodb_lock_wait_timeout")?;
    bench.execute("SET GLOBAL innodb_lock_wait_timeout = 3")?;
    let loud = bench.run("ALTER TABLE child MODIFY hits BIGINT NOT NULL DEFAULT 0, ALGORITHM=COPY;", true);
    bench.execute(&format!("SET GLOBAL innodb_lock_wait_timeout = {before}"))?;
    let loud = loud?;
    let alter = by_id(&loud, "s1")?;
    assert_eq!(alter.outcome, Outcome::Done, "{alter:#?}");
    assert!(alter.seconds < 60.0, "{alter:#?}");
    let untied = loud.unchecked.iter().any(|(_, why)| why.contains("waited for each other"));
    let ended = alter.failed.iter().any(|failed| failed.error == 1317);
    assert_eq!(untied, ended, "{:?} {:?}", loud.unchecked, alter.failed);
    Ok(())
}

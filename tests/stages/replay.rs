//! Experiments on real servers: what each statement did, whom it blocked, and that watching left nothing behind.

mod early;
mod quiet;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::{Interrupted, Progress, Silent, Unit};
use mysql_rehearsal::replay::experiment::{Broken, Experiment};
use mysql_rehearsal::replay::record::{Algorithm, DdlLock, ExperimentKind, Observation, Outcome, Rehearsal};
use mysql_rehearsal::sandbox::{Instance, Kind, Sandbox};
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::sql::record::{Action, TableName, Walk};
use mysql_rehearsal::sql::script::{Options, Script};
use mysql_rehearsal::survey::read;
use mysql_rehearsal::survey::record::Survey;
use mysql_rehearsal::watch::record::ProbeKind;

use self::early::{
    a_killed_server_leaves_what_was_measured, a_script_stops_at_its_first_failure,
    an_interrupt_ends_the_running_statement,
};
use self::quiet::{a_quiet_run_counts_rows, a_walk_does_what_the_statement_does, many_look_alikes_fold};
use super::servers::{Servers, request};

/// One experiment at a time: they measure.
pub static ALONE: Mutex<()> = Mutex::new(());

/// A server with a database of its own.
pub struct Bench {
    pub instance: Instance,
    pub database: String,
}

impl Bench {
    pub fn new(servers: &Servers, instance: Instance) -> Result<Self, Failed> {
        let database = servers.fresh_database(&instance)?;
        Ok(Self { instance, database })
    }

    pub fn execute(&self, sql: &str) -> Result<(), Failed> {
        let mut session = self.instance.writer(Role::Seeder)?;
        session.use_database(&self.database)?;
        session.execute(sql)?;
        Ok(())
    }

    pub fn value(&self, sql: &str) -> Result<u64, Failed> {
        let mut session = self.instance.writer(Role::Seeder)?;
        session.use_database(&self.database)?;
        Ok(session.first::<(u64,)>(sql)?.ok_or("no row")?.0)
    }

    /// Table `name` with rows 1 to `rows`: id, an indexed number, a text.
    pub fn table(&self, name: &str, engine: &str, rows: u64) -> Result<(), Failed> {
        self.execute(&format!(
            "CREATE TABLE {name} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id INT NOT NULL, url VARCHAR(80) \
             NOT NULL DEFAULT '', hits INT NOT NULL DEFAULT 0, KEY user (user_id)) ENGINE={engine}"
        ))?;
        self.execute(&format!(
            "INSERT INTO {name} (id, user_id, url) SELECT n, n % 1000, CONCAT('https://example.org/', n) FROM ({}) numbers \
             WHERE n BETWEEN 1 AND {rows}",
            numbers()
        ))?;
        self.execute(&format!("ANALYZE TABLE {name}"))
    }

    fn survey(&self) -> Result<Survey, Failed> {
        let mut reader = self.instance.reader(Role::Surveyor)?;
        let options = read::Options { databases: vec![self.database.clone()], ..read::Options::default() };
        Ok(read::survey(&mut reader, &options, &Silent)?)
    }

    pub fn script(&self, sql: &str) -> Script {
        let options =
            Options { variables: BTreeMap::new(), database: self.database.clone(), flavor: self.instance.flavor() };
        Script::from_text("upgrade.sql", sql, options)
    }

    pub fn run(&self, sql: &str, loud: bool) -> Result<Rehearsal, Failed> {
        let script = self.script(sql);
        self.run_with(Experiment {
            loud,
            ..Experiment::quiet("trial", ExperimentKind::Upgrade, &script, &self.database)
        })
    }

    pub fn run_with(&self, experiment: Experiment<'_>) -> Result<Rehearsal, Failed> {
        let survey = self.survey()?;
        mysql_rehearsal::replay::run(&experiment, &self.instance, &survey, &Silent)
            .map_err(|error| format!("{error:#}").into())
    }
}

/// A query of the numbers 0 to 999,999.
fn numbers() -> String {
    let digits = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL \
                  SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let tables: Vec<String> = "abcdef".chars().map(|name| format!("{digits} {name}")).collect();
    format!("SELECT a.d+10*b.d+100*c.d+1000*d.d+10000*e.d+100000*f.d n FROM {}", tables.join(","))
}

/// The longest wait of one kind of request on a table.
pub fn longest(observation: &Observation, table: &str, probe: ProbeKind) -> f64 {
    observation.longest_blocked(|blocked| blocked.table.table == table && blocked.probe == probe)
}

pub fn by_id<'a>(rehearsal: &'a Rehearsal, id: &str) -> Result<&'a Observation, Failed> {
    rehearsal.observations.iter().find(|one| one.statement.id == id).ok_or_else(|| format!("no {id}").into())
}

pub type Check = fn(&Bench) -> Result<(), Failed>;

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let checks: &[(&str, Check)] = &[
        ("a_copying_alter_blocks_writes_and_not_reads", a_copying_alter_blocks_writes_and_not_reads),
        ("the_algorithm_of_a_ddl_is_told", the_algorithm_of_a_ddl_is_told),
        ("an_update_of_all_rows_blocks_the_first_key_longer_than_the_last", an_update_blocks_the_first_key_longer),
        ("locks_in_a_transaction_block_until_its_commit", locks_in_a_transaction_block_until_its_commit),
        ("a_write_lock_blocks_reads_and_myisam_keeps_its_rows", a_write_lock_blocks_reads_and_myisam_keeps_its_rows),
        ("requests_to_a_dropped_table_fail_by_number", requests_to_a_dropped_table_fail_by_number),
        ("a_table_that_the_last_statement_drops_at_once_is_missed", a_table_dropped_last_is_missed),
        ("a_quiet_run_counts_rows_locked_examined_and_cascaded", a_quiet_run_counts_rows),
        ("a_walk_of_a_composite_key_does_what_the_statement_does", a_walk_does_what_the_statement_does),
        ("a_script_stops_at_its_first_failure_unless_told_otherwise", a_script_stops_at_its_first_failure),
        ("a_million_look_alikes_fold", many_look_alikes_fold),
        ("a_big_commit_stalls_an_untouched_table", a_big_commit_stalls_an_untouched_table),
    ];
    let mut trials = Vec::new();
    for (name, check) in checks {
        for flavor in ["mysql", "mariadb"] {
            let (servers, check) = (Arc::clone(servers), *check);
            trials.push(Trial::test(format!("replay::{name}_on_{flavor}"), move || {
                let instance = if flavor == "mysql" { servers.mysql()? } else { servers.mariadb()? };
                let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
                check(&Bench::new(&servers, instance)?)
            }));
        }
    }
    trials.push(Trial::test(
        "replay::a_killed_server_leaves_what_was_measured",
        a_killed_server_leaves_what_was_measured,
    ));
    let shared = Arc::clone(servers);
    trials.push(Trial::test("replay::an_interrupt_ends_the_running_statement", move || {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        an_interrupt_ends_the_running_statement(&Bench::new(&shared, shared.mariadb()?)?)
    }));
    trials
}

fn a_copying_alter_blocks_writes_and_not_reads(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 200_000)?;
    let loud = bench.run("ALTER TABLE t MODIFY hits BIGINT NOT NULL DEFAULT 0, ALGORITHM=COPY;", true)?;
    let alter = by_id(&loud, "s1")?;
    assert!(loud.completed, "{loud:#?}");
    let ddl = alter.ddl.ok_or("no algorithm")?;
    assert_eq!((ddl.algorithm, ddl.rebuilds, ddl.lock), (Algorithm::Copy, true, Some(DdlLock::Shared)), "{alter:#?}");
    for probe in [ProbeKind::Lock, ProbeKind::Update, ProbeKind::Insert] {
        assert!(longest(alter, "t", probe) > alter.seconds * 0.7, "{probe:?}: {alter:#?}");
    }
    assert!(longest(alter, "t", ProbeKind::Read) < alter.seconds * 0.5, "{alter:#?}");
    assert_eq!(alter.rows.affected, 200_000);
    assert!(loud.coverage.samples > 5 && loud.unchecked.is_empty(), "{:?}", loud.unchecked);
    Ok(())
}

fn the_algorithm_of_a_ddl_is_told(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 5_000)?;
    let quiet = bench.run(
        "ALTER TABLE t ADD COLUMN a INT, ALGORITHM=INSTANT;\n\
         ALTER TABLE t ADD INDEX h (hits), ALGORITHM=INPLACE;\n\
         ALTER TABLE t FORCE, ALGORITHM=INPLACE;\n\
         ALTER TABLE t MODIFY hits BIGINT NOT NULL, ALGORITHM=COPY;\n\
         CREATE INDEX ua ON t (url);\n\
         ALTER TABLE t RENAME TO t2;\n\
         OPTIMIZE TABLE t2;\n",
        false,
    )?;
    let told: Vec<_> = quiet.observations.iter().map(|one| one.ddl.map(|ddl| (ddl.algorithm, ddl.rebuilds))).collect();
    let expected = [
        Some((Algorithm::Instant, false)),
        Some((Algorithm::Inplace, false)),
        Some((Algorithm::Inplace, true)),
        Some((Algorithm::Copy, true)),
        Some((Algorithm::Inplace, false)),
        Some((Algorithm::Instant, false)),
        Some((Algorithm::Inplace, true)),
    ];
    assert_eq!(told, expected, "{quiet:#?}");
    assert!(quiet.observations.iter().all(|one| one.outcome == Outcome::Done));
    Ok(())
}

fn an_update_blocks_the_first_key_longer(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 300_000)?;
    let loud = bench.run("UPDATE t SET hits = hits + 1;", true)?;
    let update = by_id(&loud, "s1")?;
    let blocked = update.blocked.iter().find(|one| one.probe == ProbeKind::Update).ok_or("no update waited")?;
    let key = |name: &str| blocked.by_key.iter().find(|(key, _)| key == name).map_or(0.0, |(_, seconds)| *seconds);
    assert!(key("first") > update.seconds * 0.7, "{update:#?}");
    assert!(key("first") > key("last") + update.seconds * 0.2, "{update:#?}");
    assert!(longest(update, "t", ProbeKind::Read) < update.seconds * 0.5, "{update:#?}");
    assert_eq!((update.rows.affected, update.rows.matched), (300_000, Some(300_000)));
    assert_eq!(update.locks_until.as_deref(), Some("s1"));
    assert!(update.commit_seconds.is_some(), "{update:#?}");
    assert!(update.locks.iter().any(|lock| lock.mode == "SHARED_WRITE"), "{:?}", update.locks);
    assert!(loud.steady.iter().any(|one| one.asked > 20), "{:?}", loud.steady);
    Ok(())
}

fn locks_in_a_transaction_block_until_its_commit(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 2_000)?;
    bench.table("other", "InnoDB", 2_000)?;
    let loud = bench.run("BEGIN;\nUPDATE t SET hits = 1;\nUPDATE other SET hits = 1;\nDO SLEEP(1);\nCOMMIT;", true)?;
    assert!(loud.completed);
    for (id, table) in [("s2", "t"), ("s3", "other")] {
        let update = by_id(&loud, id)?;
        assert!(update.seconds < 0.7, "{update:#?}");
        assert!(longest(update, table, ProbeKind::Update) > 0.8, "{update:#?}");
        assert!(update.blocked.iter().all(|one| one.share <= 1.0));
        assert_eq!((update.locks_until.as_deref(), update.transaction), (Some("s5"), Some(1)));
    }
    assert!(longest(by_id(&loud, "s3")?, "t", ProbeKind::Update) < 0.5, "each table's waits are its own statement's");
    assert!(by_id(&loud, "s4")?.blocked.is_empty());
    Ok(())
}

fn a_write_lock_blocks_reads_and_myisam_keeps_its_rows(bench: &Bench) -> Result<(), Failed> {
    bench.table("m", "MyISAM", 2_000)?;
    let before = bench.value("SELECT CAST(SUM(CRC32(CONCAT_WS(',', id, user_id, url, hits))) AS UNSIGNED) FROM m")?;
    let loud = bench.run("LOCK TABLES m WRITE;\nDO SLEEP(0.8);\nUNLOCK TABLES;", true)?;
    let lock = by_id(&loud, "s1")?;
    for probe in [ProbeKind::Read, ProbeKind::Lock, ProbeKind::Update, ProbeKind::Insert] {
        assert!(longest(lock, "m", probe) > 0.6, "{probe:?}: {loud:#?}");
    }
    assert_eq!(lock.locks_until.as_deref(), Some("s3"));
    let after = bench.value("SELECT CAST(SUM(CRC32(CONCAT_WS(',', id, user_id, url, hits))) AS UNSIGNED) FROM m")?;
    assert_eq!((before, bench.value("SELECT COUNT(*) FROM m")?), (after, 2_000));
    assert!(loud.unchecked.iter().any(|(_, why)| why.contains("MyISAM cannot roll back")), "{:?}", loud.unchecked);
    Ok(())
}

/// Nothing runs after the DROP: only probes that ask once more can miss the table.
fn a_table_dropped_last_is_missed(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 500)?;
    let loud = bench.run("DROP TABLE t;", true)?;
    let drop = by_id(&loud, "s1")?;
    for probe in [ProbeKind::Read, ProbeKind::Lock, ProbeKind::Update, ProbeKind::Insert] {
        let missed = drop.failed.iter().any(|one| one.table.table == "t" && one.probe == probe && one.error == 1146);
        assert!(missed, "{probe:?}: {drop:#?}");
    }
    Ok(())
}

fn requests_to_a_dropped_table_fail_by_number(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 500)?;
    let loud = bench.run("DROP TABLE t;\nDO SLEEP(0.5);", true)?;
    let drop = by_id(&loud, "s1")?;
    for probe in [ProbeKind::Read, ProbeKind::Update, ProbeKind::Insert] {
        let failed = drop.failed.iter().find(|one| one.probe == probe).ok_or_else(|| format!("{drop:#?}"))?;
        assert!(failed.error == 1146 && failed.count > 3, "{failed:?}");
    }
    assert!(by_id(&loud, "s2")?.failed.is_empty(), "what fails later is the DROP's doing");
    Ok(())
}

fn a_big_commit_stalls_an_untouched_table(bench: &Bench) -> Result<(), Failed> {
    bench.execute("CREATE TABLE big (id INT PRIMARY KEY, filler CHAR(250) NOT NULL) ENGINE=InnoDB")?;
    bench.execute(&format!(
        "INSERT INTO big SELECT n, REPEAT('x', 250) FROM ({}) numbers WHERE n < 400000",
        numbers()
    ))?;
    let loud = bench.run("DELETE FROM big;", true)?;
    let delete = by_id(&loud, "s1")?;
    assert_eq!(delete.rows.affected, 400_000);
    let commit = delete.commit_seconds.ok_or("its commit was not timed")?;
    let stalled = delete.longest_blocked(|one| one.probe == ProbeKind::Commit);
    // Where the binary log is off there is nothing to write at once.
    if delete.footprint.binlog_bytes.is_some_and(|bytes| bytes > 50_000_000) && commit > 0.15 {
        assert!(stalled > 0.05, "the commit took {commit} s, yet no other commit waited: {delete:#?}");
    }
    Ok(())
}

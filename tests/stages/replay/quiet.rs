//! Quiet runs: what they count, walks, and many look-alikes.

use super::*;

pub fn a_quiet_run_counts_rows(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 2_000)?;
    bench.execute("CREATE TABLE parent (id INT PRIMARY KEY) ENGINE=InnoDB")?;
    bench.execute(
        "CREATE TABLE child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE \
         CASCADE) ENGINE=InnoDB",
    )?;
    bench.execute("INSERT INTO parent VALUES (1), (2)")?;
    bench.execute("INSERT INTO child VALUES (1, 1), (2, 1), (3, 1), (4, 2)")?;
    bench.execute("CREATE TABLE clock (id INT PRIMARY KEY, at DATETIME, r DOUBLE) ENGINE=InnoDB")?;
    let sql = "UPDATE t SET user_id = 5000 WHERE url = 'https://example.org/7';\n\
               DELETE FROM parent WHERE id = 1;\n\
               INSERT INTO t (user_id, url) VALUES (1, 'x');\n\
               INSERT INTO clock VALUES (1, NOW(), RAND());\n\
               DO SLEEP(1.1);\n\
               INSERT INTO clock VALUES (2, NOW(), RAND());";
    let quiet = bench.run(sql, false)?;
    assert!(quiet.completed, "{quiet:#?}");
    let update = by_id(&quiet, "s1")?.rows;
    assert_eq!((update.affected, update.matched), (1, Some(1)));
    assert!(update.locked.is_some_and(|locked| locked >= 2_000), "all that is read is locked: {update:?}");
    assert!(update.examined.is_some_and(|examined| (1_999..2_100).contains(&examined)), "{update:?}");
    assert_eq!(update.cascaded, Some(0));
    let delete = by_id(&quiet, "s2")?.rows;
    assert_eq!((delete.affected, delete.cascaded), (1, Some(3)));
    assert_eq!(bench.value("SELECT MAX(id) FROM t")?, 2_001, "no probe has burnt a number");
    let spread = bench.value("SELECT TIMESTAMPDIFF(SECOND, MIN(at), MAX(at)) FROM clock")?;
    assert!(spread <= 2, "the time is fixed by the statement's place: {spread}");
    bench.execute("CREATE TABLE first_run AS SELECT * FROM clock")?;
    bench.execute("DELETE FROM clock")?;
    bench.run(&sql.replace("DELETE FROM parent WHERE id = 1", "DELETE FROM parent WHERE id = 2"), false)?;
    let same = bench.value("SELECT COUNT(*) FROM clock JOIN first_run USING (id, at, r)")?;
    assert_eq!(same, 2, "two quiet runs see the same time and the same random numbers");
    let footprint = by_id(&quiet, "s1")?.footprint;
    assert!(footprint.redo_bytes.is_some() && footprint.history_list.is_some(), "{footprint:?}");
    Ok(())
}

pub fn a_walk_does_what_the_statement_does(bench: &Bench) -> Result<(), Failed> {
    for name in ["one", "two"] {
        bench.execute(&format!(
            "CREATE TABLE {name} (a VARCHAR(20) CHARACTER SET latin1 NOT NULL, b INT NOT NULL, v INT NOT NULL, PRIMARY KEY \
             (a, b)) ENGINE=InnoDB"
        ))?;
        bench.execute(&format!(
            "INSERT INTO {name} SELECT CONCAT(CHAR(233), n % 7), n, n FROM ({}) numbers WHERE n < 3000",
            numbers()
        ))?;
    }
    let statement = "UPDATE one SET v = v + 1 WHERE v % 3 = 0";
    bench.execute(statement)?;
    let script = bench.script("UPDATE two SET v = v + 1 WHERE v % 3 = 0;");
    let action = script.actions()?.next().ok_or("no action")??;
    let walk = Walk {
        statement: action.statement().clone(),
        table: TableName::new(&bench.database, "two"),
        key: vec!["a".to_owned(), "b".to_owned()],
        head: format!("UPDATE `{}`.`two` SET v = v + 1", bench.database),
        condition: Some("v % 3 = 0".to_owned()),
        rows: 128,
        pause: Duration::ZERO,
    };
    let script = Script::from_actions(vec![Action::Walk(walk)]);
    let quiet = bench.run_with(Experiment::quiet("walk", ExperimentKind::Trial, &script, &bench.database))?;
    let walked = by_id(&quiet, "s1")?;
    assert_eq!(walked.rows.affected, 1_000, "{walked:#?}");
    // 24 of 128 rows, or fewer where a batch was quick and the next one larger.
    assert!((3..=24).contains(&walked.count), "{walked:#?}");
    assert!(walked.longest_seconds < walked.seconds);
    let differ = bench.value("SELECT COUNT(*) FROM one JOIN two USING (a, b) WHERE one.v <> two.v")?;
    assert_eq!(differ, 0);
    Ok(())
}

pub fn many_look_alikes_fold(bench: &Bench) -> Result<(), Failed> {
    bench.table("t", "InnoDB", 10)?;
    let mut sql = String::from("BEGIN;\n");
    for number in 0..20_000 {
        sql.push_str(&format!("INSERT INTO t (user_id, url) VALUES ({number}, 'x{number}');\n"));
    }
    sql.push_str("COMMIT;\n");
    let loud = bench.run(&sql, true)?;
    assert!(loud.completed);
    assert!(loud.observations.len() < 1_200, "{}", loud.observations.len());
    assert_eq!(loud.observations.iter().map(|one| one.count).sum::<u64>(), 20_002);
    assert_eq!(bench.value("SELECT COUNT(*) FROM t WHERE url LIKE 'x%'")?, 20_000);
    Ok(())
}

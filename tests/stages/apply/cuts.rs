//! Cut off at every call to the server and run again: always the same end, nothing twice.

use std::collections::BTreeMap;

use libtest_mimic::Failed;
use mysql_rehearsal::apply::record::{Cut, Ending, Options};
use mysql_rehearsal::plan::Plan;
use serde_json::json;

use super::stand::{Stand, filled};

/// All kinds of work, none of which can be repeated without a trace but where it says so.
fn everything(stand: &Stand) -> Result<Plan, Failed> {
    let db = &stand.database;
    let copy =
        |into: &str, exact: bool| json!({"into": format!("{db}.{into}"), "columns": ["id", "n", "s"], "exact": exact});
    let mut definitions = stand.statements(&[
        "CREATE TABLE fresh LIKE t",
        "ALTER TABLE t ADD COLUMN added INT NOT NULL DEFAULT 3",
        "SET @before = (SELECT COUNT(*) FROM e)",
        "TRUNCATE TABLE e",
        // The count of what was there before the TRUNCATE: lost with the session, kept by the journal.
        "INSERT INTO sums VALUES ('before', @before)",
        "RENAME TABLE u TO u_old, fresh TO u",
        "INSERT INTO u SELECT id, n, s FROM u_old WHERE id <= 10",
    ]);
    if !stand.instance.flavor().is_mariadb() {
        definitions.extend(stand.statements(&[
            "CREATE TABLE m2 LIKE u_old",
            "LOCK TABLES u_old WRITE, m2 WRITE",
            "INSERT INTO m2 SELECT * FROM u_old WHERE id > 50",
            "RENAME TABLE u_old TO u_older, m2 TO u_old",
            "UNLOCK TABLES",
        ]));
    }
    let rows = stand.statements(&[
        "UPDATE sums SET n = n + 1 WHERE what = 'a'",
        "BEGIN",
        "UPDATE sums SET n = n * 10 + 1 WHERE what = 'a'",
        "SET @n = (SELECT n FROM sums WHERE what = 'a')",
        "INSERT INTO sums VALUES ('in the middle', @n)",
        "COMMIT",
        "SET autocommit = 0",
        "UPDATE sums SET n = n * 10 + 2 WHERE what = 'a'",
        "INSERT INTO sums SELECT 'more', n FROM sums WHERE what = 'a'",
        "COMMIT",
        "SET autocommit = 1",
        "DELETE FROM m WHERE id > 90",
    ]);
    let walks = vec![
        json!({"kind": "kept", "sql": "DELETE FROM t WHERE n = 3", "factor": "t", "condition": "n = 3", "copy": copy("t_kept", true)}),
        json!({"kind": "batches", "table": format!("{db}.t"), "key": ["id"], "head": "UPDATE t SET n = n + 100", "condition": "id <> 4",
               "rows": 40, "pause_seconds": 0.0, "copy": copy("t_was", false)}),
        json!({"kind": "batches", "table": format!("{db}.t"), "key": ["id"], "head": "UPDATE t SET s = CONCAT(s, '!')", "rows": 40,
               "pause_seconds": 0.0}),
    ];
    stand.plan(&[
        json!({"tasks": definitions}),
        json!({"tasks": rows, "verify": [{"query": "SELECT n FROM sums WHERE what = 'a'", "expect": "112", "equals": "112"}]}),
        json!({
            "backup": format!("CREATE TABLE {db}.t_kept (id INT NOT NULL PRIMARY KEY, n INT, s VARCHAR(20)) ENGINE=InnoDB;\n\
                               CREATE TABLE {db}.t_was LIKE {db}.t_kept;"),
            "tasks": walks
        }),
    ])
}

pub fn cut_off_at_every_call(stand: &Stand) -> Result<(), Failed> {
    let plan = everything(stand)?;
    filled(stand)?;
    let whole = stand.apply(&plan, &stand.options())?;
    assert_eq!(whole.ending, Ending::Done, "{whole:#?}");
    assert!(whole.batches >= 4 && whole.before == 0 && whole.done == whole.units, "{whole:#?}");
    let wanted = stand.print()?;
    let again = stand.apply(&plan, &stand.options())?;
    assert_eq!((again.ending, again.rows), (Ending::AlreadyDone, 0));
    assert_eq!(stand.print()?, wanted);
    let mut cuts = 0;
    // The first calls connect and make the journal. Each third one is enough day by day; REHEARSE_CUTS=all takes them all.
    let stride = if std::env::var("REHEARSE_CUTS").is_ok_and(|cuts| cuts == "all") { 1 } else { 3 };
    for calls in (8..).step_by(stride) {
        filled(stand)?;
        let cut = Options { cut: Some(Cut { calls, sent: true }), ..stand.options() };
        let first = stand.apply(&plan, &cut)?;
        if first.ending == Ending::Done {
            break;
        }
        cuts += 1;
        // The application goes on: what it writes into an emptied table is not emptied once more.
        let emptied = stand.value("SELECT CAST(COUNT(*) AS CHAR) FROM e")? == "0";
        if emptied {
            stand.execute(&["INSERT INTO e VALUES (500, 0, 'the application')"])?;
        }
        let second = stand.apply(&plan, &stand.options())?;
        let done = matches!(second.ending, Ending::Done | Ending::AlreadyDone);
        assert!(done, "cut off after call {calls}: {first:#?}\n{second:#?}");
        if emptied {
            assert_eq!(stand.value("SELECT s FROM e WHERE id = 500")?, "the application", "cut off after call {calls}");
            stand.execute(&["DELETE FROM e WHERE id = 500"])?;
        }
        let reached = stand.print()?;
        assert_eq!(reached, wanted, "cut off after call {calls}: {first:#?}\n{second:#?}");
    }
    assert!(cuts > 25, "only {cuts} places to cut it off");
    Ok(())
}

pub fn what_nobody_can_know(stand: &Stand) -> Result<(), Failed> {
    let plan = stand.plan(&[
        json!({"tasks": stand.statements(&["UPDATE m SET n = n + 1", "INSERT INTO log (what) VALUES ('end')"])}),
    ])?;
    let mut stopped = None;
    for calls in 7..40 {
        filled(stand)?;
        let cut = Options { cut: Some(Cut { calls, sent: true }), ..stand.options() };
        stand.apply(&plan, &cut)?;
        let second = stand.apply(&plan, &stand.options())?;
        if let Ending::Stopped(stand) = &second.ending {
            stopped = Some((calls, stand.clone()));
            break;
        }
    }
    let (calls, stop) = stopped.ok_or("an UPDATE of a MyISAM table was run again blindly")?;
    assert_eq!(stop.unit, "step-001/3", "{stop:#?}");
    assert!(stop.why.contains("cannot be known") && stop.next.contains("--settled step-001/3=done"), "{stop:#?}");
    // It had begun, and had not run: a person who looked says so.
    let happened = stand.value("SELECT CAST(SUM(n) AS CHAR) FROM m")? != "300"
        && stand.value("SELECT CAST(n AS CHAR) FROM m WHERE id = 1")? != "1";
    let settled = BTreeMap::from([("step-001/3".to_owned(), happened)]);
    let third = stand.apply(&plan, &Options { settled, ..stand.options() })?;
    assert_eq!(third.ending, Ending::Done, "after {calls}: {third:#?}");
    assert_eq!(stand.value("SELECT CAST(n AS CHAR) FROM m WHERE id = 1")?, "2");
    assert_eq!(stand.value("SELECT CAST(COUNT(*) AS CHAR) FROM log")?, "1");
    Ok(())
}

//! Backups of tables that are hard to copy: made, restored and compared in the sandbox, with the stock client.

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::client::{Call, Program};
use mysql_rehearsal::sandbox::{Kind, Request, Sandbox};
use mysql_rehearsal::server::role::Role;
use serde_json::Value;

use super::desk::{Desk, MARIADB, MYSQL, On, entry};

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("backups::what_is_hard_to_copy_comes_back_the_same_on_mysql", || hard_to_copy(MYSQL)),
        Trial::test("backups::what_is_hard_to_copy_comes_back_the_same_on_mariadb", || hard_to_copy(MARIADB)),
        Trial::test("backups::what_takes_the_place_of_something_goes_back_on_mysql", || replaced(MYSQL, "")),
        Trial::test("backups::what_takes_the_place_of_something_goes_back_on_mariadb", || {
            replaced(MARIADB, CONDITIONAL)
        }),
    ]
}

/// A row with 0 in its counter, zero dates, an invisible column that does not hold its default, generated columns, tables
/// without a key, with triggers, with foreign keys, texts beyond latin1, and bytes that are no text.
const DATA: &str = "\
SET NAMES utf8mb4; SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; 
CREATE TABLE zero (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, since date NOT NULL, note varchar(40), hidden int DEFAULT 7 INVISIBLE,
  doubled int GENERATED ALWAYS AS (hidden * 2) STORED, longer varchar(50) GENERATED ALWAYS AS (CONCAT(note, '!')) VIRTUAL) CHARSET=utf8mb4;
INSERT INTO zero (id, since, note, hidden) VALUES (0, '0000-00-00', 'ноль', 42), (1, '2020-01-00', 'one', 43), (2, '2021-02-28', NULL, NULL), (9, '2022-02-02', 'née', 7);
CREATE TABLE emptied LIKE zero;
INSERT INTO emptied (id, since, note, hidden) SELECT id, since, note, hidden FROM zero;
CREATE TABLE keyless (a int, b varbinary(20), c varchar(20)) CHARSET=utf8mb4;
INSERT INTO keyless VALUES (1, x'00ff27', 'a'), (1, x'00ff27', 'a'), (2, NULL, 'ü'), (NULL, x'5c', NULL);
CREATE TABLE thinned LIKE keyless;
INSERT INTO thinned SELECT * FROM keyless;
CREATE TABLE parent (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(20)) CHARSET=utf8mb4;
CREATE TABLE child (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, parent bigint NOT NULL, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO child VALUES (1, 1), (2, 1), (3, 2), (4, 3);
CREATE TABLE shouted (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, word varchar(20)) CHARSET=utf8mb4;
INSERT INTO shouted VALUES (1, 'quiet'), (2, 'still');
CREATE TRIGGER shout BEFORE INSERT ON shouted FOR EACH ROW SET NEW.word = UPPER(NEW.word);
CREATE TABLE wide (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, gone text, stays int) CHARSET=utf8mb4;
INSERT INTO wide VALUES (1, 'é', 1), (2, '', 2), (3, NULL, 3);
CREATE TABLE dropped (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, v varchar(20)) CHARSET=utf8mb4;
INSERT INTO dropped VALUES (0, 'zero'), (5, 'five');
CREATE TABLE unseen (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, n int);
INSERT INTO unseen VALUES (1, 1), (2, 2);
CREATE PROCEDURE change_unseen() UPDATE unseen SET n = n + 1;
";

const UPGRADE: &str = "\
DELETE FROM zero WHERE id < 2;
UPDATE zero SET note = 'x' WHERE id > 0;
DELETE FROM emptied;
UPDATE keyless SET c = 'same';
DELETE FROM thinned WHERE a = 1;
DELETE FROM parent WHERE id = 1;
DELETE FROM shouted WHERE id = 1;
ALTER TABLE wide DROP COLUMN gone;
DROP TABLE dropped;
CALL change_unseen();
";

/// Views, tables and columns that an upgrade puts others in the place of.
const STANDING: &str = "\
CREATE TABLE users (id int NOT NULL PRIMARY KEY, name varchar(20), a int, b int, KEY by_both (a, b), UNIQUE KEY by_b (b)) CHARSET=utf8mb4;
INSERT INTO users VALUES (1, 'one', 1, 10), (2, 'two', 2, 20);
CREATE TABLE thinner LIKE users;
INSERT INTO thinner SELECT * FROM users;
CREATE TABLE halved LIKE users;
INSERT INTO halved SELECT * FROM users;
CREATE TABLE remade LIKE users;
INSERT INTO remade SELECT * FROM users;
CREATE TABLE replaced LIKE users;
INSERT INTO replaced SELECT * FROM users;
CREATE TABLE forgets (id int NOT NULL PRIMARY KEY, name varchar(20)) CHARSET=utf8mb4;
INSERT INTO forgets SELECT id, name FROM users;
CREATE VIEW seen AS SELECT id FROM thinner;
CREATE VIEW altered AS SELECT id FROM thinner;
CREATE VIEW anew AS SELECT id FROM thinner;
";

const REPLACING: &str = "\
CREATE OR REPLACE VIEW seen AS SELECT id, name FROM thinner;
ALTER VIEW altered AS SELECT 2 AS two;
DROP VIEW IF EXISTS anew;
CREATE VIEW anew AS SELECT 3 AS three;
DROP TABLE IF EXISTS remade;
CREATE TABLE remade (id int NOT NULL PRIMARY KEY, other int);
ALTER TABLE thinner DROP COLUMN a, DROP COLUMN b;
ALTER TABLE halved DROP COLUMN b;
ALTER TABLE forgets ENGINE=MEMORY;
CREATE TABLE new_users LIKE users;
RENAME TABLE users TO users_old, new_users TO users;
";

/// What MariaDB has besides.
const CONDITIONAL: &str = "\
CREATE OR REPLACE TABLE replaced (id int NOT NULL PRIMARY KEY, other int);
ALTER TABLE halved ADD COLUMN IF NOT EXISTS name varchar(30), ADD COLUMN IF NOT EXISTS note int, ADD INDEX IF NOT EXISTS by_both (name);
CREATE OR REPLACE INDEX by_both ON halved (name);
";

/// Every undo runs, from the last to the first, and each backup brings back what was there.
fn replaced(on: On, more: &str) -> Result<(), Failed> {
    let plan = read_plan(&rehearsed(on, &format!("{REPLACING}{more}"), STANDING)?)?;
    for script in plan["scripts"].as_array().ok_or("no scripts")? {
        assert_eq!(script["rehearsed"]["ok"], true, "{script:#}");
    }
    let backups = plan["backups"].as_array().ok_or("no backups")?;
    for backup in backups {
        assert_eq!(backup["restored"]["same"], true, "{backup:#}");
    }
    assert_eq!(backups.len(), if more.is_empty() { 7 } else { 8 }, "{backups:#?}");
    Ok(())
}

/// A rehearsal of the upgrade over these data, whose plan nothing speaks against.
fn rehearsed(on: On, upgrade: &str, data: &str) -> Result<Desk, Failed> {
    let desk = Desk::new(upgrade)?;
    std::fs::write(desk.path().join("data.sql"), data)?;
    let said = desk.run(on, &["--data", "data.sql", "upgrade.sql"])?;
    assert!(matches!(said.code(), Some(0 | 1)), "{:?}\n{}", said.code(), said.err());
    let plan = read_plan(&desk)?;
    assert_eq!(plan["blockers"].as_array().map(Vec::len), Some(0), "{:#}", plan["blockers"]);
    Ok(desk)
}

fn hard_to_copy(on: On) -> Result<(), Failed> {
    let desk = rehearsed(on, UPGRADE, DATA)?;
    let plan = read_plan(&desk)?;
    let (client, dump) =
        if on == MYSQL { ("mysql Ver 9.7", "mysqldump Ver") } else { ("mariadb Ver", "mariadb-dump Ver") };
    for script in plan["scripts"].as_array().ok_or("no scripts")? {
        let ran = &script["rehearsed"];
        assert_eq!(ran["ok"], true, "{script:#}");
        assert_eq!(ran["exit"], 0, "{script:#}");
        let by = if script["shell"]["program"] == "dump" { dump } else { client };
        assert!(ran["by"].as_str().is_some_and(|words| words.starts_with(by)), "{script:#}");
    }
    for backup in plan["backups"].as_array().ok_or("no backups")? {
        assert_eq!(backup["restored"]["same"], true, "{backup:#}");
        assert!(backup["restored"]["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{backup:#}");
    }
    let way = |table: &str| -> Result<String, Failed> {
        let backup = |one: &&Value| one["of"] == format!("app.{table}") || one["of"]["table"] == table;
        let found = plan["backups"].as_array().into_iter().flatten().find(backup);
        Ok(found.ok_or(format!("no backup of {table}: {:#}", plan["backups"]))?["way"]["kind"].to_string())
    };
    for (table, kind) in [
        ("zero", "row_copy"),
        ("keyless", "dump"),
        ("thinned", "row_copy"),
        ("child", "table_copy"),
        ("shouted", "dump"),
        ("wide", "column_copy"),
        ("dropped", "table_copy"),
    ] {
        assert_eq!(way(table)?, format!("{kind:?}"), "{table}");
    }
    let call = plan["steps"].as_array().and_then(|steps| steps.last()).ok_or("no steps")?;
    let whole = entry(&plan["backups"], "id", call["covered_by"][0].as_str().unwrap_or_default())?;
    let command = whole["way"]["command"].as_str().unwrap_or_default();
    assert!(command.contains("--databases") && command.contains("--routines"), "{command}");
    assert_eq!(command.contains("--set-gtid-purged=OFF"), on == MYSQL, "{command}");
    assert!(whole["restored"]["bytes"].as_u64().is_some_and(|bytes| bytes > 1_000), "{whole:#}");
    // A DELETE is undone by keys, so rows that came since are kept; a dump takes what is written since with it.
    let written = |place: usize| plan["steps"][place]["undo"]["shown"]["written"].clone();
    assert_eq!((&written(4)["inserted"], &written(4)["untried"] != ""), (&Value::from(0), true), "{:#}", written(4));
    assert_eq!(
        (&written(6)["inserted"], &written(6)["inserted_gone"]),
        (&Value::from(3), &Value::from(3)),
        "{:#}",
        written(6)
    );
    guarded_clean_up(&desk, on, &plan)
}

/// What the plan kept is not dropped while something uses it: its own script, by the stock client, on a server of its own.
fn guarded_clean_up(desk: &Desk, on: On, plan: &Value) -> Result<(), Failed> {
    let cleanup =
        |script: &&Value| script["path"].as_str().is_some_and(|path| path.ends_with("-rehearse_001_zero.sql"));
    let script =
        plan["scripts"].as_array().into_iter().flatten().find(cleanup).ok_or("no clean-up of step 1's copy")?;
    let path = script["path"].as_str().unwrap_or_default();
    let request = Request {
        flavor: Some(on.0.parse()?),
        kind: if on.1 == "process" { Kind::Process } else { Kind::Container },
        image: None,
        settings: std::collections::BTreeMap::new(),
        cache: Some(desk.cache().to_owned()),
        key: String::new(),
        keep_cache: false,
    };
    let mut sandbox = Sandbox::prepare(&request, &mut |_| Ok(Vec::new()), &Silent)?;
    std::fs::copy(desk.path().join("rehearsal").join(path), sandbox.desk()?.join("cleanup.sql"))?;
    let call =
        Call { program: Program::Client, arguments: Vec::new(), input: Some("cleanup.sql".to_owned()), output: None };
    let mut session = sandbox.instance().writer(Role::Keeper)?;
    for sql in [
        "CREATE DATABASE app",
        "CREATE TABLE app.rehearse_001_zero (id int NOT NULL PRIMARY KEY)",
        "CREATE VIEW app.looks AS SELECT id FROM app.rehearse_001_zero",
    ] {
        session.execute(sql)?;
    }
    let by_view = sandbox.call(&call, &Silent)?.ok_or("no client")?;
    assert!(by_view.code == 1 && by_view.errors.contains("still used: view app.looks"), "{by_view:?}");
    session.execute("DROP VIEW app.looks")?;
    session.execute("CREATE TABLE app.points (id int, FOREIGN KEY (id) REFERENCES app.rehearse_001_zero (id))")?;
    let by_key = sandbox.call(&call, &Silent)?.ok_or("no client")?;
    assert!(by_key.code == 1 && by_key.errors.contains("still used: a foreign key of app.points"), "{by_key:?}");
    session.execute("DROP TABLE app.points")?;
    let unused = sandbox.call(&call, &Silent)?.ok_or("no client")?;
    assert_eq!(unused.code, 0, "{unused:?}");
    let left: Vec<String> = session.rows("SHOW TABLES FROM app")?;
    assert_eq!(left, Vec::<String>::new());
    Ok(())
}

fn read_plan(desk: &Desk) -> Result<Value, Failed> {
    Ok(serde_yaml::from_str(&std::fs::read_to_string(desk.path().join("rehearsal/plan.yaml"))?)?)
}

//! Filling real servers: every type, every kind of key, exact counts, nothing dropped in silence.

mod dumps;

use std::collections::BTreeMap;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::seed;
use mysql_rehearsal::seed::record::Seeding;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::Writer;
use mysql_rehearsal::sql::record::TableName;
use mysql_rehearsal::survey::read::{Options, survey};
use mysql_rehearsal::survey::record::Survey;

use self::dumps::{databases_keep_their_character_set, dumps_are_loaded};
use super::servers::Servers;

type Check = fn(&Servers, &Instance) -> Result<(), Failed>;

/// The trials of this module, each on both servers.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let checks: [(&str, Check); 8] = [
        ("every_type_is_filled", every_type_is_filled),
        ("keys_hold_and_children_find_their_parents", keys_hold_and_children_find_their_parents),
        ("rows_land_in_their_partitions", rows_land_in_their_partitions),
        ("triggers_do_not_fire_and_views_and_routines_are_there", triggers_do_not_fire),
        ("what_cannot_be_filled_is_said_and_left_empty", what_cannot_be_filled_is_said),
        ("dumps_are_loaded_plain_and_packed", dumps_are_loaded),
        ("databases_keep_their_character_set", databases_keep_their_character_set),
        ("the_same_survey_gives_the_same_rows", the_same_survey_gives_the_same_rows),
    ];
    let mut trials = Vec::new();
    for (name, check) in checks {
        let shared = Arc::clone(servers);
        trials.push(Trial::test(format!("seed::{name}_on_mysql"), move || check(&shared, &shared.mysql()?)));
        let shared = Arc::clone(servers);
        trials.push(Trial::test(format!("seed::{name}_on_mariadb"), move || check(&shared, &shared.mariadb()?)));
    }
    for (flavor, slow) in [("mysql", true), ("mariadb", false)] {
        let shared = Arc::clone(servers);
        let name = format!("seed::two_hundred_thousand_rows_a_second_on_{flavor}");
        let check = move || full_size(&shared, &if slow { shared.mysql()? } else { shared.mariadb()? });
        trials.push(Trial::test(name, check).with_ignored_flag(true));
    }
    trials
}

/// The rate at production's size: takes a minute and the whole machine, so it runs only when asked for (`--ignored`).
fn full_size(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let definition = "CREATE TABLE tracking (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id int NOT NULL, \
         url varchar(255) NOT NULL, created_at datetime NOT NULL, hits int NOT NULL DEFAULT 0, KEY user_id (user_id), \
         KEY created_at (created_at))";
    let rows = std::env::var("REHEARSE_TEST_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(9_000_000);
    let mut filled = Filled::new(servers, instance, &[definition], &[("tracking", rows)])?;
    filled.assert_rows(&[("tracking", rows)])?;
    let table = filled.seeding.tables.values().next().copied().unwrap_or_default();
    let rate = rows as f64 / table.seconds;
    let words = format!("{rate:.0} rows/s, {:.1} s, {} bytes a row", table.seconds, table.bytes / rows);
    std::fs::write(std::env::temp_dir().join(format!("rehearse-rate-{}", instance.flavor().vendor_name())), &words)?;
    assert!(rate >= 200_000.0, "{words}");
    Ok(())
}

/// Runs definitions in a database of their own, surveys it, and fills it.
struct Filled {
    database: String,
    writer: Writer,
    survey: Survey,
    seeding: Seeding,
}

impl Filled {
    fn new(servers: &Servers, instance: &Instance, definitions: &[&str], rows: &[(&str, u64)]) -> Result<Self, Failed> {
        let database = servers.fresh_database(instance)?;
        let mut writer = instance.writer(Role::Keeper)?;
        writer.use_database(&database)?;
        writer.execute("SET foreign_key_checks = 0")?;
        for definition in definitions {
            writer.execute(definition).map_err(|fault| format!("{definition}: {fault}"))?;
        }
        let options = Options { databases: vec![database.clone()], exact: false, statistics: false, values: false };
        let survey = survey(&mut instance.reader(Role::Surveyor)?, &options, &Silent)?;
        let rows: BTreeMap<TableName, u64> =
            rows.iter().map(|(table, rows)| (TableName::new(&database, *table), *rows)).collect();
        let seeding = seed::fill(instance, &survey, &rows, &Silent).map_err(|error| format!("{error:#}"))?;
        writer.use_database(&database)?;
        Ok(Self { database, writer, survey, seeding })
    }

    fn number(&mut self, query: &str) -> Result<i64, Failed> {
        let value: Option<Option<i64>> = self.writer.first(query).map_err(|fault| format!("{query}: {fault}"))?;
        Ok(value.flatten().unwrap_or(i64::MIN))
    }

    fn assert_rows(&mut self, rows: &[(&str, u64)]) -> Result<(), Failed> {
        for (table, rows) in rows {
            let counted = self.number(&format!("SELECT COUNT(*) FROM `{table}`"))?;
            assert_eq!(counted, *rows as i64, "{table}: {:?}", self.seeding.unseedable);
            let filled = self.seeding.tables.get(&TableName::new(&self.database, *table));
            assert_eq!(filled.map(|filled| filled.rows), Some(*rows), "{table}");
        }
        Ok(())
    }

    fn assert_no_orphans(&mut self) -> Result<(), Failed> {
        let tables = self.survey.tables.clone();
        for (name, table) in &tables {
            for key in &table.foreign_keys {
                let pairs = || key.columns.iter().zip(&key.parent_columns);
                let same: Vec<String> = pairs().map(|(child, parent)| format!("p.`{parent}` = c.`{child}`")).collect();
                let set: Vec<String> = key.columns.iter().map(|column| format!("c.`{column}` IS NOT NULL")).collect();
                let orphans = self.number(&format!(
                    "SELECT COUNT(*) FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
                    name.quoted(),
                    set.join(" AND "),
                    key.parent.quoted(),
                    same.join(" AND ")
                ))?;
                assert_eq!(orphans, 0, "{} of {name}", key.name);
            }
        }
        Ok(())
    }

    /// The definitions on the server are those of the survey again.
    fn assert_same_definitions(&mut self, instance: &Instance) -> Result<(), Failed> {
        use mysql_rehearsal::survey::definition::normalise;
        let options =
            Options { databases: vec![self.database.clone()], exact: false, statistics: false, values: false };
        let now = survey(&mut instance.reader(Role::Surveyor)?, &options, &Silent)?;
        for (name, table) in &self.survey.tables {
            let again = now.tables.get(name).map(|table| normalise(&table.create)).unwrap_or_default();
            assert_eq!(again, normalise(&table.create), "{name}");
        }
        assert_eq!(now.triggers.keys().collect::<Vec<_>>(), self.survey.triggers.keys().collect::<Vec<_>>());
        assert_eq!(now.views.keys().collect::<Vec<_>>(), self.survey.views.keys().collect::<Vec<_>>());
        assert_eq!(now.routines.keys().collect::<Vec<_>>(), self.survey.routines.keys().collect::<Vec<_>>());
        Ok(())
    }
}

const EVERY_TYPE: &str = "CREATE TABLE every_type (
    id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    a1 tinyint NOT NULL, a2 tinyint(1) NOT NULL DEFAULT 1, a3 smallint unsigned, a4 mediumint NOT NULL, a5 int(8) unsigned zerofill,
    a6 bigint NOT NULL, a7 bool NOT NULL DEFAULT 0,
    b1 decimal(10,2) NOT NULL, b2 decimal(65,30), b3 float NOT NULL, b4 double, b5 bit(1) NOT NULL, b6 bit(64),
    c1 date NOT NULL, c2 datetime NOT NULL, c3 datetime(6) NOT NULL, c4 timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    c5 timestamp(3) NULL, c6 time NOT NULL, c7 time(4), c8 year NOT NULL,
    d1 char(1) NOT NULL, d2 char(36), d3 varchar(255) NOT NULL, d4 varchar(10) CHARACTER SET latin1, d5 tinytext,
    d6 text NOT NULL, d7 mediumtext, d8 longtext, d9 varchar(30) CHARACTER SET utf16 NOT NULL, d10 char(0) NOT NULL,
    e1 binary(16) NOT NULL, e2 varbinary(40), e3 tinyblob, e4 blob NOT NULL, e5 mediumblob, e6 longblob,
    f1 enum('new','it''s','a,b\\\\c') NOT NULL DEFAULT 'new', f2 set('r','w','x') NOT NULL, f3 json NOT NULL, f4 json,
    g1 point NOT NULL, g2 linestring NOT NULL, g3 polygon, g4 multipoint, g5 multilinestring, g6 multipolygon,
    g7 geometrycollection, g8 geometry,
    `odd ``name` int NOT NULL, h2 int GENERATED ALWAYS AS (a1 + 1) STORED, h3 varchar(300) GENERATED ALWAYS AS (concat(d3, 'x')) VIRTUAL,
    KEY a6 (a6), KEY d3 (d3(20)), FULLTEXT KEY d6 (d6), SPATIAL KEY g1 (g1), KEY h2 (h2), UNIQUE KEY e1 (e1))";

fn every_type_is_filled(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let own = if instance.flavor().is_mariadb() {
        "CREATE TABLE own_types (id uuid NOT NULL PRIMARY KEY, i4 inet4 NOT NULL, i6 inet6 NOT NULL, hidden int INVISIBLE NOT NULL \
         DEFAULT 7, UNIQUE KEY i6 (i6))"
    } else {
        "CREATE TABLE own_types (id binary(16) NOT NULL PRIMARY KEY, v vector(3) NOT NULL, p point NOT NULL SRID 4326, \
         hidden int NOT NULL DEFAULT 7 INVISIBLE, n varchar(50) NOT NULL, UNIQUE KEY n ((lower(n))), SPATIAL KEY (p))"
    };
    let isam =
        EVERY_TYPE.replace("every_type", "isam").replace("UNIQUE KEY e1 (e1))", "UNIQUE KEY e1 (e1)) ENGINE=MyISAM");
    let rows = [("every_type", 30_000), ("own_types", 1_000), ("isam", 2_000)];
    let mut filled = Filled::new(servers, instance, &[EVERY_TYPE, &isam, own], &rows)?;
    filled.assert_rows(&rows)?;
    assert_eq!(filled.seeding.unseedable, []);
    filled.assert_same_definitions(instance)?;
    assert_eq!(filled.number("SELECT MIN(id) * 1000000 + MAX(id) FROM every_type")?, 1_030_000);
    assert!(filled.number("SELECT COUNT(*) FROM own_types WHERE hidden <> 7")? > 500);
    assert_eq!(
        filled.number(
            "SELECT COUNT(*) FROM every_type WHERE ST_AsText(g3) NOT LIKE 'POLYGON((%' OR NOT JSON_VALID(f3)"
        )?,
        0
    );
    for column in ["a3", "b2", "b6", "c5", "d7", "e6", "f4", "g8"] {
        let nulls = filled.number(&format!("SELECT COUNT(*) FROM every_type WHERE {column} IS NULL"))?;
        assert!((1_500..2_700).contains(&nulls), "{column}: {nulls}");
    }
    assert!(filled.number("SELECT COUNT(*) FROM every_type WHERE c2 > NOW() - INTERVAL 1 YEAR")? > 10_000);
    assert_eq!(filled.number("SELECT COUNT(*) FROM every_type WHERE f1 = '' OR c1 < '2000-01-01' OR c8 = 0")?, 0);
    let tables = filled.seeding.tables.clone();
    assert!(tables.values().all(|table| table.bytes > 0 && table.seconds > 0.0), "{tables:?}");
    Ok(())
}

const KEYS: &[&str] = &[
    "CREATE TABLE users (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, email varchar(100) NOT NULL, login varchar(40), \
     manager_id int, UNIQUE KEY email (email(12)), UNIQUE KEY login (login), \
     CONSTRAINT u_manager FOREIGN KEY (manager_id) REFERENCES users (id))",
    "CREATE TABLE profiles (user_id int NOT NULL PRIMARY KEY, bio text, CONSTRAINT pr_user FOREIGN KEY (user_id) REFERENCES users (id))",
    "CREATE TABLE `groups` (id smallint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, code char(4) NOT NULL, UNIQUE KEY code (code))",
    "CREATE TABLE members (user_id int NOT NULL, group_id smallint unsigned NOT NULL, since date NOT NULL, \
     PRIMARY KEY (user_id, group_id), KEY g (group_id), \
     CONSTRAINT m_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE, \
     CONSTRAINT m_group FOREIGN KEY (group_id) REFERENCES `groups` (id))",
    "CREATE TABLE by_mail (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, group_code char(4), \
     CONSTRAINT b_code FOREIGN KEY (group_code) REFERENCES `groups` (code))",
    "CREATE TABLE orders (tenant int NOT NULL, nr int NOT NULL, user_id int, PRIMARY KEY (tenant, nr), \
     CONSTRAINT o_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL)",
    "CREATE TABLE order_lines (tenant int NOT NULL, nr int NOT NULL, line smallint NOT NULL, what varchar(20), \
     PRIMARY KEY (tenant, nr, line), CONSTRAINT l_order FOREIGN KEY (tenant, nr) REFERENCES orders (tenant, nr))",
    "CREATE TABLE chicken (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, egg_id int NOT NULL, \
     CONSTRAINT c_egg FOREIGN KEY (egg_id) REFERENCES egg (id))",
    "CREATE TABLE egg (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, chicken_id int NOT NULL, UNIQUE KEY c (chicken_id), \
     CONSTRAINT e_chicken FOREIGN KEY (chicken_id) REFERENCES chicken (id))",
    "CREATE TABLE no_key (a int NOT NULL, b varchar(20) NOT NULL, UNIQUE KEY ab (a, b))",
    "CREATE TABLE heap (a int, b varchar(20)) AUTO_INCREMENT=1",
    "CREATE TABLE isam (a int NOT NULL, n int NOT NULL AUTO_INCREMENT, w text, PRIMARY KEY (a, n), KEY n (n), FULLTEXT KEY w (w)) ENGINE=MyISAM",
    "CREATE TABLE counted (k int NOT NULL, n int NOT NULL AUTO_INCREMENT, PRIMARY KEY (k), KEY n (n)) AUTO_INCREMENT=77777",
];

fn keys_hold_and_children_find_their_parents(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let rows = [
        ("users", 50_000),
        ("profiles", 20_000),
        ("groups", 500),
        ("members", 120_000),
        ("by_mail", 3_000),
        ("orders", 4_000),
        ("order_lines", 30_000),
        ("chicken", 900),
        ("egg", 800),
        ("no_key", 25_000),
        ("heap", 100),
        ("isam", 1_000),
        ("counted", 1_000),
    ];
    let mut filled = Filled::new(servers, instance, KEYS, &rows)?;
    filled.assert_rows(&rows)?;
    assert_eq!(filled.seeding.unseedable, []);
    filled.assert_no_orphans()?;
    filled.assert_same_definitions(instance)?;
    assert!(filled.number("SELECT COUNT(DISTINCT group_id) FROM members")? > 450);
    let roots = filled.number("SELECT COUNT(*) FROM users WHERE manager_id IS NULL")?;
    assert!((3_000..4_000).contains(&roots), "{roots}");
    let next = filled.number(
        "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'counted'",
    )?;
    assert_eq!(next, 77_777);
    assert!(redo_is_on(&mut filled)?);
    Ok(())
}

/// On again, at the latest when the other trials that fill this server at the same time are through.
fn redo_is_on(filled: &mut Filled) -> Result<bool, Failed> {
    for _ in 0..120 {
        let row: Option<(String, String)> = filled.writer.first("SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_enabled'")?;
        if row.is_none_or(|(_, value)| value == "ON") {
            return Ok(true);
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    Ok(false)
}

fn rows_land_in_their_partitions(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let definitions = [
        "CREATE TABLE by_year (id int NOT NULL AUTO_INCREMENT, at date NOT NULL, PRIMARY KEY (id, at)) \
         PARTITION BY RANGE (YEAR(at)) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN (2022))",
        "CREATE TABLE by_days (id int NOT NULL AUTO_INCREMENT, at datetime NOT NULL, PRIMARY KEY (id, at)) \
         PARTITION BY RANGE (TO_DAYS(at)) (PARTITION p0 VALUES LESS THAN (TO_DAYS('2019-01-01')))",
        "CREATE TABLE by_stamp (id int NOT NULL AUTO_INCREMENT, at timestamp NOT NULL, PRIMARY KEY (id, at)) \
         PARTITION BY RANGE (UNIX_TIMESTAMP(at)) (PARTITION p0 VALUES LESS THAN (UNIX_TIMESTAMP('2019-01-01 00:00:00')))",
        "CREATE TABLE by_columns (id int NOT NULL AUTO_INCREMENT, at datetime NOT NULL, PRIMARY KEY (id, at)) \
         PARTITION BY RANGE COLUMNS (at) (PARTITION p0 VALUES LESS THAN ('2019-01-01'), PARTITION p1 VALUES LESS THAN ('2020-06-01'))",
        "CREATE TABLE by_list (id int NOT NULL AUTO_INCREMENT, region int NOT NULL, PRIMARY KEY (id, region)) \
         PARTITION BY LIST (region) (PARTITION p0 VALUES IN (3, 7), PARTITION p1 VALUES IN (11))",
        "CREATE TABLE by_text (id int NOT NULL AUTO_INCREMENT, region varchar(10) NOT NULL, PRIMARY KEY (id, region)) \
         PARTITION BY LIST COLUMNS (region) (PARTITION p0 VALUES IN ('north', 'it''s'), PARTITION p1 VALUES IN ('south'))",
        "CREATE TABLE by_id (id int NOT NULL AUTO_INCREMENT PRIMARY KEY) \
         PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (1000), PARTITION p1 VALUES LESS THAN MAXVALUE)",
        "CREATE TABLE by_hash (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, KEY i (id)) PARTITION BY HASH (id) PARTITIONS 3",
    ];
    let rows = ["by_year", "by_days", "by_stamp", "by_columns", "by_list", "by_text", "by_id", "by_hash"]
        .map(|table| (table, 2_000));
    let mut filled = Filled::new(servers, instance, &definitions, &rows)?;
    filled.assert_rows(&rows)?;
    assert_eq!(filled.seeding.unseedable, []);
    filled.assert_same_definitions(instance)?;
    assert_eq!(filled.number("SELECT COUNT(DISTINCT region) FROM by_text")?, 3);
    Ok(())
}

fn triggers_do_not_fire(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let definitions = [
        "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, n int NOT NULL)",
        "CREATE TABLE log (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, what int)",
        "CREATE TRIGGER t_ai AFTER INSERT ON t FOR EACH ROW INSERT INTO log (what) VALUES (NEW.id)",
        "CREATE DEFINER=`somebody`@`elsewhere` VIEW a_view AS SELECT b_view.id FROM b_view",
        "CREATE VIEW b_view AS SELECT id, twice(n) AS m FROM t",
        "CREATE FUNCTION twice(n int) RETURNS int RETURN n * 2",
        "CREATE PROCEDURE go() UPDATE t SET n = n + 1",
    ];
    // The function before the views, the inner view before the outer one.
    let order = [0, 1, 2, 5, 4, 3, 6];
    instance.writer(Role::Keeper)?.execute("SET GLOBAL log_bin_trust_function_creators = 1")?;
    let ordered: Vec<&str> = order.iter().map(|place| definitions[*place]).collect();
    let rows = [("t", 500)];
    let mut filled = Filled::new(servers, instance, &ordered, &rows)?;
    filled.assert_rows(&rows)?;
    assert_eq!(filled.number("SELECT COUNT(*) FROM log")?, 0);
    assert_eq!(filled.number("SELECT COUNT(*) FROM a_view")?, 500);
    filled.assert_same_definitions(instance)?;
    filled.writer.execute("INSERT INTO t (n) VALUES (1)")?;
    assert_eq!(filled.number("SELECT COUNT(*) FROM log")?, 1);
    Ok(())
}

fn what_cannot_be_filled_is_said(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let definitions = [
        "CREATE TABLE small (code char(1) NOT NULL PRIMARY KEY, n int)",
        "CREATE TABLE flags (on_off tinyint(1) NOT NULL, kind enum('a','b','c') NOT NULL, UNIQUE KEY both_of (on_off, kind))",
        "CREATE TABLE checked (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, n int NOT NULL, CHECK (n < 0))",
        "CREATE TABLE child (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, checked_id int NOT NULL, \
         CONSTRAINT f FOREIGN KEY (checked_id) REFERENCES checked (id))",
        "CREATE TABLE loose (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, checked_id int, \
         CONSTRAINT g FOREIGN KEY (checked_id) REFERENCES checked (id))",
        "CREATE TABLE tiny (id tinyint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY)",
        "CREATE TABLE fine (id int NOT NULL AUTO_INCREMENT PRIMARY KEY)",
    ];
    let rows = [
        ("small", 100),
        ("flags", 50),
        ("checked", 500),
        ("child", 500),
        ("loose", 400),
        ("tiny", 1_000),
        ("fine", 10),
        ("absent", 5),
    ];
    let mut filled = Filled::new(servers, instance, &definitions, &rows)?;
    filled.assert_rows(&[("small", 36), ("flags", 6), ("checked", 0), ("child", 0), ("loose", 400), ("fine", 10)])?;
    let said: BTreeMap<&str, &str> =
        filled.seeding.unseedable.iter().map(|(table, why)| (table.table.as_str(), why.as_str())).collect();
    assert_eq!(
        said.keys().copied().collect::<Vec<_>>(),
        ["absent", "checked", "child", "flags", "small", "tiny"],
        "{said:?}"
    );
    assert!(said["small"].contains("36 of 100 rows") && said["small"].contains("PRIMARY"), "{}", said["small"]);
    assert!(said["flags"].contains("both_of"), "{}", said["flags"]);
    assert!(said["checked"].contains("left out 500 of 500 rows"), "{}", said["checked"]);
    assert!(said["child"].contains("has no rows"), "{}", said["child"]);
    assert!(said["tiny"].contains("AUTO_INCREMENT"), "{}", said["tiny"]);
    assert_eq!(filled.number("SELECT COUNT(*) FROM loose WHERE checked_id IS NOT NULL")?, 0);
    filled.assert_same_definitions(instance)?;
    Ok(())
}

fn the_same_survey_gives_the_same_rows(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let rows = [("users", 30_000), ("groups", 50), ("members", 3_000)];
    let mut filled = Filled::new(servers, instance, &[KEYS[0], KEYS[2], KEYS[3]], &rows)?;
    type Sum = Option<(String, Option<u64>)>;
    let sums = |filled: &mut Filled| -> Result<Vec<Sum>, Failed> {
        let query = |table: &&str| format!("CHECKSUM TABLE `{table}`");
        ["users", "groups", "members"].iter().map(|table| Ok(filled.writer.first(&query(table))?)).collect()
    };
    let first = sums(&mut filled)?;
    let counts: BTreeMap<TableName, u64> =
        rows.iter().map(|(table, rows)| (TableName::new(&filled.database, *table), *rows)).collect();
    seed::fill(instance, &filled.survey, &counts, &Silent).map_err(|error| format!("{error:#}"))?;
    assert_eq!(first, sums(&mut filled)?);
    Ok(())
}

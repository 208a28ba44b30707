//! Surveys and fingerprints of real servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::problem::is_bad_input;
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::Writer;
use mysql_rehearsal::sql::record::TableName;
use mysql_rehearsal::survey::compare::{Difference, compare};
use mysql_rehearsal::survey::fingerprint::{self, Depth};
use mysql_rehearsal::survey::read::{Options, survey};
use mysql_rehearsal::survey::record::{Basis, Fingerprint, Survey, TableFacts, TablePrint};
use mysql_rehearsal::survey::{closure, file};

use super::servers::Servers;

const COMMON: &str = include_str!("../../fixtures/survey/common.sql");
const MYSQL: &str = include_str!("../../fixtures/survey/mysql.sql");
const MARIADB: &str = include_str!("../../fixtures/survey/mariadb.sql");

type Body = fn(&Servers, &Instance) -> Result<(), Failed>;

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let bodies: [(&str, Body); 9] = [
        ("the_whole_shape_is_read_and_reads_back_from_its_file", whole_shape),
        ("a_survey_scans_no_table", no_scan),
        ("exact_counts_rows", exact),
        ("statistics_tell_ends_nulls_and_common_values", statistics),
        ("texts_leave_only_when_asked_for", texts_stay),
        ("a_fingerprint_tells_each_kind_of_difference", differences),
        ("checksums_of_columns_name_the_column", column_sums),
        ("a_forgotten_session_is_told_and_not_waited_for", forgotten_session),
        ("what_an_account_may_not_read_is_a_gap_and_a_missing_database_an_error", gaps),
    ];
    let mut trials = Vec::new();
    for (name, body) in bodies {
        let shared = Arc::clone(servers);
        trials.push(Trial::test(format!("survey::{name}_on_mysql"), move || body(&shared, &shared.mysql()?)));
        let shared = Arc::clone(servers);
        trials.push(Trial::test(format!("survey::{name}_on_mariadb"), move || body(&shared, &shared.mariadb()?)));
    }
    trials
}

/// A database with every type and kind of object, and a session in it.
fn everything(servers: &Servers, instance: &Instance) -> Result<(String, Writer), Failed> {
    let database = servers.fresh_database(instance)?;
    let mut writer = instance.writer(Role::Keeper)?;
    writer.use_database(&database)?;
    let vendor = if instance.flavor().is_mariadb() { MARIADB } else { MYSQL };
    writer.execute(COMMON)?;
    writer.execute(vendor)?;
    Ok((database, writer))
}

fn empty(servers: &Servers, instance: &Instance) -> Result<(String, Writer), Failed> {
    let database = servers.fresh_database(instance)?;
    let mut writer = instance.writer(Role::Keeper)?;
    writer.use_database(&database)?;
    Ok((database, writer))
}

fn read(instance: &Instance, database: &str, options: Options) -> Result<Survey, Failed> {
    let mut reader = instance.reader(Role::Surveyor)?;
    Ok(survey(&mut reader, &Options { databases: vec![database.to_owned()], ..options }, &Silent)?)
}

fn print(instance: &Instance, database: &str, depth: Depth) -> Result<Fingerprint, Failed> {
    let mut reader = instance.reader(Role::Surveyor)?;
    Ok(fingerprint::take(&mut reader, &[database.to_owned()], depth, &Silent)?)
}

fn table<'a>(survey: &'a Survey, database: &str, table: &str) -> &'a TableFacts {
    &survey.tables[&TableName::new(database, table)]
}

fn whole_shape(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, _writer) = everything(servers, instance)?;
    let mariadb = instance.flavor().is_mariadb();
    let read = read(instance, &database, Options { statistics: true, ..Options::default() })?;
    assert_eq!(read.gaps, Vec::<String>::new());
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("survey.yaml");
    file::save(&path, &read)?;
    assert_eq!(file::load(&path)?, read);

    let every = table(&read, &database, "every_type");
    let column = |name: &str| every.column(name).unwrap_or_else(|| panic!("no column {name}"));
    assert_eq!(column("vc").default.as_deref(), Some("it's"));
    assert_eq!(column("ti").default, None);
    assert_eq!(column("dt6").default.as_deref(), Some("CURRENT_TIMESTAMP(6)"));
    assert_eq!(column("js").data_type, "json");
    assert!(column("hidden").invisible && column("id").auto_increment);
    assert_eq!(column("dt6").scale, Some(6));
    assert!(column("gv").generated.is_some() && column("gs").generated.is_some());
    assert_eq!(every.auto_increment, Some(3));
    assert_eq!(every.indexes[0].name, "PRIMARY");
    if mariadb {
        assert_eq!(column("tx").default.as_deref(), Some("NULL"), "the text, not the absence of one");
        assert_eq!(read.sequences.len(), 1);
        assert!(table(&read, &database, "versioned").create.contains("WITH SYSTEM VERSIONING"));
    } else {
        let functional = every.indexes.iter().find(|index| index.name == "func").expect("the index");
        assert_eq!(functional.columns[0].expression.as_deref(), Some("lower(`vc`)"));
        assert_eq!(functional.columns[1].name, "bi");
        assert_eq!(every.row_versions, Some(0));
        assert!(table(&read, &database, "keyless").column("my_row_id").is_some_and(|column| column.invisible));
    }
    let parent = table(&read, &database, "parent");
    assert_eq!(parent.primary_key().len(), 2);
    let prefixed = parent.indexes.iter().find(|index| index.name == "note_prefix").expect("the index");
    assert_eq!((prefixed.columns[0].prefix, prefixed.columns[1].prefix), (Some(10), None));
    let child = table(&read, &database, "child");
    let key = &child.foreign_keys[0];
    assert_eq!((key.columns.len(), key.parent_columns.join(",").as_str()), (2, "a,b"));
    assert_eq!((key.on_delete.as_str(), key.on_update.as_str()), ("CASCADE", "SET NULL"));
    let parts = &table(&read, &database, "log_line").partitions;
    assert_eq!(parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["p2025", "p2026", "rest"]);
    assert_eq!((parts[0].method.as_str(), parts[0].values.as_str()), ("RANGE COLUMNS", "'2026-01-01'"));
    assert!(read.tables.contains_key(&TableName::new(database.as_str(), "odd, name (x)")));
    let trigger = &read.triggers[&TableName::new(database.as_str(), "child_ai")];
    assert_eq!(trigger.touches, [TableName::new(database.as_str(), "audit")]);
    assert_eq!((read.views.len(), read.routines.len()), (2, 3));
    let related = closure::related(&read, &[TableName::new(database.as_str(), "grown_again")].into());
    assert!(related.contains_key(&TableName::new(database.as_str(), "parent")), "{related:?}");
    assert!(read.server.settings.len() > 300 && read.server.host.is_some(), "{:?}", read.server.host);
    Ok(())
}

/// 200,000 rows with a key, and as many without.
fn big(servers: &Servers, instance: &Instance) -> Result<(String, Writer), Failed> {
    let (database, mut writer) = empty(servers, instance)?;
    writer.execute(
        "CREATE TABLE big (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, v int, at datetime, s varchar(20), e enum('a','b'), KEY (at))",
    )?;
    writer.execute("CREATE TABLE keyless (v int, s varchar(20))")?;
    writer.execute("INSERT INTO big (v, at, s, e) VALUES (1, '2026-01-01', 'one', 'a')")?;
    for _ in 0..17 {
        writer.execute("INSERT INTO big (v, at, s, e) SELECT v + 1, at + INTERVAL v SECOND, IF(v % 2, NULL, CONCAT('n', v)), e + 0 FROM big")?;
    }
    writer.execute("INSERT INTO big (v, at, s, e) SELECT 0, '2020-02-02', 's', 'b' FROM big LIMIT 70000")?;
    writer.execute("INSERT INTO keyless SELECT v, s FROM big")?;
    writer.execute("ANALYZE TABLE big, keyless")?;
    Ok((database, writer))
}

fn no_scan(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, _writer) = big(servers, instance)?;
    let mut reader = instance.reader(Role::Surveyor)?;
    let options = Options { databases: vec![database.clone()], statistics: true, values: true, ..Options::default() };
    let read = survey(&mut reader, &options, &Silent)?;
    let status: Vec<(String, u64)> = reader.rows("SHOW SESSION STATUS LIKE 'Handler_read%'")?;
    let steps: u64 = status.iter().map(|(_, value)| value).sum();
    assert!(steps < 40_000, "a survey of 400,000 rows took {steps} steps: {status:?}");
    let rows = table(&read, &database, "big").rows;
    assert!((150_000..260_000).contains(&rows), "{rows} rows estimated");
    assert_eq!(table(&read, &database, "big").rows_basis, Basis::Estimated);
    Ok(())
}

fn exact(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, mut writer) = empty(servers, instance)?;
    writer.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (5)")?;
    let read = read(instance, &database, Options { exact: true, ..Options::default() })?;
    let facts = table(&read, &database, "t");
    assert_eq!((facts.rows, facts.rows_basis), (3, Basis::Measured));
    Ok(())
}

fn statistics(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, _writer) = big(servers, instance)?;
    let read = read(instance, &database, Options { statistics: true, ..Options::default() })?;
    let of = |column: &str| {
        let column = table(&read, &database, "big").column(column).expect("the column");
        column.statistics.clone().expect("statistics")
    };
    assert_eq!(of("at").min.as_deref(), Some("2020-02-02 00:00:00"), "the index's end lies in no end of the key");
    assert_eq!(of("id").min.as_deref(), Some("1"));
    assert!(of("id").distinct.is_some_and(|seen| seen > 150_000), "{:?}", of("id"));
    assert_eq!(of("e").distinct, Some(2));
    assert_eq!(of("e").common.len(), 2);
    assert!(of("e").common.iter().map(|(_, share)| share).sum::<f64>() > 0.99);
    let texts = of("s");
    assert!(texts.null_share.is_some_and(|share| share > 0.0 && share < 1.0), "{texts:?}");
    assert!(texts.max_length.is_some_and(|longest| longest >= 1), "{texts:?}");
    Ok(())
}

fn texts_stay(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, mut writer) = empty(servers, instance)?;
    writer.execute(
        "CREATE TABLE t (id int PRIMARY KEY, s varchar(20)); INSERT INTO t VALUES (1, 'secret'), (2, 'secret')",
    )?;
    let text = |values| -> Result<String, Failed> {
        let read = read(instance, &database, Options { statistics: true, values, ..Options::default() })?;
        Ok(format!("{:?}", read.tables))
    };
    assert!(!text(false)?.contains("secret"));
    assert!(text(true)?.contains("secret"));
    Ok(())
}

fn differences(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, mut writer) = everything(servers, instance)?;
    let before = print(instance, &database, Depth::Checksums)?;
    let compared = |table: &TablePrint| table.checksum.is_some() || table.row_sums.is_some();
    assert!(before.tables.values().all(|table| compared(table) && table.bytes > 0), "{before:?}");
    let again = compare(&before, &print(instance, &database, Depth::Checksums)?);
    assert_eq!(again, vec![], "nothing happened in between");
    assert_eq!(before.tables[&TableName::new(database.as_str(), "child")].auto_increment, Some(4));

    let mut last = before;
    let mut after = |sql: &str| -> Result<Vec<Difference>, Failed> {
        writer.execute(sql)?;
        let next = print(instance, &database, Depth::Checksums)?;
        let found = compare(&last, &next);
        last = next;
        Ok(found)
    };
    assert_eq!(after("ALTER TABLE parent ENGINE = InnoDB")?, vec![], "a rebuild changes nothing");
    let found = after("INSERT INTO hashed VALUES (9, 9)")?;
    assert!(matches!(found[..], [Difference::Rows { left: 3, right: 4, .. }]), "{found:?}");
    let found = after("UPDATE plain SET w = NULL WHERE w = ''")?;
    assert!(matches!(found[..], [Difference::Content { .. }]), "NULL is not the empty text: {found:?}");
    let found = after("UPDATE every_type SET hidden = 43 WHERE id = 1")?;
    assert!(matches!(found[..], [Difference::Content { .. }]), "an invisible column counts: {found:?}");
    let found = after("ALTER TABLE child AUTO_INCREMENT = 1000")?;
    assert!(matches!(found[..], [Difference::AutoIncrement { left: Some(4), right: Some(1000), .. }]), "{found:?}");
    let found = after("ALTER TABLE hashed ADD KEY by_v (v)")?;
    assert!(matches!(&found[..], [Difference::Definition { diff, .. }] if diff.contains("+  KEY `by_v`")), "{found:?}");
    let found = after("DROP TRIGGER child_ai")?;
    assert!(matches!(&found[..], [Difference::Object { name, .. }] if name.starts_with("trigger ")), "{found:?}");
    let found = after("ALTER VIEW grown_again AS SELECT 1 AS id")?;
    assert!(matches!(&found[..], [Difference::Object { name, .. }] if name.starts_with("view ")), "{found:?}");
    let found = after("DROP TABLE audit")?;
    assert!(matches!(&found[..], [Difference::MissingTable { from_right: true, .. }]), "{found:?}");
    let found = after("SET foreign_key_checks = 0; DROP TABLE child; SET foreign_key_checks = 1")?;
    assert!(matches!(&found[0], Difference::MissingTable { .. }), "a view without its table is no error: {found:?}");
    let found = after("DELETE FROM hashed; INSERT INTO hashed VALUES (1, 1), (3, 3), (2, NULL), (9, 9)")?;
    assert_eq!(found, vec![], "the order of rows does not count");
    Ok(())
}

fn column_sums(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, mut writer) = everything(servers, instance)?;
    let take = || print(instance, &database, Depth::Columns);
    let before = take()?;
    assert_eq!(compare(&before, &take()?), vec![]);
    let every = TableName::new(database.as_str(), "every_type");
    assert_eq!(before.tables[&every].columns.len(), if instance.flavor().is_mariadb() { 46 } else { 43 });
    let changes: BTreeMap<&str, &str> = [
        ("bt", "b'110'"),
        ("fl", "16777215"),
        ("bl", "x'ff01'"),
        ("st", "''"),
        ("ts", "'2026-01-01 00:00:01'"),
        ("ch", "NULL"),
        ("ge", "ST_GeomFromText('POINT(1 3)')"),
    ]
    .into();
    let mut last = before;
    for (column, value) in changes {
        writer.execute(&format!("UPDATE every_type SET {column} = {value} WHERE id = 1"))?;
        let next = take()?;
        match &compare(&last, &next)[..] {
            // dt6 is ON UPDATE CURRENT_TIMESTAMP; gs of MySQL is made of vc and ch.
            [Difference::Content { table, columns }] if *table == every => {
                assert!(columns.iter().any(|name| name == column), "{column}: {columns:?}");
                assert!(
                    columns.iter().all(|name| name == column || name == "dt6" || name == "gs"),
                    "{column}: {columns:?}"
                );
            }
            other => panic!("{column}: {other:?}"),
        }
        last = next;
    }
    writer.execute("CREATE TABLE pairs (a int, b int); INSERT INTO pairs VALUES (1, 1), (2, 2)")?;
    let before = take()?;
    writer.execute("UPDATE pairs SET b = 3 - b")?;
    let found = compare(&before, &take()?);
    assert!(matches!(&found[..], [Difference::Content { columns, .. }] if columns.is_empty()), "{found:?}");
    writer.execute("UPDATE pairs SET b = 3 - b; ALTER TABLE pairs MODIFY b bigint")?;
    let found = compare(&before, &take()?);
    assert!(matches!(&found[..], [Difference::Definition { .. }]), "the same values in a wider column: {found:?}");
    Ok(())
}

fn gaps(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, mut writer) = everything(servers, instance)?;
    let options = Options { databases: vec!["no_such_database".to_owned()], ..Options::default() };
    let error = survey(&mut instance.reader(Role::Surveyor)?, &options, &Silent).expect_err("no such database");
    assert!(format!("{error:#}").contains("no database 'no_such_database'") && is_bad_input(&error), "{error:#}");

    let user = format!("u_{database}");
    writer.execute(&format!("CREATE USER {user}@localhost; GRANT SELECT ON {database}.* TO {user}@localhost"))?;
    let mut address = instance.address().clone();
    address.user = user;
    let mut reader = mysql_rehearsal::server::session::read_only(&address, Role::Surveyor)?;
    let options = Options { databases: vec![database.clone()], statistics: true, ..Options::default() };
    let read = survey(&mut reader, &options, &Silent)?;
    assert!(read.tables.len() > 8);
    let told = read.gaps.join("\n");
    for part in ["triggers of", "events of", "open transactions", "PROCESS"] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
    Ok(())
}

fn forgotten_session(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let (database, mut writer) = empty(servers, instance)?;
    writer.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE held (id int PRIMARY KEY)")?;
    let mut holder = instance.writer(Role::Keeper)?;
    holder.use_database(&database)?;
    holder.execute("LOCK TABLES held WRITE")?;
    writer.execute("START TRANSACTION; INSERT INTO t VALUES (1)")?;
    thread::sleep(Duration::from_secs(6));
    let began = Instant::now();
    let read = read(instance, &database, Options { exact: true, ..Options::default() })?;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let told = read.server.long_transactions.iter().find(|told| told.connection == u64::from(writer.connection_id()));
    assert!(
        told.is_some_and(|told| told.seconds >= 5 && told.user == "root" && told.state.starts_with("Sleep")),
        "{told:?}"
    );
    assert!(read.gaps.iter().any(|gap| gap.contains(".held")), "{:?}", read.gaps);
    Ok(())
}

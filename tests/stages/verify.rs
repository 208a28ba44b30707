//! A plan held against a server that is what was rehearsed, and against one that is not.

mod stand;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::apply::planned;
use mysql_rehearsal::apply::verify::{Options, Reason, Severity, Verdict, verify};
use mysql_rehearsal::sandbox::Kind;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::ReadOnly;

use self::stand::{Stand, dsn, rehearse};
use super::servers::{MARIADB, MYSQL, Servers};

/// The trials of this module.
pub fn trials(_servers: &Arc<Servers>) -> Vec<Trial> {
    vec![
        Trial::test("verify::every_reason_is_told_on_mysql", || every_reason(MYSQL, Kind::Container, "container")),
        Trial::test("verify::every_reason_is_told_on_mariadb", || every_reason(MARIADB, Kind::Process, "process")),
    ]
}

/// The one reason that there is.
fn only<'a>(reasons: &'a [Reason], check: &str, object: &str) -> Result<&'a Reason, Failed> {
    match reasons {
        [reason] if reason.check == check && reason.object == object => Ok(reason),
        other => Err(format!("not {check} of {object} alone: {other:#?}").into()),
    }
}

fn every_reason(flavor: &str, kind: Kind, sandbox: &str) -> Result<(), Failed> {
    let stand = Stand::new(flavor, kind, sandbox)?;
    unchanged(&stand)?;
    schema(&stand)?;
    rows(&stand)?;
    settings(&stand)?;
    version(&stand)?;
    company(&stand)?;
    account(&stand)?;
    names(&stand)?;
    limits_and_room(&stand)?;
    replicas(&stand)?;
    resumed(&stand)?;
    by_the_binary(&stand)?;
    paper(&stand)
}

fn unchanged(stand: &Stand) -> Result<(), Failed> {
    let verdict = stand.verdict()?;
    assert!(verdict.fit, "an unchanged server is refused: {verdict:#?}");
    assert!(verdict.fine.len() > 8, "{:#?}", verdict.fine);
    Ok(())
}

fn schema(stand: &Stand) -> Result<(), Failed> {
    let found =
        stand.refusals(&["ALTER TABLE orders ADD COLUMN by_hand int"], &["ALTER TABLE orders DROP COLUMN by_hand"])?;
    let reason = only(&found, "schema", "table app.orders")?;
    assert_eq!(reason.seen, "the column by_hand was added");
    assert!(reason.diff.as_deref().is_some_and(|diff| diff.contains("\n+  `by_hand` int")), "{:?}", reason.diff);
    let found = stand.refusals(&["ALTER TABLE orders DROP INDEX v"], &["ALTER TABLE orders ADD INDEX v (v)"])?;
    let reason = only(&found, "schema", "table app.orders")?;
    assert_eq!(reason.seen, "the index v is missing");
    assert!(reason.diff.as_deref().is_some_and(|diff| diff.contains("\n-  KEY `v` (`v`)")), "{:?}", reason.diff);
    // A parent by foreign key, what a trigger writes, a view of the table.
    let found = stand.refusals(
        &[
            "ALTER TABLE users ADD COLUMN x int",
            "ALTER TABLE audit MODIFY said varchar(50)",
            "ALTER VIEW grown AS SELECT id FROM orders",
        ],
        &[
            "ALTER TABLE users DROP COLUMN x",
            "ALTER TABLE audit MODIFY said varchar(40)",
            "ALTER VIEW grown AS SELECT id, v FROM orders WHERE v > 10",
        ],
    )?;
    let objects: Vec<&str> = found.iter().map(|reason| reason.object.as_str()).collect();
    assert_eq!(objects, ["table app.audit", "table app.users", "view app.grown"], "every reason, not the first");
    let found = stand.refusals(
        &["CREATE TRIGGER orders_bu BEFORE UPDATE ON orders FOR EACH ROW SET NEW.note = 'x'", "DROP TRIGGER orders_ai"],
        &["DROP TRIGGER orders_bu", "CREATE DEFINER=CURRENT_USER TRIGGER orders_ai AFTER INSERT ON orders FOR EACH ROW INSERT INTO audit (said) VALUES (NEW.note)"],
    )?;
    let objects: Vec<&str> = found.iter().map(|reason| reason.object.as_str()).collect();
    assert_eq!(objects, ["trigger app.orders_ai on app.orders", "trigger app.orders_bu on app.orders"]);
    let found = stand.refusals(
        &["CREATE TABLE items (id int PRIMARY KEY, order_id int, FOREIGN KEY (order_id) REFERENCES orders (id)) ENGINE=InnoDB"],
        &["DROP TABLE items"],
    )?;
    only(&found, "schema", "foreign key of app.items to app.orders")?;
    let none = stand.refusals(&["ALTER TABLE apart ADD COLUMN x int"], &["ALTER TABLE apart DROP COLUMN x"])?;
    assert_eq!(none, [], "a table that the plan has nothing to do with");
    Ok(())
}

fn rows(stand: &Stand) -> Result<(), Failed> {
    let found = stand.refusals(
        &["INSERT INTO orders (user_id, v, note) SELECT user_id, v, 'more' FROM orders LIMIT 1500"],
        &["DELETE FROM orders WHERE note = 'more'", "DELETE FROM audit"],
    )?;
    let reason = only(&found, "rows", "table app.orders")?;
    assert_eq!((reason.seen.as_str(), reason.rehearsed.as_str()), ("6,500 rows (+30 %)", "5,000 (4,000 to 6,000)"));
    Ok(())
}

fn settings(stand: &Stand) -> Result<(), Failed> {
    let found = stand.refusals(&["SET GLOBAL sql_mode = ''"], &["SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES'"])?;
    let reason = only(&found, "settings", "setting sql_mode")?;
    assert_eq!(reason.seen, "empty");
    let found = stand.refusals(&["SET GLOBAL read_only = 1"], &["SET GLOBAL read_only = 0"])?;
    only(&found, "server", "setting read_only")?;
    Ok(())
}

fn version(stand: &Stand) -> Result<(), Failed> {
    let mut planned = stand.planned.clone();
    planned.plan.identity.flavor.minor += 1;
    let verdict = stand.verdict_of(&planned, &Options::default())?;
    let refused: Vec<Reason> =
        verdict.of(Severity::Refuse).filter(|reason| reason.check == "server").cloned().collect();
    only(&refused, "server", "version")?;
    let mut planned = stand.planned.clone();
    let patch = &mut planned.plan.identity.flavor.patch;
    *patch = patch.map(|patch| patch + 1);
    let verdict = stand.verdict_of(&planned, &Options::default())?;
    assert!(!verdict.of(Severity::Refuse).any(|reason| reason.check == "server"), "{:#?}", verdict.reasons);
    assert!(verdict.of(Severity::Warn).any(|reason| reason.object == "version"), "another patch is told");
    Ok(())
}

fn company(stand: &Stand) -> Result<(), Failed> {
    let mut holder = stand.writer()?;
    holder.execute("BEGIN")?;
    holder.execute("SELECT COUNT(*) FROM orders")?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    let options = Options { long_seconds: 3, ..Options::default() };
    let verdict = stand.verdict_of(&stand.planned, &options)?;
    let id = holder.connection_id();
    let refused: Vec<&Reason> = verdict.of(Severity::Refuse).collect();
    let held = refused.iter().any(|reason| {
        reason.check == "locks"
            && reason.object == "table app.orders"
            && reason.seen.contains(&format!("connection {id} "))
    });
    assert!(held, "the holder of the metadata lock: {refused:#?}");
    let own = Options { own_connections: [u64::from(id)].into(), ..Options::default() };
    assert!(stand.verdict_of(&stand.planned, &own)?.fit, "our own session is in nobody's way");
    holder.execute("ROLLBACK")?;
    if stand.instance().flavor().is_mariadb() {
        holder.execute("BACKUP STAGE START")?;
    } else {
        holder.execute("LOCK INSTANCE FOR BACKUP")?;
    }
    let verdict = stand.verdict()?;
    let found: Vec<Reason> = verdict.of(Severity::Refuse).cloned().collect();
    only(&found, "backups", &format!("connection {id}"))?;
    holder.execute(if stand.instance().flavor().is_mariadb() { "BACKUP STAGE END" } else { "UNLOCK INSTANCE" })?;
    Ok(())
}

fn account(stand: &Stand) -> Result<(), Failed> {
    let mut root = stand.writer()?;
    root.execute("CREATE USER limited@localhost")?;
    root.execute("GRANT SELECT, INSERT, UPDATE, CREATE, SHOW VIEW, TRIGGER ON app.* TO limited@localhost")?;
    root.execute("GRANT PROCESS ON *.* TO limited@localhost")?;
    let mut address = stand.instance().address().clone();
    address.user = "limited".to_owned();
    let mut reader = ReadOnly::open(&address, Role::Surveyor, &Default::default(), std::time::Duration::from_secs(10))?;
    let planned = &stand.planned;
    let verdict = verify(&planned.plan, &planned.survey, &planned.directory, &mut reader, &Options::default())?;
    // The step's own, and for the table that takes the next one's rows.
    let lacks = |verdict: &Verdict| -> Vec<(String, String, String)> {
        let refused = verdict.of(Severity::Refuse);
        refused.map(|reason| (reason.check.clone(), reason.object.clone(), reason.rehearsed.clone())).collect()
    };
    let wanted =
        [("ALTER on app.orders", "step-001 needs it"), ("ALTER on app.rehearse_002_orders", "step-002 needs it")];
    let wanted = wanted.map(|(object, why)| ("privileges".to_owned(), object.to_owned(), why.to_owned()));
    assert_eq!(lacks(&verdict), wanted);
    // Somebody else will carry it out.
    let options = Options { account: Some("root@localhost".to_owned()), ..Options::default() };
    assert!(verify(&planned.plan, &planned.survey, &planned.directory, &mut stand.reader()?, &options)?.fit);
    let options = Options { account: Some("limited@localhost".to_owned()), ..Options::default() };
    assert_eq!(lacks(&stand.verdict_of(planned, &options)?), wanted);
    root.execute("DROP USER limited@localhost")?;
    Ok(())
}

fn names(stand: &Stand) -> Result<(), Failed> {
    let found = stand.refusals(&["CREATE TABLE archive (id int)"], &["DROP TABLE archive"])?;
    only(&found, "names", "table app.archive")?;
    let kept = stand.planned.plan.backups.iter().find_map(|backup| backup.way.table()).ok_or("a backup")?;
    let (make, drop) = (format!("CREATE TABLE {} (id int)", kept.quoted()), format!("DROP TABLE {}", kept.quoted()));
    only(&stand.refusals(&[&make], &[&drop])?, "names", &format!("table {kept}"))?;
    let (end, begin) = ("ALTER TABLE users AUTO_INCREMENT = 2147483647", "ALTER TABLE users AUTO_INCREMENT = 2");
    only(&stand.refusals(&[end], &[begin])?, "counters", "column app.users.id")?;
    Ok(())
}

fn limits_and_room(stand: &Stand) -> Result<(), Failed> {
    let mut planned = stand.planned.clone();
    let demand = planned.plan.demands.iter_mut().find(|demand| demand.step == "step-002").ok_or("a demand")?;
    assert!(
        demand.statement_bytes > 20 && demand.privileges.iter().any(|need| need == "UPDATE on app.orders"),
        "{demand:?}"
    );
    if !stand.instance().flavor().is_mariadb() {
        // MariaDB writes no binary log unless told to.
        assert!(demand.transaction_bytes.is_some_and(|bytes| bytes > 100), "{demand:?}");
    }
    demand.transaction_bytes = Some(64 << 20);
    let mut writer = stand.writer()?;
    writer.execute("SET @limit = @@GLOBAL.max_binlog_cache_size")?;
    writer.execute("SET GLOBAL max_binlog_cache_size = 33554432")?;
    let verdict = stand.verdict_of(&planned, &Options::default())?;
    let found: Vec<Reason> = verdict.of(Severity::Refuse).cloned().collect();
    let reason = only(&found, "limits", "max_binlog_cache_size of step-002")?;
    assert_eq!(reason.seen, "32.0 MiB");
    assert!(reason.next.contains("error 1197"), "{}", reason.next);
    writer.execute("SET GLOBAL max_binlog_cache_size = @limit")?;

    planned.plan.demands[0].disk_bytes = Some(1 << 60);
    let options = Options { local: true, ..Options::default() };
    let verdict = stand.verdict_of(&planned, &options)?;
    let of_disk: Vec<&Reason> = verdict.reasons.iter().filter(|reason| reason.check == "disk").collect();
    // A server in a container has another host name and its own directories.
    let wanted = if stand.instance().flavor().is_mariadb() { Severity::Refuse } else { Severity::Unchecked };
    assert!(of_disk.iter().any(|reason| reason.severity == wanted), "{of_disk:#?}");
    Ok(())
}

fn replicas(stand: &Stand) -> Result<(), Failed> {
    let options = Options { replicas: vec![stand.instance().address().clone()], ..Options::default() };
    let verdict = stand.verdict_of(&stand.planned, &options)?;
    let found: Vec<Reason> = verdict.of(Severity::Refuse).cloned().collect();
    let address = stand.instance().address();
    assert_eq!(only(&found, "replicas", &format!("replica {address}"))?.seen, "it replicates from nobody");
    let (begin, end) = if stand.instance().flavor().is_mariadb() {
        ("CHANGE MASTER TO MASTER_HOST = '192.0.2.1'", "RESET SLAVE ALL")
    } else {
        ("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '192.0.2.1'", "RESET REPLICA ALL")
    };
    let (mut writer, mut reader) = (stand.writer()?, stand.writer()?);
    writer.execute(begin)?;
    reader.execute("BEGIN")?;
    reader.execute("SELECT COUNT(*) FROM apart")?;
    let verdict = stand.verdict()?;
    // A transaction counts as open for long from 5 s on.
    std::thread::sleep(std::time::Duration::from_secs(6));
    let as_replica = stand.verdict_of(&stand.planned, &Options { long_seconds: 5, ..options })?;
    writer.execute(end)?;
    let found: Vec<Reason> = verdict.of(Severity::Refuse).cloned().collect();
    let reason = only(&found, "server", "replication")?;
    assert_eq!(reason.seen, "it replicates from 192.0.2.1:3306");
    let long = format!("connection {} (root) has a transaction open for ", reader.connection_id());
    for words in ["replication is stopped", &long] {
        let told = as_replica
            .of(Severity::Refuse)
            .any(|reason| reason.object == format!("replica {address}") && reason.seen.starts_with(words));
        assert!(told, "{words}: {:#?}", as_replica.reasons);
    }
    Ok(())
}

/// What steps that have begun did is not held against the plan; what they did not do still is.
fn resumed(stand: &Stand) -> Result<(), Failed> {
    let mut writer = stand.writer()?;
    writer.execute("ALTER TABLE orders ADD COLUMN state int NOT NULL DEFAULT 0")?;
    assert!(!stand.verdict()?.fit, "begun, and nobody says so");
    let begun: std::collections::BTreeSet<String> = ["step-001".to_owned()].into();
    let options = Options { begun, ..Options::default() };
    assert!(
        stand.verdict_of(&stand.planned, &options)?.fit,
        "{:#?}",
        stand.verdict_of(&stand.planned, &options)?.reasons
    );
    writer.execute("ALTER TABLE users ADD COLUMN x int")?;
    let verdict = stand.verdict_of(&stand.planned, &options)?;
    let found: Vec<Reason> = verdict.of(Severity::Refuse).cloned().collect();
    only(&found, "schema", "table app.users")?;
    writer.execute("ALTER TABLE users DROP COLUMN x")?;
    writer.execute("ALTER TABLE orders DROP COLUMN state")?;
    Ok(())
}

fn by_the_binary(stand: &Stand) -> Result<(), Failed> {
    let dsn = dsn(stand.instance())?;
    let verify = |more: &[&str]| rehearse(stand.home.path(), &[&["verify", "rehearsal", "--dsn", &dsn], more].concat());
    let (code, out, err) = verify(&[])?;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with("FIT: upgrade may be carried out on "), "{out}");
    let mut writer = stand.writer()?;
    writer.execute("ALTER TABLE orders ADD COLUMN by_hand int")?;
    let (code, out, err) = verify(&[])?;
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("refused[schema]: table app.orders: the column by_hand was added\n"), "{out}");
    assert!(out.contains("\n    +  `by_hand` int"), "{out}");
    let (code, out, _) = verify(&["--format", "json"])?;
    let told: serde_json::Value = serde_json::from_str(&out)?;
    assert_eq!((code, told["fit"].as_bool()), (Some(1), Some(false)));
    assert_eq!(told["reasons"][0]["severity"], "refuse");
    writer.execute("ALTER TABLE orders DROP COLUMN by_hand")?;
    let nobody = ["verify", "rehearsal", "--dsn", "mysql://root@localhost/?socket=/nonexistent/mysql.sock"];
    let (code, _, err) = rehearse(stand.home.path(), &nobody)?;
    assert_eq!(code, Some(3), "unreachable: {err}");
    let (code, _, err) = rehearse(stand.home.path(), &["verify", "nowhere", "--dsn", &dsn])?;
    assert_eq!(code, Some(2), "no plan: {err}");
    Ok(())
}

/// Whatever was edited after it was rehearsed was not rehearsed.
fn paper(stand: &Stand) -> Result<(), Failed> {
    let script = stand.planned.plan.scripts.iter().find(|script| script.path.contains("2-step")).ok_or("a step")?;
    let edits: BTreeMap<&str, (&str, &str)> = [
        ("upgrade.sql", ("v < 1000", "v < 2000")),
        (script.path.as_str(), ("ADD COLUMN", "ADD")),
        ("survey.yaml", ("`said` varchar(40)", "`said` varchar(41)")),
    ]
    .into();
    for (file, (from, to)) in &edits {
        let path = stand.directory().join(file);
        let text = fs::read_to_string(&path)?;
        assert!(text.contains(from), "{file}: {text}");
        fs::write(&path, text.replace(from, to))?;
        let verdict = stand.verdict_of(&planned::load(&stand.directory())?, &Options::default())?;
        fs::write(&path, text)?;
        let told = verdict.of(Severity::Refuse).any(|reason| reason.check == "scripts" && reason.object == *file);
        assert!(told, "{file} was edited: {:#?}", verdict.reasons);
    }
    let mut planned = stand.planned.clone();
    planned.plan.scripts[1].rehearsed = None;
    planned.plan.backups.iter_mut().for_each(|backup| backup.restored = None);
    planned.plan.blockers.push("it does not lead where the upgrade leads".to_owned());
    let verdict = stand.verdict_of(&planned, &Options::default())?;
    assert_eq!(
        verdict.of(Severity::Refuse).filter(|reason| reason.check == "plan").count(),
        3,
        "{:#?}",
        verdict.reasons
    );
    Ok(())
}

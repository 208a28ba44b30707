//! A fleet of two real databases, surveyed by the binary.

use std::process::{Command, Output};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::survey::file;

use super::servers::Servers;

/// The trials of this module.
pub fn trials(servers: &Arc<Servers>) -> Vec<Trial> {
    let name = "fleet::two_databases_drift_and_the_larger_is_written";
    let (mysql, mariadb) = (Arc::clone(servers), Arc::clone(servers));
    vec![
        Trial::test(format!("{name}_on_mysql"), move || drift(&mysql, &mysql.mysql()?)),
        Trial::test(format!("{name}_on_mariadb"), move || drift(&mariadb, &mariadb.mariadb()?)),
    ]
}

fn dsn(instance: &Instance, database: &str) -> Result<String, Failed> {
    match &instance.address().endpoint {
        Endpoint::Socket(path) => Ok(format!("mysql://root@localhost/{database}?socket={}", path.display())),
        other => Err(format!("no socket but {other:?}").into()),
    }
}

fn shard(servers: &Servers, instance: &Instance, rows: usize, more: &str) -> Result<String, Failed> {
    let database = servers.fresh_database(instance)?;
    let mut writer = instance.writer(Role::Keeper)?;
    writer.use_database(&database)?;
    writer.execute("CREATE TABLE orders (id int PRIMARY KEY AUTO_INCREMENT, note varchar(200), KEY by_note (note))")?;
    writer.execute("CREATE TABLE users (id int PRIMARY KEY)")?;
    writer.execute("CREATE VIEW all_orders AS SELECT id FROM orders")?;
    if rows > 0 {
        let values = vec!["(REPEAT('x', 200))"; rows].join(", ");
        writer.execute(&format!("INSERT INTO orders (note) VALUES {values}"))?;
    }
    for statement in more.split(';').filter(|statement| !statement.trim().is_empty()) {
        writer.execute(statement)?;
    }
    Ok(database)
}

fn survey(directory: &std::path::Path, arguments: &[&str]) -> Result<Output, Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearse"));
    command.arg("survey").args(arguments).args(["--exact", "--quiet"]).current_dir(directory);
    Ok(command.env_remove("MYSQL_PWD").output()?)
}

fn drift(servers: &Servers, instance: &Instance) -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let changed = "ALTER TABLE orders ADD COLUMN by_hand int; DROP VIEW all_orders; \
                   INSERT INTO users VALUES (1), (2), (3), (4), (5)";
    let large = shard(servers, instance, 3_000, "")?;
    let odd = shard(servers, instance, 20, changed)?;
    let alike = shard(servers, instance, 10, "")?;
    let (first, second, third) = (dsn(instance, &odd)?, dsn(instance, &large)?, dsn(instance, &alike)?);
    std::fs::write(home.path().join("shards.txt"), format!("# shards\n{second}\n{third} # the new one\n"))?;

    let said = survey(home.path(), &["--dsn", &first, "--fleet", "shards.txt", "-o", "worst.yaml"])?;
    let out = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(0), "{out}{}", String::from_utf8_lossy(&said.stderr));
    assert!(out.contains("the largest of 3 members") && out.contains("Drift: 2 differences"), "{out}");
    assert!(out.contains("table orders differs on") && out.contains("+  `by_hand` int"), "{out}");
    assert!(out.contains("view all_orders missing on"), "{out}");
    assert!(out.contains(&format!("--rows {large}.users=5")), "{out}");
    let worst = file::load(&home.path().join("worst.yaml"))?;
    assert!(worst.databases.contains_key(&large), "the largest was written: {:?}", worst.databases.keys());

    let arguments = ["--dsn", &first, "--dsn", &third, "--fail-on-drift", "--format", "json"];
    let said = survey(home.path(), &arguments)?;
    assert_eq!(said.status.code(), Some(1), "drift fails when asked to");
    let json: serde_json::Value = serde_json::from_slice(&said.stdout)?;
    assert_eq!(json["drifts"].as_array().map(Vec::len), Some(2), "{json}");

    let nobody = "mysql://root@localhost/x?socket=/nonexistent/mysql.sock";
    let said = survey(home.path(), &["--dsn", &second, "--dsn", &third, "--dsn", nobody, "--fail-on-drift"])?;
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.status.code(), Some(3), "one did not answer: {err}");
    assert!(
        err.contains("1 member of the fleet could not be surveyed") && err.contains("/nonexistent/mysql.sock"),
        "{err}"
    );
    assert!(out.contains("No drift"), "the others were surveyed: {out}");
    assert!(home.path().join("survey.yaml").exists());
    Ok(())
}

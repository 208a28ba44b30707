//! A plan that was rehearsed, and a server that stands in for production.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::Failed;
use mysql_rehearsal::apply::planned::{self, Planned};
use mysql_rehearsal::apply::verify::{Options, Reason, Severity, Verdict, verify};
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::{Instance, Kind, Sandbox};
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::{ReadOnly, Writer};

use super::super::servers::request;

const SCHEMA: &str = "
CREATE TABLE users (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL) ENGINE=InnoDB;
CREATE TABLE audit (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, said varchar(40)) ENGINE=InnoDB;
CREATE TABLE orders (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id int NOT NULL, v int NOT NULL, note varchar(40),
  KEY v (v), KEY user_id (user_id), CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id)) ENGINE=InnoDB;
CREATE TABLE apart (id int NOT NULL PRIMARY KEY) ENGINE=InnoDB;
CREATE VIEW grown AS SELECT id, v FROM orders WHERE v > 10;
CREATE TRIGGER orders_ai AFTER INSERT ON orders FOR EACH ROW INSERT INTO audit (said) VALUES (NEW.note);
";

const UPGRADE: &str = "
ALTER TABLE orders ADD COLUMN state int NOT NULL DEFAULT 0; -- by hand
UPDATE orders SET v = v + 1 WHERE v < 1000;
CREATE TABLE archive (id int PRIMARY KEY) ENGINE=InnoDB;
";

/// A plan that was rehearsed, and a server that stands in for production: no other trial uses it.
pub struct Stand {
    pub home: tempfile::TempDir,
    pub planned: Planned,
    target: Sandbox,
}

impl Stand {
    /// As people do it: production surveyed, the survey rehearsed on.
    pub fn new(flavor: &str, kind: Kind, sandbox: &str) -> Result<Self, Failed> {
        let home = tempfile::tempdir()?;
        let target = Sandbox::prepare(&request(flavor, kind)?, &mut |_| Ok(Vec::new()), &Silent)
            .map_err(|error| format!("{error:#}\nThe trial needs {flavor}: fixtures/servers/get gets it."))?;
        fill(&mut target.instance().writer(Role::Keeper)?)?;
        fs::write(home.path().join("upgrade.sql"), UPGRADE)?;
        let dsn = dsn(target.instance())?;
        let survey = ["survey", "--exact", "--dsn", &dsn, "--database", "app"];
        let run =
            ["run", "--no-drills", "--no-cache", "--server", flavor, "--sandbox", sandbox, "--survey", "survey.yaml"];
        for arguments in [&survey[..], &[&run[..], &["upgrade.sql"]].concat()] {
            let (code, _, err) = rehearse(home.path(), arguments)?;
            if code != Some(0) {
                return Err(format!("{} on {flavor} failed: {err}", arguments[0]).into());
            }
        }
        let planned = planned::load(&home.path().join("rehearsal"))?;
        Ok(Self { home, planned, target })
    }

    pub fn instance(&self) -> &Instance {
        self.target.instance()
    }

    pub fn writer(&self) -> Result<Writer, Failed> {
        let mut writer = self.instance().writer(Role::Keeper)?;
        writer.use_database("app")?;
        Ok(writer)
    }

    pub fn reader(&self) -> Result<ReadOnly, Failed> {
        Ok(self.instance().reader(Role::Surveyor)?)
    }

    pub fn directory(&self) -> PathBuf {
        self.home.path().join("rehearsal")
    }

    pub fn verdict(&self) -> Result<Verdict, Failed> {
        self.verdict_of(&self.planned, &Options::default())
    }

    pub fn verdict_of(&self, planned: &Planned, options: &Options) -> Result<Verdict, Failed> {
        Ok(verify(&planned.plan, &planned.survey, &planned.directory, &mut self.reader()?, options)?)
    }

    /// What refuses after these statements, which are then undone by those.
    pub fn refusals(&self, spoil: &[&str], mend: &[&str]) -> Result<Vec<Reason>, Failed> {
        let mut writer = self.writer()?;
        spoil.iter().try_for_each(|sql| writer.execute(sql).map(drop))?;
        let verdict = self.verdict()?;
        mend.iter().try_for_each(|sql| writer.execute(sql).map(drop))?;
        assert_eq!(verdict.fit, verdict.of(Severity::Refuse).count() == 0);
        Ok(verdict.of(Severity::Refuse).cloned().collect())
    }
}

fn fill(writer: &mut Writer) -> Result<(), Failed> {
    writer.execute("SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES'")?;
    writer.execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES'")?;
    writer.execute("CREATE DATABASE app")?;
    writer.use_database("app")?;
    for statement in SCHEMA.split(";\n").map(str::trim).filter(|text| !text.is_empty()) {
        writer.execute(statement)?;
    }
    writer.execute("INSERT INTO users (name) VALUES ('one')")?;
    writer.execute("INSERT INTO orders (user_id, v) VALUES (1, 1)")?;
    for _ in 0..12 {
        writer.execute("INSERT INTO orders (user_id, v) SELECT user_id, v + 1 FROM orders")?;
    }
    writer.execute("INSERT INTO orders (user_id, v) SELECT user_id, v FROM orders LIMIT 904")?;
    Ok(())
}

/// What people name it by.
pub fn dsn(instance: &Instance) -> Result<String, Failed> {
    match &instance.address().endpoint {
        Endpoint::Socket(path) => Ok(format!("mysql://root@localhost/?socket={}", path.display())),
        other => Err(format!("no socket but {other:?}").into()),
    }
}

/// Runs the program; its exit code and what it said.
pub fn rehearse(directory: &Path, arguments: &[&str]) -> Result<(Option<i32>, String, String), Failed> {
    let said = Command::new(env!("CARGO_BIN_EXE_rehearse"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("MYSQL_PWD")
        .env("REHEARSE_CACHE", directory.join("cache"))
        .stdin(Stdio::null())
        .output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((said.status.code(), text(&said.stdout), text(&said.stderr)))
}

//! A server with a database of the trial's own, and plans to be carried out there.

use libtest_mimic::Failed;
use mysql_rehearsal::apply::carry_out;
use mysql_rehearsal::apply::record::{Options, Summary};
use mysql_rehearsal::apply::target::Target;
use mysql_rehearsal::artifact::parse_yaml;
use mysql_rehearsal::plan::Plan;
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::Instance;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::server::session::Writer;
use mysql_rehearsal::survey::fingerprint::{self, Depth};
use mysql_rehearsal::survey::record::Fingerprint;
use serde_json::{Value, json};

/// A server with a database of the trial's own; the journal is beside it.
pub struct Stand {
    pub instance: Instance,
    pub database: String,
}

impl Stand {
    pub fn journal(&self) -> String {
        format!("{}_journal", self.database)
    }

    pub fn writer(&self) -> Result<Writer, Failed> {
        let mut writer = self.instance.writer(Role::Seeder)?;
        writer.use_database(&self.database)?;
        Ok(writer)
    }

    pub fn execute(&self, statements: &[&str]) -> Result<(), Failed> {
        let mut writer = self.writer()?;
        for text in statements {
            writer.execute(text).map_err(|fault| format!("{fault}: {text}"))?;
        }
        Ok(())
    }

    pub fn value(&self, sql: &str) -> Result<String, Failed> {
        Ok(self.writer()?.first::<(String,)>(sql)?.ok_or("no row")?.0)
    }

    /// The database as it is before anything was carried out.
    pub fn fresh(&self, statements: &[&str]) -> Result<(), Failed> {
        let (database, journal) = (&self.database, self.journal());
        let mut keeper = self.instance.writer(Role::Seeder)?;
        keeper.execute(&format!("DROP DATABASE IF EXISTS {database}"))?;
        keeper.execute(&format!("DROP DATABASE IF EXISTS {journal}"))?;
        keeper.execute(&format!("CREATE DATABASE {database}"))?;
        self.execute(statements)
    }

    pub fn options(&self) -> Options {
        Options { journal_database: self.journal(), batch_seconds: 0.0001, retries: 3, ..Options::default() }
    }

    pub fn apply(&self, plan: &Plan, options: &Options) -> Result<Summary, Failed> {
        let target = Target::sandbox(&self.instance);
        carry_out(plan.proven().map_err(|reasons| reasons.join("; "))?, &target, options, &Silent)
            .map_err(|error| format!("{error:#}").into())
    }

    pub fn print(&self) -> Result<Fingerprint, Failed> {
        let mut reader = self.instance.reader(Role::Surveyor)?;
        let databases = [self.database.clone()];
        Ok(fingerprint::take(&mut reader, &databases, Depth::Checksums, &Silent)?)
    }

    /// A plan of steps, each with tasks, questions and undos.
    pub fn plan(&self, steps: &[Value]) -> Result<Plan, Failed> {
        let mut scripts = Vec::new();
        let mut made = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let id = format!("step-{:03}", at + 1);
            let list = |key: &str| step[key].as_array().cloned().unwrap_or_default();
            let script = |phase: &str, part: &str, sql: &str| {
                json!({"path": format!("plan/20-{:03}-{part}.sql", at + 1), "phase": phase, "step": id, "title": part,
                       "when": "now", "sql": sql})
            };
            if let Some(backup) = step["backup"].as_str() {
                scripts.push(script("backup", "1-backup", backup));
            }
            scripts.push(script("step", "2-step", ""));
            if !list("verify").is_empty() {
                scripts.push(script("verify", "3-verify", ""));
            }
            made.push(json!({
                "id": id, "statements": ["s1", "s1"], "count": 1, "title": "a step", "session": [format!("USE {}", self.database)],
                "tasks": list("tasks"), "guard": {"settings": ["SET SESSION lock_wait_timeout = 5"], "when_tripped": "", "watch": []},
                "takes": null, "blocks": [], "verify": list("verify"), "undo": {"sql": [], "limit": ""}
            }));
        }
        for (at, step) in steps.iter().enumerate().rev() {
            if let Some(undo) = step["undo"].as_str() {
                scripts
                    .push(json!({"path": format!("plan/80-{:03}-undo.sql", at + 1), "phase": "undo", "title": "undo",
                    "step": format!("step-{:03}", at + 1), "when": "now", "sql": undo}));
            }
        }
        let plan = json!({
            "format": "rehearse/plan@1", "name": "a trial", "preflight": [], "backups": [], "steps": made, "scripts": scripts,
            "identity": {"upgrade_digest": "d", "upgrade_statements": 1, "schema_digest": "s", "flavor": self.instance.flavor(),
                         "version": self.instance.version(), "rehearsed": "here", "scale": 1.0,
                         "rows": {format!("{}.t", self.database): {"surveyed": 100, "rehearsed": 100, "low": 0, "high": 200}}}
        });
        Ok(parse_yaml(&plan.to_string())?)
    }

    pub fn statement(&self, sql: &str) -> Value {
        json!({"kind": "statement", "sql": sql})
    }

    pub fn statements(&self, list: &[&str]) -> Vec<Value> {
        list.iter().map(|sql| self.statement(sql)).collect()
    }
}

const NUMBERS: &str = "(SELECT a.d + 10 * b.d + 1 AS id FROM (SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 \
     UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) a, \
     (SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL \
     SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) b) n";

/// Tables of a hundred rows each, as they are before a plan.
pub fn filled(stand: &Stand) -> Result<(), Failed> {
    let table = |name: &str, engine: &str| {
        format!(
            "CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, s VARCHAR(20) NOT NULL) ENGINE={engine}"
        )
    };
    let fill = |name: &str| format!("INSERT INTO {name} SELECT id, id % 7, CONCAT('row ', id) FROM {NUMBERS}");
    stand.fresh(&[
        &table("t", "InnoDB"),
        &table("u", "InnoDB"),
        &table("e", "InnoDB"),
        &table("m", "MyISAM"),
        "CREATE TABLE log (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(40)) ENGINE=InnoDB",
        "CREATE TABLE sums (what VARCHAR(20) PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB",
        "INSERT INTO sums VALUES ('a', 0)",
        &fill("t"),
        &fill("u"),
        &fill("e"),
        &fill("m"),
    ])
}

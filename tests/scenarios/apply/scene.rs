//! A stand-in and the rehearsal whose plan is carried out on it, made once for each flavour.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use libtest_mimic::Failed;
use serde_json::Value;

use super::super::desk::{Desk, MARIADB, MYSQL, On};
use super::carried::Carried;
use super::stand_in::{DATABASE, StandIn};

const UPGRADE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/apply/upgrade.sql"));
/// What stands in for the large statements does not hang on how quick this machine is.
const CONFIGURATION: &str = "format: rehearse/scenario@1\n\
                             choose: {events-purge: batches, visits-raise: batches, cache-clear: swap}\n";

/// Production and its plan.
pub struct Scene {
    pub stand_in: StandIn,
    pub desk: Desk,
    /// What the plan leads to without any trouble.
    pub undisturbed: Option<Carried>,
}

impl Scene {
    fn make(on: On) -> Result<Self, Failed> {
        Self::make_with(on, &[])
    }

    /// One whose server has these settings.
    pub fn make_with(on: On, settings: &[(&str, &str)]) -> Result<Self, Failed> {
        let stand_in = StandIn::start_with(on, settings)?;
        let desk = Desk::new(UPGRADE)?;
        fs::write(desk.path().join("rehearse.yaml"), CONFIGURATION)?;
        let survey = ["survey", "--dsn", &stand_in.dsn()?, "--exact", "--output", "survey.yaml"];
        desk.rehearse(&survey)?.exits(0)?;
        let said = desk.run(on, &["--survey", "survey.yaml", "--database", DATABASE, "upgrade.sql"])?;
        if !matches!(said.code(), Some(0 | 1)) {
            return Err(format!("the rehearsal ended with {:?}:\n{}", said.code(), said.err()).into());
        }
        let scene = Self { stand_in, desk, undisturbed: None };
        scene.holds_all_kinds_of_work()?;
        Ok(scene)
    }

    /// Production as it was before the plan; the plan's directory without any trace of an earlier run.
    pub fn put_back(&mut self) -> Result<(), Failed> {
        let trail = self.rehearsal().join("apply");
        if trail.exists() {
            fs::remove_dir_all(trail)?;
        }
        self.stand_in.put_back()
    }

    /// The directory that the rehearsal wrote.
    pub fn rehearsal(&self) -> PathBuf {
        self.desk.path().join("rehearsal")
    }

    /// `rehearsal/plan.yaml`.
    pub fn plan(&self) -> Result<Value, Failed> {
        Ok(serde_yaml::from_str(&fs::read_to_string(self.rehearsal().join("plan.yaml"))?)?)
    }

    /// A plan that speaks for itself: nothing against it, and each kind of work that may not be done twice is in it.
    fn holds_all_kinds_of_work(&self) -> Result<(), Failed> {
        let plan = self.plan()?;
        assert_eq!(plan["blockers"], Value::Array(Vec::new()), "blockers of the plan");
        let tasks: Vec<&Value> = (plan["steps"].as_array().into_iter().flatten())
            .flat_map(|step| step["tasks"].as_array().into_iter().flatten())
            .collect();
        let heads = |start: &str| {
            let of_task = |task: &&&Value| {
                let text = task["head"].as_str().or_else(|| task["sql"].as_str()).unwrap_or_default();
                text.replace('`', "").starts_with(start)
            };
            tasks.iter().filter(of_task).map(|task| task["kind"].as_str().unwrap_or_default()).collect::<Vec<_>>()
        };
        let purge = tasks.iter().find(|task| task["head"].as_str().is_some_and(|head| head.starts_with("DELETE")));
        let purge = purge.ok_or_else(|| format!("no batched DELETE in {tasks:#?}"))?;
        assert!(purge["copy"]["into"].is_string(), "the rows of the batched DELETE are kept: {purge:#}");
        assert_eq!(heads("UPDATE customers"), ["batches"], "{tasks:#?}");
        for (start, times) in [
            ("INSERT INTO totals", 1),
            ("ALTER TABLE customers", 2),
            ("CREATE TABLE audit", 1),
            ("RENAME TABLE", 1),
            ("START TRANSACTION", 1),
            ("UPDATE accounts", 2),
            ("INSERT INTO ledger", 1),
            ("COMMIT", 1),
        ] {
            assert_eq!(heads(start).len(), times, "{start}: {tasks:#?}");
        }
        Ok(())
    }
}

/// The scenes of all trials. They belong to `main`, which ends them: a static would not be dropped.
#[derive(Default)]
pub struct Scenes {
    mysql: Slot,
    mariadb: Slot,
}

type Slot = Mutex<Option<Result<Scene, String>>>;

impl Scenes {
    /// Gives the scene of a flavour to a trial; it is made when the first one asks.
    pub fn on(&self, on: On, trial: impl FnOnce(&mut Scene) -> Result<(), Failed>) -> Result<(), Failed> {
        let mut slot = self.slot(on).lock().unwrap_or_else(PoisonError::into_inner);
        let scene = slot.get_or_insert_with(|| Scene::make(on).map_err(|error| told(&error)));
        scene.as_mut().map_err(|error| error.clone().into()).and_then(trial)
    }

    fn slot(&self, on: On) -> &Slot {
        if on == MARIADB { &self.mariadb } else { &self.mysql }
    }

    /// Ends the servers.
    pub fn end(&self) {
        for on in [MYSQL, MARIADB] {
            *self.slot(on).lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

fn told(error: &Failed) -> String {
    error.message().unwrap_or("the scene cannot be made").to_owned()
}

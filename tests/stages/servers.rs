//! The servers that trials share: one of each flavour, started when a trial first asks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libtest_mimic::Failed;
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::{Instance, Kind, Request, Sandbox};
use mysql_rehearsal::server::role::Role;

/// MySQL, in a container.
pub const MYSQL: &str = "mysql:9.7";
/// MariaDB, as a process.
pub const MARIADB: &str = "mariadb:10.11";

/// A later MariaDB, in a container.
pub const MARIADB_11: &str = "mariadb:11.8";

/// The shared servers.
#[derive(Debug, Default)]
pub struct Servers {
    mysql: Mutex<Option<Result<Sandbox, String>>>,
    mariadb: Mutex<Option<Result<Sandbox, String>>>,
    mariadb_11: Mutex<Option<Result<Sandbox, String>>>,
    databases: AtomicU32,
}

impl Servers {
    /// The shared MySQL, in a container.
    pub fn mysql(&self) -> Result<Instance, Failed> {
        instance(&self.mysql, MYSQL, Kind::Container)
    }

    /// The shared MariaDB, as a process.
    pub fn mariadb(&self) -> Result<Instance, Failed> {
        instance(&self.mariadb, MARIADB, Kind::Process)
    }

    /// The shared later MariaDB, in a container.
    pub fn mariadb_11(&self) -> Result<Instance, Failed> {
        instance(&self.mariadb_11, MARIADB_11, Kind::Container)
    }

    /// An empty database that no other trial uses.
    pub fn fresh_database(&self, instance: &Instance) -> Result<String, Failed> {
        let name = format!("trial_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        instance.writer(Role::Keeper)?.execute(&format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    /// Ends the servers. The clones of an instance that a trial still holds no longer answer.
    pub fn end(&self) {
        *lock(&self.mysql) = None;
        *lock(&self.mariadb) = None;
        *lock(&self.mariadb_11) = None;
    }
}

fn instance(slot: &Mutex<Option<Result<Sandbox, String>>>, flavor: &str, kind: Kind) -> Result<Instance, Failed> {
    let mut slot = lock(slot);
    let sandbox = slot.get_or_insert_with(|| start(flavor, kind).map_err(|error| format!("{error:#}")));
    sandbox
        .as_ref()
        .map(|sandbox| sandbox.instance().clone())
        .map_err(|error| format!("{error}\nThe trials need {flavor}: fixtures/servers/get gets it.").into())
}

fn start(flavor: &str, kind: Kind) -> anyhow::Result<Sandbox> {
    Sandbox::prepare(&request(flavor, kind)?, &mut |_| Ok(Vec::new()), &Silent)
}

/// A sandbox without production's settings and without the cache.
pub fn request(flavor: &str, kind: Kind) -> anyhow::Result<Request> {
    Ok(Request {
        flavor: Some(flavor.parse()?),
        kind,
        image: None,
        settings: Default::default(),
        cache: None,
        key: String::new(),
        keep_cache: false,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

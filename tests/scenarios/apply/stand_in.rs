//! A stand-in for production: a server of its own with the same rows every time, which can be broken and put back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use mysql::prelude::Queryable as _;
use mysql_rehearsal::progress::Silent;
use mysql_rehearsal::sandbox::client::{Call, Ended, Program};
use mysql_rehearsal::sandbox::{Instance, Kind, Request, Sandbox};
use mysql_rehearsal::seed;
use mysql_rehearsal::server::address::Endpoint;
use mysql_rehearsal::server::role::Role;
use mysql_rehearsal::sql::script::{Options, Script};
use mysql_rehearsal::survey::fingerprint::{self, Depth};
use mysql_rehearsal::survey::record::Fingerprint;

use super::super::desk::{On, signal};

/// Its database.
pub const DATABASE: &str = "shop";
/// Its schema and rows.
const PRODUCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/apply/production.sql");

/// A server in production's place.
pub struct StandIn {
    sandbox: Sandbox,
    _cache: tempfile::TempDir,
}

impl StandIn {
    /// Starts and fills it, with these settings.
    pub fn start_with((flavor, kind): On, settings: &[(&str, &str)]) -> Result<Self, Failed> {
        let cache = tempfile::Builder::new().prefix("rehearse-cache-").tempdir()?;
        let request = Request {
            flavor: Some(flavor.parse()?),
            kind: if kind == "process" { Kind::Process } else { Kind::Container },
            image: None,
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            cache: Some(cache.path().to_owned()),
            key: "stand-in".to_owned(),
            keep_cache: false,
        };
        let mut fill = |instance: &Instance| {
            let options =
                Options { variables: BTreeMap::new(), database: DATABASE.to_owned(), flavor: instance.flavor() };
            seed::schema::run_file(instance, &Script::from_files(&[PRODUCTION.into()], options)?, DATABASE)?;
            Ok(Vec::new())
        };
        let sandbox = Sandbox::prepare(&request, &mut fill, &Silent).map_err(|error| {
            let what = if kind == "process" { kind } else { flavor };
            format!("{error:#}\nThe trials need {flavor}: fixtures/servers/get {what}")
        })?;
        Ok(Self { sandbox, _cache: cache })
    }

    pub fn instance(&self) -> &Instance {
        self.sandbox.instance()
    }

    /// Its socket.
    pub fn socket(&self) -> Result<&Path, Failed> {
        match &self.instance().address().endpoint {
            Endpoint::Socket(socket) => Ok(socket),
            Endpoint::Tcp { .. } => Err("a stand-in without a socket".into()),
        }
    }

    /// What people name it by.
    pub fn dsn(&self) -> Result<String, Failed> {
        Ok(format!("mysql://root@localhost/{DATABASE}?socket={}", self.socket()?.display()))
    }

    /// A session as the application opens one.
    pub fn session(&self) -> Result<mysql::Conn, Failed> {
        let options = mysql::OptsBuilder::new()
            .user(Some("root"))
            .socket(Some(self.socket()?.to_string_lossy()))
            .prefer_socket(false)
            .db_name(Some(DATABASE));
        Ok(mysql::Conn::new(options)?)
    }

    /// Back to the rows that it was filled with.
    pub fn put_back(&mut self) -> Result<(), Failed> {
        Ok(self.sandbox.rewind(&Silent).map_err(|error| format!("{error:#}"))?)
    }

    /// Kills the server as a crash does, leaves it dead for a moment, and starts it again on the same store.
    pub fn crash(&mut self, dead_for: Duration) -> Result<(), Failed> {
        signal(self.instance().pid().ok_or("no process")?, rustix::process::Signal::KILL)?;
        std::thread::sleep(dead_for);
        Ok(self.sandbox.restart(&Silent).map_err(|error| format!("{error:#}"))?)
    }

    /// Cuts every connection but the one that it asks by; how many there were.
    pub fn cut_connections(&self) -> Result<usize, Failed> {
        let mut session = self.session()?;
        let ids: Vec<u64> = session.query(
            "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root' \
             AND command <> 'Daemon'",
        )?;
        // One that ended by itself meanwhile is gone as well (1094).
        Ok(ids.iter().filter(|id| session.query_drop(format!("KILL {id}")).is_ok()).count())
    }

    /// Everything that it holds in its own database; rows by checksum.
    pub fn print(&self) -> Result<Fingerprint, Failed> {
        self.print_of(&[DATABASE])
    }

    /// Everything that it holds in these databases.
    pub fn print_of(&self, databases: &[&str]) -> Result<Fingerprint, Failed> {
        let databases: Vec<String> = databases.iter().map(|name| (*name).to_owned()).collect();
        let mut reader = self.instance().reader(Role::Surveyor)?;
        let mut print = fingerprint::take(&mut reader, &databases, Depth::Checksums, &Silent)?;
        // Room on the disk differs with the way to the same rows.
        print.tables.values_mut().for_each(|table| table.bytes = 0);
        Ok(print)
    }

    /// The names of its databases.
    pub fn databases(&self) -> Result<Vec<String>, Failed> {
        Ok(self.session()?.query("SHOW DATABASES")?)
    }

    /// Runs a file with the vendor's own client, as a person does: the image's in a container, else this machine's.
    pub fn run_with_stock_client(&mut self, file: &Path) -> Result<Ended, Failed> {
        let failed = |error: anyhow::Error| Failed::from(format!("{error:#}"));
        let name = "script.sql";
        fs::copy(file, self.sandbox.desk().map_err(failed)?.join(name))?;
        let call = Call { program: Program::Client, arguments: Vec::new(), input: Some(name.to_owned()), output: None };
        let ended = self.sandbox.call(&call, &Silent).map_err(failed)?;
        Ok(ended.ok_or("The trials need the stock client: fixtures/servers/get gets it with the server.")?)
    }
}

//! One server of a sandbox: an engine running on a store, started, settled, stopped and killed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::client::{Call, Ended, Place};
use super::engine::Engine;
use super::instance::{Instance, tail_of, tail_of_file};
use super::launch::{Launch, Owner};
use super::lease::Lease;
use super::settings::Carried;
use super::started::Started;
use super::{applied, client, container, options, process, store};
use crate::progress::{Progress, Unit};
use crate::server::ability::Ability;
use crate::server::address::Address;
use crate::server::flavor::Flavor;
use crate::server::role::{Role, Roster};

/// How long a start may take without a word: crash recovery of a large store included.
const START: Duration = Duration::from_secs(300);
/// How many settings that the server refuses at start are taken out, one start each.
const MOST_REFUSED: usize = 12;
/// An `innodb_io_capacity` that no load reaches: more pages than a sandbox's buffer pool has (4 GiB at most).
const UNHINDERED: u64 = 1_000_000;

#[derive(Debug)]
enum Runner {
    Container(Box<container::Server>),
    Process(process::Server),
}

/// A server of ours, running or stopped.
#[derive(Debug)]
pub(super) struct Member {
    runner: Runner,
    pub(super) launch: Launch,
    pub(super) carried: Carried,
    wanted: Option<Flavor>,
    pub(super) instance: Instance,
    judged: bool,
}

impl Member {
    /// A member that is not started, with its directories made.
    pub(super) fn new(engine: Engine, wanted: Option<&Flavor>, carried: Carried, lease: &Lease) -> Result<Self> {
        let is_mariadb = match &engine {
            Engine::Binary { flavor, .. } => flavor.is_mariadb(),
            Engine::Image { name, .. } => wanted.map_or(name.contains("mariadb"), Flavor::is_mariadb),
        };
        let launch = Launch {
            root: lease.directory().join("server"),
            sockets: lease.sockets().to_owned(),
            lease: lease.directory().to_owned(),
            owner: Owner::unprivileged(),
            names: if is_mariadb { ["mariadbd", "mysqld"] } else { ["mysqld", "mariadbd"] },
            time_zone: carried.time_zone.clone(),
        };
        launch.make_directories()?;
        let instance = Instance {
            address: Address::socket(launch.socket()),
            flavor: wanted.copied().unwrap_or(Flavor::from_version_string(if is_mariadb { "0-MariaDB" } else { "0" })?),
            version: String::new(),
            roster: Roster::default(),
            data: Some(launch.data()),
            log: Some(launch.log()),
            process: None,
        };
        let runner = match engine {
            Engine::Image { name, docker, .. } => Runner::Container(Box::new(container::Server::new(docker, &name))),
            Engine::Binary { path, .. } => Runner::Process(process::Server::new(&path)),
        };
        Ok(Self { runner, launch, carried, wanted: wanted.copied(), instance, judged: false })
    }

    /// Starts the server on its store (an empty one is made first), waits until it lets us in, and settles it:
    /// settings, warm buffer pool. A setting that this version refuses is taken out and told; it stops nothing.
    ///
    /// # Errors
    /// When the server does not come up, with the tail of its log; when it is not of the flavour asked for.
    pub(super) fn start(&mut self, lease: &Lease, progress: &dyn Progress) -> Result<()> {
        let fresh = !self.launch.data().join("mysql").exists();
        progress.stage("starting the server", Unit::Waiting, None);
        for _ in 0..=MOST_REFUSED {
            let from = fs::metadata(self.launch.log()).map(|about| about.len()).unwrap_or(0);
            let Err(error) = self.start_once(lease, progress) else { return self.settle(progress) };
            self.runner_kill()?;
            progress.check()?;
            let Some((name, why)) = self.refused_setting(from) else { return Err(error) };
            if !self.carried.refuse(&name, &why) {
                return Err(error);
            }
            if fresh {
                store::remove(&self.launch.data())?;
                self.launch.make_directories()?;
            }
        }
        bail!("the server refuses more than {MOST_REFUSED} of production's settings at start; see {}", self.tail())
    }

    fn start_once(&mut self, lease: &Lease, progress: &dyn Progress) -> Result<()> {
        self.launch.clear_remains()?;
        options::write(&self.launch, &self.carried, self.wanted.as_ref())?;
        self.instance.process = match &mut self.runner {
            Runner::Container(server) => server.start(&self.launch)?,
            Runner::Process(server) => server.start(&self.launch)?,
        };
        if let Some(process) = self.instance.process {
            lease.note_process(process)?;
        }
        let until = Instant::now() + START;
        loop {
            progress.check()?;
            let last = match self.instance.writer(Role::Keeper) {
                Ok(mut session) => {
                    let version: Option<String> = session.first("SELECT VERSION()")?;
                    let version = version.context("the server does not say its version")?;
                    self.instance.flavor = Flavor::from_version_string(&version)?;
                    self.instance.version = version;
                    break;
                }
                Err(fault) => fault,
            };
            if !self.instance.process.is_some_and(|process| process.is_alive()) {
                bail!("the server ended while it started\n{}", self.tail());
            }
            if Instant::now() > until {
                bail!("the server lets nobody in within {} s ({last})\n{}", START.as_secs(), self.tail());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(wanted) = self.wanted
            && !self.instance.flavor.serves(&wanted)
        {
            bail!("the server is {}, not {wanted}", self.instance.flavor);
        }
        Ok(())
    }

    /// The setting of ours that an error in the log (since the byte `from`) or in the output names.
    fn refused_setting(&self, from: u64) -> Option<(String, String)> {
        let log = fs::read(self.launch.log()).unwrap_or_default();
        let log = log.get(usize::try_from(from).ok()?..).unwrap_or_default();
        let text = format!("{}\n{}", String::from_utf8_lossy(log), self.output());
        let names: Vec<&str> = self.carried.at_start.keys().map(String::as_str).collect();
        named_in_error(&text, &names)
    }

    /// Brings a server that has just come up to where a rehearsal starts: no strangers' accounts, settings, warm pool.
    fn settle(&mut self, progress: &dyn Progress) -> Result<()> {
        self.drop_anonymous_accounts().context("cannot drop the anonymous accounts")?;
        self.set_running_settings().context("cannot carry production's settings")?;
        self.warm(progress)
    }

    fn drop_anonymous_accounts(&self) -> Result<()> {
        let mut session = self.instance.writer(Role::Keeper)?;
        let accounts: Vec<String> =
            session.rows("SELECT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.user WHERE user = ''")?;
        if !accounts.is_empty() {
            session.execute("SET SESSION sql_log_bin = 0")?;
            session.execute(&format!("DROP USER {}", accounts.join(", ")))?;
        }
        Ok(())
    }

    fn set_running_settings(&mut self) -> Result<()> {
        let refused = applied::set(&self.instance, &self.carried).map_err(|fault| self.dead(&fault))?;
        if !self.judged {
            applied::judge(&self.instance, &mut self.carried, refused)?;
            self.judged = true;
        }
        Ok(())
    }

    /// Empties the binary log: what filled the store is no part of what is rehearsed, and would be copied with it.
    pub(super) fn forget_filling(&self) -> Result<()> {
        let mut session = self.instance.writer(Role::Keeper).map_err(|fault| self.dead(&fault))?;
        let statement = self.instance.flavor.reset_binary_log();
        match session.execute(statement) {
            // Without a binary log there is nothing to empty (1186 on MariaDB, 1381 and 1373 by version).
            Err(fault) if fault.is_connection_lost() => Err(self.dead(&fault)),
            Err(_) | Ok(_) => Ok(()),
        }
    }

    /// Waits until the buffer pool is back as it was dumped. Meanwhile the server may read as fast as it can: it rests
    /// for the rest of a second after each `innodb_io_capacity` pages when anything else happens on it
    /// (`buf_load_throttle_if_needed`, both vendors). Production's value is put back before anything is rehearsed.
    fn warm(&self, progress: &dyn Progress) -> Result<()> {
        if !self.launch.data().join("ib_buffer_pool").exists() {
            return Ok(());
        }
        progress.stage("warming the buffer pool", Unit::Waiting, None);
        let mut session = self.instance.writer(Role::Keeper)?;
        let cannot = "cannot lift innodb_io_capacity for the warming";
        let before: Option<(u64, u64)> =
            session.first("SELECT @@GLOBAL.innodb_io_capacity, @@GLOBAL.innodb_io_capacity_max").context(cannot)?;
        // The larger one first when both rise, last when both fall: neither may cross the other.
        session.execute(&format!("SET GLOBAL innodb_io_capacity_max = {UNHINDERED}")).context(cannot)?;
        session.execute(&format!("SET GLOBAL innodb_io_capacity = {UNHINDERED}")).context(cannot)?;
        let warmed = self.wait_warm(progress);
        if let Some((usual, most)) = before {
            let cannot = "cannot put innodb_io_capacity back";
            session.execute(&format!("SET GLOBAL innodb_io_capacity = {usual}")).context(cannot)?;
            session.execute(&format!("SET GLOBAL innodb_io_capacity_max = {most}")).context(cannot)?;
        }
        warmed
    }

    fn wait_warm(&self, progress: &dyn Progress) -> Result<()> {
        let mut session = self.instance.reader(Role::Keeper)?;
        let until = Instant::now() + Duration::from_secs(120);
        let mut since = Instant::now();
        let mut before = String::new();
        loop {
            progress.check()?;
            let row: Option<(String, String)> =
                session.first("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_load_status'")?;
            let status = row.map(|(_, status)| status).unwrap_or_default();
            if status.contains("completed") || status.contains("Cannot open") || status.contains("aborted") {
                return Ok(());
            }
            if status != before {
                (before, since) = (status, Instant::now());
            }
            if Instant::now() > until || since.elapsed() > Duration::from_secs(20) {
                progress.note(&format!("the buffer pool is not warm: {before}"));
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server with nothing left to purge or to recover, and waits until its process is gone.
    ///
    /// # Errors
    /// When it does not end, or its log does not say that the shutdown was complete.
    pub(super) fn stop_clean(&mut self, progress: &dyn Progress) -> Result<()> {
        progress.stage("stopping the server", Unit::Waiting, None);
        let from = fs::metadata(self.launch.log()).map(|about| about.len()).unwrap_or(0);
        let process = self.instance.process;
        let mut session = self.instance.writer(Role::Keeper).map_err(|fault| self.dead(&fault))?;
        session.execute("SET GLOBAL innodb_fast_shutdown = 0").context("cannot ask for a slow shutdown")?;
        match session.execute("SHUTDOWN") {
            Err(fault) if !fault.is_connection_lost() => return Err(fault).context("cannot stop the server"),
            _ => drop(session),
        }
        while process.is_some_and(|process: Started| process.is_alive()) {
            progress.check()?;
            std::thread::sleep(Duration::from_millis(10));
        }
        match &mut self.runner {
            Runner::Container(server) => server.wait_stopped(Duration::from_secs(30))?,
            Runner::Process(server) => server.wait_stopped(Duration::from_secs(30))?,
        }
        self.instance.process = None;
        let log =
            fs::read(self.launch.log()).with_context(|| format!("cannot read {}", self.launch.log().display()))?;
        let since = log.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default();
        if !String::from_utf8_lossy(since).to_ascii_lowercase().contains("shutdown complete") {
            bail!("the server did not shut down completely\n{}", self.tail());
        }
        Ok(())
    }

    /// Runs a program of the server's own kit; none when there is none.
    pub(super) fn call(&self, call: &Call, progress: &dyn Progress) -> Result<Option<Ended>> {
        let (flavor, desk) = (self.instance.flavor, client::desk(&self.launch)?);
        client::clear(&desk)?;
        let place = match &self.runner {
            Runner::Container(server) => {
                Place::Container(server, server.execute(&client::words(&self.launch, flavor, None, call)?)?)
            }
            Runner::Process(server) => {
                client::start(&self.launch, &client::words(&self.launch, flavor, Some(server.binary()), call)?)?
            }
        };
        client::wait(&desk, place, || self.instance.is_alive(), progress)
    }

    /// Replaces the stopped server's store by a copy of another.
    pub(super) fn put_back(&self, from: &Path) -> Result<()> {
        store::put_back(from, &self.launch.data(), self.launch.owner)
    }

    /// Adds the end of the server's log to an error, when the reason is that the server is gone.
    pub(super) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        if self.instance.is_alive() {
            error
        } else {
            error.context(format!("the server ended by itself\n{}", self.tail()))
        }
    }

    /// Kills the server, and waits until it is gone.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.runner_kill()?;
        self.instance.process = None;
        Ok(())
    }

    fn runner_kill(&mut self) -> Result<()> {
        match &mut self.runner {
            Runner::Container(server) => server.kill(),
            Runner::Process(server) => server.kill(),
        }
    }

    /// An error about a server that no longer answers, with the end of its log.
    pub(super) fn dead(&self, cause: &dyn std::fmt::Display) -> anyhow::Error {
        anyhow!("the server no longer answers ({cause})\n{}", self.tail())
    }

    fn output(&self) -> String {
        match &self.runner {
            Runner::Container(server) => server.output(),
            Runner::Process(server) => server.output(),
        }
    }

    fn tail(&self) -> String {
        let output = tail_of(&self.output());
        let log = tail_of_file(Path::new(&self.launch.log()));
        let name = self.launch.log();
        match (output.is_empty(), log.is_empty()) {
            (_, true) => format!("its output:\n{output}"),
            (true, false) => format!("the end of {}:\n{log}", name.display()),
            (false, false) => format!("its output:\n{output}\nthe end of {}:\n{log}", name.display()),
        }
    }
}

/// The first of `names` that a line with an error names, and the line.
fn named_in_error(text: &str, names: &[&str]) -> Option<(String, String)> {
    for line in text.lines().filter(|line| line.contains("ERROR")) {
        let plain = line.to_ascii_lowercase().replace('-', "_");
        let is_word = |at: usize, length: usize| {
            let part =
                |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            !part(plain[at + length..].chars().next())
                && (plain[..at].ends_with("loose_") || !part(plain[..at].chars().next_back()))
        };
        let named = |name: &&&str| plain.match_indices(**name).any(|(at, _)| is_word(at, name.len()));
        if let Some(name) = names.iter().find(named) {
            let words = line.split("[ERROR]").last().unwrap_or(line).trim();
            return Some(((*name).to_owned(), format!("the server refuses it at start: {words}")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_an_error_names_is_found() {
        let log = "[Note] innodb_page_size is fine\n\
                   [ERROR] [MY-000077] [Server] mysqld: Error while setting value 'x' to 'binlog-format'.";
        let found = named_in_error(log, &["binlog", "binlog_format", "innodb_page_size"]);
        assert_eq!(found.map(|(name, _)| name).as_deref(), Some("binlog_format"));
        assert!(named_in_error("[ERROR] Aborting", &["binlog_format"]).is_none());
    }
}

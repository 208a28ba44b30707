//! The connections to the target: opened, lost, opened again, and rested on.

use std::time::{Duration, Instant};

use super::halt::{Course, Halt};
use super::hold;
use super::keeper::Keeper;
use super::record::{Phase, Stand};
use super::runner::Runner;
use super::session::Session;
use super::target::Line;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::role::Role;
use crate::server::session::ReadOnly;
use crate::survey::guard;

/// How often its sessions say something while it rests.
const AWAKE: Duration = Duration::from_secs(5);

/// The connections of one stretch between two losses of the server.
pub(super) struct Link {
    /// Keeps the journal where it cannot go with the change, and holds the keeper's lock.
    pub(super) keeper: Keeper,
    /// Looks at definitions.
    pub(super) reader: ReadOnly,
    /// Carries the leg out.
    pub(super) session: Option<Session>,
}

impl Runner<'_> {
    /// Waits until the server answers again.
    pub(super) fn reconnect(&mut self, fault: &Fault) -> Course<()> {
        let until = Instant::now() + self.options.reconnect;
        loop {
            self.progress.check()?;
            match self.target.reader(Role::Surveyor) {
                Ok(_) => return Ok(()),
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(300)),
                Err(_) => return Err(Halt::Stopped(lost(fault))),
            }
        }
    }

    /// Opens the connections, takes the locks, and reads the journal.
    pub(super) fn connect(&mut self) -> Course<()> {
        let mut keeper = Line::new(self.target.writer(Role::Keeper)?, &self.calls);
        keeper.execute("SET NAMES utf8mb4")?;
        // It says nothing while a long statement runs; whatever the server's own defaults are, it commits each note, and
        // does not wait behind somebody else's lock for ever.
        keeper.execute("SET SESSION wait_timeout = 86400, autocommit = 1, lock_wait_timeout = 10")?;
        keeper.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")?;
        let apply_lock = hold::apply_lock(&self.way.digest);
        let keeper_lock = hold::keeper_lock(&self.options.journal_database);
        hold::keep(&mut keeper, &keeper_lock, &apply_lock, self.progress)?;
        let mut reader = self.target.reader(Role::Surveyor)?;
        reader.set("autocommit", "1")?;
        guard::prepare(&mut reader)?;
        let mut session = Session::open(self.target, &self.calls, self.flavor)?;
        hold::take_over(&mut session.line, &apply_lock, self.progress)?;
        let server = server_name(&mut keeper, self.flavor)?;
        let others = [
            server_name(&mut session.line, self.flavor)?,
            reader.first::<(String,)>(who(self.flavor))?.map(|(name,)| name).unwrap_or_default(),
        ];
        if others.iter().any(|other| *other != server) {
            return Err(Halt::stopped(
                "",
                format!("the address leads to more than one server: {server}, {}", others.join(", ")),
                "name the primary itself: what is written on one server and looked at on another proves nothing",
            ));
        }
        self.journal.set_server(&server);
        self.server = server;
        let there = keeper.first::<(u64,)>(&self.journal.is_there())?.is_some_and(|(count,)| count > 0);
        let missing = if there { Vec::new() } else { self.journal.create().to_vec() };
        for text in missing {
            keeper.execute(&text).map_err(|fault| match Halt::from(fault) {
                Halt::Error(error) => Halt::stopped(
                    "",
                    format!("the journal cannot be made on the target: {error:#}"),
                    format!("grant the account CREATE, SELECT, INSERT, UPDATE and DELETE on {}.*, or name another database with --journal-database", self.options.journal_database),
                ),
                halt => halt,
            })?;
        }
        let unfinished = self.journal.unfinished(&mut keeper)?;
        let known = |digest: &&String| !self.options.beside.iter().any(|own| digest.starts_with(own.as_str()));
        if let Some(other) = unfinished.iter().find(known).filter(|_| self.way.phase == Phase::Forward) {
            return Err(Halt::stopped(
                "",
                format!(
                    "another plan was begun on this server, and neither carried out to its end nor undone: {other}. Were it this \
                     one, drafted anew, what it has done would be done twice"
                ),
                format!(
                    "finish or undo that one first; when the two have nothing to do with each other, add --beside {}",
                    &other[..12]
                ),
            ));
        }
        let (round, undone) = self.journal.newest(&mut keeper)?;
        // After its undo a plan can be carried out anew.
        let anew = undone && self.way.phase == Phase::Forward;
        self.journal.set_round(if anew { round + 1 } else { round });
        self.rows = self.journal.read(&mut keeper, self.way.phase)?;
        self.throttle.watch(session.line.id());
        let keeper = Keeper::new(keeper, keeper_lock);
        self.link = Some(Link { keeper, reader, session: Some(session) });
        Ok(())
    }

    /// A session for the next leg: the one that was just opened, or a new one. The keeper's lock is ours meanwhile, so
    /// that no other apply gets in between.
    pub(super) fn fresh_session(&mut self) -> Course<()> {
        let lock = hold::apply_lock(&self.way.digest);
        let (target, calls, flavor, progress) = (self.target, self.calls.clone(), self.flavor, self.progress);
        let link = self.link()?;
        link.keeper.holds()?;
        let used = link.session.as_ref().is_none_or(|session| session.used);
        if !used {
            return Ok(());
        }
        if let Some(mut session) = link.session.take() {
            hold::release(&mut session.line, &lock)?;
        }
        let mut session = Session::open(target, &calls, flavor)?;
        hold::take_over(&mut session.line, &lock, progress)?;
        if server_name(&mut session.line, flavor)? != self.server {
            return Err(Halt::Lost(Fault::connection_lost("the address leads to another server now")));
        }
        let id = session.line.id();
        self.link()?.session = Some(session);
        self.throttle.watch(id);
        Ok(())
    }

    /// A boundary between two pieces of work: nothing more is sent when the keeper's lock is no longer ours. Rests as long as
    /// there is a reason to.
    pub(super) fn rest(&mut self) -> Course<()> {
        self.link()?.keeper.holds()?;
        let begin = Instant::now();
        let mut asked = Instant::now();
        let mut told = String::new();
        while let Some(reason) = self.throttle.reason() {
            self.progress.check()?;
            let kind: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
            if kind != told {
                self.progress.note(&format!("resting: {reason}"));
                told = kind;
            }
            std::thread::sleep(Duration::from_millis(100));
            // The server ends sessions that say nothing.
            if asked.elapsed() > AWAKE {
                asked = Instant::now();
                let link = self.link()?;
                link.keeper.holds()?;
                if let Some(session) = &mut link.session {
                    session.line.execute("DO 0")?;
                }
            }
        }
        if !told.is_empty() {
            self.progress.note("going on");
            self.summary.rested_seconds += begin.elapsed().as_secs_f64();
        }
        Ok(())
    }

    pub(super) fn link(&mut self) -> Course<&mut Link> {
        self.link.as_mut().ok_or_else(|| Halt::Lost(Fault::connection_lost("not connected")))
    }

    pub(super) fn session(&mut self) -> Course<&mut Session> {
        let session = self.link()?.session.as_mut();
        let session = session.ok_or_else(|| Halt::Lost(Fault::connection_lost("no session")))?;
        session.used = true;
        Ok(session)
    }
}

/// What tells one server from another. MariaDB has no `server_uuid`.
fn who(flavor: Flavor) -> &'static str {
    if flavor.is_mariadb() {
        "SELECT LEFT(CONCAT(@@hostname, ':', @@port, ':', @@server_id, ':', @@datadir), 100)"
    } else {
        "SELECT @@server_uuid"
    }
}

fn server_name(line: &mut Line, flavor: Flavor) -> Result<String, Fault> {
    Ok(line.first::<(String,)>(who(flavor))?.map(|(name,)| name).unwrap_or_default())
}

/// Where it stands when the server is gone.
pub(super) fn lost(fault: &Fault) -> Stand {
    Stand {
        unit: String::new(),
        why: format!("the server cannot be reached any more: {fault}"),
        next: "when it answers again run the same command: it goes on where it was, and does nothing twice".to_owned(),
    }
}

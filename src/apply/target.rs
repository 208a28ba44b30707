//! The server that a plan is carried out on: the one file outside the sandbox that opens a [`Writer`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mysql::prelude::FromRow;

use super::halt::CUT;
use super::record::Cut;
use crate::sandbox::Instance;
use crate::server::address::Address;
use crate::server::fault::Fault;
use crate::server::role::{Role, Roster};
use crate::server::session::{Done, ReadOnly, Writer};

/// How long a login may take.
const LOGIN: Duration = Duration::from_secs(10);

/// The server that a plan is carried out on.
#[derive(Clone, Debug)]
pub struct Target {
    place: Place,
    roster: Roster,
}

#[derive(Clone, Debug)]
enum Place {
    Server(Address),
    Sandbox(Instance),
}

impl Target {
    /// A server that a person named.
    pub fn server(mut address: Address) -> Self {
        // A plan says itself which database it uses; the one of the address may be gone by then.
        address.database = None;
        Self { place: Place::Server(address), roster: Roster::default() }
    }

    /// A sandbox's server: the plan is rehearsed by the code that carries it out.
    pub fn sandbox(instance: &Instance) -> Self {
        Self { place: Place::Sandbox(instance.clone()), roster: instance.roster().clone() }
    }

    /// A session that may write.
    pub(super) fn writer(&self, role: Role) -> Result<Writer, Fault> {
        match &self.place {
            Place::Server(address) => Writer::open(address, role, &self.roster, LOGIN),
            Place::Sandbox(instance) => instance.writer(role),
        }
    }

    /// A session that only reads.
    ///
    /// # Errors
    /// The server's own fault, or the loss of the connection.
    pub fn reader(&self, role: Role) -> Result<ReadOnly, Fault> {
        match &self.place {
            Place::Server(address) => ReadOnly::open(address, role, &self.roster, LOGIN),
            Place::Sandbox(instance) => instance.reader(role),
        }
    }

    /// Where it answers, for people.
    pub fn name(&self) -> String {
        match &self.place {
            Place::Server(address) => address.to_string(),
            Place::Sandbox(instance) => instance.address().to_string(),
        }
    }
}

/// Counts calls, and ends them where a test says so.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    cut: Option<Cut>,
    made: Arc<AtomicU64>,
}

impl Calls {
    pub(super) fn new(cut: Option<Cut>) -> Self {
        Self { cut, made: Arc::default() }
    }

    fn through<T>(&self, call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let gone = || Fault { number: CUT, state: "HY000".to_owned(), message: "cut off".to_owned() };
        let Some(cut) = self.cut else { return call() };
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        if made > cut.calls || (made == cut.calls && !cut.sent) {
            return Err(gone());
        }
        let answer = call();
        if made == cut.calls { Err(gone()) } else { answer }
    }
}

/// A [`Writer`] whose calls are counted.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) writer: Writer,
    calls: Calls,
}

impl Line {
    pub(super) fn new(writer: Writer, calls: &Calls) -> Self {
        Self { writer, calls: calls.clone() }
    }

    pub(super) fn id(&self) -> u32 {
        self.writer.connection_id()
    }

    /// Asks what is no part of the work, and is not counted.
    pub(super) fn aside<T: FromRow>(&mut self, sql: &str) -> Result<Option<T>, Fault> {
        self.writer.first(sql)
    }

    /// Says something that changes nothing and is not counted.
    pub(super) fn beat(&mut self) -> Result<(), Fault> {
        self.writer.execute("DO 0").map(drop)
    }

    pub(super) fn execute(&mut self, sql: &str) -> Result<Done, Fault> {
        let writer = &mut self.writer;
        self.calls.through(|| writer.execute(sql))
    }

    pub(super) fn first<T: FromRow>(&mut self, sql: &str) -> Result<Option<T>, Fault> {
        let writer = &mut self.writer;
        self.calls.through(|| writer.first(sql))
    }

    pub(super) fn rows<T: FromRow>(&mut self, sql: &str) -> Result<Vec<T>, Fault> {
        let writer = &mut self.writer;
        self.calls.through(|| writer.rows(sql))
    }
}

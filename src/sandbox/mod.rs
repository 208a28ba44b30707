//! Servers that we may break: an engine (image or binary) running on a store (a data directory: copied, kept, put back).
//!
//! [`Sandbox::prepare`] gives a server filled once; [`Sandbox::rewind`] brings it back to the same bytes with a warm
//! buffer pool, as often as there are experiments. Dropping it leaves no process, container or directory; what a
//! `kill -9` left, [`lease::sweep`] ends.

mod applied;
mod cache;
pub mod client;
mod container;
pub mod engine;
pub mod existing;
mod instance;
mod launch;
pub mod lease;
mod lists;
mod member;
mod options;
mod process;
mod settings;
mod started;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::client::{Call, Ended};
use self::engine::Engine;
pub use self::instance::{Fill, Instance};
use self::launch::Owner;
use self::lease::Lease;
use self::member::Member;
use self::settings::Machine;
pub use self::settings::{Clamped, NotCarried, same};
use crate::progress::{Progress, Unit};
use crate::server::address::Address;
use crate::server::flavor::Flavor;

/// Where a sandbox's server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A container when an engine answers and the image is to be had, else a process.
    Auto,
    /// A container.
    Container,
    /// A process of this machine.
    Process,
    /// A server that is there, and must prove that it is disposable.
    Existing(Address),
}

/// The sandbox that is wanted.
#[derive(Clone, Debug)]
pub struct Request {
    /// Vendor and version; any when none is named.
    pub flavor: Option<Flavor>,
    /// Where it runs.
    pub kind: Kind,
    /// The image, instead of the flavour's own.
    pub image: Option<String>,
    /// Production's global variables.
    pub settings: BTreeMap<String, String>,
    /// The cache directory, instead of the user's own.
    pub cache: Option<PathBuf>,
    /// What the store is made from, besides the engine and its settings: equal keys, equal stores.
    pub key: String,
    /// Look the filled store up in the cache, and keep it there.
    pub keep_cache: bool,
}

/// What a sandbox turned out to be.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `container`, `process` or `existing`.
    pub kind: &'static str,
    /// Vendor and version that run.
    pub flavor: Flavor,
    /// What the server answered to `SELECT VERSION()`.
    pub version: String,
    /// The image, the binary's path, or the existing server's address.
    pub engine: String,
    /// Settings of production's that it does not have.
    pub not_carried: Vec<NotCarried>,
    /// Settings of production's that it has in a smaller size.
    pub clamped: Vec<Clamped>,
    /// The store came filled from the cache.
    pub seeded_from_cache: bool,
    /// What is to be known of the store, as its filling said, also when it came from the cache.
    pub notes: Vec<String>,
}

/// A store kept aside. Dropping it removes it.
#[derive(Debug)]
pub struct Checkpoint {
    directory: PathBuf,
}

impl Checkpoint {
    fn take(lease: &Lease, number: u32, data: &Path, owner: Owner) -> Result<Self> {
        let checkpoint = Self { directory: lease.directory().join(format!("checkpoint-{number}")) };
        store::copy(data, &checkpoint.directory, owner)?;
        Ok(checkpoint)
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        let _swept_later = store::remove(&self.directory);
    }
}

/// A server that we may break, and can bring back. Dropping it ends the server and removes its files; an existing
/// server stays as it is.
#[derive(Debug)]
pub struct Sandbox {
    server: Server,
    facts: Facts,
}

#[derive(Debug)]
enum Server {
    Own(Box<Own>),
    Existing(Box<Instance>),
}

/// A server that we started. Dropped in this order: the server ends before its directories go.
#[derive(Debug)]
struct Own {
    member: Member,
    base: Base,
    checkpoints: u32,
    lease: Lease,
}

/// The filled store that a rewind goes back to.
#[derive(Debug)]
enum Base {
    Cached(cache::Entry),
    Kept(Checkpoint),
}

impl Sandbox {
    /// Gives a server filled by `fill`, or from the cache without it.
    ///
    /// # Errors
    /// When no engine is to be had, the server does not come up, or `fill` fails; the reason names the object.
    pub fn prepare(request: &Request, fill: &mut Fill<'_>, progress: &dyn Progress) -> Result<Self> {
        if let Kind::Existing(address) = &request.kind {
            return Self::take_existing(address, request, fill);
        }
        let root = store::cache_directory(request.cache.as_deref())?;
        store::make_cache_directory(&root)?;
        lease::sweep_below(&root, progress)?;
        let engine = Engine::resolve(&request.kind, request.flavor.as_ref(), request.image.as_deref(), progress)?;
        let (name, identity) = (engine.name(), engine.identity()?);
        let kind = if matches!(engine, Engine::Image { .. }) { "container" } else { "process" };
        let lease = Lease::take(&root)?;
        let carried = settings::carry(&request.settings, Machine::here());
        let entry = cache::name(&[&identity, &carried.made_with(), &request.key]);
        let mut member = Member::new(engine, request.flavor.as_ref(), carried, &lease)?;
        let cached = if request.keep_cache { cache::find(&root, &entry)? } else { None };
        let seeded_from_cache = cached.is_some();
        let started = |error: anyhow::Error| error.context(format!("cannot start {name}"));
        let notes;
        let base = match cached {
            Some(cached) => {
                progress.stage("copying the store from the cache", Unit::Waiting, None);
                member.put_back(&cached.data())?;
                notes = cached.notes()?;
                Base::Cached(cached)
            }
            None => {
                member.start(&lease, progress).map_err(started)?;
                notes = fill(&member.instance).map_err(|error| member.explain(error))?;
                member.forget_filling()?;
                member.stop_clean(progress)?;
                progress.stage("keeping the filled store", Unit::Waiting, None);
                let (data, owner) = (member.launch.data(), member.launch.owner);
                if request.keep_cache {
                    Base::Cached(cache::keep(&root, &entry, (&data, &notes), owner, progress)?)
                } else {
                    Base::Kept(Checkpoint::take(&lease, 0, &data, owner)?)
                }
            }
        };
        member.start(&lease, progress).map_err(started)?;
        let facts = Facts {
            kind,
            flavor: member.instance.flavor,
            version: member.instance.version.clone(),
            engine: name,
            not_carried: member.carried.not_carried.clone(),
            clamped: member.carried.clamped.clone(),
            seeded_from_cache,
            notes,
        };
        Ok(Self { server: Server::Own(Box::new(Own { member, base, checkpoints: 0, lease })), facts })
    }

    fn take_existing(address: &Address, request: &Request, fill: &mut Fill<'_>) -> Result<Self> {
        let instance = existing::prove(address, request.flavor.as_ref(), &request.settings)?;
        let mut carried = settings::carry(&request.settings, Machine::here());
        existing::settle(&instance, &mut carried).with_context(|| format!("cannot set up {address}"))?;
        let notes = existing::fill(&instance, fill)?;
        let facts = Facts {
            kind: "existing",
            flavor: instance.flavor,
            version: instance.version.clone(),
            engine: address.to_string(),
            not_carried: carried.not_carried,
            clamped: carried.clamped,
            seeded_from_cache: false,
            notes,
        };
        Ok(Self { server: Server::Existing(Box::new(instance)), facts })
    }

    /// The server.
    pub fn instance(&self) -> &Instance {
        match &self.server {
            Server::Own(own) => &own.member.instance,
            Server::Existing(instance) => instance,
        }
    }

    /// What it is.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// False for an existing server: its data cannot be put back.
    pub fn can_rewind(&self) -> bool {
        matches!(self.server, Server::Own(_))
    }

    /// Stops the server cleanly, keeps a copy of its store, and starts it again.
    ///
    /// # Errors
    /// When it does not stop or come up again, or the disk has no room; and for an existing server.
    pub fn checkpoint(&mut self, progress: &dyn Progress) -> Result<Checkpoint> {
        let own = self.own()?;
        own.member.stop_clean(progress)?;
        own.checkpoints += 1;
        progress.stage("copying the store", Unit::Waiting, None);
        let launch = &own.member.launch;
        let checkpoint = Checkpoint::take(&own.lease, own.checkpoints, &launch.data(), launch.owner)?;
        self.start(progress)?;
        Ok(checkpoint)
    }

    /// Brings the server back to where [`prepare`](Self::prepare) left it: the same bytes, a warm buffer pool.
    ///
    /// # Errors
    /// When the disk has no room or the server does not come up; and for an existing server.
    pub fn rewind(&mut self, progress: &dyn Progress) -> Result<()> {
        let from = match &self.own()?.base {
            Base::Cached(entry) => entry.data(),
            Base::Kept(checkpoint) => checkpoint.directory.clone(),
        };
        self.put_back(&from, progress)
    }

    /// Brings the server back to a checkpoint of its own.
    ///
    /// # Errors
    /// As [`rewind`](Self::rewind).
    pub fn rewind_to(&mut self, checkpoint: &Checkpoint, progress: &dyn Progress) -> Result<()> {
        self.put_back(&checkpoint.directory, progress)
    }

    /// The directory whose files the programs of [`call`](Self::call) read and write. Stays over rewinds; what needs to be
    /// read there must be readable for every user.
    ///
    /// # Errors
    /// When it cannot be made; and for an existing server.
    pub fn desk(&mut self) -> Result<PathBuf> {
        client::desk(&self.own()?.member.launch)
    }

    /// Runs a program of the server's own kit against it: the image's own, or the one beside the server's binary or in
    /// `PATH`. None when there is none of this vendor.
    ///
    /// # Errors
    /// When it cannot be run or the server dies meanwhile; when the person asked to stop; and for an existing server.
    /// That the program itself fails is an [`Ended`] with its exit code.
    pub fn call(&mut self, call: &Call, progress: &dyn Progress) -> Result<Option<Ended>> {
        self.own()?.member.call(call, progress)
    }

    /// Kills the server, dead already or not, and starts it again on the store that it left: a crash and its recovery.
    ///
    /// # Errors
    /// When it does not come up again; and for an existing server.
    pub fn restart(&mut self, progress: &dyn Progress) -> Result<()> {
        self.own()?.member.kill()?;
        self.start(progress)
    }

    fn own(&mut self) -> Result<&mut Own> {
        match &mut self.server {
            Server::Own(own) => Ok(own),
            Server::Existing(_) => bail!("{} cannot be rewound: it is not a server that we started", self.facts.engine),
        }
    }

    fn put_back(&mut self, from: &Path, progress: &dyn Progress) -> Result<()> {
        progress.stage("rewinding the store", Unit::Waiting, None);
        let own = self.own()?;
        own.member.kill()?;
        own.member.put_back(from)?;
        self.start(progress)
    }

    fn start(&mut self, progress: &dyn Progress) -> Result<()> {
        let name = self.facts.engine.clone();
        let own = self.own()?;
        own.member.start(&own.lease, progress).with_context(|| format!("cannot start {name}"))
    }
}

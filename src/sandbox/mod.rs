//! Servers that we may break: an engine (image or binary) running on a store (a data directory: copied, kept, put back).
//!
//! [`Sandbox::prepare`] gives a server filled once; [`Sandbox::rewind`] brings it back to the same bytes with a warm
//! buffer pool, as often as there are experiments. Dropping it leaves no process, container or directory; what a
//! `kill -9` left, [`lease::sweep`] ends.

mod container;
pub mod engine;
mod instance;
mod launch;
pub mod lease;
mod member;
mod options;
mod process;
mod settings;
mod started;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::engine::Engine;
pub use self::instance::Instance;
use self::lease::Lease;
use self::member::Member;
use self::settings::Machine;
pub use self::settings::{Clamped, NotCarried};
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
}

/// A store kept aside. Dropping it removes it.
#[derive(Debug)]
pub struct Checkpoint {
    directory: PathBuf,
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        let _swept_later = store::remove(&self.directory);
    }
}

/// A server that we may break, and can bring back. Dropping it ends the server and removes its files.
#[derive(Debug)]
pub struct Sandbox {
    // In this order they are dropped: the server ends before its directories go.
    member: Member,
    base: Option<Checkpoint>,
    facts: Facts,
    checkpoints: u32,
    lease: Lease,
}

impl Sandbox {
    /// Gives a server filled by `fill`, or from the cache without it.
    ///
    /// # Errors
    /// When no engine is to be had, the server does not come up, or `fill` fails; the reason names the object.
    pub fn prepare(
        request: &Request,
        fill: &mut dyn FnMut(&Instance) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        if let Kind::Existing(address) = &request.kind {
            bail!("cannot use {address} as a sandbox");
        }
        let cache = store::cache_directory(request.cache.as_deref())?;
        store::make_cache_directory(&cache)?;
        lease::sweep_below(&cache, progress)?;
        let engine = Engine::resolve(&request.kind, request.flavor.as_ref(), request.image.as_deref(), progress)?;
        let name = engine.name();
        let kind = if matches!(engine, Engine::Image { .. }) { "container" } else { "process" };
        let lease = Lease::take(&cache)?;
        let flavor = match (&engine, request.flavor) {
            (Engine::Binary { flavor, .. }, _) => Some(*flavor),
            (Engine::Image { .. }, flavor) => flavor,
        };
        let assumed = flavor.unwrap_or(Flavor::from_version_string("8.0.0")?);
        let carried = settings::carry(&request.settings, &assumed, Machine::here());
        let mut member = Member::new(engine, request.flavor.as_ref(), carried, &lease)?;
        member.start(&lease, progress).with_context(|| format!("cannot start {name}"))?;
        fill(&member.instance)?;
        let facts = Facts {
            kind,
            flavor: member.instance.flavor,
            version: member.instance.version.clone(),
            engine: name,
            not_carried: member.carried.not_carried.clone(),
            clamped: member.carried.clamped.clone(),
            seeded_from_cache: false,
        };
        let mut sandbox = Self { member, base: None, facts, checkpoints: 0, lease };
        sandbox.base = Some(sandbox.checkpoint(progress)?);
        Ok(sandbox)
    }

    /// The server.
    pub fn instance(&self) -> &Instance {
        &self.member.instance
    }

    /// What it is.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// False for an existing server: its data cannot be put back.
    pub fn can_rewind(&self) -> bool {
        true
    }

    /// Stops the server cleanly, keeps a copy of its store, and starts it again.
    ///
    /// # Errors
    /// When it does not stop or come up again, or the disk has no room.
    pub fn checkpoint(&mut self, progress: &dyn Progress) -> Result<Checkpoint> {
        self.member.stop_clean(progress)?;
        self.checkpoints += 1;
        let checkpoint =
            Checkpoint { directory: self.lease.directory().join(format!("checkpoint-{}", self.checkpoints)) };
        progress.stage("copying the store", Unit::Waiting, None);
        store::copy(&self.member.launch.data(), &checkpoint.directory, self.member.launch.owner)?;
        self.start(progress)?;
        Ok(checkpoint)
    }

    /// Brings the server back to where [`prepare`](Self::prepare) left it: the same bytes, a warm buffer pool.
    ///
    /// # Errors
    /// When the sandbox cannot rewind, the disk has no room, or the server does not come up.
    pub fn rewind(&mut self, progress: &dyn Progress) -> Result<()> {
        let base = self.base.as_ref().context("the sandbox has no checkpoint to go back to")?.directory.clone();
        self.put_back(&base, progress)
    }

    /// Brings the server back to a checkpoint of its own.
    ///
    /// # Errors
    /// As [`rewind`](Self::rewind).
    pub fn rewind_to(&mut self, checkpoint: &Checkpoint, progress: &dyn Progress) -> Result<()> {
        self.put_back(&checkpoint.directory, progress)
    }

    fn put_back(&mut self, from: &Path, progress: &dyn Progress) -> Result<()> {
        progress.stage("rewinding the store", Unit::Waiting, None);
        self.member.kill()?;
        let live = self.member.launch.data();
        store::remove(&live)?;
        store::copy(from, &live, self.member.launch.owner)?;
        self.start(progress)
    }

    fn start(&mut self, progress: &dyn Progress) -> Result<()> {
        self.member.start(&self.lease, progress).with_context(|| format!("cannot start {}", self.facts.engine))
    }
}

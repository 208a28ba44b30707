//! Is production still what was rehearsed? Every reason that speaks against carrying a plan out, not the first one alone.
//! Read-only, bounded, and light on a busy primary: each question names its tables, waits at most 2 s for a lock and 20 s
//! for an answer, and counts rows only where the server's estimate is in doubt.

mod company;
mod ground;
mod paper;
mod replica;
mod rights;
mod room;
mod rows;
mod server;
mod shape;
pub mod verdict;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use self::ground::Ground;
use self::verdict::{FORMAT, Found};
pub use self::verdict::{Reason, Severity, Verdict};
use crate::plan::Plan;
use crate::server::address::{Address, Endpoint};
use crate::server::session::ReadOnly;
use crate::survey::record::Survey;

/// How to look.
#[derive(Clone, Debug)]
pub struct Options {
    /// The target's replicas that can be asked.
    pub replicas: Vec<Address>,
    /// Ids of steps that an earlier `apply` has begun: what they make and change is compared with nothing, and their
    /// statements need no privilege any more.
    pub begun: BTreeSet<String>,
    /// Connections of our own on the target, which are in nobody's way.
    pub own_connections: BTreeSet<u64>,
    /// Seconds that counting one table may take; 0: nothing is counted.
    pub count_seconds: u64,
    /// Seconds from which on an open transaction is in the way.
    pub long_seconds: u64,
    /// The account that will carry the plan out, `user@host`; none: the one that looks.
    pub account: Option<String>,
    /// The database of the journal that `apply` will keep there; none when nobody is about to.
    pub journal: Option<String>,
    /// The server runs on this machine: its disk can be asked for room.
    pub local: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            replicas: Vec::new(),
            begun: BTreeSet::new(),
            own_connections: BTreeSet::new(),
            count_seconds: 20,
            long_seconds: 10,
            account: None,
            journal: None,
            local: false,
        }
    }
}

/// Whether an address leads to this machine: then its disk can be asked for room.
pub fn is_local(address: &Address) -> bool {
    match &address.endpoint {
        Endpoint::Socket(_) => true,
        Endpoint::Tcp { host, .. } => matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1"),
    }
}

/// Holds a server against a plan.
///
/// # Errors
/// When the server does not say who it is, or the connection is lost. What could not be looked at is a reason of
/// [`Severity::Unchecked`].
pub fn verify(
    plan: &Plan,
    survey: &Survey,
    directory: &Path,
    reader: &mut ReadOnly,
    options: &Options,
) -> Result<Verdict> {
    let mut found = Found::default();
    let ground = Ground::look(plan, survey, directory, reader, options)?;
    paper::look(&ground, &mut found)?;
    server::look(&ground, reader, &mut found)?;
    shape::look(&ground, &mut found)?;
    shape::names(&ground, reader, &mut found)?;
    rows::look(&ground, reader, &mut found)?;
    rights::look(&ground, reader, &mut found)?;
    room::look(&ground, reader, &mut found)?;
    room::limits(&ground, &mut found)?;
    company::look(&ground, reader, &mut found)?;
    replica::look(&ground, reader, &mut found)?;
    unread(&ground, &mut found);
    let Found { mut reasons, fine } = found;
    reasons.sort_by_key(|reason| reason.severity);
    let host = ground.now.server.host.clone().unwrap_or_else(|| "the server".to_owned());
    Ok(Verdict {
        format: FORMAT.to_owned(),
        plan: plan.name.clone(),
        upgrade_digest: plan.identity.upgrade_digest.clone(),
        target: format!("{host}, {} ({})", ground.now.server.flavor, ground.now.server.version),
        at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        fit: !reasons.iter().any(|reason| reason.severity == Severity::Refuse),
        reasons,
        fine,
    })
}

/// What the account could not read, and no check has told already.
fn unread(ground: &Ground<'_>, found: &mut Found) {
    // Open transactions have a reason of their own; components say nothing that a plan depends on.
    let told = ["open transactions", "installed components"];
    for gap in ground.now.gaps.iter().filter(|gap| !told.iter().any(|start| gap.starts_with(start))) {
        found.unchecked("account", "what it may read", gap.as_str(), "verify with an account that may read it");
    }
}

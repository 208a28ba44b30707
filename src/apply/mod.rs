//! Carries a plan out on a server that is nobody's sandbox: looks first whether it is still what was rehearsed
//! ([`verify`]), then once, resumably, gently.
//!
//! The plan's statements run on one session under a named lock. A table of the target keeps what is done: a change of rows
//! is noted in the transaction that makes it, so that both happen or neither; what commits by itself is noted before (with
//! what everything looks like) and after, and what a crash leaves between the two is told by looking again ([`resume`]).
//! What nobody can tell is never guessed: the run stops and says what it sees.

pub mod atom;
mod channel;
mod check;
pub mod course;
mod cut;
mod define;
pub mod dry;
mod engines;
mod fresh;
mod halt;
mod hold;
mod journal;
mod keeper;
mod link;
pub mod planned;
pub mod record;
pub mod resume;
mod runner;
mod session;
pub mod signature;
mod standing;
pub mod target;
mod throttle;
mod trail;
mod transact;
pub mod verify;
pub mod walk;

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use self::course::Course;
use self::halt::Halt;
use self::journal::Journal;
use self::record::{Options, Summary};
use self::runner::Runner;
use self::target::Target;
use crate::plan::Plan;
use crate::plan::restored::Proven;
use crate::progress::Progress;
use crate::server::flavor::Flavor;
use crate::server::role::Role;

/// What of a plan a phase carries out on a target, in order. It asks the target's flavour, and changes nothing.
///
/// # Errors
/// A target that cannot be reached, a script that cannot be read.
pub fn course(plan: &Plan, target: &Target, options: &Options) -> Result<(Course, Flavor)> {
    let mut reader = target.reader(Role::Surveyor).with_context(|| format!("cannot connect to {}", target.name()))?;
    let version: String = reader.first("SELECT VERSION()")?.unwrap_or_default();
    let flavor = Flavor::from_version_string(&version).with_context(|| format!("the server says version {version}"))?;
    let autocommit = reader.first::<(u8,)>("SELECT @@SESSION.autocommit")?.is_none_or(|(on,)| on == 1);
    Ok((Course::of(plan, options.phase, flavor, autocommit)?, flavor))
}

/// What an earlier run has begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// The steps of which a backup or a statement was begun.
    pub steps: BTreeSet<String>,
    /// The whole plan is done, and nobody asked to begin it anew.
    pub all_done: bool,
    /// Connections of it that the server still has: a client that was killed leaves its statement running, and `carry_out`
    /// waits for that.
    pub connections: BTreeSet<u64>,
}

/// What an earlier run has begun of a plan, by the target's journal; nothing where there is none. It changes nothing.
///
/// # Errors
/// A target that cannot be reached, or a journal that cannot be read.
pub fn begun(plan: &Plan, target: &Target, options: &Options) -> Result<Begun> {
    let (way, _) = course(plan, target, options)?;
    let mut reader = target.reader(Role::Surveyor).with_context(|| format!("cannot connect to {}", target.name()))?;
    let journal = Journal::new(&options.journal_database, &way.digest, way.phase, "");
    let units = match journal.units(&mut reader) {
        // Neither the database nor its table is there (1049, 1146), or the account may not see them.
        Err(fault) if matches!(fault.number, 1049 | 1146) || fault.is_access_denied() => Vec::new(),
        answer => answer.context("cannot read the journal")?,
    };
    let connections =
        hold::holders(&mut reader, &[hold::apply_lock(&way.digest), hold::keeper_lock(&options.journal_database)])
            .context("cannot ask who holds the locks of an earlier run")?;
    let mut begun = Begun { all_done: units.iter().any(String::is_empty), connections, ..Begun::default() };
    for leg in &way.legs {
        let own = format!("{}/", leg.name);
        if begun.all_done && options.anew {
            break;
        }
        if units.iter().any(|unit| *unit == leg.name || unit.starts_with(&own)) {
            begun.steps.extend(leg.step.clone());
        }
    }
    begun.all_done &= !options.anew;
    Ok(begun)
}

/// Carries a phase of a plan out on a target, from where an earlier run left off. It verifies nothing before, and asks
/// nobody: that is the caller's part.
///
/// # Errors
/// The person's interruption, a target that cannot be reached, a local journal that cannot be written. What the plan's own
/// statements and verifications come to is in the summary.
pub fn carry_out(plan: Proven<'_>, target: &Target, options: &Options, progress: &dyn Progress) -> Result<Summary> {
    let plan = plan.plan();
    let (way, flavor) = course(plan, target, options)?;
    let runner = Runner::new(target, plan, &way, options, progress, flavor).map_err(|halt| match halt {
        Halt::Error(error) => error,
        other => anyhow::anyhow!("{other}"),
    })?;
    runner.run()
}

//! What single rules need besides their two scripts.

use std::time::Duration;

use mysql_rehearsal::advise::catalogue;
use mysql_rehearsal::advise::record::Budget;
use mysql_rehearsal::advise::rule::{Needs, Rule};
use mysql_rehearsal::quantity::Span;

/// Rules that exist on one vendor's servers only.
const ONE_VENDOR: &[(&str, &str)] = &[("insert-select-blocks-inserts", "mariadb")];

/// Rules whose risk is that the script fails.
const FAILS: &[&str] = &["statement-failed", "not-null-on-nulls", "unique-on-duplicates"];

/// Rules of waits, which are measured.
const WAITS: &[&str] = &["blocked-reads", "blocked-writes", "commit-stall"];

/// Those that show only on a table of some size.
const LARGE: &[&str] = &["blocked-reads", "blocked-writes"];

/// Rules that could be judged by the text, but whose scripts are better run beside probes: their pauses would be long.
const LOUD: &[&str] = &["row-by-row"];

/// Rules that speak where tables are too small for another rule to say the same with more.
const SMALL: &[&str] = &["no-lock-wait-timeout"];

/// Limits that production has and the sandbox has not.
const LIMITS: &[(&str, &str, &str)] = &[("exceeds-server-limit", "max_binlog_cache_size", "2097152")];

/// How a rule's scripts are run.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The risk exists on this server.
    pub applies: bool,
    /// The risky script is there to fail.
    pub risky_fails: bool,
    /// On hundreds of thousands of rows.
    pub large: bool,
    /// On a handful of rows.
    pub small: bool,
    /// What is looked for is a wait, which a busy machine may hide or feign.
    pub waits: bool,
    /// With probes and watchers; else alone, as the text and the survey are enough to judge by.
    pub loud: bool,
    /// What the upgrade may block.
    pub budget: Budget,
    /// Settings that production's survey holds over those of the server.
    pub settings: Vec<(&'static str, &'static str)>,
}

impl Pair {
    /// What the rule needs on this server.
    pub fn of(rule: &Rule, server: &str) -> Self {
        let vendor = ONE_VENDOR.iter().find(|(id, _)| *id == rule.id).map(|(_, vendor)| *vendor);
        Self {
            applies: vendor.is_none_or(|vendor| server.starts_with(vendor)),
            risky_fails: FAILS.contains(&rule.id),
            small: SMALL.contains(&rule.id),
            large: LARGE.contains(&rule.id),
            loud: rule.needs == Needs::Rehearsal || LOUD.contains(&rule.id),
            waits: WAITS.contains(&rule.id),
            budget: if WAITS.contains(&rule.id) { impatient() } else { Budget::default() },
            settings: LIMITS.iter().filter(|limit| limit.0 == rule.id).map(|limit| (limit.1, limit.2)).collect(),
        }
    }
}

/// Waits are seen on a table of a laptop's size only by who allows none.
fn impatient() -> Budget {
    let limit = Some(Span(Some(Duration::from_millis(150))));
    Budget { longest_blocked_read: limit, longest_blocked_write: limit, ..Budget::default() }
}

/// A rule that was renamed or taken out must not linger in the lists.
pub fn every_name_is_a_rule() {
    let paired = ONE_VENDOR.iter().map(|own| &own.0).chain(LIMITS.iter().map(|own| &own.0));
    for id in paired.chain(FAILS).chain(LARGE).chain(SMALL).chain(WAITS).chain(LOUD) {
        assert!(catalogue::find(id).is_some(), "{id} is no rule");
    }
}

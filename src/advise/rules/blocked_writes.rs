//! Writes that waited behind a statement.

use crate::advise::budget::Side;
use crate::advise::evidence::Subject;
use crate::advise::rule::{Needs, Rule, Verdict};
use crate::advise::waits;

/// The rule.
pub const RULE: Rule = Rule {
    id: "blocked-writes",
    what: "the application's writes wait behind a statement for longer than the budget allows",
    why: "Requests that wait hold a connection and a worker each. Without a time-out they wait as long as the statement runs, \
          and the pool runs dry; with one they fail. The server gives up on a row lock after innodb_lock_wait_timeout \
          (50 s when nobody set it), on a metadata lock after lock_wait_timeout (a year on MySQL, a day on MariaDB).",
    instead: "Make the statement shorter for each row that it locks: batches by key for DML, an algorithm that lets writers in \
              (INSTANT, or INPLACE with LOCK=NONE) for DDL, a swap instead of emptying a table.",
    needs: Needs::Rehearsal,
    check,
    risky: include_str!("blocked-writes/risky.sql"),
    safer: include_str!("blocked-writes/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    waits::on(Side::Write, subject)
}

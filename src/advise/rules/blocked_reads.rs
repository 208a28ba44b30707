//! Reads that waited behind a statement.

use crate::advise::budget::Side;
use crate::advise::evidence::Subject;
use crate::advise::rule::{Needs, Rule, Verdict};
use crate::advise::waits;

/// The rule.
pub const RULE: Rule = Rule {
    id: "blocked-reads",
    what: "the application's reads wait behind a statement for longer than the budget allows",
    why: "A plain SELECT waits for nobody on InnoDB, so what blocks it is a metadata lock (TRUNCATE, RENAME, a COPY at its end, any \
          DDL that waits behind an open transaction), LOCK TABLES … WRITE, or an engine that locks whole tables, such as \
          MyISAM. Reads are most of what an application does: workers pile up behind them and the pools run dry.",
    instead: "Take LOCK TABLES out. Keep DDL short and give it a low lock_wait_timeout with retries, so that it gives way instead \
              of queueing everybody behind itself. Change rows of a MyISAM table in small batches, or convert the table.",
    needs: Needs::Rehearsal,
    check,
    risky: include_str!("blocked-reads/risky.sql"),
    safer: include_str!("blocked-reads/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    waits::on(Side::Read, subject)
}

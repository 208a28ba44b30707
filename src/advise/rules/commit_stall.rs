//! A commit so large that every other commit on the server waits for it.

use crate::advise::budget::Side;
use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::waits;
use crate::quantity::{bytes, seconds};

/// The rule.
pub const RULE: Rule = Rule {
    id: "commit-stall",
    what: "one transaction's commit holds up the commits of the whole server",
    why: "A transaction's binary log is kept aside while it runs and written in one go when it commits. Commits go in \
          order, so every other one on the server waits behind it, whatever table or database it is about (measured on \
          MySQL 9.7: 353 MB stalled an untouched table for 0.6 s). Nothing that looks at one table shows this.",
    instead: "Make the transaction smaller: batches of about 10,000 rows, each committed. What changes no rows one by \
              one (TRUNCATE, a swap, dropping a partition) writes next to nothing.",
    needs: Needs::Rehearsal,
    check,
    risky: include_str!("commit-stall/risky.sql"),
    safer: include_str!("commit-stall/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(stall) = subject.commit_stall() else { return Verdict::Clear };
    let longest = stall.longest_seconds;
    // The commit probe's table is our own, so the general limit is the one that counts.
    let limit = subject.limit(&stall.table, Side::Write);
    let Some(severity) = waits::severity(longest, limit) else { return Verdict::Clear };
    let binlog = subject.observed().and_then(|observed| observed.footprint.binlog_bytes).filter(|bytes| *bytes > 0);
    let written = binlog.map_or_else(|| "its binary log".to_owned(), |size| format!("{} of binary log", bytes(size)));
    let harm = format!(
        "stalls every commit on the server for {} (measured on an untouched table){}",
        seconds(longest),
        waits::against(longest, limit)
    );
    let cause = format!("{written} reaches the disk in one go when the transaction commits");
    let mut risk = Risk::new(severity, phrase::message(Some(harm), cause, phrase::instead(subject)));
    if let Some(size) = binlog {
        risk = risk.with("binlog_bytes", size);
    }
    waits::numbers(risk, stall, limit).into()
}

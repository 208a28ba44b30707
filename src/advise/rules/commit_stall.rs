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

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;
    use crate::watch::record::ProbeKind;

    #[test]
    fn a_stalled_commit_elsewhere_is_found_with_the_binary_log_behind_it() {
        let risky = Specimen::of(RULE.risky).blocks(1, "rehearse_commit", ProbeKind::Commit, 0.64).with(1, |seen| {
            seen.footprint.binlog_bytes = Some(844 << 20);
        });
        let found = risky.found("commit-stall");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.starts_with(
            "stalls every commit on the server for 0.64 s (measured on an untouched table), within the budget of 1.00 s but \
             near it: 844.0 MiB of binary log reaches the disk in one go"
        ), "{}", found[0].message);
        assert!(risky.found("blocked-writes").is_empty(), "it is told once");
        assert!(Specimen::of(RULE.safer).found("commit-stall").is_empty());
    }
}

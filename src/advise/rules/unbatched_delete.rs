//! A DELETE that removes many rows, not all, in one transaction.

use super::unbatched_update::unbatched;
use crate::advise::evidence::Subject;
use crate::advise::rule::{Needs, Rule, Verdict};
use crate::sql::record::Kind;

/// The rule.
pub const RULE: Rule = Rule {
    id: "unbatched-delete",
    what: "one DELETE with a condition removes very many rows in one transaction",
    why: "Every row it removes (and, without a fitting index, every row it looks at) stays locked until the commit: \
          the application's updates of those rows wait for the whole statement, inserts wait for its gap locks, and at \
          the commit the whole binary log of it is written in one go. Killed half-way, it rolls back for about as long \
          as it ran, with the locks still held.",
    instead: "Delete in ranges of the primary key, about 10,000 rows each, every range its own transaction. Where most \
              rows go, copy the survivors into a new table and swap; where the rows are a partition, drop it.",
    needs: Needs::Text,
    check,
    risky: include_str!("unbatched-delete/risky.sql"),
    safer: include_str!("unbatched-delete/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    if subject.kind() != Kind::Delete || subject.empties_target() {
        return Verdict::Clear;
    }
    unbatched(subject, "DELETE", "removes")
}

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

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, trial};
    use crate::watch::record::ProbeKind;

    #[test]
    fn many_rows_in_one_transaction_are_found_and_few_are_not() {
        let risky = Specimen::of(RULE.risky).changes(1, 8_100_000, 64.0).blocks(1, "page_views", ProbeKind::Lock, 51.0);
        let found = risky.found("unbatched-delete");
        assert_eq!(found[0].severity, Severity::Error);
        assert_eq!(
            found[0].message,
            "blocks writes to shop.page_views for 51.0 s (measured): one DELETE removes 8,100,000 rows in one transaction; \
             batches of 10,000 rows by primary key may do the same work (not tried)"
        );
        let safer = Specimen::of(RULE.safer).changes(1, 9_000, 0.1).changes(2, 9_100, 0.1).changes(3, 8_900, 0.1);
        assert!(safer.found("unbatched-delete").is_empty());
    }

    #[test]
    fn without_waits_it_warns_and_a_differing_trial_is_said_first_with_its_difference() {
        let mut specimen = Specimen::of(RULE.risky).changes(1, 20_000, 0.4);
        let original = specimen.loud.observations[0].clone();
        let mut differing = trial(&original, "batches", 0.5, 0.02);
        differing.proof.same_result = false;
        differing.proof.differences = vec!["shop.page_views: 3 rows instead of 0".to_owned()];
        specimen.trials = vec![differing];
        let found = specimen.found("unbatched-delete");
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(
            found[0].message,
            "one DELETE removes 20,000 rows of shop.page_views in 0.40 s in one transaction; batches of 10,000 rows by \
             primary key was tried, but the result is not the same: shop.page_views: 3 rows instead of 0"
        );
    }
}

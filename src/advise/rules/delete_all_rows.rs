//! A DELETE that removes every row of a table.

use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::seconds;
use crate::sql::record::Kind;
use crate::survey::record::{Basis, TableFacts};

/// The rule.
pub const RULE: Rule = Rule {
    id: "delete-all-rows",
    what: "a DELETE without WHERE and LIMIT removes every row of a table, one by one",
    why: "The server locks each row until the commit, writes each to the undo log and to the binary log, and takes each \
          out of every index. Updates and deletes of the application wait for the whole time, replicas repeat it, a \
          rollback takes about as long again, and the purge goes on for minutes after the commit. TRUNCATE and a swap \
          with an empty table do the same work in a fraction of a second whatever the size.",
    instead: "Swap the table with an empty one (CREATE TABLE … LIKE, then one RENAME): the old table stays as the undo \
              until the first write. Or TRUNCATE, and put AUTO_INCREMENT back. Where foreign keys or triggers forbid \
              both, delete in key-range batches.",
    needs: Needs::Text,
    check,
    risky: include_str!("delete-all-rows/risky.sql"),
    safer: include_str!("delete-all-rows/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    if subject.kind() != Kind::Delete || !subject.empties_target() {
        return Verdict::Clear;
    }
    let Some(table) = subject.target() else { return Verdict::Clear };
    // Every row goes, so production's own number says it; what a smaller rehearsal removed does not.
    let counted = subject.rows_changed().filter(|figure| figure.basis != Basis::Extrapolated);
    let changed = counted.or_else(|| subject.rows_of(table)).or_else(|| subject.rows_changed());
    let harm = phrase::harm(subject);
    if changed.is_some_and(|figure| figure.rows <= MANY_ROWS) && harm.is_none() {
        return Verdict::Clear;
    }
    let removed = match changed {
        Some(figure) => phrase::all_rows(figure),
        None => "all rows (nobody knows how many)".to_owned(),
    };
    let took = match (&harm, subject.seconds()) {
        (None, Some(time)) => format!(" in {}", seconds(time)),
        _ => String::new(),
    };
    let of = if harm.is_some() { String::new() } else { format!(" of {table}") };
    let kept = phrase::kept_locks(subject);
    // MyISAM and its like drop the file when nothing forbids it.
    let one_by_one = if subject.facts(table).is_none_or(TableFacts::is_transactional) { ", row by row" } else { "" };
    let cause = format!("{} removes {removed}{of}{took}{one_by_one}{kept}", phrase::each(subject, "DELETE"));
    let mut risk = Risk::new(subject.weigh(Severity::Warning), phrase::message(harm, cause, phrase::instead(subject)))
        .with("table", table.to_string());
    if let Some(figure) = changed {
        risk = risk.with("rows", figure.rows).with("rows_basis", phrase::basis(figure.basis));
    }
    if let Some(time) = subject.seconds() {
        risk = risk.with("seconds", time);
    }
    if let Some(bytes) = subject.observed().and_then(|observed| observed.footprint.binlog_bytes) {
        risk = risk.with("binlog_bytes", bytes);
    }
    risk.into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, trial};
    use crate::watch::record::ProbeKind;

    fn risky() -> Specimen {
        Specimen::of(RULE.risky).changes(1, 9_000_000, 59.2).blocks(1, "page_views", ProbeKind::Update, 50.71)
    }

    #[test]
    fn the_harm_comes_first_and_the_tried_swap_last() {
        let mut specimen = risky();
        let original = specimen.loud.observations[0].clone();
        specimen.trials = vec![trial(&original, "truncate", 0.31, 0.31), trial(&original, "swap", 0.32, 0.01)];
        let found = specimen.found("delete-all-rows");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Error);
        assert_eq!(
            found[0].message,
            "blocks writes to shop.page_views for 50.7 s (measured): one DELETE removes all 9,000,000 rows, row by row; a \
             swap with an empty table (the old one kept) gives the same result in 0.32 s and blocks nobody (tried)"
        );
        assert_eq!(found[0].evidence["rows"], 9_000_000);
        assert_eq!(found[0].evidence["rows_basis"], "measured");
    }

    #[test]
    fn the_safer_script_and_small_tables_are_quiet() {
        assert!(Specimen::of(RULE.safer).found("delete-all-rows").is_empty());
        let mut small = Specimen::of(RULE.risky).changes(1, 40, 0.001);
        for facts in small.survey.tables.values_mut() {
            facts.rows = 40;
        }
        for change in small.changes.values_mut() {
            change.rows_before = Some(40);
        }
        assert!(small.found("delete-all-rows").is_empty());
    }

    #[test]
    fn a_smaller_rehearsal_is_judged_at_productions_size() {
        let mut specimen = risky().changes(1, 900_000, 5.0);
        specimen.changes.get_mut(&crate::advise::specimen::shop("page_views")).expect("a table").rows_before =
            Some(900_000);
        let message = specimen.messages("delete-all-rows").remove(0);
        assert!(message.starts_with(
            "blocks writes to shop.page_views for 50.7 s (measured on 900,000 of 9,000,000 rows): one DELETE removes all \
             9,000,000 rows"
        ), "{message}");
    }

    #[test]
    fn a_table_of_the_upgrades_own_counts_only_once_it_is_filled() {
        let script = "CREATE TABLE fresh (id INT PRIMARY KEY); DELETE FROM fresh";
        assert!(Specimen::of(script).found("delete-all-rows").is_empty(), "created a moment ago, and empty");
        let script =
            "CREATE TABLE fresh (id INT PRIMARY KEY); INSERT INTO fresh SELECT id FROM page_views; DELETE FROM fresh";
        let filled = Specimen::of(script).changes(2, 9_000_000, 20.0).changes(3, 9_000_000, 30.0);
        assert_eq!(filled.found("delete-all-rows").len(), 1, "created and filled");
    }
}

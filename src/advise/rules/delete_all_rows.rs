//! A DELETE that removes every row of a table.

use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::seconds;
use crate::sql::record::Kind;
use crate::survey::record::TableFacts;

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
    let changed = subject.rows_changed().or_else(|| subject.rows_of(table));
    let harm = phrase::harm(subject);
    if changed.is_some_and(|figure| figure.rows <= MANY_ROWS) && harm.is_none() {
        return Verdict::Clear;
    }
    let removed = match changed {
        Some(figure) => format!("all {}", phrase::rows(figure)),
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

//! An UPDATE that changes many rows in one transaction.

use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::{grouped, seconds};
use crate::sql::record::Kind;

/// The rule.
pub const RULE: Rule = Rule {
    id: "unbatched-update",
    what: "one UPDATE changes very many rows in one transaction",
    why: "Every row stays locked from the moment it is changed until the commit, so what the application writes to the \
          first rows waits for the last ones. The binary log of the whole change is written at the commit in one go, \
          which stalls the commits of every other table, and replicas lag by as long as it ran. Batches cost about the \
          same time in all and block next to nothing.",
    instead: "Update in ranges of the primary key, about 10,000 rows each, every range its own transaction, and let the \
              application read both forms meanwhile.",
    needs: Needs::Text,
    check,
    risky: include_str!("unbatched-update/risky.sql"),
    safer: include_str!("unbatched-update/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    if subject.kind() != Kind::Update {
        return Verdict::Clear;
    }
    unbatched(subject, "UPDATE", "changes")
}

/// Judges one DML statement by how many rows it changes: counted where it ran, else known where it spares no row of a
/// surveyed table, else said to be unknown.
pub fn unbatched(subject: &Subject<'_>, verb: &str, does: &str) -> Verdict {
    let effect = &subject.statement.reading.effect;
    let every_row = !effect.has_where && !effect.has_limit;
    let surveyed = || subject.target().filter(|_| every_row).and_then(|table| subject.rows_of(table));
    let Some(figure) = subject.rows_changed().or_else(surveyed) else {
        return if subject.target().is_some_and(|table| subject.created_here(table)) || effect.temporary {
            Verdict::Clear
        } else {
            Verdict::Unchecked(format!("how many rows this {verb} {does} shows only when it runs"))
        };
    };
    if figure.rows <= subject.rows_limit().unwrap_or(crate::advise::evidence::MANY_ROWS) || effect.temporary {
        return Verdict::Clear;
    }
    let harm = phrase::harm(subject);
    let on = match subject.target() {
        Some(table) if harm.is_none() => format!(" of {table}"),
        _ => String::new(),
    };
    let took = subject.seconds().filter(|_| harm.is_none()).map_or_else(String::new, |s| format!(" in {}", seconds(s)));
    let locked = match subject.observed().and_then(|observed| observed.rows.locked) {
        Some(locked) if locked / 2 > figure.rehearsed.unwrap_or(figure.rows) => {
            format!(" but locks {}", grouped(locked))
        }
        _ => String::new(),
    };
    let kept = phrase::kept_locks(subject);
    let rows = phrase::rows(figure);
    let cause = format!("{} {does} {rows}{on}{locked}{took} in one transaction{kept}", phrase::each(subject, verb));
    let mut risk = Risk::new(subject.weigh(Severity::Warning), phrase::message(harm, cause, phrase::instead(subject)))
        .with("rows", figure.rows)
        .with("rows_basis", phrase::basis(figure.basis));
    if let Some(table) = subject.target() {
        risk = risk.with("table", table.to_string());
    }
    if let Some(observed) = subject.observed() {
        risk = risk.with("seconds", observed.seconds);
        for (name, value) in [
            ("rows_examined", observed.rows.examined),
            ("rows_locked", observed.rows.locked),
            ("rows_cascaded", observed.rows.cascaded),
            ("binlog_bytes", observed.footprint.binlog_bytes),
        ] {
            if let Some(value) = value {
                risk = risk.with(name, value);
            }
        }
    }
    risk.into()
}

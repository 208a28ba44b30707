//! An UPDATE that changes many rows in one transaction.

use super::order_dependent::pins_rows;
use crate::advise::alternatives::words::words;
use crate::advise::evidence::{MANY_ROWS, Subject};
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
        return if subject.target().is_some_and(|table| subject.created_here(table)) || effect.temporary || few(subject)
        {
            Verdict::Clear
        } else {
            let of = subject
                .target()
                .and_then(|table| Some(format!(" of {} of {table}", phrase::all_rows(subject.rows_of(table)?))));
            let of = of.unwrap_or_default();
            Verdict::Unchecked(format!("how many rows{of} this {verb} {does} shows only when it runs"))
        };
    };
    if figure.rows <= subject.rows_limit().unwrap_or(MANY_ROWS) || effect.temporary {
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

/// The text and the survey tell that it cannot change many rows: its LIMIT, its table's size, a unique key that it names.
fn few(subject: &Subject<'_>) -> bool {
    let limit = subject.rows_limit().unwrap_or(MANY_ROWS);
    let text = subject.statement.text.trim_end();
    let count = text.rsplit(char::is_whitespace).next().and_then(|count| count.parse::<u64>().ok());
    let limited = subject.statement.reading.effect.has_limit && count.is_some_and(|count| count <= limit);
    let Some(table) = subject.target() else { return limited };
    let small = subject.rows_of(table).is_some_and(|figure| figure.rows <= limit);
    // A unique key may hold many NULLs.
    let null = words(text).is_ok_and(|all| all.iter().any(|word| word.is("NULL")));
    limited || small || (subject.facts(table).is_some() && !null && pins_rows(subject))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;
    use crate::quantity::Count;
    use crate::watch::record::ProbeKind;

    #[test]
    fn many_rows_in_one_transaction_are_found_and_batches_are_not() {
        let risky =
            Specimen::of(RULE.risky).changes(1, 9_000_000, 27.0).blocks(1, "page_views", ProbeKind::Update, 26.2);
        let found = risky.found("unbatched-update");
        assert_eq!(found[0].severity, Severity::Error);
        assert!(found[0].message.starts_with(
            "blocks writes to shop.page_views for 26.2 s (measured): one UPDATE changes 9,000,000 rows in one transaction"
        ));
        let safer = Specimen::of(RULE.safer).changes(1, 10_000, 0.1).changes(2, 10_000, 0.1).changes(3, 10_000, 0.1);
        assert!(safer.found("unbatched-update").is_empty());
    }

    #[test]
    fn the_budget_for_rows_decides_when_it_is_given() {
        let mut specimen = Specimen::of(RULE.risky).changes(1, 20_000, 0.2);
        assert_eq!(specimen.found("unbatched-update")[0].severity, Severity::Warning);
        specimen.budget.rows_per_statement = Some(Count(50_000));
        assert!(specimen.found("unbatched-update").is_empty());
        specimen.budget.rows_per_statement = Some(Count(5_000));
        assert_eq!(specimen.found("unbatched-update")[0].severity, Severity::Error);
    }

    #[test]
    fn rows_that_are_locked_besides_those_changed_are_told() {
        let specimen = Specimen::of("UPDATE page_views SET url = '' WHERE user_id = 5").with(1, |seen| {
            seen.rows.affected = 20_000;
            seen.rows.locked = Some(9_000_000);
        });
        assert!(
            specimen.messages("unbatched-update")[0]
                .contains("changes 20,000 rows of shop.page_views but locks 9,000,000")
        );
    }

    #[test]
    fn locks_that_a_transaction_keeps_are_told_with_the_statement_that_frees_them() {
        let specimen =
            Specimen::of(RULE.risky).changes(1, 20_000, 0.2).with(1, |seen| seen.locks_until = Some("s9".into()));
        assert!(specimen.messages("unbatched-update")[0].contains("in one transaction, and its locks stay until s9"));
    }
}

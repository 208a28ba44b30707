//! A table whose AUTO_INCREMENT starts again from below.

use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::sql::record::{AlterClass, Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "auto-increment-reset",
    what: "a TRUNCATE, or an ALTER … AUTO_INCREMENT, lets the table give out old numbers again",
    why: "After TRUNCATE the next row gets number 1 (after DELETE the numbers go on). Whatever still remembers the old numbers \
          without a foreign key (logs, caches, other systems, URLs, the old table that is kept) then points to the wrong row, \
          and merging old rows back fails with 1062.",
    instead: "Put the number back in the same script: ALTER TABLE … AUTO_INCREMENT = n, with n the number that was next. In a \
              swap set it on the new table before the RENAME, so that no row gets an old number in between.",
    needs: Needs::Survey,
    check,
    risky: include_str!("auto-increment-reset/risky.sql"),
    safer: include_str!("auto-increment-reset/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    match subject.kind() {
        Kind::Truncate => truncate(subject),
        Kind::AlterTable => alter(subject),
        _ => Verdict::Clear,
    }
}

/// The number that the table's next row would have got.
fn next(subject: &Subject<'_>, table: &TableName) -> Option<u64> {
    let facts = subject.facts(table)?;
    facts.columns.iter().any(|column| column.auto_increment).then_some(facts.auto_increment.unwrap_or(0))
}

fn truncate(subject: &Subject<'_>) -> Verdict {
    let Some(table) = subject.statement.reading.effect.empties.first() else { return Verdict::Clear };
    let Some(next) = next(subject, table).filter(|next| *next != 1) else { return Verdict::Clear };
    let number = if next == 0 { "the old one".to_owned() } else { grouped(next) };
    let message = format!(
        "gives out old numbers again: after this TRUNCATE the next row of {table} gets 1 instead of {number}; put it back \
         with ALTER TABLE … AUTO_INCREMENT, or swap in an empty table that has it"
    );
    Risk::new(Severity::Warning, message).with("table", table.to_string()).with("auto_increment", next).into()
}

fn alter(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    let Some(table) = effect.defines.first() else { return Verdict::Clear };
    let clause = effect.clauses.iter().find(|clause| clause.class == AlterClass::AutoIncrement);
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>().parse::<u64>().ok();
    let Some(wanted) = clause.and_then(|clause| digits(&clause.text)) else { return Verdict::Clear };
    let Some(next) = next(subject, table) else { return Verdict::Clear };
    let emptied = subject.history.table(table).and_then(|past| past.emptied());
    match emptied {
        // Put back: what was said of the TRUNCATE is true only until here.
        Some(emptied) if wanted >= next => {
            let message = format!(
                "gives out old numbers until {} puts AUTO_INCREMENT of {table} back to {}: rows that come in between get \
                 numbers from 1 on; stop the writers for that moment, or swap in an empty table that has it",
                subject.statement.label(),
                grouped(wanted)
            );
            Risk::new(Severity::Info, message)
                .with("table", table.to_string())
                .about(emptied.statement.clone(), emptied.label.clone())
                .into()
        }
        _ if wanted >= next => Verdict::Clear,
        _ => {
            let message = format!(
                "gives out old numbers again: the next row of {table} would get {} and this ALTER sets {} (InnoDB goes no \
                 lower than its highest row); set it no lower than it was",
                grouped(next),
                grouped(wanted)
            );
            Risk::new(Severity::Warning, message)
                .with("table", table.to_string())
                .with("auto_increment", next)
                .with("wanted", wanted)
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    #[test]
    fn a_truncate_is_told_with_the_number_that_was_next() {
        let found = Specimen::of(RULE.risky).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.contains("the next row of shop.page_views gets 1 instead of 9,000,001;"));
        assert!(Specimen::of(RULE.safer).found(RULE.id).is_empty());
        let down = Specimen::of("ALTER TABLE page_views AUTO_INCREMENT = 5").messages(RULE.id);
        assert!(down[0].contains("would get 9,000,001 and this ALTER sets 5"), "{down:?}");
        assert!(Specimen::of("ALTER TABLE page_views AUTO_INCREMENT = 10000000").found(RULE.id).is_empty());
    }

    #[test]
    fn a_number_that_is_put_back_makes_less_of_it() {
        let sql = "TRUNCATE page_views; ALTER TABLE page_views AUTO_INCREMENT = 9000001";
        let found = Specimen::of(sql).found(RULE.id);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].statement.as_deref(), found[0].severity), (Some("s1"), Severity::Info));
        assert!(
            found[0].message.starts_with("gives out old numbers until s2 puts AUTO_INCREMENT of shop.page_views back")
        );
    }
}

//! An UPDATE of every row of a table.

use crate::advise::again::fills_new_columns;
use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::size::Size;
use crate::sql::record::Kind;

/// The rule.
pub const RULE: Rule = Rule {
    id: "no-where",
    what: "an UPDATE has no WHERE, so it changes every row of its table",
    why: "A forgotten WHERE is the oldest accident of all: the statement is right in form, ends well, and the old values \
          are gone from every row. Where every row is meant, it is the largest change that the table can have: every row \
          is locked, logged and replicated in one transaction.",
    instead: "Write the condition. Where every row is meant, say so by ranges of the primary key, each its own transaction, \
              and keep the old values (a copy of the key and the column) until the change has proved right.",
    needs: Needs::Text,
    check,
    risky: include_str!("no-where/risky.sql"),
    safer: include_str!("no-where/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    if subject.kind() != Kind::Update || effect.has_limit || effect.temporary || !spares_no_row(subject) {
        return Verdict::Clear;
    }
    let Some(table) = subject.target() else { return Verdict::Clear };
    let size = Size::of(subject, table);
    if subject.created_here(table) || size.is_empty() {
        return Verdict::Clear;
    }
    let severity = if size.is_small() { Severity::Info } else { Severity::Warning };
    let (all, one) = (size.all(), phrase::each(subject, "UPDATE"));
    let cause = if fills_new_columns(subject, table) {
        format!(
            "locks {all} of {table} until it commits: {one} has no WHERE (it fills what the upgrade itself has added, so no \
             value is lost); change ranges of the primary key"
        )
    } else {
        format!(
            "overwrites {all} of {table}: {one} has no WHERE, and only a backup brings the old values back; if every row is \
             meant, keep the old values and change ranges of the primary key"
        )
    };
    size.on(table, Risk::new(severity, cause)).into()
}

fn spares_no_row(subject: &Subject<'_>) -> bool {
    let effect = &subject.statement.reading.effect;
    let Some((start, end)) = effect.condition else { return !effect.has_where };
    let condition = subject.statement.text.get(start..end).unwrap_or_default();
    let condition: String = condition.chars().filter(|c| !c.is_whitespace()).collect();
    matches!(condition.trim_matches(['(', ')']).to_ascii_uppercase().as_str(), "1" | "TRUE" | "1=1")
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    #[test]
    fn an_update_of_every_row_is_told_with_their_number() {
        let found = Specimen::of(RULE.risky).found("no-where");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.starts_with("overwrites all 500,000 rows"), "{}", found[0].message);
        assert_eq!(Specimen::of("UPDATE customers SET note = '' WHERE (1 = 1)").found("no-where").len(), 1);
        assert!(Specimen::of(RULE.safer).found("no-where").is_empty());
    }

    #[test]
    fn a_new_column_has_no_value_to_lose() {
        let said = |before: &str, sets: &str| {
            let found = Specimen::of(&format!("{before}; UPDATE customers SET {sets}")).found("no-where");
            found[0].message.clone()
        };
        let add = "ALTER TABLE customers ADD COLUMN slug VARCHAR(80), ADD rank INT, CHANGE rank place INT";
        for kept in ["slug = CONCAT('c', id, 'x')", "customers.`Slug` = LEFT(email, 3), place = 1"] {
            assert!(said(add, kept).starts_with("locks all 500,000 rows"), "{kept}");
        }
        for lost in ["slug = '', note = ''", "rank = 1"] {
            assert!(said(add, lost).starts_with("overwrites"), "{lost}");
        }
        assert!(said("ALTER TABLE customers ADD IF NOT EXISTS slug INT", "slug = 1").starts_with("overwrites"));
        assert!(said(&format!("{add}; ALTER TABLE customers DROP slug"), "slug = 1").starts_with("overwrites"));
    }

    #[test]
    fn joins_limits_and_the_upgrades_own_tables_are_quiet() {
        for quiet in [
            "UPDATE orders JOIN customers ON customers.id = customer_id SET status = country",
            "UPDATE customers SET note = '' LIMIT 100",
            "CREATE TABLE fresh (a INT); UPDATE fresh SET a = 1",
        ] {
            assert!(Specimen::of(quiet).found("no-where").is_empty(), "{quiet}");
        }
    }
}

//! A DELETE (or REPLACE) that foreign keys carry on into other tables.

use std::collections::BTreeSet;

use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::sql::record::{Kind, TableName};
use crate::survey::record::ForeignKeyFacts;

/// The rule.
pub const RULE: Rule = Rule {
    id: "delete-cascades",
    what: "a DELETE or REPLACE removes or changes rows of other tables by ON DELETE CASCADE or SET NULL",
    why: "The server reports only the rows of the table that was named; what goes with them is counted nowhere, fires no \
          trigger, and stands in no WHERE that anybody has read. It is locked and written in the same transaction, so a \
          DELETE that looks small may be the largest of the upgrade (measured: 1 row reported, 1 + 3 removed). REPLACE is a \
          DELETE and an INSERT, so it takes the children along, too.",
    instead: "Count the children first. Delete them by name, in batches, before their parents, in the same transaction. For a \
              REPLACE write INSERT … ON DUPLICATE KEY UPDATE, which deletes nothing.",
    needs: Needs::Survey,
    check,
    risky: include_str!("delete-cascades/risky.sql"),
    safer: include_str!("delete-cascades/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    if !matches!(subject.kind(), Kind::Delete | Kind::Replace) || effect.temporary {
        return Verdict::Clear;
    }
    if subject.session().switch("foreign_key_checks") == Some(false) {
        return Verdict::Clear; // then nothing cascades
    }
    let children = children(subject, &effect.writes);
    let cascaded = subject.observed().and_then(|seen| seen.rows.cascaded);
    if children.is_empty() || cascaded == Some(0) {
        return Verdict::Clear;
    }
    let rows = |table: &TableName| subject.rows_of(table).map_or(0, |figure| figure.rows);
    let large = children.iter().any(|(child, _)| rows(child) > MANY_ROWS);
    if cascaded.is_none() && !large {
        return Verdict::Clear;
    }
    let verb = subject.kind().name().to_uppercase();
    let told: Vec<String> = children
        .iter()
        .map(|(child, key)| format!("{child} ({}, ON DELETE {})", key.name, key.on_delete.to_uppercase()))
        .collect();
    let first = told.first().cloned().unwrap_or_default();
    let others = if told.len() > 1 { format!(" and {} more", told.len() - 1) } else { String::new() };
    let harm = match (cascaded, subject.observed()) {
        (Some(cascaded), Some(seen)) => format!(
            "changes {} rows of other tables besides the {} that it reports",
            grouped(cascaded),
            grouped(seen.rows.affected)
        ),
        _ => "removes rows of other tables that no condition names".to_owned(),
    };
    let message = format!(
        "{harm}: {} is carried on into {first}{others}; count those rows, and delete them by name in batches first",
        phrase::each(subject, &verb)
    );
    let severity = match cascaded {
        Some(cascaded) if cascaded <= MANY_ROWS / 10 => Severity::Info,
        _ => subject.weigh(Severity::Warning),
    };
    let mut risk = Risk::new(severity, message).with("foreign_keys", told);
    if let Some(cascaded) = cascaded {
        risk = risk.with("rows_cascaded", cascaded);
    }
    risk.into()
}

/// The tables that deletions of `parents` are carried on into, and those of theirs; but not those that the statement, or
/// its transaction before it, changes by name.
fn children<'a>(subject: &Subject<'a>, parents: &BTreeSet<TableName>) -> Vec<(&'a TableName, &'a ForeignKeyFacts)> {
    let Some(survey) = subject.evidence.survey else { return Vec::new() };
    let named = |table: &TableName| {
        let before =
            subject.session().transaction().is_some_and(|open| open.writes.iter().any(|own| own.table == *table));
        before || parents.contains(table)
    };
    let (mut reached, mut found): (BTreeSet<&TableName>, Vec<_>) = (parents.iter().collect(), Vec::new());
    let mut grew = true;
    while grew {
        grew = false;
        for (child, facts) in &survey.tables {
            let key = facts.foreign_keys.iter().find(|key| {
                let carried = ["CASCADE", "SET NULL"].iter().any(|action| key.on_delete.eq_ignore_ascii_case(action));
                carried && reached.contains(&key.parent)
            });
            if let Some(key) = key.filter(|_| !reached.contains(child) && !named(child)) {
                // SET NULL ends there: the child's own children keep their parent.
                if key.on_delete.eq_ignore_ascii_case("CASCADE") {
                    reached.insert(child);
                    grew = true;
                }
                if !found.iter().any(|(known, _)| *known == child) {
                    found.push((child, key));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, shop};

    fn cascading(sql: &str) -> Specimen {
        let mut specimen = Specimen::of(sql);
        let orders = specimen.survey.tables.get_mut(&shop("orders")).expect("orders");
        orders.foreign_keys[0].on_delete = "CASCADE".to_owned();
        specimen
    }

    #[test]
    fn what_goes_with_a_row_is_told_by_its_key() {
        let sql = "DELETE FROM customers WHERE country = 'XX'";
        assert!(Specimen::of(sql).found(RULE.id).is_empty(), "RESTRICT carries nothing on");
        let said = cascading(sql).messages(RULE.id);
        assert!(said[0].contains("is carried on into shop.orders (orders_customer, ON DELETE CASCADE);"), "{said:?}");
        let counted = cascading(sql).with(1, |seen| {
            seen.rows.affected = 12;
            seen.rows.cascaded = Some(40_000);
        });
        let found = counted.found(RULE.id);
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.starts_with("changes 40,000 rows of other tables besides the 12 that it reports: "));
        assert!(cascading(sql).with(1, |seen| seen.rows.cascaded = Some(0)).found(RULE.id).is_empty());
    }

    #[test]
    fn children_that_went_by_name_before_and_keys_that_are_off_are_quiet() {
        for quiet in [
            "BEGIN; DELETE FROM orders WHERE customer_id = 5; DELETE FROM customers WHERE id = 5; COMMIT",
            "SET foreign_key_checks = 0; DELETE FROM customers WHERE id = 5",
        ] {
            assert!(cascading(quiet).found(RULE.id).is_empty(), "{quiet}");
        }
        assert_eq!(cascading("REPLACE INTO customers (id, email) VALUES (1, 'x')").found(RULE.id).len(), 1);
    }
}

//! DDL that foreign keys carry to other tables' locks.

use std::collections::BTreeMap;

use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::history::{changes_tables, patience};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::seconds;
use crate::sql::record::TableName;

/// The rule.
pub const RULE: Rule = Rule {
    id: "foreign-key-closure-lock",
    what: "DDL on a table also locks the parents and children that foreign keys join to it",
    why: "Foreign keys carry metadata locks along: an ALTER of a child waits for a transaction that only changed its parent \
          (on MySQL also, for keys, DROP and RENAME, for one that only read it), and one of a parent for whoever uses its \
          children. While it waits, everything else on those tables queues behind it: tables that the upgrade never names.",
    instead: "Set a low lock_wait_timeout and retry, and look for long transactions on the whole family of tables before, not \
              only on the one that is altered.",
    needs: Needs::Survey,
    check,
    risky: include_str!("foreign-key-closure-lock/risky.sql"),
    safer: include_str!("foreign-key-closure-lock/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    if !changes_tables(subject.statement, |table| subject.created_here(table)) {
        return Verdict::Clear;
    }
    let family = family(subject);
    let waited = subject
        .loud
        .map_or(&[][..], |loud| &loud.blocked)
        .iter()
        .filter(|blocked| family.contains_key(&blocked.table) && subject.evidence.is_blocked(blocked))
        .max_by(|a, b| a.longest_seconds.total_cmp(&b.longest_seconds));
    // Tables in use are told from others by their size: a small one that nobody uses is not worth a word.
    let large = |table: &TableName| subject.rows_of(table).is_some_and(|figure| figure.rows > MANY_ROWS);
    let bounded = !patience::is_long(subject.statement, subject.session());
    let told: Vec<String> = family
        .iter()
        .filter(|(table, _)| large(table) || waited.is_some_and(|wait| wait.table == **table))
        .map(|(table, key)| format!("{table} ({key})"))
        .collect();
    let (harm, severity) = match waited {
        Some(wait) => {
            let time = seconds(wait.longest_seconds);
            let measured = phrase::measured(subject, &wait.table);
            (
                format!("blocks {}, which it does not name, for {time} {measured}", wait.table),
                subject.weigh(Severity::Warning),
            )
        }
        None if bounded || told.is_empty() || told_before(subject) => return Verdict::Clear,
        None => ("waits for, and holds up, tables that it does not name".to_owned(), Severity::Info),
    };
    let message = format!(
        "{harm}: foreign keys carry its lock to {}; set a low lock_wait_timeout, and look for long transactions there, too",
        told.join(", ")
    );
    let mut risk = Risk::new(severity, message).with("tables", told);
    if let Some(wait) = waited {
        risk = risk.with("longest_seconds", wait.longest_seconds);
    }
    risk.into()
}

/// An earlier DDL of the upgrade on the same table has been told this.
fn told_before(subject: &Subject<'_>) -> bool {
    let effect = &subject.statement.reading.effect;
    let past = |table: &TableName| subject.history.table(table).is_some_and(|past| !past.alters().is_empty());
    effect.defines.iter().any(past)
}

/// Parents and children of the tables that the statement changes, which it does not name itself, each with its key.
fn family(subject: &Subject<'_>) -> BTreeMap<TableName, String> {
    let Some(survey) = subject.evidence.survey else { return BTreeMap::new() };
    let effect = &subject.statement.reading.effect;
    let named = effect.tables();
    let changed = |table: &TableName| {
        [&effect.defines, &effect.drops, &effect.empties].iter().any(|set| set.contains(table))
            || effect.renames.contains_key(table)
    };
    let mut family = BTreeMap::new();
    for (child, facts) in &survey.tables {
        for key in &facts.foreign_keys {
            for (one, other) in [(child, &key.parent), (&key.parent, child)] {
                if changed(one) && !named.contains(other) {
                    family.insert(other.clone(), key.name.clone());
                }
            }
        }
    }
    family
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;
    use crate::watch::record::ProbeKind;

    #[test]
    fn parents_and_children_are_told_by_their_key() {
        let found = Specimen::of(RULE.risky).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Info);
        assert!(
            found[0].message.contains("carry its lock to shop.customers (orders_customer)"),
            "{}",
            found[0].message
        );
        let parent = Specimen::of("ALTER TABLE customers ADD a INT").messages(RULE.id);
        assert!(parent[0].contains("shop.orders (orders_customer)"), "{parent:?}");
        assert!(Specimen::of(RULE.safer).found(RULE.id).is_empty(), "a low time-out bounds it");
        assert!(Specimen::of("ALTER TABLE page_views ADD a INT").found(RULE.id).is_empty());
        let twice = Specimen::of("ALTER TABLE orders ADD a INT; ALTER TABLE orders ADD b INT");
        assert_eq!(twice.found(RULE.id).len(), 1, "once a table");
    }

    #[test]
    fn what_was_blocked_is_told_first() {
        let found = Specimen::of(RULE.safer).blocks(2, "customers", ProbeKind::Update, 2.5).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Error);
        let start = "blocks shop.customers, which it does not name, for 2.50 s (measured): foreign keys carry its lock to shop.customers";
        assert!(found[0].message.starts_with(start), "{}", found[0].message);
    }
}

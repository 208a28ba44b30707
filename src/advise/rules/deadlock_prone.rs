//! Statements that take locks in another order than the application does.

use crate::advise::condition;
use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::replay::record::{MET_A_DEADLOCK, Observation};
use crate::sql::record::{Kind, TableName};

/// Deadlock found when trying to get lock; try restarting transaction.
const DEADLOCK: u16 = 1213;

/// The rule.
pub const RULE: Rule = Rule {
    id: "deadlock-prone",
    what: "the upgrade takes row locks in another order than the application",
    why: "Two transactions that lock the same rows in opposite order wait for each other until the server ends one of them with \
          error 1213. It is often the upgrade that dies (measured on both servers: an upgrade that goes in by a secondary \
          index, an application that goes in by the primary key), with everything of its transaction undone.",
    instead: "Go by the primary key, in its order, in small transactions. Change parents before children, as the application's \
              own inserts do. And let both sides retry after 1213.",
    needs: Needs::Text,
    check,
    risky: include_str!("deadlock-prone/risky.sql"),
    safer: include_str!("deadlock-prone/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    if !subject.kind().is_dml() || subject.statement.reading.effect.temporary {
        return Verdict::Clear;
    }
    let met = [subject.loud, subject.quiet].into_iter().flatten().any(has_met);
    if met || was_run_again(subject) {
        let message = "deadlocked in the rehearsal (error 1213, measured): it and another session lock the same rows in opposite \
                       order; go by the primary key, in small transactions, and retry";
        return Risk::new(Severity::Error, message).with("error", DEADLOCK).into();
    }
    child_before_parent(subject).or_else(|| by_secondary_index(subject)).map_or(Verdict::Clear, Verdict::from)
}

fn has_met(seen: &Observation) -> bool {
    let failed = seen.failed.iter().any(|failed| failed.error == DEADLOCK);
    failed || seen.outcome.fault().is_some_and(|fault| fault.number == DEADLOCK)
}

/// A deadlock with a probe undid it, and it was run again.
fn was_run_again(subject: &Subject<'_>) -> bool {
    let remarks = subject.evidence.loud.map_or(&[][..], |loud| &loud.unchecked);
    remarks.iter().any(|(id, why)| *id == subject.statement.id && why.starts_with(MET_A_DEADLOCK))
}

/// A row of a child was inserted, which locks its parent's row for others to share, and now the parent is changed, which
/// wants it alone.
fn child_before_parent(subject: &Subject<'_>) -> Option<Risk> {
    if !matches!(subject.kind(), Kind::Update | Kind::Delete) {
        return None;
    }
    let open = subject.session().transaction()?;
    let writes = &subject.statement.reading.effect.writes;
    let before = |table: &TableName| open.writes.iter().any(|write| write.table == *table);
    let (earlier, parent, key) = open.writes.iter().find_map(|write| {
        let facts = subject.facts(&write.table).filter(|_| inserts(write.kind))?;
        let key = facts
            .foreign_keys
            .iter()
            .find(|key| key.parent != write.table && writes.contains(&key.parent) && !before(&key.parent))?;
        Some((write, &key.parent, &key.name))
    })?;
    let message = format!(
        "may die with error 1213: {} has locked rows of {} (through {key}) for others to share, and this {} wants them alone; \
         change {parent} before {} in the transaction",
        earlier.label,
        parent,
        subject.kind().name().to_uppercase(),
        earlier.table
    );
    Some(Risk::new(Severity::Warning, message).with("foreign_key", key.clone()).with("earlier", earlier.label.clone()))
}

fn inserts(kind: Kind) -> bool {
    matches!(kind, Kind::Insert | Kind::Replace | Kind::LoadData)
}

/// Many rows, found by a secondary index: that index is locked before the primary key, the application's way is the other.
fn by_secondary_index(subject: &Subject<'_>) -> Option<Risk> {
    if !matches!(subject.kind(), Kind::Update | Kind::Delete) {
        return None;
    }
    let table = subject.target()?;
    let facts = subject.facts(table)?;
    let rows = subject.rows_of(table)?.rows;
    let seen = subject.observed()?;
    let changed = subject.rows_changed()?.rows;
    // A scan of the whole table goes by the primary key, whatever the condition names.
    let scans = seen.rows.examined.is_none_or(|examined| examined / subject.count() >= rows / 2);
    if changed <= MANY_ROWS || scans {
        return None;
    }
    let arms = condition::arms(subject.statement, &|name| facts.column(name).is_some()).ok()?;
    let leads = |columns: &[crate::survey::record::IndexColumn]| {
        let first = columns.first().map(|column| column.name.to_lowercase());
        first.is_some_and(|first| arms.iter().all(|arm| arm.contains(&first)))
    };
    if leads(facts.primary_key()) {
        return None;
    }
    let index = facts.indexes.iter().find(|index| leads(&index.columns))?;
    let message = format!(
        "may die with error 1213, and take {} rows with it: it goes in by the index {} of {table}, the application by the \
         primary key; go by ranges of the primary key",
        grouped(changed),
        index.name
    );
    Some(Risk::new(Severity::Warning, message).with("index", index.name.clone()).with("rows", changed))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, failed, shop};
    use crate::watch::record::ProbeKind;

    #[test]
    fn a_child_before_its_parent_is_told_and_the_other_way_round_is_not() {
        let found = Specimen::of(RULE.risky).found(RULE.id);
        assert_eq!(found[0].statement.as_deref(), Some("s3"));
        assert!(
            found[0].message.contains("s2 has locked rows of shop.customers (through orders_customer)"),
            "{}",
            found[0].message
        );
        assert!(Specimen::of(RULE.safer).found(RULE.id).is_empty());
        let deleted = "BEGIN; DELETE FROM orders WHERE customer_id = 1; DELETE FROM customers WHERE id = 1; COMMIT";
        assert!(Specimen::of(deleted).found(RULE.id).is_empty(), "children go before their parents");
    }

    #[test]
    fn a_deadlock_that_was_met_is_an_error() {
        let met = Specimen::of("DELETE FROM page_views WHERE user_id = 5")
            .with(1, |seen| seen.failed = vec![failed("page_views", ProbeKind::Update, 1213)]);
        assert_eq!(met.found(RULE.id)[0].severity, Severity::Error);
        let mut again = Specimen::of("DELETE FROM page_views WHERE id = 5; DELETE FROM orders WHERE id = 5");
        again.loud.unchecked.push(("s2".into(), format!("{} 1 times", super::MET_A_DEADLOCK)));
        let found = again.found(RULE.id);
        assert_eq!(found.iter().map(|one| one.statement.as_deref()).collect::<Vec<_>>(), [Some("s2")]);
    }

    #[test]
    fn many_rows_by_a_secondary_index() {
        let sql = "DELETE FROM page_views WHERE user_id > 5";
        let seen = |examined| {
            let mut specimen = Specimen::of(sql).with(1, |seen| {
                seen.rows.affected = 200_000;
                seen.rows.examined = Some(examined);
            });
            let views = specimen.survey.tables.get_mut(&shop("page_views")).expect("page_views");
            let mut index = views.indexes[0].clone();
            index.name = "user".into();
            index.columns[0].name = "user_id".into();
            views.indexes.push(index);
            specimen
        };
        assert!(seen(200_000).messages(RULE.id)[0].contains("it goes in by the index user of shop.page_views"));
        assert!(seen(9_000_000).found(RULE.id).is_empty(), "a scan goes by the primary key");
    }
}

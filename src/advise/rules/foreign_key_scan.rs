//! A foreign key that is added to a table with rows.

use crate::advise::altered::Altered;
use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::seconds;
use crate::replay::record::{Algorithm, Outcome};
use crate::sql::record::{AlterClass, AlterClause, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "foreign-key-scan",
    what: "a foreign key is added to a table that has rows already",
    why: "With foreign_key_checks=1 the server copies the whole table, looks up the parent of every row, and keeps all \
          writers out meanwhile; a row without a parent makes it fail (1452). With foreign_key_checks=0 it is added in \
          place at once, but no row is ever looked at: orphans stay, and the key promises what does not hold. Either way \
          the parent is locked with it, and from then on each write of one waits for locks of the other.",
    instead: "Count the orphans and mend them (SELECT … LEFT JOIN parent … WHERE parent.id IS NULL), then add the key with \
              SET foreign_key_checks=0 and ALGORITHM=INPLACE, LOCK=NONE, and count once more.",
    needs: Needs::Text,
    check,
    risky: include_str!("foreign-key-scan/risky.sql"),
    safer: include_str!("foreign-key-scan/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(altered) = Altered::of(subject).filter(|altered| !altered.size.is_small()) else { return Verdict::Clear };
    let Some(first) = altered.clauses_of(&[AlterClass::AddForeignKey]).next() else { return Verdict::Clear };
    if looks_each_up(subject) {
        return scan(subject, &altered, first).into();
    }
    let parents = &subject.statement.reading.effect.reads;
    if parents.iter().all(|parent| looked_for_orphans(subject, altered.table, parent)) {
        return Verdict::Clear;
    }
    unchecked(&altered, first).into()
}

/// It looks for the parent of each row.
fn looks_each_up(subject: &Subject<'_>) -> bool {
    let switched_off = subject.session().switch("foreign_key_checks") == Some(false);
    // It is done in place with the checks off alone (measured on MySQL 9.7 and MariaDB 10.11).
    let ran = subject.observed().filter(|observed| observed.outcome == Outcome::Done);
    let in_place = ran.and_then(|observed| observed.ddl).is_some_and(|ddl| ddl.algorithm != Algorithm::Copy);
    !switched_off && !in_place
}

/// True when the statement does nothing but what this rule says that its table is copied for.
pub(super) fn tells_of_the_copy(subject: &Subject<'_>) -> bool {
    let Some(altered) = Altered::of(subject).filter(|altered| !altered.size.is_small()) else { return false };
    altered.has(&[AlterClass::AddForeignKey])
        && altered.says_only(&[AlterClass::AddForeignKey])
        && looks_each_up(subject)
}

/// A statement before had to do with the child and the parent together.
fn looked_for_orphans(subject: &Subject<'_>, child: &TableName, parent: &TableName) -> bool {
    let work = |table| subject.history.table(table).map_or(&[][..], |past| past.work());
    work(child).iter().any(|own| work(parent).iter().any(|other| other.label == own.label))
}

fn named(clause: &AlterClause) -> &str {
    clause.object.as_deref().unwrap_or("the key")
}

fn unchecked(altered: &Altered<'_>, clause: &AlterClause) -> Risk {
    let Altered { table, size, .. } = altered;
    let message = format!(
        "rows of {table} without a parent stay, and nothing tells of them: {} is added with foreign_key_checks=0, so none of \
         {} is looked at; count the orphans before it and after it",
        named(clause),
        size.all()
    );
    size.on(table, Risk::new(Severity::Warning, message)).with("checked", false)
}

fn scan(subject: &Subject<'_>, altered: &Altered<'_>, clause: &AlterClause) -> Risk {
    let Altered { table, size, .. } = altered;
    let took = subject.seconds().map_or_else(String::new, |time| format!(" in {}", seconds(time)));
    let cause = format!(
        "ALTER TABLE copies {} of {table}{took} to look up the parent of each, and keeps writers out meanwhile",
        size.all()
    );
    let cure = format!(
        "count the orphans first, then add {} with foreign_key_checks=0, ALGORITHM=INPLACE, LOCK=NONE, which reads no row",
        named(clause)
    );
    let message = phrase::message(phrase::harm(subject), cause, Some(cure));
    let risk = size.on(table, Risk::new(subject.weigh(Severity::Warning), message)).with("checked", true);
    subject.seconds().into_iter().fold(risk, |risk, time| risk.with("seconds", time))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::Specimen;
    use crate::watch::record::ProbeKind;

    #[test]
    fn a_key_that_checks_every_row_is_found_and_one_after_a_count_is_not() {
        let specimen = Specimen::of(RULE.risky).changes(1, 0, 60.0).blocks(1, "orders", ProbeKind::Update, 59.0);
        let messages = specimen.messages("foreign-key-scan");
        assert!(
            messages[0].starts_with(
                "blocks writes to shop.orders for 59.0 s (measured): ALTER TABLE copies all 2,000,000 rows (190.7 MiB) of \
                 shop.orders in 60.0 s to look up the parent of each"
            ),
            "{messages:?}"
        );
        assert!(Specimen::of(RULE.safer).found("foreign-key-scan").is_empty());
    }

    #[test]
    fn a_key_that_checks_nothing_is_told_when_nobody_counted() {
        let sql = "SET foreign_key_checks=0; ALTER TABLE orders ADD CONSTRAINT oc FOREIGN KEY (customer_id) REFERENCES \
                   customers (id)";
        let messages = Specimen::of(sql).messages("foreign-key-scan");
        assert!(
            messages[0]
                .starts_with("rows of shop.orders without a parent stay, and nothing tells of them: oc is added")
        );
    }

    #[test]
    fn keys_of_new_tables_cost_nothing() {
        let sql = "CREATE TABLE f (id INT PRIMARY KEY, o BIGINT, FOREIGN KEY (o) REFERENCES orders (id)); \
                   ALTER TABLE f ADD FOREIGN KEY (o) REFERENCES customers (id)";
        assert!(Specimen::of(sql).found("foreign-key-scan").is_empty());
    }
}

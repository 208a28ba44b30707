//! A table that is made without a primary key, or loses it.

use crate::advise::altered::Altered;
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{AlterClass, AlterClause, ColumnKey, Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "primary-key-missing",
    what: "a table is made without a primary key, or loses it",
    why: "Under row-based replication a replica finds each changed row of such a table by reading the table: one UPDATE of \
          10,000 rows becomes 10,000 scans, and the replica stops for hours. Batches, copy tools (gh-ost, \
          pt-online-schema-change), Galera and group replication need the key as well, and rows cannot be told apart. A \
          server with sql_require_primary_key refuses it (3750).",
    instead: "Give every table a primary key, an AUTO_INCREMENT number where nothing else serves. Change a key in one ALTER \
              TABLE (DROP PRIMARY KEY, ADD PRIMARY KEY …), so that the table is never without.",
    needs: Needs::Text,
    check,
    risky: include_str!("primary-key-missing/risky.sql"),
    safer: include_str!("primary-key-missing/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    match subject.kind() {
        Kind::CreateTable => made(subject).map_or(Verdict::Clear, Verdict::from),
        _ => lost(subject).map_or(Verdict::Clear, Verdict::from),
    }
}

fn made(subject: &Subject<'_>) -> Option<Risk> {
    let effect = &subject.statement.reading.effect;
    let table = effect.defines.iter().next().filter(|_| !effect.temporary)?;
    let selects = effect.writes.contains(table);
    // LIKE takes the key along; IF NOT EXISTS leaves a table that is there as it is.
    let unread = effect.clauses.is_empty() && !selects;
    if unread || subject.births.standing(table, subject.evidence.survey).is_some() || has_key(&effect.clauses) {
        return None;
    }
    let on = |name: &str| setting(subject, name).is_some_and(|value| ["ON", "1"].contains(&value));
    if on("sql_generate_invisible_primary_key") {
        return None;
    }
    if on("sql_require_primary_key") {
        let message =
            format!("fails with error 3750: {table} has no primary key, and this server requires one; add it");
        return Some(Risk::new(Severity::Error, message).with("table", table.to_string()));
    }
    let message = format!(
        "a replica reads all of {table} for each row of it that is changed, and no batch or copy tool can work on it: it is \
         made without a primary key; add one"
    );
    Some(Risk::new(Severity::Warning, message).with("table", table.to_string()))
}

fn setting<'a>(subject: &Subject<'a>, name: &str) -> Option<&'a str> {
    let own = subject.session().setting(name);
    own.or_else(|| subject.evidence.survey?.server.settings.get(name).map(String::as_str))
}

/// The clauses give the table a primary key, or a unique one without NULLs, which serves as well.
fn has_key(clauses: &[AlterClause]) -> bool {
    let columns = || clauses.iter().flat_map(|clause| &clause.columns);
    let not_null =
        |name: &str| columns().any(|column| column.name.eq_ignore_ascii_case(name) && column.nullable == Some(false));
    let by_column = columns().any(|column| match column.key {
        Some(ColumnKey::Primary) => true,
        Some(ColumnKey::Unique) => column.nullable == Some(false),
        None => false,
    });
    by_column
        || clauses.iter().any(|clause| match clause.class {
            AlterClass::AddPrimaryKey => true,
            AlterClass::AddUnique => {
                let whole = |part: &crate::sql::record::KeyPart| part.column.as_deref().is_some_and(not_null);
                !clause.parts.is_empty() && clause.parts.iter().all(whole)
            }
            _ => false,
        })
}

fn lost(subject: &Subject<'_>) -> Option<Risk> {
    let altered = Altered::of(subject)?;
    if !altered.has(&[AlterClass::DropPrimaryKey]) || has_key(altered.clauses) {
        return None;
    }
    let Altered { table, size, .. } = altered;
    Some(size.on(table, Risk::new(Severity::Warning, told(table, &size.all()))))
}

fn told(table: &TableName, all: &str) -> String {
    format!(
        "a replica reads {all} of {table} for each row of it that is changed from here on: DROP PRIMARY KEY leaves the table \
         without a key; add the new one in the same ALTER TABLE"
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    fn found(sql: &str) -> Vec<Severity> {
        Specimen::of(sql).found("primary-key-missing").into_iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn a_table_without_a_key_is_found_and_one_with_it_is_not() {
        assert_eq!(found(RULE.risky), [Severity::Warning]);
        assert!(found(RULE.safer).is_empty());
        assert_eq!(found("CREATE TABLE f AS SELECT * FROM orders"), [Severity::Warning]);
        for with_key in [
            "CREATE TABLE f (id SERIAL)",
            "CREATE TABLE f (id INT PRIMARY KEY)",
            "CREATE TABLE f (a INT NOT NULL, UNIQUE KEY (a))",
            "CREATE TABLE f LIKE orders",
            "CREATE TEMPORARY TABLE f (a INT)",
            "CREATE TABLE IF NOT EXISTS orders (a INT)",
        ] {
            assert!(found(with_key).is_empty(), "{with_key}");
        }
        assert_eq!(found("CREATE TABLE f (a INT, UNIQUE KEY (a))"), [Severity::Warning], "NULLs repeat");
    }

    #[test]
    fn a_dropped_key_is_told_unless_the_same_statement_adds_another() {
        let messages = Specimen::of("ALTER TABLE orders DROP PRIMARY KEY").messages("primary-key-missing");
        assert!(
            messages[0].starts_with("a replica reads all 2,000,000 rows (190.7 MiB) of shop.orders"),
            "{messages:?}"
        );
        assert!(found("ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (id, status)").is_empty());
    }

    #[test]
    fn servers_that_require_or_make_a_key_are_known() {
        let mut specimen = Specimen::of(RULE.risky);
        specimen.survey.server.settings.insert("sql_require_primary_key".to_owned(), "ON".to_owned());
        assert_eq!(specimen.found("primary-key-missing")[0].severity, Severity::Error);
        specimen.survey.server.settings.insert("sql_generate_invisible_primary_key".to_owned(), "ON".to_owned());
        assert!(specimen.found("primary-key-missing").is_empty());
    }
}

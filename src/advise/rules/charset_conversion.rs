//! Text columns that get another character set or collation.

use crate::advise::altered::Altered;
use crate::advise::charset::{self, Change};
use crate::advise::column::is_strict;
use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::{grouped, seconds};
use crate::sql::record::{AlterClass, ColumnDefinition};
use crate::survey::record::{ColumnFacts, TableFacts};

/// The rule.
pub const RULE: Rule = Rule {
    id: "charset-conversion",
    what: "text columns get another character set or collation",
    why: "The whole table is copied, with all writers kept out. A text column of a foreign key makes it fail (3780 on MySQL, \
          1832 or 1833 on MariaDB). A key that grows past 3,072 bytes fails too (1071), and MariaDB shortens a plain index \
          without an error. Characters that the new set lacks are refused, or become '?' without a strict sql_mode. Joins \
          with columns that keep the old collation stop using their index, and a TEXT may become a MEDIUMTEXT.",
    instead: "Convert the tables that are joined together in one quiet hour, or with an online copy tool; take text foreign \
              keys off before and put them back after; look for characters that do not fit, and for equal keys under the \
              new collation, before.",
    needs: Needs::Survey,
    check,
    risky: include_str!("charset-conversion/risky.sql"),
    safer: include_str!("charset-conversion/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(here) = Altered::of(subject).filter(|altered| !altered.size.is_empty()) else { return Verdict::Clear };
    let Some(facts) = subject.facts(here.table) else { return Verdict::Clear };
    let changes = charset::changes(&here, facts);
    if changes.is_empty() {
        let text = |column: &ColumnFacts| ColumnDefinition::is_text(&column.data_type) && column.charset.is_none();
        let unknown = here.has(&[AlterClass::ConvertCharset]) && facts.columns.iter().any(text);
        let why = || format!("nobody knows which character sets the columns of {} have now", here.table);
        return if unknown { Verdict::Unchecked(why()) } else { Verdict::Clear };
    }
    let mut risks: Vec<Risk> = Vec::new();
    risks.extend(foreign_key(subject, &here, facts, &changes));
    risks.extend(long_key(subject, &here, facts, &changes));
    risks.extend(lost(subject, &here, &changes));
    risks.extend(copied(subject, &here, &changes));
    risks.into()
}

fn foreign_key(subject: &Subject<'_>, here: &Altered<'_>, facts: &TableFacts, changes: &[Change<'_>]) -> Option<Risk> {
    let table = here.table;
    let changed = |names: &[String]| names.iter().any(|name| changes.iter().any(|change| change.is(name)));
    let own = facts.foreign_keys.iter().find(|key| changed(&key.columns)).map(|key| (&key.name, 1832));
    let to_it = || {
        let keys = subject.evidence.survey?.tables.values().flat_map(|facts| &facts.foreign_keys);
        keys.into_iter().find(|key| key.parent == *table && changed(&key.parent_columns)).map(|key| (&key.name, 1833))
    };
    let (key, on_mariadb) = own.or_else(to_it)?;
    let mariadb = subject.evidence.flavor.is_some_and(|flavor| flavor.is_mariadb());
    // MySQL looks away with the checks off and MariaDB does not (measured on 9.7 and 10.11).
    let (severity, harm) = if !mariadb && subject.session().switch("foreign_key_checks") == Some(false) {
        (Severity::Warning, format!("leaves {key} between columns of two character sets"))
    } else {
        (Severity::Error, format!("fails with error {}", if mariadb { on_mariadb } else { 3780 }))
    };
    let message = format!(
        "{harm}: the foreign key {key} joins a text column of {table} that gets another character set or collation; drop the \
         key, convert both tables, and add it again"
    );
    Some(here.size.on(table, Risk::new(severity, message)).with("foreign_key", key.as_str()))
}

fn long_key(subject: &Subject<'_>, here: &Altered<'_>, facts: &TableFacts, changes: &[Change<'_>]) -> Option<Risk> {
    let limit = charset::longest_key(facts);
    let (index, column, bytes) = facts.indexes.iter().filter(|index| index.kind == "BTREE").find_map(|index| {
        index.columns.iter().find_map(|part| {
            let change = changes.iter().find(|change| change.is(&part.name))?;
            let bytes = part.prefix.or(change.length)? * charset::bytes_a_character(&change.to.charset);
            (bytes > limit).then_some((index, &part.name, bytes))
        })
    })?;
    let shortens = !index.unique && subject.evidence.flavor.is_some_and(|flavor| flavor.is_mariadb());
    let (severity, harm) = match shortens {
        true => (Severity::Warning, format!("shortens {} to a prefix without an error", index.name)),
        false => (Severity::Error, "fails with error 1071".to_owned()),
    };
    let message = format!(
        "{harm}: {column} takes {} bytes in the index {} of {} under the new character set, and {} is the limit; index a \
         prefix of it in the same ALTER TABLE",
        grouped(bytes),
        index.name,
        here.table,
        grouped(limit)
    );
    Some(
        here.size
            .on(here.table, Risk::new(severity, message))
            .with("index", index.name.as_str())
            .with("key_bytes", bytes),
    )
}

fn lost(subject: &Subject<'_>, here: &Altered<'_>, changes: &[Change<'_>]) -> Option<Risk> {
    let change = changes.iter().find(|change| change.is_lossy())?;
    let table = here.table;
    let harm = if is_strict(subject) {
        "fails with error 1366 at the first character that does not fit"
    } else {
        "turns each character that does not fit into '?'"
    };
    let message = format!(
        "{harm}: {table}.{} goes from {} to {}, which has fewer characters; look for such rows before",
        change.column, change.from, change.to.charset
    );
    Some(here.size.on(table, Risk::new(Severity::Warning, message)).with("column", change.column))
}

/// True when the statement does nothing but what this rule says that its table is copied for.
pub(super) fn tells_of_the_copy(subject: &Subject<'_>) -> bool {
    let Some(here) = Altered::of(subject).filter(|here| here.says_only(&[AlterClass::ConvertCharset])) else {
        return false;
    };
    let Some(facts) = subject.facts(here.table) else { return false };
    let changes = charset::changes(&here, facts);
    !changes.is_empty() && copied(subject, &here, &changes).is_some()
}

fn copied(subject: &Subject<'_>, here: &Altered<'_>, changes: &[Change<'_>]) -> Option<Risk> {
    let Altered { table, size, .. } = here;
    if size.is_small() || here.writes_anew(subject) == Some(false) {
        return None;
    }
    let took = subject.seconds().map_or_else(String::new, |time| format!(" in {}", seconds(time)));
    let columns: Vec<&str> = changes.iter().map(|change| change.column).collect();
    let cause = format!(
        "ALTER TABLE copies {} of {table}{took} to convert {} to {}",
        size.all(),
        columns.join(", "),
        changes.first().map_or("it", |change| change.to.name())
    );
    let joined = charset::joined_by_name(subject, table, changes);
    let cure = match joined.as_slice() {
        [] => "use an online copy tool, or a quiet hour".to_owned(),
        names => format!(
            "convert what it is joined with together (by its name: {}), or joins lose their index; use an online copy tool, \
             or a quiet hour",
            names.join(", ")
        ),
    };
    let message = phrase::message(phrase::harm(subject), cause, Some(cure));
    let risk = size.on(table, Risk::new(subject.weigh(Severity::Warning), message)).with("columns", columns);
    Some(subject.seconds().into_iter().fold(risk, |risk, time| risk.with("seconds", time)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::RULE;
    use crate::advise::specimen::{Specimen, add_index, set_column};
    use crate::replay::record::{Algorithm, DdlFacts};

    fn specimen(sql: &str, length: u64, charset: &str) -> Specimen {
        let mut specimen = Specimen::of(sql);
        let text = json!({"length": length, "charset": charset, "collation": format!("{charset}_general_ci")});
        set_column(&mut specimen.survey, "customers", "email", &text);
        add_index(&mut specimen.survey, "customers", "email", &["email"]);
        specimen
    }

    fn messages(sql: &str, length: u64, charset: &str) -> Vec<String> {
        specimen(sql, length, charset).messages("charset-conversion")
    }

    #[test]
    fn a_conversion_is_told_by_its_copy_and_a_new_column_is_not() {
        let found = messages(RULE.risky, 190, "latin1");
        assert_eq!(
            found,
            ["ALTER TABLE copies all 500,000 rows (47.7 MiB) of shop.customers in 10 ms to convert email to \
              utf8mb4_unicode_ci; use an online copy tool, or a quiet hour"]
        );
        assert!(messages(RULE.safer, 190, "latin1").is_empty());
        assert!(messages("ALTER TABLE customers MODIFY email VARCHAR(200)", 190, "latin1").is_empty());
    }

    #[test]
    fn what_the_server_did_not_copy_is_no_copy() {
        let instant = DdlFacts { algorithm: Algorithm::Instant, rebuilds: false, lock: None };
        let specimen = specimen(RULE.risky, 190, "utf8mb3").with(1, |seen| seen.ddl = Some(instant));
        assert!(specimen.found("charset-conversion").is_empty());
    }

    #[test]
    fn keys_that_grow_too_long_and_characters_that_get_lost_are_told() {
        let long = messages("ALTER TABLE customers CONVERT TO CHARACTER SET utf8mb4", 1000, "latin1");
        assert!(long[0].starts_with("fails with error 1071: email takes 4,000 bytes in the index email"), "{long:?}");
        let lost = messages("ALTER TABLE customers MODIFY email VARCHAR(190) CHARACTER SET latin1", 190, "utf8mb4");
        assert!(lost.iter().any(|one| one.contains("shop.customers.email goes from utf8mb4 to latin1")), "{lost:?}");
    }

    #[test]
    fn columns_of_the_same_name_that_stay_behind_are_named() {
        let mut specimen = specimen(RULE.risky, 190, "latin1");
        let text = json!({"name": "email", "charset": "latin1", "collation": "latin1_general_ci"});
        set_column(&mut specimen.survey, "orders", "status", &text);
        assert!(specimen.messages("charset-conversion")[0].contains("(by its name: shop.orders.email)"));
    }

    #[test]
    fn a_text_column_of_a_foreign_key_makes_it_fail() {
        let mut specimen = specimen("ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4", 190, "latin1");
        let text = json!({"charset": "latin1", "collation": "latin1_swedish_ci"});
        set_column(&mut specimen.survey, "orders", "customer_id", &text);
        assert!(specimen.messages("charset-conversion")[0].starts_with("fails with error 3780: the foreign key"));
    }
}

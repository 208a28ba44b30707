//! An AUTO_INCREMENT counter that is about to reach the end of its column's type.

use crate::advise::altered::Altered;
use crate::advise::column::Column;
use crate::advise::evidence::Subject;
use crate::advise::narrowing::range;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::sql::record::{AlterClass, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "auto-increment-near-limit",
    what: "a table's AUTO_INCREMENT counter is near, or past, the end of its column's type",
    why: "When the counter reaches the end every INSERT fails (1062, 1467 or 167), all day long, until the column is wider; and \
          widening a large table's key takes hours, in which nothing can be written. Numbers are lost to rollbacks and to \
          INSERT IGNORE, so the end comes sooner than the count of rows says.",
    instead: "Make the column BIGINT UNSIGNED while there is time, with the columns that refer to it, best in an ALTER that \
              writes the table anew anyhow.",
    needs: Needs::Survey,
    check,
    risky: include_str!("auto-increment-near-limit/risky.sql"),
    safer: include_str!("auto-increment-near-limit/safer.sql"),
};

/// The used share of the range from which on a DBA plans the change, and from which on it is late.
const NEAR: f64 = 0.7;
const LATE: f64 = 0.9;

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(here) = Altered::of(subject) else { return Verdict::Clear };
    let Some((name, after, asked)) = counter_after(subject, &here) else { return Verdict::Clear };
    let next = match (asked, subject.facts(here.table).and_then(|facts| facts.auto_increment)) {
        (Some(asked), Some(next)) => asked.max(next),
        (Some(next), None) | (None, Some(next)) => next,
        (None, None) => match here.size.rows {
            Some(figure) => figure.rows,
            None => return Verdict::Unchecked(format!("nobody knows where the counter of {} stands", here.table)),
        },
    };
    let Some((_, most)) = range(&after) else { return Verdict::Clear };
    risk(here.table, &name, &after, next, most).map_or(Verdict::Clear, |risk| here.size.on(here.table, risk).into())
}

/// The counting column's name, what it is after the statement, and where the statement sets the counter.
fn counter_after<'a>(subject: &Subject<'a>, here: &Altered<'a>) -> Option<(String, Column<'a>, Option<u64>)> {
    let defined =
        here.clauses_of(&[AlterClass::AddColumn, AlterClass::ModifyColumn]).flat_map(|clause| &clause.columns);
    let asked = here.clauses_of(&[AlterClass::AutoIncrement]).find_map(|clause| {
        let digits: String = clause.text.chars().filter(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    if let Some(definition) = defined.into_iter().find(|column| column.auto_increment) {
        return Some((definition.name.clone(), Column::defined(definition), asked));
    }
    // Another change of the table does nothing to the counter, and is no place to speak of it.
    asked?;
    let facts = subject.facts(here.table)?;
    let column = facts.columns.iter().find(|column| column.auto_increment)?;
    Some((column.name.clone(), Column::before(subject, here.table, &column.name)?, asked))
}

fn risk(table: &TableName, name: &str, after: &Column<'_>, next: u64, most: f64) -> Option<Risk> {
    let used = next as f64 / most;
    if used < NEAR {
        return None;
    }
    let (spelled, ends) = (after.spelled(), grouped(most as u64));
    let cure = "make it BIGINT UNSIGNED, with the columns that refer to it";
    let (severity, message) = if used > 1.0 {
        (
            Severity::Error,
            format!(
                "every INSERT into {table} fails: the next number is {} and {name} becomes {spelled}, which ends at {ends}; {cure}",
                grouped(next)
            ),
        )
    } else {
        let left = grouped((most - next as f64) as u64);
        let severity = if used >= LATE { Severity::Error } else { Severity::Warning };
        (
            severity,
            format!(
                "INSERTs into {table} fail after {left} more numbers: {name} is {spelled}, which ends at {ends}, and {:.0} % are \
                 used; {cure}",
                used * 100.0
            ),
        )
    };
    let risk = Risk::new(severity, message).with("column", name).with("next", next);
    Some(risk.with("used_share", (used * 1000.0).round() / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, shop};

    fn found(sql: &str, next: u64) -> Vec<(Severity, String)> {
        let mut specimen = Specimen::of(sql);
        specimen.survey.tables.get_mut(&shop("page_views")).expect("the table").auto_increment = Some(next);
        let found = specimen.found("auto-increment-near-limit").into_iter();
        found.map(|finding| (finding.severity, finding.message)).collect()
    }

    #[test]
    fn a_counter_past_the_end_is_found_and_a_wide_column_is_not() {
        let risky = found(RULE.risky, 30_001);
        assert_eq!(risky[0].0, Severity::Error);
        assert_eq!(
            risky[0].1,
            "INSERTs into shop.page_views fail after 1 more numbers: id is mediumint, which ends at 8,388,607, and 100 % are \
             used; make it BIGINT UNSIGNED, with the columns that refer to it"
        );
        assert!(found(RULE.safer, 30_001).is_empty());
    }

    #[test]
    fn how_much_is_used_decides() {
        let modify = "ALTER TABLE page_views MODIFY id INT NOT NULL AUTO_INCREMENT";
        assert!(found(modify, 1_000_000_000).is_empty());
        assert_eq!(found(modify, 1_700_000_000)[0].0, Severity::Warning);
        assert_eq!(found(modify, 2_000_000_000)[0].0, Severity::Error);
        assert!(found(modify, 3_000_000_000)[0].1.starts_with(
            "every INSERT into shop.page_views fails: the next number is 3,000,000,000 and id becomes int, which ends at \
             2,147,483,647"
        ));
        assert!(
            found("ALTER TABLE page_views MODIFY id INT UNSIGNED NOT NULL AUTO_INCREMENT", 2_000_000_000).is_empty()
        );
        assert!(found("ALTER TABLE page_views ADD a INT", 9_000_000_000_000_000_000).is_empty(), "not its business");
    }
}

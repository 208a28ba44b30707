//! A column that becomes narrower than it was.

use crate::advise::altered::Altered;
use crate::advise::column::{Column, altered, is_strict};
use crate::advise::evidence::Subject;
use crate::advise::narrowing::{Loss, losses, range};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::sql::record::{AlterClass, AlterClause};

/// The rule.
pub const RULE: Rule = Rule {
    id: "lossy-type-change",
    what: "a column's new type does not hold all that the old one held",
    why: "Under a strict sql_mode the first value that does not fit makes the ALTER fail, after it has copied half of the \
          table; without it values are cut and nobody is told. Some losses no sql_mode stops: digits after the point, \
          fractions of a second and the time of day go without an error, here and on every replica. And the application \
          fails from then on with each value that is too large.",
    instead: "Ask production first (SELECT MIN, MAX, MAX(CHAR_LENGTH()), or the values that leave an ENUM). Add a new column \
              of the new type, fill it, compare, switch, and keep the old one for a release.",
    needs: Needs::Survey,
    check,
    risky: include_str!("lossy-type-change/risky.sql"),
    safer: include_str!("lossy-type-change/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(here) = Altered::of(subject).filter(|altered| !altered.size.is_empty()) else { return Verdict::Clear };
    let changed = here.clauses_of(&[AlterClass::ModifyColumn]);
    changed.flat_map(|clause| risks(subject, &here, clause)).collect::<Vec<_>>().into()
}

fn risks(subject: &Subject<'_>, here: &Altered<'_>, clause: &AlterClause) -> Vec<Risk> {
    let Some((name, before, definition)) = altered(subject, here.table, clause) else { return Vec::new() };
    let after = Column::defined(definition);
    losses(&before, &after).iter().filter_map(|loss| risk(subject, here, name, (&before, &after), loss)).collect()
}

/// What the survey says of the values that do not fit.
enum Seen {
    Fit,
    SampleFits(String),
    Misfit(String),
    Unknown,
}

fn risk(
    subject: &Subject<'_>,
    here: &Altered<'_>,
    name: &str,
    (before, after): (&Column<'_>, &Column<'_>),
    loss: &Loss,
) -> Option<Risk> {
    let Altered { table, size, .. } = here;
    let becomes = format!("{table}.{name} becomes {} where it was {}", after.spelled(), before.spelled());
    let cure = "ask production for such values first, or fill a new column and keep the old one for a release";
    let rows = size.rows.map_or_else(|| "every row".to_owned(), phrase::rows);
    if let Loss::Silent(part) = loss {
        let message = format!("cuts {part} off {table}.{name} in {rows}, and no sql_mode stops it: {becomes}; {cure}");
        return Some(size.on(table, Risk::new(Severity::Warning, message)).with("column", name).with("silent", true));
    }
    let (what, error) = match loss {
        Loss::Range(low, high) => (outside(before, *low, *high)?, 1264),
        Loss::Length(room) => (format!("values longer than {}", grouped(*room)), 1406),
        Loss::Values(gone) => (format!("the values {}", quoted(gone)), 1265),
        Loss::Kind(from, to) => (format!("each {from} that is no {to}"), 1366),
        Loss::Silent(_) => return None,
    };
    let harm = |sure: bool| match (is_strict(subject), sure) {
        (true, true) => format!("fails with error {error}"),
        (true, false) => format!("fails with error {error} if there are {what}"),
        (false, true) => "cuts values without an error".to_owned(),
        (false, false) => format!("cuts {what} without an error, if there are any"),
    };
    let (severity, message) = match seen(before, loss) {
        Seen::Fit => return None,
        Seen::Misfit(which) => (Severity::Error, format!("{}: {becomes}, and {which}; {cure}", harm(true))),
        Seen::SampleFits(which) => {
            (Severity::Info, format!("{}: {becomes}; {which}, but nobody looked at all", harm(false)))
        }
        Seen::Unknown => (Severity::Warning, format!("{}: {becomes}; {cure}", harm(false))),
    };
    Some(size.on(table, Risk::new(severity, message)).with("column", name).with("silent", false))
}

/// The values that the old type holds and the new range does not; none where only numbers below zero are lost to a column
/// that counts up by itself, for there are none.
fn outside(before: &Column<'_>, low: f64, high: f64) -> Option<String> {
    let held = range(before);
    match (held.is_none_or(|held| held.0 < low), held.is_none_or(|held| held.1 > high)) {
        (true, false) if before.auto_increment => None,
        (true, false) => Some(format!("values below {}", number(low))),
        (false, _) => Some(format!("values above {}", number(high))),
        (true, true) => Some(format!("values below {} or above {}", number(low), number(high))),
    }
}

fn quoted(values: &[String]) -> String {
    let shown: Vec<_> = values.iter().take(5).map(|value| format!("'{value}'")).collect();
    let more = if values.len() > 5 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A bound for people: grouped where it is whole.
fn number(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    if value.fract() == 0.0 && value.abs() < 1.9e19 {
        format!("{sign}{}", grouped(value.abs() as u64))
    } else {
        format!("{value}")
    }
}

fn seen(before: &Column<'_>, loss: &Loss) -> Seen {
    let Some(told) = before.statistics else { return Seen::Unknown };
    match loss {
        Loss::Range(low, high) => {
            let ends = [&told.min, &told.max].map(|end| end.as_deref().and_then(|end| end.parse::<f64>().ok()));
            let [Some(min), Some(max)] = ends else { return Seen::Unknown };
            if min < *low || max > *high {
                let end = if max > *high { ("largest", max) } else { ("smallest", min) };
                Seen::Misfit(format!("the {} value is {}", end.0, number(end.1)))
            } else if before.ends_known {
                Seen::Fit
            } else {
                Seen::SampleFits(format!("what the survey sampled lies between {} and {}", number(min), number(max)))
            }
        }
        Loss::Length(room) => {
            let Some(longest) = told.max_length else { return Seen::Unknown };
            // The survey counts bytes; a character has at most four.
            let single = matches!(before.charset.as_deref(), None | Some("latin1" | "ascii" | "binary"));
            if longest > *room && (single || longest > room * 4) {
                Seen::Misfit(format!("one has {} bytes", grouped(longest)))
            } else if longest > *room {
                Seen::Unknown
            } else if before.whole {
                Seen::Fit
            } else {
                Seen::SampleFits(format!("the longest that the survey sampled has {} bytes", grouped(longest)))
            }
        }
        Loss::Values(gone) => {
            let used = told.common.iter().find(|(value, share)| *share > 0.0 && gone.contains(value));
            match used {
                Some((value, share)) => {
                    Seen::Misfit(format!("{:.0} % of the sampled rows hold '{value}'", share * 100.0))
                }
                None if told.common.is_empty() => Seen::Unknown,
                None if before.whole => Seen::Fit,
                None => Seen::SampleFits("no row that the survey sampled holds one of them".to_owned()),
            }
        }
        Loss::Kind(..) | Loss::Silent(_) => Seen::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, set_column};

    fn judged(sql: &str, column: &str, facts: &serde_json::Value) -> Vec<(Severity, String)> {
        let mut specimen = Specimen::of(sql);
        set_column(&mut specimen.survey, "page_views", column, facts);
        let found = specimen.found("lossy-type-change").into_iter();
        found.map(|finding| (finding.severity, finding.message)).collect()
    }

    #[test]
    fn a_loss_without_an_error_is_found_and_a_finer_type_is_none() {
        let facts = json!({"data_type": "datetime", "column_type": "datetime"});
        let found = judged(RULE.risky, "created_at", &facts);
        assert_eq!((found.len(), found[0].0), (1, Severity::Warning));
        assert!(found[0].1.starts_with(
            "cuts the time of day off shop.page_views.created_at in 9,000,000 rows, and no sql_mode stops it"
        ));
        assert!(judged(RULE.safer, "created_at", &facts).is_empty());
    }

    #[test]
    fn texts_that_are_too_long_are_told_by_the_longest() {
        let facts = json!({"data_type": "varchar", "column_type": "varchar(190)", "length": 190, "charset": "latin1",
                           "statistics": {"max_length": 120}});
        let risky = judged("ALTER TABLE page_views MODIFY url VARCHAR(20) NOT NULL", "url", &facts);
        assert_eq!(risky[0].0, Severity::Error);
        assert!(
            risky[0].1.starts_with(
                "fails with error 1406: shop.page_views.url becomes varchar(20) where it was varchar(190), and one has 120 \
                 bytes"
            ),
            "{}",
            risky[0].1
        );
        assert!(judged("ALTER TABLE page_views MODIFY url VARCHAR(250) NOT NULL", "url", &facts).is_empty());
    }

    #[test]
    fn what_the_survey_knows_of_the_values_decides() {
        let facts = |max: &str| json!({"data_type": "bigint", "column_type": "bigint(20)", "statistics": {"min": "1", "max": max}});
        let sql = "ALTER TABLE page_views MODIFY user_id INT NOT NULL";
        assert_eq!(judged(sql, "user_id", &facts("3000000000"))[0].0, Severity::Error);
        assert_eq!(judged(sql, "user_id", &facts("4000"))[0].0, Severity::Info, "sampled");
        assert!(
            judged("ALTER TABLE page_views MODIFY id INT NOT NULL", "id", &facts("4000")).is_empty(),
            "the key's ends"
        );
        let unknown = json!({"data_type": "bigint", "column_type": "bigint"});
        let (severity, message) = &judged(sql, "user_id", &unknown)[0];
        assert_eq!(*severity, Severity::Warning);
        assert!(message.starts_with(
            "fails with error 1264 if there are values below -2,147,483,648 or above 2,147,483,647: shop.page_views.user_id \
             becomes int where it was bigint"
        ));
    }

    #[test]
    fn only_the_side_that_shrinks_is_told() {
        let facts = json!({"data_type": "int", "column_type": "int"});
        let unsigned = judged("ALTER TABLE page_views MODIFY user_id BIGINT UNSIGNED", "user_id", &facts);
        assert!(unsigned[0].1.starts_with("fails with error 1264 if there are values below 0: "), "{unsigned:?}");
        let counter = json!({"data_type": "int", "column_type": "int", "auto_increment": true});
        assert!(judged("ALTER TABLE page_views MODIFY user_id BIGINT UNSIGNED", "user_id", &counter).is_empty());
    }

    #[test]
    fn without_a_strict_mode_values_are_cut() {
        let facts = json!({"data_type": "bigint", "column_type": "bigint"});
        let found = judged("SET sql_mode=''; ALTER TABLE page_views MODIFY user_id INT", "user_id", &facts);
        assert!(found[0].1.starts_with("cuts values below -2,147,483,648"), "{found:?}");
    }

    #[test]
    fn a_column_that_the_upgrade_changed_before_is_judged_by_what_it_is_now() {
        let facts = json!({"data_type": "int", "column_type": "int"});
        let sql = "ALTER TABLE page_views MODIFY user_id BIGINT; ALTER TABLE page_views MODIFY user_id INT";
        assert_eq!(judged(sql, "user_id", &facts).len(), 1);
    }
}

//! A column that becomes NOT NULL while rows hold NULL in it.

use crate::advise::altered::Altered;
use crate::advise::column::{Column, altered, is_strict};
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::sql::record::{AlterClass, AlterClause, Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "not-null-on-nulls",
    what: "a column becomes NOT NULL although rows may hold NULL in it",
    why: "Under a strict sql_mode the first NULL makes the ALTER fail (1138 on MySQL, 1265 on MariaDB), after it has copied \
          what comes before it; without it each NULL becomes 0 or an empty text, and nobody can tell it from a real one. \
          The release that still runs and leaves the column out fails with 1364 from then on.",
    instead: "Give the column a default, fill the NULLs in small ranges (UPDATE … WHERE c IS NULL), count that none is left, \
              and only then make it NOT NULL.",
    needs: Needs::Survey,
    check,
    risky: include_str!("not-null-on-nulls/risky.sql"),
    safer: include_str!("not-null-on-nulls/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(here) = Altered::of(subject).filter(|altered| !altered.size.is_empty()) else { return Verdict::Clear };
    let mut risks = Vec::new();
    let mut unknown = Vec::new();
    for clause in here.clauses_of(&[AlterClass::ModifyColumn]) {
        match judge(subject, &here, clause) {
            Some(Ok(risk)) => risks.push(risk),
            Some(Err(why)) => unknown.push(why),
            None => {}
        }
    }
    match unknown.into_iter().next() {
        Some(why) if risks.is_empty() => Verdict::Unchecked(why),
        _ => risks.into(),
    }
}

/// A risk, or why it cannot be told; none where no NULL can be.
fn judge(subject: &Subject<'_>, here: &Altered<'_>, clause: &AlterClause) -> Option<Result<Risk, String>> {
    let (name, before, definition) = altered(subject, here.table, clause)?;
    if !before.nullable || definition.nullable != Some(false) || was_filled(subject, here.table, name) {
        return None;
    }
    let Altered { table, size, .. } = here;
    let share = before.statistics.and_then(|told| told.null_share);
    let refused = subject.observed().and_then(|observed| observed.outcome.fault());
    let Some(share) = share.filter(|share| *share > 0.0) else {
        if let Some(fault) = refused.filter(|fault| matches!(fault.number, 1138 | 1265 | 1048)) {
            let message = format!(
                "fails with error {}: in the rehearsal {table}.{name} held NULLs where it becomes NOT NULL; count production's, \
                 and fill them in small ranges before",
                fault.number
            );
            let risk = size.on(table, Risk::new(Severity::Error, message)).with("column", name);
            return Some(Ok(risk.with("error", fault.number)));
        }
        return why_unknown(&before, share.is_some(), table, name).map(Err);
    };
    let rows = size.rows.map(|figure| (figure.rows as f64 * share).round().max(1.0) as u64);
    let held = rows.map_or_else(|| "some rows".to_owned(), |rows| format!("about {} rows", grouped(rows)));
    let (severity, harm) = if is_strict(subject) {
        let error = if subject.evidence.flavor.is_some_and(|flavor| flavor.is_mariadb()) { 1265 } else { 1138 };
        (Severity::Error, format!("fails with error {error}"))
    } else {
        (Severity::Warning, "turns NULL into 0 or an empty text without an error".to_owned())
    };
    let message = format!(
        "{harm}: {table}.{name} becomes NOT NULL, and {held} hold NULL in it ({:.1} % of those sampled); fill them in small \
         ranges before",
        share * 100.0
    );
    let risk = size.on(table, Risk::new(severity, message)).with("column", name).with("null_share", share);
    Some(Ok(risk))
}

fn why_unknown(before: &Column<'_>, sampled: bool, table: &TableName, name: &str) -> Option<String> {
    match (sampled, before.whole) {
        (true, true) => None,
        (true, false) => Some(format!(
            "no row that the survey sampled holds NULL in {table}.{name}, but it did not look at all: count them before the \
             column becomes NOT NULL"
        )),
        (false, _) => Some(format!("nobody counted the NULLs in {table}.{name}, which becomes NOT NULL")),
    }
}

/// An UPDATE of the same upgrade went for the column's NULLs.
fn was_filled(subject: &Subject<'_>, table: &TableName, name: &str) -> bool {
    let work = subject.history.table(table).map_or(&[][..], |past| past.work());
    work.iter().filter(|work| work.kind == Kind::Update).any(|work| {
        let text = work.text.to_ascii_lowercase();
        let fills = ["is null", "coalesce", "ifnull", "<=>"].iter().any(|word| text.contains(word));
        fills && text.contains(&name.to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, set_column};
    use crate::replay::record::Outcome;
    use crate::server::fault::Fault;

    fn specimen(sql: &str, statistics: &serde_json::Value) -> Specimen {
        let mut specimen = Specimen::of(sql);
        let facts = json!({"nullable": true, "statistics": statistics});
        set_column(&mut specimen.survey, "customers", "note", &facts);
        specimen
    }

    #[test]
    fn nulls_that_the_survey_saw_are_told_and_filled_ones_are_not() {
        let known = json!({"null_share": 0.07});
        let found = specimen(RULE.risky, &known).found("not-null-on-nulls");
        assert_eq!(found[0].severity, Severity::Error);
        assert!(
            found[0].message.starts_with(
                "fails with error 1138: shop.customers.note becomes NOT NULL, and about 35,000 rows hold NULL in it (7.0 % of"
            ),
            "{}",
            found[0].message
        );
        assert!(specimen(RULE.safer, &known).found("not-null-on-nulls").is_empty());
        let lenient = format!("SET sql_mode = ''; {}", RULE.risky);
        let found = specimen(&lenient, &known).found("not-null-on-nulls");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.starts_with("turns NULL into 0 or an empty text without an error"));
    }

    #[test]
    fn what_nobody_counted_is_said() {
        for (statistics, why) in [
            (json!(null), "nobody counted the NULLs in shop.customers.note, which becomes NOT NULL"),
            (json!({"null_share": 0.0}), "no row that the survey sampled holds NULL in shop.customers.note"),
        ] {
            let findings = specimen(RULE.risky, &statistics).judge();
            let said = findings.unchecked.iter().filter(|unchecked| unchecked.rule == "not-null-on-nulls");
            assert!(said.into_iter().any(|unchecked| unchecked.why.starts_with(why)), "{why}");
        }
    }

    #[test]
    fn a_refusal_in_the_rehearsal_is_evidence() {
        let fault = Fault { number: 1138, state: "22004".into(), message: "Invalid use of NULL value".into() };
        let specimen = specimen(RULE.risky, &json!(null)).with(1, |seen| seen.outcome = Outcome::Failed(fault));
        assert!(specimen.messages("not-null-on-nulls")[0].starts_with("fails with error 1138: in the rehearsal"));
    }

    #[test]
    fn a_column_without_nulls_may_keep_out_nulls() {
        let sql = "ALTER TABLE customers MODIFY email VARCHAR(250) NOT NULL";
        let findings = Specimen::of(sql).judge();
        assert!(findings.unchecked.iter().all(|unchecked| unchecked.rule != "not-null-on-nulls"));
    }
}

//! A unique key on columns whose values repeat.

use crate::advise::altered::Altered;
use crate::advise::column::Column;
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::sql::record::{AlterClass, AlterClause, ColumnDefinition, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "unique-on-duplicates",
    what: "a unique key is added on columns whose values repeat, or may",
    why: "The first pair of equal keys makes the statement fail (1062) after it has read, and often copied, the whole table. \
          Keys are compared by the column's collation: 'Café' and 'cafe' are equal under most. In place, a duplicate that \
          the application writes meanwhile fails it as well, at its very end.",
    instead: "Look for the duplicates first (GROUP BY … HAVING COUNT(*) > 1), decide which row stays, and keep new ones out \
              from then on. A new column gets its values before it gets its unique key.",
    needs: Needs::Survey,
    check,
    risky: include_str!("unique-on-duplicates/risky.sql"),
    safer: include_str!("unique-on-duplicates/safer.sql"),
};

/// Index statistics are estimates: so much of the rows counts as all of them.
const NEARLY_ALL: f64 = 0.9;

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(here) = Altered::of(subject).filter(|altered| !altered.size.is_empty()) else { return Verdict::Clear };
    let mut risks = Vec::new();
    let mut unknown = None;
    for clause in here.clauses_of(&[AlterClass::AddUnique, AlterClass::AddPrimaryKey]) {
        match judge(subject, &here, clause) {
            Some(Ok(risk)) => risks.push(risk),
            Some(Err(why)) => unknown = Some(why),
            None => {}
        }
    }
    match unknown {
        Some(why) if risks.is_empty() => Verdict::Unchecked(why),
        _ => risks.into(),
    }
}

/// A risk, or why it cannot be told; none where no two keys can be equal.
fn judge(subject: &Subject<'_>, here: &Altered<'_>, clause: &AlterClause) -> Option<Result<Risk, String>> {
    let Altered { table, size, .. } = here;
    let whole = clause.parts.iter().all(|part| part.prefix.is_none() && part.column.is_some());
    let names: Vec<&str> = clause.parts.iter().filter_map(|part| part.column.as_deref()).collect();
    let key = format!("{table} ({})", names.join(", "));
    if whole && is_unique_already(subject, table, &names) {
        return None;
    }
    let found =
        |severity, message| Some(Ok(size.on(table, Risk::new(severity, message)).with("columns", names.clone())));
    if let Some(fault) = subject.observed().and_then(|seen| seen.outcome.fault()).filter(|fault| fault.number == 1062) {
        let message = format!(
            "fails with error 1062, as it did in the rehearsal: keys of {key} repeat ({}); find and mend the duplicates \
             before",
            fault.message
        );
        return found(Severity::Error, message);
    }
    let rows = size.rows?.rows;
    let added: Vec<&ColumnDefinition> = names.iter().filter_map(|name| added_here(subject, here, name)).collect();
    if whole && added.len() == names.len() && rows > 1 && added.iter().all(|column| gets_one_value(column)) {
        let message = format!(
            "fails with error 1062: {key} is new, so all {} rows get the same value, and it becomes unique; add the column, \
             fill it, and only then add the key",
            grouped(rows)
        );
        return found(Severity::Error, message);
    }
    let unknown = || Some(Err(format!("nobody counted how many values of {key} repeat, which becomes unique")));
    let mut combinations = 1.0_f64;
    let mut keyed = rows as f64;
    for name in &names {
        let Some(told) = Column::before(subject, table, name).and_then(|column| column.statistics) else {
            return unknown();
        };
        let Some(distinct) = told.distinct else { return unknown() };
        combinations *= distinct.max(1) as f64;
        keyed *= 1.0 - told.null_share.unwrap_or(0.0); // NULLs may repeat under a unique key
    }
    if names.is_empty() || combinations >= keyed * NEARLY_ALL {
        return unknown();
    }
    let message = format!(
        "fails with error 1062: {key} becomes unique, and about {} rows hold about {} values in it; find and mend the \
         duplicates before",
        grouped(keyed as u64),
        grouped(combinations as u64)
    );
    found(Severity::Error, message)
}

/// A unique key that is there covers no more than these columns.
fn is_unique_already(subject: &Subject<'_>, table: &TableName, names: &[&str]) -> bool {
    let Some(facts) = subject.facts(table) else { return false };
    let among = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    facts.indexes.iter().filter(|index| index.unique).any(|index| {
        let whole = index.columns.iter().all(|part| part.prefix.is_none() && among(&part.name));
        // Two NULLs are no duplicates of a unique key, but are of a primary one.
        whole && index.columns.iter().all(|part| facts.column(&part.name).is_some_and(|column| !column.nullable))
    })
}

/// The definition of a column that this statement, or one before it without a fill since, adds to rows that are there.
fn added_here<'a>(subject: &Subject<'a>, here: &Altered<'a>, name: &str) -> Option<&'a ColumnDefinition> {
    let adds = here.clauses_of(&[AlterClass::AddColumn]).flat_map(|clause| &clause.columns);
    let own = adds.into_iter().find(|column| column.name.eq_ignore_ascii_case(name));
    let before = || {
        let past = subject.history.table(here.table)?;
        let is_new = subject.facts(here.table)?.column(name).is_none();
        past.column(name).flatten().filter(|_| is_new && past.worked() == 0)
    };
    own.or_else(before)
}

/// Every row that is there gets the same value, and it is not NULL.
fn gets_one_value(column: &ColumnDefinition) -> bool {
    let null =
        column.default.as_deref().map_or(column.nullable != Some(false), |text| text.eq_ignore_ascii_case("null"));
    let differs = column.default.as_deref().is_some_and(|text| text.contains('('))
        && !column.default.as_deref().is_some_and(|text| text.to_ascii_lowercase().starts_with("current_timestamp"));
    !null && !differs && !column.auto_increment && column.generated.is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::RULE;
    use crate::advise::specimen::{Specimen, add_index, set_column, shop};
    use crate::replay::record::Outcome;
    use crate::server::fault::Fault;

    fn specimen(sql: &str, distinct: Option<u64>) -> Specimen {
        let mut specimen = Specimen::of(sql);
        let facts = json!({"statistics": {"distinct": distinct}});
        set_column(&mut specimen.survey, "customers", "country", &facts);
        add_index(&mut specimen.survey, "customers", "email", &["email"]);
        let customers = specimen.survey.tables.get_mut(&shop("customers")).expect("the table");
        customers.indexes.last_mut().expect("the index").unique = true;
        specimen
    }

    fn unchecked(specimen: &Specimen) -> Vec<String> {
        let all = specimen.judge().unchecked.into_iter();
        all.filter(|unchecked| unchecked.rule == "unique-on-duplicates").map(|unchecked| unchecked.why).collect()
    }

    #[test]
    fn values_that_repeat_are_told_and_a_key_over_a_unique_one_is_not() {
        let messages = specimen(RULE.risky, Some(200)).messages("unique-on-duplicates");
        assert_eq!(
            messages,
            [
                "fails with error 1062: shop.customers (country) becomes unique, and about 500,000 rows hold about 200 values in \
              it; find and mend the duplicates before"
            ]
        );
        let safer = specimen(RULE.safer, Some(200));
        assert!(safer.found("unique-on-duplicates").is_empty() && unchecked(&safer).is_empty());
    }

    #[test]
    fn what_nobody_counted_is_said() {
        let why = ["nobody counted how many values of shop.customers (country) repeat, which becomes unique"];
        assert_eq!(unchecked(&specimen(RULE.risky, None)), why);
        assert_eq!(unchecked(&specimen(RULE.risky, Some(499_000))), why, "an estimate near all rows tells nothing");
    }

    #[test]
    fn a_new_column_with_one_value_cannot_be_unique() {
        for sql in [
            "ALTER TABLE customers ADD token CHAR(36) NOT NULL, ADD UNIQUE KEY token (token)",
            "ALTER TABLE customers ADD token INT DEFAULT 0; CREATE UNIQUE INDEX token ON customers (token)",
        ] {
            let messages = Specimen::of(sql).messages("unique-on-duplicates");
            assert!(messages[0].contains("is new, so all 500,000 rows get the same value"), "{sql}");
        }
        let null = "ALTER TABLE customers ADD token CHAR(36) NULL, ADD UNIQUE KEY token (token)";
        assert!(Specimen::of(null).found("unique-on-duplicates").is_empty());
    }

    #[test]
    fn duplicates_of_the_rehearsal_are_evidence() {
        let fault = Fault { number: 1062, state: "23000".into(), message: "Duplicate entry 'DE' for key 'c'".into() };
        let specimen = specimen(RULE.risky, None).with(1, |seen| seen.outcome = Outcome::Failed(fault));
        assert!(
            specimen.messages("unique-on-duplicates")[0]
                .starts_with("fails with error 1062, as it did in the rehearsal")
        );
    }
}

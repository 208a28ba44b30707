//! An ALTER that drops a column with its values.

use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{AlterClass, AlterClause, Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "drop-column",
    what: "a column is dropped, with its value in every row",
    why: "The values are gone at once and no rollback brings them back. The release that still runs fails with 1054 \
          wherever it names the column; going back to it needs the column again. On servers that cannot drop a column \
          in an instant the whole table is written anew.",
    instead: "Stop using the column in one release, hide it (INVISIBLE), and drop it in a later one, with its values \
              and their key kept in a table of their own.",
    needs: Needs::Text,
    check,
    risky: include_str!("drop-column/risky.sql"),
    safer: include_str!("drop-column/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    if subject.kind() != Kind::AlterTable || effect.temporary {
        return Verdict::Clear;
    }
    let Some(table) = effect.defines.iter().next() else { return Verdict::Clear };
    if subject.created_here(table) && subject.rows_of(table).is_some_and(|figure| figure.rows == 0) {
        return Verdict::Clear;
    }
    let dropped = effect.clauses.iter().filter(|clause| clause.class == AlterClass::DropColumn);
    dropped.filter_map(|clause| risk(subject, table, clause)).collect::<Vec<_>>().into()
}

fn risk(subject: &Subject<'_>, table: &TableName, clause: &AlterClause) -> Option<Risk> {
    let column = clause.object.as_deref().unwrap_or(&clause.text);
    if let Some(facts) = subject.facts(table)
        && clause.text.to_ascii_uppercase().contains("IF EXISTS")
        && facts.column(column).is_none()
    {
        return None; // DROP COLUMN IF EXISTS of a column that is not there
    }
    let rows = subject.rows_of(table);
    let (severity, held) = match rows {
        Some(figure) if figure.rows == 0 => (Severity::Info, "no values yet".to_owned()),
        Some(figure) => (Severity::Warning, phrase::rows(figure)),
        None => (Severity::Warning, "every row".to_owned()),
    };
    let message = format!(
        "destroys {table}.{column} in {held}: a DDL commits at once, only a backup brings the values back, and queries \
         that still name the column fail with error 1054; hide it now and drop it a release later"
    );
    let mut risk = Risk::new(severity, message).with("table", table.to_string()).with("column", column);
    if let Some(figure) = rows {
        risk = risk.with("rows", figure.rows).with("rows_basis", phrase::basis(figure.basis));
    }
    Some(risk)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    #[test]
    fn a_dropped_column_is_told_by_its_name_and_a_hidden_one_is_not() {
        let found = Specimen::of(RULE.risky).found("drop-column");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.starts_with("destroys shop.customers.note in 500,000 rows: "), "{}", found[0].message);
        assert!(Specimen::of(RULE.safer).found("drop-column").is_empty());
    }

    #[test]
    fn a_column_of_a_new_empty_table_may_go() {
        let specimen = Specimen::of("CREATE TABLE f (id INT, a INT); ALTER TABLE f DROP COLUMN a");
        assert!(specimen.found("drop-column").is_empty());
    }
}

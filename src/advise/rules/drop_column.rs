//! An ALTER that drops a column with its values.

use crate::advise::altered::Altered;
use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{AlterClass, AlterClause};

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
    let Some(altered) = Altered::of(subject) else { return Verdict::Clear };
    let dropped = altered.clauses_of(&[AlterClass::DropColumn]);
    dropped.filter_map(|clause| risk(subject, &altered, clause)).collect::<Vec<_>>().into()
}

fn risk(subject: &Subject<'_>, altered: &Altered<'_>, clause: &AlterClause) -> Option<Risk> {
    let Altered { table, size, .. } = altered;
    let column = clause.object.as_deref().unwrap_or(&clause.text);
    if let Some(facts) = subject.facts(table)
        && clause.text.to_ascii_uppercase().contains("IF EXISTS")
        && facts.column(column).is_none()
    {
        return None; // DROP COLUMN IF EXISTS of a column that is not there
    }
    let (severity, held) = match size.rows {
        Some(_) if size.is_empty() => (Severity::Info, "no values yet".to_owned()),
        Some(figure) => (Severity::Warning, phrase::rows(figure)),
        None => (Severity::Warning, "every row".to_owned()),
    };
    let message = format!(
        "destroys {table}.{column} in {held}: a DDL commits at once, only a backup brings the values back, and queries \
         that still name the column fail with error 1054; hide it now and drop it a release later"
    );
    Some(size.on(table, Risk::new(severity, message)).with("column", column))
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

//! A table or a column that gets another name while the application uses the old one.

use crate::advise::altered::Altered;
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{AlterClass, AlterClause, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "rename-under-traffic",
    what: "a table or a column loses the name that the running application uses",
    why: "The release that runs now names the old one until it is replaced, on every web server and worker: its queries \
          fail with 1146 (table) or 1054 (column), and so do views and routines. Going back to that release needs the old \
          name again. Two separate RENAMEs leave a moment without the table; one RENAME of both does not.",
    instead: "Swap tables in one statement (RENAME TABLE t TO t_old, t_new TO t). For a new name, keep the old one working \
              through a release: a view under the old table name, or a second column filled by both releases. Then drop \
              the old one.",
    needs: Needs::Text,
    check,
    risky: include_str!("rename-under-traffic/risky.sql"),
    safer: include_str!("rename-under-traffic/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let renames = &subject.statement.reading.effect.renames;
    let tables = renames.iter().filter(|(from, _)| !renames.values().any(|taken| taken == *from));
    let mut risks: Vec<Risk> = tables.filter_map(|(from, to)| of_table(subject, from, to)).collect();
    if let Some(altered) = Altered::of(subject).filter(|altered| !subject.created_here(altered.table)) {
        let columns = altered.clauses_of(&[AlterClass::RenameColumn, AlterClass::ModifyColumn]);
        risks.extend(columns.filter_map(|clause| of_column(subject, altered.table, clause)));
    }
    risks.into()
}

fn of_table(subject: &Subject<'_>, from: &TableName, to: &TableName) -> Option<Risk> {
    let survey = subject.evidence.survey;
    let standing = subject.births.standing(from, survey);
    let known = standing.as_ref().is_some_and(|standing| standing.surveyed.is_some());
    if subject.statement.reading.effect.temporary || (!known && (survey.is_some() || standing.is_some())) {
        return None; // made by the upgrade itself, or no table that anybody knows
    }
    let message = format!(
        "queries that name {from} fail with error 1146 from here on, until the last of them is gone or another table takes \
         the name: it is renamed to {to}; a table that takes its place belongs into the same RENAME TABLE, which nobody \
         sees half done"
    );
    Some(Risk::new(Severity::Warning, message).with("table", from.to_string()).with("renamed_to", to.to_string()))
}

fn of_column(subject: &Subject<'_>, table: &TableName, clause: &AlterClause) -> Option<Risk> {
    let column = clause.object.as_deref()?;
    // `RENAME COLUMN a TO b` defines none: its new name is its last word.
    let last = || clause.text.split_whitespace().last().filter(|_| clause.class == AlterClass::RenameColumn);
    let to =
        clause.columns.first().map(|column| column.name.as_str()).or_else(|| last().map(|to| to.trim_matches('`')));
    let changes = clause.class == AlterClass::RenameColumn
        || (starts_with_change(&clause.text) && to.is_some_and(|to| !to.eq_ignore_ascii_case(column)));
    // A column that the upgrade itself added a moment ago is named by nobody.
    let added = || subject.history.table(table).and_then(|past| past.column(column)).flatten().is_some();
    let surveyed = subject.facts(table).is_some_and(|facts| facts.column(column).is_some());
    if !changes || (!surveyed && added()) {
        return None;
    }
    let into = to.map_or_else(String::new, |to| format!(" to {to}"));
    let message = format!(
        "queries that name {table}.{column} fail with error 1054 from here on: it is renamed{into}, and the release that \
         runs does not know; add the new column beside it, fill both for a release, then drop the old one"
    );
    Some(Risk::new(Severity::Warning, message).with("table", table.to_string()).with("column", column))
}

fn starts_with_change(text: &str) -> bool {
    text.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("change"))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::Specimen;

    fn found(sql: &str) -> Vec<(Option<String>, String)> {
        Specimen::of(sql)
            .found("rename-under-traffic")
            .into_iter()
            .map(|finding| (finding.statement, finding.message))
            .collect()
    }

    #[test]
    fn two_renames_leave_a_gap_and_one_of_both_does_not() {
        let risky = found(RULE.risky);
        assert_eq!(risky.len(), 1, "the second puts a table there: {risky:?}");
        assert_eq!(risky[0].0.as_deref(), Some("s2"));
        assert!(risky[0].1.starts_with("queries that name shop.page_views fail with error 1146 from here on"));
        assert!(found(RULE.safer).is_empty());
        assert_eq!(found("ALTER TABLE orders RENAME TO orders_old").len(), 1);
        assert!(found("CREATE TABLE f (id INT); RENAME TABLE f TO g").is_empty());
    }

    #[test]
    fn a_column_that_changes_its_name_is_told_and_one_that_keeps_it_is_not() {
        let by_rename = found("ALTER TABLE customers RENAME COLUMN note TO remark");
        assert!(by_rename[0].1.starts_with("queries that name shop.customers.note fail with error 1054"));
        assert!(by_rename[0].1.contains("renamed to remark"), "{by_rename:?}");
        assert!(found("ALTER TABLE customers CHANGE note remark TEXT")[0].1.contains("renamed to remark"));
        assert!(found("ALTER TABLE customers CHANGE note Note VARCHAR(900)").is_empty());
        assert!(found("ALTER TABLE customers ADD a INT; ALTER TABLE customers RENAME COLUMN a TO b").is_empty());
    }
}

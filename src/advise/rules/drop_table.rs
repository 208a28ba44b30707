//! A DROP of a table (or database) that holds rows.

use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::size::Size;
use crate::sql::record::{Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "drop-table",
    what: "a table that was there before the upgrade is dropped, with its rows",
    why: "DROP commits at once: no rollback brings the rows back, only a backup. Queries of the release that still runs \
          fail with 1146 from that moment. The file of a very large table is unlinked while others wait.",
    instead: "Rename it first (it is the undo), let a whole release pass, then drop it in a step of its own, after a \
              backup that was restored once.",
    needs: Needs::Text,
    check,
    risky: include_str!("drop-table/risky.sql"),
    safer: include_str!("drop-table/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    match subject.kind() {
        Kind::DropDatabase => {
            let message = "destroys a whole database with all its tables: there is no rollback; back it up, and restore \
                           that backup once, before";
            Risk::new(Severity::Warning, message).into()
        }
        Kind::DropTable if !effect.temporary => {
            effect.drops.iter().filter_map(|table| risk(subject, table)).collect::<Vec<_>>().into()
        }
        _ => Verdict::Clear,
    }
}

fn risk(subject: &Subject<'_>, table: &TableName) -> Option<Risk> {
    let survey = subject.evidence.survey;
    let standing = subject.births.standing(table, survey);
    if standing.as_ref().is_some_and(|standing| standing.surveyed.is_none()) || (standing.is_none() && survey.is_some())
    {
        return None; // made by the upgrade itself, or not there at all (IF EXISTS)
    }
    let size = Size::of(subject, table);
    if size.is_empty() {
        let message = format!("drops {table}, which holds no rows: queries that still name it fail with error 1146");
        return Some(size.on(table, Risk::new(Severity::Info, message)));
    }
    let message = format!(
        "destroys {} of {table}: DROP TABLE commits at once and only a backup brings them back; rename the table now and \
         drop it a release later",
        size.all()
    );
    Some(size.on(table, Risk::new(Severity::Warning, message)))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    #[test]
    fn a_table_with_rows_is_told_and_a_rename_is_not() {
        let found = Specimen::of(RULE.risky).found("drop-table");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.starts_with("destroys all 9,000,000 rows (858.3 MiB) of shop.page_views: "));
        assert!(Specimen::of(RULE.safer).found("drop-table").is_empty());
    }

    #[test]
    fn what_the_upgrade_made_itself_or_what_is_not_there_may_go() {
        assert!(Specimen::of("CREATE TABLE f (id INT); DROP TABLE f").found("drop-table").is_empty());
        assert!(Specimen::of("DROP TABLE IF EXISTS nowhere").found("drop-table").is_empty());
    }

    #[test]
    fn a_table_is_followed_through_its_renames() {
        let specimen = Specimen::of("RENAME TABLE page_views TO parked; DROP TABLE parked");
        assert!(specimen.messages("drop-table")[0].starts_with("destroys all 9,000,000 rows"));
    }
}

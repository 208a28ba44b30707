//! OPTIMIZE, ANALYZE, CHECK and REPAIR: upkeep that looks harmless.

use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::size::Size;
use crate::quantity::seconds;
use crate::server::flavor::Flavor;
use crate::sql::record::{Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "optimize-or-analyze",
    what: "a table is optimized, checked or repaired, or analyzed on a server where that holds up readers",
    why: "OPTIMIZE of an InnoDB table writes the whole table anew, waits for every open transaction on it at its begin and \
          its end, and lets all later queries queue behind it. CHECK reads every row and index and pushes the \
          application's pages out of memory; on MyISAM it keeps writers out, and REPAIR keeps everybody out. ANALYZE is \
          quick, but before MySQL 8.0.24 and MariaDB 10.5.4 every new query waited behind the longest one that was \
          running when it ended.",
    instead: "Leave OPTIMIZE out: InnoDB uses the free room again. Where the disk must have it back, run it alone in a \
              quiet hour with a low lock_wait_timeout. Check and repair a copy or a replica.",
    needs: Needs::Text,
    check,
    risky: include_str!("optimize-or-analyze/risky.sql"),
    safer: include_str!("optimize-or-analyze/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let kind = subject.kind();
    if !matches!(kind, Kind::Optimize | Kind::Analyze | Kind::Check | Kind::Repair) {
        return Verdict::Clear;
    }
    if kind == Kind::Analyze && subject.evidence.flavor.is_none() {
        return Verdict::Unchecked("whether ANALYZE TABLE holds up readers depends on the server's version".to_owned());
    }
    let effect = &subject.statement.reading.effect;
    effect.defines.union(&effect.reads).filter_map(|table| risk(subject, kind, table)).collect::<Vec<_>>().into()
}

fn risk(subject: &Subject<'_>, kind: Kind, table: &TableName) -> Option<Risk> {
    let size = Size::of(subject, table);
    let harm = phrase::harm(subject);
    let transactional = subject.facts(table).is_none_or(|facts| facts.is_transactional());
    if subject.created_here(table) && size.is_empty() {
        return None;
    }
    // A query that runs long holds up the readers of a small table as well.
    let holds_up_readers = kind == Kind::Analyze && subject.evidence.flavor.is_some_and(analyze_flushes);
    if size.is_small() && harm.is_none() && !holds_up_readers {
        return None;
    }
    let took = subject.seconds().map_or_else(String::new, |time| format!(" in {}", seconds(time)));
    let all = size.all();
    let (severity, cause, cure) = match (kind, transactional) {
        (Kind::Optimize, true) => (
            Severity::Warning,
            format!("OPTIMIZE TABLE writes {all} of {table} anew{took}"),
            "leave it out, InnoDB uses the free room again; or run it alone in a quiet hour with a low lock_wait_timeout",
        ),
        (Kind::Optimize, false) => (
            Severity::Warning,
            format!("OPTIMIZE TABLE packs {all} of {table}{took} and keeps everybody out meanwhile"),
            "run it while the application rests",
        ),
        (Kind::Repair, false) => (
            Severity::Warning,
            format!("REPAIR TABLE builds {table} anew from {all}{took} and keeps everybody out meanwhile"),
            "repair a copy first, and run it while the application rests",
        ),
        (Kind::Repair, true) => (
            Severity::Info,
            format!("REPAIR TABLE does nothing to {table}: InnoDB has no such repair"),
            "leave it out; a damaged InnoDB table comes back from a backup",
        ),
        (Kind::Check, false) => (
            Severity::Warning,
            format!("CHECK TABLE reads {all} of {table}{took} and keeps writers out meanwhile"),
            "check a copy or a replica",
        ),
        (Kind::Check, true) => (
            subject.weigh(Severity::Info),
            format!("CHECK TABLE reads {all} of {table} and its indexes{took}, through the application's buffer pool"),
            "check a copy or a replica",
        ),
        (_, true) if !holds_up_readers => return None,
        (_, true) => (
            Severity::Warning,
            format!(
                "every new query on {table} waits after this ANALYZE TABLE until the longest query that is running on it \
                 ends"
            ),
            "run it when no long query runs (this server's version flushes the table; from MySQL 8.0.24 and MariaDB \
             10.5.4 on it does not)",
        ),
        (_, false) => (
            Severity::Warning,
            format!("ANALYZE TABLE reads the indexes of {all} of {table}{took} and keeps writers out meanwhile"),
            "run it while the application rests",
        ),
    };
    let severity = if severity == Severity::Warning { subject.weigh(severity) } else { severity };
    let risk = Risk::new(severity, phrase::message(harm, cause, Some(cure.to_owned())));
    let risk = subject.seconds().into_iter().fold(risk, |risk, time| risk.with("seconds", time));
    Some(size.on(table, risk))
}

/// ANALYZE takes the table out of the definition cache, so that new queries wait for the old ones to close it (fixed in
/// MySQL 8.0.24, bug 87065, and in MariaDB 10.5.4, MDEV-15101; neither 9.7 nor 10.11 does it).
fn analyze_flushes(flavor: Flavor) -> bool {
    !flavor.at_least_mysql(8, 0, 24) && !flavor.at_least_mariadb(10, 5, 4)
}

#[cfg(test)]
mod tests {
    use super::{RULE, analyze_flushes};
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, shop};
    use crate::watch::record::ProbeKind;

    #[test]
    fn a_rebuild_by_optimize_is_found_and_an_analyze_of_today_is_not() {
        let specimen = Specimen::of(RULE.risky).changes(1, 0, 40.0).blocks(1, "page_views", ProbeKind::Read, 2.0);
        let found = specimen.found("optimize-or-analyze");
        assert_eq!(found[0].severity, Severity::Error);
        assert!(
            found[0].message.starts_with(
                "blocks reads to shop.page_views for 2.00 s (measured): OPTIMIZE TABLE writes all 9,000,000 rows (858.3 MiB) \
                 of shop.page_views anew in 40.0 s; leave it out"
            ),
            "{}",
            found[0].message
        );
        assert!(Specimen::of(RULE.safer).found("optimize-or-analyze").is_empty());
    }

    #[test]
    fn versions_that_flush_are_known() {
        let flushes = |flavor: &str| analyze_flushes(flavor.parse().expect("a flavor"));
        assert_eq!(["mysql:5.7", "mysql:8.0.23", "mariadb:10.4"].map(flushes), [true; 3]);
        assert_eq!(["mysql:8.0.24", "mysql:9.7", "mariadb:10.5.4", "mariadb:11.8"].map(flushes), [false; 4]);
    }

    #[test]
    fn what_keeps_others_out_depends_on_the_engine() {
        let mut specimen = Specimen::of("CHECK TABLE page_views; REPAIR TABLE page_views");
        let severities = |specimen: &Specimen| {
            specimen.found("optimize-or-analyze").iter().map(|finding| finding.severity).collect::<Vec<_>>()
        };
        assert_eq!(severities(&specimen), [Severity::Info, Severity::Info]);
        specimen.survey.tables.get_mut(&shop("page_views")).expect("the table").engine = "MyISAM".to_owned();
        assert_eq!(severities(&specimen), [Severity::Warning, Severity::Warning]);
        assert!(Specimen::of("CREATE TABLE f (id INT); OPTIMIZE TABLE f").found("optimize-or-analyze").is_empty());
    }
}

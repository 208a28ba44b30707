//! A DDL that writes the whole table anew.

use super::{charset_conversion, foreign_key_scan};
use crate::advise::evidence::Subject;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::advise::size::Size;
use crate::quantity::seconds;
use crate::replay::record::{Algorithm, DdlFacts, DdlLock, Outcome};
use crate::sql::record::{AlterClass, Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "table-rebuild",
    what: "a DDL writes the whole table anew, row by row (COPY) or inside the engine (an INPLACE that rebuilds)",
    why: "Its time grows with the table, and it needs room for a second copy of it, on every replica too. A COPY keeps \
          all writers out from the first row to the last. An INPLACE rebuild lets them in, but collects their changes \
          in a log that can overflow (error 1799), and every replica repeats it behind everything else. One clause \
          that needs a copy drags the whole ALTER with it.",
    instead: "Ask for what you expect (ALGORITHM=INSTANT, or ALGORITHM=INPLACE, LOCK=NONE), so that the server refuses \
              instead of copying. Split the ALTER, so that only the clause that needs it rebuilds. For a change of type, \
              add a new column, fill it in batches and switch; or use an online copy tool (gh-ost, Spirit, \
              pt-online-schema-change).",
    needs: Needs::Survey,
    check,
    risky: include_str!("table-rebuild/risky.sql"),
    safer: include_str!("table-rebuild/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    if !matches!(subject.kind(), Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex) {
        return Verdict::Clear;
    }
    let effect = &subject.statement.reading.effect;
    let Some(table) = effect.defines.iter().chain(&effect.writes).next() else {
        return Verdict::Unchecked("it is not known which table it alters".to_owned());
    };
    let of_partitions = |class| matches!(class, AlterClass::Partition | AlterClass::Algorithm | AlterClass::Lock);
    let partitions = !effect.clauses.is_empty() && effect.clauses.iter().all(|clause| of_partitions(clause.class));
    if effect.temporary || partitions {
        return Verdict::Clear; // nobody sees it, or `partition-change` tells it
    }
    if charset_conversion::tells_of_the_copy(subject) || foreign_key_scan::tells_of_the_copy(subject) {
        return Verdict::Clear; // with what it is for
    }
    let Some(observed) = subject.observed() else { return foreseen(subject, table) };
    if observed.outcome != Outcome::Done {
        return Verdict::Clear; // it failed: that is said by others
    }
    let facts = observed.ddl.or_else(|| subject.loud.and_then(|loud| loud.ddl));
    let Some(facts) = facts else {
        return Verdict::Unchecked(format!("the server did not show by which algorithm it altered {table}"));
    };
    if !(facts.rebuilds || facts.algorithm == Algorithm::Copy) {
        return Verdict::Clear;
    }
    judge(subject, table, facts, observed.seconds)
}

/// Without a run: what the manual says, of a table that is large enough to matter.
fn foreseen(subject: &Subject<'_>, table: &TableName) -> Verdict {
    let size = Size::of(subject, table);
    if size.is_small() {
        return Verdict::Clear;
    }
    let forecast = match subject.forecast() {
        None => return Verdict::Clear,
        Some(Err(why)) => return Verdict::Unchecked(why),
        Some(Ok(forecast)) => forecast,
    };
    if forecast.refused.is_some() || !forecast.rebuilds {
        return Verdict::Clear;
    }
    let (how, cure) = how(forecast.algorithm, Some(forecast.lock));
    let verb = subject.kind().name().replace('_', " ").to_uppercase();
    let others = match forecast.lock {
        DdlLock::None => "while others read and write",
        DdlLock::Shared => "while others may read, but not write",
        DdlLock::Exclusive => "while nobody else has the table",
    };
    let why = forecast.why.trim_end_matches('.');
    let cause = format!(
        "{} {how} {} of {table} {others} (by the manual, not measured): {}",
        phrase::each(subject, &verb),
        size.all(),
        why.chars().next().map_or_else(String::new, |first| {
            let rest = &why[first.len_utf8()..];
            let plain = rest.starts_with(|c: char| c.is_lowercase() || c == ' ');
            if plain { format!("{}{rest}", first.to_lowercase()) } else { why.to_owned() }
        })
    );
    let risk = Risk::new(Severity::Warning, phrase::message(None, cause, Some(cure.to_owned())))
        .with("algorithm", if forecast.algorithm == Algorithm::Copy { "copy" } else { "inplace" })
        .with("basis", "manual");
    size.on(table, risk).into()
}

/// What the server does to the rows, and what helps.
fn how(algorithm: Algorithm, lock: Option<DdlLock>) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Inplace if matches!(lock, Some(DdlLock::Shared | DdlLock::Exclusive)) => (
            "rebuilds in place",
            "use an online copy tool, or a quiet hour; with LOCK=NONE the server refuses instead of keeping writers out",
        ),
        Algorithm::Copy => (
            "copies",
            "split off the clause that needs the copy, or use an online copy tool; with ALGORITHM=INPLACE the server \
             refuses instead of copying",
        ),
        Algorithm::Inplace | Algorithm::Instant => (
            "rebuilds in place",
            "writers go on meanwhile, but the room for a second copy and every replica's delay remain",
        ),
    }
}

fn judge(subject: &Subject<'_>, table: &TableName, facts: DdlFacts, time: f64) -> Verdict {
    let size = Size::of(subject, table);
    let harm = phrase::harm(subject);
    if size.is_small() && harm.is_none() {
        return Verdict::Clear;
    }
    let (how, cure) = how(facts.algorithm, facts.lock);
    let on = if harm.is_some() { String::new() } else { format!(" of {table}") };
    let verb = subject.kind().name().replace('_', " ").to_uppercase();
    let cause = format!("{} {how} {}{on} in {}", phrase::each(subject, &verb), size.all(), seconds(time));
    let risk = Risk::new(subject.weigh(Severity::Warning), phrase::message(harm, cause, Some(cure.to_owned())))
        .with("seconds", time)
        .with("algorithm", if facts.algorithm == Algorithm::Copy { "copy" } else { "inplace" });
    size.on(table, risk).into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;
    use crate::replay::record::{Algorithm, DdlFacts, Outcome};
    use crate::watch::record::ProbeKind;

    fn carried_out(sql: &str, algorithm: Algorithm, rebuilds: bool) -> Specimen {
        Specimen::of(sql).with(1, |seen| {
            seen.seconds = 73.0;
            seen.ddl = Some(DdlFacts { algorithm, rebuilds, lock: None });
        })
    }

    #[test]
    fn a_copy_is_found_and_an_instant_change_is_not() {
        let risky = carried_out(RULE.risky, Algorithm::Copy, true).blocks(1, "page_views", ProbeKind::Insert, 78.0);
        let found = risky.found("table-rebuild");
        assert_eq!(found[0].severity, Severity::Error);
        assert!(
            found[0].message.starts_with(
                "blocks writes to shop.page_views for 78.0 s (measured): one ALTER TABLE copies all 9,000,000 rows (858.3 \
                 MiB) in 73.0 s; split off"
            ),
            "{}",
            found[0].message
        );
        assert!(carried_out(RULE.safer, Algorithm::Instant, false).found("table-rebuild").is_empty());
    }

    #[test]
    fn a_rebuild_in_place_warns_although_it_blocks_nobody() {
        let found = carried_out("ALTER TABLE page_views FORCE", Algorithm::Inplace, true).found("table-rebuild");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(found[0].message.starts_with("one ALTER TABLE rebuilds in place all 9,000,000 rows"));
    }

    #[test]
    fn what_did_not_run_is_judged_by_the_manual_and_says_so() {
        let skipped = |sql: &str| Specimen::of(sql).with(1, |seen| seen.outcome = Outcome::Skipped);
        let messages = skipped("ALTER TABLE page_views MODIFY user_id BIGINT NOT NULL").messages("table-rebuild");
        assert!(
            messages[0].starts_with(
                "one ALTER TABLE copies all 9,000,000 rows (858.3 MiB) of shop.page_views while others may read, but not \
                 write (by the manual, not measured): int becomes bigint"
            ),
            "{messages:?}"
        );
        assert!(skipped("ALTER TABLE page_views ADD COLUMN seen INT").found("table-rebuild").is_empty());
        let unknown = skipped("ALTER TABLE page_views MODIFY nobody BIGINT").judge();
        assert!(unknown.unchecked.iter().any(|unchecked| unchecked.why.contains("no column 'nobody'")));
    }

    #[test]
    fn an_algorithm_that_the_server_did_not_show_is_said_and_never_taken_for_harmless() {
        let findings = Specimen::of(RULE.risky).judge();
        let unchecked: Vec<_> =
            findings.unchecked.iter().filter(|unchecked| unchecked.rule == "table-rebuild").collect();
        assert_eq!(unchecked[0].why, "the server did not show by which algorithm it altered shop.page_views");
    }

    #[test]
    fn a_copy_of_a_table_that_the_upgrade_just_made_is_no_risk_until_it_is_filled() {
        let copy = Some(DdlFacts { algorithm: Algorithm::Copy, rebuilds: true, lock: None });
        let empty =
            Specimen::of("CREATE TABLE f (id INT); ALTER TABLE f MODIFY id BIGINT").with(2, |seen| seen.ddl = copy);
        assert!(empty.found("table-rebuild").is_empty());
        let filled = "CREATE TABLE f (id INT); INSERT INTO f SELECT id FROM orders; ALTER TABLE f MODIFY id BIGINT";
        let filled = Specimen::of(filled).changes(2, 2_000_000, 9.0).with(3, |seen| seen.ddl = copy);
        assert_eq!(filled.found("table-rebuild").len(), 1);
    }
}

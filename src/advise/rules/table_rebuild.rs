//! A DDL that writes the whole table anew.

use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::{bytes, seconds};
use crate::replay::record::{Algorithm, DdlFacts, Outcome};
use crate::sql::record::{Kind, TableName};

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
    needs: Needs::Rehearsal,
    check,
    risky: include_str!("table-rebuild/risky.sql"),
    safer: include_str!("table-rebuild/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    if !matches!(subject.kind(), Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex | Kind::Optimize) {
        return Verdict::Clear;
    }
    let Some(observed) = subject.observed().filter(|observed| observed.outcome == Outcome::Done) else {
        return Verdict::Clear; // it failed or did not run: that is said by others
    };
    let effect = &subject.statement.reading.effect;
    let Some(table) = effect.defines.iter().chain(&effect.writes).next() else {
        return Verdict::Unchecked("it is not known which table it alters".to_owned());
    };
    if effect.temporary {
        return Verdict::Clear;
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

fn judge(subject: &Subject<'_>, table: &TableName, facts: DdlFacts, time: f64) -> Verdict {
    let rows = subject.rows_of(table);
    let harm = phrase::harm(subject);
    if rows.is_some_and(|figure| figure.rows <= MANY_ROWS) && harm.is_none() {
        return Verdict::Clear;
    }
    let size = subject.facts(table).map(|facts| facts.data_bytes + facts.index_bytes).filter(|size| *size > 0);
    let how = match facts.algorithm {
        Algorithm::Copy => "copies",
        Algorithm::Inplace | Algorithm::Instant => "rebuilds in place",
    };
    let of = match (rows, size) {
        (Some(figure), Some(size)) => format!("{} ({})", phrase::all_rows(figure), bytes(size)),
        (Some(figure), None) => phrase::all_rows(figure),
        (None, _) => "all rows".to_owned(),
    };
    let on = if harm.is_some() { String::new() } else { format!(" of {table}") };
    let verb = subject.kind().name().replace('_', " ").to_uppercase();
    let cause = format!("{} {how} {of}{on} in {}", phrase::each(subject, &verb), seconds(time));
    let cure = match facts.algorithm {
        Algorithm::Copy => {
            "split off the clause that needs the copy, or use an online copy tool; with ALGORITHM=INPLACE the server \
             refuses instead of copying"
        }
        _ => "writers go on meanwhile, but the room for a second copy and every replica's delay remain",
    };
    let mut risk = Risk::new(subject.weigh(Severity::Warning), phrase::message(harm, cause, Some(cure.to_owned())))
        .with("table", table.to_string())
        .with("seconds", time)
        .with("algorithm", if facts.algorithm == Algorithm::Copy { "copy" } else { "inplace" });
    if let Some(figure) = rows {
        risk = risk.with("rows", figure.rows).with("rows_basis", phrase::basis(figure.basis));
    }
    if let Some(size) = size {
        risk = risk.with("bytes", size);
    }
    risk.into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;
    use crate::replay::record::{Algorithm, DdlFacts};
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

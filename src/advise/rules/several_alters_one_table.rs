//! Several ALTERs of one table, each of which writes it anew, that could be one.

use crate::advise::altered::Altered;
use crate::advise::evidence::Subject;
use crate::advise::history::table::Alter;
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::seconds;

/// The rule.
pub const RULE: Rule = Rule {
    id: "several-alters-one-table",
    what: "one table is altered by several statements, and more than one of them writes it anew",
    why: "Each such ALTER copies or rebuilds the whole table, with its own locks, its own room on the disk and its own delay \
          on every replica. One ALTER TABLE with all the clauses does it once.",
    instead: "Put the clauses that write the table anew into one ALTER TABLE. Keep those that are instant in statements of \
              their own, where they stay instant.",
    needs: Needs::Text,
    check,
    risky: include_str!("several-alters-one-table/risky.sql"),
    safer: include_str!("several-alters-one-table/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(altered) = Altered::of(subject).filter(|altered| !altered.size.is_small()) else { return Verdict::Clear };
    if altered.writes_anew(subject) != Some(true) {
        return Verdict::Clear;
    }
    let Some(past) = subject.history.table(altered.table) else { return Verdict::Clear };
    // What worked on the rows in between may need the one and be needed by the other.
    let joins = |alter: &&Alter| alter.after_work == past.worked() && alter.session == subject.statement.session;
    let earlier: Vec<&Alter> = past.alters().iter().filter(joins).filter(|alter| alter.anew == Some(true)).collect();
    let Some(last) = earlier.last() else { return Verdict::Clear };
    told(subject, &altered, last, earlier.len()).into()
}

fn told(subject: &Subject<'_>, altered: &Altered<'_>, last: &Alter, earlier: usize) -> Risk {
    let Altered { table, size, .. } = altered;
    let times = match earlier {
        1 => "a second time".to_owned(),
        2 => "a third time".to_owned(),
        n => format!("for the {}th time", n + 1),
    };
    let took = match (subject.seconds(), last.seconds) {
        (Some(own), Some(before)) => format!(" in {}, after {} took {}", seconds(own), last.label, seconds(before)),
        _ => format!(" after {}", last.label),
    };
    let cause = format!("ALTER TABLE writes {} of {table} anew {times}{took}", size.all());
    let cure = format!("put its clauses into {} and the table is written once", last.label);
    let message = phrase::message(phrase::harm(subject), cause, Some(cure));
    let mut risk = Risk::new(Severity::Warning, message)
        .with("earlier", last.statement.clone())
        .with("passes", earlier as u64 + 1);
    if let Some(own) = subject.seconds() {
        risk = risk.with("seconds", own);
    }
    size.on(table, risk)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::Specimen;
    use crate::replay::record::{Algorithm, DdlFacts};

    const COPY: Option<DdlFacts> = Some(DdlFacts { algorithm: Algorithm::Copy, rebuilds: true, lock: None });
    const INSTANT: Option<DdlFacts> = Some(DdlFacts { algorithm: Algorithm::Instant, rebuilds: false, lock: None });

    fn found(sql: &str, ddl: &[Option<DdlFacts>]) -> Vec<(Option<String>, String)> {
        let specimen = ddl.iter().enumerate().fold(Specimen::of(sql), |specimen, (place, ddl)| {
            specimen.with(place + 1, |seen| {
                seen.seconds = 70.0;
                seen.ddl = *ddl;
            })
        });
        let found = specimen.found("several-alters-one-table").into_iter();
        found.map(|finding| (finding.statement, finding.message)).collect()
    }

    #[test]
    fn a_second_pass_over_the_table_is_found_and_one_pass_is_not() {
        let risky = found(RULE.risky, &[COPY, COPY]);
        assert_eq!(risky.len(), 1);
        assert_eq!(risky[0].0.as_deref(), Some("s2"));
        assert_eq!(
            risky[0].1,
            "ALTER TABLE writes all 9,000,000 rows (858.3 MiB) of shop.page_views anew a second time in 70.0 s, after s1 \
             took 70.0 s; put its clauses into s1 and the table is written once"
        );
        assert!(found(RULE.safer, &[COPY]).is_empty());
    }

    #[test]
    fn what_costs_nothing_may_stand_alone() {
        assert!(found(RULE.risky, &[COPY, INSTANT]).is_empty());
        assert!(found("ALTER TABLE orders ADD a INT; ALTER TABLE orders ADD b INT", &[]).is_empty());
        assert!(found("ALTER TABLE orders FORCE; ALTER TABLE page_views FORCE", &[]).is_empty(), "two tables");
    }

    #[test]
    fn what_the_text_alone_tells_is_told_without_a_server() {
        let told = &found(RULE.risky, &[])[0].1;
        assert!(told.contains("(858.3 MiB) of shop.page_views anew a second time"), "{told}");
    }

    #[test]
    fn work_on_the_rows_in_between_keeps_them_apart() {
        let between = "ALTER TABLE orders FORCE; UPDATE orders SET status = ''; ALTER TABLE orders FORCE";
        assert!(found(between, &[]).is_empty());
        assert_eq!(found(&between.replace("UPDATE orders SET status = ''; ", ""), &[]).len(), 1);
    }
}

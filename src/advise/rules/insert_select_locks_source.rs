//! An INSERT … SELECT that locks the rows it reads.

use crate::advise::budget::Side;
use crate::advise::evidence::{MANY_ROWS, Subject};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::{grouped, seconds};
use crate::sql::record::{Kind, TableName};

/// The rule.
pub const RULE: Rule = Rule {
    id: "insert-select-locks-source",
    what: "an INSERT … SELECT or CREATE TABLE … SELECT locks the rows that it reads",
    why: "A SELECT alone locks nothing; as part of an INSERT, a REPLACE or a CREATE TABLE it takes a shared lock on every row \
          and gap that it reads, until the commit, so that replicas can repeat it. The application's updates, deletes and \
          inserts of the table that is only read wait all that time (measured: 10.3 s for a copy of 900,000 of 9,000,000 rows).",
    instead: "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED before it (with the binary log in ROW format): then it \
              reads without locks. Or copy by ranges of the primary key, each its own transaction.",
    needs: Needs::Survey,
    check,
    risky: include_str!("insert-select-locks-source/risky.sql"),
    safer: include_str!("insert-select-locks-source/safer.sql"),
};

/// The statement puts rows into a table that it reads from others.
pub fn copies(subject: &Subject<'_>) -> bool {
    let effect = &subject.statement.reading.effect;
    match subject.kind() {
        Kind::Insert | Kind::Replace => !effect.reads.is_empty(),
        Kind::CreateTable => !effect.writes.is_empty() && !effect.reads.is_empty(),
        _ => false,
    }
}

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    if !copies(subject) || subject.session().is_read_committed() {
        return Verdict::Clear;
    }
    let sources = effect.reads.iter().filter(|table| {
        subject.facts(table).is_some_and(|facts| facts.is_transactional())
            && subject.rows_of(table).is_some_and(|figure| figure.rows > MANY_ROWS)
            && !effect.writes.contains(*table)
    });
    let sources: Vec<&TableName> = sources.collect();
    if sources.is_empty() {
        return Verdict::Clear;
    }
    let waits = subject.blocked(Side::Write);
    // Where the locks were not counted, it locks no more than it reads.
    let counted = subject.observed().and_then(|seen| seen.rows.locked.or(seen.rows.examined));
    let locked = counted.map(|rows| rows / subject.count());
    if locked.is_none() && (effect.has_where || effect.has_limit) && waits.is_empty() {
        return Verdict::Unchecked("how many rows of its source it locks shows only when it runs".to_owned());
    }
    let risks = sources.into_iter().filter_map(|table| {
        let waited = waits.iter().find(|blocked| blocked.table == *table);
        if waited.is_none() && locked.is_some_and(|locked| locked <= MANY_ROWS) {
            return None;
        }
        let harm = match (waited, locked) {
            (Some(wait), _) => format!(
                "blocks writes to {table}, which it only reads, for {} {}",
                seconds(wait.longest_seconds),
                phrase::measured(subject, table)
            ),
            (None, Some(locked)) => {
                let at_most = if subject.observed().is_some_and(|seen| seen.rows.locked.is_none()) { "up to " } else { "" };
                format!("locks {at_most}{} rows of {table}, which it only reads", grouped(locked))
            }
            (None, None) => {
                let rows = subject.rows_of(table).map_or_else(|| "all rows".to_owned(), phrase::all_rows);
                format!("locks {rows} of {table}, which it only reads")
            }
        };
        let verb = if subject.kind() == Kind::CreateTable { "CREATE TABLE" } else { "INSERT" };
        let message = format!(
            "{harm}: {} … SELECT keeps a shared lock on what it reads until the commit; run it under READ COMMITTED, or by \
             ranges of the primary key",
            phrase::each(subject, verb)
        );
        let mut risk = Risk::new(subject.weigh(Severity::Warning), message).with("table", table.to_string());
        if let Some(locked) = locked {
            risk = risk.with("rows_locked", locked);
        }
        if let Some(wait) = waited {
            risk = risk.with("longest_seconds", wait.longest_seconds);
        }
        Some(risk)
    });
    risks.collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;
    use crate::watch::record::ProbeKind;

    #[test]
    fn the_source_is_locked_and_under_read_committed_it_is_not() {
        let found = Specimen::of(RULE.risky).found(RULE.id);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
        assert!(found[0].message.starts_with("locks all 9,000,000 rows of shop.page_views, which it only reads"));
        assert!(Specimen::of(RULE.safer).found(RULE.id).is_empty());
        let measured = Specimen::of(RULE.risky).blocks(2, "page_views", ProbeKind::Update, 10.3).found(RULE.id);
        assert_eq!(measured[0].severity, Severity::Error);
        assert!(measured[0].message.starts_with(
            "blocks writes to shop.page_views, which it only reads, for 10.3 s (measured): one INSERT … SELECT keeps"
        ));
    }

    #[test]
    fn few_rows_and_what_only_running_shows() {
        let part = "INSERT INTO orders (customer_id) SELECT user_id FROM page_views WHERE id < 10";
        let judged = Specimen::of(part).judge();
        assert!(judged.unchecked.iter().any(|unchecked| unchecked.rule == RULE.id));
        assert!(Specimen::of(part).with(1, |seen| seen.rows.locked = Some(10)).found(RULE.id).is_empty());
        let read = Specimen::of(part).with(1, |seen| seen.rows.examined = Some(30_017)).messages(RULE.id);
        assert!(read[0].starts_with("locks up to 30,017 rows of shop.page_views, which it only reads: "), "{read:?}");
        let created = "CREATE TABLE copy AS SELECT * FROM page_views";
        assert_eq!(Specimen::of(created).found(RULE.id).len(), 1);
    }
}

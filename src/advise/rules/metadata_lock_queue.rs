//! DDL on a table in use: behind it queues whatever comes while somebody else holds the table.

use crate::advise::evidence::{Figure, MANY_ROWS, Subject};
use crate::advise::history::{changes_tables, patience, taken};
use crate::advise::phrase;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::{counted, seconds};
use crate::replay::record::{HoldKind, Queue, Relation, Showed};
use crate::sql::record::TableName;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The rule.
pub const RULE: Rule = Rule {
    id: "metadata-lock-queue",
    what: "DDL on a table in use waits for whoever holds it, and every later request to the table waits behind the DDL",
    why: "A DDL needs its table for itself, if only for a moment, an INSTANT one too. One slow SELECT, or a transaction that \
          has read the table and is idle, keeps it waiting, and requests that come later queue behind it, plain reads too: an \
          ALTER of 20 ms takes the site down for as long as somebody's report runs. Foreign keys carry the same to parents \
          and children.",
    instead: "SET SESSION lock_wait_timeout = 1 for the DDL, and try again when it gives up (error 1205): the queue then lasts \
              a second at most and goes on between two tries. Look for long transactions before. When everything hangs, kill \
              the DDL, not the requests.",
    needs: Needs::Survey,
    check,
    risky: include_str!("metadata-lock-queue/risky.sql"),
    safer: include_str!("metadata-lock-queue/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    if !changes_tables(subject.statement, |table| subject.created_here(table)) {
        return Verdict::Clear;
    }
    let queues = subject.drills().iter().filter_map(|drill| match &drill.showed {
        Showed::Queue(queue) => Some(queue),
        _ => None,
    });
    let queues: Vec<&Queue> = queues.collect();
    if !queues.is_empty() {
        return queues.into_iter().filter_map(rehearsed).collect::<Vec<_>>().into();
    }
    // One DDL was rehearsed for all of them.
    if rehearsed_queues(subject).next().is_some() || is_told_before(subject) {
        return Verdict::Clear;
    }
    large(subject).map(|(table, figure)| foretold(subject, table, figure)).into_iter().collect::<Vec<_>>().into()
}

/// True when this rule tells of the upgrade's queues, at this statement or at another one: then nobody else needs to.
pub(super) fn tells(subject: &Subject<'_>) -> bool {
    let mut rehearsed = rehearsed_queues(subject).peekable();
    if rehearsed.peek().is_some() {
        return rehearsed.any(waits);
    }
    is_told_before(subject) || large(subject).is_some()
}

/// The queues that were rehearsed, behind any DDL.
fn rehearsed_queues<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a Queue> {
    subject.evidence.drills.values().flatten().filter_map(|drill| match &drill.showed {
        Showed::Queue(queue) => Some(queue),
        _ => None,
    })
}

/// An earlier DDL would have waited for a table of the same kind: once said holds for all that follow.
fn is_told_before(subject: &Subject<'_>) -> bool {
    subject.history.waited_for().any(|table| subject.rows_of(table).is_some_and(|figure| figure.rows > MANY_ROWS))
}

/// A table that the statement takes and that is large enough to be in use.
fn large<'a>(subject: &Subject<'a>) -> Option<(&'a TableName, Figure)> {
    if !patience::is_long(subject.statement, subject.session()) {
        return None;
    }
    taken(subject.statement).filter(|table| !subject.created_here(table)).find_map(|table| {
        let figure = subject.rows_of(table).filter(|figure| figure.rows > MANY_ROWS)?;
        Some((table, figure))
    })
}

/// More than next to nothing waited.
fn waits(queue: &Queue) -> bool {
    queue.queued > 0 && queue.longest_seconds >= 0.5 * queue.held_seconds.min(queue.seconds)
}

/// What waited in the drill; none where next to nothing did.
fn rehearsed(queue: &Queue) -> Option<Risk> {
    if !waits(queue) {
        return None;
    }
    let holder = match queue.holder {
        HoldKind::SlowRead => "one slow SELECT",
        HoldKind::IdleReader => "one idle transaction that has read it",
        HoldKind::IdleWriter => "one idle transaction that has written to it",
    };
    let held = match queue.relation {
        Relation::Itself => format!("{}", queue.held),
        Relation::Parent => format!("{}, a foreign-key parent,", queue.held),
        Relation::Child => format!("{}, a foreign-key child,", queue.held),
    };
    let cure = match &queue.bounded {
        Some(bounded) if bounded.done => format!(
            "with lock_wait_timeout = {} and {} tries nothing waited longer than {}",
            bounded.lock_wait_timeout,
            bounded.tries,
            seconds(bounded.longest_seconds)
        ),
        _ => "set a low lock_wait_timeout for it, and retry".to_owned(),
    };
    let message = format!(
        "keeps {} waiting for up to {} (rehearsed), reads too: while {holder} holds {held} for {} the DDL waits, and \
         everything queues behind it; {cure}",
        counted(queue.queued, "request"),
        seconds(queue.longest_seconds),
        seconds(queue.held_seconds)
    );
    let risk = Risk::new(Severity::Warning, message)
        .with("held", queue.held.to_string())
        .with("queued", queue.queued)
        .with("longest_seconds", queue.longest_seconds);
    Some(match &queue.bounded {
        Some(bounded) => risk.with("bounded_seconds", bounded.longest_seconds),
        None => risk,
    })
}

/// The same at the first DDL on a table that is large enough to be in use.
fn foretold(subject: &Subject<'_>, table: &TableName, figure: Figure) -> Risk {
    let timeout = subject.session().lock_wait_timeout();
    let waits = match timeout {
        None => "as long as the server's default (a year on MySQL, a day on MariaDB)".to_owned(),
        Some(timeout) if timeout >= DAY => format!("up to {}", counted(timeout / DAY, "day")),
        Some(timeout) => format!("up to {}", seconds(timeout as f64)),
    };
    let open = subject.evidence.survey.and_then(|survey| survey.server.long_transactions.first());
    let (severity, seen) = match open {
        Some(open) => (
            Severity::Warning,
            format!(" (the survey saw one of {} that was open for {})", open.user, seconds(open.seconds as f64)),
        ),
        None => (Severity::Info, String::new()),
    };
    let message = format!(
        "keeps every request to {table}, {}, waiting, reads too, while one slow SELECT or idle transaction holds it{seen}: \
         this DDL, as every later one, waits {waits}, for the session sets no low lock_wait_timeout, and everything queues \
         behind it; set lock_wait_timeout = 1 before the first DDL, and retry",
        phrase::rows(figure)
    );
    let risk = Risk::new(severity, message).with("table", table.to_string()).with("rows", figure.rows);
    timeout.into_iter().fold(risk, |risk, timeout| risk.with("lock_wait_timeout", timeout))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, shop};
    use crate::replay::record::{BoundedQueue, Drill, HoldKind, Queue, Relation, Showed};

    fn drill(longest_seconds: f64) -> Drill {
        let bounded = BoundedQueue {
            lock_wait_timeout: 1,
            tries: 4,
            done: true,
            queued: 90,
            longest_seconds: 1.0,
            blocked: Vec::new(),
        };
        let showed = Showed::Queue(Queue {
            holder: HoldKind::SlowRead,
            held: shop("page_views"),
            relation: Relation::Itself,
            held_seconds: 5.0,
            seconds: 5.0,
            queued: 1_080,
            longest_seconds,
            blocked: Vec::new(),
            gave_up: false,
            bounded: Some(bounded),
        });
        Drill { statement: "s1".into(), experiment: "queue".into(), scale: 1.0, showed }
    }

    #[test]
    fn it_is_foretold_for_a_large_table_once_and_bounded_by_a_low_time_out() {
        let found = Specimen::of(RULE.risky).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Info);
        assert!(found[0].message.contains("this DDL, as every later one, waits as long as the server's default"));
        assert!(
            found[0].message.starts_with("keeps every request to shop.page_views, 9,000,000 rows, waiting"),
            "{found:?}"
        );
        let twice = "ALTER TABLE page_views ADD a INT; ALTER TABLE page_views ADD b INT";
        let large = "ALTER TABLE page_views ADD a INT; DROP TABLE orders; ALTER TABLE customers ADD a INT";
        for (sql, times) in
            [(twice, 1), (large, 1), (RULE.safer, 0), ("CREATE TABLE f (id INT); ALTER TABLE f ADD a INT", 0)]
        {
            assert_eq!(Specimen::of(sql).found(RULE.id).len(), times, "{sql}");
        }
    }

    #[test]
    fn what_queued_in_the_drill_is_told_with_what_bounds_it() {
        let mut specimen = Specimen::of("ALTER TABLE page_views ADD a INT; ALTER TABLE orders ADD a INT");
        specimen.drills = vec![drill(4.99)];
        let found = specimen.found(RULE.id);
        assert_eq!(found.len(), 1, "one stands for all: {found:?}");
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(
            found[0]
                .message
                .starts_with("keeps 1,080 requests waiting for up to 4.99 s (rehearsed), reads too: while one"),
            "{}",
            found[0].message
        );
        assert!(found[0].message.ends_with("with lock_wait_timeout = 1 and 4 tries nothing waited longer than 1.00 s"));
        specimen.drills = vec![drill(0.06)];
        assert!(specimen.found(RULE.id).is_empty(), "next to nothing waited");
    }
}

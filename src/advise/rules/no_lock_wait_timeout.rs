//! DDL that waits for its table as long as the server's default lets it.

use super::metadata_lock_queue;
use crate::advise::evidence::Subject;
use crate::advise::history::{changes_tables, patience};
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::seconds;

/// The rule.
pub const RULE: Rule = Rule {
    id: "no-lock-wait-timeout",
    what: "DDL runs without a low lock_wait_timeout in its session",
    why: "Every DDL needs its table for itself for a moment, INSTANT ones too. While one idle transaction holds the table the \
          DDL waits, and every query that comes later queues behind it, plain reads included (measured: 9.3 s of everything \
          behind a transaction idle for 10 s). How long is up to lock_wait_timeout, whose default is a year on MySQL and a \
          day on MariaDB.",
    instead: "SET SESSION lock_wait_timeout = 5 before the first DDL, and try again after a pause when it gives up (error 1205): \
              the application then waits for 5 s at most. End long transactions before you begin.",
    needs: Needs::Text,
    check,
    risky: include_str!("no-lock-wait-timeout/risky.sql"),
    safer: include_str!("no-lock-wait-timeout/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let said = subject.history.first_patient().is_some();
    let own = |table: &_| subject.created_here(table);
    let session = subject.session();
    if said || !changes_tables(subject.statement, own) || !patience::is_long(subject.statement, session) {
        return Verdict::Clear;
    }
    if metadata_lock_queue::tells(subject) {
        return Verdict::Clear; // with the table, and the same cause and cure
    }
    let waits = session.lock_wait_timeout().map_or_else(
        || "as long as the server's default (a year on MySQL, a day on MariaDB)".to_owned(),
        |timeout| format!("up to {}", seconds(timeout as f64)),
    );
    let survey = subject.evidence.survey;
    let longest = survey.and_then(|survey| survey.server.long_transactions.first());
    let (severity, seen) = match longest {
        Some(open) => (
            Severity::Warning,
            format!(
                " (the survey saw a transaction of {} that was open for {})",
                open.user,
                seconds(open.seconds as f64)
            ),
        ),
        None => (Severity::Info, String::new()),
    };
    let message = format!(
        "reads and writes queue behind this DDL for {waits}, once any transaction holds its table{seen}: the session sets no \
         lock_wait_timeout; set it to a few seconds before the first DDL, and retry"
    );
    let mut risk = Risk::new(severity, message);
    if let Some(timeout) = session.lock_wait_timeout() {
        risk = risk.with("lock_wait_timeout", timeout);
    }
    risk.into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::{Specimen, shop};

    /// A script on tables that are too small to be in use by many.
    fn on_small_tables(sql: &str) -> Specimen {
        let mut specimen = Specimen::of(sql);
        for name in ["orders", "customers", "page_views"] {
            specimen.survey.tables.get_mut(&shop(name)).expect("a table").rows = 500;
            if let Some(change) = specimen.changes.get_mut(&shop(name)) {
                change.rows_before = Some(500);
            }
        }
        specimen
    }

    #[test]
    fn it_is_said_once_at_the_first_ddl_that_would_wait() {
        let found = on_small_tables("ALTER TABLE orders ADD a INT; ALTER TABLE customers ADD a INT").found(RULE.id);
        assert_eq!(found.iter().map(|one| one.statement.as_deref()).collect::<Vec<_>>(), [Some("s1")]);
        let later = "SET lock_wait_timeout = 5; ALTER TABLE orders ADD a INT; SET lock_wait_timeout = DEFAULT; \
                     DROP TABLE page_views";
        assert_eq!(on_small_tables(later).found(RULE.id)[0].statement.as_deref(), Some("s4"));
    }

    #[test]
    fn whoever_gives_up_soon_and_whoever_works_on_a_table_of_their_own_is_quiet() {
        for quiet in [
            RULE.safer,
            "SET STATEMENT lock_wait_timeout=5 FOR ALTER TABLE orders ADD a INT",
            "ALTER TABLE orders WAIT 5 ADD a INT",
            "CREATE TABLE fresh (id INT); ALTER TABLE fresh ADD a INT",
            "CREATE TEMPORARY TABLE t (id INT); UPDATE orders SET status = ''",
        ] {
            assert!(on_small_tables(quiet).found(RULE.id).is_empty(), "{quiet}");
        }
        assert!(Specimen::of(RULE.risky).found(RULE.id).is_empty(), "of a large table the queue itself is told");
        assert!(!on_small_tables(RULE.risky).found(RULE.id).is_empty());
        let mut server = on_small_tables(RULE.risky);
        server.survey.server.settings.insert("lock_wait_timeout".into(), "10".into());
        assert!(server.found(RULE.id).is_empty(), "the server's own is low");
    }
}

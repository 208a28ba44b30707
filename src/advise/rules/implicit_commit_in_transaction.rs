//! A statement that commits the transaction it stands in.

use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{Kind, TransactionStep};

/// The rule.
pub const RULE: Rule = Rule {
    id: "implicit-commit-in-transaction",
    what: "a statement inside a transaction commits it (DDL, LOCK TABLES, a second BEGIN)",
    why: "MySQL and MariaDB have no transactional DDL: almost every statement on definitions commits what is open, before and \
          after itself, even when it then fails. What the transaction had changed stays, its locks are gone, and the ROLLBACK \
          that was meant to undo it all undoes nothing of it.",
    instead: "Put the definitions first and the transaction after them, with nothing in it but statements on rows. What must \
              be undone together with a DDL needs an undo script of its own.",
    needs: Needs::Text,
    check,
    risky: include_str!("implicit-commit-in-transaction/risky.sql"),
    safer: include_str!("implicit-commit-in-transaction/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(open) = subject.session().transaction() else { return Verdict::Clear };
    let effect = &subject.statement.reading.effect;
    let commits = match effect.transaction {
        TransactionStep::ImplicitCommit => true,
        TransactionStep::Begin | TransactionStep::AutocommitOn => subject.kind() != Kind::Xa && !open.writes.is_empty(),
        _ => false,
    };
    if !commits {
        return Verdict::Clear;
    }
    let verb = match subject.kind() {
        Kind::Begin => "BEGIN".to_owned(),
        Kind::Set => "SET".to_owned(),
        kind => kind.name().replace('_', " ").to_uppercase(),
    };
    let wrote: Vec<&str> = open.writes.iter().map(|write| write.label.as_str()).collect();
    let (severity, harm) = match wrote.as_slice() {
        [] if !open.explicit => return Verdict::Clear,
        [] => (Severity::Info, format!("the transaction that {} begins protects nothing", open.began)),
        [one] => (Severity::Warning, format!("what {one} changed can no longer be rolled back")),
        [first, .., last] => {
            (Severity::Warning, format!("what {first} to {last} changed can no longer be rolled back"))
        }
    };
    let message = format!(
        "{harm}: this {verb} commits it, even if it fails itself; put it before the transaction, and keep only statements on \
         rows inside"
    );
    Risk::new(severity, message).with("began", open.began.clone()).with("committed", wrote).into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    #[test]
    fn what_a_ddl_commits_is_told_once_with_the_statements_before_it() {
        let found = Specimen::of(RULE.risky).found(RULE.id);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].statement.as_deref(), found[0].severity), (Some("s3"), Severity::Warning));
        assert!(
            found[0].message.starts_with("what s2 changed can no longer be rolled back: this ALTER TABLE commits it"),
            "{}",
            found[0].message
        );
        assert!(Specimen::of(RULE.safer).found(RULE.id).is_empty());
    }

    #[test]
    fn a_second_begin_and_a_transaction_of_ddl_alone() {
        let begin = Specimen::of("BEGIN; DELETE FROM orders WHERE id = 1; DELETE FROM customers WHERE id = 1; BEGIN");
        assert!(begin.messages(RULE.id)[0].starts_with("what s2 to s3 changed"));
        let empty = Specimen::of("START TRANSACTION; CREATE TABLE f (id INT); COMMIT").found(RULE.id);
        assert_eq!(empty[0].severity, Severity::Info);
        for quiet in [
            "BEGIN; DELETE FROM orders WHERE id = 1; CREATE TEMPORARY TABLE t (id INT); COMMIT",
            "SET autocommit = 0; ALTER TABLE orders ADD a INT",
            "BEGIN; COMMIT; ALTER TABLE orders ADD a INT",
        ] {
            assert!(Specimen::of(quiet).found(RULE.id).is_empty(), "{quiet}");
        }
    }
}

//! A statement that does something else, or nothing but fail, when the upgrade is run again after it was cut off.

use crate::advise::again::{Again, again};
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::replay::record::{Interruption, Showed};

/// The rule.
pub const RULE: Rule = Rule {
    id: "statement-not-repeatable",
    what: "a statement fails, or does its work a second time, when the upgrade is run again from its start",
    why: "An upgrade is cut off sooner or later: a connection is lost, a deployment times out, somebody stops it. DDL commits \
          at once, so there is no going back to the beginning by itself. Run again, a CREATE or an ADD COLUMN stops the script \
          with 1050 or 1060 before what is still to be done, and nobody sees how far it is; an UPDATE that counts on, or an \
          INSERT that no key refuses, ends well and leaves wrong rows.",
    instead: "Say the state that is wanted, not the step: IF NOT EXISTS (MariaDB has it for columns and indexes too), INSERT … \
              ON DUPLICATE KEY UPDATE, SET n = 5 WHERE n = 4. Else note each step that is done in a table, and go on behind \
              it; the plan says where to go on.",
    needs: Needs::Text,
    check,
    risky: include_str!("statement-not-repeatable/risky.sql"),
    safer: include_str!("statement-not-repeatable/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let id = subject.statement.id.as_str();
    let cuts = || {
        let all = subject.evidence.drills.values().flatten();
        all.filter_map(|drill| match &drill.showed {
            Showed::Interruption(cut) => Some((drill.statement.as_str(), cut)),
            _ => None,
        })
    };
    let failed: Vec<(&str, &Interruption)> = cuts().filter(|(_, cut)| cut.fails_at.as_deref() == Some(id)).collect();
    if let Some((_, cut)) = failed.first() {
        let error = cut.error.as_ref().map_or_else(String::new, |error| format!(" with {error}"));
        let go_on = match cut.resume_safe {
            Some(true) => {
                "go on with the statement after the last that is done, which leaves what it should (rehearsed)"
            }
            _ => "make it say the state that is wanted, or note how far the upgrade is",
        };
        let message = format!(
            "stops a rerun of the upgrade{error}, before what is still to be done (rehearsed: cut off at {} places it failed \
             here); {go_on}",
            failed.len()
        );
        return Risk::new(Severity::Info, message).with("rehearsed", true).with("cuts", failed.len()).into();
    }
    let own = cuts().find(|(after, _)| *after == id).map(|(_, cut)| cut);
    if own.is_some_and(|cut| cut.rerun_safe) {
        return Verdict::Clear; // it was run twice
    }
    match again(subject) {
        Again::Same => Verdict::Clear,
        Again::Fails(number, why) => {
            let message = format!(
                "stops a rerun of the upgrade with error {number}, before what is still to be done: {why}; make it say the \
                 state that is wanted, or note how far the upgrade is"
            );
            Risk::new(Severity::Info, message).with("error", number).with("rehearsed", false).into()
        }
        Again::Twice(what) => {
            let seen = own.filter(|cut| cut.fails_at.is_none() && !cut.differences.is_empty());
            let found = match seen {
                Some(cut) => format!(" (rehearsed: {})", cut.differences.join("; ")),
                None => String::new(),
            };
            let message = format!(
                "leaves {what}, when the upgrade is run again after it was cut off behind this{found}: nothing fails, so \
                 nobody notices; make it say the state that is wanted, or note how far the upgrade is"
            );
            Risk::new(Severity::Warning, message).with("rehearsed", seen.is_some()).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;
    use crate::replay::record::{Drill, Interruption, Showed};

    fn messages(sql: &str) -> Vec<String> {
        Specimen::of(sql).messages(RULE.id)
    }

    fn cut(after: &str, rerun_safe: bool, fails_at: Option<&str>) -> Drill {
        Drill {
            statement: after.to_owned(),
            experiment: "rerun".to_owned(),
            scale: 1.0,
            showed: Showed::Interruption(Interruption {
                rerun_safe,
                fails_at: fails_at.map(str::to_owned),
                error: None,
                differences: Vec::new(),
                excluded: Vec::new(),
                resume_safe: Some(true),
                resume_at: None,
                cleanup: Vec::new(),
            }),
        }
    }

    #[test]
    fn what_counts_on_is_worse_than_what_fails() {
        let found = Specimen::of(RULE.risky).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(
            found[0].message.starts_with("leaves created_at counted from what the first run left"),
            "{}",
            found[0].message
        );
        assert!(messages(RULE.safer).is_empty(), "{:?}", messages(RULE.safer));
        let fails = Specimen::of("ALTER TABLE orders ADD COLUMN a INT").found(RULE.id);
        assert_eq!(fails[0].severity, Severity::Info);
        assert!(fails[0].message.starts_with("stops a rerun of the upgrade with error 1060"), "{}", fails[0].message);
    }

    #[test]
    fn each_kind_of_statement_is_told_by_what_its_second_run_does() {
        for (sql, says) in [
            ("CREATE TABLE f (id INT)", "1050"),
            ("DROP TABLE orders", "1051"),
            ("RENAME TABLE orders TO old", "1146"),
            ("ALTER TABLE orders DROP COLUMN status", "1091"),
            ("ALTER TABLE orders ADD INDEX s (status)", "1061"),
            ("ALTER TABLE orders ADD INDEX (status)", "the same index again"),
            ("INSERT INTO page_views (user_id, url) VALUES (1, 'x')", "a second time"),
            ("INSERT INTO page_views (id, url) VALUES (1, 'x')", "1062"),
            ("CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.status = 1", "1359"),
        ] {
            let found = messages(sql);
            assert!(found.len() == 1 && found[0].contains(says), "{sql}: {found:?}");
        }
        for same in [
            "CREATE TABLE IF NOT EXISTS f (id INT)",
            "DROP TABLE IF EXISTS f; CREATE TABLE f (id INT)",
            "ALTER TABLE orders MODIFY status TEXT",
            "UPDATE orders SET status = TRIM(status)",
            "DELETE FROM orders",
            "INSERT IGNORE INTO customers (email) VALUES ('a')",
            "CREATE TEMPORARY TABLE f (id INT)",
        ] {
            assert!(messages(same).is_empty(), "{same}: {:?}", messages(same));
        }
    }

    #[test]
    fn a_rehearsed_rerun_counts_more_than_the_text() {
        let mut specimen = Specimen::of("ALTER TABLE orders ADD COLUMN a INT; UPDATE orders SET a = a + 1");
        specimen.drills = vec![cut("s1", false, Some("s1")), cut("s2", false, Some("s1"))];
        let found = specimen.found(RULE.id);
        assert!(found[0].message.contains("cut off at 2 places"), "{}", found[0].message);
        let mut twice = Specimen::of(RULE.risky);
        twice.drills = vec![cut("s1", true, None)];
        assert!(twice.found(RULE.id).is_empty(), "it was run twice, and left the same");
    }
}

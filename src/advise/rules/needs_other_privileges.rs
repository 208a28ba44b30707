//! Statements that need more than the rights on rows.

use crate::advise::alternatives::words::{Word, words};
use crate::advise::evidence::Subject;
use crate::advise::history::set_words;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::server::flavor::Vendor;
use crate::sql::record::Kind;

/// The rule.
pub const RULE: Rule = Rule {
    id: "needs-other-privileges",
    what: "a statement needs privileges that its look does not tell",
    why: "In the sandbox the upgrade may do anything; in production it runs as some account, which often has rights on rows and \
          little else. TRUNCATE needs DROP, RENAME needs ALTER and DROP on the old name and CREATE and INSERT on the new, SET \
          GLOBAL, triggers, DEFINER and LOAD DATA INFILE need rights that managed services do not even give. It then fails in \
          the middle of the upgrade (1044, 1142, 1227).",
    instead: "Try SHOW GRANTS of the account that will run it against this list before. Where the right cannot be had, write it \
              in another way: DELETE in batches, LOAD DATA LOCAL, no DEFINER.",
    needs: Needs::Text,
    check,
    risky: include_str!("needs-other-privileges/risky.sql"),
    safer: include_str!("needs-other-privileges/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    // Once for each kind of statement: the account has the right or not.
    let said = subject.history.has_said(subject.kind()) && subject.kind() != Kind::Set;
    if said || subject.statement.reading.effect.temporary {
        return Verdict::Clear;
    }
    let needed = needed(subject);
    if needed.is_empty() {
        return Verdict::Clear;
    }
    let verb = subject.kind().name().replace('_', " ").to_uppercase();
    let told: Vec<String> = needed.iter().map(|(right, why)| format!("{right} ({why})")).collect();
    let rights: Vec<&str> = needed.iter().map(|(right, _)| *right).collect();
    let message = format!(
        "fails with 1142 or 1227 if the account that runs it has only rights on rows: this {verb} needs {}; check SHOW GRANTS",
        told.join(" and ")
    );
    Risk::new(Severity::Info, message).with("privileges", rights).into()
}

fn needed(subject: &Subject<'_>) -> Vec<(&'static str, &'static str)> {
    let mariadb = subject.evidence.flavor.is_some_and(|flavor| flavor.vendor == Vendor::MariaDb);
    let text = head(&subject.statement.text);
    let all = words(text).unwrap_or_default();
    let has = |keyword: &str| all.iter().any(|word: &Word<'_>| word.is(keyword));
    let mut needed = match subject.kind() {
        Kind::Truncate => vec![("DROP", "TRUNCATE drops and creates the table")],
        Kind::RenameTable => {
            vec![("ALTER and DROP", "on the old name"), ("CREATE and INSERT", "on the new one")]
        }
        Kind::LoadData if !has("LOCAL") => {
            vec![("FILE", "the server reads its own files; LOAD DATA LOCAL does not need it")]
        }
        Kind::Select if has("OUTFILE") || has("DUMPFILE") => vec![("FILE", "the server writes a file")],
        Kind::CreateTrigger | Kind::DropTrigger => {
            vec![("TRIGGER", "and, with the binary log on, SUPER unless log_bin_trust_function_creators is on")]
        }
        Kind::CreateRoutine if has("FUNCTION") => {
            vec![("CREATE ROUTINE", "and, with the binary log on, SUPER unless log_bin_trust_function_creators is on")]
        }
        Kind::Flush => vec![("RELOAD", "for FLUSH")],
        Kind::Kill => vec![("CONNECTION_ADMIN or SUPER", "to end sessions of others")],
        Kind::Set => set(subject, mariadb),
        _ => Vec::new(),
    };
    let defines =
        matches!(subject.kind(), Kind::CreateTrigger | Kind::CreateRoutine | Kind::CreateEvent | Kind::CreateView);
    if defines && has("DEFINER") && !has("CURRENT_USER") {
        let right = if mariadb { "SET USER or SUPER" } else { "SET_ANY_DEFINER or SUPER" };
        needed.push((right, "DEFINER names another account"));
    }
    needed
}

fn set(subject: &Subject<'_>, mariadb: bool) -> Vec<(&'static str, &'static str)> {
    let sets = set_words::assignments(subject.statement);
    let restricted = ["sql_log_bin", "binlog_format", "binlog_row_image", "gtid_next", "pseudo_slave_mode"];
    if sets.iter().any(|set| set.global && subject.history.global(&set.name).is_none()) {
        let right =
            if mariadb { "SUPER or the admin right of that variable" } else { "SYSTEM_VARIABLES_ADMIN or SUPER" };
        return vec![(right, "SET GLOBAL changes the whole server")];
    }
    let own = |name: &str| subject.session().setting(name).is_none();
    if sets.iter().any(|set| restricted.contains(&set.name.as_str()) && own(&set.name)) {
        let right = if mariadb { "BINLOG ADMIN or SUPER" } else { "SESSION_VARIABLES_ADMIN or SUPER" };
        return vec![(right, "the variable decides what is replicated")];
    }
    Vec::new()
}

/// What stands before a body or a list.
fn head(text: &str) -> &str {
    let mut end = text.len().min(300);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &text[..end];
    // A quote that the cut leaves open would make it unreadable.
    if end < text.len() { head.rfind(['\'', '"', '`']).map_or(head, |quote| &head[..quote]) } else { head }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::specimen::Specimen;

    #[test]
    fn what_the_look_does_not_tell_is_told_once_a_kind() {
        for (sql, right) in [
            (RULE.risky, "DROP"),
            ("RENAME TABLE orders TO orders_old", "CREATE and INSERT"),
            ("SET GLOBAL max_connections = 5", "SYSTEM_VARIABLES_ADMIN"),
            ("SET SESSION sql_log_bin = 0", "SESSION_VARIABLES_ADMIN"),
            ("LOAD DATA INFILE '/tmp/x' INTO TABLE orders", "FILE"),
            ("CREATE DEFINER=`root`@`localhost` VIEW v AS SELECT 1", "SET_ANY_DEFINER"),
            ("CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.status = ''", "TRIGGER"),
        ] {
            let said = Specimen::of(sql).messages(RULE.id);
            assert!(said.first().is_some_and(|said| said.contains(right)), "{sql}: {said:?}");
        }
        assert_eq!(Specimen::of("TRUNCATE orders; TRUNCATE page_views").found(RULE.id).len(), 1);
    }

    #[test]
    fn rights_on_rows_and_on_definitions_are_no_surprise() {
        for quiet in [
            RULE.safer,
            "LOAD DATA LOCAL INFILE '/tmp/x' INTO TABLE orders",
            "ALTER TABLE orders ADD a INT",
            "SET SESSION lock_wait_timeout = 5",
            "SET @a = 1",
            "CREATE VIEW v AS SELECT 1",
        ] {
            assert!(Specimen::of(quiet).found(RULE.id).is_empty(), "{quiet}");
        }
    }
}

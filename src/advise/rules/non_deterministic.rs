//! Functions that answer differently each time.

use crate::advise::alternatives::words::words;
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::sql::record::{AlterClass, Effect, Kind};

/// Functions whose answer no two runs share. NOW() and its like are not among them: the binary log carries their time.
const UNSTEADY: [&str; 9] =
    ["RAND", "UUID", "UUID_SHORT", "UUID_V4", "UUID_V7", "SYSDATE", "RANDOM_BYTES", "SYS_GUID", "CONNECTION_ID"];

/// The rule.
pub const RULE: Rule = Rule {
    id: "non-deterministic",
    what: "a statement writes, or chooses rows by, what is different each time: UUID(), RAND(), SYSDATE() …",
    why: "Two runs of it never agree, so the rehearsal's rows are not production's, and no alternative can be proved to give \
          the same result in these columns. A run that is repeated after a failure writes other values. With a binary log of \
          statements (binlog_format STATEMENT) replicas compute their own and drift away without an error.",
    instead: "Work the values out once (a table of keys and values, a hash of the key) and join them. Use NOW() rather than \
              SYSDATE(): its time goes along in the binary log. Keep binlog_format=ROW.",
    needs: Needs::Text,
    check,
    risky: include_str!("non-deterministic/risky.sql"),
    safer: include_str!("non-deterministic/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let effect = &subject.statement.reading.effect;
    let few = subject.observed().is_some() && subject.rows_changed().is_some_and(|figure| figure.rows <= 1);
    let by_statement = format(subject).is_some_and(|format| format.eq_ignore_ascii_case("STATEMENT"));
    let many_rows = match subject.kind() {
        Kind::Update | Kind::Delete => true,
        // One row of VALUES is what applications write all day: only replicas that compute it themselves mind.
        Kind::Insert | Kind::Replace => !effect.reads.is_empty() || by_statement,
        Kind::CreateTable => !effect.writes.is_empty(),
        Kind::AlterTable => effect.clauses.iter().any(|clause| clause.class == AlterClass::AddColumn),
        _ => false,
    };
    if !many_rows || effect.temporary || few && subject.kind().is_dml() && !by_statement {
        return Verdict::Clear;
    }
    let Ok(all) = words(&subject.statement.text) else { return Verdict::Clear };
    let calls = all.iter().enumerate().filter(|(at, word)| {
        let called = all.get(at + 1).is_some_and(|next| next.is_symbol("("));
        let seeded = word.is("RAND") && !all.get(at + 2).is_some_and(|next| next.is_symbol(")"));
        called && !seeded && UNSTEADY.iter().any(|name| word.is(name))
    });
    let mut found: Vec<(usize, String)> =
        calls.map(|(_, word)| (word.start, format!("{}()", word.text.to_ascii_uppercase()))).collect();
    if found.is_empty() {
        return Verdict::Clear;
    }
    let chooses = found.iter().any(|(start, _)| stands_in_condition(effect, *start));
    found.sort_by(|a, b| a.1.cmp(&b.1));
    found.dedup_by(|a, b| a.1 == b.1);
    let names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
    let (severity, harm) = if by_statement {
        (Severity::Error, "replicas get other values than their source, without an error (binlog_format is STATEMENT)")
    } else if chooses {
        (Severity::Warning, "takes other rows on each run, so the rehearsal's are not production's")
    } else {
        (Severity::Info, "writes other values on each run, also on a rerun after a failure")
    };
    let message =
        format!("{harm}: it calls {} for every row; work the values out once and join them", names.join(", "));
    Risk::new(severity, message).with("functions", names).into()
}

fn stands_in_condition(effect: &Effect, start: usize) -> bool {
    effect.condition.is_some_and(|(first, last)| start >= first && start < last)
}

/// binlog_format in force: the session's, else the server's.
fn format<'a>(subject: &Subject<'a>) -> Option<&'a str> {
    let own = subject.session().setting("binlog_format");
    let survey = subject.evidence.survey;
    own.or_else(|| survey.and_then(|survey| survey.server.settings.get("binlog_format")).map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;

    #[test]
    fn how_bad_it_is_depends_on_what_it_decides_and_on_the_binary_log() {
        let one = |sql: &str| {
            let mut specimen = Specimen::of(sql);
            for seen in &mut specimen.loud.observations {
                seen.rows.affected = 500;
            }
            specimen.found(RULE.id).remove(0)
        };
        let written = one(RULE.risky);
        assert_eq!(written.severity, Severity::Info);
        assert!(written.message.contains("it calls UUID() for every row"), "{}", written.message);
        let chosen = one("DELETE FROM page_views WHERE RAND() < 0.1");
        assert_eq!(chosen.severity, Severity::Warning);
        assert!(chosen.message.starts_with("takes other rows on each run"));
        assert_eq!(one("SET binlog_format = 'STATEMENT'; UPDATE orders SET status = UUID()").severity, Severity::Error);
        assert_eq!(one("ALTER TABLE orders ADD COLUMN u CHAR(36) DEFAULT (UUID())").severity, Severity::Info);
    }

    #[test]
    fn what_the_log_carries_and_what_has_one_row_is_quiet() {
        for quiet in [
            RULE.safer,
            "UPDATE orders SET created_at = NOW()",
            "INSERT INTO orders (status) VALUES (UUID())",
            "UPDATE orders SET status = 'UUID()' WHERE id = 5",
            "UPDATE orders SET status = RAND(5)",
            "UPDATE orders SET status = UUID() WHERE id = 5",
        ] {
            assert!(Specimen::of(quiet).found(RULE.id).is_empty(), "{quiet}");
        }
    }
}

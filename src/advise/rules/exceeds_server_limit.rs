//! A statement that fails in production only, for production's limit is lower than what it needs there.

use crate::advise::altered::Altered;
use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::{bytes, seconds};
use crate::replay::record::{Algorithm, DdlLock};

/// Part of a limit from which on it is near: production has more rows by the day of the upgrade.
const NEAR: f64 = 0.8;

/// Limits on what one transaction may write to the binary log, with the error that it then meets; those of replication
/// exist only where their plugin is loaded, and 0 lifts them.
const TRANSACTION: [(&str, &str); 3] = [
    ("max_binlog_cache_size", "1197"),
    ("group_replication_transaction_size_limit", "3100"),
    ("wsrep_max_ws_size", "1180"),
];

/// `innodb_online_alter_log_max_size` where nobody set it, in bytes (manual, both vendors).
const ONLINE_LOG: f64 = 134_217_728.0;
/// Changes a second that a busy table sees, in bytes: thousands of small rows.
const BUSY: f64 = 1_048_576.0;

/// The rule.
pub const RULE: Rule = Rule {
    id: "exceeds-server-limit",
    what: "a statement needs more than a limit of production allows",
    why: "What ends well on a copy fails in production when it is larger there than a setting allows: a transaction whose \
          binary log outgrows max_binlog_cache_size (1197) or the limit of a cluster, a text longer than max_allowed_packet \
          (the connection is cut), a statement that runs past max_statement_time (1969), an online ALTER whose log of what \
          writers change meanwhile outgrows innodb_online_alter_log_max_size (1799). It fails at its end, and then takes as \
          long again to roll back.",
    instead: "Change fewer rows in one transaction: ranges of the primary key. Split a long INSERT. Raise the limit for the \
              session or, by hand and for the time of the upgrade, for the server.",
    needs: Needs::Survey,
    check,
    risky: include_str!("exceeds-server-limit/risky.sql"),
    safer: include_str!("exceeds-server-limit/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let mut risks = Vec::new();
    risks.extend(packet(subject));
    risks.extend(TRANSACTION.into_iter().filter_map(|(name, error)| binlog(subject, name, error)));
    risks.extend(time(subject));
    risks.extend(online_log(subject));
    risks.into()
}

fn limit(subject: &Subject<'_>, name: &str) -> Option<f64> {
    let own = subject.session().setting(name).and_then(|value| value.parse::<f64>().ok());
    let server = || subject.evidence.survey?.server.settings.get(name)?.parse::<f64>().ok();
    own.or_else(server).filter(|limit| *limit > 0.0)
}

fn packet(subject: &Subject<'_>) -> Option<Risk> {
    let allowed = limit(subject, "max_allowed_packet")?;
    let size = subject.statement.text.len() as u64;
    (size as f64 >= allowed).then(|| {
        let message = format!(
            "the server cuts the connection: the statement is {} long and max_allowed_packet is {}; split it",
            bytes(size),
            bytes(allowed as u64)
        );
        Risk::new(Severity::Error, message).with("bytes", size).with("limit", allowed as u64)
    })
}

/// How many times more the statement does in production than in the rehearsal.
fn enlargement(subject: &Subject<'_>) -> f64 {
    subject.target().map_or(1.0, |table| subject.evidence.enlargement(table))
}

fn binlog(subject: &Subject<'_>, name: &str, error: &str) -> Option<Risk> {
    let allowed = limit(subject, name)?;
    let measured = subject.observed().filter(|seen| seen.count == 1)?.footprint.binlog_bytes?;
    let factor = enlargement(subject);
    let needed = measured as f64 * factor;
    if needed < allowed * NEAR {
        return None;
    }
    let (severity, harm) = if needed >= allowed {
        (Severity::Error, format!("fails in production with error {error} and rolls back"))
    } else {
        (Severity::Warning, format!("is near to failing with error {error}"))
    };
    let basis = if factor > 1.0 { format!("about {} (extrapolated)", bytes(needed as u64)) } else { bytes(measured) };
    let message = format!(
        "{harm}: its transaction writes {basis} of binary log and {name} is {}; change ranges of the primary key",
        bytes(allowed as u64)
    );
    let risk = Risk::new(severity, message).with("binlog_bytes", measured).with("limit", allowed as u64);
    Some(risk.with("setting", name).with("basis", if factor > 1.0 { "extrapolated" } else { "measured" }))
}

/// What writers change while InnoDB builds or rebuilds beside them is kept in a log of limited size. Nobody knows how much
/// production writes: the rate is told at which the log overflows.
fn online_log(subject: &Subject<'_>) -> Option<Risk> {
    let allowed = limit(subject, "innodb_online_alter_log_max_size").unwrap_or(ONLINE_LOG);
    let seen = subject.observed()?;
    let facts = seen.ddl.or_else(|| subject.loud.and_then(|loud| loud.ddl))?;
    let lets_writers = !matches!(facts.lock, Some(DdlLock::Shared | DdlLock::Exclusive));
    let Altered { table, .. } = Altered::of(subject)?;
    if facts.algorithm != Algorithm::Inplace || !lets_writers {
        return None;
    }
    let factor = subject.evidence.enlargement(table);
    let took = seen.seconds * factor;
    let rate = allowed / took.max(0.001);
    (rate < BUSY).then(|| {
        let basis = if factor > 1.0 { "about " } else { "" };
        let message = format!(
            "fails with error 1799 and rolls back if writers change more than {} of {table} in the {basis}{} that it takes \
             ({} a second): that is innodb_online_alter_log_max_size; raise it for that time, or choose a quiet hour",
            bytes(allowed as u64),
            seconds(took),
            bytes(rate as u64)
        );
        let risk = Risk::new(Severity::Warning, message).with("setting", "innodb_online_alter_log_max_size");
        risk.with("limit", allowed as u64).with("seconds", took).with("bytes_per_second", rate as u64)
    })
}

/// MariaDB ends statements that run past max_statement_time, DDL included.
fn time(subject: &Subject<'_>) -> Option<Risk> {
    let allowed = limit(subject, "max_statement_time")?;
    let seen = subject.observed()?;
    let needed = seen.longest_seconds * enlargement(subject);
    (needed >= allowed).then(|| {
        let message = format!(
            "fails in production with error 1969 and rolls back: it takes {} and max_statement_time is {}; set it to 0 in the \
             session",
            seconds(needed),
            seconds(allowed)
        );
        Risk::new(Severity::Error, message).with("seconds", needed).with("limit", allowed)
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, shop};
    use crate::replay::record::{Algorithm, DdlFacts};

    fn with_limit(sql: &str, name: &str, value: &str) -> Specimen {
        let mut specimen = Specimen::of(sql).with(1, |seen| {
            seen.footprint.binlog_bytes = Some(100 << 20);
            seen.longest_seconds = 40.0;
        });
        specimen.survey.server.settings.insert(name.into(), value.into());
        specimen
    }

    #[test]
    fn a_transaction_is_held_against_the_binlog_cache_at_productions_size() {
        let limited = |megabytes: u64| with_limit(RULE.risky, "max_binlog_cache_size", &(megabytes << 20).to_string());
        assert!(limited(1000).found(RULE.id).is_empty());
        assert_eq!(limited(120).found(RULE.id)[0].severity, Severity::Warning);
        let found = limited(50).found(RULE.id);
        assert_eq!(found[0].severity, Severity::Error);
        assert!(found[0].message.starts_with(
            "fails in production with error 1197 and rolls back: its transaction writes 100.0 MiB of binary log and \
             max_binlog_cache_size is 50.0 MiB"
        ), "{}", found[0].message);
        let mut smaller = limited(500);
        smaller.changes.get_mut(&shop("page_views")).expect("a table").rows_before = Some(900_000);
        assert!(
            smaller.messages(RULE.id)[0].contains("about 1000.0 MiB (extrapolated)"),
            "{:?}",
            smaller.messages(RULE.id)
        );
    }

    #[test]
    fn an_online_alter_is_held_against_the_log_of_what_writers_change() {
        let online = |seconds: f64, algorithm, rebuilds| {
            let specimen = Specimen::of("ALTER TABLE orders ADD KEY s (status), ALGORITHM=INPLACE, LOCK=NONE");
            specimen.with(1, |seen| {
                seen.seconds = seconds;
                seen.ddl = Some(DdlFacts { algorithm, rebuilds, lock: None });
            })
        };
        let found = online(256.0, Algorithm::Inplace, false).messages(RULE.id);
        assert!(
            found[0].starts_with(
                "fails with error 1799 and rolls back if writers change more than 128.0 MiB of shop.orders"
            ) && found[0].contains("(512.0 KiB a second)"),
            "{found:?}"
        );
        assert!(online(60.0, Algorithm::Inplace, true).found(RULE.id).is_empty(), "2 MiB a second are a lot");
        assert!(online(256.0, Algorithm::Copy, true).found(RULE.id).is_empty(), "writers are kept out");
        let mut larger = online(256.0, Algorithm::Inplace, true);
        larger.survey.server.settings.insert("innodb_online_alter_log_max_size".into(), (1 << 30).to_string());
        assert!(larger.found(RULE.id).is_empty());
    }

    #[test]
    fn long_texts_and_long_times() {
        let packet = with_limit("DELETE FROM orders WHERE id IN (1, 2, 3)", "max_allowed_packet", "30");
        assert!(packet.messages(RULE.id)[0].starts_with("the server cuts the connection: the statement is 40 B long"));
        let time = with_limit(RULE.risky, "max_statement_time", "30.000000");
        assert!(time.messages(RULE.id)[0].contains("it takes 40.0 s and max_statement_time is 30.0 s"));
        assert!(with_limit(RULE.risky, "max_statement_time", "0.000000").found(RULE.id).is_empty());
    }
}

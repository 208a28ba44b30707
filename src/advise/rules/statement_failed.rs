//! A statement that the server refused, undid or gave up on.

use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::replay::record::Outcome;
use crate::server::fault::Fault;

/// The rule.
pub const RULE: Rule = Rule {
    id: "statement-failed",
    what: "a statement fails in the rehearsal",
    why: "What fails on a copy of production's schema fails in production too, half-way through the upgrade. DDL before \
          it is committed and stays, so the server is left between two versions, and a rerun meets objects that are \
          already there.",
    instead: "Mend the statement, or production's schema where that is what differs, and rehearse again. Make the \
              statements before it safe to run twice.",
    needs: Needs::Rehearsal,
    check,
    risky: include_str!("statement-failed/risky.sql"),
    safer: include_str!("statement-failed/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    // Either run counts: what fails only under load fails in production too.
    let failed =
        [subject.quiet, subject.loud].into_iter().flatten().find(|observation| observation.outcome.fault().is_some());
    let Some(fault) = failed.and_then(|observation| observation.outcome.fault()) else { return Verdict::Clear };
    let timed_out = failed.is_some_and(|observation| matches!(observation.outcome, Outcome::TimedOut(_)));
    let verb = subject.kind().name().replace('_', " ").to_uppercase();
    let what = if timed_out { "gave up waiting" } else { "failed" };
    let alone = subject.quiet.is_none_or(|quiet| quiet.outcome.fault().is_some());
    let when = if alone { "" } else { " beside the application's requests (alone it ended well)" };
    let hint = hint(fault).map_or_else(String::new, |hint| format!("; {hint}"));
    Risk::new(Severity::Error, format!("the upgrade stops here: this {verb} {what}{when} with {fault}{hint}"))
        .with("error", fault.number)
        .with("state", fault.state.clone())
        .into()
}

/// What a DBA would look at first.
fn hint(fault: &Fault) -> Option<&'static str> {
    Some(match fault.number {
        1005 | 1215 | 3780 => "a foreign key's two columns must agree in type, character set and index",
        1007 | 1050 | 1060 | 1061 | 1826 => "the object is already there: was the upgrade run before, in part?",
        1051 | 1091 | 1146 | 1054 | 1305 => "production does not have what the upgrade expects: compare the schemas",
        1062 => "rows collide under a unique key: find the duplicates before the upgrade",
        1048 | 1138 | 1265 | 1264 | 1292 | 1366 | 1406 => {
            "rows hold what the new definition does not allow: mend them before the upgrade"
        }
        1118 => "the row grew past the engine's limit",
        1197 => "the transaction is larger than max_binlog_cache_size: use batches",
        1205 => "it waited for a lock longer than its time-out",
        1206 | 1207 => "it held more locks than the server has room for: use batches",
        1213 => "a deadlock chose it as the victim: it must be retried from the start of its transaction",
        1451 | 1452 => "rows of another table refer to these: mind the order, or the orphans",
        1701 => "other tables refer to this one by foreign keys: TRUNCATE is not allowed",
        1785 => "GTIDs do not allow transactional and other tables in one transaction",
        1799 => "writes during the ALTER outgrew innodb_online_alter_log_max_size",
        1845 | 1846 => "the algorithm or lock that was asked for does not serve this change",
        3024 | 1969 => "it ran past its time-out",
        _ if fault.is_connection_lost() => "the server went away: see its error log",
        _ if fault.is_access_denied() => "the account lacks a privilege",
        _ if fault.is_syntax() => "this server cannot read it: is it for another version or vendor?",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::Specimen;
    use crate::replay::record::Outcome;
    use crate::server::fault::Fault;

    #[test]
    fn what_the_server_refused_is_an_error_with_its_words_and_what_did_not_run_is_said() {
        let fault = Fault { number: 1060, state: "42S21".into(), message: "Duplicate column name 'country'".into() };
        let script = format!("{}; DROP TABLE orders; DROP TABLE page_views", RULE.risky);
        let specimen = Specimen::of(&script)
            .with(1, |seen| seen.outcome = Outcome::Failed(fault))
            .with(2, |seen| seen.outcome = Outcome::Skipped)
            .with(3, |seen| seen.outcome = Outcome::Skipped);
        let findings = specimen.judge();
        let found = specimen.found("statement-failed");
        assert_eq!(found[0].severity, Severity::Error);
        assert_eq!(
            found[0].message,
            "the upgrade stops here: this ALTER TABLE failed with error 1060 (42S21): Duplicate column name 'country'; the \
             object is already there: was the upgrade run before, in part?"
        );
        assert!(
            findings.unchecked.iter().any(|unchecked| unchecked.why.starts_with("s2 to s3 did not run (2 in all)"))
        );
        assert_eq!(specimen.found("drop-table").len(), 2, "what the text tells is told all the same");
        assert!(Specimen::of(RULE.safer).found("statement-failed").is_empty());
    }
}

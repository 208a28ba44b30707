//! Requests that failed instead of waiting.

use crate::advise::evidence::Subject;
use crate::advise::record::Severity;
use crate::advise::rule::{Needs, Risk, Rule, Verdict};
use crate::quantity::grouped;
use crate::sql::record::TableName;
use crate::watch::record::Failed;

/// The rule.
pub const RULE: Rule = Rule {
    id: "broken-queries",
    what: "the application's queries fail while a statement runs, or from then on",
    why: "A query that waits is slow; a query that fails is an error page. A table that is gone for a moment between two \
          RENAMEs gives 1146, a column that is gone gives 1054, a swap, TRUNCATE or rebuild gives 1412 to every \
          transaction that began before, and lock conflicts give 1213 and 1205.",
    instead: "Swap with one RENAME of both tables, never with two. Drop a column or table only after the last release \
              that uses it is gone. Let the application retry 1213, 1205 and 1412 from the start of the transaction.",
    needs: Needs::Rehearsal,
    check,
    risky: include_str!("broken-queries/risky.sql"),
    safer: include_str!("broken-queries/safer.sql"),
};

fn check(subject: &Subject<'_>) -> Verdict {
    let Some(loud) = subject.loud else { return Verdict::Clear };
    let mut unexplained = Vec::new();
    let mut broken: Vec<((&TableName, u16), Vec<&Failed>)> = Vec::new();
    for failed in &loud.failed {
        if meaning(failed.error).is_none() {
            unexplained.push(format!(
                "the {} probe on {} failed with error {} ({}), so what it would have met is not known",
                failed.probe.name(),
                failed.table,
                failed.error,
                failed.message
            ));
            continue;
        }
        let what = (&failed.table, failed.error);
        match broken.iter_mut().find(|one| one.0 == what) {
            Some((_, kinds)) => kinds.push(failed),
            None => broken.push((what, vec![failed])),
        }
    }
    if broken.is_empty() && !unexplained.is_empty() {
        return Verdict::Unchecked(unexplained.join("; "));
    }
    broken.iter().filter_map(|(_, kinds)| risk(kinds)).collect::<Vec<_>>().into()
}

/// Requests of any kind that failed alike on one table.
fn risk(kinds: &[&Failed]) -> Option<Risk> {
    let first = kinds.first()?;
    let (severity, cause) = meaning(first.error)?;
    let told: Vec<String> = kinds
        .iter()
        .map(|one| match one.count {
            1 => format!("one {}", one.probe.name()),
            count => format!("{} {}", grouped(count), one.probe.name()),
        })
        .collect();
    let told = match told.as_slice() {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        all => all.join(""),
    };
    let count: u64 = kinds.iter().map(|one| one.count).sum();
    let plural = if count == 1 { "" } else { "s" };
    let message =
        format!("breaks {told} request{plural} on {} with error {} (measured): {cause}", first.table, first.error);
    let probes: Vec<&str> = kinds.iter().map(|one| one.probe.name()).collect();
    Some(
        Risk::new(severity, message)
            .with("table", first.table.to_string())
            .with("probes", probes)
            .with("error", first.error)
            .with("count", count),
    )
}

/// What an error tells of the upgrade; none for one that tells nothing of it.
fn meaning(error: u16) -> Option<(Severity, &'static str)> {
    Some(match error {
        1146 | 1051 => (Severity::Error, "the table is gone, for a moment or for good"),
        1054 => (Severity::Error, "a column that the application names is gone"),
        1412 => (
            Severity::Warning,
            "transactions that began before it cannot read the new table; they must start again (backups and reports too)",
        ),
        1213 => (Severity::Error, "it deadlocks with the application"),
        1205 => (Severity::Error, "the application gave up waiting for a lock"),
        1615 => (Severity::Warning, "prepared statements had to be prepared again, and gave up"),
        1290 | 1836 => (Severity::Error, "the server became read-only"),
        1099 | 1100 | 1223 => (Severity::Error, "a LOCK TABLES shuts the application out"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::advise::record::Severity;
    use crate::advise::specimen::{Specimen, failed};
    use crate::watch::record::ProbeKind;

    #[test]
    fn a_table_that_is_gone_for_a_moment_breaks_queries() {
        let risky = Specimen::of(RULE.risky).with(2, |seen| {
            seen.failed =
                vec![failed("page_views", ProbeKind::Read, 1146), failed("page_views", ProbeKind::Update, 1412)];
        });
        let found = risky.found("broken-queries");
        assert_eq!(found[0].severity, Severity::Error);
        assert_eq!(
            found[0].message,
            "breaks 3 read requests on shop.page_views with error 1146 (measured): the table is gone, for a moment or for good"
        );
        assert_eq!(found[1].severity, Severity::Warning);
        assert!(Specimen::of(RULE.safer).found("broken-queries").is_empty());
    }

    #[test]
    fn requests_that_fail_alike_are_told_in_one() {
        let specimen = Specimen::of(RULE.risky).with(2, |seen| {
            seen.failed =
                vec![failed("page_views", ProbeKind::Read, 1146), failed("page_views", ProbeKind::Lock, 1146)];
        });
        let found = specimen.found("broken-queries");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].message.starts_with("breaks 3 read and 3 lock requests on shop.page_views with error 1146"),
            "{found:?}"
        );
        assert_eq!(found[0].evidence["count"], 6);
    }

    #[test]
    fn a_probe_that_failed_for_its_own_reasons_leaves_the_question_open() {
        let specimen =
            Specimen::of(RULE.safer).with(1, |seen| seen.failed = vec![failed("orders", ProbeKind::Insert, 1364)]);
        assert!(
            specimen
                .judge()
                .unchecked
                .iter()
                .any(|unchecked| unchecked.why.contains("the insert probe on shop.orders"))
        );
    }
}

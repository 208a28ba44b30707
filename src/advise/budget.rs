//! The budget held against what was measured, line by line.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Evidence;
pub use super::limits::{DEFAULT_LIMIT, Side, limit, rows_limit};
use super::limits::{general, names, own, own_limit};
use super::record::{Budget, BudgetLine};
use crate::quantity::{Count, Span};
use crate::sql::record::TableName;
use crate::watch::record::{Blocked, ProbeKind};

/// A rule and a statement whose harm was accepted: it does not count against the budget.
pub type Accepted = BTreeSet<(String, String)>;

/// The most rows that one statement changed (at production's size), by table (none: several at once), and whether that
/// number was computed from a smaller rehearsal.
pub type RowsChanged = BTreeMap<Option<TableName>, (u64, bool)>;

/// The budget's lines in a fixed order. What was not measured is not within a limit.
pub fn lines(evidence: &Evidence<'_>, budget: &Budget, rows: &RowsChanged, accepted: &Accepted) -> Vec<BudgetLine> {
    let mut lines = Vec::new();
    for side in [Side::Read, Side::Write] {
        let elsewhere = |table: &TableName| own(budget, table).and_then(|(_, own)| own_limit(own, side)).is_none();
        lines.push(blocked_line(evidence, side, side.key().to_owned(), general(budget, side), accepted, &elsewhere));
    }
    if let Some(limit) = budget.rows_per_statement {
        let elsewhere = |table: Option<&TableName>| {
            table.is_none_or(|table| own(budget, table).is_none_or(|(_, own)| own.rows_per_statement.is_none()))
        };
        lines.push(rows_line(evidence, "rows_per_statement".to_owned(), limit, rows, &elsewhere));
    }
    for (name, own) in &budget.tables {
        for side in [Side::Read, Side::Write] {
            if let Some(span) = own_limit(own, side) {
                let key = format!("tables.{name}.{}", side.key());
                lines.push(blocked_line(evidence, side, key, span, accepted, &|table| names(name, table)));
            }
        }
        if let Some(limit) = own.rows_per_statement {
            let key = format!("tables.{name}.rows_per_statement");
            lines.push(rows_line(evidence, key, limit, rows, &|table| table.is_some_and(|table| names(name, table))));
        }
    }
    let unmeasured =
        [("replica_lag", budget.replica_lag.map(allowed)), ("pool_exhausted", budget.pool_exhausted.clone())];
    for (limit, allowed) in unmeasured {
        lines.extend(allowed.map(|allowed| not_measured(limit.to_owned(), allowed)));
    }
    lines
}

fn blocked_line(
    evidence: &Evidence<'_>,
    side: Side,
    key: String,
    span: Span,
    accepted: &Accepted,
    applies: &dyn Fn(&TableName) -> bool,
) -> BudgetLine {
    let Some(loud) = evidence.loud.filter(|loud| loud.loud && !evidence.probed().is_empty()) else {
        return BudgetLine { ok: span.0.is_none(), ..not_measured(key, allowed(span)) };
    };
    let (mut longest, mut spared) = (0.0_f64, BTreeSet::new());
    for observation in &loud.observations {
        let of_side = |blocked: &&Blocked| Side::of(blocked.probe) == side && evidence.is_blocked(blocked);
        for blocked in observation.blocked.iter().filter(of_side).filter(|blocked| applies(&blocked.table)) {
            if accepted.contains(&(rule_for(blocked.probe).to_owned(), observation.statement.id.clone())) {
                spared.insert(observation.statement.label().to_owned());
            } else {
                longest = longest.max(blocked.longest_seconds);
            }
        }
    }
    let mut observed = short(longest);
    if !spared.is_empty() {
        observed.push_str(&format!(" (accepted: {})", spared.into_iter().collect::<Vec<_>>().join(", ")));
    }
    let ok = span.0.is_none_or(|limit| longest <= limit.as_secs_f64());
    BudgetLine { limit: key, allowed: allowed(span), observed, ok, basis: "measured".to_owned() }
}

/// The rule that tells of what a probe met.
fn rule_for(probe: ProbeKind) -> &'static str {
    match probe {
        ProbeKind::Read => "blocked-reads",
        ProbeKind::Commit => "commit-stall",
        _ => "blocked-writes",
    }
}

fn rows_line(
    evidence: &Evidence<'_>,
    key: String,
    limit: Count,
    rows: &RowsChanged,
    applies: &dyn Fn(Option<&TableName>) -> bool,
) -> BudgetLine {
    if evidence.loud.is_none() {
        return not_measured(key, limit.to_string());
    }
    let most = rows.iter().filter(|(table, _)| applies(table.as_ref())).map(|(_, most)| *most).max();
    let (count, extrapolated) = most.unwrap_or_default();
    BudgetLine {
        limit: key,
        allowed: limit.to_string(),
        observed: Count(count).to_string(),
        ok: count <= limit.0,
        basis: if extrapolated { "extrapolated" } else { "measured" }.to_owned(),
    }
}

fn not_measured(limit: String, allowed: String) -> BudgetLine {
    let unknown = "not measured".to_owned();
    BudgetLine { limit, allowed, observed: unknown.clone(), ok: false, basis: unknown }
}

fn allowed(span: Span) -> String {
    span.0.map_or_else(|| "none".to_owned(), |duration| short(duration.as_secs_f64()))
}

/// Seconds as a budget is written: `0s`, `310ms`, `1s`, `50.7s`, `3.3min`.
fn short(seconds: f64) -> String {
    let trimmed = |text: String, unit: &str| {
        let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
        format!("{text}{unit}")
    };
    match seconds {
        s if s < 0.0005 => "0s".to_owned(),
        s if s < 0.9995 => format!("{:.0}ms", s * 1000.0),
        s if s < 9.995 => trimmed(format!("{s:.2}"), "s"),
        s if s < 119.95 => trimmed(format!("{s:.1}"), "s"),
        s => trimmed(format!("{:.1}", s / 60.0), "min"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::advise::record::TableBudget;
    use crate::advise::record::{Allowance, BudgetLine};
    use crate::advise::specimen::{Specimen, shop};

    fn specimen() -> Specimen {
        Specimen::of("DELETE FROM page_views WHERE id < 5; UPDATE orders SET status = 'x'")
            .changes(1, 4, 0.1)
            .changes(2, 2_000_000, 50.0)
            .blocks(1, "page_views", ProbeKind::Read, 0.31)
            .blocks(2, "orders", ProbeKind::Update, 50.71)
    }

    fn line(specimen: &Specimen, limit: &str) -> BudgetLine {
        specimen.judge().budget.into_iter().find(|line| line.limit == limit).expect("the line")
    }

    #[test]
    fn what_nobody_limited_may_wait_a_second() {
        let read = line(&specimen(), "longest_blocked_read");
        assert_eq!((read.allowed.as_str(), read.observed.as_str(), read.ok), ("1s", "310ms", true));
        let write = line(&specimen(), "longest_blocked_write");
        assert_eq!((write.allowed.as_str(), write.observed.as_str(), write.ok), ("1s", "50.7s", false));
        assert_eq!(write.basis, "measured");
    }

    #[test]
    fn a_tables_own_limit_stands_over_the_general_one() {
        let mut specimen = specimen();
        let own = TableBudget { longest_blocked_write: Some(Span(None)), ..TableBudget::default() };
        specimen.budget.tables.insert(shop("orders"), own);
        assert!(line(&specimen, "longest_blocked_write").ok, "orders are judged by their own limit");
        let own = line(&specimen, "tables.shop.orders.longest_blocked_write");
        assert_eq!((own.allowed.as_str(), own.ok), ("none", true));
    }

    #[test]
    fn rows_and_what_was_not_measured_are_held_too() {
        let mut specimen = specimen();
        specimen.budget.rows_per_statement = Some(Count(100_000));
        specimen.budget.replica_lag = Some(Span(Some(Duration::from_secs(10))));
        let rows = line(&specimen, "rows_per_statement");
        assert_eq!((rows.allowed.as_str(), rows.observed.as_str(), rows.ok), ("100k", "2M", false));
        let lag = line(&specimen, "replica_lag");
        assert_eq!((lag.allowed.as_str(), lag.observed.as_str(), lag.ok), ("10s", "not measured", false));
    }

    #[test]
    fn an_accepted_wait_does_not_count() {
        let mut specimen = specimen();
        specimen.allow.push(Allowance {
            rule: "blocked-writes".into(),
            statement: Some("s2".into()),
            reason: "at night".into(),
            until: None,
        });
        let write = line(&specimen, "longest_blocked_write");
        assert_eq!((write.observed.as_str(), write.ok), ("0s (accepted: s2)", true));
    }
}

//! Findings and limits that came, went, or weigh otherwise.

use std::collections::BTreeMap;

use super::record::{Change, Pair, Trend};
use crate::advise::record::{Finding, Severity};
use crate::report::record::Report;
use crate::report::wording::severity;

/// Rules that find nothing but waits.
const OF_WAITS: [&str; 3] = ["blocked-reads", "blocked-writes", "commit-stall"];

/// What came, went, or weighs more or less. A finding is the same when its rule and its statement are.
pub fn findings(a: &Report, b: &Report, pairs: &[Pair]) -> Vec<Change> {
    let names = |id: fn(&Pair) -> &Option<String>| -> BTreeMap<&str, &str> {
        pairs.iter().filter_map(|pair| Some((id(pair).as_deref()?, pair.name.as_str()))).collect()
    };
    let (in_a, in_b) = (names(|pair| &pair.a), names(|pair| &pair.b));
    let (was, is) = (told(a, &in_a), told(b, &in_b));
    let mut changes = Vec::new();
    let mut add = |trend, of_weight: bool, place: &Key, of: &Finding, what: String| {
        // A finding that is made of a wait hangs on it: inside of the noise it comes and goes by itself.
        let moved = pairs.iter().find(|pair| Some(&pair.name) == place.1.as_ref()).is_none_or(|pair| {
            pair.a.is_none() || pair.b.is_none() || pair.cells.iter().any(|cell| cell.trend != Trend::Same)
        });
        let weighed = of_weight && of.message.starts_with("blocks ");
        let (trend, note) = if moved || !(weighed || OF_WAITS.contains(&of.rule.as_str())) {
            (trend, "")
        } else {
            (Trend::Changed, " (the waits behind it are within the noise, or were not judged)")
        };
        changes.push(Change {
            trend,
            severity: of.severity,
            statement: place.1.clone(),
            what: format!("{what}{note}"),
        });
    };
    for (key, now) in &is {
        match was.get(key) {
            None => {
                let trend = if now.severity == Severity::Info { Trend::Changed } else { Trend::Worse };
                add(trend, false, key, now, format!("{} {} appeared: {}", severity(now.severity), key.0, now.message));
            }
            Some(before) if before.severity != now.severity => {
                let trend = if now.severity > before.severity { Trend::Worse } else { Trend::Better };
                let (from, to) = (severity(before.severity), severity(now.severity));
                add(trend, true, key, now, format!("{} is {to} now, and was {from}: {}", key.0, now.message));
            }
            Some(_) => {}
        }
    }
    for (key, before) in was.iter().filter(|(key, _)| !is.contains_key(key)) {
        let trend = if before.severity == Severity::Info { Trend::Changed } else { Trend::Better };
        add(trend, false, key, before, format!("{} {} is gone", severity(before.severity), key.0));
    }
    changes
}

/// A rule, and the statement's name.
type Key = (String, Option<String>);

/// Of each rule and statement the gravest finding.
fn told<'a>(report: &'a Report, names: &BTreeMap<&str, &str>) -> BTreeMap<Key, &'a Finding> {
    let mut told: BTreeMap<Key, &Finding> = BTreeMap::new();
    for finding in &report.findings {
        let name = finding.statement.as_deref().map(|id| names.get(id).copied().unwrap_or(id).to_owned());
        let entry = told.entry((finding.rule.clone(), name)).or_insert(finding);
        if finding.severity > entry.severity {
            *entry = finding;
        }
    }
    told
}

/// Limits that hold no longer, or hold again.
pub fn budget(a: &Report, b: &Report) -> Vec<Change> {
    (b.budget.iter())
        .filter_map(|line| {
            let before = a.budget.iter().find(|before| before.limit == line.limit)?;
            let (trend, words) = match (before.ok, line.ok) {
                (true, false) => (Trend::Worse, "is passed"),
                (false, true) => (Trend::Better, "holds"),
                _ => return None,
            };
            let what = format!(
                "the limit {} {words}: {} of {}, and was {}",
                line.limit, line.observed, line.allowed, before.observed
            );
            Some(Change { trend, severity: Severity::Error, statement: None, what })
        })
        .collect()
}

//! Statements of two reports, matched and held against each other.

use std::collections::BTreeMap;

use super::record::{Band, Cell, Change, Pair, Trend};
use crate::advise::record::Severity;
use crate::quantity;
use crate::replay::record::Algorithm;
use crate::report::record::{Alternative, Report, Statement};
use crate::report::wording::{self, NOISE_SECONDS, PROBES};

/// What two statements are matched by: their name, else their digest and which of its like they are.
type Key<'a> = (&'a str, usize);

/// Pairs: B's statements in their order, then those that only A has.
pub fn pairs(a: &Report, b: &Report, band: &Band, judges_times: bool) -> Vec<Pair> {
    let was = keyed(a);
    let is = keyed(b);
    let by_key: BTreeMap<Key<'_>, &Statement> = was.iter().copied().collect();
    let has: BTreeMap<Key<'_>, ()> = is.iter().map(|(key, _)| (*key, ())).collect();
    let both = is.iter().map(|(key, is)| match by_key.get(key) {
        Some(was) => held(was, is, band, judges_times),
        None => alone(is, false),
    });
    both.chain(was.iter().filter(|(key, _)| !has.contains_key(key)).map(|(_, was)| alone(was, true))).collect()
}

fn keyed(report: &Report) -> Vec<(Key<'_>, &Statement)> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    (report.statements.iter())
        .map(|statement| {
            let word = statement.name.as_deref().unwrap_or(&statement.digest);
            let nth = seen.entry(word).or_default();
            *nth += 1;
            ((word, *nth), statement)
        })
        .collect()
}

/// A statement that only one side has.
fn alone(statement: &Statement, gone: bool) -> Pair {
    let name = wording::label(statement);
    let what = if gone { "is not in B any more" } else { "is new in B" };
    let change = Change {
        trend: Trend::Changed,
        severity: Severity::Info,
        statement: Some(name.clone()),
        what: format!("{what}: {}", wording::one_line(&statement.text, 80)),
    };
    let id = Some(statement.id.clone());
    Pair {
        text: wording::one_line(&statement.text, 120),
        a: id.clone().filter(|_| gone),
        b: id.filter(|_| !gone),
        cells: cells(gone.then_some(statement), (!gone).then_some(statement), None),
        changes: vec![change],
        name,
    }
}

fn held(was: &Statement, is: &Statement, band: &Band, judges_times: bool) -> Pair {
    let name = wording::label(is);
    let mut changes = Vec::new();
    let mut add = |trend, severity, what: String| {
        changes.push(Change { trend, severity, statement: Some(name.clone()), what });
    };
    if was.outcome != is.outcome {
        let error = is.error.as_ref().map(|error| format!(" with {error}")).unwrap_or_default();
        let trend = match (was.outcome.as_str(), is.outcome.as_str()) {
            ("done", _) => Trend::Worse,
            (_, "done") => Trend::Better,
            _ => Trend::Changed,
        };
        add(trend, Severity::Error, format!("{}{error}, and was {}", is.outcome, was.outcome));
    }
    let (before, now) = (how(was), how(is));
    if before != now && was.outcome == is.outcome {
        let trend = match rank(was).cmp(&rank(is)) {
            std::cmp::Ordering::Less => Trend::Worse,
            std::cmp::Ordering::Greater => Trend::Better,
            std::cmp::Ordering::Equal => Trend::Changed,
        };
        add(trend, Severity::Warning, format!("is carried out as {now}, and was as {before}"));
    }
    let cells = cells(Some(was), Some(is), judges_times.then_some(band));
    for cell in cells.iter().filter(|cell| cell.trend != Trend::Same) {
        let (before, now) = (seconds(cell.a), seconds(cell.b));
        let what = if cell.what == "time" {
            format!("takes {now}, and took {before}")
        } else {
            format!("{} wait for {now} at most, and waited for {before}", cell.what)
        };
        add(cell.trend, Severity::Warning, what);
    }
    let rows = (was.rows.affected, is.rows.affected);
    if let (Some(before), Some(after)) = rows
        && before != after
        && judges_times
    {
        let (before, after) = (quantity::grouped(before), quantity::grouped(after));
        add(Trend::Changed, Severity::Info, format!("changes {after} rows, and changed {before}"));
    }
    let failed = |statement: &Statement| statement.failed.iter().map(|one| one.count).sum::<u64>();
    match (failed(was), failed(is)) {
        (0, count) if count > 0 => {
            add(
                Trend::Worse,
                Severity::Warning,
                format!("{} fail meanwhile, and none did", quantity::counted(count, "request")),
            );
        }
        (count, 0) if count > 0 => {
            add(
                Trend::Better,
                Severity::Warning,
                format!("no request fails meanwhile, and {} did", quantity::grouped(count)),
            );
        }
        _ => {}
    }
    alternatives(was, is, &mut add);
    Pair {
        text: wording::one_line(&is.text, 120),
        a: Some(was.id.clone()),
        b: Some(is.id.clone()),
        cells,
        changes,
        name,
    }
}

/// Time and the longest wait of each kind of request; judged where there is a band.
fn cells(was: Option<&Statement>, is: Option<&Statement>, band: Option<&Band>) -> Vec<Cell> {
    let trend = |a, b| band.map_or(Trend::Same, |band| band.trend(a, b));
    let of = |what, a: Option<f64>, b: Option<f64>| Cell { what, a, b, trend: trend(a, b) };
    let time = |statement: Option<&Statement>| statement.and_then(|one| one.seconds);
    let went = match (band, was, is) {
        (Some(band), Some(was), Some(is)) => band.time(was, is),
        _ => Trend::Same,
    };
    let mut cells = vec![Cell { what: "time", a: time(was), b: time(is), trend: went }];
    for probe in PROBES {
        // A kind of request that waited on neither side has no line; one that waited on one side waited 0 s on the other.
        let longest = |statement: Option<&Statement>| {
            let statement = statement?;
            Some(wording::longest(&statement.blocked, probe).unwrap_or(0.0)).filter(|_| statement.outcome != "skipped")
        };
        cells.push(of(wording::plural(probe), longest(was), longest(is)));
    }
    cells
}

/// `0 s` for what was within the noise of any server.
fn seconds(value: Option<f64>) -> String {
    match value {
        Some(value) if value < NOISE_SECONDS / 50.0 => "0 s".to_owned(),
        Some(value) => quantity::seconds(value),
        None => "?".to_owned(),
    }
}

fn how(statement: &Statement) -> String {
    let how = wording::how(statement);
    if how.is_empty() { "unknown".to_owned() } else { how }
}

/// The gentler way is the lesser; what is not known is neither.
fn rank(statement: &Statement) -> u8 {
    match (statement.algorithm, statement.rebuilds) {
        (Some(Algorithm::Instant), _) => 0,
        (Some(Algorithm::Inplace), false) => 1,
        (Some(Algorithm::Inplace), true) => 2,
        (Some(Algorithm::Copy), _) => 3,
        (None, _) => 4,
    }
}

/// What became of the other ways: which one the plan takes, and whether it still leaves the same.
fn alternatives(was: &Statement, is: &Statement, add: &mut impl FnMut(Trend, Severity, String)) {
    let chosen = |statement: &Statement| statement.alternatives.iter().find(|way| way.chosen).map(|way| way.id.clone());
    let (before, now) = (chosen(was), chosen(is));
    let name = |way: &Option<String>| way.clone().unwrap_or_else(|| "the statement as written".to_owned());
    if before != now {
        add(Trend::Changed, Severity::Info, format!("the plan takes {}, and took {}", name(&now), name(&before)));
    }
    for way in &is.alternatives {
        let Some(earlier) = was.alternatives.iter().find(|earlier| earlier.id == way.id) else { continue };
        let same = |way: &Alternative| {
            way.proof.as_ref().filter(|_| way.completed != Some(false)).map(|proof| proof.same_result)
        };
        let severity = if earlier.chosen { Severity::Error } else { Severity::Info };
        match (same(earlier), same(way)) {
            (Some(true), Some(false) | None) => {
                let result = wording::proof(way);
                let trend = if earlier.chosen { Trend::Worse } else { Trend::Changed };
                add(
                    trend,
                    severity,
                    format!("{}: its result is '{result}', and was '{}'", way.id, wording::proof(earlier)),
                );
            }
            (Some(false), Some(true)) => {
                add(Trend::Changed, Severity::Info, format!("{}: leaves the same now, and did not", way.id));
            }
            _ => {}
        }
    }
}

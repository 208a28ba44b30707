//! Rows of the picture as SVG. One unit is a millisecond, so that a page zooms by its `viewBox` alone.
//!
//! Only numbers are written into the drawings; every name stands beside them, in HTML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::picture::{Lane, Picture, Stretch};
use crate::quantity;
use crate::report::record::Report;
use crate::report::wording::{self, NOISE_SECONDS, PROBES};
use crate::watch::record::ProbeKind;

/// One line of the picture.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it shows: `updates`.
    pub label: String,
    /// The number that sums it up: `1.01 s`.
    pub sum: String,
    /// The same in words, for those who do not see it.
    pub words: String,
    /// How it is drawn: `bars`, `blocked`, `area` or `ticks`.
    pub kind: &'static str,
    /// Shapes; nothing but numbers.
    pub shapes: String,
    /// The highest value, where values are counts: the page tells them of each moment.
    pub most: Option<u64>,
}

/// Rows that belong together: a table's, the server's.
#[derive(Clone, Debug)]
pub struct Group {
    /// The table, or what else they share.
    pub title: String,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A phase, in milliseconds.
#[derive(Clone, Debug)]
pub struct Band {
    /// `steady`, `run`, `settle`.
    pub name: String,
    /// When it began.
    pub from: String,
    /// When it ended.
    pub to: String,
}

/// The picture as a page shows it.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// Statements.
    pub statements: Row,
    /// Who waited, by table; then what the server told.
    pub groups: Vec<Group>,
    /// Phases.
    pub bands: Vec<Band>,
    /// The whole, in milliseconds: begin and length.
    pub whole: (String, String),
    /// The part that is shown first.
    pub first: (String, String),
    /// Who was asked and never waited; empty when nobody was.
    pub quiet: String,
    /// Queues in which nobody ever stood.
    pub empty: Vec<&'static str>,
    /// What a reader looks for and nobody measured, and why.
    pub unmeasured: Vec<(&'static str, &'static str)>,
    /// What is missing in the picture; empty when nothing is.
    pub missing: String,
}

/// Draws; none when nothing is known of when anything happened.
pub fn draw(picture: &Picture, report: &Report) -> Option<Drawing> {
    let whole = picture.whole()?;
    let first = picture.run()?;
    let mut groups = waits(picture);
    groups.extend(server(picture));
    let missing = match picture.strange {
        0 => String::new(),
        lines => format!(
            "{} of timeline.jsonl could not be read and are not in the picture",
            quantity::counted(lines, "line")
        ),
    };
    Some(Drawing {
        statements: statements(picture, report),
        groups,
        bands: (picture.phases.iter())
            .map(|phase| Band {
                name: phase.name.clone(),
                from: ms(phase.from_seconds),
                to: ms(phase.from_seconds + phase.seconds),
            })
            .collect(),
        whole: (ms(whole.from), ms(whole.to - whole.from)),
        first: (ms(first.from), ms(first.to - first.from)),
        quiet: quiet(picture, report),
        empty: (QUEUES.iter())
            .filter(|(series, _)| {
                picture.series.get(*series).is_some_and(|values| values.iter().all(|one| one.1 == 0.0))
            })
            .map(|(_, label)| *label)
            .collect(),
        unmeasured: unmeasured(picture, report),
        missing,
    })
}

fn statements(picture: &Picture, report: &Report) -> Row {
    let mut shapes = String::new();
    for (index, stretch) in &picture.statements {
        let Some(statement) = report.statements.get(*index) else { continue };
        let longest = statement.blocked.iter().map(|one| one.longest_seconds).fold(0.0, f64::max);
        let class = match (statement.error.is_some(), longest >= NOISE_SECONDS) {
            (true, _) => " class=\"bad\"",
            (_, true) => " class=\"loud\"",
            _ => "",
        };
        let _ = write!(shapes, "<rect{class} data-i=\"{index}\" {}/>", extent(stretch));
    }
    let count = picture.statements.len() as u64;
    Row {
        label: "statements".to_owned(),
        sum: quantity::grouped(count),
        words: format!("{} as bars, in the order in which they ran", quantity::counted(count, "statement")),
        kind: "bars",
        shapes,
        most: None,
    }
}

/// Who waited: what stalls the whole server first, then each table, the one that waited longest first.
fn waits(picture: &Picture) -> Vec<Group> {
    let mut tables: BTreeMap<(bool, &crate::sql::record::TableName), Vec<(ProbeKind, &Lane)>> = BTreeMap::new();
    for ((table, probe), lane) in &picture.lanes {
        tables.entry((*probe != ProbeKind::Commit, table)).or_default().push((*probe, lane));
    }
    let mut tables: Vec<_> = tables.into_iter().collect();
    let longest = |lanes: &[(ProbeKind, &Lane)]| lanes.iter().map(|(_, lane)| lane.longest).fold(0.0, f64::max);
    tables.sort_by(|a, b| a.0.0.cmp(&b.0.0).then(longest(&b.1).total_cmp(&longest(&a.1))));
    (tables.into_iter())
        .map(|((is_table, table), lanes)| {
            let place = |probe: ProbeKind| PROBES.iter().position(|one| *one == probe);
            let mut lanes = lanes;
            lanes.sort_by_key(|(probe, _)| place(*probe));
            let title = if is_table { table.to_string() } else { "the whole server".to_owned() };
            Group { rows: lanes.into_iter().map(|(probe, lane)| waited(probe, lane, &title)).collect(), title }
        })
        .collect()
}

fn waited(probe: ProbeKind, lane: &Lane, of: &str) -> Row {
    let mut shapes = String::new();
    for stretch in &lane.blocked {
        let _ = write!(shapes, "<rect {}/>", extent(stretch));
    }
    for (at, _) in &lane.failed {
        let _ = write!(shapes, "<path class=\"fail\" d=\"M{} 0V1\"/>", ms(*at));
    }
    let total: f64 = lane.blocked.iter().map(|one| one.to - one.from).sum();
    let failed = match lane.failed.len() as u64 {
        0 => String::new(),
        count => format!("{} failed", quantity::grouped(count)),
    };
    let what = wording::plural(probe);
    let longest = (lane.waits > 0).then(|| quantity::seconds(lane.longest));
    let sum = [longest.clone().unwrap_or_default(), failed.clone()].into_iter().filter(|part| !part.is_empty());
    let mut words = match longest {
        Some(longest) => {
            format!("{what}, {of}: blocked for {} in all, one request for {longest}", quantity::seconds(total))
        }
        None => format!("{what}, {of}"),
    };
    if !failed.is_empty() {
        words.push_str(&format!("; {failed} instead of waiting"));
    }
    Row { label: what.to_owned(), sum: sum.collect::<Vec<_>>().join(", "), words, kind: "blocked", shapes, most: None }
}

/// Series of how many sessions waited.
const QUEUES: [(&str, &str); 2] =
    [("metadata_lock_queue", "metadata-lock queue"), ("row_lock_queue", "row-lock queue")];

/// What a reader looks for in vain, and why.
fn unmeasured(picture: &Picture, report: &Report) -> Vec<(&'static str, &'static str)> {
    let mut rows = Vec::new();
    rows.extend(
        QUEUES
            .into_iter()
            .filter(|(series, _)| !picture.series.contains_key(*series))
            .map(|(_, label)| (label, "the server was not asked for it, or does not show it")),
    );
    if report.pools.is_empty() {
        rows.push(("pools: busy, lost", "no workload ran beside the upgrade"));
    }
    if !report.members.iter().any(|member| member.role == "replica") {
        rows.push(("replica lag", "there was no replica"));
    }
    rows
}

/// What the server told of itself: sessions that waited, and measured values.
fn server(picture: &Picture) -> Option<Group> {
    let mut rows = Vec::new();
    // A time line of an earlier version tells when somebody began to wait, and not for how long.
    if !picture.waits.is_empty() && !QUEUES.iter().any(|(series, _)| picture.series.contains_key(*series)) {
        let mut shapes = String::new();
        for (at, _) in &picture.waits {
            let _ = write!(shapes, "<path d=\"M{} 0V1\"/>", ms(*at));
        }
        let count = picture.waits.len() as u64;
        rows.push(Row {
            label: "lock waits seen".to_owned(),
            sum: quantity::grouped(count),
            words: format!("the server showed {} for a lock", quantity::counted(count, "wait")),
            kind: "ticks",
            shapes,
            most: None,
        });
    }
    let queue = |name: &str| QUEUES.iter().any(|(series, _)| *series == name);
    for first in [true, false] {
        let own = picture.series.iter().filter(|(name, _)| queue(name) == first);
        rows.extend(own.filter_map(|(name, values)| series(name, values)));
    }
    (!rows.is_empty()).then(|| Group { title: "what the server told".to_owned(), rows })
}

/// How a series is read: its title, whether its growth or its rate tells more than its value, and its unit.
fn reading(name: &str) -> (String, Reading, fn(f64) -> String) {
    let count = |value: f64| quantity::grouped(value.max(0.0).round() as u64);
    let bytes = |value: f64| quantity::bytes(value.max(0.0) as u64);
    if let Some((_, label)) = QUEUES.iter().find(|(series, _)| *series == name) {
        return ((*label).to_owned(), Reading::Value, count);
    }
    match name {
        "history_list" => ("undo history".to_owned(), Reading::Value, count),
        "threads_running" => ("threads running".to_owned(), Reading::Value, count),
        "binlog_bytes" => ("binary log".to_owned(), Reading::Growth, bytes),
        "data_directory_bytes" => ("disk growth".to_owned(), Reading::Growth, bytes),
        "server_cpu_seconds" => ("processors used".to_owned(), Reading::Rate, |value| format!("{value:.1}")),
        _ => (name.replace('_', " "), Reading::Value, |value| {
            format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }),
    }
}

/// What of a series is drawn.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Value,
    Growth,
    Rate,
}

fn series(name: &str, values: &[(f64, f64)]) -> Option<Row> {
    // How busy the server was while it settled; `server_cpu_seconds` tells it for the whole.
    if name == "server_cpu" {
        return None;
    }
    let (label, kind, unit) = reading(name);
    let values: Vec<(f64, f64)> = match kind {
        Reading::Value => values.to_vec(),
        Reading::Growth => {
            let least = values.iter().map(|(_, value)| *value).reduce(f64::min)?;
            values.iter().map(|(at, value)| (*at, value - least)).collect()
        }
        Reading::Rate => (values.windows(2))
            .filter(|pair| pair[1].0 > pair[0].0)
            .map(|pair| (pair[1].0, (pair[1].1 - pair[0].1).max(0.0) / (pair[1].0 - pair[0].0)))
            .collect(),
    };
    let most = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let (first, last) = (values.first()?, values.last()?);
    if most <= 0.0 || values.len() < 2 {
        return None;
    }
    let mut shapes = format!("<path d=\"M{} 1", ms(first.0));
    for (at, value) in &values {
        let _ = write!(shapes, "L{} {:.3}", ms(*at), 1.0 - value / most * 0.94);
    }
    let _ = write!(shapes, "L{} 1Z\"/>", ms(last.0));
    let highest = unit(most);
    let is_count = kind == Reading::Value && values.iter().all(|(_, value)| value.fract() == 0.0);
    Some(Row {
        words: format!("{label}: {highest} at most"),
        sum: format!("≤ {highest}"),
        label,
        kind: "area",
        shapes,
        most: is_count.then_some(most as u64),
    })
}

/// Kinds of request that were asked and never kept waiting, by table.
fn quiet(picture: &Picture, report: &Report) -> String {
    let mut tables: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for probe in PROBES {
        for asked in report.noise.iter().filter(|asked| asked.probe == probe) {
            if !picture.lanes.contains_key(&(asked.table.clone(), probe)) {
                let of =
                    if probe == ProbeKind::Commit { "the whole server".to_owned() } else { asked.table.to_string() };
                tables.entry(of).or_default().push(wording::plural(probe));
            }
        }
    }
    let lines: Vec<String> = tables.iter().map(|(table, kinds)| format!("{table} ({})", kinds.join(", "))).collect();
    lines.join("; ")
}

/// A rectangle's place; one without a width would not be drawn at all.
fn extent(stretch: &Stretch) -> String {
    let width = (stretch.to - stretch.from).max(0.0001);
    format!("x=\"{}\" y=\"0\" width=\"{}\" height=\"1\"", ms(stretch.from), ms(width))
}

/// Seconds as milliseconds, a tenth exact.
fn ms(seconds: f64) -> String {
    let text = format!("{:.1}", seconds * 1000.0);
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

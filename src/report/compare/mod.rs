//! Two rehearsals side by side: yesterday's and today's, two servers, before and after a mend. Pure.
//!
//! Two reports in, a [`record::Comparison`] out. No two runs of one upgrade take the same time: a number has changed only
//! when it lies outside of the band in which such runs differ anyway, and the band is told with where it comes from.

mod band;
mod findings;
mod html;
mod markdown;
mod pair;
pub mod record;
mod text;

use anyhow::Result;

use self::band::band;
use self::record::{Change, Comparison, SCHEMA_VERSION, Side, Trend};
use super::record::{Report, Verdict};
use super::{verdict, wording};
use crate::advise::record::Severity;
use crate::quantity;

/// Tables of which one side held more than this share of rows more than the other are of another size.
const SIZE: f64 = 0.02;

/// Compares: `a` is what was, `b` what is.
pub fn compare(a: &Report, b: &Report) -> Comparison {
    let mut conditions = conditions(a, b);
    let other_size = sizes(a, b);
    let judges_times = other_size.is_none();
    conditions.extend(other_size);
    let band = band(a, b);
    let pairs = pair::pairs(a, b, &band, judges_times);
    let mut changes = Vec::new();
    if a.verdict != b.verdict {
        let (trend, severity) = match b.verdict {
            Verdict::Fail => (Trend::Worse, Severity::Error),
            Verdict::Pass => (Trend::Better, Severity::Error),
        };
        let (was, is) = (word(a.verdict), word(b.verdict));
        changes.push(Change { trend, severity, statement: None, what: format!("the verdict is {is}, and was {was}") });
    }
    changes.extend(findings::budget(a, b));
    changes.extend(pairs.iter().flat_map(|pair| pair.changes.iter().cloned()));
    changes.extend(findings::findings(a, b, &pairs));
    // Worse first; of those the gravest; then in the upgrade's order.
    changes.sort_by(|x, y| x.trend.cmp(&y.trend).then(y.severity.cmp(&x.severity)));
    Comparison {
        schema_version: SCHEMA_VERSION,
        a: side(a),
        b: side(b),
        conditions,
        judges_times,
        band,
        changes,
        statements: pairs,
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
    }
}

fn side(report: &Report) -> Side {
    Side {
        name: report.name.clone(),
        started: report.started.clone(),
        place: wording::place(report),
        scale: report.scale,
        verdict: report.verdict,
        sentences: verdict::sentences(report),
    }
}

/// What was not the same in the two runs, besides what was rehearsed.
fn conditions(a: &Report, b: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = |what: &str, was: String, is: String| {
        if was != is {
            lines.push(format!("{what}: {was} in A, {is} in B"));
        }
    };
    let servers = |report: &Report| {
        let all = report.members.iter().map(|one| format!("{} ({}) as {}", one.flavor, one.version, one.sandbox));
        all.collect::<Vec<_>>().join(", ")
    };
    differ("server", servers(a), servers(b));
    differ("processors", a.environment.cpus.to_string(), b.environment.cpus.to_string());
    let memory = |report: &Report| report.environment.memory_bytes.map_or_else(|| "unknown".into(), quantity::bytes);
    differ("memory", memory(a), memory(b));
    differ("rehearse", a.tool.version.clone(), b.tool.version.clone());
    let upgrade = |report: &Report| format!("{:.12} ({} statements)", report.upgrade.digest, report.upgrade.statements);
    differ("upgrade", upgrade(a), upgrade(b));
    lines
}

/// Why times cannot be held against each other; none when the tables were of one size.
fn sizes(a: &Report, b: &Report) -> Option<String> {
    if (a.scale - b.scale).abs() > f64::EPSILON {
        return Some(format!("scale: {} in A, {} in B: times and waits are shown, and not judged", a.scale, b.scale));
    }
    let other = a.tables.iter().find_map(|was| {
        let is = b.tables.iter().find(|is| is.name == was.name)?;
        let (before, now) = (was.rows_before? as f64, is.rows_before? as f64);
        ((before - now).abs() > SIZE * before.max(now)).then_some((was, is))
    });
    other.map(|(was, is)| {
        format!(
            "rows of {}: {} in A, {} in B: times and waits are shown, and not judged",
            was.name,
            quantity::grouped(was.rows_before.unwrap_or_default()),
            quantity::grouped(is.rows_before.unwrap_or_default())
        )
    })
}

/// For a terminal.
pub fn text(comparison: &Comparison, colour: bool, width: u16) -> String {
    text::render(comparison, colour, width)
}

/// For a pull request.
pub fn markdown(comparison: &Comparison) -> String {
    markdown::render(comparison)
}

/// One page for a browser.
///
/// # Errors
/// When the template cannot be filled: memory.
pub fn html(comparison: &Comparison) -> Result<String> {
    html::render(comparison)
}

/// The whole in one sentence.
pub fn sentence(comparison: &Comparison) -> String {
    let count = |trend| comparison.changes.iter().filter(|change| change.trend == trend).count() as u64;
    let (worse, better, other) = (count(Trend::Worse), count(Trend::Better), count(Trend::Changed));
    let within = comparison.statements.iter().filter(|pair| pair.changes.is_empty()).count() as u64;
    let times =
        if comparison.judges_times { "" } else { "; times were not judged, for the tables were not of one size" };
    let word = if worse > 0 { "WORSE" } else { "NOTHING WORSE" };
    let verb = if within == 1 { "is" } else { "are" };
    let counted =
        [(worse, "worse"), (better, "better"), (other, "otherwise")].into_iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = counted
        .enumerate()
        .map(|(place, (count, which))| match place {
            0 => format!("{} {which}", quantity::counted(count, "thing")),
            _ => format!("{} {which}", quantity::grouped(count)),
        })
        .collect();
    parts.push(format!("{} {verb} as before, within the noise{times}", quantity::counted(within, "statement")));
    format!("{word}: {}.", parts.join(", "))
}

#[cfg(test)]
mod tests;

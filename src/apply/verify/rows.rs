//! Whether tables hold about as many rows as were rehearsed: by the server's estimate where that is clear, else counted.

use anyhow::{Context, Result};

use super::ground::Ground;
use super::verdict::{Found, Severity};
use crate::plan::record::RowBand;
use crate::quantity::{counted, grouped, seconds};
use crate::server::session::ReadOnly;
use crate::sql::record::TableName;
use crate::survey::answer::Cells;
use crate::survey::now::limit;

const CHECK: &str = "rows";

/// Tables of so many bytes are counted in any case: it takes less than half a second.
const SMALL_BYTES: u64 = 64 << 20;

/// How far an InnoDB estimate may be off before it says nothing: from samples it was off by half in practice, and by more
/// for wide rows.
const DOUBT: f64 = 2.0;

pub(super) fn look(ground: &Ground<'_>, reader: &mut ReadOnly, found: &mut Found) -> Result<()> {
    let before = found.reasons.len();
    let mut looked = 0_u64;
    for (table, band) in &ground.plan.identity.rows {
        let Some(now) = ground.now.tables.get(table).filter(|_| !ground.apart.contains(table)) else { continue };
        looked += 1;
        let is_exact = !now.engine.eq_ignore_ascii_case("innodb");
        if is_exact && now.engine.eq_ignore_ascii_case("myisam") {
            told(table, band, now.rows, "", found);
            continue;
        }
        if is_clear(band, now.rows) && now.data_bytes > SMALL_BYTES {
            continue;
        }
        match count(ground, reader, table)? {
            Ok(rows) => told(table, band, rows, "", found),
            Err(why) => doubtful(table, band, now.rows, &why, found),
        }
    }
    if found.reasons.len() == before && looked > 0 {
        found.fine(format!("the rows of {} are about as many as were rehearsed", counted(looked, "table")));
    }
    Ok(())
}

/// An estimate that is well within the band: a tenth of the rows away from its edges.
fn is_clear(band: &RowBand, estimate: u64) -> bool {
    let margin = band.surveyed / 10;
    estimate >= band.low.saturating_add(margin) && estimate <= band.high.saturating_sub(margin)
}

fn count(ground: &Ground<'_>, reader: &mut ReadOnly, table: &TableName) -> Result<Result<u64, String>> {
    let patience = ground.options.count_seconds;
    if patience == 0 {
        return Ok(Err("not counted".to_owned()));
    }
    let flavor = ground.now.server.flavor;
    limit(reader, flavor, patience)?;
    let answer = reader.first::<Cells>(&format!("SELECT COUNT(*) FROM {}", table.quoted()));
    limit(reader, flavor, crate::survey::now::PATIENCE_SECONDS)?;
    match answer {
        Ok(row) => Ok(row.and_then(|row| row.number(0)).ok_or_else(|| "the server gave no count".to_owned())),
        Err(fault) if fault.is_connection_lost() => Err(fault).with_context(|| format!("cannot count {table}")),
        Err(fault) if fault.is_interrupted() => {
            Ok(Err(format!("counting took more than {}", seconds(patience as f64))))
        }
        Err(fault) => Ok(Err(fault.to_string())),
    }
}

fn told(table: &TableName, band: &RowBand, rows: u64, basis: &str, found: &mut Found) {
    if band.holds(rows) {
        return;
    }
    let share = (rows as f64 / band.surveyed.max(1) as f64 - 1.0) * 100.0;
    let seen = format!("{} rows{basis} ({share:+.0} %)", grouped(rows));
    let next = "survey and rehearse again (rehearse survey --exact): times and locks grow with the rows";
    found.add(Severity::Refuse, CHECK, format!("table {table}"), seen, wanted(band), next);
}

fn wanted(band: &RowBand) -> String {
    format!("{} ({} to {})", grouped(band.surveyed), grouped(band.low), grouped(band.high))
}

/// Only an estimate is there: it refuses where no estimate is so far off.
fn doubtful(table: &TableName, band: &RowBand, estimate: u64, why: &str, found: &mut Found) {
    let (low, high) = (band.low as f64 / DOUBT, band.high as f64 * DOUBT);
    if (low..=high).contains(&(estimate as f64)) {
        if !is_clear(band, estimate) {
            found.unchecked(
                CHECK,
                format!("table {table}"),
                format!(
                    "about {} rows by the server's estimate, {} were rehearsed; {why}",
                    grouped(estimate),
                    wanted(band)
                ),
                "count it on a replica, or give more time: --count-time",
            );
        }
    } else {
        told(table, band, estimate, " by the server's estimate", found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_clear_well_within_the_band_and_refuses_only_far_outside() {
        let band = RowBand::around(1_000_000, None);
        assert!(is_clear(&band, 1_000_000) && is_clear(&band, 900_000) && !is_clear(&band, 1_150_000));
        let judged = |estimate| {
            let mut found = Found::default();
            doubtful(&TableName::new("app", "t"), &band, estimate, "counting took too long", &mut found);
            found.reasons.first().map(|reason| reason.severity)
        };
        assert_eq!(judged(1_050_000), None);
        assert_eq!(judged(1_300_000), Some(Severity::Unchecked));
        assert_eq!(judged(3_000_000), Some(Severity::Refuse));
        let mut found = Found::default();
        told(&TableName::new("app", "t"), &band, 1_300_000, "", &mut found);
        assert_eq!(found.reasons[0].seen, "1,300,000 rows (+30 %)");
    }
}

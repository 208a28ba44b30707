//! What a plan is true for: when one of these has changed, rehearse again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::server::flavor::Flavor;
use crate::sql::record::TableName;

/// What a plan is true for: when one of these has changed, rehearse again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Digest of the upgrade's statements.
    pub upgrade_digest: String,
    /// How many there are.
    pub upgrade_statements: u64,
    /// The database in use when the upgrade begins; empty in plans of earlier versions.
    #[serde(default)]
    pub database: String,
    /// Digest of the definitions before the upgrade.
    pub schema_digest: String,
    /// Vendor and version.
    pub flavor: Flavor,
    /// The whole version string.
    pub version: String,
    /// When and where it was rehearsed, as a sentence.
    pub rehearsed: String,
    /// Share of production's rows that the sandbox held.
    pub scale: f64,
    /// Rows that each table may hold.
    pub rows: BTreeMap<TableName, RowBand>,
    /// Settings of production's that the sandbox did without, each with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_carried: BTreeMap<String, String>,
}

/// How many rows a table may hold for the plan to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowBand {
    /// As surveyed.
    pub surveyed: u64,
    /// In the sandbox; none when it was not counted.
    pub rehearsed: Option<u64>,
    /// Fewest.
    pub low: u64,
    /// Most.
    pub high: u64,
}

/// Rows more or less that change nothing, however small the table is.
const NEGLIGIBLE: u64 = 1_000;

impl RowBand {
    /// The band around a count: a fifth more or less does not change which way is best, and neither do a thousand rows;
    /// beyond that, rehearse again.
    pub fn around(surveyed: u64, rehearsed: Option<u64>) -> Self {
        let slack = (surveyed / 5).max(NEGLIGIBLE);
        Self { surveyed, rehearsed, low: surveyed.saturating_sub(slack), high: surveyed.saturating_add(slack) }
    }

    /// True when so many rows are within it.
    pub fn holds(&self, rows: u64) -> bool {
        (self.low..=self.high).contains(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_leaves_a_fifth_or_a_thousand_rows() {
        let large = RowBand::around(100_000, None);
        assert!(large.holds(80_000) && large.holds(120_000) && !large.holds(130_000) && !large.holds(79_999));
        let small = RowBand::around(3, None);
        assert!(small.holds(0) && small.holds(1_003) && !small.holds(1_004));
        assert_eq!(RowBand::around(u64::MAX, None).high, u64::MAX);
    }
}

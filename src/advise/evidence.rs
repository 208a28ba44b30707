//! What rules may ask, so that no rule walks through records by itself.

use super::Case;

/// All that is known of an upgrade.
pub struct Evidence<'a> {
    /// What was handed in.
    pub case: &'a Case<'a>,
}

/// All that is known of one statement.
pub struct Subject<'a> {
    /// The whole.
    pub evidence: &'a Evidence<'a>,
}

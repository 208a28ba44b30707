//! Which tables' rows reach those of others.

use std::collections::BTreeSet;

use crate::sql::record::TableName;
use crate::survey::record::Survey;

/// Tables whose rows reach others when they change: parents of cascading keys, and tables with triggers.
pub(super) fn reaching(survey: &Survey) -> BTreeSet<TableName> {
    let cascades = |action: &str| action.eq_ignore_ascii_case("cascade") || action.eq_ignore_ascii_case("set null");
    let keys = survey.tables.values().flat_map(|facts| &facts.foreign_keys);
    keys.filter(|key| cascades(&key.on_delete) || cascades(&key.on_update))
        .map(|key| key.parent.clone())
        .chain(survey.triggers.values().map(|trigger| trigger.table.clone()))
        .collect()
}

//! What an experiment did to the tables: counts, sizes and definitions before and after.

use std::collections::BTreeSet;

use crate::replay::record::{TableChange, TableChanges};
use crate::survey::definition;
use crate::survey::record::{Fingerprint, TablePrint};

/// Sets two states side by side. Without the second (the run broke off) only the first is told.
pub fn between(before: &Fingerprint, after: Option<&Fingerprint>) -> TableChanges {
    let mut names: BTreeSet<_> = before.tables.keys().collect();
    names.extend(after.into_iter().flat_map(|print| print.tables.keys()));
    names
        .into_iter()
        .map(|name| {
            let (old, new) = (before.tables.get(name), after.and_then(|print| print.tables.get(name)));
            let definition =
                |print: Option<&TablePrint>| print.map(|print| print.definition.clone()).unwrap_or_default();
            let schema_diff = match after {
                Some(_) if definition(old) != definition(new) => definition::diff(&definition(old), &definition(new)),
                _ => String::new(),
            };
            let change = TableChange {
                rows_before: old.map(|print| print.rows),
                rows_after: new.map(|print| print.rows),
                bytes_before: old.map(|print| print.bytes),
                bytes_after: new.map(|print| print.bytes),
                schema_diff,
            };
            (name.clone(), change)
        })
        .collect()
}

//! Tables in an order in which parents come before their children.
//!
//! Foreign keys are added after the load, so the order matters only for what a failed parent means to its children; in
//! a cycle the first by name goes first.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::record::TableName;
use crate::survey::record::TableFacts;

/// The tables, parents first.
pub fn parents_first(tables: &BTreeMap<TableName, TableFacts>) -> Vec<TableName> {
    let mut waiting: BTreeMap<&TableName, BTreeSet<&TableName>> = tables
        .iter()
        .map(|(name, facts)| {
            let parents = facts.foreign_keys.iter().map(|key| &key.parent);
            (name, parents.filter(|parent| *parent != name && tables.contains_key(parent)).collect())
        })
        .collect();
    let mut order = Vec::with_capacity(tables.len());
    while !waiting.is_empty() {
        let mut ready: Vec<&TableName> =
            waiting.iter().filter(|(_, parents)| parents.is_empty()).map(|(name, _)| *name).collect();
        if ready.is_empty() {
            // A cycle: the table with the fewest open parents breaks it.
            ready.extend(waiting.iter().min_by_key(|(name, parents)| (parents.len(), **name)).map(|(name, _)| *name));
        }
        for name in ready {
            waiting.remove(name);
            for parents in waiting.values_mut() {
                parents.remove(name);
            }
            order.push(name.clone());
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(parents: &[&str]) -> TableFacts {
        let keys: Vec<_> = parents
            .iter()
            .map(|parent| {
                serde_json::json!({"name": "fk", "columns": ["p"], "parent": format!("app.{parent}"),
                    "parent_columns": ["id"], "on_delete": "RESTRICT", "on_update": "RESTRICT"})
            })
            .collect();
        serde_json::from_value(serde_json::json!({"create": "", "rows": 0, "rows_basis": "stated", "engine": "InnoDB",
            "columns": [], "indexes": [], "foreign_keys": keys}))
        .expect("a table")
    }

    #[test]
    fn parents_come_first_and_cycles_come_too() {
        let tables = [
            ("a", vec!["z"]),
            ("b", vec!["c"]),
            ("c", vec!["b", "c"]),
            ("d", vec!["d", "elsewhere"]),
            ("z", vec!["d"]),
        ];
        let tables = tables.iter().map(|(name, parents)| (TableName::new("app", *name), table(parents))).collect();
        let order = parents_first(&tables);
        let place = |name: &str| order.iter().position(|table| table.table == name);
        assert_eq!(order.len(), 5);
        assert!(place("d") < place("z") && place("z") < place("a"));
    }
}

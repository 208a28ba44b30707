//! Whether tables are still defined as they were when a change was rehearsed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use similar::TextDiff;

use crate::sql::record::TableName;

/// Definitions in one spelling, of the tables that a plan touches and of what hangs on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions {
    /// Tables by name.
    pub tables: BTreeMap<TableName, String>,
    /// Triggers by their own name: the table they fire on and the definition.
    pub triggers: BTreeMap<TableName, (TableName, String)>,
    /// Views by name.
    pub views: BTreeMap<TableName, String>,
    /// Foreign keys from outside: the child and the table that it points at.
    pub children: BTreeSet<(TableName, TableName)>,
}

/// How something differs from what was rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is gone.
    Missing,
    /// It was not there.
    Added,
    /// It is another.
    Changed,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// `table app.orders`, `trigger app.t_ai on app.orders`, `view app.grown`, `foreign key of app.items to app.orders`.
    pub object: String,
    /// How it differs.
    pub change: Change,
    /// What differs in it, in words: `the column note was added`. Empty where only the diff can tell.
    pub words: Vec<String>,
    /// Unified diff from what was rehearsed to what is there; empty where there is nothing to compare.
    pub diff: String,
}

/// All differences, tables first. Of tables in `apart` nothing is said: a change that is under way has changed them already.
pub fn drifts(rehearsed: &Definitions, now: &Definitions, apart: &BTreeSet<TableName>) -> Vec<Drift> {
    let mut found = Vec::new();
    for (name, pair) in paired(&rehearsed.tables, &now.tables) {
        if !apart.contains(name) {
            found.extend(of_pair(format!("table {name}"), pair.0.map(String::as_str), pair.1.map(String::as_str)));
        }
    }
    for (name, pair) in paired(&rehearsed.triggers, &now.triggers) {
        let Some((table, _)) = pair.0.or(pair.1) else { continue };
        if !apart.contains(table) {
            let text = |side: Option<&'_ (TableName, String)>| side.map(|(_, create)| create.clone());
            let (left, right) = (text(pair.0), text(pair.1));
            found.extend(of_pair(format!("trigger {name} on {table}"), left.as_deref(), right.as_deref()));
        }
    }
    for (name, pair) in paired(&rehearsed.views, &now.views) {
        if !apart.contains(name) {
            found.extend(of_pair(format!("view {name}"), pair.0.map(String::as_str), pair.1.map(String::as_str)));
        }
    }
    for (child, parent) in now.children.difference(&rehearsed.children) {
        // A child that was rehearsed shows its keys in its own definition.
        if !apart.contains(child) && !apart.contains(parent) && !rehearsed.tables.contains_key(child) {
            found.push(Drift {
                object: format!("foreign key of {child} to {parent}"),
                change: Change::Added,
                words: vec![format!("{child} points at {parent}, and was not there")],
                diff: String::new(),
            });
        }
    }
    found
}

fn paired<'a, V>(
    left: &'a BTreeMap<TableName, V>,
    right: &'a BTreeMap<TableName, V>,
) -> BTreeMap<&'a TableName, (Option<&'a V>, Option<&'a V>)> {
    left.keys().chain(right.keys()).map(|name| (name, (left.get(name), right.get(name)))).collect()
}

fn of_pair(object: String, left: Option<&str>, right: Option<&str>) -> Option<Drift> {
    let change = match (left, right) {
        (Some(left), Some(right)) if left == right => return None,
        (Some(_), Some(_)) => Change::Changed,
        (Some(_), None) => Change::Missing,
        (None, Some(_)) => Change::Added,
        (None, None) => return None,
    };
    let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
    let words = if change == Change::Changed { words(left, right) } else { Vec::new() };
    Some(Drift { object, change, words, diff: diff(left, right) })
}

/// What differs as a unified diff.
fn diff(rehearsed: &str, now: &str) -> String {
    let whole = |text: &str| if text.is_empty() { String::new() } else { format!("{text}\n") };
    let (left, right) = (whole(rehearsed), whole(now));
    TextDiff::from_lines(&left, &right).unified_diff().context_radius(2).header("rehearsed", "now").to_string()
}

/// The parts of two table definitions that only one side has, or that are another there.
fn words(rehearsed: &str, now: &str) -> Vec<String> {
    let (left, right) = (parts(rehearsed), parts(now));
    let mut words = Vec::new();
    for (part, text) in &left {
        match right.get(part) {
            None => words.push(format!("{part} is missing")),
            Some(other) if other != text => words.push(format!("{part} is another")),
            Some(_) => {}
        }
    }
    words.extend(right.keys().filter(|part| !left.contains_key(*part)).map(|part| format!("{part} was added")));
    let order = |parts: &BTreeMap<String, String>, create: &str| -> Vec<String> {
        create.lines().filter_map(part_of).map(|(part, _)| part).filter(|part| parts.contains_key(part)).collect()
    };
    if words.is_empty() && order(&left, rehearsed) != order(&right, now) {
        words.push("its columns stand in another order".to_owned());
    }
    words
}

fn parts(create: &str) -> BTreeMap<String, String> {
    create.lines().filter_map(part_of).collect()
}

/// The line of a normalised definition as what it defines, and the definition.
fn part_of(line: &str) -> Option<(String, String)> {
    let text = line.strip_prefix("  ")?.trim_end_matches(',');
    let quoted = |rest: &str| rest.split('`').nth(1).map(str::to_owned);
    let upper = text.to_ascii_uppercase();
    let part = if text.starts_with('`') {
        format!("the column {}", quoted(text)?)
    } else if upper.starts_with("PRIMARY KEY") {
        "the primary key".to_owned()
    } else if upper.starts_with("FOREIGN KEY") || upper.starts_with("CHECK") {
        // Without names: the content tells them apart.
        text.to_owned()
    } else if let Some((_, rest)) = text.split_once("KEY ") {
        format!("the index {}", quoted(rest)?)
    } else {
        return None;
    };
    Some((part, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &str = "CREATE TABLE `orders` (\n  `id` bigint NOT NULL AUTO_INCREMENT,\n  `v` int DEFAULT NULL,\n  PRIMARY KEY \
                          (`id`),\n  KEY `v` (`v`),\n  FOREIGN KEY (`v`) REFERENCES `users` (`id`)\n) ENGINE=InnoDB";

    fn name(table: &str) -> TableName {
        TableName::new("app", table)
    }

    fn orders(create: &str) -> Definitions {
        Definitions { tables: [(name("orders"), create.to_owned())].into(), ..Definitions::default() }
    }

    fn one(now: &str) -> Drift {
        let found = drifts(&orders(ORDERS), &orders(now), &BTreeSet::new());
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().expect("one")
    }

    #[test]
    fn what_is_the_same_is_no_drift() {
        assert_eq!(drifts(&orders(ORDERS), &orders(ORDERS), &BTreeSet::new()), []);
    }

    #[test]
    fn a_column_by_hand_and_an_index_that_is_gone_are_named_and_shown() {
        let added = one(&ORDERS.replace("  `v` int", "  `note` text,\n  `v` int"));
        assert_eq!((added.object.as_str(), added.change), ("table app.orders", Change::Changed));
        assert_eq!(added.words, ["the column note was added"]);
        assert!(added.diff.starts_with("--- rehearsed\n+++ now\n") && added.diff.contains("\n+  `note` text,\n"));
        let gone = one(&ORDERS.replace("  KEY `v` (`v`),\n", ""));
        assert_eq!(gone.words, ["the index v is missing"]);
        assert!(gone.diff.contains("\n-  KEY `v` (`v`),\n"), "{}", gone.diff);
        assert_eq!(one(&ORDERS.replace("`v` int", "`v` bigint")).words, ["the column v is another"]);
        let key = one(&ORDERS.replace("`users`", "`people`"));
        assert_eq!(key.words.len(), 2, "{:?}", key.words);
        let engine = one(&ORDERS.replace("InnoDB", "MyISAM"));
        assert!(engine.words.is_empty() && engine.diff.contains("+) ENGINE=MyISAM"), "{}", engine.diff);
    }

    #[test]
    fn columns_in_another_order_are_told() {
        let moved = ORDERS
            .replace("  `v` int DEFAULT NULL,\n", "")
            .replace("  `id` bigint", "  `v` int DEFAULT NULL,\n  `id` bigint");
        assert_eq!(one(&moved).words, ["its columns stand in another order"]);
    }

    #[test]
    fn a_table_that_is_gone_a_trigger_and_a_key_that_were_not_there() {
        let mut now = Definitions::default();
        now.triggers.insert(name("t_ai"), (name("orders"), "AFTER INSERT SET @a = 1".into()));
        now.children.insert((name("items"), name("orders")));
        let found = drifts(&orders(ORDERS), &now, &BTreeSet::new());
        let told: Vec<(&str, Change)> = found.iter().map(|one| (one.object.as_str(), one.change)).collect();
        assert_eq!(
            told,
            [
                ("table app.orders", Change::Missing),
                ("trigger app.t_ai on app.orders", Change::Added),
                ("foreign key of app.items to app.orders", Change::Added),
            ]
        );
        assert!(found[1].diff.contains("+AFTER INSERT"), "{}", found[1].diff);
        assert_eq!(drifts(&orders(ORDERS), &now, &[name("orders")].into()), [], "it is being changed");
    }
}

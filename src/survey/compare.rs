//! What differs between two fingerprints. Pure.

use std::collections::BTreeSet;
use std::fmt;

use super::definition;
use super::record::{Fingerprint, TablePrint};
use crate::sql::record::TableName;

/// One difference between two states, `left` and `right`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A table that only one side has.
    MissingTable {
        /// The table.
        table: TableName,
        /// True when it is the right side that lacks it.
        from_right: bool,
    },
    /// Definitions differ.
    Definition {
        /// The table.
        table: TableName,
        /// Unified diff of the normalised definitions.
        diff: String,
    },
    /// Row counts differ.
    Rows {
        /// The table.
        table: TableName,
        /// Rows on the left.
        left: u64,
        /// Rows on the right.
        right: u64,
    },
    /// As many rows, other content.
    Content {
        /// The table.
        table: TableName,
        /// The columns that differ, where both sides have per-column checksums; empty where it is not known which, or
        /// where the same values stand in other rows.
        columns: Vec<String>,
    },
    /// The next AUTO_INCREMENT value differs.
    AutoIncrement {
        /// The table.
        table: TableName,
        /// The next value on the left.
        left: Option<u64>,
        /// The next value on the right.
        right: Option<u64>,
    },
    /// A view, trigger, routine or event differs.
    Object {
        /// Kind and name: `trigger app.t_ai`.
        name: String,
        /// Unified diff of the definitions; one side is empty where it does not exist.
        diff: String,
    },
}

impl Difference {
    /// The table that it is about; none for other objects.
    pub fn table(&self) -> Option<&TableName> {
        match self {
            Self::MissingTable { table, .. }
            | Self::Definition { table, .. }
            | Self::Rows { table, .. }
            | Self::Content { table, .. }
            | Self::AutoIncrement { table, .. } => Some(table),
            Self::Object { .. } => None,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = |value: &Option<u64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
        match self {
            Self::MissingTable { table, from_right: true } => write!(f, "{table} is missing"),
            Self::MissingTable { table, from_right: false } => write!(f, "{table} is there besides"),
            Self::Definition { table, diff } => write!(f, "{table}: the definition differs: {}", changed_lines(diff)),
            Self::Rows { table, left, right } => write!(f, "{table}: {left} rows against {right}"),
            Self::Content { table, columns } if columns.is_empty() => {
                write!(f, "{table}: as many rows, but not the same content")
            }
            Self::Content { table, columns } => {
                write!(f, "{table}: as many rows, but other values in {}", columns.join(", "))
            }
            Self::AutoIncrement { table, left, right } => {
                write!(f, "{table}: the next AUTO_INCREMENT is {} against {}", next(left), next(right))
            }
            Self::Object { name, diff } => write!(f, "{name} differs: {}", changed_lines(diff)),
        }
    }
}

/// The changed lines of a unified diff, in one line.
fn changed_lines(diff: &str) -> String {
    let changed = |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---");
    diff.lines().filter(changed).map(str::trim_end).collect::<Vec<_>>().join(" ")
}

/// All differences, by table and then by object.
pub fn compare(left: &Fingerprint, right: &Fingerprint) -> Vec<Difference> {
    let mut differences = Vec::new();
    let tables: BTreeSet<_> = left.tables.keys().chain(right.tables.keys()).collect();
    for table in tables {
        match (left.tables.get(table), right.tables.get(table)) {
            (Some(a), Some(b)) => compare_table(table, a, b, &mut differences),
            (a, _) => {
                differences.push(Difference::MissingTable { table: table.clone(), from_right: a.is_some() });
            }
        }
    }
    let objects: BTreeSet<_> = left.objects.keys().chain(right.objects.keys()).collect();
    for name in objects {
        let text = |side: &Fingerprint| side.objects.get(name).cloned().unwrap_or_default();
        let (a, b) = (text(left), text(right));
        if a != b {
            differences.push(Difference::Object { name: name.clone(), diff: definition::diff(&a, &b) });
        }
    }
    differences
}

fn compare_table(table: &TableName, a: &TablePrint, b: &TablePrint, differences: &mut Vec<Difference>) {
    let table = || table.clone();
    let same_definition = a.definition == b.definition;
    if !same_definition {
        differences
            .push(Difference::Definition { table: table(), diff: definition::diff(&a.definition, &b.definition) });
    }
    if a.rows != b.rows {
        differences.push(Difference::Rows { table: table(), left: a.rows, right: b.rows });
    } else if let Some(columns) = other_content(a, b, same_definition) {
        differences.push(Difference::Content { table: table(), columns });
    }
    if a.auto_increment != b.auto_increment {
        differences.push(Difference::AutoIncrement { table: table(), left: a.auto_increment, right: b.auto_increment });
    }
}

/// The columns whose values differ; none when the content is the same as far as it was read. `CHECKSUM TABLE` counts only
/// between equal definitions: it differs for int against bigint, NULL against NOT NULL and another column order though
/// the values are equal (measured).
fn other_content(a: &TablePrint, b: &TablePrint, same_definition: bool) -> Option<Vec<String>> {
    let columns: Vec<String> = a
        .columns
        .iter()
        .filter(|(name, sum)| b.columns.get(*name).is_some_and(|other| other != *sum))
        .map(|(name, _)| name.clone())
        .collect();
    let differs = |a: &Option<u64>, b: &Option<u64>| matches!((a, b), (Some(a), Some(b)) if a != b);
    let whole_rows = matches!((&a.row_sums, &b.row_sums), (Some(a), Some(b)) if a != b);
    let same_columns = a.columns.keys().eq(b.columns.keys());
    let other = !columns.is_empty()
        || (same_definition && differs(&a.checksum, &b.checksum))
        || ((same_columns || same_definition) && whole_rows);
    other.then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> TableName {
        TableName::new("app", "orders")
    }

    fn state() -> Fingerprint {
        let print = TablePrint {
            definition: "CREATE TABLE `orders` (\n  `id` int,\n  `v` int\n) ENGINE=InnoDB".into(),
            rows: 3,
            checksum: Some(7),
            auto_increment: Some(4),
            ..TablePrint::default()
        };
        Fingerprint {
            tables: [(orders(), print)].into(),
            objects: [("trigger app.t".to_owned(), "CREATE TRIGGER t …".to_owned())].into(),
        }
    }

    fn differences(change: impl FnOnce(&mut Fingerprint)) -> Vec<Difference> {
        let mut other = state();
        change(&mut other);
        compare(&state(), &other)
    }

    fn of_table(change: impl FnOnce(&mut TablePrint)) -> Vec<Difference> {
        differences(|state| change(state.tables.get_mut(&orders()).expect("the table")))
    }

    #[test]
    fn equal_states_do_not_differ_and_bytes_do_not_count() {
        assert_eq!(of_table(|print| print.bytes = 99), vec![]);
    }

    #[test]
    fn each_kind_of_difference_is_told() {
        let table = orders;
        assert_eq!(
            of_table(|print| print.rows = 5),
            vec![Difference::Rows { table: table(), left: 3, right: 5 }],
            "rows explain a checksum that differs, too"
        );
        assert_eq!(
            of_table(|print| print.checksum = Some(8)),
            vec![Difference::Content { table: table(), columns: vec![] }]
        );
        assert_eq!(
            of_table(|print| print.auto_increment = Some(1)),
            vec![Difference::AutoIncrement { table: table(), left: Some(4), right: Some(1) }]
        );
        let told = of_table(|print| print.definition = print.definition.replace("`v` int", "`v` bigint"));
        assert!(matches!(&told[..], [Difference::Definition { .. }]), "{told:?}");
        assert_eq!(told[0].to_string(), "app.orders: the definition differs: -  `v` int +  `v` bigint");
        assert_eq!(
            differences(|state| drop(state.tables.remove(&orders()))),
            vec![Difference::MissingTable { table: table(), from_right: true }]
        );
        let told = differences(|state| state.objects.clear());
        assert!(matches!(&told[..], [Difference::Object { name, .. }] if name == "trigger app.t"), "{told:?}");
    }

    #[test]
    fn a_checksum_that_differs_because_the_definition_does_is_no_other_content() {
        let told = of_table(|print| {
            print.definition = print.definition.replace("`v` int", "`v` bigint");
            print.checksum = Some(8);
        });
        assert_eq!(told.len(), 1, "{told:?}");
    }

    #[test]
    fn columns_that_differ_are_named() {
        let mut left = state();
        let print = left.tables.get_mut(&orders()).expect("the table");
        print.columns = [("id".to_owned(), "1:3".to_owned()), ("v".to_owned(), "2:3".to_owned())].into();
        print.row_sums = Some("5:3".into());
        let mut right = left.clone();
        let print = right.tables.get_mut(&orders()).expect("the table");
        print.row_sums = Some("6:3".into());
        let told = compare(&left, &right);
        assert_eq!(
            told,
            vec![Difference::Content { table: orders(), columns: vec![] }],
            "the same values in other rows"
        );
        let print = right.tables.get_mut(&orders()).expect("the table");
        print.columns.insert("v".to_owned(), "9:3".to_owned());
        let told = compare(&left, &right);
        assert_eq!(told, vec![Difference::Content { table: orders(), columns: vec!["v".into()] }]);
    }
}

//! Same result, or what differs: two fingerprints taken after two quiet runs from the same bytes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Proof, ProofBasis};
use crate::sql::record::TableName;
use crate::survey::compare::{Difference, compare};
use crate::survey::record::Fingerprint;

/// Holds a trial's final state against the original's. `excluded` names columns (`db.table.column`) that two runs of the
/// original already differ in; differences in them alone do not count and are listed as excluded.
pub fn prove(original: &Fingerprint, trial: &Fingerprint, excluded: &BTreeSet<String>) -> Proof {
    let basis = basis(original, trial);
    let differences: Vec<String> = compare(original, trial)
        .into_iter()
        .filter(|difference| !is_excluded(difference, original, trial, excluded))
        .map(|difference| sentence(&difference))
        .collect();
    Proof {
        same_result: differences.is_empty() && basis != ProofBasis::NotComparable,
        differences,
        without_cure: Vec::new(),
        excluded_columns: excluded.iter().cloned().collect(),
        basis,
    }
}

/// Takes out of a trial's final state what its AUTO_INCREMENT is higher on purpose: up to so much, by table.
pub fn allow(original: &Fingerprint, trial: &mut Fingerprint, ahead: &BTreeMap<TableName, u64>) {
    for (table, most) in ahead {
        let next = original.tables.get(table).and_then(|print| print.auto_increment);
        let (Some(next), Some(print)) = (next, trial.tables.get_mut(table)) else { continue };
        if print.auto_increment.is_some_and(|own| (next..=next.saturating_add(*most)).contains(&own)) {
            print.auto_increment = Some(next);
        }
    }
}

/// Tables whose rows differ between two states, in number or in content.
pub fn of_other_rows(original: &Fingerprint, trial: &Fingerprint) -> Vec<TableName> {
    let differs = |difference: &Difference| matches!(difference, Difference::Rows { .. } | Difference::Content { .. });
    compare(original, trial).iter().filter(|one| differs(one)).filter_map(|one| one.table().cloned()).collect()
}

/// Columns (`db.table.column`) that differ between two runs of the same script: what no run can be held to.
pub fn unstable(first: &Fingerprint, second: &Fingerprint) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    for difference in compare(first, second) {
        if let Difference::Content { table, columns: names } = difference {
            columns.extend(names.iter().map(|name| qualified(&table, name)));
        }
    }
    columns
}

fn qualified(table: &TableName, column: &str) -> String {
    format!("{table}.{column}")
}

/// What two runs of the same script differ in by chance: the columns of [`unstable`], and the tables (`db.table`) that do
/// not even end with as many rows.
pub fn by_chance(first: &Fingerprint, second: &Fingerprint) -> BTreeSet<String> {
    let mut names = unstable(first, second);
    for difference in compare(first, second) {
        if let Difference::Rows { table, .. } = difference {
            names.insert(table.to_string());
        }
    }
    names
}

/// True when a difference is only in what `excluded` names: columns (`db.table.column`), or whole tables' rows
/// (`db.table`).
pub fn is_excluded(
    difference: &Difference,
    original: &Fingerprint,
    trial: &Fingerprint,
    excluded: &BTreeSet<String>,
) -> bool {
    let table_is_named = |table: &TableName| excluded.contains(&table.to_string());
    let (table, columns) = match difference {
        Difference::Rows { table, .. } => return table_is_named(table),
        Difference::Content { table, .. } if table_is_named(table) => return true,
        Difference::Content { table, columns } => (table, columns),
        _ => return false,
    };
    if columns.is_empty() {
        // Only the whole row's sum differs. With a column of it excluded the row's sum has to; then the columns'
        // own sums, which agree, are the best that there is.
        let has_sums = |side: &Fingerprint| side.tables.get(table).is_some_and(|print| !print.columns.is_empty());
        let prefix = format!("{table}.");
        return has_sums(original) && has_sums(trial) && excluded.iter().any(|name| name.starts_with(&prefix));
    }
    columns.iter().all(|column| excluded.contains(&qualified(table, column)))
}

/// The difference as the trial shows it, the original second.
fn sentence(difference: &Difference) -> String {
    let next = |value: &Option<u64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
    match difference {
        Difference::AutoIncrement { table, left, right } => {
            format!("{table}: AUTO_INCREMENT {} instead of {}", next(right), next(left))
        }
        Difference::Rows { table, left, right } => format!("{table}: {right} rows instead of {left}"),
        other => other.to_string(),
    }
}

/// The weakest basis of any table: one table without a checksum on either side leaves only its count.
fn basis(original: &Fingerprint, trial: &Fingerprint) -> ProofBasis {
    if original.tables.is_empty() && original.objects.is_empty() {
        return ProofBasis::NotComparable;
    }
    let summed = |side: &Fingerprint| {
        side.tables.values().all(|print| {
            print.checksum.is_some() || print.row_sums.is_some() || !print.columns.is_empty() || print.rows == 0
        })
    };
    if summed(original) && summed(trial) { ProofBasis::Checksum } else { ProofBasis::Counts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::record::TablePrint;

    fn state(rows: u64, checksum: u64, auto_increment: u64, seen: &str) -> Fingerprint {
        let print = TablePrint {
            definition: "CREATE TABLE".to_owned(),
            rows,
            checksum: Some(checksum),
            auto_increment: Some(auto_increment),
            columns: [("id".to_owned(), "1".to_owned()), ("seen".to_owned(), seen.to_owned())].into(),
            ..TablePrint::default()
        };
        Fingerprint { tables: [(TableName::new("zdz", "tracking"), print)].into(), ..Fingerprint::default() }
    }

    #[test]
    fn a_lost_counter_is_named_with_both_values() {
        let proof = prove(&state(0, 0, 9_000_001, ""), &state(0, 0, 1, ""), &BTreeSet::new());
        assert!(!proof.same_result);
        assert_eq!(proof.differences, ["zdz.tracking: AUTO_INCREMENT 1 instead of 9000001"]);
        assert_eq!(proof.basis, ProofBasis::Checksum);
    }

    #[test]
    fn a_counter_may_be_as_much_higher_as_was_meant_and_no_more() {
        let ahead = BTreeMap::from([(TableName::new("zdz", "tracking"), 100)]);
        let original = state(0, 0, 50, "");
        for (next, same) in [(50, true), (51, true), (150, true), (151, false), (49, false)] {
            let mut trial = state(0, 0, next, "");
            allow(&original, &mut trial, &ahead);
            assert_eq!(prove(&original, &trial, &BTreeSet::new()).same_result, same, "{next}");
        }
    }

    #[test]
    fn what_two_runs_of_the_original_differ_in_is_left_out_by_name() {
        let (one, two) = (state(5, 10, 6, "aa"), state(5, 11, 6, "bb"));
        assert!(!prove(&one, &two, &BTreeSet::new()).same_result);
        let excluded = unstable(&one, &two);
        assert_eq!(excluded, BTreeSet::from(["zdz.tracking.seen".to_owned()]));
        let proof = prove(&one, &two, &excluded);
        assert!(proof.same_result, "{proof:?}");
        assert_eq!(proof.excluded_columns, ["zdz.tracking.seen"]);
    }

    #[test]
    fn a_table_that_ends_with_other_rows_each_time_is_excluded_whole() {
        let (one, two, three) = (state(5, 10, 6, "aa"), state(7, 11, 6, "bb"), state(6, 12, 6, "cc"));
        let chance = by_chance(&one, &two);
        assert_eq!(chance, BTreeSet::from(["zdz.tracking".to_owned()]));
        let counting = |chance: &BTreeSet<String>| {
            compare(&one, &three).iter().filter(|found| !is_excluded(found, &one, &three, chance)).count()
        };
        assert_eq!((counting(&BTreeSet::new()), counting(&chance)), (1, 0));
    }

    #[test]
    fn equal_states_are_the_same_and_empty_ones_prove_nothing() {
        assert!(prove(&state(5, 10, 6, "aa"), &state(5, 10, 6, "aa"), &BTreeSet::new()).same_result);
        let nothing = prove(&Fingerprint::default(), &Fingerprint::default(), &BTreeSet::new());
        assert!(!nothing.same_result);
        assert_eq!(nothing.basis, ProofBasis::NotComparable);
    }
}

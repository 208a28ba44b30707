//! How far back a plan can be undone at a time.

use std::ops::Range;

use crate::plan::record::{Backup, Plan};
use crate::plan::step::Step;
use crate::plan::work::Task;

/// The legs of a plan, in order, by the places of its steps; at least one.
pub fn of(plan: &Plan) -> Vec<Range<usize>> {
    let mut legs = Vec::new();
    let mut start = 0;
    for (at, step) in plan.steps.iter().enumerate() {
        let kept = plan.steps[start..at].iter().flat_map(Step::covered_by).filter_map(|id| plan.backup(id));
        if is_by_hand(step) && kept.into_iter().any(|backup| touches(step, backup)) {
            legs.push(start..at);
            start = at;
        }
        // What no script takes back stays: the steps behind it begin with it, and go back to it.
        if is_by_hand(step) && plan.steps[at + 1..].iter().any(|later| !later.covered_by().is_empty()) {
            legs.push(start..at + 1);
            start = at + 1;
        }
    }
    legs.push(start..plan.steps.len());
    legs
}

/// `step 9`, `steps 10 and 11`, `steps 1 to 8`: as the plan's page numbers them.
pub fn named(leg: &Range<usize>) -> String {
    match leg.len() {
        0 | 1 => format!("step {}", leg.start + 1),
        2 => format!("steps {} and {}", leg.start + 1, leg.end),
        _ => format!("steps {} to {}", leg.start + 1, leg.end),
    }
}

/// No script undoes it, or not all of it.
fn is_by_hand(step: &Step) -> bool {
    step.body.undo.limit.contains("by hand")
}

/// The step names the table: one too many only costs a leg more.
fn touches(step: &Step, backup: &Backup) -> bool {
    backup.of.table.is_empty()
        || step.body.tasks.iter().any(|task| match task {
            Task::Statement { sql } | Task::Kept { sql, .. } => names(sql, &backup.of.table),
            Task::Batches { table, .. } => *table == backup.of,
        })
}

/// The text holds this name as a whole word, quoted or not; a name that is no plain word anywhere.
fn names(sql: &str, table: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    if table.chars().all(is_part) {
        return sql.split(|c: char| !is_part(c)).any(|word| word.eq_ignore_ascii_case(table));
    }
    sql.to_lowercase().contains(&table.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_is_named_by_the_numbers_of_its_steps() {
        assert_eq!([0..8, 8..9, 9..11].map(|leg| named(&leg)), ["steps 1 to 8", "step 9", "steps 10 and 11"]);
    }

    #[test]
    fn a_table_is_named_as_a_whole_word() {
        assert!(names("INSERT INTO `T` VALUES (1)", "t") && names("insert into app.t(id)", "t"));
        assert!(!names("INSERT INTO log (at) VALUES (NOW())", "t"));
        assert!(names("DELETE FROM `my table`", "my table"));
    }
}

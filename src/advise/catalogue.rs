//! The list of all rules.

use super::rule::Rule;
use super::rules;

/// Every rule, in the order in which the manual tells them: what blocks, what destroys, what fails, what nobody knows.
pub const RULES: &[Rule] = &[
    rules::delete_all_rows::RULE,
    rules::unbatched_delete::RULE,
    rules::unbatched_update::RULE,
    rules::no_where::RULE,
    rules::no_index_for_where::RULE,
    rules::insert_select_locks_source::RULE,
    rules::insert_select_blocks_inserts::RULE,
    rules::delete_cascades::RULE,
    rules::row_by_row::RULE,
    rules::table_rebuild::RULE,
    rules::blocked_reads::RULE,
    rules::blocked_writes::RULE,
    rules::commit_stall::RULE,
    rules::lock_tables::RULE,
    rules::no_lock_wait_timeout::RULE,
    rules::foreign_key_closure_lock::RULE,
    rules::deadlock_prone::RULE,
    rules::broken_queries::RULE,
    rules::metadata_lock_queue::RULE,
    rules::breaks_open_snapshots::RULE,
    rules::several_alters_one_table::RULE,
    rules::foreign_key_scan::RULE,
    rules::index_before_drop::RULE,
    rules::charset_conversion::RULE,
    rules::partition_change::RULE,
    rules::optimize_or_analyze::RULE,
    rules::rename_under_traffic::RULE,
    rules::myisam_table::RULE,
    rules::primary_key_missing::RULE,
    rules::trigger_or_routine_change::RULE,
    rules::drop_table::RULE,
    rules::drop_column::RULE,
    rules::auto_increment_reset::RULE,
    rules::implicit_commit_in_transaction::RULE,
    rules::order_dependent::RULE,
    rules::non_deterministic::RULE,
    rules::exceeds_server_limit::RULE,
    rules::needs_other_privileges::RULE,
    rules::statement_not_repeatable::RULE,
    rules::lossy_type_change::RULE,
    rules::not_null_on_nulls::RULE,
    rules::unique_on_duplicates::RULE,
    rules::auto_increment_near_limit::RULE,
    rules::statement_failed::RULE,
    rules::not_understood::RULE,
];

/// What the pairs of scripts run on, in a database of its own.
pub const SCHEMA: &str = include_str!("rules/schema.sql");

/// A rule by its id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_is_whole_and_its_id_is_its_pattern() {
        let ids: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len(), "ids are unique");
        for rule in RULES {
            let kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(rule.id.chars().all(kebab) && !rule.id.starts_with("ban-"), "{}", rule.id);
            for (what, text) in [("what", rule.what), ("why", rule.why), ("instead", rule.instead)] {
                assert!(text.len() > 20 && !text.contains("  "), "{}: {what}", rule.id);
            }
            assert!(rule.risky.contains(';') && rule.safer.contains(';') && rule.risky != rule.safer, "{}", rule.id);
            assert_eq!(find(rule.id).map(|found| found.id), Some(rule.id));
        }
    }

    #[test]
    fn every_rule_file_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/advise/rules");
        let names = std::fs::read_dir(folder).expect("the rules").flatten().map(|entry| entry.file_name());
        let files: BTreeSet<String> = names
            .filter_map(|name| {
                name.to_str().and_then(|name| name.strip_suffix(".rs")).map(|name| name.replace('_', "-"))
            })
            .filter(|name| name != "mod")
            .collect();
        assert_eq!(files, RULES.iter().map(|rule| rule.id.to_owned()).collect());
    }
}

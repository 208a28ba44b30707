//! The list of all rules.

use super::rule::Rule;
use super::rules;

/// Every rule, in the order in which the manual tells them: what blocks, what destroys, what fails, what nobody knows.
pub const RULES: &[Rule] = &[
    rules::delete_all_rows::RULE,
    rules::unbatched_delete::RULE,
    rules::unbatched_update::RULE,
    rules::table_rebuild::RULE,
    rules::blocked_reads::RULE,
    rules::blocked_writes::RULE,
    rules::commit_stall::RULE,
    rules::broken_queries::RULE,
    rules::drop_table::RULE,
    rules::drop_column::RULE,
    rules::statement_failed::RULE,
    rules::not_understood::RULE,
];

/// What the pairs of scripts run on, in a database of its own.
pub const SCHEMA: &str = include_str!("rules/schema.sql");

/// A rule by its id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

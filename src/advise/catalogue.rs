//! The list of all rules.

use super::rule::Rule;

/// Every rule, in the order in which the manual tells them.
pub const RULES: &[Rule] = &[];

/// A rule by its id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

//! Foreign keys between the plans: whose columns come from which parent, and which keys remain doubtful.

use std::collections::BTreeSet;

use crate::sql::record::TableName;
use crate::survey::record::{Survey, TableFacts};

use super::keys::Index;
use super::rows::{Plans, Source};

/// A foreign key that decides values of its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Its place among the table's foreign keys.
    pub key: usize,
    /// The parent's place among all tables.
    pub parent: usize,
    /// Child columns that it decides, each with the parent's column (places among the written columns; the parent's
    /// are resolved by [`resolve`], until then places among all its columns).
    pub columns: Vec<(usize, usize)>,
    /// Nullable columns that are NULL, because another foreign key decides the rest of this one.
    pub nulled: Vec<usize>,
}

/// The foreign keys in the order in which they decide: those over most columns first. Each column is decided once.
pub fn links(facts: &TableFacts, names: &[&TableName]) -> Vec<Links> {
    let written: Vec<_> = facts.columns.iter().filter(|column| column.generated.is_none()).collect();
    let place = |name: &String| written.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let mut order: Vec<usize> = (0..facts.foreign_keys.len()).collect();
    order.sort_by_key(|key| (usize::MAX - facts.foreign_keys[*key].columns.len(), *key));
    let mut decided = BTreeSet::new();
    let mut links = Vec::new();
    for which in order {
        let key = &facts.foreign_keys[which];
        let Some(parent) = names.iter().position(|name| same(name, &key.parent)) else { continue };
        let Some(columns) = key.columns.iter().map(place).collect::<Option<Vec<usize>>>() else { continue };
        let free: Vec<usize> = columns.iter().copied().filter(|column| !decided.contains(column)).collect();
        let partly = free.len() < columns.len();
        let nulled: Vec<usize> = free.iter().copied().filter(|column| partly && written[*column].nullable).collect();
        decided.extend(free.iter().copied());
        if !nulled.is_empty() {
            // One NULL is enough; the columns beside it stay what they are.
            links.push(Links { key: which, parent, columns: Vec::new(), nulled });
        } else if !free.is_empty() {
            let pairs = columns.iter().copied().zip(0..).filter(|(column, _)| free.contains(column)).collect();
            links.push(Links { key: which, parent, columns: pairs, nulled: Vec::new() });
        }
    }
    links
}

/// Foreign keys whose values are not all decided by themselves, so that only counting tells whether they hold.
pub fn doubtful(facts: &TableFacts, names: &[&TableName], links: &[Links]) -> Vec<usize> {
    let certain = |key: usize| {
        links.iter().any(|link| {
            link.key == key && (link.columns.len() == facts.foreign_keys[key].columns.len() || !link.nulled.is_empty())
        })
    };
    (0..facts.foreign_keys.len())
        .filter(|key| names.iter().any(|name| same(name, &facts.foreign_keys[*key].parent)) && !certain(*key))
        .collect()
}

/// Points each reference at the parent's own column, and breaks circles of columns that would take their values from
/// each other: the first of them counts instead.
pub fn resolve(survey: &Survey, names: &[&TableName], plans: &mut Plans) {
    for (table, name) in names.iter().enumerate() {
        let facts = &survey.tables[*name];
        let links = links(facts, names);
        for column in 0..plans.0[table].columns.len() {
            let Source::Referenced { reference, column: part } = plans.0[table].columns[column].source else {
                continue;
            };
            let key = &facts.foreign_keys[links[reference].key];
            let wanted = key.parent_columns.get(part).map_or("", String::as_str);
            let parent = links[reference].parent;
            let found = plans.0[parent].columns.iter().position(|column| column.name.eq_ignore_ascii_case(wanted));
            let target = &mut plans.0[table];
            if let Some(found) = found {
                target.columns[column].source = Source::Referenced { reference, column: found };
            } else {
                target.columns[column].source = Source::Free(0);
                target.notes.push(format!(
                    "foreign key {} refers to {}.{wanted}, which is generated or missing: its values are made up",
                    key.name, key.parent
                ));
                if !target.doubtful.contains(&links[reference].key) {
                    target.doubtful.push(links[reference].key);
                }
            }
        }
    }
    for table in 0..plans.0.len() {
        for column in 0..plans.0[table].columns.len() {
            if goes_round(plans, table, column) {
                let target = &mut plans.0[table];
                target.columns[column].shape = target.columns[column].shape.clone().distinct(target.rows.max(1), None);
                target.columns[column].source = Source::Indexed(Index::ROW);
                target.doubtful = (0..survey.tables[&target.name].foreign_keys.len()).collect();
            }
        }
    }
}

fn goes_round(plans: &Plans, table: usize, column: usize) -> bool {
    let start = (table, column);
    let (mut at, mut steps) = (start, 0);
    while let Source::Referenced { reference, column } = plans.0[at.0].columns[at.1].source {
        at = (plans.0[at.0].references[reference].parent, column);
        steps += 1;
        // A chain can pass each table's keys once; one that is longer runs in a circle that others are part of.
        if at == start || steps > 1000 {
            return at == start;
        }
    }
    false
}

/// Table names, as a server with either setting of `lower_case_table_names` may have written them.
fn same(one: &TableName, other: &TableName) -> bool {
    one == other || (one.database.eq_ignore_ascii_case(&other.database) && one.table.eq_ignore_ascii_case(&other.table))
}

/// The line of a `SHOW CREATE TABLE` that defines a column.
fn definition<'a>(create: &'a str, column: &str) -> Option<&'a str> {
    let lead = format!("{} ", crate::sql::record::quote_identifier(column));
    create.lines().map(str::trim_start).find(|line| line.starts_with(&lead))
}

/// The spatial reference system that a column's definition names (MySQL's `/*!80003 SRID 4326 */`), else 0.
pub fn srid(create: &str, column: &str) -> u32 {
    let found = definition(create, column).and_then(|line| line.split_once("SRID ")).map(|(_, rest)| rest);
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    found.and_then(|rest| digits(rest).parse().ok()).unwrap_or(0)
}

/// True for what MariaDB calls JSON: a text with `CHECK (json_valid(…))`.
pub fn must_be_json(create: &str, column: &str) -> bool {
    definition(create, column).is_some_and(|line| line.to_ascii_lowercase().contains("json_valid("))
}

/// True when an expression names a column (in lower case).
pub fn names(expression: &str, column: &str) -> bool {
    let lower = expression.to_ascii_lowercase();
    lower.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').any(|word| word == column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_tell_their_reference_system_and_their_json() {
        let create = "CREATE TABLE `t` (\n  `p` point NOT NULL /*!80003 SRID 4326 */,\n  `q` point,\n  \
                      `j` longtext CHECK (json_valid(`j`))\n)";
        assert_eq!((srid(create, "p"), srid(create, "q")), (4326, 0));
        assert!(must_be_json(create, "j") && !must_be_json(create, "q"));
    }

    #[test]
    fn an_expression_names_whole_words() {
        assert!(names("lower(`email`)", "email"));
        assert!(!names("lower(`emails`)", "email"));
    }
}

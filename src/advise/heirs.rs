//! What serves in the place of an index that goes.

use super::altered::Altered;
use super::history::table::TablePast;
use crate::sql::record::AlterClass;
use crate::survey::record::TableFacts;

/// The other indexes of a table whose index is being dropped.
pub struct Heirs<'a, 'b> {
    /// The statement that drops it.
    pub altered: &'b Altered<'a>,
    /// The table as surveyed.
    pub facts: &'a TableFacts,
    /// What the upgrade has done to the table before.
    pub past: Option<&'a TablePast>,
    /// The index that goes.
    pub dropped: &'b str,
}

impl Heirs<'_, '_> {
    /// Another index begins with these columns, in any order: one that is there, that the upgrade made, or that the same
    /// statement makes.
    pub fn serve(&self, columns: &[&str]) -> bool {
        let surveyed = self.facts.indexes.iter().filter(|index| index.kind == "BTREE" && !self.goes(&index.name));
        let adds = |class: AlterClass| {
            matches!(class, AlterClass::AddIndex | AlterClass::AddUnique | AlterClass::AddPrimaryKey)
        };
        let here = self.altered.clauses.iter().filter(|clause| adds(clause.class)).map(|clause| &clause.parts);
        let made = self.past.into_iter().flat_map(|past| past.made()).filter(|(name, _)| !self.goes(name));
        let made = made.map(|(_, deed)| deed).filter(|deed| adds(deed.class)).map(|deed| &deed.parts);
        surveyed.into_iter().any(|index| begins(&index.columns, |part| Some(&part.name), columns))
            || here.chain(made).any(|parts| begins(parts, |part| part.column.as_deref(), columns))
    }

    /// The index is gone already, or goes with this statement.
    fn goes(&self, name: &str) -> bool {
        let mut here = self.altered.clauses_of(&[AlterClass::DropIndex]).filter_map(|clause| clause.object.as_deref());
        let before = || self.past.is_some_and(|past| past.dropped().contains_key(&name.to_ascii_lowercase()));
        name.eq_ignore_ascii_case(self.dropped) || here.any(|gone| gone.eq_ignore_ascii_case(name)) || before()
    }
}

/// An index's first parts are these columns, in any order.
pub fn begins<T>(parts: &[T], name: impl Fn(&T) -> Option<&str>, columns: &[&str]) -> bool {
    let first: Vec<_> = parts.iter().take(columns.len()).filter_map(name).collect();
    first.len() == columns.len()
        && columns.iter().all(|column| first.iter().any(|name| name.eq_ignore_ascii_case(column)))
}

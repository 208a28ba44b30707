//! Tables that a statement renames.

use serde::{Deserialize, Serialize};

use super::TableName;

/// From → to, in the order of the statement: servers rename one after the other, so that a name may be free only then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renames(Vec<(TableName, TableName)>);

type Pair<'a> = (&'a TableName, &'a TableName);

/// A walk over the pairs, from either end.
pub type Iter<'a> =
    std::iter::Map<std::slice::Iter<'a, (TableName, TableName)>, fn(&(TableName, TableName)) -> Pair<'_>>;

impl Renames {
    /// One more, behind the others.
    pub fn insert(&mut self, from: TableName, to: TableName) {
        self.0.push((from, to));
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs in order.
    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(|(from, to)| (from, to))
    }

    /// The old names in order.
    pub fn keys(&self) -> impl Iterator<Item = &TableName> {
        self.0.iter().map(|(from, _)| from)
    }

    /// The new names in order.
    pub fn values(&self) -> impl Iterator<Item = &TableName> {
        self.0.iter().map(|(_, to)| to)
    }

    /// The new name of a table.
    pub fn get(&self, from: &TableName) -> Option<&TableName> {
        self.iter().find(|(old, _)| *old == from).map(|(_, to)| to)
    }

    /// It renames this table.
    pub fn contains_key(&self, from: &TableName) -> bool {
        self.get(from).is_some()
    }
}

impl<const N: usize> From<[(TableName, TableName); N]> for Renames {
    fn from(pairs: [(TableName, TableName); N]) -> Self {
        Self(pairs.into())
    }
}

impl<'a> IntoIterator for &'a Renames {
    type Item = Pair<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

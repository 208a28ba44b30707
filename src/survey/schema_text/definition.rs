//! One table, clause by clause.

use crate::server::flavor::Flavor;
use crate::sql::record::{AlterClass, AlterClause, ColumnDefinition, ColumnKey, KeyPart, Place, TableName};
use crate::survey::columns::mark_json;
use crate::survey::record::{ColumnFacts, ForeignKeyFacts, IndexColumn, IndexFacts, PartitionFacts, TableFacts};

use super::column;
use super::objects::{Reference, partitions, references, value};

/// A table under way.
pub struct Table {
    /// What is known of it.
    pub facts: TableFacts,
    name: TableName,
    flavor: Flavor,
    charset: Option<String>,
    collation: Option<String>,
}

impl Table {
    /// A table without columns, of which only the name is known.
    pub fn new(name: &TableName, flavor: Flavor) -> Self {
        Self::of(TableFacts::unknown(), name, flavor)
    }

    /// A table of which something is known.
    pub fn of(facts: TableFacts, name: &TableName, flavor: Flavor) -> Self {
        Self { facts, name: name.clone(), flavor, charset: None, collation: None }
    }

    /// Takes a clause in; false when it was not understood.
    pub fn take(&mut self, clause: &AlterClause) -> bool {
        use AlterClass::*;
        match clause.class {
            AddColumn | ModifyColumn if clause.columns.is_empty() => return false,
            AddColumn => clause.columns.iter().for_each(|column| self.column(column, None, &clause.text)),
            ModifyColumn => {
                let old = clause.object.as_deref();
                clause.columns.iter().for_each(|column| self.column(column, old, &clause.text));
            }
            AddIndex | AddUnique | AddFulltext | AddSpatial | AddPrimaryKey if clause.parts.is_empty() => return false,
            AddIndex => self.index(clause.object.clone(), false, "BTREE", &clause.parts),
            AddUnique => self.index(clause.object.clone(), true, "BTREE", &clause.parts),
            AddFulltext => self.index(clause.object.clone(), false, "FULLTEXT", &clause.parts),
            AddSpatial => self.index(clause.object.clone(), false, "SPATIAL", &clause.parts),
            AddPrimaryKey => self.index(Some("PRIMARY".to_owned()), true, "BTREE", &clause.parts),
            AddForeignKey => match references(&clause.text, &self.name.database) {
                Some(reference) => self.foreign_key(clause.object.clone(), &clause.parts, reference),
                None => return false,
            },
            Engine => match value(&clause.text) {
                Some(engine) => self.facts.engine = engine,
                None => return false,
            },
            AutoIncrement => self.facts.auto_increment = value(&clause.text).and_then(|number| number.parse().ok()),
            DefaultCharset | ConvertCharset => {
                let upper = clause.text.to_ascii_uppercase();
                // `CHARACTER SET utf8 COLLATE utf8_bin` is one clause: what follows the word itself is its value.
                let named = |word: &str| {
                    let rest = clause.text[upper.find(word)? + word.len()..].trim_start();
                    value(&format!("={}", rest.trim_start_matches('=')))
                };
                let charset = named("CHARSET").or_else(|| named("CHARACTER SET")).or_else(|| named("CHAR SET"));
                self.charset = charset.or(self.charset.take());
                self.collation = named("COLLATE").or(self.collation.take());
            }
            Partition => match partitions(&clause.text) {
                Some(partitions) => self.facts.partitions = partitions,
                None => return false,
            },
            // What changes neither columns, keys nor engine.
            Comment | RowFormat | AddCheck | Keys | Algorithm | Lock | Tablespace | Force | OrderBy => {}
            Other => return clause.text.contains('=') && !clause.text.trim_start().starts_with("ADD"),
            _ => return false,
        }
        true
    }

    /// The whole, indexes and texts settled.
    pub fn finish(mut self) -> TableFacts {
        if self.flavor.is_mariadb() {
            mark_json(&mut self.facts.columns, &self.facts.create);
        }
        for column in self.facts.columns.iter_mut().filter(|column| ColumnDefinition::is_text(&column.data_type)) {
            let named = column.charset.is_some();
            column.charset = column.charset.take().or_else(|| self.charset.clone());
            column.collation = column.collation.take().or_else(|| self.collation.clone().filter(|_| !named));
        }
        let primary: Vec<String> = self.facts.primary_key().iter().map(|part| part.name.clone()).collect();
        for column in self.facts.columns.iter_mut().filter(|column| primary.contains(&column.name)) {
            column.nullable = false;
        }
        if self.facts.auto_increment.is_none() && self.facts.columns.iter().any(|column| column.auto_increment) {
            self.facts.auto_increment = Some(1);
        }
        self.facts.indexes.sort_by(|a, b| (a.name != "PRIMARY", &a.name).cmp(&(b.name != "PRIMARY", &b.name)));
        self.facts.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
        self.facts
    }

    fn column(&mut self, definition: &ColumnDefinition, old: Option<&str>, text: &str) {
        let columns = &mut self.facts.columns;
        let place = |columns: &[ColumnFacts], name: &str| {
            columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
        };
        let mut at = columns.len();
        if let Some(known) = place(columns, old.unwrap_or(&definition.name)) {
            columns.remove(known);
            at = known;
        }
        match &definition.place {
            Some(Place::First) => at = 0,
            Some(Place::After(name)) => at = place(columns, name).map_or(at, |before| before + 1),
            None => {}
        }
        columns.insert(at.min(columns.len()), column::facts(definition, text, self.flavor));
        if let Some(key) = definition.key {
            let part = KeyPart { column: Some(definition.name.clone()), prefix: None };
            let name = (key == ColumnKey::Primary).then(|| "PRIMARY".to_owned());
            self.index(name, true, "BTREE", &[part]);
        }
    }

    fn index(&mut self, name: Option<String>, unique: bool, kind: &str, parts: &[KeyPart]) {
        let columns: Vec<IndexColumn> = parts
            .iter()
            .map(|part| IndexColumn {
                name: part.column.clone().unwrap_or_default(),
                prefix: part.prefix,
                expression: part.column.is_none().then(String::new),
            })
            .collect();
        let name = name.unwrap_or_else(|| self.free_name(&columns));
        self.facts.indexes.retain(|index| !index.name.eq_ignore_ascii_case(&name));
        self.facts.indexes.push(IndexFacts { name, unique, kind: kind.to_owned(), columns, cardinality: None });
    }

    /// The name that servers give an index: its first column's, with a number where that is taken.
    fn free_name(&self, columns: &[IndexColumn]) -> String {
        let first = columns.first().map(|part| part.name.as_str()).filter(|name| !name.is_empty());
        let first = first.unwrap_or("functional_index");
        let taken = |name: &str| self.facts.indexes.iter().any(|index| index.name.eq_ignore_ascii_case(name));
        let numbered = (2..).map(|number| format!("{first}_{number}"));
        std::iter::once(first.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
    }

    fn foreign_key(&mut self, name: Option<String>, parts: &[KeyPart], reference: Reference) {
        let columns: Vec<String> = parts.iter().filter_map(|part| part.column.clone()).collect();
        let leads = |index: &IndexFacts| {
            index.columns.len() >= columns.len()
                && index.columns.iter().zip(&columns).all(|(part, column)| part.name.eq_ignore_ascii_case(column))
        };
        if !self.facts.indexes.iter().any(leads) {
            // Both servers make the index that the key needs, and call it by the key's name.
            self.index(name.clone(), false, "BTREE", parts);
        }
        let number = self.facts.foreign_keys.len() + 1;
        let name = name.unwrap_or_else(|| match self.flavor.is_mariadb() && self.flavor.at_least_mariadb(12, 1, 0) {
            true => number.to_string(),
            false => format!("{}_ibfk_{number}", self.name.table),
        });
        let Reference { parent, parent_columns, on_delete, on_update } = reference;
        // What nobody said: NO ACTION to MySQL, RESTRICT to MariaDB; the same to both.
        let unsaid = || if self.flavor.is_mariadb() { "RESTRICT" } else { "NO ACTION" }.to_owned();
        let (on_delete, on_update) = (on_delete.unwrap_or_else(unsaid), on_update.unwrap_or_else(unsaid));
        self.facts.foreign_keys.push(ForeignKeyFacts { name, columns, parent, parent_columns, on_delete, on_update });
    }
}

/// One partition by name.
pub fn partition(name: &str, method: &str, expression: &str, values: &str) -> PartitionFacts {
    PartitionFacts {
        name: name.to_owned(),
        method: method.to_owned(),
        expression: expression.to_owned(),
        values: values.to_owned(),
        rows: 0,
    }
}

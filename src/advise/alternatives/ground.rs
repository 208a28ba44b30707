//! What an alternative stands on: the statement, its table, and what speaks against touching it another way.

use crate::replay::record::Observation;
use crate::server::flavor::Flavor;
use crate::sql::record::{Confidence, Statement, TableName};
use crate::survey::record::{Survey, TableFacts, TriggerFacts};

/// A statement and all that is known about the table that it changes.
pub struct Ground<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// The table whose rows it changes.
    pub table: &'a TableName,
    /// What the survey says of the table; none for one that it does not know.
    pub facts: Option<&'a TableFacts>,
    /// What the statement did; none before it ran.
    pub observed: Option<&'a Observation>,
    /// Production's shape.
    pub survey: &'a Survey,
    /// The server.
    pub flavor: Flavor,
}

impl Ground<'_> {
    /// What speaks against any alternative.
    pub fn refusals(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let effect = &self.statement.reading.effect;
        if self.statement.reading.confidence == Confidence::Unknown {
            reasons.push("the statement is not understood".to_owned());
        }
        if effect.multi_table || effect.writes.len() > 1 {
            reasons.push("it changes, or joins, several tables".to_owned());
        }
        if effect.temporary {
            reasons.push(format!("{} is a temporary table, which blocks nobody", self.table));
        } else if self.survey.views.contains_key(self.table) {
            reasons.push(format!("{} is a view", self.table));
        } else if self.facts.is_none() {
            reasons.push(format!("{} is not in the survey, so nothing is known of its keys and triggers", self.table));
        }
        if self.is_in_transaction() {
            reasons.push("it runs inside a transaction, which this would commit half-way".to_owned());
        }
        reasons
    }

    /// What speaks against replacing the table's rows as a whole (TRUNCATE and swap alike).
    pub fn whole_table_refusals(&self) -> Vec<String> {
        let mut reasons = self.refusals();
        let effect = &self.statement.reading.effect;
        if effect.has_limit || effect.has_where || !effect.empties.contains(self.table) {
            reasons.push("it does not remove every row".to_owned());
        }
        reasons.extend(self.engine_refusals());
        reasons
    }

    /// What the table's engine says against replacing the table.
    pub fn engine_refusals(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(facts) = self.facts {
            let known = ["innodb", "myisam", "aria", "rocksdb", "memory"];
            if !known.contains(&facts.engine.to_ascii_lowercase().as_str()) {
                reasons.push(format!("how the engine {} empties a table was never tried", facts.engine));
            }
            if facts.create.to_ascii_uppercase().contains("WITH SYSTEM VERSIONING") {
                reasons.push(format!("{} is system-versioned: DELETE keeps its history, this would not", self.table));
            }
        }
        reasons
    }

    /// What speaks against putting a table made by CREATE TABLE … LIKE in the place of this one.
    pub fn swap_refusals(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let children = self.children();
        if !children.is_empty() {
            // Measured on both vendors, with foreign_key_checks 0 and 1 alike.
            reasons
                .push(format!("foreign keys that refer to the table would follow the old one: {}", listed(&children)));
        }
        let own: Vec<_> =
            self.facts.map_or(&[][..], |facts| &facts.foreign_keys).iter().map(|key| key.name.clone()).collect();
        if !own.is_empty() {
            reasons.push(format!("CREATE TABLE … LIKE leaves out the table's own foreign keys: {}", listed(&own)));
        }
        let triggers: Vec<_> = self.triggers().map(|(name, _)| name.table.clone()).collect();
        if !triggers.is_empty() {
            reasons.push(format!("the table's triggers would go with the old one: {}", listed(&triggers)));
        }
        reasons
    }

    /// A name of production's own: a table or a view.
    pub fn is_taken(&self, name: &TableName) -> bool {
        let known = self.survey.tables.keys().chain(self.survey.views.keys());
        known.filter(|known| known.database == name.database).any(|known| known.table.eq_ignore_ascii_case(&name.table))
    }

    /// Foreign keys of other tables that refer to this one, as `child (constraint)`.
    pub fn children(&self) -> Vec<String> {
        let mut children = Vec::new();
        for (name, facts) in self.survey.tables.iter().filter(|(name, _)| *name != self.table) {
            for key in facts.foreign_keys.iter().filter(|key| key.parent == *self.table) {
                children.push(format!("{name} ({})", key.name));
            }
        }
        children
    }

    /// The triggers on the table, by name.
    pub fn triggers(&self) -> impl Iterator<Item = (&TableName, &TriggerFacts)> {
        self.survey.triggers.iter().filter(|(_, trigger)| trigger.table == *self.table)
    }

    /// The table's column that counts up by itself, when it has one.
    pub fn counter(&self) -> Option<&str> {
        let columns = &self.facts?.columns;
        columns.iter().find(|column| column.auto_increment).map(|column| column.name.as_str())
    }

    /// The statement is part of a transaction of several: one that committed by itself has a commit time of its own.
    fn is_in_transaction(&self) -> bool {
        self.observed.is_some_and(|observed| observed.transaction.is_some() && observed.commit_seconds.is_none())
    }
}

/// `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

//! Which rows a trial leaves otherwise: what is kept of the original's final state until the trial's is there, and back.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::stage::Stage;
use crate::replay::differing::{Ranges, Rows, places};
use crate::server::role::Role;
use crate::server::session::ReadOnly;
use crate::sql::record::TableName;

/// Tables that are looked into, the first by name; the others are only said to differ.
const MOST_TABLES: usize = 4;

/// What was looked at so far.
pub struct Looked {
    tables: Vec<Table>,
    /// What could not be told, in sentences.
    blind: Vec<String>,
}

struct Table {
    ranges: Ranges,
    sums: Vec<String>,
    /// Ranges in which the trial has other rows, and those rows.
    places: Vec<usize>,
    rows: Rows,
}

impl Looked {
    /// Looks at the original's final state.
    ///
    /// # Errors
    /// When the sandbox cannot be asked at all; what one table does not answer is told in the end.
    pub fn at(stage: &Stage, tables: &[TableName]) -> Result<Self> {
        let mut looked = Self { tables: Vec::new(), blind: Vec::new() };
        let mut reader = reader(stage)?;
        for name in tables.iter().take(MOST_TABLES) {
            let Some(facts) = stage.survey.tables.get(name) else { continue };
            let cut = Ranges::cut(&mut reader, name, facts)
                .and_then(|ranges| ranges.map(|ranges| Ok((ranges.sums(&mut reader)?, ranges))).transpose());
            match cut {
                Ok(Some((sums, ranges))) => {
                    looked.tables.push(Table { ranges, sums, places: Vec::new(), rows: Rows::new() });
                }
                Ok(None) => {
                    looked.blind.push(format!("{name}: which rows differ is not told, it has no primary key to cut"))
                }
                Err(why) => looked.blind.push(format!("{name}: which rows differ could not be told: {why:#}")),
            }
        }
        Ok(looked)
    }

    /// Looks at the trial's final state.
    ///
    /// # Errors
    /// As [`Looked::at`].
    pub fn trial(&mut self, stage: &Stage) -> Result<()> {
        let mut reader = reader(stage)?;
        let blind = &mut self.blind;
        self.tables.retain_mut(|table| {
            let looked = table.ranges.sums(&mut reader).and_then(|sums| {
                table.places = places(&table.sums, &sums);
                table.rows = table.ranges.rows(&mut reader, &table.places)?;
                Ok(())
            });
            if let Err(why) = &looked {
                let name = table.ranges.table();
                blind.push(format!("{name}: which rows differ could not be told: {why:#}"));
            }
            looked.is_ok()
        });
        Ok(())
    }

    /// What differs, in sentences, now that the sandbox holds the original's final state again.
    ///
    /// # Errors
    /// As [`Looked::at`].
    pub fn told(self, stage: &Stage, excluded: &BTreeSet<String>) -> Result<Vec<String>> {
        let mut reader = reader(stage)?;
        let mut sentences = Vec::new();
        for table in &self.tables {
            let original = table.ranges.rows(&mut reader, &table.places)?;
            sentences.extend(table.ranges.told(&table.places, &original, &table.rows, excluded));
        }
        sentences.extend(self.blind);
        Ok(sentences)
    }
}

fn reader(stage: &Stage) -> Result<ReadOnly> {
    stage.sandbox.instance().reader(Role::Surveyor).context("cannot look at the sandbox")
}

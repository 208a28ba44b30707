//! The whole of filling a server: create, load table by table, then indexes, foreign keys and triggers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::progress::{Progress, Unit};
use crate::quantity::grouped;
use crate::sandbox::Instance;
use crate::server::session::Writer;
use crate::sql::record::{TableName, quote_identifier, quote_text};
use crate::survey::record::{Survey, TableFacts};

use super::indexes::{self, Parts};
use super::layout;
use super::order::parents_first;
use super::record::{Filled, Seeding};
use super::rows::Plans;
use super::schema;
use super::session::{self, Opened};
use super::stream::{self, Loaded};
use super::values::number::seconds_of;

/// Drops the survey's databases, creates them anew and gives each table as many rows as `rows` says (none where it says
/// nothing). Secondary indexes and foreign keys come after the rows, triggers last. A table that cannot get its rows
/// stands in [`Seeding::unseedable`] and is not half filled: it holds as many as its keys have room for, or none.
///
/// # Errors
/// A definition that the server refuses, a lost connection, or [`Interrupted`](crate::progress::Interrupted).
pub fn fill(
    instance: &Instance,
    survey: &Survey,
    rows: &BTreeMap<TableName, u64>,
    progress: &dyn Progress,
) -> Result<Seeding> {
    let mut filling = Filling {
        instance,
        survey,
        writer: session::open(instance)?,
        rows: rows.clone(),
        now: now(survey),
        refused: BTreeSet::new(),
        seeding: Seeding::default(),
    };
    for name in rows.keys().filter(|name| !survey.tables.contains_key(name)) {
        filling.seeding.unseedable.push((name.clone(), "there is no such table in the survey".to_owned()));
    }
    schema::create_databases(&mut filling.writer, survey)?;
    let opened = Opened::new(instance, progress)?;
    let parts = filling.tables()?;
    filling.load_all(&parts, progress)?;
    filling.foreign_keys(&parts, progress)?;
    schema::create_programs(&mut filling.writer, survey)?;
    filling.analyze(progress)?;
    opened.finish()?;
    Ok(filling.seeding)
}

/// Midnight of 2026-01-01, UTC.
const REFERENCE_DAY: i64 = 1_767_225_600;

/// The moment that stands for now in columns without statistics: when the survey was taken, else a fixed day, so that
/// the same input gives the same rows whenever it is filled.
fn now(survey: &Survey) -> i64 {
    let taken = survey.taken.as_deref().and_then(|taken| seconds_of(taken.replace(['T', 'Z'], " ").trim_end()));
    taken.unwrap_or(REFERENCE_DAY)
}

struct Filling<'a> {
    instance: &'a Instance,
    survey: &'a Survey,
    writer: Writer,
    rows: BTreeMap<TableName, u64>,
    now: i64,
    /// Tables that lost their rows: children that were filled before them may refer to nothing.
    refused: BTreeSet<TableName>,
    seeding: Seeding,
}

impl Filling<'_> {
    /// Creates all tables without what is added later.
    fn tables(&mut self) -> Result<BTreeMap<TableName, Parts>> {
        let mut all = BTreeMap::new();
        for (name, table) in &self.survey.tables {
            let parts = indexes::split(table);
            self.writer.use_database(&name.database).with_context(|| format!("cannot use {}", name.database))?;
            self.writer.execute(&parts.create).with_context(|| format!("cannot create the table {name}"))?;
            all.insert(name.clone(), parts);
        }
        Ok(all)
    }

    fn load_all(&mut self, parts: &BTreeMap<TableName, Parts>, progress: &dyn Progress) -> Result<()> {
        let places: BTreeMap<&TableName, usize> = self.survey.tables.keys().zip(0..).collect();
        let mut plans = self.plan();
        for name in parents_first(&self.survey.tables) {
            progress.check()?;
            let (Some(parts), Some(place), Some(table)) =
                (parts.get(&name), places.get(&name), self.survey.tables.get(&name))
            else {
                continue;
            };
            let started = Instant::now();
            let mut refused = None;
            if plans.0[*place].rows > 0 {
                refused = self.load(&name, table, &plans, *place, progress)?;
            }
            if refused.is_none() {
                refused = self.add_indexes(&name, parts, progress)?;
            }
            if let Some(why) = refused {
                self.seeding.unseedable.push((name.clone(), why));
                self.empty(&name)?;
                if let Some(why) = self.add_indexes(&name, parts, progress)? {
                    anyhow::bail!("cannot add the indexes of {name}: {why}");
                }
                // Children must not refer to rows that are not there.
                self.rows.insert(name.clone(), 0);
                self.refused.insert(name.clone());
                plans = self.plan();
            } else {
                let notes = plans.0[*place].notes.iter().cloned();
                self.seeding.unseedable.extend(notes.map(|note| (name.clone(), note)));
            }
            self.counter(&name, table)?;
            let rows = self.count(&name)?;
            let filled = Filled { rows, seconds: started.elapsed().as_secs_f64(), bytes: 0 };
            if rows > 0 || self.rows.contains_key(&name) {
                self.seeding.tables.insert(name, filled);
            }
        }
        Ok(())
    }

    fn plan(&self) -> Arc<Plans> {
        Arc::new(layout::plan(self.survey, self.instance.flavor(), &self.rows, self.now))
    }

    /// Loads one table; a sentence when the server did not take all of it.
    fn load(
        &mut self,
        name: &TableName,
        table: &TableFacts,
        plans: &Arc<Plans>,
        place: usize,
        progress: &dyn Progress,
    ) -> Result<Option<String>> {
        let keys_off = matches!(table.engine.to_ascii_lowercase().as_str(), "myisam" | "aria");
        if keys_off {
            self.alter(name, "DISABLE KEYS")?;
        }
        let loaded = stream::load(self.instance, plans, place, table.is_transactional(), progress)?;
        if keys_off {
            progress.stage(&format!("building the indexes of {name}"), Unit::Waiting, None);
            self.alter(name, "ENABLE KEYS")?;
        }
        let expected = plans.0[place].rows;
        Ok(match loaded {
            Loaded::Refused(why) => Some(format!("left empty: {why}")),
            Loaded::Whole(remark) => {
                if let Some(remark) = remark {
                    let note = format!("the server changed values while they were loaded: {remark}");
                    self.seeding.unseedable.push((name.clone(), note));
                }
                let counted = self.count(name)?;
                (counted != expected).then(|| {
                    format!("left empty: {} rows were sent and {} are there", grouped(expected), grouped(counted))
                })
            }
        })
    }

    /// Adds the indexes; a sentence when the rows do not allow one.
    fn add_indexes(&mut self, name: &TableName, parts: &Parts, progress: &dyn Progress) -> Result<Option<String>> {
        let together = (!parts.indexes.is_empty()).then(|| format!("ADD {}", parts.indexes.join(", ADD ")));
        let alone = parts.alone.iter().map(|index| format!("ADD {index}"));
        for clause in together.into_iter().chain(alone) {
            progress.check()?;
            progress.stage(&format!("building the indexes of {name}"), Unit::Waiting, None);
            if let Err(fault) = self.writer.execute(&format!("ALTER TABLE {} {clause}", name.quoted())) {
                if fault.is_connection_lost() {
                    return Err(fault).with_context(|| format!("cannot add the indexes of {name}"));
                }
                return Ok(Some(format!("left empty: its indexes cannot be built over the rows: {fault}")));
            }
        }
        Ok(None)
    }

    /// Takes all rows out again, and what indexes were already added.
    fn empty(&mut self, name: &TableName) -> Result<()> {
        let cannot = || format!("cannot empty {name} again");
        self.writer.execute(&format!("DROP TABLE {}", name.quoted())).with_context(cannot)?;
        self.writer.use_database(&name.database).with_context(cannot)?;
        let parts = indexes::split(&self.survey.tables[name]);
        self.writer.execute(&parts.create).with_context(cannot)?;
        Ok(())
    }

    /// Puts the counter to production's next value; a server never lets it fall below the rows.
    fn counter(&mut self, name: &TableName, table: &TableFacts) -> Result<()> {
        let Some(next) = table.auto_increment.filter(|next| *next > 1) else { return Ok(()) };
        if table.create.contains(&format!(" AUTO_INCREMENT={next} ")) {
            return Ok(());
        }
        self.alter(name, &format!("AUTO_INCREMENT = {next}"))
    }

    fn foreign_keys(&mut self, parts: &BTreeMap<TableName, Parts>, progress: &dyn Progress) -> Result<()> {
        for (name, parts) in parts.iter().filter(|(_, parts)| !parts.foreign_keys.is_empty()) {
            progress.check()?;
            progress.stage(&format!("adding the foreign keys of {name}"), Unit::Waiting, None);
            // A database of its own is in use for names in the definition that carry none.
            self.writer.use_database(&name.database).with_context(|| format!("cannot use {}", name.database))?;
            self.alter(name, &format!("ADD {}", parts.foreign_keys.join(", ADD ")))?;
        }
        self.count_orphans()
    }

    /// Counts what violates the foreign keys that the generator does not vouch for, and those of tables that lost their
    /// rows after a child had been filled.
    fn count_orphans(&mut self) -> Result<()> {
        let plans = self.plan();
        for plan in plans.0.iter().filter(|plan| plan.rows > 0) {
            let keys = self.survey.tables[&plan.name].foreign_keys.iter().enumerate();
            for (_, key) in keys.filter(|(at, key)| plan.doubtful.contains(at) || self.refused.contains(&key.parent)) {
                let pairs = || key.columns.iter().zip(&key.parent_columns);
                let same = |(child, parent): (&String, &String)| {
                    format!("p.{} = c.{}", quote_identifier(parent), quote_identifier(child))
                };
                let joined: Vec<String> = pairs().map(same).collect();
                let filled: Vec<String> =
                    key.columns.iter().map(|column| format!("c.{} IS NOT NULL", quote_identifier(column))).collect();
                let query = format!(
                    "SELECT COUNT(*) FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
                    plan.name.quoted(),
                    filled.join(" AND "),
                    key.parent.quoted(),
                    joined.join(" AND ")
                );
                let orphans: Option<u64> = self
                    .writer
                    .first(&query)
                    .with_context(|| format!("cannot count what violates {} of {}", key.name, plan.name))?;
                if let Some(orphans @ 1..) = orphans {
                    let note =
                        format!("{} rows refer by {} to rows that {} lacks", grouped(orphans), key.name, key.parent);
                    self.seeding.unseedable.push((plan.name.clone(), note));
                }
            }
        }
        Ok(())
    }

    /// Fresh statistics, as a server has that lived with its rows, and from them the sizes.
    fn analyze(&mut self, progress: &dyn Progress) -> Result<()> {
        let names: Vec<TableName> = self.seeding.tables.keys().cloned().collect();
        progress.stage("analysing tables", Unit::Steps, Some(names.len() as u64));
        for (name, done) in names.iter().zip(1..) {
            progress.check()?;
            let started = Instant::now();
            self.writer
                .execute(&format!("ANALYZE TABLE {}", name.quoted()))
                .with_context(|| format!("cannot analyse {name}"))?;
            let bytes: Option<Option<u64>> = self
                .writer
                .first(&format!(
                    "SELECT DATA_LENGTH + INDEX_LENGTH FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND \
                     TABLE_NAME = {}",
                    quote_text(&name.database),
                    quote_text(&name.table)
                ))
                .with_context(|| format!("cannot read the size of {name}"))?;
            if let Some(filled) = self.seeding.tables.get_mut(name) {
                filled.bytes = bytes.flatten().unwrap_or(0);
                filled.seconds += started.elapsed().as_secs_f64();
            }
            progress.at(done);
        }
        Ok(())
    }

    fn alter(&mut self, name: &TableName, clause: &str) -> Result<()> {
        let statement = format!("ALTER TABLE {} {clause}", name.quoted());
        self.writer.execute(&statement).map(drop).with_context(|| format!("cannot run {statement}"))
    }

    fn count(&mut self, name: &TableName) -> Result<u64> {
        let count: Option<u64> = self
            .writer
            .first(&format!("SELECT COUNT(*) FROM {}", name.quoted()))
            .with_context(|| format!("cannot count {name}"))?;
        Ok(count.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_when_the_survey_was_taken_else_always_the_same_day() {
        let survey = |taken: Option<&str>| -> Survey {
            let mut survey = serde_json::json!({"format": "rehearse/survey@1",
                "server": {"flavor": "mysql:9.7"}, "databases": {}, "tables": {}});
            if let Some(taken) = taken {
                survey["taken"] = taken.into();
            }
            serde_json::from_value(survey).expect("a survey")
        };
        assert_eq!(now(&survey(Some("2026-11-20T00:00:10Z"))), 1_795_132_810);
        assert_eq!(now(&survey(None)), REFERENCE_DAY);
    }
}

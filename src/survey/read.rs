//! Reads a server's shape: light, bounded, without a scan of any table.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::mention::Names;
use super::objects::{Object, ObjectKind};
use super::record::{Basis, Survey, TriggerFacts};
use super::tables::Read;
use super::{answer::Cells, ask, catalog, guard, objects, rights, server_facts, statistics, tables};
use crate::progress::{Progress, Unit};
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_identifier};

/// What to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The databases; empty for all that are not the server's own.
    pub databases: Vec<String>,
    /// Count rows exactly, which reads an index of each table from end to end.
    pub exact: bool,
    /// Sample what columns hold.
    pub statistics: bool,
    /// Keep common values of text columns, too: they are production's own data.
    pub values: bool,
}

/// Reads the shape of a server.
///
/// # Errors
/// When the connection is lost, a named database does not exist or the person asked to stop. What the account may not
/// read becomes a gap.
pub fn survey(reader: &mut ReadOnly, options: &Options, progress: &dyn Progress) -> Result<Survey> {
    let (flavor, version) = guard::prepare(reader)?;
    let databases = catalog::databases(reader, &options.databases)?;
    let mut gaps = ask::Gaps::new();
    rights::note(reader, &databases, &mut gaps)?;
    let mut survey = Survey {
        taken: Some(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ..Survey::empty(server_facts::read(reader, flavor, version, &mut gaps)?)
    };
    progress.stage("reading definitions", Unit::Steps, Some(databases.len() as u64));
    let mut read = BTreeMap::new();
    for (done, database) in databases.iter().enumerate() {
        let show = format!("SHOW CREATE DATABASE {}", quote_identifier(database));
        let shown = ask::ask_one(reader, &show, &format!("the definition of database {database}"), &mut gaps)?;
        survey.databases.insert(database.clone(), shown.map(|row| row.text(1)).unwrap_or_default());
        let listed = catalog::tables(reader, database)?;
        read.append(&mut tables::read(reader, flavor, database, &listed, &mut gaps, progress)?);
        for object in objects::read(reader, database, &listed, &mut gaps, progress)? {
            place(&mut survey, object);
        }
        progress.at(done as u64 + 1);
    }
    if options.exact {
        count(reader, flavor, &mut read, &mut gaps, progress)?;
    }
    if options.statistics {
        progress.stage("sampling columns", Unit::Steps, Some(read.len() as u64));
        for (done, (name, table)) in read.iter_mut().enumerate() {
            progress.check()?;
            statistics::sample(reader, name, table, options.values, &mut gaps)?;
            progress.at(done as u64 + 1);
        }
    }
    survey.tables = read.into_iter().map(|(name, table)| (name, table.facts)).collect();
    note_what_triggers_touch(&mut survey);
    survey.gaps = gaps;
    Ok(survey)
}

fn place(survey: &mut Survey, object: Object) {
    match object.kind {
        ObjectKind::View => drop(survey.views.insert(object.name, object.create)),
        ObjectKind::Sequence => drop(survey.sequences.insert(object.name, object.create)),
        ObjectKind::Trigger => {
            let Some(firing) = object.trigger else { return };
            let facts = TriggerFacts {
                table: TableName::new(object.name.database.as_str(), firing.table),
                timing: firing.timing,
                event: firing.event,
                create: object.create,
                sql_mode: firing.sql_mode,
                touches: Vec::new(),
            };
            survey.triggers.insert(object.name, facts);
        }
        ObjectKind::Procedure
        | ObjectKind::Function
        | ObjectKind::Package
        | ObjectKind::PackageBody
        | ObjectKind::Event => {
            let mut name = object.name;
            if survey.routines.contains_key(&name) {
                name.table = format!("{} ({})", name.table, object.kind.word());
            }
            survey.routines.insert(name, object.create);
        }
    }
}

/// Counts each table's rows. No time limit holds: a count was asked for.
fn count(
    reader: &mut ReadOnly,
    flavor: Flavor,
    tables: &mut BTreeMap<TableName, Read>,
    gaps: &mut ask::Gaps,
    progress: &dyn Progress,
) -> Result<()> {
    progress.stage("counting rows", Unit::Steps, Some(tables.len() as u64));
    guard::limit(reader, flavor, 0)?;
    for (done, (name, table)) in tables.iter_mut().enumerate() {
        progress.check()?;
        let sql = format!("SELECT COUNT(*) FROM {}", name.quoted());
        let counted: Option<Cells> = ask::ask_one(reader, &sql, &format!("the rows of {name}"), gaps)?;
        if let Some(rows) = counted.and_then(|row| row.number(0)) {
            table.facts.rows = rows;
            table.facts.rows_basis = Basis::Measured;
        }
        progress.at(done as u64 + 1);
    }
    guard::limit(reader, flavor, guard::PATIENCE_SECONDS).context("cannot limit the time of queries again")
}

/// Finds the tables that each trigger's body mentions, those of the routines that it mentions included.
fn note_what_triggers_touch(survey: &mut Survey) {
    let names = Names::of(survey);
    let routines = Names::new(true, survey.routines.keys().cloned());
    let mut touched = Vec::new();
    for (trigger, facts) in &survey.triggers {
        let mut tables = BTreeSet::new();
        let mut open = vec![(facts.create.as_str(), trigger.database.clone())];
        let mut seen = BTreeSet::new();
        while let Some((text, database)) = open.pop() {
            tables.extend(names.mentioned(text, &database));
            for routine in routines.mentioned(text, &database) {
                if seen.insert(routine.clone())
                    && let Some(create) = survey.routines.get(&routine)
                {
                    open.push((create, routine.database));
                }
            }
        }
        tables.remove(&names.spelling(&facts.table));
        touched.push(tables.into_iter().collect());
    }
    for (facts, tables) in survey.triggers.values_mut().zip(touched) {
        facts.touches = tables;
    }
}

//! A lint from its inputs: the survey or the schema's text, the script as a stream, the judge. Starts no server.

use std::collections::BTreeMap;
use std::mem;
use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use anyhow::{Context, Error, Result};

use super::settings::FailOn;
use super::stage::known_tables;
use super::{DEFAULT_FLAVOR, bad_input};
use crate::advise::evidence::Evidence;
use crate::advise::lint::Lint;
use crate::advise::record::{Allowance, Budget, LintSummary, Located, Severity, Untold};
use crate::problem::BadInput;
use crate::progress::{Interrupted, Progress};
use crate::quantity::Count;
use crate::server::flavor::Flavor;
use crate::sql::read::unclosed;
use crate::sql::record::{Statement, TableName};
use crate::sql::script::{Options, Script};
use crate::survey::record::{Basis, Survey};
use crate::survey::{file, schema_text};

/// Statements that are read and judged together.
const BATCH: usize = 64;
/// Batches that may wait for the judge.
const AHEAD: usize = 4;

/// A lint to be made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Files and directories in order; `-` is the standard input.
    pub paths: Vec<PathBuf>,
    /// A file (or directory) of CREATE statements.
    pub schema: Option<PathBuf>,
    /// A saved survey.
    pub survey: Option<PathBuf>,
    /// Rows by table, as typed.
    pub rows: BTreeMap<String, Count>,
    /// The database in use when the script begins.
    pub database: String,
    /// The server that it is meant for; none: the survey's.
    pub server: Option<Flavor>,
    /// Placeholders and what they stand for.
    pub variables: BTreeMap<String, String>,
    /// What the upgrade may do to the application.
    pub budget: Budget,
    /// Findings that somebody accepted.
    pub allow: Vec<Allowance>,
    /// Severities of rules, over their own.
    pub severity: BTreeMap<String, Severity>,
    /// From which severity on a finding fails the lint.
    pub fail_on: FailOn,
}

/// What a lint is judged by, before the first statement is read.
pub struct Ground {
    /// The server that the script is read for.
    pub flavor: Flavor,
    survey: Option<Survey>,
}

impl Ground {
    /// Production's rows of a table; none where nobody told.
    pub fn rows(&self, table: &TableName) -> Option<u64> {
        self.survey.as_ref()?.tables.get(table).map(|facts| facts.rows)
    }
}

/// Reads what the settings name of production.
///
/// # Errors
/// A [`BadInput`]: a file that cannot be read or used, a table that is not there.
pub fn ground(settings: &Settings) -> Result<Ground> {
    let mut survey = settings.survey.as_deref().map(|path| file::load(path).map_err(bad_input)).transpose()?;
    let flavor = settings.server.or(survey.as_ref().map(|survey| survey.server.flavor)).unwrap_or(DEFAULT_FLAVOR);
    if let Some(path) = &settings.schema {
        let script = Script::from_files(std::slice::from_ref(path), options(settings, flavor));
        let script = script.context("cannot use the schema").map_err(bad_input)?;
        survey = Some(schema_text::read(&script, flavor).map_err(bad_input)?);
    }
    if let Some(survey) = &mut survey {
        let names = known_tables("--rows", settings.rows.keys(), &settings.database, survey)?;
        for (name, rows) in names.iter().zip(settings.rows.values()) {
            if let Some(table) = survey.tables.get_mut(name) {
                (table.rows, table.rows_basis) = (rows.0, Basis::Stated);
            }
        }
    }
    Ok(Ground { flavor, survey })
}

/// Who is told of a lint as it goes.
pub trait Listener {
    /// A statement was read.
    fn read(&mut self, _statement: &Statement) {}

    /// Findings, in order.
    ///
    /// # Errors
    /// When they cannot be told; then the lint ends.
    fn found(&mut self, told: Vec<Located>) -> Result<()>;
}

/// Lints the script in one pass; `listener` gets findings as they come, in order.
///
/// # Errors
/// A [`BadInput`] with file and line where the script cannot be read, [`Interrupted`], and what `listener` fails with.
pub fn lint(
    settings: &Settings,
    ground: &Ground,
    progress: &dyn Progress,
    listener: &mut dyn Listener,
) -> Result<LintSummary> {
    let evidence = Evidence {
        survey: ground.survey.as_ref(),
        budget: Some(&settings.budget),
        flavor: Some(ground.flavor),
        severity: Some(&settings.severity),
        ..Evidence::default()
    };
    let today = jiff::Zoned::now().date().to_string();
    let script = Script::from_files(&settings.paths, options(settings, ground.flavor)).map_err(bad_input)?;
    super::tell_left_out(&script, progress);
    let mut lint = Lint::new(&evidence, &settings.allow, &today);
    // Reading takes about as long as judging and printing: each has a processor of its own.
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(AHEAD);
        scope.spawn(|| read_ahead(&script, ground.flavor, sender));
        for read in receiver {
            if progress.interrupted() {
                return Err(Interrupted.into());
            }
            for statement in read? {
                listener.read(&statement);
                let told = lint.take(statement);
                if !told.is_empty() {
                    listener.found(told)?;
                }
            }
        }
        Ok::<(), Error>(())
    })?;
    let (told, mut summary) = lint.finish();
    listener.found(told)?;
    summary.unchecked.extend(gaps(ground.survey.as_ref()));
    Ok(summary)
}

/// Sends the script's statements in order, until its end, an error, or nobody listens.
fn read_ahead(script: &Script, flavor: Flavor, sender: SyncSender<Result<Vec<Statement>>>) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut read = || -> Result<()> {
        for action in script.actions().map_err(bad_input)? {
            let statement = action.map_err(bad_input)?.into_statement();
            closed(&statement, flavor)?;
            batch.push(statement);
            if batch.len() == BATCH && sender.send(Ok(mem::replace(&mut batch, Vec::with_capacity(BATCH)))).is_err() {
                return Ok(());
            }
        }
        Ok(())
    };
    let ended = read();
    // Nobody listens any more: whoever stopped has said why.
    let _ = sender.send(Ok(batch));
    if let Err(error) = ended {
        let _ = sender.send(Err(error));
    }
}

fn options(settings: &Settings, flavor: Flavor) -> Options {
    Options { variables: settings.variables.clone(), database: settings.database.clone(), flavor }
}

/// A quote or comment that is not closed swallows the rest of the script: nothing after it was looked at.
fn closed(statement: &Statement, flavor: Flavor) -> Result<()> {
    let Some(open) = unclosed(statement, flavor) else { return Ok(()) };
    let line = statement.origin.line + statement.text[..open].matches('\n').count() as u64;
    let what = match statement.text.as_bytes().get(open) {
        Some(b'\'' | b'"') => "string",
        Some(b'`') => "quoted name",
        _ => "comment",
    };
    let place = format!("{}:{line}", statement.origin.file);
    Err(BadInput::new(format!("{place}: the {what} that begins here is not closed; what follows it was not read"))
        .into())
}

/// What of the schema could not be read.
fn gaps(survey: Option<&Survey>) -> Vec<Untold> {
    let gaps = survey.map_or(&[][..], |survey| &survey.gaps);
    let untold = |why: &String| Untold { rule: "survey".to_owned(), why: why.clone(), first: None, count: 1 };
    gaps.iter().map(untold).collect()
}

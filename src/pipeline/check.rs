//! A branch's migrations: which there are, what their text tells, and which of them have to be rehearsed. Starts no server.

pub mod git;
pub mod print;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::bad_input;
use super::lint::{self, Ground, Listener};
use crate::advise::gate::{self, About, Gate};
use crate::advise::record::{Finding, LintSummary, Located, Severity};
use crate::capture::migration::{self, Form, Framework, Migration};
use crate::problem::BadInput;
use crate::progress::Progress;
use crate::report::check::{Judged, Line};
use crate::report::issues::Issues;
use crate::sql::record::{Confidence, Kind, Statement};
use crate::sql::script::folder;
use git::How;
use print::{Printed, Printers, here};

/// Rows of a table from which on every change of it is rehearsed, when nobody says another number: the size of a batch
/// that keeps others waiting for 0.1 s.
pub const REHEARSE_FROM: u64 = 10_000;

/// The migrations to be judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    /// All, in the order in which they are carried out.
    pub lines: Vec<Line>,
    /// Those with SQL that is carried out.
    pub sql: Vec<PathBuf>,
    /// Those of them that production does not have yet.
    pub new: Vec<PathBuf>,
    /// Of files of `sql` that a command printed the migrations that they are of.
    pub printed: BTreeMap<String, String>,
    /// What is to be said of files.
    pub findings: Vec<Finding>,
    /// Changed SQL files that were not taken for migrations.
    pub passed_over: Vec<String>,
}

/// Finds the migrations: below `paths`, or all from here on; with `since` only those that the branch changed. The SQL of
/// those that are programs is printed, where a person said by which command.
///
/// # Errors
/// A [`BadInput`] when there is none to be found, a path is not there or git cannot compare; what cannot be written.
pub fn collect(
    paths: &[PathBuf],
    since: Option<&str>,
    gate: &Gate<'_>,
    printers: &Printers<'_>,
    progress: &dyn Progress,
) -> Result<Branch> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| here(path)).collect();
    let mut found: Vec<(Migration, Option<How>)> = Vec::new();
    let mut branch = Branch::default();
    match since {
        Some(base) => {
            let inside = |path: &Path| paths.is_empty() || paths.iter().any(|folder| path.starts_with(folder));
            for changed in git::changed(base)?.into_iter().filter(|changed| inside(&changed.path)) {
                if printers.wrote(&changed.path) {
                    continue;
                }
                let is_sql = changed.path.extension().is_some_and(|extension| extension == "sql");
                let migration = match changed.how {
                    How::Removed => migration::gone(&changed.path, &changed.was),
                    _ if changed.path.is_file() => migration::recognise(&changed.path).map_err(bad_input)?,
                    _ => None,
                };
                let migration = migration.or_else(|| printers.own(&changed.path));
                // What a person points at is a migration, whatever its name.
                let named = !paths.is_empty() && is_sql;
                match migration.or_else(|| named.then(|| plain(&changed.path))) {
                    Some(migration) => found.push((migration, Some(changed.how))),
                    None if is_sql && changed.how != How::Removed => {
                        branch.passed_over.push(changed.path.display().to_string());
                    }
                    None => {}
                }
            }
            found.sort_by(|(a, _), (b, _)| folder::order(&a.path, &b.path));
            // Where no layout at all is known, SQL that changed would pass unseen in every branch.
            if let (true, Some(first)) = (found.is_empty(), branch.passed_over.first())
                && below(Path::new("."), printers)?.is_empty()
            {
                let changed = match branch.passed_over.len() - 1 {
                    0 => format!("{first} was changed"),
                    more => format!("{first} and {more} more were changed"),
                };
                bail!(anyhow!(NAME_THEM).context(BadInput::new(format!(
                    "{changed}, and nothing in this repository is laid out as migrations are"
                ))));
            }
        }
        None => {
            let all = [PathBuf::new()];
            for root in if paths.is_empty() { &all[..] } else { &paths[..] } {
                let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
                let below = below(root, printers)?;
                let is_file = below.is_empty() && root.is_file();
                found.extend(below.into_iter().chain(is_file.then(|| plain(root))).map(|one| (one, None)));
            }
            if found.is_empty() {
                bail!(anyhow!(NAME_THEM).context(BadInput::new("no migration was found")));
            }
        }
    }
    for (migration, how) in migration::follow(found, |(migration, _)| migration) {
        progress.check()?;
        branch.take(&migration, how, gate, printers)?;
    }
    branch.passed_over.sort();
    Ok(branch)
}

/// The migrations in a folder, but what our own commands printed there.
fn below(root: &Path, printers: &Printers<'_>) -> Result<Vec<Migration>> {
    let mut below = migration::find(root).map_err(bad_input)?;
    below.retain(|migration| !printers.wrote(&migration.path));
    printers.add_own(root, &mut below).map_err(bad_input)?;
    Ok(below)
}

fn plain(path: &Path) -> Migration {
    Migration { path: path.to_owned(), framework: Framework::Sql, form: Form::Sql }
}

const NAME_THEM: &str = "hint: Name their folder: rehearse check PATH, or check.paths in rehearse.yaml.";

impl Branch {
    fn take(
        &mut self,
        migration: &Migration,
        how: Option<How>,
        gate: &Gate<'_>,
        printers: &Printers<'_>,
    ) -> Result<()> {
        let file = migration.path.display().to_string();
        let mut find = |rule: &str, severity, message: String| {
            self.findings.extend(gate.find(rule, severity, message, About { file: Some(&file), ..About::default() }));
        };
        let repeatable = migration.form == Form::Repeatable;
        match how {
            Some(How::Edited) if !repeatable && migration.form != Form::Undo => find(
                gate::EDITED,
                Severity::Warning,
                format!(
                    "{file} was edited, and databases that have carried it out will not do so again; put it back and write \
                     a new migration"
                ),
            ),
            Some(How::Removed) => find(
                gate::REMOVED,
                Severity::Warning,
                format!("{file} is gone, and databases that have carried it out keep what it made; put it back"),
            ),
            _ => {}
        }
        let mut printed = None;
        let judged = match &migration.form {
            _ if how == Some(How::Removed) => Judged::Not("it is gone".to_owned()),
            Form::Undo => Judged::Not("it takes another one back".to_owned()),
            Form::Program { print, .. } => {
                let said = printers.print(migration)?;
                let whose = migration.framework.name();
                match &said {
                    Some(Printed { lacks: None, .. }) => {}
                    Some(Printed { lacks: Some(why), command, .. }) => find(
                        gate::NOT_SQL,
                        Severity::Error,
                        format!("{file} is a program, and `{command}` did not print all of its SQL: {why}"),
                    ),
                    None => find(
                        gate::NOT_SQL,
                        Severity::Error,
                        format!(
                            "{file} is a program of {whose}, so nobody judged its SQL; print it with `{print}`, and check \
                             that, or name such a command under check.print.{whose} of rehearse.yaml"
                        ),
                    ),
                }
                printed = said.and_then(|said| said.file);
                match &printed {
                    Some(sql) => {
                        self.printed.insert(sql.display().to_string(), file.clone());
                        self.sql.push(sql.clone());
                        if how != Some(How::Edited) {
                            self.new.push(sql.clone());
                        }
                        Judged::ByText
                    }
                    None => Judged::Not("it is no SQL".to_owned()),
                }
            }
            Form::Sql | Form::Repeatable => {
                self.sql.push(migration.path.clone());
                if how != Some(How::Edited) || repeatable {
                    self.new.push(migration.path.clone());
                }
                Judged::ByText
            }
        };
        let change = match how {
            None => "given",
            Some(How::Added) => "added",
            Some(How::Edited) => "edited",
            Some(How::Removed) => "removed",
        };
        let framework = migration.framework.name().to_owned();
        let printed = printed.map(|path| path.display().to_string());
        self.lines.push(Line { file, framework, change: change.to_owned(), judged, statements: 0, printed });
        Ok(())
    }

    /// The migration of a file with SQL: itself, or the program whose SQL it holds.
    pub fn migration_of<'a>(&'a self, file: &'a str) -> &'a str {
        self.printed.get(file).map_or(file, String::as_str)
    }
}

/// What the migrations' texts tell.
#[derive(Debug, Default)]
pub struct ByText {
    /// Statements, findings at their places.
    pub issues: Issues,
    /// The findings with what to show of them.
    pub located: Vec<Located>,
    /// What it comes to.
    pub summary: LintSummary,
    /// Statements by file.
    pub statements: BTreeMap<String, u64>,
    /// Files that hold a statement that has to be rehearsed, and why the first one has.
    pub matters: BTreeMap<String, String>,
}

/// Judges the texts, in order, as one upgrade. A change of a table of `rehearse_from` rows matters, whatever the rules say.
///
/// # Errors
/// As [`lint::lint`].
pub fn judge(
    settings: &lint::Settings,
    ground: &Ground,
    rehearse_from: u64,
    progress: &dyn Progress,
) -> Result<ByText> {
    let mut desk = Desk { ground, rehearse_from, text: ByText::default(), files: BTreeMap::new() };
    if !settings.paths.is_empty() {
        desk.text.summary = lint::lint(settings, ground, progress, &mut desk)?;
    }
    let mut text = desk.text;
    text.issues.lacks(&text.summary);
    Ok(text)
}

struct Desk<'a> {
    ground: &'a Ground,
    rehearse_from: u64,
    text: ByText,
    /// The files of statements whose findings are not told yet.
    files: BTreeMap<String, String>,
}

impl Desk<'_> {
    fn matters(&mut self, file: &str, why: impl FnOnce() -> String) {
        if !self.text.matters.contains_key(file) {
            self.text.matters.insert(file.to_owned(), why());
        }
    }
}

impl Listener for Desk<'_> {
    fn read(&mut self, statement: &Statement) {
        let file = &statement.origin.file;
        match self.text.statements.get_mut(file) {
            Some(count) => *count += 1,
            None => {
                self.text.statements.insert(file.clone(), 1);
            }
        }
        self.text.issues.read(statement);
        self.files.insert(statement.id.clone(), file.clone());
        let reading = &statement.reading;
        if reading.kind == Kind::Opaque || reading.confidence == Confidence::Unknown {
            self.matters(file, || format!("{} is not understood", statement.label()));
        }
        if !(reading.kind.is_dml() || reading.kind.is_ddl()) {
            return;
        }
        let large = reading.effect.tables().into_iter().find_map(|table| {
            let rows = self.ground.rows(&table).filter(|rows| *rows >= self.rehearse_from)?;
            Some((table, rows))
        });
        if let Some((table, rows)) = large {
            let rows = crate::quantity::grouped(rows);
            self.matters(file, || format!("{} is about {table} with {rows} rows", statement.label()));
        }
    }

    fn found(&mut self, told: Vec<Located>) -> Result<()> {
        for located in told {
            let finding = &located.finding;
            if finding.severity >= Severity::Warning {
                let file = finding.statement.as_deref().and_then(|id| self.files.get(id)).cloned();
                let file = file.unwrap_or_else(|| located.spot.from.file.clone());
                let why = format!("{} on {}", finding.rule, located.spot.label);
                self.matters(&file, || why);
            }
            self.text.issues.add(&located);
            self.text.located.push(located);
        }
        Ok(())
    }
}

/// Fails closed on what a text did not tell: a statement that nobody understands is an error where it was not rehearsed,
/// unless somebody said how bad it is or accepted it. Yields how many there are.
pub fn close(located: &mut [Located], severity: &BTreeMap<String, Severity>, rehearsed: &BTreeSet<String>) -> usize {
    let mut closed = 0;
    for one in located {
        let finding = &mut one.finding;
        let was = rehearsed.contains(&one.spot.from.file) || finding.evidence.contains_key("accepted");
        if finding.rule == "not-understood" && !was && !severity.contains_key("not-understood") {
            finding.severity = Severity::Error;
            closed += 1;
        }
    }
    closed
}

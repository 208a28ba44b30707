//! The SQL of migrations that are programs, as a command of the person's prints it. Fails closed: what the command does not
//! print, or says that it cannot, is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::artifact;
use crate::capture::file::{CaptureFile, Header, Options};
use crate::capture::migration::{Form, Framework, Migration, own};
use crate::capture::source::{self, Kind, Source};
use crate::progress::Silent;
use crate::scenario::record::Printer;
use crate::server::flavor::Flavor;
use crate::sql::script::{self, folder::order};

/// Words that a command may be told of a migration.
const WORDS: [&str; 6] = ["path", "name", "version", "app", "from", "to"];

/// How Django says that an operation is a program of its own (`RunPython`).
const UNSAID: &str = "CANNOT BE WRITTEN AS SQL";

/// The commands that a person named.
#[derive(Debug)]
pub struct Printers<'a> {
    /// By the framework, or by the folder of the migrations.
    pub by: &'a BTreeMap<String, Printer>,
    /// Where what they print is put.
    pub folder: PathBuf,
    /// The server that it is printed for.
    pub flavor: Flavor,
}

/// What a command printed.
#[derive(Debug)]
pub struct Printed {
    /// The command, for people.
    pub command: String,
    /// The file with the SQL; none when there is none.
    pub file: Option<PathBuf>,
    /// Why that is not all.
    pub lacks: Option<String>,
}

impl Printers<'_> {
    /// True for files that these commands printed.
    pub fn wrote(&self, path: &Path) -> bool {
        path.starts_with(&self.folder)
    }

    /// The file as a migration, where a person says that all in its folder are.
    pub fn own(&self, path: &Path) -> Option<Migration> {
        self.of_folder(path).and_then(|_| own(path))
    }

    /// Adds the files below `root` that are migrations because a person says so.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn add_own(&self, root: &Path, found: &mut Vec<Migration>) -> Result<()> {
        for folder in self.by.keys().map(Path::new).filter(|folder| folder.is_dir()) {
            let folder = here(folder);
            if root != Path::new(".") && !folder.starts_with(root) && !root.starts_with(&folder) {
                continue;
            }
            let unread = || format!("cannot read the directory {}", folder.display());
            let mut files = Vec::new();
            for entry in folder.read_dir().with_context(unread)? {
                let path = entry.with_context(unread)?.path();
                if path.is_file() && (root == Path::new(".") || path.starts_with(root)) {
                    files.push(path);
                }
            }
            files.sort_by(|a, b| order(a, b));
            let known = |path: &PathBuf| found.iter().any(|migration| migration.path == *path);
            let new: Vec<Migration> = files.iter().filter(|path| !known(path)).filter_map(|path| own(path)).collect();
            found.extend(new);
        }
        Ok(())
    }

    fn of_folder(&self, path: &Path) -> Option<&Printer> {
        let inside = |folder: &str| Framework::of_name(folder).is_none() && path.starts_with(here(Path::new(folder)));
        self.by.iter().find(|(folder, _)| inside(folder)).map(|(_, printer)| printer)
    }

    /// Prints a migration's SQL; none where nobody said how.
    ///
    /// # Errors
    /// When what was printed cannot be written.
    pub fn print(&self, migration: &Migration) -> Result<Option<Printed>> {
        let Form::Program { words, .. } = &migration.form else { return Ok(None) };
        let by_folder = self.of_folder(&migration.path);
        let Some(printer) = by_folder.or_else(|| self.by.get(migration.framework.name())) else { return Ok(None) };
        let mut words = words.clone();
        words.insert("path", seen_from(&printer.home, &migration.path));
        let filled: Vec<String> = printer.command.iter().map(|word| fill(word, &words)).collect();
        let command = filled.join(" ");
        let lacks = |why: String| Ok(Some(Printed { command: command.clone(), file: None, lacks: Some(why) }));
        if let Some(word) = WORDS.iter().find(|word| command.contains(&format!("{{{word}}}"))) {
            let known: Vec<String> = words.keys().map(|word| format!("{{{word}}}")).collect();
            return lacks(format!("{{{word}}} says nothing of it; there are {}", known.join(", ")));
        }
        let Some((program, arguments)) = filled.split_first() else { return lacks("it is empty".to_owned()) };
        let mut ran = Command::new(program);
        ran.args(arguments).stdin(Stdio::null());
        if !printer.home.as_os_str().is_empty() {
            ran.current_dir(&printer.home);
        }
        let said = match ran.output() {
            Err(error) => return lacks(format!("it cannot be run: {error}")),
            Ok(said) if !said.status.success() => {
                return lacks(format!("it ended with {}: {}", said.status, last_lines(&said.stderr)));
            }
            Ok(said) => said.stdout,
        };
        let file = self.folder.join(flat(&migration.path));
        let lacks = self.write(&file, &said)?;
        Ok(Some(Printed { command, file: Some(file), lacks }))
    }

    /// Writes what was printed as SQL; answers with what it says that is none.
    fn write(&self, file: &Path, said: &[u8]) -> Result<Option<String>> {
        artifact::write_whole(file, |out| Ok(out.write_all(said)?))?;
        if String::from_utf8_lossy(said).contains(UNSAID) {
            return Ok(Some("an operation of it is no SQL".to_owned()));
        }
        let options = script::Options { variables: BTreeMap::new(), database: String::new(), flavor: self.flavor };
        let laid = Source { path: file.to_owned(), kind: None, options };
        let Ok(opened) = source::open(&laid) else { return Ok(None) };
        if opened.kind() != Kind::Laravel {
            return Ok(None);
        }
        // Its lines are no SQL yet. The original goes beside the capture, which takes its place.
        let original = file.with_extension("printed");
        fs::rename(file, &original).with_context(|| format!("cannot rename {}", file.display()))?;
        let options = script::Options { variables: BTreeMap::new(), database: String::new(), flavor: self.flavor };
        let opened = source::open(&Source { path: original, kind: Some(Kind::Laravel), options })?;
        let header = Header { source: opened.words(), flavor: None, untold: Vec::new() };
        let capture = CaptureFile::create(file, &header, Options { keep_noise: true, mask: false })?;
        let read = opened.read(&capture, &Silent);
        let summary = capture.finish()?;
        read?;
        Ok(summary.dropped.keys().next().cloned())
    }
}

/// A folder, however it is written, as git and the walk name files: from here on, where it stands below; empty for here.
pub(super) fn here(path: &Path) -> PathBuf {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let inside = std::env::current_dir().ok().and_then(|here| whole.strip_prefix(here).ok().map(Path::to_owned));
    inside.unwrap_or(whole)
}

/// A file's path for a program that runs in `home`.
fn seen_from(home: &Path, file: &Path) -> String {
    let full = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
    full.strip_prefix(&home).map_or_else(|_| full.display().to_string(), |inside| inside.display().to_string())
}

/// A name in one folder, so that what was printed stands in no folder that is called `migrations`.
fn flat(path: &Path) -> String {
    let parts: Vec<String> = (path.components())
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    format!("{}.sql", parts.join("."))
}

/// A word of a command with what its words in braces stand for; other braces stay.
fn fill(word: &str, words: &BTreeMap<&'static str, String>) -> String {
    let (mut filled, mut rest) = (String::with_capacity(word.len()), word);
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let known =
            words.iter().find(|(name, _)| rest[1..].starts_with(**name) && rest[1 + name.len()..].starts_with('}'));
        match known {
            Some((name, value)) => {
                filled.push_str(value);
                rest = &rest[name.len() + 2..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}

/// The end of what a program complained of, in one line.
fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines[lines.len().saturating_sub(3)..].join(" / ");
    if said.is_empty() { "it said nothing".to_owned() } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in_one_pass_and_other_braces_stay() {
        let words = BTreeMap::from([("name", "{app}".to_owned()), ("app", "shop".to_owned())]);
        assert_eq!(fill("{app}/{name}-{x} {", &words), "shop/{app}-{x} {");
    }

    #[test]
    fn what_is_printed_stands_in_no_folder_of_migrations() {
        assert_eq!(flat(Path::new("./shop/migrations/0002_a.py")), "shop.migrations.0002_a.py.sql");
    }
}

//! An upgrade as a stream of actions over files, a text or a list. The one file of this folder that reads files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use crate::server::flavor::Flavor;
use crate::sql::digest::{digest, short_hex};
use crate::sql::placeholder::{Substitute, unfilled};
use crate::sql::read::{Alike, read_like};
use crate::sql::record::{Action, Confidence, Kind, Origin, Reading, Statement, TableName};
use crate::sql::session_state::used_database;
use crate::sql::split::{Piece, Splitter, Text};
use crate::sql::token::Lexer;

/// How deep SOURCE may nest.
const DEEPEST_SOURCE: usize = 16;

/// How a script is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Placeholders (`#__`, `{prefix}`, …) and what stands in their place.
    pub variables: BTreeMap<String, String>,
    /// The database in use when the script begins.
    pub database: String,
    /// The server that it is meant for: it decides which executed comments are code.
    pub flavor: Flavor,
}

/// An upgrade: statements in order, streamed anew each time they are asked for.
#[derive(Clone, Debug)]
pub struct Script {
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Files(Vec<PathBuf>, Options),
    Text(String, String, Options),
    Actions(Vec<Action>),
}

impl Script {
    /// A script of these files, one after the other; of a directory its `*.sql` files in the order of their names.
    ///
    /// # Errors
    /// A file that cannot be opened, a directory without any `.sql` file.
    pub fn from_files(paths: &[PathBuf], options: Options) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            if path.is_dir() {
                let found = files_of(path)?;
                if found.is_empty() {
                    bail!("the directory {} holds no .sql file", path.display());
                }
                files.extend(found);
            } else {
                files.push(path.clone());
            }
        }
        for file in &files {
            open(file)?;
        }
        Ok(Self { content: Content::Files(files, options) })
    }

    /// A script of this text; `name` stands for the file in origins.
    pub fn from_text(name: impl Into<String>, text: &str, options: Options) -> Self {
        Self { content: Content::Text(name.into(), text.to_owned(), options) }
    }

    /// A script of these actions.
    pub fn from_actions(actions: Vec<Action>) -> Self {
        Self { content: Content::Actions(actions) }
    }

    /// The actions in order.
    ///
    /// # Errors
    /// The first file cannot be opened; each item then can be an error that names file and line, and is the last.
    pub fn actions(&self) -> Result<impl Iterator<Item = Result<Action>> + '_> {
        Ok(match &self.content {
            Content::Actions(actions) => Actions::Given(actions.iter()),
            Content::Files(_, options) | Content::Text(_, _, options) => {
                Actions::Read(Box::new(Statements::new(self.pieces(options), options)))
            }
        })
    }

    /// SHA-256 (first 16 hex digits) over all statements' sessions and texts.
    ///
    /// # Errors
    /// As [`Script::actions`].
    pub fn digest(&self) -> Result<String> {
        let mut hash = Sha256::new();
        let mut add = |session: u32, text: &str| {
            hash.update(session.to_le_bytes());
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        match &self.content {
            Content::Actions(actions) => {
                for action in actions {
                    add(action.statement().session, &action.statement().text);
                    if let Action::Walk(walk) = action {
                        add(0, &format!("{} {:?} {} {:?}", walk.head, walk.condition, walk.rows, walk.pause));
                    }
                }
            }
            Content::Files(_, options) | Content::Text(_, _, options) => {
                let mut session = 1;
                for text in self.pieces(options) {
                    let (_, text) = text?;
                    session =
                        text.remarks.iter().filter_map(|remark| session_of(remark)).next_back().unwrap_or(session);
                    add(session, &text.text);
                }
            }
        }
        Ok(short_hex(&hash.finalize()))
    }

    /// How many actions there are.
    ///
    /// # Errors
    /// As [`Script::actions`].
    pub fn count(&self) -> Result<u64> {
        match &self.content {
            Content::Actions(actions) => Ok(actions.len() as u64),
            Content::Files(_, options) | Content::Text(_, _, options) => {
                self.pieces(options).try_fold(0, |count, text| text.map(|_| count + 1))
            }
        }
    }

    fn pieces<'a>(&'a self, options: &'a Options) -> Pieces<'a> {
        let inputs = match &self.content {
            Content::Files(files, _) => files.iter().map(|file| Input::File(file)).collect(),
            Content::Text(name, text, _) => VecDeque::from([Input::Text(name, text)]),
            Content::Actions(_) => VecDeque::new(),
        };
        Pieces { options, inputs, open: Vec::new() }
    }
}

/// The `*.sql` files of a directory in the order of their names.
fn files_of(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = directory.read_dir().with_context(|| format!("cannot read the directory {}", directory.display()))?;
    let mut files = BTreeSet::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read the directory {}", directory.display()))?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")) {
            files.insert(path);
        }
    }
    Ok(files.into_iter().collect())
}

fn open(path: &Path) -> Result<File> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    if path.is_dir() {
        bail!("cannot read {}: it is a directory", path.display());
    }
    Ok(file)
}

enum Input<'a> {
    File(&'a Path),
    Text(&'a str, &'a str),
}

/// A file that is being cut, and its name.
struct Open<'a> {
    name: String,
    splitter: Splitter<Box<dyn Read + 'a>>,
}

/// The statements' texts of all inputs, sourced files included, each with its file.
struct Pieces<'a> {
    options: &'a Options,
    inputs: VecDeque<Input<'a>>,
    open: Vec<Open<'a>>,
}

impl<'a> Pieces<'a> {
    fn push(&mut self, name: String, reader: Box<dyn Read + 'a>) {
        let reader = if self.options.variables.is_empty() {
            reader
        } else {
            Box::new(Substitute::new(reader, &self.options.variables))
        };
        let splitter = Splitter::new(reader, name.clone());
        self.open.push(Open { name, splitter });
    }

    /// Goes on in a sourced file: as the client finds it, from the working directory, else beside the script.
    fn source(&mut self, file: &str, line: u64) -> Result<()> {
        let Some(from) = self.open.last() else { return Ok(()) };
        let place = format!("{}:{line}", from.name);
        if self.open.len() > DEEPEST_SOURCE {
            bail!("{place}: SOURCE is nested more than {DEEPEST_SOURCE} deep");
        }
        let path = PathBuf::from(file);
        let beside = Path::new(&from.name).parent().map(|directory| directory.join(&path));
        let found = if path.exists() { path } else { beside.filter(|beside| beside.exists()).unwrap_or(path) };
        let delimiter = from.splitter.delimiter().to_vec();
        let opened = open(&found).with_context(|| format!("{place}: cannot follow SOURCE"))?;
        self.push(found.display().to_string(), Box::new(opened));
        if let Some(open) = self.open.last_mut() {
            open.splitter.set_delimiter(&delimiter);
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<(String, Text)>> {
        loop {
            let Some(open) = self.open.last_mut() else {
                match self.inputs.pop_front() {
                    None => return Ok(None),
                    Some(Input::Text(name, text)) => self.push(name.to_owned(), Box::new(text.as_bytes())),
                    Some(Input::File(path)) => {
                        let file = open(path)?;
                        self.push(path.display().to_string(), Box::new(file));
                    }
                }
                continue;
            };
            match open.splitter.next_piece()? {
                // An executed comment that is none of the target's says nothing to it.
                Some(Piece::Statement(text)) if Lexer::new(&text.text, self.options.flavor).next().is_none() => {}
                Some(Piece::Statement(text)) => return Ok(Some((open.name.clone(), text))),
                Some(Piece::Source { file, line }) => self.source(&file, line)?,
                None => {
                    let done = self.open.pop();
                    // The client's delimiter outlives the file that set it.
                    if let (Some(done), Some(outer)) = (done, self.open.last_mut()) {
                        outer.splitter.set_delimiter(done.splitter.delimiter());
                    }
                }
            }
        }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<(String, Text)>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.open.clear();
            self.inputs.clear();
        }
        next.transpose()
    }
}

fn session_of(remark: &str) -> Option<u32> {
    remark.strip_prefix("session").and_then(|number| number.trim().parse().ok())
}

/// What a session has when a statement is read.
#[derive(Clone, Default)]
struct Session {
    database: String,
    temporary: BTreeSet<TableName>,
    /// The sql_mode that changes what quotes mean, once a SET named it.
    odd_quotes: Option<&'static str>,
}

/// Reads pieces into statements.
struct Statements<'a> {
    pieces: Pieces<'a>,
    options: &'a Options,
    count: u64,
    session: u32,
    sessions: BTreeMap<u32, Session>,
    alike: Alike,
}

impl<'a> Statements<'a> {
    fn new(pieces: Pieces<'a>, options: &'a Options) -> Self {
        Self { pieces, options, count: 0, session: 1, sessions: BTreeMap::new(), alike: Alike::default() }
    }

    fn statement(&mut self, file: String, piece: Text) -> Result<Statement> {
        if let Some((placeholder, at)) = unfilled(&piece.text) {
            let line = piece.line + piece.text[..at].matches('\n').count() as u64;
            return Err(anyhow!("{file}:{line}: the placeholder '{placeholder}' has no value")
                .context(format!("say what it stands for: --var '{placeholder}=VALUE'.")));
        }
        let mut name = None;
        for remark in &piece.remarks {
            match remark.split_once(char::is_whitespace) {
                Some(("name", given)) => name = Some(given.trim().to_owned()),
                Some(("session", _)) => {
                    let bad = || format!("{file}:{}: '{remark}' names no session: write `session 2`", piece.line);
                    self.session = session_of(remark).filter(|session| *session > 0).with_context(bad)?;
                }
                _ => {}
            }
        }
        self.count += 1;
        let fresh = || Session { database: self.options.database.clone(), ..Session::default() };
        let session = self.sessions.entry(self.session).or_insert_with(fresh);
        let digest = digest(&piece.text);
        let mut reading = read_like(&piece.text, &session.database, self.options.flavor, &digest, &mut self.alike);
        session.follow(&piece.text, &mut reading);
        Ok(Statement {
            id: format!("s{}", self.count),
            name,
            text: piece.text,
            origin: Origin { file, line: piece.line },
            session: self.session,
            digest,
            reading,
        })
    }
}

impl Session {
    /// Marks what is on temporary tables alone, and keeps the database and the temporary tables up to date.
    fn follow(&mut self, text: &str, reading: &mut Reading) {
        if let Some(mode) = self.odd_quotes
            && matches!(reading.confidence, Confidence::Parsed | Confidence::Rewritten)
        {
            reading.confidence = Confidence::Scanned;
            reading.why = Some(format!("sql_mode {mode} may change what its quotes mean"));
        }
        let effect = &mut reading.effect;
        match reading.kind {
            Kind::Set => {
                let upper = text.to_ascii_uppercase();
                if upper.contains("SQL_MODE") {
                    self.odd_quotes = ["ANSI", "NO_BACKSLASH_ESCAPES"].into_iter().find(|mode| upper.contains(mode));
                }
            }
            Kind::Use => {
                if let Some(database) = used_database(text) {
                    self.database = database;
                }
            }
            Kind::CreateTable if effect.temporary => self.temporary.extend(effect.defines.iter().cloned()),
            _ if !self.temporary.is_empty() => {
                let mut touched = BTreeSet::new();
                for set in [&effect.writes, &effect.empties, &effect.defines, &effect.drops] {
                    touched.extend(set.iter());
                }
                touched.extend(effect.renames.keys());
                effect.temporary |= !touched.is_empty() && touched.is_subset(&self.temporary.iter().collect());
                self.temporary.retain(|table| !effect.drops.contains(table));
                for (from, to) in &effect.renames {
                    if self.temporary.remove(from) {
                        self.temporary.insert(to.clone());
                    }
                }
            }
            _ => {}
        }
    }
}

enum Actions<'a> {
    Given(std::slice::Iter<'a, Action>),
    Read(Box<Statements<'a>>),
}

impl Iterator for Actions<'_> {
    type Item = Result<Action>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Given(actions) => actions.next().cloned().map(Ok),
            Self::Read(reader) => {
                let piece = reader.pieces.next()?;
                let action = piece.and_then(|(file, text)| reader.statement(file, text)).map(Action::Once);
                if action.is_err() {
                    reader.pieces.open.clear();
                    reader.pieces.inputs.clear();
                }
                Some(action)
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! An upgrade as a stream of actions over files, a text or a list. The one file of this folder that reads files.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use crate::problem::nearest;
use crate::server::flavor::Flavor;
use crate::sql::digest::{digest, short_hex};
use crate::sql::placeholder::{Substitute, unfilled};
use crate::sql::read::{Alike, read_like};
use crate::sql::record::{Action, Ignore, Origin, Statement};
use crate::sql::split::{Piece, Splitter, Text};
use crate::sql::token::Lexer;

pub mod folder;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod listing;
mod order;
mod sections;
mod session;

pub use listing::files_of;
use sections::Sections;
use session::Session;

/// The name by which the standard input is asked for.
pub const STDIN: &str = "-";

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
    left_out: Vec<(PathBuf, &'static str)>,
}

#[derive(Clone, Debug)]
enum Content {
    Files(Vec<PathBuf>, Options),
    Text(String, String, Options),
    Actions(Vec<Action>),
}

impl Script {
    /// A script of these files, one after the other; of a directory what [`files_of`] picks. Of a file what runs: no down
    /// section of a migration. [`STDIN`] is the standard input, which can be read only once.
    ///
    /// # Errors
    /// A file that cannot be opened, a directory without any `.sql` file.
    pub fn from_files(paths: &[PathBuf], options: Options) -> Result<Self> {
        let (mut files, mut left_out) = (Vec::new(), Vec::new());
        for path in paths {
            if path.is_dir() {
                let found = files_of(path)?;
                if found.files.is_empty() {
                    bail!("the directory {} holds no .sql file that would run", path.display());
                }
                files.extend(found.files);
                left_out.extend(found.left_out);
            } else {
                files.push(path.clone());
            }
        }
        for file in files.iter().filter(|file| !is_stdin(file)) {
            open(file)?;
        }
        Ok(Self { content: Content::Files(files, options), left_out })
    }

    /// A script of this text; `name` stands for the file in origins.
    pub fn from_text(name: impl Into<String>, text: &str, options: Options) -> Self {
        Self { content: Content::Text(name.into(), text.to_owned(), options), left_out: Vec::new() }
    }

    /// A script of these actions.
    pub fn from_actions(actions: Vec<Action>) -> Self {
        Self { content: Content::Actions(actions), left_out: Vec::new() }
    }

    /// Files of its directories that it leaves out, and why.
    pub fn left_out(&self) -> &[(PathBuf, &'static str)] {
        &self.left_out
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
                    let mut named = text.remarks.iter().filter_map(|remark| session_of(&remark.text));
                    session = named.next_back().unwrap_or(session);
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

    /// What the script accepts of findings (`-- rehearse: ignore …`), in order, each with its file.
    ///
    /// # Errors
    /// As [`Script::actions`].
    pub fn ignores(&self) -> Result<Vec<(String, Ignore)>> {
        let (Content::Files(_, options) | Content::Text(_, _, options)) = &self.content else { return Ok(Vec::new()) };
        let mut ignores = Vec::new();
        for text in self.pieces(options) {
            let (file, text) = text?;
            for remark in &text.remarks {
                if let Some(("ignore", given)) = remark.text.split_once(char::is_whitespace) {
                    ignores.push((file.clone(), Ignore::read(given, remark.line)));
                }
            }
        }
        Ok(ignores)
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

fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
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
        let reader: Box<dyn Read + 'a> = Box::new(Sections::new(reader));
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
                    Some(Input::File(path)) if is_stdin(path) => {
                        self.push("<stdin>".to_owned(), Box::new(std::io::stdin().lock()));
                    }
                    Some(Input::File(path)) => {
                        self.push(path.display().to_string(), Box::new(open(path)?));
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
                    if let Some(left) = open.splitter.leftover().find(|remark| remark.text.starts_with("ignore")) {
                        bail!("{}:{}: no statement follows `rehearse: {}`", open.name, left.line, left.text);
                    }
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
        let (mut name, mut ignores) = (None, Vec::new());
        for remark in &piece.remarks {
            let (word, given) = remark.text.split_once(char::is_whitespace).unwrap_or((&remark.text, ""));
            let place = || format!("{file}:{}", remark.line);
            match word {
                "name" => name = Some(given.trim().to_owned()),
                "session" => {
                    let bad = || format!("{}: '{}' names no session: write `session 2`", place(), remark.text);
                    self.session = session_of(&remark.text).filter(|session| *session > 0).with_context(bad)?;
                }
                "ignore" => ignores.push(Ignore::read(given, remark.line)),
                other => {
                    if let Some(near) = nearest(other, ["name", "session", "ignore"]) {
                        return Err(anyhow!("{}: there is no remark `rehearse: {other}`", place())
                            .context(format!("hint: Did you mean `rehearse: {near}`?")));
                    }
                }
            }
        }
        self.count += 1;
        let fresh = || Session::of(&self.options.database);
        let session = self.sessions.entry(self.session).or_insert_with(fresh);
        let digest = digest(&piece.text);
        let mut reading = read_like(&piece.text, &session.database, self.options.flavor, &digest, &mut self.alike);
        session.follow(&piece.text, &mut reading);
        Ok(Statement {
            id: format!("s{}", self.count),
            name,
            text: piece.text,
            origin: Origin { file, line: piece.line, column: piece.column },
            session: self.session,
            digest,
            reading,
            ignores,
        })
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

//! Sources that exist already: servers' logs, what migration tools print, files and folders of SQL. Each tells a listener what
//! it holds, in flat memory, and what of it nobody can send again.

mod ahead;
mod binlog;
mod clock;
mod detect;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod general;
mod lines;
mod pretend;
mod script;
mod slow;
mod table;
mod trigger;

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use tempfile::NamedTempFile;

use super::record::Listener;
use crate::problem::BadInput;
use crate::progress::{Progress, Unit};
use crate::sql::script::{Options, STDIN};
use detect::Guess;
use lines::Lines;

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `general_log_file`.
    General,
    /// `mysql.general_log`, as CSV.
    GeneralTable,
    /// `slow_query_log_file`.
    Slow,
    /// `mysql.slow_log`, as CSV.
    SlowTable,
    /// What `mysqlbinlog` or `mariadb-binlog` prints.
    Binlog,
    /// A binary log as the server writes it.
    RawBinlog,
    /// What `php artisan migrate --pretend` prints.
    Laravel,
    /// SQL: a file, or a folder of a migration tool.
    Sql,
}

/// Kinds by name.
const KINDS: [(&str, Kind); 8] = [
    ("general", Kind::General),
    ("general-table", Kind::GeneralTable),
    ("slow", Kind::Slow),
    ("slow-table", Kind::SlowTable),
    ("binlog", Kind::Binlog),
    ("raw-binlog", Kind::RawBinlog),
    ("laravel", Kind::Laravel),
    ("sql", Kind::Sql),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KINDS.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        KINDS
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, kind)| *kind)
            .ok_or_else(|| format!("there is {}", KINDS.map(|(name, _)| name).join(", ")))
    }
}

impl Kind {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::General => "general log",
            Self::GeneralTable => "general log table",
            Self::Slow => "slow log",
            Self::SlowTable => "slow log table",
            Self::Binlog => "binary log (text)",
            Self::RawBinlog => "binary log",
            Self::Laravel => "output of migrate --pretend",
            Self::Sql => "SQL",
        }
    }

    /// What it cannot tell.
    pub fn untold(self) -> &'static [&'static str] {
        match self {
            Self::General | Self::GeneralTable => &[
                "durations",
                "rows",
                "errors (a statement that failed stands there like any other)",
                "values of hidden passwords",
            ],
            Self::Slow | Self::SlowTable => &[
                "statements quicker than long_query_time",
                "ALTER, OPTIMIZE and other administration, unless log_slow_admin_statements was on",
                "errors",
                "when sessions began and what they had set before",
            ],
            Self::Binlog | Self::RawBinlog => {
                &["statements that only read", "statements that failed or were rolled back", "rows", "locks"]
            }
            Self::Laravel | Self::Sql => {
                &["durations", "rows", "times", "sessions", "what the tool does that is no SQL"]
            }
        }
    }
}

/// A source to be read.
#[derive(Clone, Debug)]
pub struct Source {
    /// A file, a folder, or `-` for the standard input.
    pub path: PathBuf,
    /// What it is; none to have it told by its first bytes.
    pub kind: Option<Kind>,
    /// How SQL is to be read.
    pub options: Options,
}

/// An input, unpacked, and how far it was read.
pub(crate) struct Input {
    reader: Box<dyn BufRead + Send>,
    name: String,
    read: Arc<AtomicU64>,
    size: Option<u64>,
    packed: bool,
    /// The vendor's tool that prints it.
    tool: Option<(Child, &'static str)>,
}

/// A source that was opened, and is known for what it is.
pub struct Opened {
    kind: Kind,
    path: PathBuf,
    input: Option<Input>,
    options: Options,
    laid_down: Option<NamedTempFile>,
}

/// Opens a source and tells what it is.
///
/// # Errors
/// A [`BadInput`]: it cannot be read, or is nothing that holds SQL.
pub fn open(source: &Source) -> Result<Opened> {
    let (path, options) = (source.path.clone(), source.options.clone());
    if path.is_dir() {
        return match source.kind {
            None | Some(Kind::Sql) => Ok(Opened { kind: Kind::Sql, path, input: None, options, laid_down: None }),
            Some(kind) => bail!(BadInput::new(format!("{} is a folder, no {}", path.display(), kind.words()))),
        };
    }
    let cannot = || BadInput::new(format!("cannot read {}", path.display()));
    let mut input = input(&path).with_context(cannot)?;
    let head = input.reader.fill_buf().with_context(cannot)?;
    let kind = match (source.kind, detect::guess(head)) {
        (Some(kind), _) | (None, Guess::Kind(kind)) => kind,
        (None, Guess::Refused(what)) => {
            let hint = format!("hint: --source KIND forces one of {}.", KINDS.map(|(name, _)| name).join(", "));
            bail!(anyhow!(hint).context(BadInput::new(format!("{}: {what}", path.display()))))
        }
    };
    if kind == Kind::RawBinlog {
        let mariadb = memchr::memmem::find(&head[..head.len().min(256)], b"MariaDB").is_some();
        input = printed(&path, input, mariadb)?;
    }
    // SQL is read by the script's own reader, which opens files by itself: what is none, or packed, is laid down in one.
    let is_plain = path != Path::new(STDIN) && !input.packed;
    let laid_down = (kind == Kind::Sql && !is_plain).then(|| lay_down(&mut input)).transpose().with_context(cannot)?;
    Ok(Opened { kind, path, input: Some(input), options, laid_down })
}

impl Opened {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it is and where, in words.
    pub fn words(&self) -> String {
        format!("{} {}", self.kind.words(), self.path.display())
    }

    /// Tells the listener all that it holds.
    ///
    /// # Errors
    /// It cannot be read to its end, the listener can take no more, or the person asked to stop.
    pub fn read(self, listener: &dyn Listener, progress: &dyn Progress) -> Result<()> {
        let what = format!("reading the {}", self.words());
        let given = self.input;
        let Some(mut input) = given.filter(|_| self.kind != Kind::Sql) else {
            progress.stage(&what, Unit::Steps, None);
            let file = self.laid_down.as_ref().map_or(self.path.as_path(), NamedTempFile::path);
            return script::read(file, &self.path, self.options, listener, progress);
        };
        progress.stage(&what, Unit::Bytes, input.size);
        let tool = input.tool.take();
        let read = Arc::clone(&input.read);
        let kind = self.kind;
        let read_lines = |listener: &dyn Listener| {
            let mut lines = Lines::new(input.reader, input.name, || {
                progress.at(read.load(Ordering::Relaxed));
                progress.check()
            });
            match kind {
                Kind::General => general::read(&mut lines, listener),
                Kind::Slow => slow::read(&mut lines, listener),
                Kind::GeneralTable | Kind::SlowTable => table::read(&mut lines, listener),
                Kind::Binlog | Kind::RawBinlog => binlog::read(&mut lines, listener),
                Kind::Laravel => pretend::read(&mut lines, listener),
                Kind::Sql => Ok(()),
            }
        };
        let ended = ahead::ahead(read_lines, listener);
        match tool {
            Some((child, name)) => ended.and(waited(child, name)),
            None => ended,
        }
    }
}

struct Counted<R> {
    reader: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.reader.read(into)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// Bytes read at once: what is told of a source by its beginning stands in them.
const CHUNK: usize = 1 << 18;

fn input(path: &Path) -> Result<Input> {
    let read = Arc::new(AtomicU64::new(0));
    let count = |reader: Box<dyn Read + Send>| Counted { reader, read: Arc::clone(&read) };
    let (raw, size): (Box<dyn Read + Send>, _) = if path == Path::new(STDIN) {
        (Box::new(std::io::stdin()), None)
    } else {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        (Box::new(file), Some(size))
    };
    let mut reader = BufReader::with_capacity(CHUNK, count(raw));
    let head = reader.fill_buf()?;
    let packed = head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let reader: Box<dyn BufRead + Send> = match head {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(CHUNK, flate2::bufread::MultiGzDecoder::new(reader))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(BufReader::with_capacity(CHUNK, zstd::stream::read::Decoder::with_buffer(reader)?))
        }
        _ => Box::new(reader),
    };
    let name = if path == Path::new(STDIN) { "<stdin>".to_owned() } else { path.display().to_string() };
    Ok(Input { reader, name, read, size, packed, tool: None })
}

/// A binary log as the vendors' own tool prints it. MariaDB's reads what MySQL's does not know, and the other way round: the
/// one that can comes first.
fn printed(path: &Path, input: Input, mariadb: bool) -> Result<Input> {
    if path == Path::new(STDIN) {
        let hint = "hint: Pipe what `mysqlbinlog --verbose FILE` prints instead.";
        bail!(anyhow!(hint).context(BadInput::new("a binary log cannot be read from the standard input")));
    }
    let tools = if mariadb { ["mariadb-binlog", "mysqlbinlog"] } else { ["mysqlbinlog", "mariadb-binlog"] };
    for tool in tools {
        let mut command = Command::new(tool);
        command.args(["--no-defaults", "--verbose"]).arg("--").arg(path);
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        if let Ok(mut child) = started
            && let Some(out) = child.stdout.take()
        {
            let reader = Box::new(BufReader::with_capacity(CHUNK, out));
            return Ok(Input { reader, size: None, tool: Some((child, tool)), ..input });
        }
    }
    let hint = "hint: Install the vendor's client package (mysqlbinlog, mariadb-binlog), or pipe what it prints into `--from -`.";
    bail!(
        anyhow!(hint)
            .context(BadInput::new(format!("{} is a binary log, and no tool that reads one is here", path.display())))
    )
}

/// What an input holds, as a file.
fn lay_down(input: &mut Input) -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::with_suffix(".sql")?;
    std::io::copy(&mut input.reader, &mut file)?;
    Ok(file)
}

fn waited(child: Child, name: &str) -> Result<()> {
    let ended = child.wait_with_output().with_context(|| format!("cannot wait for {name}"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let said: Vec<_> = said.lines().filter(|line| line.contains("ERROR")).take(3).collect();
        bail!(BadInput::new(format!("{name} cannot read the binary log: {}", said.join(" "))));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

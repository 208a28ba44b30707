//! Where a capture is written: into a file that is in its place when it is whole, or a stream.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file or a stream.
pub enum Out {
    /// A file, beside its place (`FILE.part`) until it is whole.
    File(Part),
    /// A stream: what is known at the end comes at the end.
    Stream(Box<dyn Write + Send>),
}

/// A file that is not whole yet.
pub struct Part {
    writer: BufWriter<File>,
    part: PathBuf,
    path: PathBuf,
    /// Where the facts of the end have their place.
    facts_at: u64,
}

/// Digest and counts: as long before they are known as after.
fn facts(digest: &str, statements: u64, sessions: u32) -> String {
    format!("-- digest: {digest:<16}\n-- statements: {statements:<20}\n-- sessions: {sessions:<10}\n")
}

impl Out {
    /// A file with this head.
    ///
    /// # Errors
    /// When it cannot be created or written.
    pub fn create(path: &Path, head: &str) -> Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).with_context(|| format!("cannot create {}", part.display()))?;
        let writer = BufWriter::with_capacity(1 << 18, file);
        let mut out = Self::File(Part { writer, part, path: path.to_owned(), facts_at: head.len() as u64 });
        out.put(head)?;
        out.put(&facts("", 0, 0))?;
        Ok(out)
    }

    /// Writes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&mut self, text: &str) -> Result<()> {
        match self {
            Self::File(file) => {
                file.writer.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", file.part.display()))
            }
            Self::Stream(stream) => stream.write_all(text.as_bytes()).context("cannot write the capture"),
        }
    }

    /// Writes what is known now, and puts the file in its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, digest: &str, statements: u64, sessions: u32) -> Result<()> {
        let facts = facts(digest, statements, sessions);
        match &mut self {
            Self::Stream(stream) => {
                let written = stream.write_all(b"\n").and_then(|()| stream.write_all(facts.as_bytes()));
                written.and_then(|()| stream.flush()).context("cannot write the capture")
            }
            Self::File(file) => {
                let written = file.writer.flush().and_then(|()| file.writer.seek(SeekFrom::Start(file.facts_at)));
                let written = written.and_then(|_| file.writer.write_all(facts.as_bytes()));
                let written = written.and_then(|()| file.writer.flush());
                let renamed = written.and_then(|()| fs::rename(&file.part, &file.path));
                renamed.with_context(|| format!("cannot write {}", file.path.display()))
            }
        }
    }
}

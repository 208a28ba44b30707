//! The files of LOAD DATA LOCAL: what a client sends is kept, so that the statement can be sent again.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file that a client sent.
#[derive(Debug)]
pub(super) struct Saved {
    /// Where it is kept.
    pub path: PathBuf,
    file: Option<BufWriter<File>>,
}

/// Bytes that are written at once: clients send pieces of a few KiB.
const AT_ONCE: usize = 256 * 1024;

impl Saved {
    /// Begins the next file of a session.
    pub fn begin(directory: &Path, session: u64, number: u64) -> Result<Self> {
        let path = directory.join(format!("session-{session}-load-{number}.data"));
        let file = File::create_new(&path)
            .with_context(|| format!("cannot keep the file of a LOAD DATA LOCAL in {}", path.display()))?;
        Ok(Self { path, file: Some(BufWriter::with_capacity(AT_ONCE, file)) })
    }

    /// Adds what came.
    pub fn add(&mut self, piece: &[u8]) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(piece).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// All of it has come.
    pub fn end(&mut self) -> Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

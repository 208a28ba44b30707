//! Writes `timeline.jsonl` as an experiment goes, one document a line; nothing of it stays in memory.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use super::record::Entry;

/// Receives entries from all threads of an experiment.
#[derive(Debug, Default)]
pub struct Timeline {
    out: Mutex<Option<Out>>,
}

#[derive(Debug)]
struct Out {
    file: BufWriter<File>,
    path: PathBuf,
    /// The first failure to write: told at the end, for a full disk must not stop a run that goes on measuring.
    failed: Option<std::io::Error>,
}

impl Timeline {
    /// A timeline that goes into a file; none writes nothing.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let out = match path {
            None => None,
            Some(path) => {
                let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
                Some(Out { file: BufWriter::new(file), path: path.to_owned(), failed: None })
            }
        };
        Ok(Self { out: Mutex::new(out) })
    }

    /// Adds an entry.
    pub fn add(&self, entry: &Entry) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(out) = out.as_mut() else { return };
        if out.failed.is_some() {
            return;
        }
        let written = serde_json::to_writer(&mut out.file, entry)
            .map_err(std::io::Error::from)
            .and_then(|()| out.file.write_all(b"\n"));
        out.failed = written.err();
    }

    /// Writes out what is left.
    ///
    /// # Errors
    /// The first failure to write, such as a full disk.
    pub fn close(&self) -> Result<()> {
        let Some(mut out) = self.out.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        let written = match out.failed.take() {
            Some(error) => Err(error),
            None => out.file.flush(),
        };
        written.with_context(|| format!("cannot write {}", out.path.display()))
    }
}

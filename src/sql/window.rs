//! What a splitter holds of its input: from what it has not given out yet to what it has read so far.

use std::io::Read;

use anyhow::{Context, Result, bail};

/// Bytes read at once.
pub const CHUNK: usize = 256 * 1024;

/// Bytes of the longest statement: the largest packet that a server takes.
const LONGEST_STATEMENT: usize = 1 << 30;

/// A part of an input that moves on with what is done.
pub struct Window<R> {
    reader: R,
    /// The input's name in errors.
    pub file: String,
    /// The bytes held; positions are indexes into it, and move when more is read.
    pub buffer: Vec<u8>,
    /// What comes before is done with.
    pub start: usize,
    /// The scan.
    pub at: usize,
    /// Offset in the input of the buffer's first byte.
    pub offset: u64,
    /// All was read.
    pub at_end: bool,
    /// Bytes that may be held from `start` on.
    pub longest: usize,
    /// Bytes read at once.
    pub chunk: usize,
    /// Line of `counted`.
    line: u64,
    counted: usize,
    /// A place in the input, on `line`, and how many characters of that line come before it.
    mark: (u64, u64),
}

impl<R: Read> Window<R> {
    /// Nothing read yet.
    pub fn new(reader: R, file: String) -> Self {
        Self {
            reader,
            file,
            buffer: Vec::new(),
            start: 0,
            at: 0,
            offset: 0,
            at_end: false,
            longest: LONGEST_STATEMENT,
            chunk: CHUNK,
            line: 1,
            counted: 0,
            mark: (0, 0),
        }
    }

    /// Reads until `ahead` bytes stand after `at`, or the input ends.
    pub fn need(&mut self, ahead: usize) -> Result<()> {
        while !self.at_end && self.buffer.len() - self.at < ahead {
            self.fill()?;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        if self.start > 0 && self.buffer.capacity() - self.buffer.len() < self.chunk {
            self.column_of(self.start);
            self.buffer.drain(..self.start);
            if self.buffer.capacity() > 64 * CHUNK && self.buffer.len() < CHUNK {
                self.buffer.shrink_to(4 * CHUNK);
            }
            self.offset += self.start as u64;
            self.at -= self.start;
            self.counted -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.start > self.longest {
            let line = self.line_of(self.start);
            bail!(
                "{}:{line}: the statement is longer than {} bytes, more than any server takes",
                self.file,
                self.longest
            );
        }
        let read = self.reader.by_ref().take(self.chunk as u64).read_to_end(&mut self.buffer);
        let read = read.with_context(|| format!("cannot read {}", self.file))?;
        self.at_end = read == 0;
        Ok(())
    }

    fn count_lines(&mut self, to: usize) {
        if to > self.counted {
            let counted = &self.buffer[self.counted..to];
            self.line += memchr::memchr_iter(b'\n', counted).count() as u64;
            if let Some(last) = memchr::memrchr(b'\n', counted) {
                self.mark = (self.offset + (self.counted + last) as u64 + 1, 0);
            }
            self.counted = to;
        }
    }

    /// The line that `position` stands on; positions must not go back.
    pub fn line_of(&mut self, position: usize) -> u64 {
        self.count_lines(position);
        self.line
    }

    /// The character of its line that `position` is, from 1; positions must not go back.
    pub fn column_of(&mut self, position: usize) -> u64 {
        self.count_lines(position);
        let (place, before) = self.mark;
        let from = place.saturating_sub(self.offset) as usize;
        let passed = self.buffer.get(from..position).map_or(0, |bytes| String::from_utf8_lossy(bytes).chars().count());
        self.mark = (self.offset + position.max(from) as u64, before + passed as u64);
        self.mark.1 + 1
    }
}

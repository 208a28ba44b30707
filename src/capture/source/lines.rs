//! Lines of a log as bytes, numbered, with a look at the clock now and then.

use std::io::{BufRead, ErrorKind, Read as _};
use std::ops::Range;

use anyhow::{Context, Result};

use crate::progress::Interrupted;
use crate::sql::record::Origin;

/// Bytes of the longest line that is kept together: what a server can be sent, and its escapes.
const LONGEST: usize = 1 << 30;

/// Lines between two looks at the clock.
const BETWEEN: u64 = 1 << 14;

/// Bytes that are held, but for a line that is longer.
const HELD: usize = 1 << 20;

/// An input's lines.
pub struct Lines<'a> {
    reader: Box<dyn BufRead + Send>,
    name: String,
    /// What was read: what is given out, the current line at `line`, and what comes after it up to `filled`.
    buffer: Vec<u8>,
    line: Range<usize>,
    filled: usize,
    number: u64,
    tick: Box<dyn FnMut() -> Result<(), Interrupted> + 'a>,
}

impl<'a> Lines<'a> {
    /// Nothing read yet. `tick` is called now and then.
    pub fn new(
        reader: Box<dyn BufRead + Send>,
        name: String,
        tick: impl FnMut() -> Result<(), Interrupted> + 'a,
    ) -> Self {
        Self { reader, name, buffer: vec![0; HELD], line: 0..0, filled: 0, number: 0, tick: Box::new(tick) }
    }

    /// Reads the next line; false at the end.
    ///
    /// # Errors
    /// The input cannot be read, or the person asked to stop.
    pub fn advance(&mut self) -> Result<bool> {
        if self.number.is_multiple_of(BETWEEN) {
            (self.tick)()?;
        }
        self.line = self.line.end..self.line.end;
        let mut looked = self.line.start;
        loop {
            let most = self.filled.min(self.line.start + LONGEST);
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[looked..most]) {
                self.line.end = looked + end + 1;
                break;
            }
            looked = most;
            if looked - self.line.start == LONGEST || !self.fill(&mut looked)? {
                self.line.end = looked;
                break;
            }
        }
        self.number += u64::from(!self.line.is_empty());
        Ok(!self.line.is_empty())
    }

    /// Reads on; false at the end. `looked` moves with what is held.
    fn fill(&mut self, looked: &mut usize) -> Result<bool> {
        if self.filled == self.buffer.len() {
            let given = self.line.start;
            self.buffer.copy_within(given..self.filled, 0);
            self.filled -= given;
            *looked -= given;
            self.line = 0..0;
            // A long line takes room for as long as it is one.
            let room =
                if self.filled * 2 > self.buffer.len() { self.buffer.len() * 2 } else { HELD.max(self.filled * 2) };
            self.buffer.resize(room, 0);
            self.buffer.shrink_to(room);
        }
        loop {
            return match self.reader.read(&mut self.buffer[self.filled..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => {
                    let read = read.with_context(|| format!("cannot read {}", self.name))?;
                    self.filled += read;
                    Ok(read > 0)
                }
            };
        }
    }

    /// The line with its end.
    pub fn with_end(&self) -> &[u8] {
        &self.buffer[self.line.clone()]
    }

    /// The line without its end.
    pub fn line(&self) -> &[u8] {
        let line = self.with_end();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// False when the input was cut off in the middle of the line.
    pub fn is_whole(&self) -> bool {
        self.with_end().ends_with(b"\n")
    }

    /// The line's number, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A place in this input.
    pub fn origin(&self, line: u64) -> Origin {
        Origin { file: self.name.clone(), line, column: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time.
    struct Drip(Cursor<Vec<u8>>, usize);

    impl Read for Drip {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let length = into.len().min(self.1);
            self.0.read(&mut into[..length])
        }
    }

    fn lines(bytes: &[u8], at_once: usize) -> Vec<(u64, Vec<u8>, bool)> {
        let reader = BufReader::with_capacity(1, Drip(Cursor::new(bytes.to_vec()), at_once));
        let mut lines = Lines::new(Box::new(reader), "x.log".to_owned(), || Ok(()));
        let mut found = Vec::new();
        while lines.advance().expect("a line") {
            found.push((lines.number(), lines.with_end().to_vec(), lines.is_whole()));
        }
        assert!(!lines.advance().expect("the end"));
        found
    }

    #[test]
    fn lines_of_any_length_come_whole_and_a_long_one_keeps_no_room() {
        let long = [vec![b'x'; 5 * HELD + 3], b"\n".to_vec()].concat();
        let short = b"short\r\n".repeat(HELD);
        let log = [&short[..], &long, &long, &short, b"cut"].concat();
        let mut lines = Lines::new(Box::new(Cursor::new(log)), "x.log".to_owned(), || Ok(()));
        let (mut count, mut lengths) = (0, 0);
        while lines.advance().expect("a line") {
            count += 1;
            lengths += lines.line().len();
        }
        assert_eq!((count, lengths), (2 * HELD + 3, 2 * HELD * 5 + 2 * (5 * HELD + 3) + 3));
        assert!(!lines.is_whole() && lines.buffer.len() == HELD, "{}", lines.buffer.len());
    }

    proptest! {
        #[test]
        fn lines_are_cut_at_their_ends_however_they_come(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200), at_once in 1usize..9,
        ) {
            let expected: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let found = lines(&bytes, at_once);
            prop_assert_eq!(found.iter().map(|(_, line, _)| line.as_slice()).collect::<Vec<_>>(), expected);
            prop_assert!(found.iter().zip(1..).all(|((number, line, whole), at)| *number == at && *whole == line.ends_with(b"\n")));
        }
    }
}

//! A script cut into statements, as the stock `mysql` and `mariadb` clients cut it (checked against the client of
//! MariaDB 10.11), but for stored programs without DELIMITER, which stay whole (see `compound`).
//!
//! Streams: only the current statement is held. Inside an executed comment the client splits too, and so do we.

use std::io::Read;

use anyhow::{Context, Result, bail};

use crate::sql::client_command::{self, ClientCommand};
use crate::sql::compound::Compound;
use crate::sql::token::is_dash_comment;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// Bytes that are looked ahead at a special character: the longest is `/*M!999999\-`; a delimiter may be as long.
const AHEAD: usize = 64;

/// Bytes of the longest line that can be a client command.
const LONGEST_COMMAND: usize = 64 * 1024;

/// Bytes of the longest statement: the largest packet that a server takes.
const LONGEST_STATEMENT: usize = 1 << 30;

/// What a script is cut into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A statement.
    Statement(Text),
    /// `SOURCE file`, on this line.
    Source {
        /// The file, as written.
        file: String,
        /// The line of the command.
        line: u64,
    },
}

/// A statement's text and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// From its first character that is no comment to its last before the delimiter, exactly.
    pub text: String,
    /// Byte offset of its first character.
    pub offset: u64,
    /// Line of its first character, from 1.
    pub line: u64,
    /// The `rehearse: …` remarks in the comments before it, without that word.
    pub remarks: Vec<String>,
}

/// Cuts what it reads.
pub struct Splitter<R> {
    reader: R,
    /// The name in errors.
    file: String,
    /// From what is not yet given out to what was read so far.
    buffer: Vec<u8>,
    /// What comes before is done with.
    start: usize,
    /// The scan.
    at: usize,
    /// Offset in the script of the buffer's first byte.
    offset: u64,
    /// Line of `counted`.
    line: u64,
    counted: usize,
    at_end: bool,
    finished: bool,
    delimiter: Vec<u8>,
    special: [bool; 256],
    longest: usize,
    remarks: Vec<String>,
    /// Only white space stands before `at` on its line.
    fresh_line: bool,
    /// A backslash command stands in the middle of the statement: its bytes are left out.
    holes: Vec<(usize, usize)>,
}

impl<R: Read> Splitter<R> {
    /// A splitter over `reader`; `file` names it in errors.
    pub fn new(reader: R, file: impl Into<String>) -> Self {
        let mut splitter = Self {
            reader,
            file: file.into(),
            buffer: Vec::new(),
            start: 0,
            at: 0,
            offset: 0,
            line: 1,
            counted: 0,
            at_end: false,
            finished: false,
            delimiter: Vec::new(),
            special: [false; 256],
            longest: LONGEST_STATEMENT,
            remarks: Vec::new(),
            fresh_line: true,
            holes: Vec::new(),
        };
        splitter.set_delimiter(b";");
        splitter
    }

    /// Sets the delimiter, as `DELIMITER` does; a sourced file begins with that of the file that sources it.
    pub fn set_delimiter(&mut self, delimiter: &[u8]) {
        self.delimiter = delimiter.to_vec();
        self.special = [false; 256];
        for byte in [b'\'', b'"', b'`', b'#', b'-', b'/', b'\\', delimiter.first().copied().unwrap_or(b';')] {
            self.special[usize::from(byte)] = true;
        }
    }

    /// The delimiter in force.
    pub fn delimiter(&self) -> &[u8] {
        &self.delimiter
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Reading fails, a text that is no UTF-8, a statement above 1 GiB, a client command that cannot be rehearsed: each
    /// with file and line. Nothing comes after an error.
    pub fn next_piece(&mut self) -> Result<Option<Piece>> {
        if self.finished {
            return Ok(None);
        }
        let piece = self.cut();
        self.finished = !matches!(piece, Ok(Some(_)));
        piece
    }

    fn cut(&mut self) -> Result<Option<Piece>> {
        loop {
            if !self.skip_leading()? {
                return Ok(None);
            }
            if self.fresh_line
                && let Some(command) = self.command_line()?
            {
                match self.obey(command)? {
                    Next::Piece(piece) => return Ok(Some(piece)),
                    Next::End => return Ok(None),
                    Next::Go => continue,
                }
            }
            self.fresh_line = false;
            if let Some(next) = self.statement()? {
                match next {
                    Next::Piece(piece) => return Ok(Some(piece)),
                    Next::End => return Ok(None),
                    Next::Go => {}
                }
            }
        }
    }

    /// Reads until `ahead` bytes stand after `at`, or the input ends.
    fn need(&mut self, ahead: usize) -> Result<()> {
        while !self.at_end && self.buffer.len() - self.at < ahead {
            self.fill()?;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        if self.start > 0 && self.buffer.capacity() - self.buffer.len() < CHUNK {
            self.count_lines(self.start);
            self.buffer.drain(..self.start);
            if self.buffer.capacity() > 64 * CHUNK && self.buffer.len() < CHUNK {
                self.buffer.shrink_to(4 * CHUNK);
            }
            self.offset += self.start as u64;
            self.at -= self.start;
            self.counted -= self.start;
            self.holes.iter_mut().for_each(|hole| *hole = (hole.0 - self.start, hole.1 - self.start));
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
        let read = self.reader.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer);
        let read = read.with_context(|| format!("cannot read {}", self.file))?;
        self.at_end = read == 0;
        Ok(())
    }

    fn count_lines(&mut self, to: usize) {
        if to > self.counted {
            self.line += memchr::memchr_iter(b'\n', &self.buffer[self.counted..to]).count() as u64;
            self.counted = to;
        }
    }

    fn line_of(&mut self, position: usize) -> u64 {
        self.count_lines(position);
        self.line
    }

    fn starts_with(&self, text: &[u8]) -> bool {
        self.buffer[self.at..].starts_with(text)
    }

    /// Moves past white space, comments, empty statements and the mark of UTF-8; false at the end.
    fn skip_leading(&mut self) -> Result<bool> {
        loop {
            self.start = self.at;
            self.need(AHEAD + self.delimiter.len())?;
            let rest = &self.buffer[self.at..];
            match rest {
                [] => return Ok(false),
                [0xef, 0xbb, 0xbf, ..] if self.offset == 0 && self.at == 0 => self.at += 3,
                [byte, ..] if byte.is_ascii_whitespace() => {
                    self.fresh_line |= *byte == b'\n';
                    self.at += 1;
                }
                // The client takes a line that begins with `--` for a comment, white space after it or not.
                [b'#', ..] => self.line_comment()?,
                [b'-', b'-', ..] if self.fresh_line || is_dash_comment(rest) => self.line_comment()?,
                [b'/', b'*', third, ..] if is_plain_comment(rest, *third) => {
                    self.fresh_line = false;
                    self.block_comment()?;
                }
                _ if rest.starts_with(&self.delimiter) => {
                    self.at += self.delimiter.len();
                    self.fresh_line = false;
                }
                _ => return Ok(true),
            }
        }
    }

    /// Passes over a comment up to the end of its line, and keeps what it remarks.
    fn line_comment(&mut self) -> Result<()> {
        let mut head = Vec::new();
        loop {
            let rest = &self.buffer[self.at..];
            let found = memchr::memchr(b'\n', rest);
            let length = found.unwrap_or(rest.len());
            head.extend_from_slice(&rest[..length.min(1024usize.saturating_sub(head.len()))]);
            self.at += length;
            self.start = self.at;
            if found.is_some() || self.at_end {
                break;
            }
            self.need(1)?;
        }
        let comment = String::from_utf8_lossy(&head);
        let comment = comment.trim_start_matches(['#', '-']).trim();
        if let Some(remark) = comment.strip_prefix("rehearse:") {
            self.remarks.push(remark.trim().to_owned());
        }
        Ok(())
    }

    fn block_comment(&mut self) -> Result<()> {
        self.at += 2;
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(found) = memchr::memmem::find(rest, b"*/") {
                self.at += found + 2;
                return Ok(());
            }
            if self.at_end {
                self.at = self.buffer.len();
                return Ok(());
            }
            // The last byte may be the star.
            self.at = self.buffer.len().saturating_sub(1).max(self.at);
            self.start = self.at;
            self.need(2)?;
        }
    }

    /// The client command that stands on this line.
    fn command_line(&mut self) -> Result<Option<ClientCommand>> {
        let rest = &self.buffer[self.at..];
        let word = rest.iter().take(24).take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'?').count();
        let known = std::str::from_utf8(&rest[..word]).is_ok_and(|word| client_command::of_line(word).is_some());
        if word == 0 || !known {
            return Ok(None);
        }
        self.need(LONGEST_COMMAND)?;
        let rest = &self.buffer[self.at..];
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let Ok(line) = std::str::from_utf8(&rest[..end]) else { return Ok(None) };
        let Some(command) = client_command::of_line(line) else { return Ok(None) };
        let delimited = memchr::memmem::find(&rest[..end], &self.delimiter).is_some() || line.contains("\\g");
        if end > LONGEST_COMMAND || (delimited && !matches!(command, ClientCommand::Delimiter(_))) {
            return Ok(None);
        }
        self.at += end;
        Ok(Some(command))
    }

    /// Does what a command says that stands from `start` to `at`.
    fn obey(&mut self, command: ClientCommand) -> Result<Next> {
        let line = self.line_of(self.start);
        match command {
            ClientCommand::Delimiter(delimiter) if delimiter.is_empty() || delimiter.contains('\\') => {
                bail!("{}:{line}: DELIMITER must be followed by a character or a word without backslashes", self.file)
            }
            ClientCommand::Delimiter(delimiter) => self.set_delimiter(delimiter.as_bytes()),
            ClientCommand::Use => return self.give(self.at),
            ClientCommand::Source(file) if file.is_empty() => bail!("{}:{line}: SOURCE names no file", self.file),
            ClientCommand::Source(file) => return Ok(Next::Piece(Piece::Source { file, line })),
            ClientCommand::Quit => return Ok(Next::End),
            ClientCommand::Display => {}
            ClientCommand::Refused(name) => {
                bail!(
                    "{}:{line}: the client command '{name}' acts outside of the script: it cannot be rehearsed",
                    self.file
                )
            }
        }
        self.remarks.clear();
        Ok(Next::Go)
    }

    /// Scans from the first character of a statement to its end.
    fn statement(&mut self) -> Result<Option<Next>> {
        let mut compound = Compound::default();
        let mut followed = self.at - self.start;
        self.holes.clear();
        loop {
            let skipped = self.buffer[self.at..].iter().position(|byte| self.special[usize::from(*byte)]);
            self.at = skipped.map_or(self.buffer.len(), |skipped| self.at + skipped);
            if self.buffer.len() - self.at < AHEAD + self.delimiter.len() && !self.at_end {
                self.need(AHEAD + self.delimiter.len())?;
                continue;
            }
            if self.at >= self.buffer.len() {
                return Ok(Some(self.finish(self.at)?));
            }
            let rest = &self.buffer[self.at..];
            match rest {
                _ if rest.starts_with(&self.delimiter) => {
                    let segment = &self.buffer[self.start + followed..self.at];
                    let end = self.at;
                    if self.delimiter != b";" || compound.ends_at(segment) {
                        self.at += self.delimiter.len();
                        return Ok(Some(self.finish(end)?));
                    }
                    self.at += 1;
                    followed = self.at - self.start;
                }
                [b'\'' | b'"' | b'`', ..] => self.quoted()?,
                [b'#', ..] => self.skip_line()?,
                [b'-', b'-', ..] if is_dash_comment(rest) => self.skip_line()?,
                [b'/', b'*', third, ..] if is_plain_comment(rest, *third) => self.inner_comment()?,
                [b'\\', ..] => {
                    if let Some(next) = self.backslash()? {
                        return Ok(Some(next));
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// From an opening quote to after its closing one.
    fn quoted(&mut self) -> Result<()> {
        let quote = self.buffer[self.at];
        self.at += 1;
        loop {
            let rest = &self.buffer[self.at..];
            let found = if quote == b'`' { memchr::memchr(quote, rest) } else { memchr::memchr2(quote, b'\\', rest) };
            self.at = found.map_or(self.buffer.len(), |found| self.at + found);
            self.need(2)?;
            match self.buffer.get(self.at) {
                None if self.at_end => return Ok(()),
                None => {}
                Some(byte) if *byte == b'\\' && quote != b'`' => self.at = (self.at + 2).min(self.buffer.len()),
                Some(byte) if *byte == quote => {
                    // A doubled quote closes and opens again.
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => {}
            }
        }
    }

    fn skip_line(&mut self) -> Result<()> {
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(found) = memchr::memchr(b'\n', rest) {
                self.at += found;
                return Ok(());
            }
            self.at = self.buffer.len();
            if self.at_end {
                return Ok(());
            }
            self.need(1)?;
        }
    }

    /// Past a comment in the middle of a statement.
    fn inner_comment(&mut self) -> Result<()> {
        self.at += 2;
        loop {
            if let Some(found) = memchr::memmem::find(&self.buffer[self.at..], b"*/") {
                self.at += found + 2;
                return Ok(());
            }
            if self.at_end {
                self.at = self.buffer.len();
                return Ok(());
            }
            self.at = self.buffer.len().saturating_sub(1).max(self.at);
            self.need(2)?;
        }
    }

    /// A one-letter command (`\G`, `\c`, …) in or after a statement.
    fn backslash(&mut self) -> Result<Option<Next>> {
        let end = self.at;
        let letter = self.buffer.get(self.at + 1).copied().unwrap_or(b' ');
        match letter {
            b'g' | b'G' => {
                self.at += 2;
                return Ok(Some(self.finish(end)?));
            }
            // `\c` throws away what was typed.
            b'c' => {
                self.at += 2;
                self.remarks.clear();
                return Ok(Some(Next::Go));
            }
            b'N' => {
                self.at += 2;
                return Ok(None);
            }
            _ => {}
        }
        self.need(LONGEST_COMMAND)?;
        let rest = &self.buffer[self.at + 1..];
        let left = rest.len() + 1;
        let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let after = String::from_utf8_lossy(rest.get(1..line_end).unwrap_or_default()).into_owned();
        let line = self.line_of(self.start);
        let Some((command, takes)) = client_command::of_letter(char::from(letter), &after) else {
            bail!("{}:{line}: the client knows no command '\\{}'", self.file, char::from(letter));
        };
        let length = (if takes { line_end.max(1) + 1 } else { 2 }).min(left);
        if self.at == self.start {
            self.at = (self.at + length).min(self.buffer.len());
            return Ok(Some(match command {
                ClientCommand::Use => {
                    bail!("{}:{line}: write USE instead of the client command '\\u'", self.file)
                }
                command => self.obey(command)?,
            }));
        }
        if command != ClientCommand::Display {
            bail!("{}:{line}: a client command in the middle of a statement cannot be rehearsed", self.file);
        }
        self.holes.push((self.at, self.at + length));
        self.at += length;
        Ok(None)
    }

    /// Gives out what stands from `start` to `end`: as the command that it is, else as a statement.
    fn finish(&mut self, end: usize) -> Result<Next> {
        let head = &self.buffer[self.start..end.min(self.start + LONGEST_COMMAND)];
        let first = head.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if first > 0
            && first < 24
            && let Ok(line) = std::str::from_utf8(head)
            && let Some(command) = client_command::of_line(line)
        {
            return match command {
                ClientCommand::Use => self.give(end),
                command => self.obey(command),
            };
        }
        self.give(end)
    }

    /// Cuts the statement out.
    fn give(&mut self, end: usize) -> Result<Next> {
        let line = self.line_of(self.start);
        let mut bytes = Vec::with_capacity(end - self.start);
        let mut from = self.start;
        for (first, last) in std::mem::take(&mut self.holes) {
            bytes.extend_from_slice(&self.buffer[from..first]);
            from = last;
        }
        bytes.extend_from_slice(&self.buffer[from.min(end)..end]);
        bytes.truncate(bytes.trim_ascii_end().len());
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = line + memchr::memchr_iter(b'\n', before).count() as u64;
                return Err(anyhow::anyhow!("{}:{line}: the text is not valid UTF-8", self.file).context(
                    "a script must be UTF-8: convert it with iconv, and dump binary columns with --hex-blob.",
                ));
            }
        };
        let offset = self.offset + self.start as u64;
        Ok(Next::Piece(Piece::Statement(Text { text, offset, line, remarks: std::mem::take(&mut self.remarks) })))
    }
}

/// What a part of a script comes to.
enum Next {
    Piece(Piece),
    Go,
    End,
}

/// A comment that no server runs, by its third byte; MariaDB's `/*M!999999\-` (its client's sandbox mode) is one.
fn is_plain_comment(rest: &[u8], third: u8) -> bool {
    match third {
        b'!' | b'+' => false,
        b'M' => rest.get(3) != Some(&b'!') || rest.starts_with(b"/*M!999999\\-"),
        _ => true,
    }
}

#[cfg(test)]
mod tests;

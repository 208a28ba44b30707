//! A script cut into statements, as the stock `mysql` and `mariadb` clients cut it (checked against the client of
//! MariaDB 10.11), but for stored programs without DELIMITER, which stay whole (see `compound`).
//!
//! Streams: only the current statement is held. Inside an executed comment the client splits too, and so do we.

mod commands;
#[cfg(fuzzing)]
mod fuzzing;

use std::io::Read;

use anyhow::Result;

use crate::sql::client_command::{self, ClientCommand};
use crate::sql::compound::Compound;
use crate::sql::split::commands::LONGEST_COMMAND;
use crate::sql::token::is_dash_comment;
use crate::sql::window::Window;

/// Bytes that are looked ahead at a special character: the longest is `/*M!999999\-`; a delimiter may be as long.
const AHEAD: usize = 64;

/// Bytes of a comment that are looked at for a remark.
const LONGEST_REMARK: usize = 1024;

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
    /// Character of that line, from 1.
    pub column: u64,
    /// The `rehearse: …` remarks in the comments before it.
    pub remarks: Vec<Remark>,
}

/// A comment that is meant for us: `-- rehearse: …` or `/* rehearse: … */`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What follows `rehearse:`.
    pub text: String,
    /// The line it ends on.
    pub line: u64,
}

/// Cuts what it reads.
pub struct Splitter<R> {
    window: Window<R>,
    finished: bool,
    delimiter: Vec<u8>,
    special: [bool; 256],
    remarks: Vec<Remark>,
    /// Only white space stands before `at` on its line.
    fresh_line: bool,
    /// One-letter commands in the middle of the statement, from its start: these bytes are left out.
    holes: Vec<(usize, usize)>,
}

impl<R: Read> Splitter<R> {
    /// A splitter over `reader`; `file` names it in errors.
    pub fn new(reader: R, file: impl Into<String>) -> Self {
        let mut splitter = Self {
            window: Window::new(reader, file.into()),
            finished: false,
            delimiter: Vec::new(),
            special: [false; 256],
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

    /// Remarks after which no statement came.
    pub fn leftover(&self) -> impl Iterator<Item = &Remark> {
        self.remarks.iter()
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

    /// Moves past white space, comments, empty statements and the mark of UTF-8; false at the end.
    fn skip_leading(&mut self) -> Result<bool> {
        loop {
            self.window.start = self.window.at;
            self.window.need(AHEAD + self.delimiter.len())?;
            let rest = &self.window.buffer[self.window.at..];
            match rest {
                [] => return Ok(false),
                [0xef, 0xbb, 0xbf, ..] if self.window.offset == 0 && self.window.at == 0 => self.window.at += 3,
                [byte @ (b'\t'..=b'\r' | b' '), ..] => {
                    self.fresh_line |= *byte == b'\n';
                    self.window.at += 1;
                }
                // The client takes a line that begins with `--` for a comment, white space after it or not.
                [b'#', ..] => self.line_comment()?,
                [b'-', b'-', ..] if self.fresh_line || is_dash_comment(rest) => self.line_comment()?,
                [b'/', b'*', third, ..] if is_plain_comment(rest, *third) => {
                    self.fresh_line = false;
                    self.block_comment()?;
                }
                _ if rest.starts_with(&self.delimiter) => {
                    self.window.at += self.delimiter.len();
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
            let rest = &self.window.buffer[self.window.at..];
            let found = memchr::memchr(b'\n', rest);
            let length = found.unwrap_or(rest.len());
            head.extend_from_slice(&rest[..length.min(LONGEST_REMARK.saturating_sub(head.len()))]);
            self.window.at += length;
            self.window.start = self.window.at;
            if found.is_some() || self.window.at_end {
                break;
            }
            self.window.need(1)?;
        }
        self.note(&head);
        Ok(())
    }

    /// Keeps what the comment that ended at `at` remarks.
    fn note(&mut self, comment: &[u8]) {
        if memchr::memmem::find(comment, b"rehearse:").is_none() {
            return;
        }
        let comment = String::from_utf8_lossy(comment);
        if let Some(text) = comment.trim_start_matches(['#', '-', '/', '*']).trim_start().strip_prefix("rehearse:") {
            let line = self.window.line_of(self.window.at);
            self.remarks.push(Remark { text: text.trim().to_owned(), line });
        }
    }

    fn block_comment(&mut self) -> Result<()> {
        self.window.need(LONGEST_REMARK)?;
        self.window.at += 2;
        loop {
            let rest = &self.window.buffer[self.window.at..];
            if let Some(found) = memchr::memmem::find(rest, b"*/") {
                // A remark is short; of a longer comment the beginning may be gone.
                let comment = rest[..found.min(LONGEST_REMARK)].to_vec();
                self.window.at += found + 2;
                self.note(&comment);
                return Ok(());
            }
            if self.window.at_end {
                self.window.at = self.window.buffer.len();
                return Ok(());
            }
            // The last byte may be the star.
            self.window.at = self.window.buffer.len().saturating_sub(1).max(self.window.at);
            self.window.start = self.window.at;
            self.window.need(2)?;
        }
    }

    /// Scans from the first character of a statement to its end.
    fn statement(&mut self) -> Result<Option<Next>> {
        let mut compound = Compound::default();
        let mut followed = self.window.at - self.window.start;
        self.holes.clear();
        loop {
            let skipped = self.window.buffer[self.window.at..].iter().position(|byte| self.special[usize::from(*byte)]);
            self.window.at = skipped.map_or(self.window.buffer.len(), |skipped| self.window.at + skipped);
            if self.window.buffer.len() - self.window.at < AHEAD + self.delimiter.len() && !self.window.at_end {
                self.window.need(AHEAD + self.delimiter.len())?;
                continue;
            }
            if self.window.at >= self.window.buffer.len() {
                return Ok(Some(self.finish(self.window.at)?));
            }
            let rest = &self.window.buffer[self.window.at..];
            match rest {
                _ if rest.starts_with(&self.delimiter) => {
                    let segment = &self.window.buffer[self.window.start + followed..self.window.at];
                    let end = self.window.at;
                    if self.delimiter != b";" || compound.ends_at(segment) {
                        self.window.at += self.delimiter.len();
                        return Ok(Some(self.finish(end)?));
                    }
                    self.window.at += 1;
                    followed = self.window.at - self.window.start;
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
                _ => self.window.at += 1,
            }
        }
    }

    /// From an opening quote to after its closing one.
    fn quoted(&mut self) -> Result<()> {
        let quote = self.window.buffer[self.window.at];
        self.window.at += 1;
        loop {
            let rest = &self.window.buffer[self.window.at..];
            let found = if quote == b'`' { memchr::memchr(quote, rest) } else { memchr::memchr2(quote, b'\\', rest) };
            self.window.at = found.map_or(self.window.buffer.len(), |found| self.window.at + found);
            self.window.need(2)?;
            match self.window.buffer.get(self.window.at) {
                None if self.window.at_end => return Ok(()),
                None => {}
                Some(byte) if *byte == b'\\' && quote != b'`' => {
                    self.window.at = (self.window.at + 2).min(self.window.buffer.len())
                }
                Some(byte) if *byte == quote => {
                    // A doubled quote closes and opens again.
                    self.window.at += 1;
                    return Ok(());
                }
                Some(_) => {}
            }
        }
    }

    fn skip_line(&mut self) -> Result<()> {
        loop {
            let rest = &self.window.buffer[self.window.at..];
            if let Some(found) = memchr::memchr(b'\n', rest) {
                self.window.at += found;
                return Ok(());
            }
            self.window.at = self.window.buffer.len();
            if self.window.at_end {
                return Ok(());
            }
            self.window.need(1)?;
        }
    }

    /// Past a comment in the middle of a statement.
    fn inner_comment(&mut self) -> Result<()> {
        self.window.at += 2;
        loop {
            if let Some(found) = memchr::memmem::find(&self.window.buffer[self.window.at..], b"*/") {
                self.window.at += found + 2;
                return Ok(());
            }
            if self.window.at_end {
                self.window.at = self.window.buffer.len();
                return Ok(());
            }
            self.window.at = self.window.buffer.len().saturating_sub(1).max(self.window.at);
            self.window.need(2)?;
        }
    }

    /// Gives out what stands from `start` to `end`: as the command that it is, else as a statement.
    fn finish(&mut self, end: usize) -> Result<Next> {
        let head = &self.window.buffer[self.window.start..end.min(self.window.start + LONGEST_COMMAND)];
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
        let line = self.window.line_of(self.window.start);
        let column = self.window.column_of(self.window.start);
        let mut bytes = Vec::with_capacity(end - self.window.start);
        let mut from = self.window.start;
        for (first, last) in std::mem::take(&mut self.holes) {
            bytes.extend_from_slice(&self.window.buffer[from..self.window.start + first]);
            from = self.window.start + last;
        }
        bytes.extend_from_slice(&self.window.buffer[from.min(end)..end]);
        bytes.truncate(bytes.trim_ascii_end().len());
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = line + memchr::memchr_iter(b'\n', before).count() as u64;
                return Err(anyhow::anyhow!("{}:{line}: the text is not valid UTF-8", self.window.file).context(
                    "hint: A script must be UTF-8: convert it with iconv, and dump binary columns with --hex-blob.",
                ));
            }
        };
        let offset = self.window.offset + self.window.start as u64;
        Ok(Next::Piece(Piece::Statement(Text {
            text,
            offset,
            line,
            column,
            remarks: std::mem::take(&mut self.remarks),
        })))
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

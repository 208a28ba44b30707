//! The stock client's own commands, met while a script is cut.

use std::io::Read;

use anyhow::{Result, bail};

use crate::sql::client_command::{self, ClientCommand};
use crate::sql::split::{Next, Piece, Splitter};

/// Bytes of the longest line that can be a client command.
pub(super) const LONGEST_COMMAND: usize = 64 * 1024;

impl<R: Read> Splitter<R> {
    /// The client command that stands on this line.
    pub(super) fn command_line(&mut self) -> Result<Option<ClientCommand>> {
        let rest = &self.window.buffer[self.window.at..];
        let word = rest.iter().take(24).take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'?').count();
        let known = std::str::from_utf8(&rest[..word]).is_ok_and(|word| client_command::of_line(word).is_some());
        if word == 0 || !known {
            return Ok(None);
        }
        self.window.need(LONGEST_COMMAND)?;
        let rest = &self.window.buffer[self.window.at..];
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let Ok(line) = std::str::from_utf8(&rest[..end]) else { return Ok(None) };
        let Some(command) = client_command::of_line(line) else { return Ok(None) };
        let delimited = memchr::memmem::find(&rest[..end], &self.delimiter).is_some() || line.contains("\\g");
        if end > LONGEST_COMMAND || (delimited && !matches!(command, ClientCommand::Delimiter(_))) {
            return Ok(None);
        }
        self.window.at += end;
        Ok(Some(command))
    }

    /// Does what a command says that stands from `start` to `at`.
    pub(super) fn obey(&mut self, command: ClientCommand) -> Result<Next> {
        let line = self.window.line_of(self.window.start);
        // `-- rehearse: …`, DELIMITER, CREATE TRIGGER: the remark is about the trigger.
        let keeps = matches!(command, ClientCommand::Delimiter(_) | ClientCommand::Display);
        match command {
            ClientCommand::Delimiter(delimiter) if delimiter.is_empty() || delimiter.contains('\\') => {
                bail!(
                    "{}:{line}: DELIMITER must be followed by a character or a word without backslashes",
                    self.window.file
                )
            }
            ClientCommand::Delimiter(delimiter) => self.set_delimiter(delimiter.as_bytes()),
            ClientCommand::Use => return self.give(self.window.at),
            ClientCommand::Source(file) if file.is_empty() => {
                bail!("{}:{line}: SOURCE names no file", self.window.file)
            }
            ClientCommand::Source(file) => return Ok(Next::Piece(Piece::Source { file, line })),
            ClientCommand::Quit => return Ok(Next::End),
            ClientCommand::Display => {}
            ClientCommand::Refused(name) => {
                bail!(
                    "{}:{line}: the client command '{name}' acts outside of the script: it cannot be rehearsed",
                    self.window.file
                )
            }
        }
        if !keeps {
            self.remarks.clear();
        }
        Ok(Next::Go)
    }

    /// A one-letter command (`\G`, `\c`, …) in or after a statement.
    pub(super) fn backslash(&mut self) -> Result<Option<Next>> {
        let end = self.window.at;
        let letter = self.window.buffer.get(self.window.at + 1).copied().unwrap_or(b' ');
        match letter {
            b'g' | b'G' => {
                self.window.at += 2;
                return Ok(Some(self.finish(end)?));
            }
            // `\c` throws away what was typed.
            b'c' => {
                self.window.at += 2;
                self.remarks.clear();
                return Ok(Some(Next::Go));
            }
            b'N' => {
                self.window.at += 2;
                return Ok(None);
            }
            _ => {}
        }
        self.window.need(LONGEST_COMMAND)?;
        let rest = &self.window.buffer[self.window.at + 1..];
        let left = rest.len() + 1;
        let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let after = String::from_utf8_lossy(rest.get(1..line_end).unwrap_or_default()).into_owned();
        let line = self.window.line_of(self.window.start);
        let Some((command, takes)) = client_command::of_letter(char::from(letter), &after) else {
            bail!("{}:{line}: the client knows no command '\\{}'", self.window.file, char::from(letter));
        };
        let length = (if takes { line_end.max(1) + 1 } else { 2 }).min(left);
        if self.window.at == self.window.start {
            self.window.at = (self.window.at + length).min(self.window.buffer.len());
            return Ok(Some(match command {
                ClientCommand::Use => {
                    bail!("{}:{line}: write USE instead of the client command '\\u'", self.window.file)
                }
                command => self.obey(command)?,
            }));
        }
        if command != ClientCommand::Display {
            bail!("{}:{line}: a client command in the middle of a statement cannot be rehearsed", self.window.file);
        }
        let hole = self.window.at - self.window.start;
        self.holes.push((hole, hole + length));
        self.window.at += length;
        Ok(None)
    }
}

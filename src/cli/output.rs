//! The standard output: results, and nothing else.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};

/// Prints a result; a text that lacks its last line's end gets it.
///
/// # Errors
/// When it cannot be written; a reader that has gone away is one of these, and no failure of the command.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    out.write_all(text.as_bytes())
        .and_then(|()| out.write_all(end.as_bytes()))
        .and_then(|()| out.flush())
        .context("cannot write to the standard output")
}

/// Colours are for terminals, and not for those who set `NO_COLOR` (<https://no-color.org>) or `TERM=dumb`.
pub fn colour() -> bool {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stdout().is_terminal() && !forbidden
}

//! How a command ends: the exit codes, and an error shown once.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Error;

use crate::problem::is_bad_input;
use crate::progress::Interrupted;

/// What a program that called `rehearse` may rely on. A larger one wins over a smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Within the budget; all expectations hold; the command did what it is for.
    Fine = 0,
    /// Findings at or above `--fail-on`, an upgrade that fails in the sandbox included; an expectation does not hold.
    Findings = 1,
    /// Usage, configuration or input error: nothing was rehearsed.
    Unusable = 2,
    /// The rehearsal could not be completed.
    Incomplete = 3,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The code of a command that ended with an error.
    pub fn of(error: &Error) -> Self {
        if is_broken_pipe(error) {
            Self::Fine
        } else if error.is::<Interrupted>() || error.chain().any(|link| link.is::<Interrupted>()) {
            Self::Interrupted
        } else if is_bad_input(error) {
            Self::Unusable
        } else {
            Self::Incomplete
        }
    }
}

/// Whoever read our output has had enough (`rehearse report … | head`): that is no failure.
fn is_broken_pipe(error: &Error) -> bool {
    error.chain().any(|link| link.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe))
}

/// Ends a command: shows its error, when there is one, and gives its code.
pub fn end(result: Result<Exit, Error>) -> Exit {
    let error = match result {
        Ok(exit) => return exit,
        Err(error) => error,
    };
    let exit = Exit::of(&error);
    if exit != Exit::Fine {
        // A standard error that is closed is nobody's to hear of.
        let _ = io::stderr().write_all(render(&error).as_bytes());
    }
    exit
}

/// `error: …`, then each cause, then what to do.
pub fn render(error: &Error) -> String {
    let (mut lines, mut hints) = (Vec::new(), Vec::new());
    let mut last = String::new();
    for link in error.chain() {
        let mut goes_on = false;
        for line in link.to_string().lines() {
            match line.trim().strip_prefix("hint: ") {
                Some(hint) => hints.push(format!("hint: {hint}\n")),
                // A wrapper often repeats the words of what it wraps.
                None if last.ends_with(line.trim()) => {}
                // The further lines of one link (a server's log) are no causes of their own.
                None if goes_on => lines.push(format!("    {}\n", line.trim_end())),
                None => {
                    lines.push(format!("{}: {}\n", if lines.is_empty() { "error" } else { "caused by" }, line.trim()));
                    last = line.trim().to_owned();
                    goes_on = true;
                }
            }
        }
    }
    lines.concat() + &hints.concat()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::problem::BadInput;

    #[test]
    fn an_error_is_shown_once_with_causes_and_then_hints() {
        let error = anyhow!("no such file").context("hint: Name one with --schema.").context("cannot read s.sql");
        assert_eq!(
            render(&error),
            "error: cannot read s.sql\ncaused by: no such file\nhint: Name one with --schema.\n"
        );
    }

    #[test]
    fn whose_fault_it_is_decides_the_code() {
        assert_eq!(Exit::of(&anyhow!("x").context(BadInput::new("y"))), Exit::Unusable);
        assert_eq!(Exit::of(&anyhow!("no server").context("cannot start")), Exit::Incomplete);
        assert_eq!(Exit::of(&Error::new(Interrupted).context("seeding")), Exit::Interrupted);
        assert_eq!(Exit::of(&Error::new(Interrupted).context(BadInput::new("y"))), Exit::Interrupted);
        let pipe = Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("cannot print");
        assert_eq!(Exit::of(&pipe), Exit::Fine);
    }
}

//! How long stages tell a person where they are, and learn that the person wants them to stop.

use std::fmt;

/// What a stage counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Rows of a table.
    Rows,
    /// Bytes of a file.
    Bytes,
    /// Statements, experiments, files.
    Steps,
    /// Nothing that can be counted: a spinner.
    Waiting,
}

/// Receives what a long stage reports. Nothing below `cli` prints; it calls this instead.
pub trait Progress: Sync {
    /// A stage begins: what it does ("filling app.orders"), what it counts, how much there is when that is known.
    fn stage(&self, what: &str, unit: Unit, total: Option<u64>);
    /// How much of the stage is done.
    fn at(&self, done: u64);
    /// Something worth a line: a setting that was clamped, an image that is being pulled.
    fn note(&self, line: &str);
    /// True once the person asked to stop; long loops ask this and end with [`Interrupted`].
    fn interrupted(&self) -> bool;

    /// Fails once the person asked to stop.
    ///
    /// # Errors
    /// [`Interrupted`], and nothing else.
    fn check(&self) -> Result<(), Interrupted> {
        if self.interrupted() { Err(Interrupted) } else { Ok(()) }
    }
}

/// The person asked to stop. Exit code 130.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Says nothing and is never interrupted: for tests and for callers without a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _what: &str, _unit: Unit, _total: Option<u64>) {}
    fn at(&self, _done: u64) {}
    fn note(&self, _line: &str) {}
    fn interrupted(&self) -> bool {
        false
    }
}

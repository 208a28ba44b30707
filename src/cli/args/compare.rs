//! What `rehearse compare` is given.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::FailOnArg;

/// `rehearse compare`.
#[derive(Debug, ClapArgs)]
pub struct Compare {
    /// The rehearsal that was: the directory that a run wrote
    #[arg(value_name = "REHEARSAL_DIR_A")]
    pub a: PathBuf,
    /// The rehearsal that is
    #[arg(value_name = "REHEARSAL_DIR_B")]
    pub b: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value_t, help_heading = "Result")]
    pub format: CompareFormat,
    /// What makes exit code 1: warning, everything that is worse outside of the noise; error, only what fails now and did
    /// not (the verdict, a statement, a limit, an error); never, nothing
    #[arg(long, value_enum, default_value = "warning", help_heading = "Result")]
    pub fail_on: FailOnArg,
}

/// The form of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For pull requests
    Markdown,
    /// One page for a browser
    Html,
}

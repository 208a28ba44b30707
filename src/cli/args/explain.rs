//! What `rehearse explain` takes.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

/// `rehearse explain`.
#[derive(Debug, ClapArgs)]
pub struct Explain {
    /// The rule, or `measuring` for how lock impact is measured; all rules in a line each when none is given
    pub rule: Option<String>,
    /// The whole manual, a page for each rule
    #[arg(long, conflicts_with = "rule")]
    pub all: bool,
    /// Write a page for each rule into this directory, as Markdown, with an index
    #[arg(long, value_name = "DIR", requires = "all")]
    pub out: Option<PathBuf>,
    /// The form of a page
    #[arg(long, value_enum, default_value_t)]
    pub format: ManualFormat,
}

/// The form of the manual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ManualFormat {
    /// For a terminal
    #[default]
    Text,
    /// For a page on the web
    Markdown,
}

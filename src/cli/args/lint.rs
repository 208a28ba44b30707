//! What `rehearse lint` takes.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{Production, Verdict, variable};

/// `rehearse lint`.
#[derive(Debug, Default, ClapArgs)]
pub struct Lint {
    /// SQL files of one upgrade, or directories of them, in order; - is the standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// What production is like
    #[command(flatten)]
    pub production: Production,
    /// A placeholder of the upgrade's text and what it stands for; may be given again
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// What is made of the findings
    #[command(flatten)]
    pub verdict: Verdict,
}

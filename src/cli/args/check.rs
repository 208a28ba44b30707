//! What `rehearse check` takes.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{Place, Production, Verdict, share, variable};

/// `rehearse check`.
#[derive(Debug, Default, ClapArgs)]
pub struct Check {
    /// Folders or files of migrations [default: rehearse.yaml's check.paths, else all that are recognised from here on]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only those that this branch adds or edits, against where it left a revision such as origin/main
    #[arg(long, value_name = "REVISION")]
    pub git_diff: Option<String>,
    /// Judge by the text alone: no server is started
    #[arg(long = "static", conflicts_with = "all")]
    pub text_only: bool,
    /// Rehearse, whatever the rules and the tables' sizes say
    #[arg(long)]
    pub all: bool,
    /// What production is like
    #[command(flatten)]
    pub production: Production,
    /// Share of production's rows to rehearse on [default: 1]
    #[arg(long, value_name = "F", value_parser = share, help_heading = "Production")]
    pub scale: Option<f64>,
    /// Where to rehearse
    #[command(flatten)]
    pub place: Place,
    /// A placeholder of the migrations' text and what it stands for; may be given again
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// The directory that a rehearsal writes [default: rehearsal]
    #[arg(long, value_name = "DIR", help_heading = "Result")]
    pub out: Option<PathBuf>,
    /// What is made of the findings
    #[command(flatten)]
    pub verdict: Verdict,
}

//! `rehearse capture`, as typed.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{Live, Place, Production, share, variable};
use crate::capture::source::Kind;

/// What says how a command is run; a source needs none of it.
const OF_A_COMMAND: [&str; 18] = [
    "command",
    "schema",
    "survey",
    "data",
    "rows",
    "scale",
    "database",
    "sandbox",
    "image",
    "no_cache",
    "defaults_file",
    "host_name",
    "socket",
    "template",
    "serve",
    "visit",
    "until_idle",
    "network",
];

/// `rehearse capture`.
#[derive(Debug, Default, ClapArgs)]
pub struct Capture {
    /// The file to write; - for the standard output
    #[arg(long, short, value_name = "FILE", default_value = "upgrade.sql")]
    pub output: PathBuf,
    /// What to read: a general, slow or binary log, SQL, a migration tool's folder or output; - is the standard input; may be
    /// given again
    #[arg(
        long,
        value_name = "FILE|DIR|-",
        required_unless_present = "command",
        conflicts_with_all = OF_A_COMMAND,
        help_heading = "Source"
    )]
    pub from: Vec<PathBuf>,
    /// What it is, instead of having it told by its first bytes: general, general-table, slow, slow-table, binlog, raw-binlog,
    /// laravel, sql
    #[arg(long, value_name = "KIND", value_parser = kind, help_heading = "Source")]
    pub source: Option<Kind>,
    /// A placeholder of the upgrade's text and what it stands for; may be given again
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable, help_heading = "Source")]
    pub variables: Vec<(String, String)>,
    /// Other values in the place of literals, as long, of the same type and equal where they were: to be shown to others
    #[arg(long)]
    pub mask: bool,
    /// Keep schema checks (SHOW, information_schema) and driver chatter
    #[arg(long)]
    pub keep_noise: bool,
    /// What production is like
    #[command(flatten)]
    pub production: Production,
    /// A dump with its rows (.sql, .sql.gz, .sql.zst) instead of generated ones
    #[arg(long, value_name = "FILE|DIR", help_heading = "Production")]
    pub data: Option<PathBuf>,
    /// Share of production's rows that a command finds [default: of each table at most 10,000 rows]
    #[arg(long, value_name = "F", value_parser = share, help_heading = "Production")]
    pub scale: Option<f64>,
    /// Where a command's server runs
    #[command(flatten)]
    pub place: Place,
    /// A command instead of a source
    #[command(flatten)]
    pub live: Live,
}

fn kind(text: &str) -> Result<Kind, String> {
    text.parse()
}

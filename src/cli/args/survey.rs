//! What `rehearse survey` is given.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::LintFormat;

/// `rehearse survey`.
#[derive(Debug, ClapArgs)]
pub struct Survey {
    /// The server: mysql://user@host:3306/database. The password comes from MYSQL_PWD, --defaults-file or a prompt. Given
    /// again, the servers are a fleet of one schema: their differences are named, and the largest is written
    #[arg(long, value_name = "DSN", required_unless_present = "fleet")]
    pub dsn: Vec<String>,
    /// A file with a DSN a line, for a fleet; # begins a remark
    #[arg(long, value_name = "FILE", help_heading = "Fleet")]
    pub fleet: Option<PathBuf>,
    /// Exit with 1 when the fleet has drifted apart
    #[arg(long, help_heading = "Fleet")]
    pub fail_on_drift: bool,
    /// How to print what a fleet's members differ in
    #[arg(long, value_enum, default_value_t, help_heading = "Fleet")]
    pub format: LintFormat,
    /// The file to write; - for the standard output
    #[arg(long, short, value_name = "FILE", default_value = "survey.yaml")]
    pub output: PathBuf,
    /// A database to survey; may be given again [default: the DSN's, else all that are not the server's own]
    #[arg(long, value_name = "NAME")]
    pub database: Vec<String>,
    /// Count every table's rows instead of taking the server's estimate: full scans
    #[arg(long)]
    pub exact: bool,
    /// Leave out common values and ranges, which are data
    #[arg(long)]
    pub no_values: bool,
    /// An option file with a [client] section: user and password
    #[arg(long, value_name = "FILE")]
    pub defaults_file: Option<PathBuf>,
}

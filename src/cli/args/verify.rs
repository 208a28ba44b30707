//! What `rehearse verify` is given.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::LintFormat;

/// `rehearse verify`.
#[derive(Debug, ClapArgs)]
pub struct Verify {
    /// The directory that a run wrote, or the plan.yaml in it
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// The server: mysql://user@host:3306/. The password comes from MYSQL_PWD, --defaults-file or a prompt
    #[arg(long, value_name = "DSN")]
    pub dsn: String,
    /// A replica of it to be asked too; may be given again
    #[arg(long, value_name = "DSN")]
    pub replica: Vec<String>,
    /// The account that will carry the plan out, when it is another one: user@host; its privileges are looked at
    #[arg(long, value_name = "USER@HOST")]
    pub account: Option<String>,
    /// Seconds that counting one table may take, where the server's estimate is in doubt; 0 counts nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub count_time: u64,
    /// An option file with a [client] section: user and password
    #[arg(long, value_name = "FILE")]
    pub defaults_file: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t, help_heading = "Result")]
    pub format: LintFormat,
}

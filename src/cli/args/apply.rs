//! `rehearse apply`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::apply::record::JOURNAL_DATABASE;
use crate::quantity::Span;

/// `rehearse apply`.
#[derive(Debug, ClapArgs)]
pub struct Apply {
    /// The directory that a run wrote, or its plan.yaml
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// The server: mysql://user@host:3306/. The password comes from MYSQL_PWD, --defaults-file or a prompt
    #[arg(long, value_name = "DSN")]
    pub dsn: String,
    /// An option file with a [client] section: user and password
    #[arg(long, value_name = "FILE")]
    pub defaults_file: Option<PathBuf>,
    /// Print every statement that would be sent, in order, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Go without asking
    #[arg(long)]
    pub yes: bool,
    /// What of the plan to carry out
    #[arg(long, value_enum, default_value_t)]
    pub phase: ApplyPhase,
    /// A step whose verification you have looked at: it need not hold; may be given again
    #[arg(long, value_name = "STEP")]
    pub accept: Vec<String>,
    /// A unit in doubt that you have looked at: UNIT=done or UNIT=again; may be given again
    #[arg(long, value_name = "UNIT=WORD", value_parser = settled)]
    pub settled: Vec<(String, bool)>,
    /// Begin again a plan that was carried out and of which nothing is there any more: the server was put back from a backup.
    /// Refused while steps are half done, and while what the plan left is there
    #[arg(long)]
    pub anew: bool,
    /// Drop and make again copies that were made more than 10 minutes before their step
    #[arg(long)]
    pub renew_backups: bool,
    /// Another plan that lies half carried out on the server, by what its digest begins with; may be given again
    #[arg(long, value_name = "DIGEST")]
    pub beside: Vec<String>,
    /// A backup of the plan that you have made yourself, such as b3; may be given again
    #[arg(long, value_name = "ID")]
    pub have_backup: Vec<String>,
    /// The database of the journal on the server
    #[arg(long, value_name = "NAME", default_value = JOURNAL_DATABASE)]
    pub journal_database: String,
    /// How long to try again when the server is lost
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub reconnect: Span,
    /// How often to try again what does not get its lock
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub retries: u32,
    /// Seconds that one batch should take, its rows locked
    #[arg(long, value_name = "TIME", default_value = "100ms", help_heading = "Gently")]
    pub batch_time: Span,
    /// A replica whose lag counts: mysql://user@host:3306/; may be given again
    #[arg(long, value_name = "DSN", help_heading = "Gently")]
    pub replica: Vec<String>,
    /// Rest while a replica is further behind than this
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = "Gently")]
    pub max_lag: Span,
    /// Rest while more threads than this are running
    #[arg(long, value_name = "N", help_heading = "Gently")]
    pub max_threads_running: Option<u64>,
    /// Rest while this file exists
    #[arg(long, value_name = "FILE", help_heading = "Gently")]
    pub pause_file: Option<PathBuf>,
}

/// What of a plan to carry out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ApplyPhase {
    /// Backups, steps and their verification
    #[default]
    Forward,
    /// The undos of what was carried out, last step first
    Undo,
    /// Drop what was kept: there is no undo any more
    Cleanup,
}

/// `step-003/2=done`.
fn settled(text: &str) -> Result<(String, bool), String> {
    match text.rsplit_once('=') {
        Some((unit, "done")) if !unit.is_empty() => Ok((unit.to_owned(), true)),
        Some((unit, "again")) if !unit.is_empty() => Ok((unit.to_owned(), false)),
        _ => Err("write UNIT=done (it happened) or UNIT=again (it did not)".to_owned()),
    }
}

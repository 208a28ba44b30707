//! What people type, as typed. Nothing is looked up here; `settings` does that.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::pipeline::settings::FailOn;
use crate::quantity::Count;
use crate::server::flavor::Flavor;

mod apply;
mod capture;
mod check;
mod compare;
mod explain;
mod format;
mod lint;
mod live;
mod shared;
mod survey;
mod verify;

pub use apply::{Apply, ApplyPhase};
pub use capture::Capture;
pub use check::Check;
pub use compare::{Compare, CompareFormat};
pub use explain::{Explain, ManualFormat};
pub use format::{Format, Formats, Wanted};
pub use lint::Lint;
pub use live::{Enclosed, Live};
pub use shared::{Production, Verdict};
pub use survey::Survey;
pub use verify::Verify;

/// Rehearse a risky MySQL or MariaDB change before production sees it
#[derive(Debug, Parser)]
#[command(name = "rehearse", version, about, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 within the budget, 1 findings, 2 unusable input, 3 the rehearsal could not be \
                        completed, 130 interrupted.")]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// How much to say
    #[command(flatten)]
    pub voice: Voice,
}

/// How much to say.
#[derive(Clone, Copy, Debug, Default, ClapArgs)]
pub struct Voice {
    /// Say nothing but the result and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say what is done in detail
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rehearse an upgrade: run it on a copy in production's size, measure what it blocks, try what is gentler
    Run(Box<Run>),
    /// Take a server's shape without its rows, read-only, into a file; of several servers, their drift too
    Survey(Survey),
    /// Write down the SQL of an upgrade as one file to rehearse: what a command sends, or what a log or a tool's files hold
    Capture(Box<Capture>),
    /// Judge SQL by its text alone, in milliseconds: no server, no rehearsal
    Lint(Lint),
    /// Judge a branch's migrations and rehearse those that matter: the gate for CI
    Check(Box<Check>),
    /// Run scenarios and hold each to what it expects
    Test(Test),
    /// Look, read-only, whether production is still what was rehearsed; tells every reason that speaks against the plan
    Verify(Verify),
    /// Carry a rehearsed plan out on a server: verified, backed up, journaled; run again it goes on where it was
    Apply(Box<Apply>),
    /// Draft a rehearsal's plan again after its plan.yaml was edited; no server
    Plan(Plan),
    /// Show a rehearsal again without running it again
    Report(Report),
    /// Set two rehearsals side by side: what is worse, better or new, outside of the noise
    Compare(Compare),
    /// Explain a rule: what it finds, why it matters, what to do instead
    Explain(Explain),
    /// Tell what this machine can rehearse on, and what earlier runs left behind
    Doctor(Doctor),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Write the manual pages of all commands
    Man(Man),
    /// The other half of a command's network: started by this program itself
    #[command(hide = true)]
    Enclosed(Enclosed),
}

/// `rehearse run`.
#[derive(Debug, Default, ClapArgs)]
pub struct Run {
    /// SQL files of the upgrade, or directories of them, in order
    #[arg(value_name = "UPGRADE.sql|DIR")]
    pub paths: Vec<PathBuf>,
    /// A scenario file to take everything from that no other option gives
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// What production is like
    #[command(flatten)]
    pub production: Production,
    /// A dump with its rows (.sql, .sql.gz, .sql.zst) instead of generated ones
    #[arg(long, value_name = "FILE|DIR", help_heading = "Production")]
    pub data: Option<PathBuf>,
    /// Share of production's rows to rehearse on [default: 1]
    #[arg(long, value_name = "F", value_parser = share, help_heading = "Production")]
    pub scale: Option<f64>,
    /// Where to rehearse
    #[command(flatten)]
    pub place: Place,
    /// A placeholder of the upgrade's text and what it stands for; may be given again
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// A way that the plan is to take for a statement, by name or id, such as tracking-delete=batches; as-written for the
    /// statement itself; may be given again
    #[arg(long, value_name = "STATEMENT=WAY", value_parser = choice)]
    pub choose: Vec<(String, String)>,
    /// A table to be probed besides those that the upgrade touches; may be given again
    #[arg(long, value_name = "TABLE")]
    pub probe: Vec<String>,
    /// Go on after a statement that failed
    #[arg(long)]
    pub keep_going: bool,
    /// Leave out what goes wrong: queues behind a lock, kills, interruptions, old snapshots
    #[arg(long)]
    pub no_drills: bool,
    /// The directory to write [default: rehearsal]
    #[arg(long, value_name = "DIR", help_heading = "Result")]
    pub out: Option<PathBuf>,
    /// What is made of the findings
    #[command(flatten)]
    pub verdict: Verdict,
    /// A command in the place of SQL files
    #[command(flatten)]
    pub live: Live,
}

/// Where to rehearse.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Place {
    /// Where the server runs: auto, container, process, or mysql://user@host/ of one that may be destroyed
    #[arg(long, value_name = "KIND|DSN", help_heading = "Sandbox")]
    pub sandbox: Option<String>,
    /// The container image to start
    #[arg(long, value_name = "IMAGE", help_heading = "Sandbox")]
    pub image: Option<String>,
    /// Neither take nor keep a filled store
    #[arg(long, help_heading = "Sandbox")]
    pub no_cache: bool,
    /// An option file with a [client] section: user and password of the server that --sandbox or --dsn names
    #[arg(long, value_name = "FILE", help_heading = "Sandbox")]
    pub defaults_file: Option<PathBuf>,
}

/// The form of a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// `rehearse test`.
#[derive(Debug, ClapArgs)]
pub struct Test {
    /// Scenario files, or directories that hold some
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// A server to test on; may be given again [default: REHEARSE_SERVERS, else the scenario's own]
    #[arg(long, value_name = "FLAVOR", help_heading = "Sandbox")]
    pub server: Vec<Flavor>,
    /// Where to rehearse
    #[command(flatten)]
    pub place: Place,
    /// Share of production's rows to rehearse on, over the scenario's own
    #[arg(long, value_name = "F", value_parser = share)]
    pub scale: Option<f64>,
    /// The directory to write: one in it for each scenario and server
    #[arg(long, value_name = "DIR", default_value = "rehearsal")]
    pub out: PathBuf,
}

/// `rehearse report`.
#[derive(Debug, ClapArgs)]
pub struct Report {
    /// The directory that a run wrote
    #[arg(value_name = "REHEARSAL_DIR", required_unless_present = "schema")]
    pub directory: Option<PathBuf>,
    /// How to show it
    #[command(flatten)]
    pub show: Formats,
    /// From which severity on findings count as failed, in SARIF and JUnit [default: error]
    #[arg(long, value_enum, help_heading = "Result")]
    pub fail_on: Option<FailOnArg>,
    /// Print the JSON Schema of report.json instead
    #[arg(long, conflicts_with = "directory")]
    pub schema: bool,
}

/// `rehearse plan`.
#[derive(Debug, ClapArgs)]
pub struct Plan {
    /// The directory that a run wrote
    #[arg(value_name = "REHEARSAL_DIR")]
    pub directory: PathBuf,
}

/// `rehearse doctor`.
#[derive(Debug, ClapArgs)]
pub struct Doctor {
    /// Remove what runs left behind that were killed
    #[arg(long)]
    pub sweep: bool,
}

/// `rehearse man`.
#[derive(Debug, ClapArgs)]
pub struct Man {
    /// The directory to write rehearse.1, rehearse-run.1 and the others into
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// `rehearse completions`.
#[derive(Debug, ClapArgs)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `--fail-on`, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOnArg {
    /// Errors fail
    Error,
    /// Warnings fail too
    Warning,
    /// Nothing fails
    Never,
}

impl From<FailOnArg> for FailOn {
    fn from(typed: FailOnArg) -> Self {
        match typed {
            FailOnArg::Error => Self::Error,
            FailOnArg::Warning => Self::Warning,
            FailOnArg::Never => Self::Never,
        }
    }
}

/// `app.orders=9M`; the table may hold `=` when it is the last one that counts.
pub(super) fn table_rows(text: &str) -> Result<(String, Count), String> {
    let (table, rows) = text.rsplit_once('=').ok_or("write TABLE=N, such as app.orders=9M")?;
    if table.trim().is_empty() {
        return Err("no table is named before the =".to_owned());
    }
    Ok((table.trim().to_owned(), rows.parse().map_err(|error| format!("{error}"))?))
}

/// `prefix=zdz_`.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as #__=zdz_".to_owned()),
    }
}

/// `tracking-delete=batches`.
fn choice(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((statement, way)) if !statement.is_empty() && !way.is_empty() => {
            Ok((statement.to_owned(), way.to_owned()))
        }
        _ => Err("write STATEMENT=WAY, such as tracking-delete=batches".to_owned()),
    }
}

/// `0.1`: more than 0.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share.is_finite() && share > 0.0 => Ok(share),
        _ => Err("write a number above 0: 1 is production's size, 0.1 a tenth of it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_misspelt_option_is_an_error() {
        assert!(Args::try_parse_from(["rehearse", "run", "--shema", "s.sql", "u.sql"]).is_err());
        assert!(Args::try_parse_from(["rehearse", "run", "-dryRun", "u.sql"]).is_err());
    }

    #[test]
    fn rows_are_read_with_their_table() {
        assert_eq!(table_rows("app.orders=9M"), Ok(("app.orders".to_owned(), Count(9_000_000))));
        assert_eq!(table_rows("`a=b`=5"), Ok(("`a=b`".to_owned(), Count(5))));
        for bad in ["app.orders", "=5", "t=", "t=-1", "t=many"] {
            assert!(table_rows(bad).is_err(), "{bad}");
        }
    }
}

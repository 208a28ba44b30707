//! What people type: arguments, settings resolved once, one file per subcommand, progress, exit codes.

pub mod args;
pub mod command;
pub mod exit;
pub mod inputs;
pub mod interrupt;
pub mod layers;
pub mod lint_settings;
pub mod live_settings;
pub mod option_file;
pub mod output;
pub mod progress;
pub mod repository;
pub mod settings;
pub mod show;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use tracing::Level;

use args::{Args, Command, Voice};
use exit::Exit;
use progress::Teller;

/// Does what was typed.
pub fn run(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(typed) {
        Ok(args) => args,
        Err(error) => {
            // `--help` and `--version` are errors to the parser, and go to the standard output. A closed one is no failure.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Unusable } else { Exit::Fine };
            return exit.into();
        }
    };
    if let Command::Enclosed(typed) = &args.command {
        return command::enclosed::run(typed);
    }
    match dispatch(&args) {
        Ok(code) => code,
        Err(error) => exit::end(Err(error)).into(),
    }
}

fn dispatch(args: &Args) -> Result<ExitCode> {
    trace(args.voice);
    let teller = Teller::new(args.voice, interrupt::listen()?);
    let ended = match &args.command {
        Command::Run(typed) => command::run::run(typed, &teller),
        Command::Survey(typed) => command::survey::run(typed, &teller),
        Command::Capture(typed) => {
            // Of an upgrade command the exit code is passed on.
            let ended = command::capture::run(typed, &teller);
            teller.finish();
            return ended;
        }
        Command::Lint(typed) => command::lint::run(typed, &teller),
        Command::Check(typed) => command::check::run(typed, &teller),
        Command::Test(typed) => command::test::run(typed, &teller),
        Command::Verify(typed) => command::verify::run(typed, &teller),
        Command::Apply(typed) => command::apply::run(typed, &teller),
        Command::Plan(typed) => command::plan::run(typed),
        Command::Report(typed) => command::report::run(typed),
        Command::Compare(typed) => command::compare::run(typed),
        Command::Explain(typed) => command::explain::run(typed),
        Command::Doctor(typed) => command::doctor::run(typed, &teller),
        Command::Completions(typed) => command::completions::run(typed),
        Command::Man(typed) => command::man::run(typed),
        Command::Enclosed(_) => Err(anyhow::anyhow!("a network can only be left by a process without threads")),
    };
    teller.finish();
    ended.map(ExitCode::from)
}

/// Lets what stages note for themselves through to the standard error: warnings, to the verbose everything.
fn trace(voice: Voice) {
    let level = match (voice.quiet, voice.verbose) {
        (true, _) => Level::ERROR,
        (_, true) => Level::DEBUG,
        _ => Level::WARN,
    };
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).without_time();
    // Only a second subscriber in one process is refused, and then the first one serves.
    let _ = subscriber.with_target(false).try_init();
}

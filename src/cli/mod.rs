//! What people type: arguments, settings resolved once, one file per subcommand, progress, exit codes.

pub mod args;
pub mod command;
pub mod exit;
pub mod inputs;
pub mod interrupt;
pub mod layers;
pub mod option_file;
pub mod output;
pub mod progress;
pub mod settings;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use args::{Args, Command};
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
    exit::end(dispatch(&args)).into()
}

fn dispatch(args: &Args) -> Result<Exit> {
    let teller = Teller::new(args.voice, interrupt::listen()?);
    let ended = match &args.command {
        Command::Run(typed) => command::run::run(typed, &teller),
        Command::Survey(typed) => command::survey::run(typed, &teller),
        Command::Test(typed) => command::test::run(typed, &teller),
        Command::Report(typed) => command::report::run(typed),
        Command::Explain(typed) => command::explain::run(typed),
        Command::Doctor(typed) => command::doctor::run(typed, &teller),
        Command::Completions(typed) => command::completions::run(typed),
    };
    teller.finish();
    ended
}

//! `rehearse enclosed`, which no person types: this program again, inside of a command's network.

use std::process::ExitCode;

use crate::capture::live::keeper;
use crate::cli::args::Enclosed;
use crate::cli::exit::{self, Exit};

/// Carries out what the process outside ordered. Called before this process has any thread.
pub fn run(typed: &Enclosed) -> ExitCode {
    match keeper::run(&typed.order) {
        Ok(code) => code.into(),
        Err(error) => exit::end(Err::<Exit, _>(error)).into(),
    }
}

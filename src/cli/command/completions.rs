//! `rehearse completions`: a completion script for a shell.

use anyhow::Result;
use clap::CommandFactory as _;

use crate::cli::args::{Args, Completions};
use crate::cli::exit::Exit;
use crate::cli::output;

/// Prints the script.
///
/// # Errors
/// When it cannot be printed.
pub fn run(typed: &Completions) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(typed.shell, &mut Args::command(), "rehearse", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Fine)
}

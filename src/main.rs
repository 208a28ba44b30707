//! `rehearse`: argv → `cli::run` → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    mysql_rehearsal::cli::run(std::env::args_os())
}

//! Tests of the stages on real servers.
//!
//! To add trials: write `pub fn trials(servers: &Arc<Servers>) -> Vec<Trial>` in `tests/stages/<folder>.rs`, name the
//! module here and in the list of `main`. A trial asks `servers.mysql()` or `servers.mariadb()` for a running server and
//! `fresh_database()` for a database of its own. The servers belong to `main`, which ends them: a static would not be dropped.

#![allow(clippy::print_stdout)]

mod apply;
mod capture;
mod client;
mod differing;
mod drills;
mod encrypted;
mod fleet;
mod forecast;
mod proxy;
mod replay;
mod sandbox;
mod schema_text;
mod seed;
mod servers;
mod survey;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

use servers::Servers;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Some(code) = sandbox::child() {
        return code;
    }
    let servers = Arc::new(Servers::default());
    let mut trials = Vec::new();
    trials.extend(apply::trials(&servers));
    trials.extend(capture::trials(&servers));
    trials.extend(client::trials(&servers));
    trials.extend(drills::trials(&servers));
    trials.extend(encrypted::trials(&servers));
    trials.extend(fleet::trials(&servers));
    trials.extend(forecast::trials(&servers));
    trials.extend(differing::trials(&servers));
    trials.extend(proxy::trials(&servers));
    trials.extend(replay::trials(&servers));
    trials.extend(sandbox::trials(&servers));
    trials.extend(schema_text::trials(&servers));
    trials.extend(seed::trials(&servers));
    trials.extend(survey::trials(&servers));
    trials.extend(verify::trials(&servers));
    let conclusion = libtest_mimic::run(&arguments, trials);
    servers.end();
    conclusion.exit_code()
}

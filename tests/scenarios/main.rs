//! Whole rehearsals, with the program as people run it, on real servers: one of MySQL in a container, one of MariaDB as a
//! process. One after the other, because they measure.

mod broken;
mod desk;
mod plain;
mod story;
mod twin;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut trials = plain::trials();
    trials.extend(broken::trials());
    trials.extend(twin::trials());
    trials.extend(story::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

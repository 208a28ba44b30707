//! Whole rehearsals, with the program as people run it, on real servers: one of MySQL in a container, one of MariaDB as a
//! process. Two side by side: most of a rehearsal's time goes by in waiting (servers that start, tables that are held, rests
//! before and after), and what a trial holds against a limit holds on a busy machine too. The longest begin first.

mod alternatives;
mod apply;
mod backups;
mod broken;
mod desk;
mod drills;
mod gate;
mod live;
mod plain;
mod redraft;
mod risks;
mod story;
mod twin;
mod upgrades;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let scenes = Arc::new(apply::Scenes::default());
    let mut trials = apply::trials(&scenes);
    trials.extend(alternatives::trials());
    trials.extend(backups::trials());
    trials.extend(story::trials());
    trials.extend(risks::trials());
    trials.extend(drills::trials());
    trials.extend(broken::trials());
    trials.extend(twin::trials());
    trials.extend(gate::trials());
    trials.extend(live::trials());
    trials.extend(plain::trials());
    trials.extend(upgrades::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    scenes.end();
    conclusion.exit_code()
}

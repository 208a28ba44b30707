//! Rehearsals that end before their time: killed, interrupted, or with a server that dies.

use std::fs;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;

use super::desk::{Desk, MARIADB, MYSQL, On, Said, signal};

/// A statement that ends, and one that would not for a long time.
const ENDLESS: &str = "UPDATE t SET n = n + 1;\nDELETE FROM t WHERE SLEEP(1) = 0;\nUPDATE t SET n = n + 2;\n";

/// Sixteen moments to kill it at, in milliseconds after its start: while the server is made, filled, stopped for its
/// checkpoint, started again, and in the run.
const ON_MARIADB: [u64; 16] =
    [100, 300, 500, 700, 900, 1_200, 1_500, 1_800, 2_100, 2_500, 3_000, 3_500, 4_000, 5_000, 6_000, 9_000];
/// The same for a container, which takes longer to come up.
const ON_MYSQL: [u64; 4] = [700, 1_500, 5_000, 12_000];

/// The trials of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("broken::what_kill_9_leaves_a_sweep_removes_on_mariadb", || killed(MARIADB, &ON_MARIADB)),
        Trial::test("broken::what_kill_9_leaves_a_sweep_removes_on_mysql", || killed(MYSQL, &ON_MYSQL)),
        Trial::test("broken::an_interrupt_leaves_a_report_and_nothing_else_on_mariadb", || interrupted(MARIADB)),
        Trial::test("broken::an_interrupt_leaves_a_report_and_nothing_else_on_mysql", || interrupted(MYSQL)),
        Trial::test("broken::a_server_that_dies_leaves_what_was_measured_on_mariadb", || server_dies(MARIADB)),
    ]
}

/// Kills it at each moment, on two desks by turns: most of the time goes by in waiting for the moment.
fn killed(on: On, moments: &[u64]) -> Result<(), Failed> {
    std::thread::scope(|scope| {
        let turns = [0, 1].map(|turn| {
            let own: Vec<u64> = moments.iter().skip(turn).step_by(2).copied().collect();
            scope.spawn(move || killed_in_turn(on, &own))
        });
        turns.into_iter().try_for_each(|turn| turn.join().map_err(|_| Failed::from("a turn panicked, see above"))?)
    })
}

fn killed_in_turn(on: On, moments: &[u64]) -> Result<(), Failed> {
    let desk = Desk::new(ENDLESS)?;
    for moment in moments {
        let mut child = desk.start_small(on)?;
        std::thread::sleep(Duration::from_millis(*moment));
        if let Some(status) = child.try_wait()? {
            let said = Said::of(child)?;
            let what = if on.1 == "process" { on.1 } else { on.0 };
            let why = format!("ended with {status} before its kill: {}", said.err());
            return Err(format!("{why}\nThe trials need {}: fixtures/servers/get {what}", on.0).into());
        }
        child.kill()?;
        child.wait()?;
        let swept = desk.rehearse(&["doctor", "--sweep"])?;
        swept.exits(0)?;
        assert!(swept.out().contains("leftovers   none"), "after {moment} ms: {}", swept.out());
        desk.holds_nothing_of(child.id())?;
    }
    Ok(())
}

fn interrupted(on: On) -> Result<(), Failed> {
    let desk = Desk::new(ENDLESS)?;
    let mut child = desk.start_small(on)?;
    let pid = child.id();
    desk.wait_for_the_loud_run(&mut child, Duration::from_secs(9))?;
    signal(pid, Signal::INT)?;
    let said = Said::of(child)?;
    said.exits(130)?;
    desk.holds_nothing_of(pid)?;
    measured_until_then(&desk)
}

fn server_dies(on: On) -> Result<(), Failed> {
    let desk = Desk::new(ENDLESS)?;
    let mut child = desk.start_small(on)?;
    let pid = child.id();
    desk.wait_for_the_loud_run(&mut child, Duration::from_secs(9))?;
    let servers = desk.servers();
    assert!(!servers.is_empty(), "no server runs for the rehearsal");
    for server in servers {
        signal(server, Signal::KILL)?;
    }
    let said = Said::of(child)?;
    said.exits(3)?;
    assert!(said.err().contains("the server was lost at s2"), "{}", said.err());
    desk.holds_nothing_of(pid)?;
    measured_until_then(&desk)
}

/// The report holds the first statement, and nothing half built lies beside it.
fn measured_until_then(desk: &Desk) -> Result<(), Failed> {
    let report = desk.report()?;
    assert_eq!(report["statements"][0]["outcome"], "done", "{:#}", report["statements"]);
    assert_eq!(report["statements"][0]["rows"]["affected"], 1_000);
    assert_ne!(report["statements"][1]["outcome"], "done");
    let left: Vec<_> = fs::read_dir(desk.path())?.flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".rehearsal-")), "{left:?}");
    Ok(())
}

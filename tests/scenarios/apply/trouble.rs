//! What goes wrong while a plan is carried out: kills, crashes, cut connections, Ctrl-C, a second one at the same time.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::super::desk::signal;
use super::carried::{Carried, same};
use super::scene::Scene;

/// Random moments of an undisturbed run, the same ones every time; `REHEARSE_KILLS` says how many kills instead, and a third as
/// many crashes and cuts. Told by the lines
/// of progress before them, so that they are moments of the work on a slow machine as on a quick one.
struct Moments {
    random: Pcg64,
    whole: Carried,
    times: u64,
    /// How many of them came while it ran.
    met: u64,
}

impl Moments {
    fn of(scene: &mut Scene, seed: u64, times: u64, share: u64) -> Result<Self, Failed> {
        let asked = std::env::var("REHEARSE_KILLS").ok().map(|text| text.parse::<u64>()).transpose()?;
        let times = asked.map_or(times, |kills| kills.div_ceil(share));
        Ok(Self { random: Pcg64::seed_from_u64(seed), whole: scene.undisturbed()?, times, met: 0 })
    }

    /// So many lines, and then so long: from shortly before the checks are through until the end.
    fn next(&mut self) -> (usize, Duration) {
        let first = self.whole.lines.first().copied().unwrap_or_default().mul_f64(0.9);
        let moment = first + (self.whole.took - first).mul_f64(self.random.random_range(0.0..1.0));
        let lines = self.whole.lines.iter().take_while(|at| **at <= moment).count();
        let last = lines.checked_sub(1).map_or(Duration::ZERO, |at| self.whole.lines[at]);
        (lines, moment - last)
    }

    /// Trouble that comes when all is over proves nothing.
    fn were_met(&self) {
        assert!(self.met * 2 >= self.times, "only {} of {} moments came while it ran", self.met, self.times);
    }
}

/// Killed with -9 at random moments, every third time again while it resumes: the same command goes on to the same end.
pub fn resumes_after_kills(scene: &mut Scene) -> Result<(), Failed> {
    let mut moments = Moments::of(scene, 4, 6, 1)?;
    for number in 1..=moments.times {
        scene.put_back()?;
        let mut told = Vec::new();
        for again in 0..if number % 3 == 0 { 2 } else { 1 } {
            let moment = moments.next();
            let mut running = scene.apply(&[])?;
            let ran = running.wait_for(moment)?;
            let ended = running.kill()?;
            told.push(format!(
                "killed after {} lines and {:?}{}",
                moment.0,
                moment.1,
                if ran { "" } else { " (it had ended)" }
            ));
            if !ran {
                ended.exits(0)?;
            }
            moments.met += u64::from(ran && again == 0);
        }
        finish(scene, number, &told.join(", then "))?;
    }
    moments.were_met();
    Ok(())
}

/// The server killed with -9 and started again on its store: `apply` waits for it, or is told to go on.
pub fn resumes_after_server_crashes(scene: &mut Scene) -> Result<(), Failed> {
    let mut moments = Moments::of(scene, 5, 2, 3)?;
    for number in 1..=moments.times {
        scene.put_back()?;
        let moment = moments.next();
        // Every other time it does not wait for the server.
        let patient = number % 2 == 1;
        let mut running = scene.apply(&["--reconnect", if patient { "60s" } else { "0s" }])?;
        let ran = running.wait_for(moment)?;
        moments.met += u64::from(ran);
        scene.stand_in.crash(Duration::from_millis(300))?;
        let ended = running.end()?;
        let what = format!("server killed after {moment:?} (it ran: {ran}), apply: {}", ended.status);
        if !matches!(ended.status.code(), Some(0 | 3)) || ended.status.code() == Some(3) && patient {
            return Err(format!("{what}:\n{}", ended.all()).into());
        }
        finish(scene, number, &what)?;
    }
    moments.were_met();
    Ok(())
}

/// Every connection cut by another session.
pub fn resumes_after_cut_connections(scene: &mut Scene) -> Result<(), Failed> {
    let mut moments = Moments::of(scene, 6, 3, 3)?;
    for number in 1..=moments.times {
        scene.put_back()?;
        let moment = moments.next();
        let mut running = scene.apply(&[])?;
        let ran = running.wait_for(moment)?;
        let cut = scene.stand_in.cut_connections()?;
        moments.met += u64::from(ran && cut > 0);
        let ended = running.end()?;
        let what = format!("{cut} connections cut after {moment:?}, apply: {}", ended.status);
        // Cut during the checks before it, it could not be completed.
        if !matches!(ended.status.code(), Some(0 | 3)) {
            return Err(format!("{what}:\n{}", ended.all()).into());
        }
        finish(scene, number, &what)?;
    }
    moments.were_met();
    Ok(())
}

/// The same command once more: it ends well, at the same state.
fn finish(scene: &mut Scene, number: u64, what: &str) -> Result<(), Failed> {
    let ended = scene.carry_out(what)?;
    if std::env::var_os("REHEARSE_KILLS").is_some() {
        say(&format!("{number}: {what}; then: {}", ended.out.replace('\n', " ")));
    }
    scene.is_where_it_should_be(what)
}

#[expect(clippy::print_stdout, reason = "figures of a trial that a person runs by hand")]
pub fn say(text: &str) {
    println!("{text}");
}

/// Ctrl-C ends it in good order, and it can go on.
pub fn stops_on_interrupt(scene: &mut Scene) -> Result<(), Failed> {
    let lines = scene.undisturbed()?.lines.len();
    scene.put_back()?;
    let mut running = scene.apply(&[])?;
    assert!(running.wait_for((lines.saturating_sub(6), Duration::ZERO))?, "it ended too early");
    signal(running.id(), rustix::process::Signal::INT)?;
    running.end()?.exits(130)?;
    finish(scene, 1, "interrupted")
}

/// `--dry-run` tells what it would send and leaves everything as it was, without a journal.
pub fn dry_run_changes_nothing(scene: &mut Scene) -> Result<(), Failed> {
    scene.put_back()?;
    let (before, databases) = (scene.stand_in.print()?, scene.stand_in.databases()?);
    let dsn = scene.stand_in.dsn()?;
    let said = scene.desk.rehearse(&["apply", "rehearsal", "--dsn", &dsn, "--dry-run"])?;
    said.exits(0)?;
    for text in ["INSERT INTO totals", "ADD COLUMN tier", "RENAME TABLE", "SET balance = balance - 10", "happened_on <"]
    {
        assert!(said.out().contains(text), "{text} is not in:\n{}", said.out());
    }
    same(&before, &scene.stand_in.print()?, "what a dry run left")?;
    assert_eq!(databases, scene.stand_in.databases()?);
    assert!(!scene.rehearsal().join("apply").exists(), "a dry run wrote a journal");
    Ok(())
}

/// Two at once: the second one leaves the first alone, and what both leave is what one leaves.
pub fn two_at_once_do_it_once(scene: &mut Scene) -> Result<(), Failed> {
    scene.put_back()?;
    let pause = scene.desk.path().join("pause");
    fs::write(&pause, "")?;
    let resting = scene.apply(&["--pause-file", "pause"])?;
    wait_until("the journal is there", || {
        Ok(scene.stand_in.databases()?.iter().any(|name| name == "rehearse_journal"))
    })?;
    let second = scene.apply(&[])?.end()?;
    second.exits(3)?;
    assert!(second.all().contains("another"), "it says why: {}", second.all());
    fs::remove_file(&pause)?;
    resting.end()?.exits(0)?;
    scene.is_where_it_should_be("two at once")
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool, Failed>) -> Result<(), Failed> {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(format!("not within a minute: {what}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

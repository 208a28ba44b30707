//! The interruption: the upgrade is cut off after a statement (the client is gone, what was not committed is undone), and
//! somebody runs it again from its start, or goes on where it stopped. This does not depend on size: it runs on a small copy.

use anyhow::Result;

use super::control::{Control, DEPTH};
use super::cuts::{Cut, Cuts};
use super::inverse::inverse;
use super::small::failure;
use super::{Ground, Hand, OVERHEAD};
use crate::pipeline::run::Run;
use crate::replay::record::{Drill, ExperimentKind, Interruption, Outcome, Rehearsal, Showed};
use crate::sql::script::Script;
use crate::survey::compare::compare;
use crate::survey::record::Fingerprint;

/// What a cut costs when nothing has to be rewound, in seconds.
const CHEAP: f64 = 0.5;
/// What a statement on a small copy costs, in seconds.
const STATEMENT: f64 = 0.0005;
/// The word for the whole of it where something has to be left out.
const WHAT: &str = "cutting the upgrade off and running it again";

/// Cuts the upgrade off after each statement that leaves something behind.
pub fn run(hand: &mut Hand<'_>, ground: &Ground<'_>) -> Result<()> {
    let cuts = Cuts::of(ground.script)?;
    let Some(first) = cuts.chosen.first().map(|cut| cut.id.clone()) else { return Ok(()) };
    if cuts.left_out > 0 {
        let why = format!(
            "the upgrade was cut off after {} of the {} statements that leave something behind, not after the others",
            cuts.chosen.len(),
            cuts.chosen.len() + cuts.left_out
        );
        hand.leave_out(None, why);
    }
    // Once as it is, once cut off everywhere and gone on with, and one rerun at the very least.
    let least = 3.0 * STATEMENT * cuts.count as f64 + cuts.chosen.len() as f64 * CHEAP;
    if !hand.affords(WHAT, &first, least) {
        return Ok(());
    }
    let outcome = drill(hand, ground, &cuts);
    hand.survives(WHAT, &first, outcome.map(|()| None))
}

fn drill(hand: &mut Hand<'_>, ground: &Ground<'_>, cuts: &Cuts) -> Result<()> {
    let mut control = match whole(hand, ground.script)? {
        Ok(control) => control,
        Err(why) => {
            hand.leave_out(
                None,
                format!("{WHAT} was not rehearsed: on a small copy the upgrade fails by itself, {why}"),
            );
            return Ok(());
        }
    };
    let resume_safe = match resumed(hand, ground.script, cuts)? {
        Some(left) => Some(control.hold(hand, ground.script, &left)?.is_same),
        None => None,
    };
    let mut place = Place::Unknown;
    for (index, cut) in cuts.chosen.iter().enumerate() {
        hand.progress.check()?;
        // A rerun may take as long as the whole.
        let rewinds = if matches!(place, Place::Unknown) { OVERHEAD } else { 0.0 };
        if hand.purse.left() < rewinds + CHEAP + control.seconds {
            let rest = cuts.chosen.len() - index;
            hand.leave_out(
                Some(&cut.id),
                format!(
                    "{WHAT} after it, and at {} later places, was not rehearsed: the drills' time is used up",
                    rest - 1
                ),
            );
            break;
        }
        let reached = reach(hand, ground.script, cuts, index, place)?;
        let id = format!("rerun-after-{}", cut.id);
        let rerun = hand.stage.run(&Run::quiet(id, ExperimentKind::Drill, ground.script), hand.progress)?;
        let left = hand.stage.print(DEPTH, hand.progress)?;
        let mut shown = Interruption {
            rerun_safe: false,
            fails_at: None,
            error: None,
            differences: Vec::new(),
            excluded: Vec::new(),
            resume_safe,
            resume_at: cut.next.clone(),
            cleanup: cleanup(cuts, index),
        };
        let mut moved = false;
        if failure(hand.stage, &rerun).is_some() {
            failed(&rerun, &mut shown);
            shown.differences = compare(&reached, &left).iter().map(ToString::to_string).collect();
        } else {
            let held = control.hold(hand, ground.script, &left)?;
            (shown.rerun_safe, shown.differences, shown.excluded) = (held.is_same, held.differences, held.excluded);
            moved = held.moved;
        }
        // A rerun that changed nothing leaves the place from which the next statement can run.
        place = if !moved && compare(&reached, &left).is_empty() { Place::After(index) } else { Place::Unknown };
        let experiment = rerun.id;
        let showed = Showed::Interruption(shown);
        hand.drilled.drills.push(Drill { statement: cut.id.clone(), experiment, scale: hand.stage.scale, showed });
    }
    Ok(())
}

/// Where the small copy stands.
#[derive(Clone, Copy)]
enum Place {
    /// Somewhere else: it has to be rewound.
    Unknown,
    /// After the cut at this place of the list.
    After(usize),
}

/// Brings the small copy to where the upgrade stands after a cut, and prints it.
fn reach(hand: &mut Hand<'_>, script: &Script, cuts: &Cuts, index: usize, place: Place) -> Result<Fingerprint> {
    let to = cuts.chosen[index].position + 1;
    let (from, preamble) = match place {
        Place::After(earlier) => match &cuts.chosen[earlier].preamble {
            Ok(preamble) => (cuts.chosen[earlier].position + 1, preamble.clone()),
            Err(_) => (0, Vec::new()),
        },
        Place::Unknown => (0, Vec::new()),
    };
    if from == 0 {
        hand.stage.sandbox.rewind(hand.progress)?;
    }
    slice(hand, script, (from, to), preamble, &format!("cut-after-{}", cuts.chosen[index].id))?;
    hand.stage.print(DEPTH, hand.progress)
}

fn slice(
    hand: &mut Hand<'_>,
    script: &Script,
    (from, to): (u64, u64),
    preamble: Vec<String>,
    id: &str,
) -> Result<Rehearsal> {
    let run = Run { slice: (from, Some(to - from)), preamble, ..Run::quiet(id, ExperimentKind::Drill, script) };
    hand.stage.run(&run, hand.progress)
}

/// What the upgrade leaves when nothing goes wrong; or why it does not get to its end.
fn whole(hand: &mut Hand<'_>, script: &Script) -> Result<std::result::Result<Control, String>> {
    hand.stage.sandbox.rewind(hand.progress)?;
    let run = Run::quiet("upgrade-small", ExperimentKind::Drill, script);
    let rehearsal = hand.stage.run(&run, hand.progress)?;
    if let Some(why) = failure(hand.stage, &rehearsal) {
        return Ok(Err(why));
    }
    Ok(Ok(Control::new(hand.stage.print(DEPTH, hand.progress)?, rehearsal.seconds)))
}

/// What the upgrade leaves when it is cut off everywhere and gone on with in a new session each time; none where a session
/// cannot be brought to where it was.
fn resumed(hand: &mut Hand<'_>, script: &Script, cuts: &Cuts) -> Result<Option<Fingerprint>> {
    hand.stage.sandbox.rewind(hand.progress)?;
    let (mut from, mut preamble) = (0, Vec::new());
    for cut in &cuts.chosen {
        hand.progress.check()?;
        let Ok(next) = &cut.preamble else { return Ok(None) };
        let id = format!("gone-on-until-{}", cut.id);
        slice(hand, script, (from, cut.position + 1), std::mem::take(&mut preamble), &id)?;
        (from, preamble) = (cut.position + 1, next.clone());
    }
    if cuts.count > from {
        slice(hand, script, (from, cuts.count), preamble, "gone-on-to-the-end")?;
    }
    hand.stage.print(DEPTH, hand.progress).map(Some)
}

/// Where a rerun failed, and the server's words.
fn failed(rerun: &Rehearsal, shown: &mut Interruption) {
    let failed = rerun.observations.iter().find(|seen| !matches!(seen.outcome, Outcome::Done | Outcome::Skipped));
    shown.fails_at = failed.map(|seen| seen.statement.id.clone());
    shown.error = failed.and_then(|seen| seen.outcome.fault().cloned());
}

/// The statements that take back all that ran until the cut, last first; none where one of them cannot be taken back.
fn cleanup(cuts: &Cuts, index: usize) -> Vec<String> {
    let ran = cuts.chosen[..=index].iter().rev();
    let undo: Option<Vec<String>> = ran.map(|cut: &Cut| inverse(&cut.statement)).collect();
    undo.filter(|_| cuts.left_out == 0).unwrap_or_default()
}

//! What pages say of a plan in few words: how long, by which command, how it ran. `**` and backticks are Markdown's.

use super::{Plan, PlanScript, ScriptPhase, Verify};
use crate::plan::render;
use crate::plan::step::Step;
use crate::plan::work::Task;
use crate::quantity;
use crate::server::flavor::Vendor;

/// How long a step takes, from the shortest to the longest of all that was measured of it.
#[derive(Clone, Debug)]
pub struct Lasts {
    /// Seconds.
    pub low: f64,
    /// Seconds.
    pub high: f64,
    /// Where these come from.
    pub basis: String,
}

/// What was measured of a step's time: as a statement, and as the plan's script; none when nothing was.
pub fn lasts(plan: &Plan, step: &Step) -> Option<Lasts> {
    let script = plan
        .scripts_of(&step.body.id)
        .find(|script| script.phase == ScriptPhase::Step)
        .and_then(|script| script.rehearsed.as_ref())
        .filter(|ran| ran.ok)
        .map(|ran| ran.seconds);
    match (&step.body.takes, script) {
        (Some(takes), Some(script)) => Some(Lasts {
            low: takes.low_seconds.min(script),
            high: takes.high_seconds.max(script),
            basis: format!("{}; and as this plan's script", takes.basis),
        }),
        (Some(takes), None) => {
            Some(Lasts { low: takes.low_seconds, high: takes.high_seconds, basis: takes.basis.clone() })
        }
        (None, Some(script)) => {
            Some(Lasts { low: script, high: script, basis: "measured once, as this plan's script".to_owned() })
        }
        (None, None) => None,
    }
}

/// A range of seconds that holds both; never one number, for one number is more than anybody knows.
pub fn range(low: f64, high: f64) -> String {
    let (from, to) = (rounded(low, false), rounded(high, true));
    if from == to { format!("up to {to}") } else { format!("{from} to {to}") }
}

/// `up to 0.5 s`: rounded up.
pub fn up_to(seconds: f64) -> String {
    format!("up to {}", rounded(seconds, true))
}

/// Rounded down or up to as many digits as a person reads.
fn rounded(seconds: f64, up: bool) -> String {
    let unit = match seconds {
        s if s < 0.0995 => 0.001,
        s if s < 1.0 => 0.01,
        s if s < 10.0 => 0.1,
        _ => 1.0,
    };
    let count = if up { (seconds / unit).ceil() } else { (seconds / unit).floor() };
    quantity::seconds(count * unit)
}

/// The stock client with where it finds the target.
pub fn client(plan: &Plan) -> String {
    format!("{} --defaults-extra-file=production.cnf --show-warnings", program(plan.identity.flavor.vendor))
}

/// The stock client for what is answered in lines.
pub fn asking(plan: &Plan) -> String {
    format!("{} --defaults-extra-file=production.cnf --skip-column-names", program(plan.identity.flavor.vendor))
}

/// How a script was rehearsed, in a list in which the day is the same for all.
pub fn ran_briefly(script: &PlanScript) -> String {
    match &script.rehearsed {
        Some(ran) if ran.ok && ran.outcome != "done" => {
            format!("ran in the sandbox in {}: {}", quantity::seconds(ran.seconds), ran.outcome)
        }
        Some(ran) if ran.ok => format!("ran in the sandbox in {}", quantity::seconds(ran.seconds)),
        _ => format!("**{}**", render::ran(script)),
    }
}

/// The first of some lines, and how many more there are; `none` where there is not one.
pub fn list(lines: &[String], between: &str, most: usize, none: &str) -> String {
    if lines.is_empty() {
        return none.to_owned();
    }
    let mut text = lines.iter().take(most).cloned().collect::<Vec<_>>().join(between);
    if lines.len() > most {
        text.push_str(&format!("{between}and {} more", lines.len() - most));
    }
    text
}

/// The script that takes a step back.
pub fn undo<'a>(plan: &'a Plan, step: &'a Step) -> Option<&'a PlanScript> {
    plan.scripts_of(&step.body.id).find(|script| script.phase == ScriptPhase::Undo)
}

/// Until when there is one, in a few words.
pub fn way_back(plan: &Plan, step: &Step) -> String {
    let limit = step.body.undo.limit.split("; ").next().unwrap_or_default();
    match undo(plan, step) {
        Some(_) => limit.to_owned(),
        None => format!("**no script**: {limit}"),
    }
}

/// What to type for a script.
pub fn typed(plan: &Plan, script: &PlanScript) -> String {
    match &script.shell {
        Some(shell) => format!("`{}`", shell.text),
        None => format!("`{} < {}`", client(plan), script.path),
    }
}

/// What a verification is to answer.
pub fn expected(verify: &Verify) -> String {
    match &verify.equals {
        // The answer often begins its own words.
        Some(exactly) => {
            let words = verify.expect.strip_prefix(exactly.as_str()).and_then(|rest| rest.strip_prefix(": "));
            format!("expect exactly `{exactly}`: {}", words.unwrap_or(&verify.expect))
        }
        None => format!("expect {}", verify.expect),
    }
}

/// How a step is slowed down.
pub fn throttle(step: &Step) -> String {
    let walks = step.body.tasks.iter().find_map(|task| match task {
        Task::Batches { rows, pause_seconds, .. } => Some((*rows, *pause_seconds)),
        _ => None,
    });
    match walks {
        Some((rows, pause)) => format!(
            "batches of about {} rows, each a transaction of its own, with {} of rest between; `rehearse apply` also goes by \
             replica lag, running threads and row-lock waits",
            quantity::grouped(rows),
            quantity::seconds(pause)
        ),
        None => "none: one statement cannot be slowed down on its way".to_owned(),
    }
}

/// The program that runs the scripts.
fn program(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::MySql => "mysql",
        Vendor::MariaDb => "mariadb",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_range_that_holds_what_was_measured() {
        assert_eq!(range(0.0012, 0.0013), "1 ms to 2 ms");
        assert_eq!(range(0.062, 0.118), "62 ms to 0.12 s");
        assert_eq!(range(50.71, 50.71), "50.0 s to 51.0 s");
        assert_eq!(range(0.0, 0.0), "up to 0 s");
        assert_eq!(up_to(0.431), "up to 0.44 s");
        assert_eq!(range(200.2, 263.0), "3 min 20 s to 4 min 23 s");
    }
}

//! What was measured of a step, in words: how long it takes, what it blocks, what to know before.

use std::collections::BTreeMap;

use super::input::Input;
use super::record::Duration;
use super::unit::Unit;
use crate::quantity;
use crate::replay::record::{Observation, ProofBasis};
use crate::sql::record::TableName;
use crate::watch::record::{Blocked, ProbeKind};

/// How long it took, alone and with the probes.
pub fn takes(input: &Input<'_>, unit: &Unit<'_>, copies: bool) -> Option<Duration> {
    let sum = |seen: &mut dyn Iterator<Item = &Observation>| {
        seen.map(|seen| seen.seconds + seen.commit_seconds.unwrap_or(0.0)).sum::<f64>()
    };
    let (alone, watched) = match unit.trial {
        Some(trial) => (Some(trial.seconds), sum(&mut trial.loud.iter())),
        None => {
            let quiet: Vec<&Observation> = unit
                .observations
                .iter()
                .filter_map(|loud| input.quiet.iter().find(|quiet| quiet.statement.id == loud.statement.id))
                .collect();
            let alone = (quiet.len() == unit.observations.len()).then(|| sum(&mut quiet.into_iter()));
            (alone, sum(&mut unit.observations.iter().copied()))
        }
    };
    let (low, high) = match alone {
        Some(alone) if watched > 0.0 => (alone.min(watched), alone.max(watched)),
        Some(alone) => (alone, alone),
        None => (watched, watched),
    };
    let mut basis = if alone.is_some() {
        "measured in the sandbox, alone and with probes"
    } else {
        "measured in the sandbox, with probes"
    }
    .to_owned();
    if input.scale < 1.0 {
        basis.push_str(&format!(", at {} of production's rows", share(input.scale)));
    }
    if copies {
        basis.push_str("; the copy of the rows that the step makes comes on top");
    }
    Some(Duration { low_seconds: low, high_seconds: high, basis })
}

/// `10 %`, `0.5 %`.
pub fn share(scale: f64) -> String {
    let percent = scale * 100.0;
    if percent >= 1.0 { format!("{} %", (percent * 10.0).round() / 10.0) } else { format!("{percent:.2} %") }
}

/// Who waited, and who failed, worst first.
pub fn blocks(unit: &Unit<'_>) -> Vec<String> {
    let seen: Vec<&Observation> = match unit.trial {
        Some(trial) => trial.loud.iter().collect(),
        None => unit.observations.clone(),
    };
    let mut lines = waits(seen.iter().flat_map(|seen| &seen.blocked));
    let mut failed: BTreeMap<_, u64> = BTreeMap::new();
    for one in seen.iter().flat_map(|seen| &seen.failed) {
        *failed.entry((one.table.clone(), one.probe, one.error)).or_default() += one.count;
    }
    lines.extend(failed.into_iter().map(|((table, probe, error), count)| {
        format!("{} of {table} failed with error {error}, {count} times", plural(probe.name()))
    }));
    lines
}

/// Who waited 50 ms or more, and how long at most, worst first.
pub fn waits<'a>(blocked: impl Iterator<Item = &'a Blocked>) -> Vec<String> {
    let mut worst: BTreeMap<_, f64> = BTreeMap::new();
    for blocked in blocked {
        let longest = worst.entry((blocked.table.clone(), blocked.probe)).or_default();
        *longest = longest.max(blocked.longest_seconds);
    }
    let mut waits: Vec<_> = worst.into_iter().filter(|(_, seconds)| *seconds >= 0.05).collect();
    waits.sort_by(|a, b| b.1.total_cmp(&a.1));
    let line = |((table, probe), seconds): ((TableName, ProbeKind), f64)| match probe {
        ProbeKind::Commit => format!("every commit on the server: up to {}", quantity::seconds(seconds)),
        probe => format!("{} of {table}: up to {}", plural(probe.name()), quantity::seconds(seconds)),
    };
    waits.into_iter().map(line).collect()
}

/// When a wait of the application is too long: twice what the rehearsal showed, and a second in any case.
pub fn too_long_a_wait(input: &Input<'_>, unit: &Unit<'_>) -> String {
    let seen = unit.trial.map_or_else(|| unit.observations.clone(), |trial| trial.loud.iter().collect());
    let worst = seen.iter().flat_map(|seen| &seen.blocked).map(|blocked| blocked.longest_seconds).fold(0.0, f64::max);
    let scale = if input.scale < 1.0 { format!(", on {} of the rows", share(input.scale)) } else { String::new() };
    let rehearsed = if worst >= 0.05 {
        format!("in the rehearsal {} at most{scale}", quantity::seconds(worst))
    } else {
        format!("in the rehearsal nobody waited{scale}")
    };
    format!(
        "a request of the application waits longer than {} for it ({rehearsed})",
        quantity::seconds((2.0 * worst).max(1.0))
    )
}

fn plural(probe: &str) -> &'static str {
    match probe {
        "read" => "reads",
        "lock" => "locking reads",
        "update" => "updates",
        "insert" => "inserts",
        _ => "commits",
    }
}

/// What a person must know before: the alternative's caveats, and how far its proof goes.
pub fn know(unit: &Unit<'_>) -> Vec<String> {
    let Some(trial) = unit.trial else { return Vec::new() };
    let mut lines = trial.alternative.caveats.clone();
    let proof = &trial.proof;
    lines.push(match (proof.same_result, proof.basis) {
        (true, ProofBasis::Checksum) => "proved to leave the same: definitions, row counts and checksums".to_owned(),
        (true, ProofBasis::Counts) => {
            "leaves the same definitions and row counts; contents were not compared".to_owned()
        }
        (_, ProofBasis::NotComparable) => "whether it leaves the same could not be compared".to_owned(),
        (false, _) => format!("does not leave the same: {}", proof.differences.join("; ")),
    });
    if !proof.excluded_columns.is_empty() {
        lines.push(format!(
            "left out of the proof, because two runs of the original differ in them: {}",
            proof.excluded_columns.join(", ")
        ));
    }
    lines
}

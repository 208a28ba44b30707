//! Which way each statement's work is done, and the other ways that ran: what a person may choose between.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::impact;
use super::input::Input;
use super::record::Duration;
use super::unit::Unit;
use crate::advise::record::{Alternative, Trial};
use crate::problem::nearest;
use crate::replay::record::Observation;

/// The choice that stands for the statement itself.
pub const AS_WRITTEN: &str = "as-written";

/// All that can be chosen, where it fits the statement.
pub const WAYS: [&str; 9] =
    [AS_WRITTEN, "truncate", "swap", "survivors", "batches", "partition", "explicit", "split", "merged"];

/// Statements by name or id, each with the id of the alternative that stands in for it, or [`AS_WRITTEN`].
pub type Choices = BTreeMap<String, String>;

/// A way to do a step's work that ran in the sandbox and that the plan does not take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherWay {
    /// The alternative's id, or [`AS_WRITTEN`].
    pub id: String,
    /// One line for people.
    pub title: String,
    /// How long it took; none when it was not measured.
    pub takes: Option<Duration>,
    /// What it blocked, in sentences; empty: nothing waited.
    pub blocks: Vec<String>,
    /// Why it cannot be chosen; none when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

/// What the plan takes for each statement that has alternatives which ran.
pub fn taken(input: &Input<'_>) -> Choices {
    let mut choices = Choices::new();
    for trial in input.trials {
        let label = label(input, &trial.alternative.statement);
        let is_taken = trial.chosen && trial.completed;
        let choice = choices.entry(label.to_owned()).or_insert_with(|| AS_WRITTEN.to_owned());
        if is_taken && choice == AS_WRITTEN {
            trial.alternative.id.clone_into(choice);
        }
    }
    choices
}

/// The name of a statement, else its id.
fn label<'a>(input: &Input<'a>, id: &'a str) -> &'a str {
    input.loud.iter().find(|seen| seen.statement.id == id).map_or(id, |seen| seen.statement.label())
}

/// The ways that ran for a unit besides the one that it takes.
pub fn others(input: &Input<'_>, unit: &Unit<'_>) -> Vec<OtherWay> {
    let mut ways = Vec::new();
    if let Some(trial) = unit.trial {
        let plain = unit.by(None);
        ways.push(OtherWay {
            id: AS_WRITTEN.to_owned(),
            title: match trial.alternative.also.len() {
                0 => "the statement as it was written".to_owned(),
                more => format!("the {} statements as they were written", more + 1),
            },
            takes: impact::takes(input, &plain, false),
            blocks: impact::blocks(&plain),
            why_not: None,
        });
    }
    let taken = unit.trial.map(|trial| trial.alternative.id.as_str());
    let own = input.trials.iter().filter(|trial| trial.alternative.statement == unit.first().id);
    ways.extend(own.filter(|trial| taken != Some(trial.alternative.id.as_str())).map(|trial| {
        let tried = unit.by(Some(trial));
        OtherWay {
            id: trial.alternative.id.clone(),
            title: trial.alternative.title.clone(),
            takes: impact::takes(input, &tried, false),
            blocks: impact::blocks(&tried),
            why_not: unfit(trial),
        }
    }));
    ways
}

/// Why a trial's alternative cannot be taken; none when it can.
pub fn unfit(trial: &Trial) -> Option<String> {
    if !trial.completed {
        return Some("it failed in the sandbox".to_owned());
    }
    if trial.proof.same_result {
        return None;
    }
    let differences = trial.proof.differences.join("; ");
    Some(match differences.as_str() {
        "" => "whether it leaves the same could not be compared".to_owned(),
        differences => format!("it does not leave the same: {differences}"),
    })
}

/// A choice that cannot be had, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoChoice {
    /// The statement as it was named.
    pub statement: String,
    /// The way that was asked for.
    pub way: String,
    /// Why it cannot be had.
    pub why: String,
}

/// Marks as chosen what a person chose, over what was chosen before. What cannot be had is left as it was and answered.
///
/// Of a statement, `names` holds the id by its name and by its id; `untried` are alternatives that were never run, each
/// with its reason.
pub fn force(
    trials: &mut [Trial],
    untried: &[Alternative],
    names: &BTreeMap<String, String>,
    choices: &Choices,
) -> Vec<NoChoice> {
    let mut refused = Vec::new();
    for (statement, way) in choices {
        if let Err(why) = force_one(trials, untried, names, statement, way) {
            refused.push(NoChoice { statement: statement.clone(), way: way.clone(), why });
        }
    }
    refused
}

fn force_one(
    trials: &mut [Trial],
    untried: &[Alternative],
    names: &BTreeMap<String, String>,
    statement: &str,
    way: &str,
) -> Result<(), String> {
    let Some(id) = names.get(statement) else {
        let meant = nearest(statement, names.keys().map(String::as_str));
        let meant = meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        return Err(format!("the rehearsal knows no statement of this name or id{meant}"));
    };
    let is_own = |trial: &Trial| trial.alternative.statement == *id;
    if way != AS_WRITTEN {
        let Some(trial) = trials.iter().find(|trial| is_own(trial) && trial.alternative.id == way) else {
            return Err(not_rehearsed(trials, untried, id, way));
        };
        if let Some(why) = unfit(trial) {
            return Err(why);
        }
    }
    for trial in trials.iter_mut().filter(|trial| is_own(trial)) {
        trial.chosen = trial.alternative.id == way;
    }
    Ok(())
}

fn not_rehearsed(trials: &[Trial], untried: &[Alternative], id: &str, way: &str) -> String {
    let known = untried.iter().find(|alternative| alternative.statement == *id && alternative.id == way);
    if let Some(reason) = known.and_then(|alternative| alternative.reason.as_ref()) {
        return format!("it was not rehearsed: {reason}");
    }
    let ran: Vec<&str> = trials
        .iter()
        .filter(|trial| trial.alternative.statement == *id)
        .map(|trial| trial.alternative.id.as_str())
        .chain([AS_WRITTEN])
        .collect();
    let meant = nearest(way, ran.iter().copied()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("it was not rehearsed; what ran: {}{meant}", ran.join(", "))
}

/// Ids of statements by their names and by their ids.
pub fn names(loud: &[Observation]) -> BTreeMap<String, String> {
    let own = |seen: &Observation| {
        let statement = &seen.statement;
        [statement.id.clone(), statement.label().to_owned()].map(|name| (name, statement.id.clone()))
    };
    loud.iter().flat_map(own).collect()
}

//! What a person changed of a plan that is not theirs to change: found, and refused with its path and reason.

use std::fmt;

use serde_json::Value;

use super::edits::EDITABLE;
use crate::plan::choice::NoChoice;
use crate::problem::nearest;

/// An edit that cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Keys and places from the top of the file.
    pub path: Vec<String>,
    /// Why.
    pub why: String,
}

impl Refusal {
    /// One at a path.
    pub fn at(path: &[&str], why: impl Into<String>) -> Self {
        Self { path: path.iter().map(|part| (*part).to_owned()).collect(), why: why.into() }
    }

    /// One of a choice that cannot be had.
    pub fn of_choice(choice: &NoChoice) -> Self {
        Self::at(&["choices", &choice.statement], format!("{}: {}", choice.way, choice.why))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = String::new();
        for part in &self.path {
            match part.parse::<usize>() {
                Ok(place) => path.push_str(&format!("[{place}]")),
                Err(_) if path.is_empty() => path.push_str(part),
                Err(_) => path.push_str(&format!(".{part}")),
            }
        }
        if path.is_empty() { f.write_str(&self.why) } else { write!(f, "{path}: {}", self.why) }
    }
}

/// Holds the steps to being those that were drafted, in their order: all other paths count on it.
///
/// # Errors
/// What was done to them.
pub fn same_steps(written: &Value, edited: &Value) -> Result<(), Vec<Refusal>> {
    let ids = |plan: &Value| -> Vec<String> {
        let steps = plan["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        steps.iter().map(|step| step["id"].as_str().unwrap_or("?").to_owned()).collect()
    };
    let (was, is) = (ids(written), ids(edited));
    let mut refused = Vec::new();
    let gone = was.iter().filter(|id| !is.contains(id));
    refused.extend(gone.map(|id| {
        let why =
            format!("{id} was taken out: what it does belongs to the upgrade; change upgrade.sql and rehearse again");
        Refusal::at(&["steps"], why)
    }));
    let new = is.iter().enumerate().filter(|(_, id)| !was.contains(id));
    refused.extend(new.map(|(place, id)| {
        let why = format!("{id} was never rehearsed; write what it does into upgrade.sql and rehearse again");
        Refusal::at(&["steps", &place.to_string()], why)
    }));
    if refused.is_empty() && was != is {
        let place = was.iter().zip(&is).position(|(was, is)| was != is).unwrap_or(was.len().min(is.len()));
        let why = "the order of the steps is that of the upgrade, in which it was rehearsed: it cannot be edited";
        refused.push(Refusal::at(&["steps", &place.to_string()], why));
    }
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// Refuses every difference that is not a person's to make.
pub fn rest(written: &Value, edited: &Value, refused: &mut Vec<Refusal>) {
    walk(written, edited, &mut Vec::new(), refused);
}

fn walk(was: &Value, is: &Value, path: &mut Vec<String>, refused: &mut Vec<Refusal>) {
    if is_editable(path) || same(was, is) {
        return;
    }
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (key, value) in was {
                path.push(key.clone());
                walk(value, is.get(key).unwrap_or(&Value::Null), path, refused);
                path.pop();
            }
            for key in is.keys().filter(|key| !was.contains_key(*key)) {
                path.push(key.clone());
                if !is_editable(path) {
                    let near = nearest(key, was.keys().map(String::as_str));
                    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    refused.push(Refusal { path: path.clone(), why: format!("unknown key `{key}`{near}") });
                }
                path.pop();
            }
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            for (place, (was, is)) in was.iter().zip(is).enumerate() {
                path.push(place.to_string());
                walk(was, is, path, refused);
                path.pop();
            }
        }
        _ => refused.push(Refusal { path: path.clone(), why: reason(path).to_owned() }),
    }
}

fn is_editable(path: &[String]) -> bool {
    let fits = |pattern: &&[&str]| {
        pattern.len() == path.len() && pattern.iter().zip(path).all(|(want, have)| *want == "*" || want == have)
    };
    EDITABLE.iter().any(fits)
}

/// Nothing was said there, in one way or another.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// The same but for what a number loses on its way through a file.
fn same(was: &Value, is: &Value) -> bool {
    match (was, is) {
        (Value::Number(was), Value::Number(is)) if was != is => match (was.as_f64(), is.as_f64()) {
            (Some(was), Some(is)) => (was - is).abs() <= 1e-9 * was.abs().max(is.abs()),
            _ => false,
        },
        _ => was == is || is_empty(was) && is_empty(is),
    }
}

/// Why what stands at a path is not a person's to change.
fn reason(path: &[String]) -> &'static str {
    let part = |place: usize| path.get(place).map_or("", String::as_str);
    let last = path.iter().rev().find(|part| part.parse::<usize>().is_err()).map_or("", String::as_str);
    match (part(0), part(2)) {
        ("scripts", "rehearsed") => "only a rehearsal says what ran; run it again",
        ("scripts", "sql") | ("steps", "tasks" | "session" | "undo") | ("steps", "verify") => {
            "this SQL was changed by hand, and what was changed was not rehearsed: change the upgrade and run it again"
        }
        ("steps", "instead" | "others") => "another way is taken by its name under `choices:` at the top",
        ("steps", "takes" | "blocks") | ("stops", _) | ("half_done", _) => {
            "that was measured: only a rehearsal says it"
        }
        ("steps", "destroys" | "covered_by") | ("backups", _) => {
            "what a step destroys and what keeps it was rehearsed so: change the upgrade, or choose another way, and run it again"
        }
        ("identity", _) => "it says what was rehearsed: for another server or another upgrade run it again",
        ("blockers", _) => "a blocker goes when what it says is mended and rehearsed",
        ("preflight", _) => {
            "it is drawn from the survey and the rehearsal; what you want to look at besides belongs into `know` of a step"
        }
        ("cleanup", _) => "only `when` can be edited of a clean-up",
        ("left_out", _) => "it says what of the upgrade is no step",
        ("format" | "name", _) => "it names what was rehearsed",
        _ if last == "guard" => "of a guard `settings`, `watch`, `stop_when` and `when_tripped` can be edited",
        _ => "it is not to be edited: choices, know, guard, cleanup's when, trouble and sign_off are",
    }
}

//! What of a plan is a person's to edit, what they made of it, and how it is laid over a fresh draft.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::differences::Refusal;
use crate::plan::choice::Choices;
use crate::plan::record::{Plan, Watch};
use crate::plan::step::Step;
use crate::problem::nearest;
use crate::sql::record::TableName;

/// Time-outs that a guard may set: they end a step that waits or runs too long, and change nothing of what it does.
const TIMEOUTS: [&str; 6] = [
    "lock_wait_timeout",
    "innodb_lock_wait_timeout",
    "max_statement_time",
    "max_execution_time",
    "net_read_timeout",
    "net_write_timeout",
];

/// One thing that a person changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change<T> {
    from: T,
    to: T,
}

/// All that a person changed of what is theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edits {
    /// The way taken for each statement that has several.
    pub choices: Choices,
    sign_off: Option<Change<Vec<String>>>,
    trouble: Option<Change<Vec<String>>>,
    /// By the id of the step's first statement.
    steps: BTreeMap<String, StepEdits>,
    /// When a kept table may go.
    cleanup: BTreeMap<TableName, Change<String>>,
}

/// What a person changed of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StepEdits {
    know: Option<Change<Vec<String>>>,
    settings: Option<Change<Vec<String>>>,
    watch: Option<Change<Vec<Watch>>>,
    stop_when: Option<Change<Vec<String>>>,
    when_tripped: Option<Change<String>>,
}

/// Paths in a plan that are a person's; `*` is a place in a list.
pub const EDITABLE: [&[&str]; 9] = [
    &["choices"],
    &["sign_off"],
    &["trouble"],
    &["steps", "*", "know"],
    &["steps", "*", "guard", "settings"],
    &["steps", "*", "guard", "watch"],
    &["steps", "*", "guard", "stop_when"],
    &["steps", "*", "guard", "when_tripped"],
    &["cleanup", "*", "when"],
];

impl Edits {
    /// Choices, and nothing else edited.
    pub fn only(choices: Choices) -> Self {
        Self { choices, ..Self::default() }
    }

    /// Reads what a person made of a plan. `plain` is that plan without any edit, `base` the choices of its rehearsal.
    pub fn read(
        plain: &Plan,
        edited: &Value,
        names: &BTreeMap<String, String>,
        base: &Choices,
        refused: &mut Vec<Refusal>,
    ) -> Self {
        let mut reader = Reader { edited, refused };
        let mut edits = Self {
            choices: reader.choices(names, base),
            sign_off: reader.change(&["sign_off"], &plain.sign_off),
            trouble: reader.change(&["trouble"], &plain.trouble),
            ..Self::default()
        };
        for (place, step) in plain.steps.iter().enumerate() {
            let own = reader.step(&place.to_string(), step);
            if own != StepEdits::default() {
                edits.steps.insert(step.body.statements.0.clone(), own);
            }
        }
        for (place, item) in plain.cleanup.iter().enumerate() {
            if let Some(change) = reader.change(&["cleanup", &place.to_string(), "when"], &item.when) {
                edits.cleanup.insert(item.table.clone(), change);
            }
        }
        edits
    }

    /// Lays over a draft what goes into its scripts.
    pub fn before_the_scripts(&self, plan: &mut Plan, refused: &mut Vec<Refusal>) {
        for (place, step) in plan.steps.iter_mut().enumerate() {
            let Some(edits) = self.steps.get(&step.body.statements.0) else { continue };
            let settings = &mut step.body.guard.settings;
            lay_list(settings, edits.settings.as_ref());
            let mut names: Vec<&str> = settings.iter().filter_map(|text| setting(text).map(|(name, _)| name)).collect();
            names.sort_unstable();
            if let Some(twice) = names.windows(2).find(|pair| pair[0].eq_ignore_ascii_case(pair[1])) {
                let path = ["steps", &place.to_string(), "guard", "settings"];
                refused.push(Refusal::at(&path, format!("{} would be set twice: keep one", twice[0])));
            }
        }
        let firsts: Vec<&str> = plan.steps.iter().map(|step| step.body.statements.0.as_str()).collect();
        let gone = self.steps.keys().filter(|id| !firsts.contains(&id.as_str()));
        refused.extend(gone.map(|id| {
            let why = format!(
                "with these choices no step begins at {id}, and what was edited there has no place: take it back"
            );
            Refusal::at(&["steps"], why)
        }));
        let gone = self.cleanup.keys().filter(|table| !plan.cleanup.iter().any(|item| item.table == **table));
        refused.extend(gone.map(|table| {
            let why =
                format!("with these choices {table} is not kept, and its edited `when` has no place: take it back");
            Refusal::at(&["cleanup"], why)
        }));
        for (place, item) in plan.cleanup.iter_mut().enumerate() {
            let change = self.cleanup.get(&item.table);
            lay_text(&mut item.when, change, &["cleanup", &place.to_string(), "when"], refused);
        }
    }

    /// Lays the rest over a draft.
    pub fn after_the_scripts(&self, plan: &mut Plan, refused: &mut Vec<Refusal>) {
        lay_list(&mut plan.sign_off, self.sign_off.as_ref());
        lay_list(&mut plan.trouble, self.trouble.as_ref());
        for (place, step) in plan.steps.iter_mut().enumerate() {
            let Some(edits) = self.steps.get(&step.body.statements.0) else { continue };
            lay_list(&mut step.body.know, edits.know.as_ref());
            let guard = &mut step.body.guard;
            lay_list(&mut guard.watch, edits.watch.as_ref());
            lay_list(&mut guard.stop_when, edits.stop_when.as_ref());
            let path = ["steps", &place.to_string(), "guard", "when_tripped"];
            lay_text(&mut guard.when_tripped, edits.when_tripped.as_ref(), &path, refused);
        }
    }

    /// What was taken over, each with its path; `earlier` are the edits of the time before.
    pub fn told(&self, earlier: &Self, base: &Choices) -> Vec<String> {
        let mut told = Vec::new();
        for (label, way) in &self.choices {
            let before = earlier.choices.get(label).or_else(|| base.get(label));
            if before != Some(way) {
                let before = before.map_or("nothing", String::as_str);
                told.push(format!("choices.{label}: {way} instead of {before}"));
            }
        }
        let mut tell = |path: String, is_there: bool, was_there: bool| match (is_there, was_there) {
            (true, _) => told.push(format!("{path}: as edited")),
            (false, true) => told.push(format!("{path}: as drafted again")),
            (false, false) => {}
        };
        tell("sign_off".into(), self.sign_off.is_some(), earlier.sign_off.is_some());
        tell("trouble".into(), self.trouble.is_some(), earlier.trouble.is_some());
        let all: std::collections::BTreeSet<&String> = self.steps.keys().chain(earlier.steps.keys()).collect();
        let none = StepEdits::default();
        for id in all {
            let (own, was) = (self.steps.get(id).unwrap_or(&none), earlier.steps.get(id).unwrap_or(&none));
            let at = |what: &str| format!("the step of {id}, {what}");
            tell(at("know"), own.know.is_some(), was.know.is_some());
            tell(at("guard.settings"), own.settings.is_some(), was.settings.is_some());
            tell(at("guard.watch"), own.watch.is_some(), was.watch.is_some());
            tell(at("guard.stop_when"), own.stop_when.is_some(), was.stop_when.is_some());
            tell(at("guard.when_tripped"), own.when_tripped.is_some(), was.when_tripped.is_some());
        }
        for table in self.cleanup.keys() {
            tell(format!("cleanup of {table}, when"), true, false);
        }
        told
    }
}

/// Looks into what a person left of a plan.
struct Reader<'a> {
    edited: &'a Value,
    refused: &'a mut Vec<Refusal>,
}

impl Reader<'_> {
    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self.edited, |value, part| match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        })
    }

    /// What stands at a path, when it is another than it was. A list that was taken out is an empty one.
    fn change<T: DeserializeOwned + PartialEq + Clone + Default>(
        &mut self,
        path: &[&str],
        was: &T,
    ) -> Option<Change<T>> {
        let to = match self.at(path) {
            None | Some(Value::Null) => T::default(),
            Some(value) => match serde_json::from_value(value.clone()) {
                Ok(to) => to,
                Err(error) => {
                    self.refused.push(Refusal::at(path, format!("it cannot be read: {error}")));
                    return None;
                }
            },
        };
        (to != *was).then(|| Change { from: was.clone(), to })
    }

    fn step(&mut self, place: &str, step: &Step) -> StepEdits {
        let guard = &step.body.guard;
        let edits = StepEdits {
            know: self.change(&["steps", place, "know"], &step.body.know),
            settings: self.change(&["steps", place, "guard", "settings"], &guard.settings),
            watch: self.change(&["steps", place, "guard", "watch"], &guard.watch),
            stop_when: self.change(&["steps", place, "guard", "stop_when"], &guard.stop_when),
            when_tripped: self.change(&["steps", place, "guard", "when_tripped"], &guard.when_tripped),
        };
        if let Some(change) = &edits.settings {
            let path = ["steps", place, "guard", "settings"];
            let bad =
                change.to.iter().filter(|text| !change.from.contains(text)).filter_map(|text| timeout(text).err());
            self.refused.extend(bad.map(|why| Refusal::at(&path, why)));
            let named =
                |list: &[String]| list.iter().any(|text| setting(text).is_some_and(|(name, _)| is(name, TIMEOUTS[0])));
            if named(&change.from) && !named(&change.to) {
                let why =
                    "without lock_wait_timeout a step that waits makes everybody wait behind it: set another value";
                self.refused.push(Refusal::at(&path, why));
            }
        }
        if let Some(change) = &edits.watch {
            let path = ["steps", place, "guard", "watch"];
            let bad = change.to.iter().filter(|watch| !change.from.contains(watch) && !only_looks(&watch.query));
            self.refused.extend(bad.map(|watch| {
                Refusal::at(&path, format!("`{}` is no single SELECT or SHOW: a watch only looks", watch.query))
            }));
        }
        edits
    }

    /// The choices by the labels of `base`; one that was taken out is the rehearsal's own.
    fn choices(&mut self, names: &BTreeMap<String, String>, base: &Choices) -> Choices {
        let mut choices = base.clone();
        let Some(value) = self.edited.get("choices").filter(|value| !value.is_null()) else { return choices };
        let Some(typed) = value.as_object() else {
            self.refused.push(Refusal::at(
                &["choices"],
                "it maps statements to the ids of alternatives, such as `tracking-delete: batches`",
            ));
            return choices;
        };
        for (name, way) in typed {
            let Some(way) = way.as_str() else {
                self.refused
                    .push(Refusal::at(&["choices", name], "the id of an alternative, or as-written, is wanted"));
                continue;
            };
            let label = base.keys().find(|label| names.get(*label).is_some() && names.get(*label) == names.get(name));
            let both = label.is_some_and(|label| label != name && typed.contains_key(label));
            match label {
                Some(label) if !both => {
                    choices.insert(label.clone(), way.to_owned());
                }
                Some(label) => {
                    self.refused
                        .push(Refusal::at(&["choices", name], format!("{label} is the same statement: keep one")));
                }
                // Said by whoever tries to follow it: it has its own words for what is not known.
                None => {
                    choices.insert(name.clone(), way.to_owned());
                }
            }
        }
        choices
    }
}

/// A list with a person's change laid over it. Where the draft is another than the one that they changed, what they took out
/// goes and what they added stands at its end.
fn lay_list<T: PartialEq + Clone>(list: &mut Vec<T>, change: Option<&Change<Vec<T>>>) {
    let Some(Change { from, to }) = change else { return };
    if list == from {
        list.clone_from(to);
        return;
    }
    list.retain(|item| !from.contains(item) || to.contains(item));
    let added: Vec<T> = to.iter().filter(|item| !from.contains(item) && !list.contains(item)).cloned().collect();
    list.extend(added);
}

/// A text with a person's change laid over it; refused where the draft has changed it, too.
fn lay_text(text: &mut String, change: Option<&Change<String>>, path: &[&str], refused: &mut Vec<Refusal>) {
    let Some(Change { from, to }) = change else { return };
    if text == from || text == to {
        to.clone_into(text);
    } else {
        let why =
            format!("the choice changes it, too (now: '{text}'): take the edit back, draft, and edit the new text");
        refused.push(Refusal::at(path, why));
    }
}

fn is(name: &str, other: &str) -> bool {
    name.eq_ignore_ascii_case(other)
}

/// Name and value of `SET SESSION name = value`.
fn setting(text: &str) -> Option<(&str, &str)> {
    let mut words = text.trim().splitn(3, char::is_whitespace);
    let (set, session, rest) = (words.next()?, words.next()?, words.next()?);
    let (name, value) = rest.split_once('=')?;
    (is(set, "SET") && is(session, "SESSION")).then(|| (name.trim(), value.trim()))
}

/// Holds a guard's setting to being a time-out with a number.
fn timeout(text: &str) -> Result<(), String> {
    let Some((name, value)) = setting(text) else {
        return Err(format!("`{text}` is no `SET SESSION name = value`"));
    };
    if !TIMEOUTS.iter().any(|known| is(name, known)) {
        let near = nearest(name, TIMEOUTS).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(format!(
            "a guard sets time-outs only, and {name} may change what the step does: write it into the upgrade and rehearse again{near}"
        ));
    }
    match value.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(()),
        _ => Err(format!("{name} wants a number above 0, not '{value}'")),
    }
}

/// One statement that changes and locks nothing.
fn only_looks(query: &str) -> bool {
    let folded = query.trim().trim_end_matches(';').to_ascii_uppercase();
    let words: Vec<&str> = folded.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    matches!(words.first(), Some(&"SELECT" | &"SHOW"))
        && !folded.contains(';')
        && !words.windows(2).any(|pair| matches!(pair, ["FOR", "UPDATE"] | ["FOR", "SHARE"]) || pair[0] == "INTO")
}

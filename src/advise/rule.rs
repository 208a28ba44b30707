//! The one shape of a rule, and what a rule answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::evidence::Subject;
use super::record::Severity;

/// What a rule must have seen to judge a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// The statement's text.
    Text,
    /// The text and the survey's sizes and definitions.
    Survey,
    /// What the statement did in the rehearsal.
    Rehearsal,
}

/// One kind of risk: how it is told, and how it is found. Its words are the manual.
pub struct Rule {
    /// The pattern in kebab case: `delete-all-rows`. Never changes.
    pub id: &'static str,
    /// What the statement does, in one sentence.
    pub what: &'static str,
    /// Why that hurts, in a few sentences.
    pub why: &'static str,
    /// What to do instead.
    pub instead: &'static str,
    /// What it must have seen.
    pub needs: Needs,
    /// Looks at one statement (or one group of look-alikes).
    pub check: fn(&Subject<'_>) -> Verdict,
    /// SQL on which it fires.
    pub risky: &'static str,
    /// SQL for the same purpose on which it does not.
    pub safer: &'static str,
}

/// What a rule says of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// No such risk here.
    Clear,
    /// The risk is there, once or (by table, by column) several times.
    Risks(Vec<Risk>),
    /// It could not tell, and why.
    Unchecked(String),
}

/// One risk as a rule found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Risk {
    /// How bad.
    pub severity: Severity,
    /// Harm first with its number, then the cause, then what to do.
    pub message: String,
    /// The numbers behind it, by name.
    pub evidence: BTreeMap<String, Value>,
    /// The earlier statement (id and label) that it is about; none for the one that is judged.
    pub about: Option<(String, String)>,
}

impl Risk {
    /// A risk without numbers yet.
    pub fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), evidence: BTreeMap::new(), about: None }
    }

    /// Places it at an earlier statement, in the stead of what the same rule has said of that one: for what only shows
    /// later.
    pub fn about(mut self, id: impl Into<String>, label: impl Into<String>) -> Self {
        self.about = Some((id.into(), label.into()));
        self
    }

    /// Adds a number by its name.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.to_owned(), value.into());
        self
    }
}

impl From<Risk> for Verdict {
    fn from(risk: Risk) -> Self {
        Self::Risks(vec![risk])
    }
}

impl From<Vec<Risk>> for Verdict {
    fn from(risks: Vec<Risk>) -> Self {
        if risks.is_empty() { Self::Clear } else { Self::Risks(risks) }
    }
}

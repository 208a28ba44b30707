//! What a verification found: the reasons that speak against carrying the plan out, and what could not be looked at.

use serde::{Deserialize, Serialize};

/// The format line of a verdict.
pub const FORMAT: &str = "rehearse/verdict@1";

/// How much a reason weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The plan must not be carried out.
    Refuse,
    /// To be known before.
    Warn,
    /// Nobody knows: it could not be looked at.
    Unchecked,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// How much it weighs.
    pub severity: Severity,
    /// Which check: `schema`, `server`, `settings`, `rows`, `scripts`, `plan`, `disk`, `locks`, …
    pub check: String,
    /// What it is about: `table app.orders`, `setting sql_mode`, `step-003`.
    pub object: String,
    /// What is seen now.
    pub seen: String,
    /// What was rehearsed, or what the plan needs; empty where there is nothing to hold it against.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rehearsed: String,
    /// What to do.
    pub next: String,
    /// Unified diff from what was rehearsed to what is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Always [`FORMAT`].
    pub format: String,
    /// What was rehearsed.
    pub plan: String,
    /// Digest of the upgrade's statements.
    pub upgrade_digest: String,
    /// The server that was looked at: `db1:3306, 9.7.4`.
    pub target: String,
    /// When (RFC 3339, UTC).
    pub at: String,
    /// The plan may be carried out: nothing refuses.
    pub fit: bool,
    /// All that was found, the weightiest first.
    pub reasons: Vec<Reason>,
    /// What was looked at and found as it should be, in sentences.
    pub fine: Vec<String>,
}

impl Verdict {
    /// The reasons of one weight.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(move |reason| reason.severity == severity)
    }
}

/// What is found while checks look.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) reasons: Vec<Reason>,
    pub(super) fine: Vec<String>,
}

impl Found {
    /// Notes a reason; `seen`, `rehearsed` and `next` begin with a small letter and have no final period.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        check: &str,
        object: impl Into<String>,
        seen: impl Into<String>,
        rehearsed: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.reasons.push(Reason {
            severity,
            check: check.to_owned(),
            object: object.into(),
            seen: seen.into(),
            rehearsed: rehearsed.into(),
            next: next.into(),
            diff: None,
        });
    }

    /// Notes what could not be looked at.
    pub(super) fn unchecked(
        &mut self,
        check: &str,
        object: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.add(Severity::Unchecked, check, object, why, "", next);
    }

    /// Notes that a check found nothing.
    pub(super) fn fine(&mut self, sentence: impl Into<String>) {
        self.fine.push(sentence.into());
    }
}

//! The manual of a rule as text without form: the command line and the README give it theirs.

use super::catalogue::{self, RULES, SCHEMA};
use super::policy;
use super::rule::Needs;

/// What there is to say about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The rule's id.
    pub id: &'static str,
    /// What the statement does.
    pub what: &'static str,
    /// Why that hurts.
    pub why: &'static str,
    /// What to do instead.
    pub instead: &'static str,
    /// What must have been seen before it can be judged.
    pub needs: &'static str,
    /// SQL on which it fires; none for what is about the configuration.
    pub risky: Option<&'static str>,
    /// SQL for the same purpose on which it does not.
    pub safer: Option<&'static str>,
    /// The tables that the SQL is about.
    pub schema: Option<&'static str>,
}

/// The manual of one rule; none when there is no such rule.
pub fn explain(id: &str) -> Option<Explanation> {
    let notes = [
        Explanation {
            id: policy::EXPIRED,
            what: "an allowance ran out, or its date cannot be read",
            why: "Somebody accepted a finding until a day that is past, so the finding counts again.",
            instead: "Mend what was found, or decide again and write the new date and the reason into `allow:`.",
            needs: "the configuration",
            risky: None,
            safer: None,
            schema: None,
        },
        Explanation {
            id: policy::UNUSED,
            what: "an allowance met no finding",
            why: "What it accepted is gone or has another name. Left in place, it would one day hide something new.",
            instead: "Take it out of `allow:`.",
            needs: "the configuration",
            risky: None,
            safer: None,
            schema: None,
        },
    ];
    let rule = catalogue::find(id).map(|rule| Explanation {
        id: rule.id,
        what: rule.what,
        why: rule.why,
        instead: rule.instead,
        needs: match rule.needs {
            Needs::Text => "the statement's text; sizes and times make it sharper",
            Needs::Survey => "the survey",
            Needs::Rehearsal => "a rehearsal",
        },
        risky: Some(rule.risky),
        safer: Some(rule.safer),
        schema: Some(SCHEMA),
    });
    rule.or_else(|| notes.into_iter().find(|note| note.id == id))
}

/// Every id that [`explain`] knows, in the manual's order.
pub fn ids() -> Vec<&'static str> {
    RULES.iter().map(|rule| rule.id).chain([policy::EXPIRED, policy::UNUSED]).collect()
}

//! Findings, alternatives and what their trials showed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::quantity::{Count, Span};
use crate::replay::record::{Observation, Proof};
use crate::sql::record::{Action, Origin, TableName};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// May hurt.
    Warning,
    /// Will hurt: over the budget, or beyond undo.
    Error,
}

/// A risk that a rule found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// The statement's id; none for what concerns the whole.
    pub statement: Option<String>,
    /// Harm first with its number, then the cause, then what to do.
    pub message: String,
    /// The numbers behind it, by name.
    pub evidence: BTreeMap<String, serde_json::Value>,
    /// The part of the script that it is about; none where nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A part of a file, in lines and characters, both from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file as it was named.
    pub file: String,
    /// Line of its first character.
    pub line: u64,
    /// Its first character.
    pub column: u64,
    /// Line of its last character.
    pub end_line: u64,
    /// The character after its last one.
    pub end_column: u64,
}

/// Something that nobody looked at, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unchecked {
    /// The rule (or stage) that could not look.
    pub rule: String,
    /// The statement's id; none for the whole.
    pub statement: Option<String>,
    /// Why.
    pub why: String,
}

/// Another way to do a statement's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// `truncate`, `swap`, `survivors`, `batches`; `partition`; of an ALTER `explicit`, `split`, `merged`,
    /// `online-copy`.
    pub id: String,
    /// The statement that it stands in for.
    pub statement: String,
    /// The statements right after it that it stands in for as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// One line for people: "TRUNCATE, AUTO_INCREMENT put back".
    pub title: String,
    /// It may be tried.
    pub eligible: bool,
    /// Why not, when it may not.
    pub reason: Option<String>,
    /// What to run instead of the statement.
    pub actions: Vec<Action>,
    /// Command lines for an operator's shell, where it is run by another program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// The same without its cure, to show what the cure is for; empty when it needs none.
    pub without_cure: Vec<Action>,
    /// What a person must know before choosing it, in sentences: what it loses, what undo it leaves.
    pub caveats: Vec<String>,
    /// Tables that it leaves on purpose and the original does not (the swap's kept old table, its undo until the first
    /// write): the proof expects them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_leftovers: Vec<TableName>,
    /// How much higher than the original it leaves a table's AUTO_INCREMENT on purpose, at most: the proof allows that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters_ahead: BTreeMap<TableName, u64>,
}

/// An alternative that ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What was tried.
    pub alternative: Alternative,
    /// Its own time: the quiet run.
    pub seconds: f64,
    /// Quiet observations, one per action.
    pub quiet: Vec<Observation>,
    /// Loud observations: what it blocked.
    pub loud: Vec<Observation>,
    /// Everything ended well.
    pub completed: bool,
    /// Same result, or what differs.
    pub proof: Proof,
    /// The plan takes it.
    pub chosen: bool,
}

/// A limit of the budget, held against what was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetLine {
    /// `longest_blocked_write`, `tables.zdz.sessions.longest_blocked_write`.
    pub limit: String,
    /// As it was written: `1s`, `100k`, `never`.
    pub allowed: String,
    /// What was seen, in the same form.
    pub observed: String,
    /// Within it.
    pub ok: bool,
    /// `measured`, `estimated`, `extrapolated`, or `not measured`.
    pub basis: String,
}

/// All that judging yields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Risks, by statement, then severity (worst first), then rule.
    pub findings: Vec<Finding>,
    /// What nobody looked at.
    pub unchecked: Vec<Unchecked>,
    /// The budget's lines.
    pub budget: Vec<BudgetLine>,
}

/// What an upgrade may do to an application. A blocked time that is not set is 1 s, and `none` lifts it; of the other
/// limits, one that is not set is not held against anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// The longest that a read may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_blocked_read: Option<Span>,
    /// The longest that a write (update, insert, lock, commit) may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_blocked_write: Option<Span>,
    /// The most rows that one statement may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_per_statement: Option<Count>,
    /// The longest that a replica may lag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_lag: Option<Span>,
    /// How long a pool of the application may be exhausted: a duration, or `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_exhausted: Option<String>,
    /// Limits of single tables, over the general ones.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<TableName, TableBudget>,
}

/// Limits of one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableBudget {
    /// The longest that a read may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_blocked_read: Option<Span>,
    /// The longest that a write may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_blocked_write: Option<Span>,
    /// The most rows that one statement may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_per_statement: Option<Count>,
}

/// A finding that somebody accepted, why, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The rule.
    pub rule: String,
    /// The statement, by name or id; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is (`2026-12-31`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A finding where it stands in a script, for people who did not run it.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// What was found.
    pub finding: Finding,
    /// Where.
    pub spot: Spot,
    /// How many look-alikes in a row it stands for.
    pub count: u64,
    /// Look-alikes elsewhere for which the same was found and is not told again, and where the last of them stands.
    pub more: Option<(u64, Origin)>,
}

/// The part of a script that a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// The statement's name or id.
    pub label: String,
    /// The first character of the part.
    pub from: Origin,
    /// The line of its last character.
    pub end_line: u64,
    /// The character after its last one, from 1.
    pub end_column: u64,
    /// The lines to show, cut where they are long. Empty where the text is no longer at hand.
    pub excerpt: String,
    /// The part in the excerpt (byte offsets).
    pub span: (usize, usize),
}

impl Spot {
    /// Where it is, without what stands there.
    pub fn place(&self) -> Place {
        Place {
            file: self.from.file.clone(),
            line: self.from.line,
            column: self.from.column,
            end_line: self.end_line,
            end_column: self.end_column,
        }
    }
}

/// What a rule could not tell, over a whole script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// The rule.
    pub rule: String,
    /// Why.
    pub why: String,
    /// The first statement for which it was so, and its place; none for the whole.
    pub first: Option<(String, Origin)>,
    /// How many statements there are.
    pub count: u64,
}

/// What a lint comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintSummary {
    /// Files read.
    pub files: u64,
    /// Statements read.
    pub statements: u64,
    /// Findings that are errors, look-alikes counted once.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
    /// Findings that are worth knowing.
    pub infos: u64,
    /// What could not be told.
    pub unchecked: Vec<Untold>,
}

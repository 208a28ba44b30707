//! What a run showed, as far as a scenario can expect something of it.

use std::collections::{BTreeMap, BTreeSet};

use super::expect::Verdict;
use crate::replay::record::Algorithm;
use crate::watch::record::ProbeKind;

/// What a run showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its verdict.
    pub verdict: Verdict,
    /// Rule → ids of the statements that it found.
    pub findings: BTreeMap<String, BTreeSet<String>>,
    /// The upgrade's statements.
    pub statements: Vec<SeenStatement>,
}

/// What a statement showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenStatement {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// `done`, `failed`, `timed_out` or `skipped`.
    pub outcome: String,
    /// Rows that it changed.
    pub rows_affected: u64,
    /// How it was carried out.
    pub algorithm: Option<Algorithm>,
    /// Kind of request → its longest wait in seconds and the share of the statement's time in which one waited, of the
    /// worst table. A kind that nobody asked is not there.
    pub blocked: BTreeMap<ProbeKind, (f64, f64)>,
    /// Its alternatives.
    pub trials: Vec<SeenTrial>,
}

/// What an alternative showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenTrial {
    /// `truncate`, `swap`, `batches`.
    pub id: String,
    /// It may be tried.
    pub eligible: bool,
    /// Why not.
    pub reason: Option<String>,
    /// The plan takes it.
    pub chosen: bool,
    /// How long it took; none when it did not run.
    pub seconds: Option<f64>,
    /// The same state as the statement's; none when nothing was compared.
    pub same_result: Option<bool>,
    /// What differs.
    pub differences: Vec<String>,
    /// What differs without its cure.
    pub without_cure: Vec<String>,
    /// The longest wait of a write, in seconds; none when nobody asked one.
    pub longest_blocked_write: Option<f64>,
}

impl SeenStatement {
    /// True when `label` is its name or its id.
    pub fn is(&self, label: &str) -> bool {
        self.id == label || self.name.as_deref() == Some(label)
    }

    /// The name people gave it, else its id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

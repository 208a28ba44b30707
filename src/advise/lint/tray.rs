//! What a lint holds back so that it can be told in order, once, and with its place.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::spot::{elsewhere, spot};
use crate::advise::record::{Finding, LintSummary, Located, Severity, Spot, Untold};
use crate::sql::record::Statement;

/// Findings that are held back until they are given out in order.
pub(super) const HELD: usize = 1_000;
/// Look-alikes, not in a row, on which the same finding is told one by one.
pub(super) const TOLD: usize = 3;
/// Statements whose text is kept for a finding that only shows later: the latest, and the first of each kind.
pub(super) const KEPT: usize = 500;
/// Bytes of the longest text that is kept for that.
const LONGEST_KEPT: usize = 4 * 1024;
/// Different reasons of one rule that are told apart.
const REASONS: usize = 8;

/// Findings and places that are held back; bounded, whatever the script's length.
#[derive(Default)]
pub(super) struct Tray {
    pub(super) held: Vec<Held>,
    /// How often a rule was told of look-alikes that are held.
    told: BTreeMap<(String, String), usize>,
    pub(super) latest: VecDeque<Statement>,
    pub(super) firsts: BTreeMap<String, Statement>,
    digests: BTreeSet<String>,
    untold: BTreeMap<(String, String), Untold>,
    summary: LintSummary,
    file: String,
}

pub(super) struct Held {
    number: u64,
    digest: String,
    located: Located,
}

impl Tray {
    /// Counts a statement that was read.
    pub(super) fn count(&mut self, statement: &Statement) {
        self.summary.statements += 1;
        if self.file != statement.origin.file {
            self.file.clone_from(&statement.origin.file);
            self.summary.files += 1;
        }
    }

    /// Keeps a finding, or adds it to the look-alike that stands for it. `looked_at` is the statement that was judged, and
    /// stands for `count` in a row; a finding about an earlier one stands in the stead of what the same rule said of that.
    pub(super) fn hold(&mut self, finding: Finding, looked_at: Option<&Statement>, count: u64) {
        let own = looked_at.filter(|statement| finding.statement.as_ref() == Some(&statement.id));
        let spot = self.spot_of(&finding, looked_at);
        match own {
            Some(statement) if !statement.digest.is_empty() => {
                let told = self.told.entry((finding.rule.clone(), statement.digest.clone())).or_default();
                if *told >= TOLD {
                    let same =
                        |held: &&mut Held| held.digest == statement.digest && held.located.finding.rule == finding.rule;
                    if let Some(held) = self.held.iter_mut().rev().find(same) {
                        let more = held.located.more.as_ref().map_or(0, |(more, _)| *more) + count;
                        held.located.more = Some((more, spot.from));
                        return;
                    }
                }
                *told += 1;
            }
            None if looked_at.is_some() => self.held.retain(|held| {
                held.located.finding.rule != finding.rule || held.located.finding.statement != finding.statement
            }),
            _ => {}
        }
        let number = finding.statement.as_deref().map_or(u64::MAX, number_of);
        let digest = own.map(|statement| statement.digest.clone()).unwrap_or_default();
        let count = if own.is_some() { count } else { 1 };
        self.held.push(Held { number, digest, located: Located { finding, spot, count, more: None } });
    }

    /// What is to be told now, because too much is held.
    pub(super) fn overflow(&mut self) -> Vec<Located> {
        if self.held.len() > HELD { self.give(HELD / 2) } else { Vec::new() }
    }

    /// All that is left, and what it comes to.
    pub(super) fn finish(mut self) -> (Vec<Located>, LintSummary) {
        let left = self.give(0);
        self.summary.unchecked = self.untold.into_values().collect();
        (left, self.summary)
    }

    /// Gives out what is held, the last `rest` apart.
    fn give(&mut self, rest: usize) -> Vec<Located> {
        let order = |held: &Held| (held.number, Reverse(held.located.finding.severity));
        self.held
            .sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.located.finding.rule.cmp(&b.located.finding.rule)));
        let given: Vec<Held> = self.held.drain(..self.held.len().saturating_sub(rest)).collect();
        self.told.clear();
        for held in self.held.iter().filter(|held| !held.digest.is_empty()) {
            *self.told.entry((held.located.finding.rule.clone(), held.digest.clone())).or_default() += 1;
        }
        for Held { located, .. } in &given {
            match located.finding.severity {
                Severity::Error => self.summary.errors += 1,
                Severity::Warning => self.summary.warnings += 1,
                Severity::Info => self.summary.infos += 1,
            }
        }
        given.into_iter().map(|held| held.located).collect()
    }

    /// Where a finding stands: in the statement that is looked at, in an earlier one, or at a line of its own.
    fn spot_of(&self, finding: &Finding, looked_at: Option<&Statement>) -> Spot {
        let id = finding.statement.as_deref().unwrap_or_default();
        let known = looked_at
            .filter(|statement| statement.id == id)
            .or_else(|| self.latest.iter().find(|statement| statement.id == id))
            .or_else(|| self.firsts.get(id));
        let line = finding.evidence.get("line").and_then(serde_json::Value::as_u64);
        let file = finding.evidence.get("file").and_then(serde_json::Value::as_str);
        match (known, line, file) {
            (_, Some(line), Some(file)) => elsewhere(known.map_or(id, Statement::label), file, line),
            (Some(statement), _, _) => spot(statement, finding),
            // It is long gone: the place where it showed is better than none.
            (None, _, _) => match looked_at {
                Some(shown) => elsewhere(id, &shown.origin.file, shown.origin.line),
                None => elsewhere(id, "", 0),
            },
        }
    }

    /// Keeps a statement's text for findings that only show later.
    pub(super) fn keep(&mut self, mut statement: Statement) {
        if statement.text.len() > LONGEST_KEPT {
            let cut = (0..=LONGEST_KEPT).rev().find(|at| statement.text.is_char_boundary(*at)).unwrap_or(0);
            statement.text.truncate(cut);
            statement.text.shrink_to_fit();
        }
        if self.digests.len() < KEPT && !self.digests.contains(&statement.digest) {
            self.digests.insert(statement.digest.clone());
            self.firsts.insert(statement.id.clone(), statement.clone());
        }
        if self.latest.len() >= KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(statement);
    }

    /// Keeps what could not be told, each reason once.
    pub(super) fn untell(&mut self, rule: String, why: String, statement: Option<&Statement>, count: u64) {
        let mut key = (rule, why);
        if !self.untold.contains_key(&key) {
            let of_rule = self.untold.keys().filter(|(rule, _)| *rule == key.0).count();
            if of_rule >= REASONS {
                key.1 = "for other reasons of this kind".to_owned();
            }
        }
        let (rule, why) = key.clone();
        let first = || statement.map(|statement| (statement.label().to_owned(), statement.origin.clone()));
        let untold = self.untold.entry(key).or_insert_with(|| Untold { rule, why, first: first(), count: 0 });
        untold.count += count;
    }
}

/// The place of a statement in its script, by its id.
fn number_of(id: &str) -> u64 {
    id.trim_start_matches('s').parse().unwrap_or(u64::MAX)
}

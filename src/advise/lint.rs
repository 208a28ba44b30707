//! Judges a stream of statements that nobody runs: by their text and, where there is one, by a survey.
//!
//! Holds only the run of look-alikes that is being read, what later statements need of earlier ones, and so many findings
//! that those of an ordinary script can be given out in order; a longer script's are given out as they come.

pub(super) mod spot;
mod tray;

use self::tray::Tray;
use super::evidence::Evidence;
use super::judge::Judge;
use super::record::{Allowance, Findings, LintSummary, Located};
use crate::sql::record::{Kind, Statement};

/// A lint under way.
pub struct Lint<'a> {
    judge: Judge<'a>,
    group: Option<Group>,
    tray: Tray,
}

/// Look-alikes in a row.
struct Group {
    first: Statement,
    count: u64,
}

impl<'a> Lint<'a> {
    /// Nothing read yet; `today` is a date such as `2026-11-20`, which allowances are held against.
    pub fn new(evidence: &'a Evidence<'a>, allow: &'a [Allowance], today: &'a str) -> Self {
        Self { judge: Judge::new(evidence, allow, today), group: None, tray: Tray::default() }
    }

    /// Takes the next statement in; yields findings that are to be told now, in order.
    pub fn take(&mut self, statement: Statement) -> Vec<Located> {
        self.tray.count(&statement);
        if let Some(group) = self.group.as_mut().filter(|group| alike(&group.first, &statement)) {
            group.count += 1;
            return Vec::new();
        }
        if let Some(group) = self.group.replace(Group { first: statement, count: 1 }) {
            look(&mut self.judge, &mut self.tray, group);
        }
        self.tray.overflow()
    }

    /// The end of the script: what is left to be told, and what it all comes to.
    pub fn finish(mut self) -> (Vec<Located>, LintSummary) {
        if let Some(group) = self.group.take() {
            look(&mut self.judge, &mut self.tray, group);
        }
        let Self { judge, mut tray, .. } = self;
        let Findings { findings, unchecked, .. } = judge.finish();
        for finding in findings {
            tray.hold(finding, None, 1);
        }
        for unchecked in unchecked {
            tray.untell(unchecked.rule, unchecked.why, None, 1);
        }
        tray.finish()
    }
}

fn look(judge: &mut Judge<'_>, tray: &mut Tray, group: Group) {
    let Group { first: statement, count } = group;
    let Findings { findings, unchecked, .. } = judge.look(&statement, None, count);
    for unchecked in unchecked {
        tray.untell(unchecked.rule, unchecked.why, Some(&statement), count);
    }
    for finding in findings {
        tray.hold(finding, Some(&statement), count);
    }
    tray.keep(statement);
}

/// Two statements in a row that one finding can stand for.
fn alike(first: &Statement, next: &Statement) -> bool {
    (first.reading.kind.is_dml() || first.reading.kind == Kind::Select)
        && first.digest == next.digest
        && !next.digest.is_empty()
        && first.session == next.session
        && first.origin.file == next.origin.file
        && first.name == next.name
        && first.ignores.is_empty()
        && next.ignores.is_empty()
}

#[cfg(test)]
mod tests;

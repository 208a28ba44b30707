//! What rules may ask: one statement's text, its two runs, the tables it meets, and what was tried in its place.

use std::collections::{BTreeMap, BTreeSet};

use super::births::{Births, Rows};
use super::history::History;
use super::history::session::SessionPast;
use super::limits::{self, Side};
use super::record::{Budget, Severity, Trial};
use crate::replay::record::{Drill, Observation, Outcome, Rehearsal, TableChanges};
use crate::server::flavor::Flavor;
use crate::sql::record::{Kind, Statement, TableName};
use crate::survey::record::{Basis, Survey, TableFacts};
use crate::watch::record::{Blocked, ProbeKind};

/// A request that waited longer than this was blocked; shorter waits are noise (the probes' own threshold, seconds).
pub const NOTICEABLE_SECONDS: f64 = 0.05;

/// Rows that one statement may change before a DBA asks for batches: the batch size that blocked least (measured on
/// MySQL 9.7 and MariaDB 10.11: 10,000 rows blocked 0.1 s, 50,000 rows 0.3 s).
pub const MANY_ROWS: u64 = 10_000;

/// A number of rows, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Rows at production's size.
    pub rows: u64,
    /// Where that number comes from.
    pub basis: Basis,
    /// Rows in the rehearsal, when that was smaller.
    pub rehearsed: Option<u64>,
}

/// All that is known of an upgrade. What was not looked at is none, and rules that need it say so.
#[derive(Default)]
pub struct Evidence<'a> {
    /// Production's shape and sizes.
    pub survey: Option<&'a Survey>,
    /// The loud run.
    pub loud: Option<&'a Rehearsal>,
    /// The quiet run's observations by the id of their (first) statement.
    pub quiet: BTreeMap<&'a str, &'a Observation>,
    /// Tables before and after.
    pub changes: Option<&'a TableChanges>,
    /// What was tried, by the statement that it stands in for.
    pub trials: BTreeMap<&'a str, Vec<&'a Trial>>,
    /// What was rehearsed to go wrong, by its statement.
    pub drills: BTreeMap<&'a str, Vec<&'a Drill>>,
    /// What the upgrade may do to the application; none for the defaults.
    pub budget: Option<&'a Budget>,
    /// The server rehearsed on.
    pub flavor: Option<Flavor>,
    /// Severities of rules that somebody set over their own.
    pub severity: Option<&'a BTreeMap<String, Severity>>,
}

impl Evidence<'_> {
    /// The longest wait of a probe while nothing ran (seconds); 0 when none was seen.
    pub fn steady(&self, table: &TableName, probe: ProbeKind) -> f64 {
        let steady = self.loud.map_or(&[][..], |loud| &loud.steady);
        steady
            .iter()
            .filter(|blocked| blocked.table == *table && blocked.probe == probe)
            .map(|blocked| blocked.longest_seconds)
            .fold(0.0, f64::max)
    }

    /// True for a wait that is longer than what the same probe met while nothing ran.
    pub fn is_blocked(&self, blocked: &Blocked) -> bool {
        blocked.longest_seconds > NOTICEABLE_SECONDS.max(self.steady(&blocked.table, blocked.probe))
    }

    /// The tables that probes asked at any time.
    pub fn probed(&self) -> BTreeSet<&TableName> {
        let Some(loud) = self.loud else { return BTreeSet::new() };
        let during = loud.observations.iter().flat_map(|observation| &observation.blocked);
        let failed = loud.observations.iter().flat_map(|observation| &observation.failed);
        during.chain(&loud.steady).map(|blocked| &blocked.table).chain(failed.map(|failed| &failed.table)).collect()
    }

    /// How many times larger than the sandbox's a production table is; 1 when it is not known to be larger.
    pub fn enlargement(&self, table: &TableName) -> f64 {
        let rehearsed = self.changes.and_then(|changes| changes.get(table)).and_then(|change| change.rows_before);
        let production = self.survey.and_then(|survey| survey.tables.get(table)).map(|facts| facts.rows);
        match (rehearsed, production) {
            (Some(rehearsed), Some(production)) if rehearsed > 0 && production > rehearsed => {
                production as f64 / rehearsed as f64
            }
            _ => 1.0,
        }
    }
}

/// All that is known of one statement (or of a group of look-alikes, by its first).
pub struct Subject<'a> {
    /// The whole.
    pub evidence: &'a Evidence<'a>,
    /// The tables as the statements before have left them.
    pub births: &'a Births,
    /// What the statements before said.
    pub history: &'a History,
    /// The statement.
    pub statement: &'a Statement,
    /// What it did, and to whom.
    pub loud: Option<&'a Observation>,
    /// What it did alone.
    pub quiet: Option<&'a Observation>,
    /// How many look-alikes in a row it stands for, where it did not run.
    pub alike: u64,
}

impl<'a> Subject<'a> {
    /// The verb.
    pub fn kind(&self) -> Kind {
        self.statement.reading.kind
    }

    /// What the statements before, of the same session, have left it in.
    pub fn session(&self) -> &'a SessionPast {
        self.history.session(self.statement.session)
    }

    /// Its runs, the quiet one first: for what does not depend on who watches.
    pub fn observed(&self) -> Option<&'a Observation> {
        self.quiet.or(self.loud).filter(|observation| observation.outcome != Outcome::Skipped)
    }

    /// Its own time in seconds.
    pub fn seconds(&self) -> Option<f64> {
        self.observed().map(|observation| observation.seconds)
    }

    /// How many look-alikes it stands for.
    pub fn count(&self) -> u64 {
        self.loud.or(self.quiet).map_or(self.alike, |observation| observation.count).max(1)
    }

    /// The table whose rows a single-table statement changes.
    pub fn target(&self) -> Option<&'a TableName> {
        let effect = &self.statement.reading.effect;
        let mut writes = effect.writes.iter();
        match (writes.next(), writes.next(), effect.multi_table) {
            (Some(table), None, false) => Some(table),
            _ => None,
        }
    }

    /// It removes every row of its table, by its text.
    pub fn empties_target(&self) -> bool {
        self.target().is_some_and(|table| self.statement.reading.effect.empties.contains(table))
    }

    /// The surveyed facts of a table, under the name that it has now.
    pub fn facts(&self, table: &TableName) -> Option<&'a TableFacts> {
        let surveyed = self.births.surveyed(table, self.evidence.survey)?;
        self.evidence.survey?.tables.get(surveyed)
    }

    /// The upgrade itself created the table.
    pub fn created_here(&self, table: &TableName) -> bool {
        self.births.made(table)
    }

    /// Rows of a table before the statement; none when they are not known.
    pub fn rows_of(&self, table: &TableName) -> Option<Figure> {
        let standing = self.births.standing(table, self.evidence.survey)?;
        match standing.rows {
            Rows::Exactly(rows) => Some(Figure { rows, basis: Basis::Measured, rehearsed: None }),
            Rows::Unknown => None,
            Rows::AsSurveyed => {
                let name = standing.surveyed?;
                let survey = self.evidence.survey?;
                let facts = survey.tables.get(&name)?;
                let before = self.evidence.changes.and_then(|changes| changes.get(&name)).and_then(|c| c.rows_before);
                // A schema's text tells no rows, and nobody stated any.
                let unsaid = survey.taken.is_none() && facts.rows_basis == Basis::Estimated && facts.rows == 0;
                match before {
                    None if unsaid && self.evidence.loud.is_none() => None,
                    Some(before) if before >= facts.rows => {
                        Some(Figure { rows: before, basis: Basis::Measured, rehearsed: None })
                    }
                    before => Some(Figure { rows: facts.rows, basis: facts.rows_basis, rehearsed: before }),
                }
            }
        }
    }

    /// Rows that one such statement changes at production's size; none when it was not run (or, without a rehearsal,
    /// its text does not tell).
    pub fn rows_changed(&self) -> Option<Figure> {
        let table = self.target();
        let all = || table.filter(|_| self.empties_target()).and_then(|table| self.rows_of(table));
        let Some(observed) = self.observed() else { return all() };
        let affected = observed.rows.affected / self.count();
        let surveyed = table.and_then(|table| self.births.standing(table, self.evidence.survey));
        let name = surveyed.filter(|standing| standing.rows == Rows::AsSurveyed).and_then(|standing| standing.surveyed);
        let factor = name.map_or(1.0, |name| self.evidence.enlargement(&name));
        if factor <= 1.0 || self.count() > 1 {
            return Some(Figure { rows: affected, basis: Basis::Measured, rehearsed: None });
        }
        let rows = all().map_or((affected as f64 * factor).round() as u64, |figure| figure.rows);
        Some(Figure { rows, basis: Basis::Extrapolated, rehearsed: Some(affected) })
    }

    /// One such statement changes more rows than its budget, or than one statement should.
    pub fn changes_many_rows(&self) -> bool {
        self.rows_changed().is_some_and(|figure| figure.rows > self.rows_limit().unwrap_or(MANY_ROWS))
    }

    /// The budget for rows that one statement may change.
    pub fn rows_limit(&self) -> Option<u64> {
        let budget = self.evidence.budget?;
        match self.target() {
            Some(table) => limits::rows_limit(budget, table),
            None => budget.rows_per_statement.map(|count| count.0),
        }
    }

    /// Its longest waits by table on one side (the commit probe apart), longest first; noise left out.
    pub fn blocked(&self, side: Side) -> Vec<&'a Blocked> {
        let mut longest: BTreeMap<&TableName, &Blocked> = BTreeMap::new();
        let all = self.loud.map_or(&[][..], |loud| &loud.blocked);
        let of_side = |blocked: &&Blocked| blocked.probe != ProbeKind::Commit && Side::of(blocked.probe) == side;
        for blocked in all.iter().filter(of_side).filter(|blocked| self.evidence.is_blocked(blocked)) {
            let known = longest.entry(&blocked.table).or_insert(blocked);
            if blocked.longest_seconds > known.longest_seconds {
                *known = blocked;
            }
        }
        let mut longest: Vec<_> = longest.into_values().collect();
        longest.sort_by(|a, b| b.longest_seconds.total_cmp(&a.longest_seconds));
        longest
    }

    /// The longest stall of a commit on an untouched table; none where it was noise.
    pub fn commit_stall(&self) -> Option<&'a Blocked> {
        let all = self.loud.map_or(&[][..], |loud| &loud.blocked);
        all.iter()
            .filter(|blocked| blocked.probe == ProbeKind::Commit && self.evidence.is_blocked(blocked))
            .max_by(|a, b| a.longest_seconds.total_cmp(&b.longest_seconds))
    }

    /// The limit for a table (seconds); none where `none` lifts it.
    pub fn limit(&self, table: &TableName, side: Side) -> Option<f64> {
        let default = Budget::default();
        let budget = self.evidence.budget.unwrap_or(&default);
        limits::limit(budget, table, side).0.map(|duration| duration.as_secs_f64())
    }

    /// Error when it blocks, or changes rows, over its budget; `otherwise` when it does not.
    pub fn weigh(&self, otherwise: Severity) -> Severity {
        let over = |side| {
            let limit = |blocked: &Blocked| self.limit(&blocked.table, side);
            self.blocked(side)
                .into_iter()
                .any(|blocked| limit(blocked).is_some_and(|limit| blocked.longest_seconds > limit))
        };
        let too_many = match (self.rows_changed(), self.evidence.budget.and_then(|_| self.rows_limit())) {
            (Some(figure), Some(limit)) => figure.rows > limit,
            _ => false,
        };
        if too_many || over(Side::Read) || over(Side::Write) { Severity::Error } else { otherwise }
    }

    /// What was tried in its place.
    pub fn trials(&self) -> &[&'a Trial] {
        self.evidence.trials.get(self.statement.id.as_str()).map_or(&[], Vec::as_slice)
    }

    /// What was rehearsed to go wrong with it.
    pub fn drills(&self) -> &[&'a Drill] {
        self.evidence.drills.get(self.statement.id.as_str()).map_or(&[], Vec::as_slice)
    }

    /// The statement's label when its locks were kept by a transaction until a later statement.
    pub fn locks_outlive_it(&self) -> Option<&'a str> {
        let observed = self.loud?;
        observed.locks_until.as_deref().filter(|until| *until != self.statement.id && *until != observed.last_id)
    }
}

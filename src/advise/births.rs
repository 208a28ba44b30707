//! What the upgrade itself has made of the tables so far: created, filled, emptied, renamed, dropped.
//!
//! An index on a table that was created a moment ago and is empty is no risk; on one that was created and filled it is.

use std::collections::BTreeMap;

use crate::replay::record::{Observation, Outcome};
use crate::sql::record::{Effect, Kind, Renames, Statement, TableName};
use crate::survey::record::Survey;

/// How many rows a table has, as far as the statements before tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// About as many as the survey says.
    AsSurveyed,
    /// So many, counted from what the statements reported.
    Exactly(u64),
    /// It cannot be told.
    Unknown,
}

/// What is behind a name at some point of the upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The surveyed table that it is; none for a table that the upgrade created.
    pub surveyed: Option<TableName>,
    /// Its rows.
    pub rows: Rows,
}

/// The tables as the upgrade has left them so far.
#[derive(Clone, Debug, Default)]
pub struct Births {
    /// What differs from the survey; none for a name behind which there is nothing any more.
    changed: BTreeMap<TableName, Option<Standing>>,
}

impl Births {
    /// What is behind a name now; none when there is no such table, or it is not known.
    pub fn standing(&self, table: &TableName, survey: Option<&Survey>) -> Option<Standing> {
        match self.changed.get(table) {
            Some(standing) => standing.clone(),
            None => survey
                .is_some_and(|survey| survey.tables.contains_key(table))
                .then(|| Standing { surveyed: Some(table.clone()), rows: Rows::AsSurveyed }),
        }
    }

    /// The upgrade itself has dropped what was behind the name, if there was anything.
    pub fn is_dropped(&self, table: &TableName) -> bool {
        matches!(self.changed.get(table), Some(None))
    }

    /// The surveyed table that a name stands for now; none for one that the upgrade made, or that is not there.
    pub fn surveyed<'t>(&'t self, table: &'t TableName, survey: Option<&Survey>) -> Option<&'t TableName> {
        match self.changed.get(table) {
            Some(standing) => standing.as_ref()?.surveyed.as_ref(),
            None => survey.is_some_and(|survey| survey.tables.contains_key(table)).then_some(table),
        }
    }

    /// The upgrade itself made what has this name now.
    pub fn made(&self, table: &TableName) -> bool {
        matches!(self.changed.get(table), Some(Some(Standing { surveyed: None, .. })))
    }

    /// Takes one statement into account. Without an observation it counts as done, with an unknown number of rows.
    pub fn apply(&mut self, statement: &Statement, observed: Option<&Observation>, survey: Option<&Survey>) {
        if observed.is_some_and(|observation| observation.outcome != Outcome::Done) {
            return;
        }
        let effect = &statement.reading.effect;
        let affected = observed.map(|observation| observation.rows.affected);
        match statement.reading.kind {
            Kind::CreateTable => self.create(effect, affected, survey),
            Kind::DropTable => {
                for table in &effect.drops {
                    self.changed.insert(table.clone(), None);
                }
            }
            Kind::Truncate => {
                for table in &effect.empties {
                    self.set_rows(table, Rows::Exactly(0), survey);
                }
            }
            Kind::Insert | Kind::Replace | Kind::LoadData | Kind::Delete => self.change(statement, affected, survey),
            Kind::Call | Kind::Opaque | Kind::Execute => self.lose_count(),
            _ => {}
        }
        self.rename(&effect.renames, survey);
    }

    fn create(&mut self, effect: &Effect, affected: Option<u64>, survey: Option<&Survey>) {
        for table in &effect.defines {
            if self.standing(table, survey).is_some() {
                continue; // IF NOT EXISTS on a table that is there
            }
            let rows = match affected {
                Some(rows) => Rows::Exactly(rows),
                // What a foreign key or LIKE reads are no rows for it.
                None if !effect.writes.contains(table) => Rows::Exactly(0),
                None => Rows::Unknown,
            };
            self.changed.insert(table.clone(), Some(Standing { surveyed: None, rows }));
        }
    }

    fn change(&mut self, statement: &Statement, affected: Option<u64>, survey: Option<&Survey>) {
        let effect = &statement.reading.effect;
        for table in &effect.writes {
            let Some(standing) = self.standing(table, survey) else { continue };
            let emptied = effect.empties.contains(table);
            let was_empty = standing.rows == Rows::AsSurveyed
                && survey.and_then(|survey| survey.tables.get(table)).is_some_and(|facts| facts.rows == 0);
            let before = if was_empty { Rows::Exactly(0) } else { standing.rows };
            let rows = match (before, affected) {
                _ if emptied => Rows::Exactly(0),
                (Rows::AsSurveyed, _) => continue,
                (Rows::Exactly(rows), Some(count)) if effect.writes.len() == 1 => {
                    if statement.reading.kind == Kind::Delete {
                        Rows::Exactly(rows.saturating_sub(count))
                    } else {
                        Rows::Exactly(rows.saturating_add(count))
                    }
                }
                _ => Rows::Unknown,
            };
            self.set_rows(table, rows, survey);
        }
    }

    fn set_rows(&mut self, table: &TableName, rows: Rows, survey: Option<&Survey>) {
        if let Some(standing) = self.standing(table, survey) {
            self.changed.insert(table.clone(), Some(Standing { rows, ..standing }));
        }
    }

    /// After a statement that may have done anything, no count of ours holds.
    fn lose_count(&mut self) {
        for standing in self.changed.values_mut().flatten() {
            standing.rows = Rows::Unknown;
        }
    }

    /// All names of one RENAME at once; what goes through an interim name (`a → x, b → a, x → b`) in a second round.
    fn rename(&mut self, renames: &Renames, survey: Option<&Survey>) {
        let mut rest: Vec<_> = renames.iter().collect();
        for _ in 0..2 {
            let (known, unknown): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|(from, _)| self.standing(from, survey).is_some());
            let moved: Vec<_> = known.iter().map(|(from, to)| (*to, self.standing(from, survey))).collect();
            for (from, _) in known {
                self.changed.insert(from.clone(), None);
            }
            for (to, standing) in moved {
                self.changed.insert(to.clone(), standing);
            }
            rest = unknown;
        }
    }
}

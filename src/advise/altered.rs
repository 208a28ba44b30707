//! The table that a statement alters, for the rules on definitions.

use super::evidence::Subject;
use super::size::Size;
use crate::replay::record::{Algorithm, Outcome};
use crate::sql::record::{AlterClass, AlterClause, Kind, TableName};

/// An ALTER TABLE, CREATE INDEX or DROP INDEX on a table that somebody else may be using.
#[derive(Clone, Copy, Debug)]
pub struct Altered<'a> {
    /// The table, under the name that it has before.
    pub table: &'a TableName,
    /// What is asked, in order.
    pub clauses: &'a [AlterClause],
    /// How large it is.
    pub size: Size,
}

impl<'a> Altered<'a> {
    /// None for other statements, for a temporary table, and for one that the upgrade itself made and that is still
    /// empty: nobody can notice what is done to these.
    pub fn of(subject: &Subject<'a>) -> Option<Self> {
        let effect = &subject.statement.reading.effect;
        if !matches!(subject.kind(), Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex) || effect.temporary {
            return None;
        }
        let table = effect.defines.iter().next()?;
        let size = Size::of(subject, table);
        let nobody = subject.created_here(table) && size.is_empty();
        (!nobody).then_some(Self { table, clauses: &effect.clauses, size })
    }

    /// Its clauses of these classes, in order.
    pub fn clauses_of(&self, classes: &'static [AlterClass]) -> impl Iterator<Item = &'a AlterClause> {
        self.clauses.iter().filter(|clause| classes.contains(&clause.class))
    }

    /// It writes the table anew: as its run showed, else as the forecast says; none where neither tells.
    pub fn writes_anew(&self, subject: &Subject<'_>) -> Option<bool> {
        let runs = [subject.quiet, subject.loud].into_iter().flatten();
        let ran = runs.filter(|observed| observed.outcome == Outcome::Done).find_map(|observed| observed.ddl);
        if let Some(facts) = ran {
            return Some(facts.rebuilds || facts.algorithm == Algorithm::Copy);
        }
        let forecast = subject.forecast()?.ok()?;
        Some(forecast.rebuilds && forecast.refused.is_none())
    }

    /// It has no clause of any other class, but for how it is to be done.
    pub fn says_only(&self, classes: &'static [AlterClass]) -> bool {
        let own = |class| classes.contains(&class) || matches!(class, AlterClass::Algorithm | AlterClass::Lock);
        self.clauses.iter().all(|clause| own(clause.class))
    }

    /// It has a clause of one of these classes.
    pub fn has(&self, classes: &'static [AlterClass]) -> bool {
        self.clauses_of(classes).next().is_some()
    }
}

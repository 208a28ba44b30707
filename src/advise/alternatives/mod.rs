//! Other ways to do a statement's work, as scripts, each eligible or refused with all its reasons.
//!
//! What is eligible may be tried; only what was tried, and gave the same result, may be recommended.

mod batches;
mod compose;
mod ground;
mod swap;
mod truncate;
mod words;

use super::evidence::NOTICEABLE_SECONDS;
use super::record::Alternative;
use crate::replay::record::{Observation, Outcome};
use crate::server::flavor::Flavor;
use crate::sql::record::{Kind, Statement};
use crate::survey::record::Survey;
use ground::Ground;

/// Below this many rows, changed without blocking anybody, another way is not worth its trial.
const FEW_ROWS: u64 = 1_000;

/// The alternatives to a statement. Empty for statements that have none, for those that failed, for groups of
/// look-alikes, and where the rehearsal showed that so few rows were changed that another way is not worth its trial.
pub fn of(statement: &Statement, observed: Option<&Observation>, survey: &Survey, flavor: Flavor) -> Vec<Alternative> {
    let effect = &statement.reading.effect;
    let Some(table) = effect.empties.iter().chain(&effect.writes).next() else { return Vec::new() };
    if !matches!(statement.reading.kind, Kind::Delete | Kind::Update) {
        return Vec::new();
    }
    let facts = survey.tables.get(table);
    let empties = statement.reading.kind == Kind::Delete && effect.empties.contains(table);
    if let Some(observed) = observed {
        let few = observed.rows.affected < FEW_ROWS && observed.longest_blocked(|_| true) <= NOTICEABLE_SECONDS;
        let few_in_production = !empties || facts.is_none_or(|facts| facts.rows < FEW_ROWS);
        if observed.outcome != Outcome::Done || observed.count > 1 || (few && few_in_production) {
            return Vec::new();
        }
    }
    let ground = Ground { statement, table, facts, observed, survey, flavor };
    if empties {
        vec![truncate::truncate(&ground), swap::swap(&ground), batches::batches(&ground)]
    } else {
        vec![batches::batches(&ground)]
    }
}

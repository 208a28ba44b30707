//! Other ways to do a statement's work, as scripts, each eligible or refused with all its reasons.

use super::record::Alternative;
use crate::replay::record::Observation;
use crate::server::flavor::Flavor;
use crate::sql::record::Statement;
use crate::survey::record::Survey;

/// The alternatives to a statement. Empty for statements that have none, and where the rehearsal showed that so few
/// rows were changed that another way is not worth its trial.
pub fn of(statement: &Statement, observed: Option<&Observation>, survey: &Survey, flavor: Flavor) -> Vec<Alternative> {
    let _ = (statement, observed, survey, flavor);
    Vec::new()
}

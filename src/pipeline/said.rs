//! The upgrade's statements as a plan needs them: each with the session that it runs in.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::plan::Said;
use crate::sql::record::Statement;
use crate::sql::script::Script;
use crate::sql::session_state::SessionState;

/// A plan holds this many statements, and this many bytes of them; of more, the rest is in `upgrade.sql`.
const PLAN_STATEMENTS: usize = 20_000;
const PLAN_BYTES: usize = 32 << 20;

/// The upgrade's statements.
pub struct Spoken {
    /// How many there are.
    pub count: u64,
    /// By id, as many as a plan holds.
    pub statements: BTreeMap<String, Said>,
    /// Those that were wanted, by id, however many the plan holds.
    pub wanted: BTreeMap<String, Statement>,
}

/// Reads them. `database` is the one in use when the upgrade begins.
///
/// # Errors
/// When the script cannot be read.
pub fn of(script: &Script, database: &str, wanted: &BTreeSet<String>) -> Result<Spoken> {
    let mut state = SessionState::default();
    let mut bytes = 0;
    let mut spoken = Spoken { count: 0, statements: BTreeMap::new(), wanted: BTreeMap::new() };
    for action in script.actions()? {
        let statement = action?.into_statement();
        spoken.count += 1;
        bytes += statement.text.len();
        if wanted.contains(&statement.id) {
            spoken.wanted.insert(statement.id.clone(), statement.clone());
        }
        if spoken.statements.len() < PLAN_STATEMENTS && bytes < PLAN_BYTES {
            let database = match state.database() {
                "" => database.to_owned(),
                in_use => in_use.to_owned(),
            };
            let said = Said { statement: statement.clone(), database, preamble: state.preamble() };
            spoken.statements.insert(statement.id.clone(), said);
        }
        state.apply(&statement);
    }
    Ok(spoken)
}

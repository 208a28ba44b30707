//! Questions that may stay unanswered: what the account may not read becomes a sentence, a lost connection an error.

use anyhow::{Context, Result};

use super::answer::Cells;
use crate::server::fault::Fault;
use crate::server::session::ReadOnly;

/// The sentences on what could not be read.
pub type Gaps = Vec<String>;

/// A query's rows; none and a gap when the server refuses.
///
/// # Errors
/// When the connection is lost.
pub fn ask(reader: &mut ReadOnly, sql: &str, what: &str, gaps: &mut Gaps) -> Result<Vec<Cells>> {
    answered(reader.rows(sql), what, gaps).map(Option::unwrap_or_default)
}

/// The one row of a query; none and a gap when the server refuses.
///
/// # Errors
/// When the connection is lost.
pub fn ask_one(reader: &mut ReadOnly, sql: &str, what: &str, gaps: &mut Gaps) -> Result<Option<Cells>> {
    answered(reader.first(sql), what, gaps).map(Option::flatten)
}

fn answered<T>(answer: Result<T, Fault>, what: &str, gaps: &mut Gaps) -> Result<Option<T>> {
    match answer {
        Ok(rows) => Ok(Some(rows)),
        Err(fault) if fault.is_connection_lost() => Err(fault).with_context(|| format!("cannot read {what}")),
        Err(fault) => {
            gaps.push(format!("{what} could not be read: {fault}"));
            Ok(None)
        }
    }
}

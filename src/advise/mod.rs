//! Judges what a rehearsal showed: risks by rule, each with its evidence, and alternatives as scripts to be rehearsed.
//!
//! Pure. One catalogue, one rule shape; an alternative is an [`Action`](crate::sql::record::Action) list, so the one
//! loop can run it.

pub mod record;

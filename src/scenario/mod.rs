//! A whole rehearsal in one file, and what it expects. Pure.

pub mod expect;
pub mod record;
pub mod seen;

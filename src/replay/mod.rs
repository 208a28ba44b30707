//! The one loop: an experiment goes in, its [`Rehearsal`](record::Rehearsal) comes out.

pub mod experiment;
pub mod proof;
pub mod record;

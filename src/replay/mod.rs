//! The one loop: an experiment goes in, its [`Rehearsal`](record::Rehearsal) comes out.

pub mod record;

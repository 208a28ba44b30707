//! The one loop: an experiment goes in, its [`Rehearsal`](record::Rehearsal) comes out.

mod course;
pub mod experiment;
pub mod proof;
pub mod record;

pub use course::run;

//! The one loop: an experiment goes in, its [`Rehearsal`](record::Rehearsal) comes out.

mod conditions;
mod course;
pub mod differing;
mod disturb;
mod drive;
pub mod experiment;
mod fold;
pub mod group;
mod knot;
mod minder;
pub mod proof;
pub mod record;

pub use course::run;

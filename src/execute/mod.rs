//! Carries actions out on a [`Writer`](crate::server::session::Writer) and tells what came of each.

pub mod ask;
mod look;
mod reach;
pub mod record;
mod run;
pub(crate) use run::matched;
pub mod session;
pub mod size;
mod transactions;
pub mod twin;
pub mod walk;

pub use ask::enable;
pub use run::{Conditions, Executor};

//! Carries actions out on a [`Writer`](crate::server::session::Writer) and tells what came of each.

mod ask;
mod look;
pub mod record;
mod run;
mod session;
mod transactions;
mod walk;

pub use ask::enable;
pub use run::{Conditions, Executor};

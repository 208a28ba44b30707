//! Carries actions out on a [`Writer`](crate::server::session::Writer) and tells what came of each.

pub mod record;

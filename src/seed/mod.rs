//! Rows, generated to production's counts, or loaded from a dump.
//!
//! In: a survey and a number of rows per table. Out: a server that holds them, and a [`record::Seeding`] that says what
//! could not be had. Every cell is a function of its table, column and row number, so the same survey gives the same
//! rows whatever the number of streams, and a child finds its parent's values without asking the server. Nothing here
//! reads rows of production.

pub mod dump;
pub mod record;
pub mod schema;

mod draw;
mod dump_text;
mod fill;
mod indexes;
mod keys;
mod layout;
mod order;
mod partition;
mod references;
mod rows;
mod session;
mod standing;
mod stream;
mod values;

pub use fill::fill;
pub use schema::create;

//! Shows a rehearsal to people and to programs. Pure: selects and orders, never computes what a stage should have.
//!
//! Records in, [`record::Report`] out; the report then renders as text for a terminal and as markdown for a comment.

pub mod build;
pub mod markdown;
pub mod record;
pub mod text;
mod text_table;
mod verdict;
mod wording;

pub use build::{Input, build};

#[cfg(test)]
mod tests;

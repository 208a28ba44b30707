//! Shows a rehearsal to people and to programs. Pure: selects and orders, never computes what a stage should have.
//!
//! Records in, [`record::Report`] out; the report then renders as text for a terminal, as markdown for a comment and as
//! one page of HTML. What other programs read (SARIF, annotations, code quality, JUnit) is made of [`issues::Issues`], to
//! which a lint leads, too.

pub mod annotations;
pub mod build;
pub mod check;
pub mod code_quality;
pub mod compare;
mod drills;
pub mod html;
pub mod issues;
pub mod junit;
pub mod lint;
pub mod lint_markdown;
pub mod markdown;
mod page;
pub mod record;
pub mod sarif;
pub mod text;
mod text_table;
mod verdict;
mod wording;

pub use build::{Input, build};

#[cfg(test)]
mod tests;

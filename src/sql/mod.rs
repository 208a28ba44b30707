//! What a migration says: scripts split into statements, each read as far as it can be, and what each would touch.
//!
//! Pure: text in, values out. Source text is the truth and is what runs; the re-printed tree of the parser never is.
//! What cannot be read is *opaque*, never skipped and never called safe.

mod alter;
mod client_command;
mod column_definition;
mod compound;
mod ddl;
pub mod digest;
mod dml;
mod effect;
mod parse;
mod placeholder;
pub mod read;
pub mod record;
pub mod retarget;
mod rewrite;
pub mod script;
pub mod sent;
pub mod session_state;
pub mod split;
mod tables;
pub(crate) mod token;
pub(crate) mod tokens;
mod window;

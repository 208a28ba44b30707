//! What a migration says: scripts split into statements, each read as far as it can be, and what each would touch.
//!
//! Pure: text in, values out. Source text is the truth and is what runs; the re-printed tree of the parser never is.
//! What cannot be read is *opaque*, never skipped and never called safe.

mod alter;
mod client_command;
mod compound;
mod ddl;
pub mod digest;
mod dml;
mod effect;
mod parse;
mod placeholder;
pub mod read;
pub mod record;
mod rewrite;
pub mod script;
pub mod session_state;
pub mod split;
mod tables;
mod token;
mod tokens;
mod window;

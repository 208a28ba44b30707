//! What a server holds: its shape, settings and statistics, read without disturbing it; and fingerprints of its content.

pub mod closure;
pub mod compare;
pub mod definition;
pub mod file;
pub mod fingerprint;
pub mod fleet;
pub mod now;
pub mod read;
pub mod record;
pub mod rights;
pub mod schema_text;

pub mod answer;
mod ask;
pub mod catalog;
pub mod columns;
pub mod content;
pub mod guard;
mod indexes;
pub mod mention;
mod objects;
mod server_facts;
mod sizes;
mod statistics;
mod tables;

//! What a server holds: its shape, settings and statistics, read without disturbing it; and fingerprints of its content.

pub mod closure;
pub mod compare;
pub mod definition;
pub mod file;
pub mod fingerprint;
pub mod read;
pub mod record;

mod answer;
mod ask;
mod catalog;
mod columns;
mod content;
mod guard;
mod indexes;
mod mention;
mod objects;
mod rights;
mod server_facts;
mod sizes;
mod statistics;
mod tables;

//! What a server holds: its shape, settings and statistics, read without disturbing it; and fingerprints of its content.

pub mod record;

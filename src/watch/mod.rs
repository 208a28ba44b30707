//! What happens while something runs: one clock, one timeline, probes that ask as the application would, and the
//! server's own views of locks, waits and footprint.

pub mod record;

//! What happens while something runs: one clock, one timeline, probes that ask as the application would, and the
//! server's own views of locks, waits and footprint.

pub mod clock;
pub mod footprint;
pub mod key;
pub mod key_ring;
mod ledger;
pub mod metadata_locks;
pub mod probe;
pub mod probe_plan;
pub mod record;
pub mod row_locks;
pub mod spans;
pub mod tally;
pub mod timeline;
pub mod watcher;
pub mod witness;

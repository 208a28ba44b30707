//! What people type: arguments, settings resolved once, one file per subcommand, progress, exit codes.

pub mod args;
pub mod exit;
pub mod interrupt;

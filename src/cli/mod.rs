//! What people type: arguments, settings resolved once, one file per subcommand, progress, exit codes.

pub mod args;
pub mod exit;
pub mod inputs;
pub mod interrupt;
pub mod layers;
pub mod option_file;
pub mod progress;
pub mod settings;

//! One file per subcommand: what was typed goes in, the exit code comes out.

pub mod completions;
pub mod doctor;
pub mod explain;
pub mod report;
pub mod run;
pub mod survey;
pub mod test;

//! One file per subcommand: what was typed goes in, the exit code comes out.

pub mod apply;
pub mod capture;
pub mod check;
pub mod compare;
pub mod completions;
pub mod doctor;
pub mod enclosed;
pub mod explain;
pub mod fleet;
pub mod lint;
pub mod man;
pub mod plan;
pub mod report;
pub mod run;
pub mod survey;
pub mod test;
pub mod verify;

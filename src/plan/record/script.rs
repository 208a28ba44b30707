//! The scripts of a plan, and what running each in the sandbox showed.

use serde::{Deserialize, Serialize};

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptPhase {
    /// Looks, changes nothing.
    Preflight,
    /// Keeps what a step destroys.
    Backup,
    /// Does it.
    Step,
    /// Looks whether it did.
    Verify,
    /// Goes back; after these the state is the one before.
    Undo,
    /// Brings what was written since a step into what its undo put back.
    Merge,
    /// Drops what was kept.
    Cleanup,
}

/// A script for the stock client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanScript {
    /// Its file, from the directory of the plan: `plan/20-003-tracking-delete-2-step.sql`.
    pub path: String,
    /// What it is for.
    pub phase: ScriptPhase,
    /// The step that it belongs to.
    #[serde(default)]
    pub step: Option<String>,
    /// One line: what it does.
    pub title: String,
    /// When to run it.
    pub when: String,
    /// The statements, as the stock client reads them (DELIMITER included); the header comment is not in it.
    pub sql: String,
    /// The command that does the work, where a program of the server's kit does it: then the statements do nothing.
    #[serde(default)]
    pub shell: Option<Shell>,
    /// What running it in the sandbox showed; none: it was not run.
    #[serde(default)]
    pub rehearsed: Option<Rehearsed>,
}

/// What running a script in the sandbox showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsed {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// How long it took.
    pub seconds: f64,
    /// `done`, or the server's error.
    pub outcome: String,
    /// It ended well.
    pub ok: bool,
    /// The program that ran it, in its own words: `mysql Ver 9.7.4 for Linux on x86_64`. Empty: the stock client was not
    /// there, and `rehearse` read the script as that would.
    #[serde(default)]
    pub by: String,
    /// That program's exit code.
    #[serde(default)]
    pub exit: Option<i32>,
    /// Bytes of the file that it wrote, where it is a dump.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// A command of a plan: what a person types, and its parts for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shell {
    /// The line, for a POSIX shell in the plan's directory.
    pub text: String,
    /// What it runs.
    pub program: ShellProgram,
    /// Its arguments, without those that name the server and the account.
    pub arguments: Vec<String>,
    /// The file that it reads.
    #[serde(default)]
    pub input: Option<String>,
    /// The file that it writes.
    #[serde(default)]
    pub output: Option<String>,
}

/// A program of the server's kit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellProgram {
    /// `mysql`, `mariadb`.
    Client,
    /// `mysqldump`, `mariadb-dump`.
    Dump,
}

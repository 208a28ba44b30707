//! Rehearse a risky MySQL or MariaDB change before production sees it.
//!
//! ```text
//! production ──survey──▶ Survey ──sandbox──▶ Sandbox ──seed──▶ Store (checkpoint)
//!                           │                   │                │
//! the upgrade ──sql──▶ Script                   │                │
//!                           └──────▶ Experiment ◀────────────────┘
//!                                        │  replay: the one loop
//!                                    Rehearsal        (its directory is self-contained from here on)
//!                                        │
//!                                     advise ─▶ Findings ── alternatives ─▶ more Experiments: trials
//!                                        │
//!                                      plan  ─▶ Plan ─▶ one more Experiment: the plan itself, and its undo
//!                                        │
//!                                     report ─▶ people, CI
//! ```
//!
//! The folders are the stages, in story order. Imports run strictly downward; `tests/architecture` holds them to it.

pub mod artifact;
pub mod problem;
pub mod progress;
pub mod quantity;

pub mod advise;
pub mod apply;
pub mod capture;
pub mod cli;
pub mod execute;
pub mod forecast;
pub mod pipeline;
pub mod plan;
pub mod replay;
pub mod report;
pub mod sandbox;
pub mod scenario;
pub mod seed;
pub mod server;
pub mod sql;
pub mod survey;
pub mod watch;

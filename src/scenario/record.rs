//! The whole of `scenario.yaml`, and of `rehearse.yaml`, which holds the same keys.
//!
//! Everything is optional here, because a configuration file gives only some of it; what a run needs and nobody gave is
//! missed where the settings are resolved. Settings of a server stay as they were typed: `10.10` and `0x10` are texts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::expect::Expect;
use crate::advise::record::{Allowance, Budget, Severity};
use crate::quantity::{Count, Rate, Span};
use crate::server::flavor::Flavor;

/// The format line of a scenario.
pub const FORMAT: &str = "rehearse/scenario@1";

/// A whole rehearsal in one file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Always [`FORMAT`].
    pub format: String,
    /// Its name; the folder's when it gives none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// One sentence: why it exists.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The server to rehearse on.
    pub server: Server,
    /// How many servers there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,
    /// What production holds.
    pub production: Production,
    /// What is to be rehearsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// Placeholders of the upgrade's text and what they stand for (`#__: zdz_`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Ways that the plan is to take for statements, by name or id: an alternative's id, or `as-written`
    /// (`tracking-delete: batches`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub choose: BTreeMap<String, String>,
    /// Tables to be probed besides those that the upgrade touches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probe: Vec<String>,
    /// The application beside the upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// False: nothing is rehearsed to go wrong, as with `--no-drills`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drills: Option<bool>,
    /// What the upgrade may do to the application.
    pub budget: Budget,
    /// Findings that somebody accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allowance>,
    /// Severities of rules, over their own: `{drop-table: error}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub severity: BTreeMap<String, Severity>,
    /// What `rehearse check` looks at.
    #[serde(skip_serializing_if = "Check::is_default")]
    pub check: Check,
    /// What holds in one environment only, over the rest; chosen with `--environment`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, Self>,
    /// What `rehearse test` holds the run to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// What `rehearse check` looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Check {
    /// Folders or files of migrations; none: all that are recognised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathBuf>,
    /// Statements on tables of so many rows are rehearsed, whatever the rules say; 10,000 when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rehearse_from: Option<Count>,
    /// Commands that print the SQL of migrations that are programs: by the framework (`django`), or by the folder whose
    /// files are such migrations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub print: BTreeMap<String, Printer>,
}

/// A command that prints the SQL of one migration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Printer {
    /// It and its arguments, which no shell reads; `{path}`, `{name}` and their like are filled.
    pub command: Vec<String>,
    /// Where it runs: the folder of the file in which it stands.
    #[serde(skip)]
    pub home: PathBuf,
}

impl Check {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The server to rehearse on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// `mysql:9.7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavor: Option<Flavor>,
    /// The container image, where it is not the flavour's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Where the sandbox runs: `auto`, `container`, `process` or a server's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Global variables, each as it was typed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// How many servers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Topology {
    /// Replicas of the one primary.
    pub replicas: u32,
    /// Applier threads of each replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Nodes of a Galera cluster, instead of a primary and replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub galera: Option<u32>,
}

/// What production holds: one of `schema`, `survey` and `data`, and how much of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Production {
    /// A file (or directory) of CREATE statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<PathBuf>,
    /// A saved survey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survey: Option<PathBuf>,
    /// A dump with its rows: plain, `.gz` or `.zst`, or a directory of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Rows by table (`table` or `database.table`), over those of the survey.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, Count>,
    /// Share of production's rows that the sandbox gets; 1 when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The database that a schema file fills when it names none; `app` when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

/// What is to be rehearsed: exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upgrade {
    /// SQL files, and directories of them, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sql: Vec<PathBuf>,
    /// A recorded upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<PathBuf>,
    /// A server's log to take the upgrade from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
    /// A command that upgrades the database it is pointed at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Another server on the same data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<NewServer>,
}

/// The server that an upgrade of the server leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewServer {
    /// `mariadb:10.11`.
    pub flavor: Flavor,
    /// Its configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
}

/// The application beside the upgrade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// What pools share, by name.
    pub web_servers: BTreeMap<String, WebServer>,
    /// The pools.
    pub pools: Vec<Pool>,
}

/// A web server, as far as a database notices it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebServer {
    /// Requests that it serves at once.
    pub workers: u32,
}

/// A stream of requests of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// The web server whose workers it takes.
    pub on: String,
    /// How long a request waits before it gives up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How often one comes.
    pub rate: Rate,
    /// What each may ask.
    pub queries: Vec<Query>,
}

/// One query of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Its text.
    pub sql: String,
    /// How often it is asked, against its pool's others; 1 when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

//! Who a session is, so that watchers can leave our own out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the upgrade, an alternative or a plan.
    Upgrade,
    /// Asks a probe's question on a schedule.
    Probe,
    /// Plays the application.
    Pool,
    /// Looks at the server's own tables.
    Watcher,
    /// Fills tables.
    Seeder,
    /// Reads production's or a sandbox's shape.
    Surveyor,
    /// Administers the sandbox: settings, checkpoints, kills.
    Keeper,
}

impl Role {
    /// The name that the session tells the server as its `program_name` connection attribute's suffix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Probe => "probe",
            Self::Pool => "pool",
            Self::Watcher => "watcher",
            Self::Seeder => "seeder",
            Self::Surveyor => "surveyor",
            Self::Keeper => "keeper",
        }
    }
}

/// The sessions that this process has open on one server, by connection id. Cheap to clone; all clones are one roster.
#[derive(Clone, Debug, Default)]
pub struct Roster(Arc<Mutex<BTreeMap<u32, Role>>>);

impl Roster {
    /// Notes a session that has just connected.
    pub fn enter(&self, connection: u32, role: Role) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(connection, role);
    }

    /// Forgets a session that has ended.
    pub fn leave(&self, connection: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }

    /// The role of a connection, or none for a stranger's.
    pub fn role(&self, connection: u32) -> Option<Role> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&connection).copied()
    }
}

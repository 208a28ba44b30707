//! A knot that no server unties at once: the upgrade waits for a metadata lock that requests hold, and these wait for row
//! locks that the upgrade holds. Seen on MySQL 9.7: a COPY of a foreign-key child locks the parent's rows that it looks up;
//! updates of the parent wait for those and hold the child's metadata. Neither side's deadlock detection sees both kinds of
//! lock. In production it lasts until `innodb_lock_wait_timeout` ends the requests (1205); probes wait without end, so
//! that they measure whole waits, and are ended here after the same time.

use crate::server::role::{Role, Roster};
use crate::server::session::Writer;
use crate::watch::witness::Witness;

/// The server's default, where it does not tell its own, in seconds.
const PATIENCE: f64 = 50.0;

/// Looks for it about once a second.
pub struct Knot {
    patience: f64,
    /// Since when an upgrade's session waits for a metadata lock.
    since: Option<f64>,
    untied: bool,
}

impl Knot {
    /// As patient as the server's requests.
    pub fn new(keeper: &mut Writer) -> Self {
        let own = keeper.first::<(f64,)>("SELECT @@GLOBAL.innodb_lock_wait_timeout + 0e0");
        let patience = own.ok().flatten().map_or(PATIENCE, |(seconds,)| seconds);
        Self { patience, since: None, untied: false }
    }

    /// Looks, and unties it once requests of production's would have given up. Returns a sentence the first time.
    pub fn look(&mut self, keeper: &mut Writer, roster: &Roster, witness: &Witness) -> Option<String> {
        let sessions: Vec<String> = witness.sessions().keys().map(u32::to_string).collect();
        if sessions.is_empty() {
            return None;
        }
        let waits = keeper.first::<(u64,)>(&format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE ID IN ({}) AND STATE LIKE 'Waiting for%metadata lock'",
            sessions.join(",")
        ));
        let now = witness.clock().now();
        if !waits.is_ok_and(|row| row.is_some_and(|(count,)| count > 0)) {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if now - since < self.patience {
            return None;
        }
        let waiting = keeper.rows::<(u64,)>(
            "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
        );
        let waiting = waiting.unwrap_or_default().into_iter().filter_map(|(id,)| u32::try_from(id).ok());
        let requests: Vec<u32> = waiting.filter(|id| roster.role(*id) == Some(Role::Probe)).collect();
        for request in &requests {
            // It may have been answered this very moment.
            let _gone = keeper.execute(&format!("KILL QUERY {request}"));
        }
        if requests.is_empty() || std::mem::replace(&mut self.untied, true) {
            return None;
        }
        Some(format!(
            "the upgrade and {} requests waited for each other (it for their metadata locks, they for its row locks), which no \
             server sees as a deadlock: the requests were ended after {:.0} s, as innodb_lock_wait_timeout would end \
             production's (error 1205, here 1317)",
            requests.len(),
            self.patience
        ))
    }
}

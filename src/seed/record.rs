//! What filling a server came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sql::record::TableName;

/// What was filled, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seeding {
    /// Every table that was asked for, with what it holds now.
    pub tables: BTreeMap<TableName, Filled>,
    /// Tables that hold fewer rows than were asked for, or other values than they should, each with the reason in a
    /// sentence. A table may stand here more than once.
    pub unseedable: Vec<(TableName, String)>,
}

/// One filled table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Filled {
    /// Rows, counted by the server after the load.
    pub rows: u64,
    /// Seconds for its rows and indexes.
    pub seconds: f64,
    /// Bytes of data and indexes, by the server's statistics after `ANALYZE TABLE`.
    pub bytes: u64,
}

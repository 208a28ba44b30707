//! Metadata locks of the upgrade's sessions, and who waits for one.

use crate::server::fault::Fault;
use crate::server::session::ReadOnly;
use crate::sql::record::TableName;

/// One row of `performance_schema.metadata_locks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataLock {
    /// The connection.
    pub connection: u32,
    /// `app.orders`, `global`, `schema app`.
    pub object: String,
    /// The table, when it is one.
    pub table: Option<TableName>,
    /// `SHARED_WRITE`, `EXCLUSIVE`, …
    pub mode: String,
    /// It waits for it.
    pub pending: bool,
}

/// Locks that these connections hold, and all that somebody waits for.
///
/// # Errors
/// The server's fault; the view is empty where its instrument is off.
pub fn sample(reader: &mut ReadOnly, connections: &[u32]) -> Result<Vec<MetadataLock>, Fault> {
    let ids = connections.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let ours = if ids.is_empty() { "FALSE".to_owned() } else { format!("t.PROCESSLIST_ID IN ({ids})") };
    let rows = reader.rows::<(Option<u64>, String, Option<String>, Option<String>, String, String)>(&format!(
        "SELECT t.PROCESSLIST_ID, m.OBJECT_TYPE, m.OBJECT_SCHEMA, m.OBJECT_NAME, m.LOCK_TYPE, m.LOCK_STATUS \
         FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID \
         WHERE m.LOCK_STATUS = 'PENDING' OR {ours} LIMIT 500"
    ))?;
    let lock = |(connection, kind, schema, name, mode, status): (Option<u64>, String, _, _, String, String)| {
        let (object, table) = object(&kind, schema, name);
        let connection = u32::try_from(connection?).ok()?;
        Some(MetadataLock { connection, object, table, mode, pending: status == "PENDING" })
    };
    Ok(rows.into_iter().filter_map(lock).collect())
}

fn object(kind: &str, schema: Option<String>, name: Option<String>) -> (String, Option<TableName>) {
    let kind = kind.to_ascii_lowercase();
    match (kind.as_str(), schema.filter(|schema| !schema.is_empty()), name.filter(|name| !name.is_empty())) {
        ("table", Some(schema), Some(name)) => {
            let table = TableName::new(schema, name);
            (table.to_string(), Some(table))
        }
        (_, Some(schema), Some(name)) => (format!("{kind} {schema}.{name}"), None),
        (_, Some(schema), None) => (format!("{kind} {schema}"), None),
        (_, None, Some(name)) => (format!("{kind} {name}"), None),
        (_, None, None) => (kind, None),
    }
}

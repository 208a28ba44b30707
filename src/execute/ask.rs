//! Which algorithm a DDL really used, read off the server: the table's id before and after, and the stages its thread
//! went through (dba.md 3c, measured on both engines). Its text is not touched.

use std::collections::BTreeSet;

use super::record::{Algorithm, DdlFacts};
use crate::server::ability::Ability as _;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::session::{ReadOnly, Writer};
use crate::sql::record::{Kind, Statement, TableName};

/// Stages that tell how a table was altered. MariaDB has all of them off until asked.
const STAGES: &str = "NAME = 'stage/sql/copy to tmp table' OR NAME LIKE 'stage/innodb/alter table%'";

/// Makes the server remember the stages of its threads.
///
/// # Errors
/// The server's fault: without the performance schema nothing can be told.
pub fn enable(keeper: &mut Writer) -> Result<(), Fault> {
    keeper.execute(&format!(
        "UPDATE performance_schema.setup_instruments SET ENABLED = 'YES', TIMED = 'YES' WHERE {STAGES}"
    ))?;
    keeper.execute(
        "UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE NAME IN \
         ('events_stages_current', 'events_stages_history', 'events_stages_history_long', 'thread_instrumentation', \
          'global_instrumentation')",
    )?;
    Ok(())
}

/// What was known before a DDL ran.
#[derive(Clone, Debug)]
pub struct Before {
    thread: u64,
    last_event: u64,
    after: TableName,
    ids: BTreeSet<u64>,
    transactional: bool,
    /// A partition is emptied: its new file is no rebuild.
    empties: bool,
}

impl Before {
    /// Of a DDL that empties partitions.
    pub fn emptying(self, empties: bool) -> Self {
        Self { empties, ..self }
    }
}

/// Looks at a table before its DDL; none for statements that use no algorithm, or whose table cannot be told.
///
/// # Errors
/// The server's fault.
pub fn before(
    reader: &mut ReadOnly,
    flavor: Flavor,
    statement: &Statement,
    thread: Option<u64>,
    transactional: bool,
) -> Result<Option<Before>, Fault> {
    let reading = &statement.reading;
    if !matches!(reading.kind, Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex | Kind::Optimize)
        || reading.effect.temporary
    {
        return Ok(None);
    }
    let Some((table, after)) = altered(statement) else { return Ok(None) };
    let Some(thread) = thread else { return Ok(None) };
    let before = look(reader, flavor, thread, &table, &after, transactional)?;
    Ok(Some(before.emptying(empties(statement))))
}

/// `TRUNCATE PARTITION`.
pub fn empties(statement: &Statement) -> bool {
    let clauses = &statement.reading.effect.clauses;
    clauses.iter().any(|clause| clause.text.get(..8).is_some_and(|word| word.eq_ignore_ascii_case("truncate")))
}

/// The table that a DDL alters, and the name that it has afterwards.
pub fn altered(statement: &Statement) -> Option<(TableName, TableName)> {
    // A foreign key's parent may stand beside; what is altered is defined, not read.
    let effect = &statement.reading.effect;
    let mut tables = effect.defines.iter().filter(|table| !effect.renames.values().any(|to| to == *table));
    let table = tables.next().or_else(|| effect.renames.keys().next()).or_else(|| effect.writes.iter().next())?.clone();
    let after = effect.renames.get(&table).unwrap_or(&table).clone();
    Some((table, after))
}

/// Looks at a table before a DDL on it.
///
/// # Errors
/// The server's fault.
pub fn look(
    reader: &mut ReadOnly,
    flavor: Flavor,
    thread: u64,
    table: &TableName,
    after: &TableName,
    transactional: bool,
) -> Result<Before, Fault> {
    let ids = ids(reader, flavor, table)?;
    let last: Option<(Option<u64>,)> = reader.first(&format!(
        "SELECT CAST(MAX(EVENT_ID) AS UNSIGNED) FROM performance_schema.events_stages_history_long WHERE THREAD_ID = {thread}"
    ))?;
    let last_event = last.and_then(|(id,)| id).unwrap_or(0);
    Ok(Before { thread, last_event, after: after.clone(), ids, transactional, empties: false })
}

/// Tells how the DDL was carried out, after it ended well; none where it cannot be told.
///
/// # Errors
/// The server's fault.
pub fn after(
    reader: &mut ReadOnly,
    flavor: Flavor,
    before: &Before,
    kind: Kind,
    affected: u64,
) -> Result<Option<DdlFacts>, Fault> {
    let stages = reader.rows::<(String,)>(&format!(
        "SELECT DISTINCT EVENT_NAME FROM performance_schema.events_stages_history_long \
         WHERE THREAD_ID = {} AND EVENT_ID > {}",
        before.thread, before.last_event
    ))?;
    let has = |text: &str| stages.iter().any(|(stage,)| stage.contains(text));
    let facts = |algorithm, rebuilds| Some(DdlFacts { algorithm, rebuilds, lock: None });
    // OPTIMIZE answers with rows of its own; elsewhere rows affected are rows copied.
    if has("copy to tmp table") || (affected > 0 && kind != Kind::Optimize) {
        return Ok(facts(Algorithm::Copy, true));
    }
    if !before.transactional {
        return Ok(if kind == Kind::Optimize { None } else { facts(Algorithm::Instant, false) });
    }
    let ids = ids(reader, flavor, &before.after)?;
    if ids.is_empty() || before.ids.is_empty() {
        return Ok(None);
    }
    // Partitions that were added or dropped leave the others as they are.
    let same = before.empties || ids.is_subset(&before.ids) || before.ids.is_subset(&ids);
    Ok(match (same, has("innodb/alter table")) {
        (false, _) => facts(Algorithm::Inplace, true),
        (true, true) => facts(Algorithm::Inplace, false),
        (true, false) => facts(Algorithm::Instant, false),
    })
}

/// InnoDB's ids of a table and its partitions: a table written anew has a new one.
pub fn ids(reader: &mut ReadOnly, flavor: Flavor, table: &TableName) -> Result<BTreeSet<u64>, Fault> {
    let Some(name) = file_name(table) else { return Ok(BTreeSet::new()) };
    let view = if flavor.has_new_dictionary_names() { "innodb_tables" } else { "innodb_sys_tables" };
    let rows = reader.rows::<(u64,)>(&format!(
        "SELECT TABLE_ID FROM information_schema.{view} WHERE NAME = '{name}' OR LOWER(LEFT(NAME, {})) = LOWER('{name}#p#')",
        name.len() + 3
    ))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// `db/table` as InnoDB spells names: what is no letter, digit, `_` or `$` as `@` and four hex digits. Letters beyond
/// ASCII have a spelling of their own that is not worth guessing.
pub(super) fn file_name(table: &TableName) -> Option<String> {
    let encode = |name: &str| {
        let mut out = String::with_capacity(name.len());
        for c in name.chars() {
            match c {
                c if !c.is_ascii() => return None,
                c if c.is_ascii_alphanumeric() || c == '_' || c == '$' => out.push(c),
                c => out.push_str(&format!("@{:04x}", u32::from(c))),
            }
        }
        Some(out)
    };
    Some(format!("{}/{}", encode(&table.database)?, encode(&table.table)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_innodb_spells_them() {
        assert_eq!(file_name(&TableName::new("app", "order-items")).as_deref(), Some("app/order@002ditems"));
        assert_eq!(file_name(&TableName::new("app", "größe")), None);
    }
}

//! Some tables as a server has them now, with what hangs on them: to be held against a survey. Each question names its
//! table, so that a server with many others answers at once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::ask::{Gaps, ask, ask_one};
use super::mention::Names;
use super::record::{ServerFacts, Survey, TriggerFacts};
use super::rights::Rights;
use super::{definition, guard, rights, server_facts, sizes};
use crate::server::ability::Ability as _;
use crate::server::session::ReadOnly;
use crate::sql::record::{TableName, quote_text};

pub use super::guard::{PATIENCE_SECONDS, limit};

/// What a server says of some tables.
#[derive(Clone, Debug)]
pub struct Now {
    /// The server itself.
    pub server: ServerFacts,
    /// What the account may do.
    pub rights: Rights,
    /// The tables that there are, of those that were asked for.
    pub tables: BTreeMap<TableName, TableNow>,
    /// Their triggers; `touches` is empty.
    pub triggers: BTreeMap<TableName, TriggerFacts>,
    /// The views that there are, of those that were asked for.
    pub views: BTreeMap<TableName, String>,
    /// Foreign keys that point at them: child and parent. None when the account may not see them.
    pub children: Option<BTreeSet<(TableName, TableName)>>,
    /// What could not be read, in sentences.
    pub gaps: Vec<String>,
    /// Tables and views among those asked for of which it is not known whether they are there.
    pub unseen: BTreeSet<TableName>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableNow {
    /// `SHOW CREATE TABLE`; empty when it could not be read.
    pub create: String,
    /// Estimated rows.
    pub rows: u64,
    /// Bytes of data.
    pub data_bytes: u64,
    /// Bytes of indexes.
    pub index_bytes: u64,
    /// Its engine.
    pub engine: String,
    /// Next AUTO_INCREMENT value.
    pub auto_increment: Option<u64>,
}

/// Reads them. The session is set up as a survey's: it waits at most 2 s for a lock and 20 s for an answer.
///
/// # Errors
/// When the connection is lost or the server does not say who it is.
pub fn read(reader: &mut ReadOnly, tables: &BTreeSet<TableName>, views: &BTreeSet<TableName>) -> Result<Now> {
    let (flavor, version) = guard::prepare(reader)?;
    let mut gaps = Gaps::new();
    let rights = rights::read(reader, &mut gaps)?;
    let server = server_facts::read(reader, flavor, version, &mut gaps)?;
    let mut now = Now {
        server,
        rights,
        tables: BTreeMap::new(),
        triggers: BTreeMap::new(),
        views: BTreeMap::new(),
        children: None,
        gaps: Vec::new(),
        unseen: BTreeSet::new(),
    };
    for name in tables {
        table(reader, name, &mut now, &mut gaps)?;
        triggers(reader, name, &mut now, &mut gaps)?;
    }
    for name in views {
        let sql = format!("SHOW CREATE VIEW {}", name.quoted());
        match reader.first::<super::answer::Cells>(&sql) {
            Ok(Some(row)) => drop(now.views.insert(name.clone(), row.text(1))),
            Ok(None) => {}
            Err(fault) if fault.is_connection_lost() => return Err(fault.into()),
            // 1146: there is none; 1347: it is no view.
            Err(fault) if matches!(fault.number, 1146 | 1347) => {}
            Err(fault) => {
                gaps.push(format!("the definition of view {name} could not be read: {fault}"));
                now.unseen.insert(name.clone());
            }
        }
    }
    let list = if flavor.has_new_dictionary_names() { "INNODB_FOREIGN" } else { "INNODB_SYS_FOREIGN" };
    let sql = format!("SELECT FOR_NAME, REF_NAME FROM information_schema.{list}");
    let before = gaps.len();
    let rows = ask(reader, &sql, "foreign keys from other tables (they need the PROCESS privilege)", &mut gaps)?;
    if gaps.len() == before {
        let folded: BTreeMap<String, &TableName> =
            tables.iter().map(|name| (name.to_string().to_lowercase(), name)).collect();
        let known = |name: TableName| folded.get(&name.to_string().to_lowercase()).map_or(name, |&one| one.clone());
        let pairs = rows
            .iter()
            .filter_map(|row| Some((known(sizes::table_of(&row.text(0))?), known(sizes::table_of(&row.text(1))?))));
        now.children = Some(pairs.filter(|(_, parent)| tables.contains(parent)).collect());
    }
    now.gaps = gaps;
    Ok(now)
}

fn table(reader: &mut ReadOnly, name: &TableName, now: &mut Now, gaps: &mut Gaps) -> Result<()> {
    let sql = format!(
        "SELECT ENGINE, TABLE_ROWS, DATA_LENGTH, INDEX_LENGTH, AUTO_INCREMENT, TABLE_TYPE, TABLE_COMMENT \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        quote_text(&name.database),
        quote_text(&name.table)
    );
    let before = gaps.len();
    let Some(row) = ask_one(reader, &sql, &format!("what there is of {name}"), gaps)? else {
        if gaps.len() > before {
            now.unseen.insert(name.clone());
        }
        return Ok(());
    };
    let show = format!("SHOW CREATE TABLE {}", name.quoted());
    let create = match ask_one(reader, &show, &format!("the definition of {name}"), gaps)? {
        Some(shown) => shown.text(1),
        None => {
            now.unseen.insert(name.clone());
            String::new()
        }
    };
    let found = TableNow {
        create,
        rows: row.number(1).unwrap_or_default(),
        data_bytes: row.number(2).unwrap_or_default(),
        index_bytes: row.number(3).unwrap_or_default(),
        engine: row.text(0),
        auto_increment: row.number(4),
    };
    now.tables.insert(name.clone(), found);
    Ok(())
}

fn triggers(reader: &mut ReadOnly, table: &TableName, now: &mut Now, gaps: &mut Gaps) -> Result<()> {
    let sql = format!(
        "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, SQL_MODE, ACTION_STATEMENT \
         FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {} AND EVENT_OBJECT_TABLE = {}",
        quote_text(&table.database),
        quote_text(&table.table)
    );
    for row in ask(reader, &sql, &format!("the triggers of {table}"), gaps)? {
        let facts = TriggerFacts {
            table: table.clone(),
            timing: row.text(2),
            event: row.text(3),
            create: format!("FOR EACH ROW {}", row.text(5)),
            sql_mode: row.text(4),
            touches: Vec::new(),
        };
        now.triggers.insert(TableName::new(row.text(0), row.text(1)), facts);
    }
    Ok(())
}

/// The views of a survey that show what one of these tables holds.
pub fn views_of(survey: &Survey, tables: &BTreeSet<TableName>) -> BTreeSet<TableName> {
    let names = Names::of(survey);
    let mut found: BTreeSet<TableName> = BTreeSet::new();
    // Views of views: until no more are found.
    loop {
        let reached = |view: &TableName, create: &String| {
            names.mentioned(create, &view.database).iter().any(|base| tables.contains(base) || found.contains(base))
        };
        let more: Vec<TableName> = survey
            .views
            .iter()
            .filter(|(view, create)| !found.contains(*view) && reached(view, create))
            .map(|(view, _)| view.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// A trigger in one spelling: when it fires, under which `sql_mode`, and its body.
pub fn trigger_text(facts: &TriggerFacts) -> String {
    let folded = facts.create.to_ascii_uppercase();
    let body = folded.find("FOR EACH ROW").map_or(facts.create.as_str(), |at| &facts.create[at + 12..]);
    // MySQL puts which of several triggers it follows before the body.
    let body = body.trim().trim_end_matches(';').trim_end();
    let mut modes: Vec<&str> = facts.sql_mode.split(',').filter(|mode| !mode.is_empty()).collect();
    modes.sort_unstable();
    format!("{} {}\nsql_mode {}\n{}", facts.timing, facts.event, modes.join(","), body)
}

/// A view in one spelling.
pub fn view_text(create: &str) -> String {
    definition::without_definer(create).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triggers_spelling_leaves_out_who_made_it() {
        let facts = |create: &str, sql_mode: &str| TriggerFacts {
            table: TableName::new("app", "t"),
            timing: "AFTER".into(),
            event: "INSERT".into(),
            create: create.into(),
            sql_mode: sql_mode.into(),
            touches: vec![],
        };
        let shown = facts("CREATE DEFINER=`a`@`%` TRIGGER `x` AFTER INSERT ON `t` FOR EACH ROW SET @a = 'é';", "B,A");
        assert_eq!(trigger_text(&shown), trigger_text(&facts("FOR EACH ROW SET @a = 'é'", "A,B")));
        assert_ne!(trigger_text(&shown), trigger_text(&facts("FOR EACH ROW SET @a = 'e'", "A,B")));
    }
}

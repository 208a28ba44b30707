//! The twins themselves: made from the server's own definitions, and as often anew as they are asked.

use std::collections::{BTreeMap, BTreeSet};

use super::DATABASES;
use crate::execute::ask;
use crate::sandbox::Instance;
use crate::server::ability::Ability as _;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::role::Role;
use crate::server::session::{ReadOnly, Writer};
use crate::sql::record::{Kind, TableName, quote_identifier, quote_text};
use crate::sql::retarget;

/// An empty copy of a table, and of the tables whose foreign keys refer to it.
pub(super) struct Twin {
    pub(super) flavor: Flavor,
    pub(super) keeper: Writer,
    pub(super) thread: Option<u64>,
    pub(super) kind: Kind,
    /// `TRUNCATE PARTITION`.
    pub(super) empties: bool,
    /// `OPTIMIZE PARTITION`.
    pub(super) optimizes: bool,
    /// Another clause on partitions.
    pub(super) deals_out: bool,
    pub(super) table: TableName,
    /// The name it has after a rename.
    pub(super) after: Option<TableName>,
    /// Real names and the twins' own.
    pub(super) names: BTreeMap<TableName, TableName>,
    /// What makes the twins, the table first.
    pub(super) definitions: Vec<String>,
    pub(super) transactional: bool,
    /// The twins stand, from an earlier question.
    pub(super) made: bool,
    /// MySQL's row versions that the real table has used.
    pub(super) row_versions: u64,
}

impl Twin {
    /// Reads the definitions; none when there is no such table.
    pub(super) fn new(instance: &Instance, reader: &mut ReadOnly, table: &TableName) -> Result<Option<Self>, Fault> {
        let flavor = instance.flavor();
        let definition = |reader: &mut ReadOnly, name: &TableName| {
            let shown = reader.first::<(String, String)>(&format!("SHOW CREATE TABLE {}", name.quoted()));
            match shown {
                Err(fault) if fault.is_connection_lost() => Err(fault),
                // No such table, or a view, which answers with four columns.
                answer => Ok(answer.ok().flatten().map(|(_, create)| create)),
            }
        };
        let Some(create) = definition(reader, table)? else { return Ok(None) };
        let mut keeper = instance.writer(Role::Keeper)?;
        let id = keeper.connection_id();
        let database = format!("{DATABASES}{id}");
        let own = TableName::new(database.clone(), table.table.clone());
        let mut names: BTreeMap<TableName, TableName> = [(table.clone(), own.clone())].into();
        for (number, child) in children(reader, flavor, table)?.into_iter().enumerate() {
            names.insert(child, TableName::new(database.clone(), format!("rehearse_child_{number}")));
        }
        let mut definitions = Vec::new();
        for (name, create) in [(table.clone(), Some(create.clone()))]
            .into_iter()
            .chain(names.keys().filter(|name| *name != table).map(|name| (name.clone(), None)))
        {
            let create = match create {
                Some(create) => Some(create),
                None => definition(reader, &name)?,
            };
            let made = create.and_then(|create| retarget::create(&create, &name.database, flavor, &names));
            definitions.extend(made);
        }
        let charset = reader.first::<(String, String)>(&format!(
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
            quote_text(&table.database)
        ))?;
        let charset = charset.map(|(set, collation)| format!(" CHARACTER SET {set} COLLATE {collation}"));
        definitions.insert(0, format!("CREATE DATABASE {database}{}", charset.unwrap_or_default()));
        let thread = reader
            .first::<(u64,)>(&format!("SELECT THREAD_ID FROM performance_schema.threads WHERE PROCESSLIST_ID = {id}"))
            .ok()
            .flatten()
            .map(|(thread,)| thread);
        keeper.execute("SET SESSION sql_log_bin = 0, lock_wait_timeout = 1")?;
        let lower = create.to_ascii_lowercase();
        Ok(Some(Self {
            flavor,
            keeper,
            thread,
            kind: Kind::AlterTable,
            empties: false,
            optimizes: false,
            deals_out: false,
            table: own,
            after: None,
            names,
            definitions,
            made: false,
            transactional: lower.contains("engine=innodb"),
            row_versions: row_versions(reader, flavor, table)?,
        }))
    }

    /// Makes the twins anew, with nothing of the session's state in the way, and then takes that state on.
    pub(super) fn make(&mut self, state: &[(String, String)]) -> Result<(), Fault> {
        let mut neutral = "SET SESSION sql_mode = '', foreign_key_checks = 0, innodb_strict_mode = 0".to_owned();
        if self.flavor.at_least_mysql(8, 0, 30) {
            neutral.push_str(", sql_require_primary_key = 0, sql_generate_invisible_primary_key = 0");
        }
        self.keeper.execute(&neutral)?;
        if self.made {
            self.keeper.execute(&format!("DROP DATABASE {}", self.table.database))?;
        }
        self.made = true;
        for text in &self.definitions {
            self.keeper.execute(text)?;
        }
        for (name, value) in state {
            let value = if value.parse::<i64>().is_ok() { value.clone() } else { quote_text(value) };
            let set = self.keeper.execute(&format!("SET SESSION {} = {value}", quote_identifier(name)));
            if let Err(fault) = set
                && fault.is_connection_lost()
            {
                return Err(fault);
            }
        }
        Ok(())
    }
}

/// How many INSTANT row versions a table has used; 0 where the server has no such thing.
pub(super) fn row_versions(reader: &mut ReadOnly, flavor: Flavor, table: &TableName) -> Result<u64, Fault> {
    let (Some(_), Some(name)) = (flavor.most_row_versions(), ask::file_name(table)) else { return Ok(0) };
    let most = reader.first::<(Option<u64>,)>(&format!(
        "SELECT CAST(MAX(TOTAL_ROW_VERSIONS) AS UNSIGNED) FROM information_schema.INNODB_TABLES \
         WHERE NAME = '{name}' OR LOWER(LEFT(NAME, {})) = LOWER('{name}#p#')",
        name.len() + 3
    ))?;
    Ok(most.and_then(|(most,)| most).unwrap_or(0))
}

/// The tables whose foreign keys refer to this one.
fn children(reader: &mut ReadOnly, flavor: Flavor, table: &TableName) -> Result<BTreeSet<TableName>, Fault> {
    let Some(name) = ask::file_name(table) else { return Ok(BTreeSet::new()) };
    let view = if flavor.has_new_dictionary_names() { "INNODB_FOREIGN" } else { "INNODB_SYS_FOREIGN" };
    let rows = reader.rows::<(String,)>(&format!(
        "SELECT FOR_NAME FROM information_schema.{view} WHERE LOWER(REF_NAME) = LOWER('{name}')"
    ))?;
    let named = rows.iter().filter_map(|(name,)| name.split_once('/'));
    let children = named.map(|(database, table)| TableName::new(plain(database), plain(table)));
    Ok(children.filter(|child| child != table).collect())
}

/// `order@002ditems` → `order-items`.
fn plain(name: &str) -> String {
    let mut parts = name.split('@');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..4).and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        match code {
            Some(c) => {
                plain.push(c);
                plain.push_str(&part[4..]);
            }
            None => {
                plain.push('@');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_innodb_spells_them() {
        assert_eq!(plain("order@002ditems"), "order-items");
        assert_eq!(plain("a@b"), "a@b");
    }
}

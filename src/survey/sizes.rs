//! Bytes that tables take on disk, from InnoDB's list of files.

use std::collections::BTreeMap;

use anyhow::Result;

use super::ask::{Gaps, ask};
use crate::server::ability::Ability as _;
use crate::server::flavor::Flavor;
use crate::server::session::ReadOnly;
use crate::sql::record::TableName;

/// Bytes of the files of InnoDB's tables, partitions summed. Tables in a shared tablespace are not in it.
///
/// # Errors
/// When the connection is lost.
pub fn on_disk(reader: &mut ReadOnly, flavor: Flavor, gaps: &mut Gaps) -> Result<BTreeMap<TableName, u64>> {
    let view = if flavor.has_new_dictionary_names() { "INNODB_TABLESPACES" } else { "INNODB_SYS_TABLESPACES" };
    let sql = format!("SELECT NAME, FILE_SIZE FROM information_schema.{view} WHERE NAME LIKE '%/%'");
    let mut sizes = BTreeMap::new();
    for row in ask(reader, &sql, "file sizes (they need the PROCESS privilege)", gaps)? {
        if let (Some(name), Some(bytes)) = (table_of(&row.text(0)), row.number(1)) {
            *sizes.entry(name).or_default() += bytes;
        }
    }
    Ok(sizes)
}

/// The table that an InnoDB name such as `app/log@0020line#p#p2026` belongs to.
pub fn table_of(name: &str) -> Option<TableName> {
    let (database, table) = name.split_once('/')?;
    let end = ["#p#", "#P#"].iter().filter_map(|mark| table.find(mark)).min().unwrap_or(table.len());
    Some(TableName::new(decoded(database), decoded(&table[..end])))
}

/// File names spell characters outside of `[A-Za-z0-9_]` as `@` and four hexadecimal digits (manual, "Mapping of
/// identifiers to file names"; the shorter codes of some Latin, Greek and Cyrillic letters are left as they are).
fn decoded(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('@') {
        plain.push_str(&rest[..at]);
        let code =
            rest.get(at + 1..at + 5).and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        match code {
            Some(c) => {
                plain.push(c);
                rest = &rest[at + 5..];
            }
            None => {
                plain.push('@');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn innodb_names_lead_to_their_tables() {
        let of = |name| table_of(name).map(|name| (name.database, name.table));
        let pair = |database: &str, table: &str| Some((database.to_owned(), table.to_owned()));
        assert_eq!(of("app/orders"), pair("app", "orders"));
        assert_eq!(of("app/odd@002c@0020name"), pair("app", "odd, name"));
        assert_eq!(of("app/log#p#p0#sp#s1"), pair("app", "log"));
        assert_eq!(of("app/LOG#P#p0"), pair("app", "LOG"));
        assert_eq!(of("innodb_temporary"), None);
    }
}

//! Which privileges a statement needs, by the manuals of both vendors ("Privileges required" of each statement). Pure.

use std::collections::BTreeSet;
use std::fmt;

use crate::server::ability::Ability as _;
use crate::server::flavor::Flavor;
use crate::sql::record::{AlterClass, Kind, Statement, TableName};

/// A privilege that a statement needs, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// On a table.
    Table(&'static str, TableName),
    /// On a database.
    Database(&'static str, String),
    /// On the server: any one of these.
    Server(Vec<&'static str>),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(privilege, table) => write!(f, "{privilege} on {table}"),
            Self::Database(privilege, database) => write!(f, "{privilege} on {database}.*"),
            Self::Server(any) => write!(f, "{} on *.*", any.join(" or ")),
        }
    }
}

/// What a statement needs.
pub fn needs(statement: &Statement, flavor: Flavor) -> Vec<Need> {
    let effect = &statement.reading.effect;
    let text = statement.text.to_ascii_uppercase();
    let mut needs = Vec::new();
    let mut each = |privilege: &'static str, tables: &mut dyn Iterator<Item = &TableName>| {
        needs.extend(tables.filter(|name| is_granted(name)).map(|name| Need::Table(privilege, name.clone())));
    };
    if !effect.temporary {
        match statement.reading.kind {
            Kind::Insert | Kind::LoadData => each("INSERT", &mut effect.writes.iter()),
            Kind::Replace => {
                each("INSERT", &mut effect.writes.iter());
                each("DELETE", &mut effect.writes.iter());
            }
            Kind::Update => {
                each("UPDATE", &mut effect.writes.iter());
                each("SELECT", &mut effect.writes.iter());
            }
            Kind::Delete => {
                each("DELETE", &mut effect.writes.iter());
                if effect.has_where {
                    each("SELECT", &mut effect.writes.iter());
                }
            }
            Kind::Truncate => each("DROP", &mut effect.empties.iter()),
            Kind::CreateTable => each("CREATE", &mut effect.defines.iter()),
            Kind::AlterTable => {
                each("ALTER", &mut effect.defines.iter());
                each("ALTER", &mut effect.renames.keys());
                each("DROP", &mut effect.renames.keys());
                each("CREATE", &mut effect.renames.values());
                each("INSERT", &mut effect.renames.values());
                if effect.clauses.iter().any(|clause| clause.class == AlterClass::AddForeignKey) {
                    each("REFERENCES", &mut effect.reads.iter());
                }
                if ["DROP PARTITION", "TRUNCATE PARTITION"].iter().any(|words| text.contains(words)) {
                    each("DROP", &mut effect.defines.iter());
                }
            }
            Kind::CreateIndex | Kind::DropIndex => each("INDEX", &mut effect.defines.iter()),
            Kind::DropTable => each("DROP", &mut effect.drops.iter()),
            Kind::RenameTable => {
                each("ALTER", &mut effect.renames.keys());
                each("DROP", &mut effect.renames.keys());
                each("CREATE", &mut effect.renames.values());
                each("INSERT", &mut effect.renames.values());
            }
            Kind::CreateView => each("CREATE VIEW", &mut effect.defines.iter()),
            Kind::DropView => each("DROP", &mut effect.drops.iter()),
            Kind::CreateTrigger | Kind::DropTrigger => each("TRIGGER", &mut effect.defines.iter()),
            Kind::Optimize | Kind::Repair | Kind::Analyze => {
                let tables = effect.tables();
                each("SELECT", &mut tables.iter());
                each("INSERT", &mut tables.iter());
            }
            Kind::LockTables => {
                let tables = effect.tables();
                each("SELECT", &mut tables.iter());
                let databases: BTreeSet<String> =
                    tables.iter().map(|name| name.database.clone()).filter(|name| !name.is_empty()).collect();
                needs.extend(databases.into_iter().map(|name| Need::Database("LOCK TABLES", name)));
            }
            _ => {}
        }
    }
    let mut reads = effect.reads.iter().filter(|name| is_granted(name));
    if !effect.temporary || statement.reading.kind.is_dml() {
        needs.extend(reads.by_ref().map(|name| Need::Table("SELECT", name.clone())));
    }
    needs.extend(on_the_server(statement.reading.kind, &text, flavor));
    needs.sort();
    needs.dedup();
    needs
}

/// The information schema is everybody's.
fn is_granted(name: &TableName) -> bool {
    !name.database.is_empty() && !name.database.eq_ignore_ascii_case("information_schema")
}

fn on_the_server(kind: Kind, text: &str, flavor: Flavor) -> Vec<Need> {
    let maria = flavor.is_mariadb();
    // Without dynamic privileges (MySQL 5.7) SUPER is the only one.
    let one = |own: &'static str| {
        Need::Server(if maria || flavor.has_new_dictionary_names() { vec![own, "SUPER"] } else { vec!["SUPER"] })
    };
    match kind {
        Kind::Flush => vec![Need::Server(vec!["RELOAD"])],
        Kind::Kill => vec![one(if maria { "CONNECTION ADMIN" } else { "CONNECTION_ADMIN" })],
        Kind::Set => {
            let mut needs = Vec::new();
            if !maria && (text.contains("GLOBAL") || text.contains("PERSIST")) {
                needs.push(one("SYSTEM_VARIABLES_ADMIN"));
            } else if text.contains("GLOBAL") {
                // MariaDB splits it up by variable.
                needs.push(Need::Server(vec!["SUPER"]));
            }
            if text.contains("SQL_LOG_BIN") || text.contains("BINLOG_FORMAT") {
                needs.push(one(if maria { "BINLOG ADMIN" } else { "SESSION_VARIABLES_ADMIN" }));
            }
            needs
        }
        Kind::LoadData if !text.contains("LOCAL") => vec![Need::Server(vec!["FILE"])],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::specimen::Specimen;

    fn needs_of(sql: &str) -> Vec<String> {
        let statement = &Specimen::of(sql).loud.observations[0].statement;
        needs(statement, "mysql:9.7".parse().expect("a flavor")).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_statement_needs_what_the_manual_says() {
        for (sql, needs) in [
            ("DELETE FROM t WHERE a = 1", &["DELETE on shop.t", "SELECT on shop.t"][..]),
            ("DELETE FROM t", &["DELETE on shop.t"]),
            ("TRUNCATE t", &["DROP on shop.t"]),
            ("INSERT INTO a SELECT * FROM b", &["INSERT on shop.a", "SELECT on shop.b"]),
            ("RENAME TABLE a TO b", &["ALTER on shop.a", "CREATE on shop.b", "DROP on shop.a", "INSERT on shop.b"]),
            ("ALTER TABLE a ADD COLUMN x int", &["ALTER on shop.a"]),
            ("ALTER TABLE a DROP PARTITION p", &["ALTER on shop.a", "DROP on shop.a"]),
            (
                "ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b (id)",
                &["ALTER on shop.a", "REFERENCES on shop.b", "SELECT on shop.b"],
            ),
            ("INSERT INTO a SELECT COUNT(*) FROM information_schema.TABLES", &["INSERT on shop.a"]),
            ("CREATE INDEX i ON a (x)", &["INDEX on shop.a"]),
            ("SET SESSION sql_log_bin = 0", &["SESSION_VARIABLES_ADMIN or SUPER on *.*"]),
            ("SET SESSION lock_wait_timeout = 5", &[]),
            ("CREATE TABLE a LIKE b", &["CREATE on shop.a", "SELECT on shop.b"]),
        ] {
            assert_eq!(needs_of(sql), needs, "{sql}");
        }
    }
}

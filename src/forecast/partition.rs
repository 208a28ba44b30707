//! Clauses on partitions.

use super::clause::unknown;
use super::scene::Scene;
use super::way::{Said, Stop, Way};
use crate::replay::record::DdlLock;
use crate::sql::record::AlterClause;

/// The way of a clause on partitions.
pub fn way(clause: &AlterClause, scene: &Scene<'_>) -> Said {
    let text = clause.text.to_ascii_uppercase();
    let mut words = text.split_whitespace();
    let pair = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let hashed = scene.table.map(|table| {
        let method = table.partitions.first().map_or("", |partition| partition.method.as_str()).to_ascii_uppercase();
        method.contains("HASH") || method.contains("KEY")
    });
    Ok(match pair {
        ("PARTITION", "BY") => return by(clause, scene),
        ("REMOVE", _) => Way::copy("A table without partitions is written anew, row by row.").keeping_out(),
        ("ADD", _) if hashed.is_none() => return Err(unknown(clause)),
        ("ADD", _) if hashed == Some(false) => own("A new partition is empty."),
        ("DROP", _) => own("The partition's rows go with its file; nobody has the table for that moment."),
        ("TRUNCATE", _) => own("The partition is emptied by a new file; nobody has the table for that moment."),
        ("ADD" | "COALESCE", _) => some("The rows of all partitions are dealt out anew.", scene),
        ("REORGANIZE" | "REBUILD", _) => some("The rows of these partitions are written anew.", scene),
        ("OPTIMIZE", _) => scene.rebuild(&[], "InnoDB optimizes no single partition: all of them are written anew."),
        ("ANALYZE" | "CHECK", _) => own("It reads the partition and changes nothing."),
        ("DISCARD" | "IMPORT", _) => return Err(unknown(clause)),
        ("EXCHANGE", _) if text.contains("WITHOUT VALIDATION") => own("The two tables change places."),
        ("EXCHANGE", _) => {
            Way::index(DdlLock::Exclusive, "Each row of the table that comes in is checked while nobody has it.")
        }
        _ => return Err(unknown(clause)),
    })
}

/// Definitions and whole files: no row is read.
fn own(why: &str) -> Way {
    Way::metadata(why)
}

/// Some partitions are written anew: inside the engine on MySQL 8.0 (measured on 9.7), row by row on MariaDB.
fn some(why: &str, scene: &Scene<'_>) -> Way {
    if scene.flavor.at_least_mysql(8, 0, 0) {
        Way::rebuild(DdlLock::Shared, format!("{why} Writers are kept out."))
    } else {
        Way::copy(why).keeping_out()
    }
}

/// `PARTITION BY …`: refused where a unique key lacks the partitioning columns.
fn by(clause: &AlterClause, scene: &Scene<'_>) -> Said {
    if let Some(table) = scene.table {
        if !scene.is_innodb() && scene.flavor.at_least_mysql(8, 0, 0) {
            let why = format!("{} tables have no partitions on this server (error 1178).", table.engine);
            return Err(Stop::Refused(why));
        }
        if !table.foreign_keys.is_empty() || !scene.children.is_empty() {
            return Err(Stop::Refused("A table with foreign keys has no partitions (error 1506).".to_owned()));
        }
        let inside =
            clause.text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inside, _)| inside);
        let words = inside.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
        let columns: Vec<&str> = words.filter(|word| table.column(word).is_some()).collect();
        let lacks = table.indexes.iter().filter(|index| index.unique).find(|index| {
            columns.iter().any(|column| !index.columns.iter().any(|part| part.name.eq_ignore_ascii_case(column)))
        });
        if let Some(index) = lacks {
            let why = format!("The unique index '{}' lacks a column of the partitioning (error 1503).", index.name);
            return Err(Stop::Refused(why));
        }
    }
    Ok(Way::copy("The rows are dealt out to partitions, row by row.").keeping_out())
}

//! Many databases of one schema: where they have drifted apart, and which one to rehearse on. Pure.
//!
//! Shards have databases of their own names; where every member has exactly one, that name counts for nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::definition::{diff, normalise, without_definer};
use super::record::Survey;

/// Settings that decide how an upgrade's SQL is read and carried out, or how long it takes.
const SETTINGS: &[&str] = &[
    "binlog_format",
    "binlog_row_image",
    "character_set_server",
    "collation_server",
    "default_storage_engine",
    "explicit_defaults_for_timestamp",
    "foreign_key_checks",
    "gtid_mode",
    "innodb_autoinc_lock_mode",
    "innodb_buffer_pool_size",
    "innodb_default_row_format",
    "innodb_flush_log_at_trx_commit",
    "innodb_lock_wait_timeout",
    "innodb_online_alter_log_max_size",
    "innodb_strict_mode",
    "lock_wait_timeout",
    "log_bin",
    "lower_case_table_names",
    "max_allowed_packet",
    "old_mode",
    "sql_mode",
    "sql_require_primary_key",
    "sync_binlog",
    "time_zone",
    "transaction_isolation",
    "tx_isolation",
    "wsrep_on",
];
/// A table is larger elsewhere when it has this share of rows more there: estimates are no better.
const LARGER: f64 = 0.1;

/// A server or database of the fleet.
#[derive(Clone, Debug)]
pub struct Member {
    /// As people call it: its address.
    pub name: String,
    /// What it holds.
    pub survey: Survey,
}

/// What comparing the members showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fleet {
    /// Members in the order given.
    pub members: Vec<Size>,
    /// The largest: the one to rehearse on.
    pub worst: String,
    /// Where they have drifted apart.
    pub drifts: Vec<Drift>,
    /// Tables that another member has more rows of than the worst one.
    pub larger: Vec<Larger>,
}

/// How large a member is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Size {
    /// Its name.
    pub name: String,
    /// Vendor and version.
    pub server: String,
    /// Tables.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of data and indexes.
    pub bytes: u64,
}

/// Something that is not the same in all members.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// `table orders`, `trigger t_ai`, `setting sql_mode`, `server`.
    pub object: String,
    /// Members that have it otherwise than most.
    pub members: Vec<String>,
    /// What is so: `missing`, `only here`, `differs`.
    pub how: &'static str,
    /// From what most have to what these have, as a unified diff; of a setting the values.
    pub diff: String,
}

/// A table that is larger elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Larger {
    /// The table, as the worst member names it.
    pub table: String,
    /// The member that has most of it.
    pub member: String,
    /// Its rows there.
    pub rows: u64,
    /// Its rows in the worst member.
    pub here: u64,
}

/// Compares the members; none of none.
pub fn compare(members: &[Member]) -> Option<Fleet> {
    let sizes: Vec<Size> = members.iter().map(size).collect();
    let worst = (0..members.len()).max_by(|a, b| {
        let key = |index: usize| (sizes[index].bytes, sizes[index].rows);
        // Of two alike the first.
        key(*a).cmp(&key(*b)).then(b.cmp(a))
    })?;
    let objects: Vec<BTreeMap<String, String>> = {
        let bare = members.iter().all(|member| own_database(&member.survey).is_some());
        members.iter().map(|member| objects(&member.survey, bare)).collect()
    };
    let names: BTreeSet<&String> = objects.iter().flat_map(BTreeMap::keys).collect();
    let drifts = names.into_iter().flat_map(|name| drift(name, members, &objects)).collect();
    Some(Fleet { worst: members[worst].name.clone(), drifts, larger: larger(members, worst), members: sizes })
}

fn size(member: &Member) -> Size {
    let tables = member.survey.tables.values();
    Size {
        name: member.name.clone(),
        server: member.survey.server.flavor.to_string(),
        tables: tables.len() as u64,
        rows: tables.clone().map(|table| table.rows).sum(),
        bytes: tables.map(|table| table.data_bytes + table.index_bytes).sum(),
    }
}

/// The one database of a member.
fn own_database(survey: &Survey) -> Option<&str> {
    let mut names = survey.databases.keys();
    names.next().filter(|_| names.next().is_none()).map(String::as_str)
}

/// Every object of a member with its definition in one spelling.
fn objects(survey: &Survey, bare: bool) -> BTreeMap<String, String> {
    let own = own_database(survey).filter(|_| bare);
    let name = |name: &crate::sql::record::TableName| if own.is_some() { name.table.clone() } else { name.to_string() };
    let text = |text: &str| match own {
        Some(own) => without_definer(text).replace(&format!("`{own}`."), ""),
        None => without_definer(text),
    };
    let mut objects = BTreeMap::new();
    for (table, facts) in &survey.tables {
        objects.insert(format!("table {}", name(table)), text(&normalise(&facts.create)));
    }
    for (view, create) in &survey.views {
        objects.insert(format!("view {}", name(view)), text(create));
    }
    for (trigger, facts) in &survey.triggers {
        objects.insert(format!("trigger {}", name(trigger)), text(&facts.create));
    }
    for (routine, create) in &survey.routines {
        objects.insert(format!("routine {}", name(routine)), text(create));
    }
    for (sequence, create) in &survey.sequences {
        objects.insert(format!("sequence {}", name(sequence)), text(create));
    }
    objects.insert("server".to_owned(), survey.server.flavor.to_string());
    for setting in SETTINGS {
        if let Some(value) = survey.server.settings.get(*setting) {
            objects.insert(format!("setting {setting}"), value.clone());
        }
    }
    objects
}

/// The ways in which members have an object otherwise than most.
fn drift(name: &str, members: &[Member], objects: &[BTreeMap<String, String>]) -> Vec<Drift> {
    let mut ways: BTreeMap<Option<&String>, Vec<usize>> = BTreeMap::new();
    for (index, objects) in objects.iter().enumerate() {
        ways.entry(objects.get(name)).or_default().push(index);
    }
    if ways.len() < 2 {
        return Vec::new();
    }
    // What most have; of two ways that as many have, the one of the first member.
    let Some(most) =
        ways.iter().max_by(|a, b| a.1.len().cmp(&b.1.len()).then(b.1.first().cmp(&a.1.first()))).map(|(way, _)| *way)
    else {
        return Vec::new();
    };
    (ways.iter())
        .filter(|(way, _)| **way != most)
        .map(|(way, who)| {
            let how = match (most, way) {
                (None, _) => "only here",
                (_, None) => "missing",
                _ => "differs",
            };
            let (from, to) = (most.map_or("", String::as_str), way.map_or("", String::as_str));
            let diff = if name == "server" || name.starts_with("setting ") {
                format!("{to} instead of {from}")
            } else {
                diff(from, to).replacen("--- before", "--- most", 1).replacen("+++ after", "+++ these", 1)
            };
            let members = who.iter().map(|index| members[*index].name.clone()).collect();
            Drift { object: name.to_owned(), members, how, diff }
        })
        .collect()
}

fn larger(members: &[Member], worst: usize) -> Vec<Larger> {
    let bare = members.iter().all(|member| own_database(&member.survey).is_some());
    let here = &members[worst].survey.tables;
    (here.iter())
        .filter_map(|(name, facts)| {
            let (member, rows) = (members.iter())
                .filter_map(|member| {
                    let same = |other: &&crate::sql::record::TableName| {
                        if bare { other.table == name.table } else { *other == name }
                    };
                    let key = member.survey.tables.keys().find(same)?;
                    Some((member, member.survey.tables[key].rows))
                })
                .max_by_key(|(_, rows)| *rows)?;
            let more = rows as f64 > facts.rows as f64 * (1.0 + LARGER);
            more.then(|| Larger { table: name.to_string(), member: member.name.clone(), rows, here: facts.rows })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::record::TableName;
    use crate::survey::record::{ServerFacts, TableFacts};

    fn member(database: &str, rows: u64, create: &str) -> Member {
        let facts = TableFacts { create: create.to_owned(), rows, data_bytes: rows * 100, ..TableFacts::unknown() };
        let server = ServerFacts::of("mysql:9.7".parse().expect("a flavor"));
        let survey = Survey {
            databases: [(database.to_owned(), String::new())].into(),
            tables: [(TableName::new(database, "orders"), facts)].into(),
            ..Survey::empty(server)
        };
        Member { name: database.to_owned(), survey }
    }

    const PLAIN: &str = "CREATE TABLE `orders` (\n  `id` int NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB";
    const ODD: &str = "CREATE TABLE `orders` (\n  `id` int NOT NULL,\n  `by_hand` int DEFAULT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB";

    #[test]
    fn the_largest_is_chosen_and_the_odd_one_named_with_a_diff() {
        let members = [member("s1", 10, PLAIN), member("s2", 500, PLAIN), member("s3", 30, ODD)];
        let fleet = compare(&members).expect("a fleet");
        assert_eq!(fleet.worst, "s2");
        let [drift] = fleet.drifts.as_slice() else { panic!("{:?}", fleet.drifts) };
        assert_eq!(
            (drift.object.as_str(), drift.members.as_slice(), drift.how),
            ("table orders", ["s3".to_owned()].as_slice(), "differs")
        );
        assert!(drift.diff.contains("+  `by_hand` int") && drift.diff.contains("--- most"), "{}", drift.diff);
        assert!(fleet.larger.is_empty());
    }

    #[test]
    fn members_alike_have_no_drift_and_a_missing_object_is_told() {
        let (first, mut second) = (member("s1", 10, PLAIN), member("s2", 10, PLAIN));
        assert!(compare(&[first.clone(), second.clone()]).expect("a fleet").drifts.is_empty());
        second.survey.tables.clear();
        second.survey.server.settings.insert("sql_mode".into(), "ANSI".into());
        let fleet = compare(&[first, second]).expect("a fleet");
        assert_eq!(fleet.worst, "s1");
        let told: Vec<(&str, &str)> = fleet.drifts.iter().map(|one| (one.object.as_str(), one.how)).collect();
        assert_eq!(told, [("setting sql_mode", "only here"), ("table orders", "missing")]);
    }

    #[test]
    fn a_table_that_is_larger_elsewhere_is_told() {
        let mut small = member("s1", 900, PLAIN);
        let facts = small.survey.tables[&TableName::new("s1", "orders")].clone();
        small
            .survey
            .tables
            .insert(TableName::new("s1", "other"), TableFacts { rows: 5_000, data_bytes: 900_000, ..facts });
        let fleet = compare(&[small, member("s2", 2_000, PLAIN)]).expect("a fleet");
        assert_eq!(fleet.worst, "s1");
        assert_eq!(
            (fleet.larger[0].table.as_str(), fleet.larger[0].rows, fleet.larger[0].here),
            ("s1.orders", 2_000, 900)
        );
    }
}

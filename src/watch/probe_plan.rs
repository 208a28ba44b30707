//! Which probes ask what: for each table and kind the text of one request, made so that it meets the locks that an
//! application's would and leaves nothing behind.

use std::collections::BTreeSet;

use super::key::{self, Field, Key};
use super::record::ProbeKind;
use crate::sql::record::{TableName, quote_identifier, quote_text};
use crate::survey::record::{ColumnFacts, Survey, TableFacts, TriggerFacts};

/// The database of our own table, which the commit probe updates.
pub const PROBE_DATABASE: &str = "rehearse_probe";
/// That table.
pub const COMMIT_TABLE: &str = "commit_probe";

/// Which keys a lane asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The first one, always: what a long statement locks first stays locked longest.
    First,
    /// The last one, always.
    Last,
    /// First, last, quantiles, random ones and what the running action touches, in turn.
    Rotating,
    /// None: the request names no row.
    None,
}

/// What a lane asks. `{}` in a text stands for the key's condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The table.
    pub table: TableName,
    /// The kind.
    pub kind: ProbeKind,
    /// Its keys.
    pub keys: Keys,
    /// The request.
    pub text: String,
    /// It opens a transaction, to be rolled back whatever happens.
    pub rolls_back: bool,
}

impl Lane {
    /// The request for a row.
    pub fn request(&self, condition: &str) -> String {
        self.text.replacen("{}", condition, 1)
    }
}

/// The commit probe: an UPDATE and COMMIT of our own one-row table.
pub fn commit_lane() -> Lane {
    let table = TableName::new(PROBE_DATABASE, COMMIT_TABLE);
    let text = format!("UPDATE {} SET n = n + 1 WHERE id = 1", table.quoted());
    Lane { table, kind: ProbeKind::Commit, keys: Keys::None, text, rolls_back: false }
}

/// What is known of a table's probes before one is asked.
#[derive(Debug)]
pub struct TablePlan {
    /// The key that rows are found by.
    pub key: Option<Key>,
    /// Reads, locks and updates.
    pub lanes: Vec<Lane>,
    /// The update's candidates, best first: each is tried once, the first that works is taken.
    pub updates: Vec<String>,
    /// The insert's columns, for which a row's values are to be read; none where a real insert must not be made.
    pub insert: Option<InsertPlan>,
    /// The insert that takes the locks of one and makes no row.
    pub empty_insert: String,
    /// Why a probe is less than an application's request, in sentences.
    pub limits: Vec<String>,
}

/// How to make a valid row from an existing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsertPlan {
    /// Columns to give, as fields to read.
    pub fields: Vec<Field>,
    /// Those of them that must differ from every row's, by position, with what kind of value they hold.
    pub fresh: Vec<(usize, FreshValue)>,
}

/// How a value that no row has is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshValue {
    /// Counted down from the type's largest value.
    Integer(u64),
    /// A word that sorts last, of at most so many characters.
    Word(u64),
    /// Random bytes of this length in hex.
    Bytes(u64),
}

/// Plans a table's probes. `wide` gives its first and its last key lanes of their own.
pub fn plan(survey: &Survey, name: &TableName, facts: &TableFacts, wide: bool) -> TablePlan {
    let table = name.quoted();
    let transactional = facts.is_transactional();
    let key = Key::of(facts);
    let row = if key.is_some() { "WHERE {}" } else { "LIMIT 1" };
    let mut limits = Vec::new();
    if key.is_none() {
        limits.push(format!("{name} has no key to find a row by: probes ask for whichever row comes first"));
    }
    let rotating = if key.is_some() { Keys::Rotating } else { Keys::None };
    let end = if transactional { "; ROLLBACK" } else { "" };
    let lane = |kind, keys, text: String| Lane { table: name.clone(), kind, keys, text, rolls_back: transactional };

    let mut lanes =
        vec![Lane { rolls_back: false, ..lane(ProbeKind::Read, rotating, format!("SELECT 1 FROM {table} {row}")) }];
    let lock = format!("SELECT 1 FROM {table} {row} FOR UPDATE{end}");
    let ends: &[Keys] = if wide && key.is_some() { &[Keys::First, Keys::Last] } else { &[] };
    if wide && key.is_some() {
        lanes.push(lane(ProbeKind::Lock, Keys::First, lock.clone()));
    }
    lanes.push(lane(ProbeKind::Lock, rotating, lock));

    let triggers = |event: &str| on_table(survey, name, event);
    let on_update = triggers("UPDATE");
    // Set to itself a column stays as it is, in an engine without rollback too; the request still takes its locks.
    let to_itself = !transactional && on_update.is_empty();
    let update_leaks = if to_itself { None } else { leak(survey, facts, &on_update) };
    let insert_leaks = leak(survey, facts, &triggers("INSERT"));
    let updates = match &update_leaks {
        None => updates(survey, name, facts, to_itself)
            .into_iter()
            .map(|set| format!("UPDATE {table} SET {set} {row}{end}"))
            .collect(),
        Some(why) => {
            limits.push(format!("updates of {name} are probed by one that finds no row: {why}"));
            let set = (facts.columns.iter().find(|column| column.generated.is_none()))
                .map(|column| quote_identifier(&column.name));
            set.map(|column| format!("UPDATE {table} SET {column} = {column} WHERE ({{}}) AND 1 = 0{end}"))
                .into_iter()
                .filter(|_| key.is_some())
                .collect()
        }
    };
    for keys in ends.iter().copied().chain([rotating]) {
        lanes.push(lane(ProbeKind::Update, keys, String::new()));
    }

    let given: Vec<&ColumnFacts> = facts.columns.iter().filter(|column| column.generated.is_none()).collect();
    let names = given.iter().map(|column| quote_identifier(&column.name)).collect::<Vec<_>>().join(",");
    let empty_insert = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {table} WHERE 1 = 0{end}");
    let insert = match insert_leaks {
        Some(why) => {
            limits.push(format!("inserts into {name} are probed by one that makes no row: {why}"));
            None
        }
        None => match insert_plan(facts, &given) {
            Ok(plan) => Some(plan),
            Err(why) => {
                limits.push(format!("inserts into {name} are probed by one that makes no row: {why}"));
                None
            }
        },
    };
    lanes.push(lane(ProbeKind::Insert, Keys::None, String::new()));
    TablePlan { key, lanes, updates, insert, empty_insert, limits }
}

/// Triggers of a table for an event.
fn on_table<'a>(survey: &'a Survey, table: &TableName, event: &str) -> Vec<&'a TriggerFacts> {
    survey
        .triggers
        .values()
        .filter(|trigger| trigger.table == *table && trigger.event.eq_ignore_ascii_case(event))
        .collect()
}

/// Why a write could not be rolled back without a trace; none when it can.
fn leak(survey: &Survey, facts: &TableFacts, triggers: &[&TriggerFacts]) -> Option<String> {
    if !facts.is_transactional() {
        return Some(format!("{} cannot roll back", facts.engine));
    }
    let lasting = triggers
        .iter()
        .flat_map(|trigger| &trigger.touches)
        .find(|touched| survey.tables.get(*touched).is_none_or(|table| !table.is_transactional()));
    lasting.map(|table| format!("a trigger reaches {table}, where a rollback leaves rows"))
}

/// Assignments for the update probe, best first: a changed value of an indexed column, of a plain one, and last a column
/// set to itself.
fn updates(survey: &Survey, name: &TableName, facts: &TableFacts, to_itself: bool) -> Vec<String> {
    let primary: BTreeSet<&str> = facts.primary_key().iter().map(|part| part.name.as_str()).collect();
    let child: BTreeSet<&str> = facts.foreign_keys.iter().flat_map(|key| &key.columns).map(String::as_str).collect();
    let parent: BTreeSet<&str> = (survey.tables.values().flat_map(|table| &table.foreign_keys))
        .filter(|key| key.parent == *name)
        .flat_map(|key| &key.parent_columns)
        .map(String::as_str)
        .collect();
    let free = |column: &&str| !primary.contains(column) && !child.contains(column) && !parent.contains(column);
    let secondary = |unique: bool| {
        (facts.indexes.iter())
            .filter(move |index| index.name != "PRIMARY" && index.unique == unique)
            .flat_map(|index| index.columns.iter().map(|part| part.name.as_str()))
    };
    let indexed: BTreeSet<&str> = secondary(false).chain(secondary(true)).collect();
    let plain = facts.columns.iter().map(|column| column.name.as_str()).filter(|column| !indexed.contains(column));
    let mut sets = Vec::new();
    for column in secondary(false).filter(free).chain(plain.filter(free)) {
        let facts = facts.column(column).filter(|column| column.generated.is_none() && !column.auto_increment);
        if let Some(value) = facts.and_then(changed) {
            let set = format!("{} = {value}", quote_identifier(column));
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
    }
    sets.truncate(if to_itself { 0 } else { 4 });
    if let Some(column) = facts.columns.iter().find(|column| column.generated.is_none()) {
        let column = quote_identifier(&column.name);
        sets.push(format!("{column} = {column}"));
    }
    sets
}

/// An expression that is never a column's present value and fits its type.
fn changed(column: &ColumnFacts) -> Option<String> {
    let name = quote_identifier(&column.name);
    Some(match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "decimal" | "numeric" | "float"
        | "double" => {
            format!("COALESCE(IF({name} > 0, {name} - 1, {name} + 1), 1)")
        }
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
            if column.length == Some(0) {
                return None;
            }
            format!("IF({name} <=> 'r', 's', 'r')")
        }
        "datetime" | "timestamp" => {
            format!("IF({name} <=> '2001-01-01 00:00:00', '2001-01-01 00:00:01', '2001-01-01 00:00:00')")
        }
        "date" => format!("IF({name} <=> '2001-01-01', '2001-01-02', '2001-01-01')"),
        _ => return None,
    })
}

/// How a row that fits may be made: AUTO_INCREMENT left to the server, one column of each unique key moved out of the way.
fn insert_plan(facts: &TableFacts, given: &[&ColumnFacts]) -> Result<InsertPlan, String> {
    let columns: Vec<&&ColumnFacts> = given.iter().filter(|column| !column.auto_increment).collect();
    if columns.is_empty() {
        return Err("it has no column to give a value to".to_owned());
    }
    let child: BTreeSet<&str> = facts.foreign_keys.iter().flat_map(|key| &key.columns).map(String::as_str).collect();
    let mut fresh: Vec<(usize, FreshValue)> = Vec::new();
    for index in facts.indexes.iter().filter(|index| index.unique) {
        let counts_up =
            |name: &str| facts.column(name).is_some_and(|column| column.auto_increment && !index.columns.is_empty());
        if index.columns.iter().any(|part| counts_up(&part.name)) {
            continue;
        }
        let choice = index.columns.iter().filter(|part| !child.contains(part.name.as_str())).find_map(|part| {
            let position = columns.iter().position(|column| column.name.eq_ignore_ascii_case(&part.name))?;
            Some((position, fresh_value(columns[position], part.prefix)?))
        });
        match choice {
            Some(choice) if fresh.contains(&choice) => {}
            Some(choice) => fresh.push(choice),
            None => return Err(format!("no new value can be made for its unique key {}", index.name)),
        }
    }
    Ok(InsertPlan { fields: columns.iter().map(|column| Field::of(column)).collect(), fresh })
}

fn fresh_value(column: &ColumnFacts, prefix: Option<u64>) -> Option<FreshValue> {
    let unsigned = column.column_type.contains("unsigned");
    let integer = |signed: u64| FreshValue::Integer(if unsigned { signed * 2 + 1 } else { signed });
    Some(match column.data_type.as_str() {
        "smallint" => integer(0x7FFF),
        "mediumint" => integer(0x7F_FFFF),
        "int" | "integer" => integer(0x7FFF_FFFF),
        // Not to the very end: a counter that follows it must still have room.
        "bigint" => FreshValue::Integer(0x7FFF_FFFF_FFFF_0000),
        "decimal" | "numeric" => {
            let digits = column.precision.unwrap_or(10).saturating_sub(column.scale.unwrap_or(0)).min(18);
            FreshValue::Integer(
                10u64.checked_pow(u32::try_from(digits).ok()?)?.checked_sub(1).filter(|max| *max > 99_999)?,
            )
        }
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
            let room = prefix.or(column.length).unwrap_or(20).min(20);
            FreshValue::Word((room >= 6).then_some(room)?)
        }
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            let room = prefix.or(column.length).unwrap_or(16).min(16);
            FreshValue::Bytes((room >= 6).then_some(room)?)
        }
        _ => return None,
    })
}

impl InsertPlan {
    /// The statement that reads a row to copy from.
    pub fn template(&self, table: &TableName, facts: &TableFacts) -> String {
        format!("SELECT {} FROM {} LIMIT 1", key::read_list(&self.fields, facts), table.quoted())
    }

    /// The request that inserts a copy of the row, new in each unique key, and takes it back. `salt` is never the same.
    pub fn request(&self, table: &TableName, row: &[String], salt: u64) -> String {
        let mut values = row.to_vec();
        for (position, fresh) in &self.fresh {
            values[*position] = match fresh {
                FreshValue::Integer(max) => (max - salt % (max / 2).max(1)).to_string(),
                FreshValue::Word(room) => {
                    let word = format!("zz{salt:016x}");
                    let room = usize::try_from(*room).unwrap_or(6);
                    quote_text(&format!("zz{}", &word[word.len() - (room - 2).min(16)..]))
                }
                FreshValue::Bytes(room) => {
                    let bytes = usize::try_from(*room).unwrap_or(6);
                    format!("0xFF{:0>1$}", format!("{salt:016x}"), 2 * (bytes - 1))
                        .chars()
                        .take(2 + 2 * bytes)
                        .collect()
                }
            };
        }
        let names: Vec<_> = self.fields.iter().map(|field| quote_identifier(&field.name)).collect();
        format!("INSERT INTO {} ({}) VALUES ({}); ROLLBACK", table.quoted(), names.join(","), values.join(","))
    }
}

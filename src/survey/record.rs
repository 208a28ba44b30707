//! The survey: production's shape without its rows. Saved as YAML that people read and edit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::server::flavor::Flavor;
use crate::sql::record::TableName;

/// The format line of a survey file.
pub const FORMAT: &str = "rehearse/survey@1";

/// What a server holds and how it is set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// Always [`FORMAT`].
    pub format: String,
    /// When it was taken (RFC 3339, UTC), or none when it came from a schema file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
    /// The server itself.
    pub server: ServerFacts,
    /// `CREATE DATABASE` statements by database.
    pub databases: BTreeMap<String, String>,
    /// Tables by name.
    pub tables: BTreeMap<TableName, TableFacts>,
    /// Views by name, each with its `CREATE VIEW`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub views: BTreeMap<TableName, String>,
    /// Triggers by their own name (`database.trigger`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<TableName, TriggerFacts>,
    /// Routines and events by name (`database.routine`), each with its CREATE statement. Where a procedure, a function and
    /// an event share a name, the later ones have their kind after it (`database.name (event)`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routines: BTreeMap<TableName, String>,
    /// Sequences (MariaDB) by name, each with its CREATE statement; table defaults may use them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sequences: BTreeMap<TableName, String>,
    /// What could not be read, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
}

impl Survey {
    /// One that holds nothing yet.
    pub fn empty(server: ServerFacts) -> Self {
        Self {
            format: FORMAT.to_owned(),
            taken: None,
            server,
            databases: BTreeMap::new(),
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
            triggers: BTreeMap::new(),
            routines: BTreeMap::new(),
            sequences: BTreeMap::new(),
            gaps: Vec::new(),
        }
    }
}

/// A server's identity and set-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerFacts {
    /// Vendor and version.
    pub flavor: Flavor,
    /// The whole version string.
    #[serde(default)]
    pub version: String,
    /// `@@server_uuid` (MySQL), to tell a sandbox from production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// `@@hostname:@@port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Global variables, as text. Empty when it came from a schema file.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Long transactions seen (seconds open, state), longest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub long_transactions: Vec<LongTransaction>,
    /// Installed plugins and components that change behaviour, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<String>,
}

impl ServerFacts {
    /// A server of which only the flavour is known.
    pub fn of(flavor: Flavor) -> Self {
        Self {
            flavor,
            version: String::new(),
            uuid: None,
            host: None,
            settings: BTreeMap::new(),
            long_transactions: Vec::new(),
            plugins: Vec::new(),
        }
    }
}

/// A transaction that was open when the survey looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongTransaction {
    /// Connection id.
    pub connection: u64,
    /// Seconds since it began.
    pub seconds: u64,
    /// Account.
    pub user: String,
    /// What it does: the command and state of the process list.
    pub state: String,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Counted or timed.
    Measured,
    /// The server's own statistics.
    #[default]
    Estimated,
    /// Said by a person (`--rows`, a scenario).
    Stated,
    /// Computed from a smaller run.
    Extrapolated,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFacts {
    /// `SHOW CREATE TABLE`.
    pub create: String,
    /// Rows in production.
    pub rows: u64,
    /// Where `rows` comes from.
    pub rows_basis: Basis,
    /// Bytes of data.
    #[serde(default)]
    pub data_bytes: u64,
    /// Bytes of indexes.
    #[serde(default)]
    pub index_bytes: u64,
    /// Storage engine: `InnoDB`, `MyISAM`, …
    pub engine: String,
    /// Next AUTO_INCREMENT value, when the table has such a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_increment: Option<u64>,
    /// INSTANT row versions used so far (MySQL `TOTAL_ROW_VERSIONS`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_versions: Option<u64>,
    /// Columns in order.
    pub columns: Vec<ColumnFacts>,
    /// Indexes, primary key first, then by name.
    pub indexes: Vec<IndexFacts>,
    /// Foreign keys of this table (it is the child).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKeyFacts>,
    /// Names of its partitions; empty when it is not partitioned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionFacts>,
}

impl TableFacts {
    /// A table of which nothing is known but that it is there.
    pub fn unknown() -> Self {
        Self {
            create: String::new(),
            rows: 0,
            rows_basis: Basis::Estimated,
            data_bytes: 0,
            index_bytes: 0,
            engine: "InnoDB".to_owned(),
            auto_increment: None,
            row_versions: None,
            columns: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            partitions: Vec::new(),
        }
    }

    /// The primary key's columns in key order; empty without one.
    pub fn primary_key(&self) -> &[IndexColumn] {
        self.indexes.iter().find(|index| index.name == "PRIMARY").map_or(&[], |index| &index.columns)
    }

    /// True for engines that can roll back.
    pub fn is_transactional(&self) -> bool {
        self.engine.eq_ignore_ascii_case("innodb") || self.engine.eq_ignore_ascii_case("rocksdb")
    }

    /// A column by name, case-insensitively as servers compare.
    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// `DATA_TYPE` in lower case: `bigint`, `varchar`, `enum`. MariaDB's JSON, a `longtext` that is checked with
    /// `json_valid`, counts as `json` here.
    pub data_type: String,
    /// `COLUMN_TYPE`: `bigint unsigned`, `varchar(255)`, `enum('a','b')`.
    pub column_type: String,
    /// May be NULL.
    pub nullable: bool,
    /// The default as MySQL's information schema writes it: literals bare, `CURRENT_TIMESTAMP(6)`, expressions as SQL; none
    /// for NULL and for no default. (MariaDB's, which quotes literals, is brought into this form; `create` has the source.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Counts up by itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto_increment: bool,
    /// The expression of a generated column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// Left out of `SELECT *`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub invisible: bool,
    /// Character set, for text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Collation, for text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Longest length in characters (text) or bytes (binary).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Digits, for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u64>,
    /// Digits after the point; fractional seconds for times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u64>,
    /// What its values look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<ColumnStatistics>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What a column's values look like, from a bounded sample and the indexes. All values as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnStatistics {
    /// Distinct values, from an index's cardinality or the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// Share of NULLs, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_share: Option<f64>,
    /// Smallest value (numbers and times; TIMESTAMPs in UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// Largest value (numbers and times).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Mean length in bytes (text and binary).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_length: Option<f64>,
    /// Longest length seen (text and binary).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// Common values with their share (0 to 1), commonest first; only for columns with few distinct values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub common: Vec<(String, f64)>,
}

/// One index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexFacts {
    /// Its name; `PRIMARY` for the primary key.
    pub name: String,
    /// No two rows may share a key.
    pub unique: bool,
    /// `BTREE`, `HASH`, `FULLTEXT`, `SPATIAL`, `RTREE`.
    pub kind: String,
    /// Its parts in order.
    pub columns: Vec<IndexColumn>,
    /// Estimated distinct keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardinality: Option<u64>,
}

/// One part of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexColumn {
    /// The column; empty for an expression.
    pub name: String,
    /// Length of the prefix that is indexed, when it is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<u64>,
    /// The expression of a functional part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

/// One foreign key, of the child that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKeyFacts {
    /// The constraint's name.
    pub name: String,
    /// The child's columns.
    pub columns: Vec<String>,
    /// The parent.
    pub parent: TableName,
    /// The parent's columns, in the same order.
    pub parent_columns: Vec<String>,
    /// `CASCADE`, `SET NULL`, `RESTRICT`, `NO ACTION`.
    pub on_delete: String,
    /// The same for updates.
    pub on_update: String,
}

/// One trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerFacts {
    /// The table it fires on.
    pub table: TableName,
    /// `BEFORE` or `AFTER`.
    pub timing: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub event: String,
    /// `SHOW CREATE TRIGGER`.
    pub create: String,
    /// The `sql_mode` it was created under.
    #[serde(default)]
    pub sql_mode: String,
    /// Tables that its body names, from its tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<TableName>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionFacts {
    /// Its name.
    pub name: String,
    /// `RANGE`, `LIST`, `HASH`, `KEY`, `RANGE COLUMNS`, …
    pub method: String,
    /// The partitioning expression or columns.
    pub expression: String,
    /// `VALUES LESS THAN` or `IN`, as text; empty for HASH and KEY.
    pub values: String,
    /// Estimated rows.
    pub rows: u64,
}

/// What a database holds at one moment: enough to tell two states apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Tables by name.
    pub tables: BTreeMap<TableName, TablePrint>,
    /// Normalised definitions of views, triggers, routines and events by kind and name (`trigger app.t_ai`).
    pub objects: BTreeMap<String, String>,
}

/// One table of a fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TablePrint {
    /// Normalised `SHOW CREATE TABLE`: without `AUTO_INCREMENT=`, indexes sorted, constraints by content.
    pub definition: String,
    /// Exact number of rows.
    pub rows: u64,
    /// `CHECKSUM TABLE`, when it was asked for and the table has one.
    pub checksum: Option<u64>,
    /// Next AUTO_INCREMENT value.
    pub auto_increment: Option<u64>,
    /// Per-column checksums (sum of CRC32 over all rows), in column order; asked for only where a difference is explained.
    pub columns: BTreeMap<String, String>,
    /// The same over whole rows, which tells whether equal column sums stand in the same rows: with `columns`, and in place of
    /// `checksum` where the server's own cannot be trusted.
    #[serde(default)]
    pub row_sums: Option<String>,
    /// Bytes of data and indexes.
    pub bytes: u64,
}

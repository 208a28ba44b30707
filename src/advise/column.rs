//! A column before and after a statement, whether the survey or the upgrade itself defined it.

use super::evidence::Subject;
use crate::sql::record::{AlterClause, ColumnDefinition, TableName, values_of};
use crate::survey::record::{ColumnFacts, ColumnStatistics, TableFacts};

/// Rows below which the survey's sample is the whole table (it reads 1,000 rows, or 16 MiB, from each end of the key).
const SAMPLED_WHOLE: u64 = 1_000;
const SAMPLED_BYTES: u64 = 16 << 20;

/// What a column is, and what is known of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Column<'a> {
    /// Its type as the information schema calls it: `int`, `varchar`.
    pub data_type: String,
    /// Characters or bytes, digits of a decimal, fractional digits of a time.
    pub length: Option<u64>,
    /// Digits after the point.
    pub scale: Option<u64>,
    /// No negative values.
    pub unsigned: bool,
    /// The values of an ENUM or SET.
    pub values: Vec<String>,
    /// Its character set, where it is known.
    pub charset: Option<String>,
    /// Its collation, where it is known.
    pub collation: Option<String>,
    /// May be NULL.
    pub nullable: bool,
    /// Counts up by itself.
    pub auto_increment: bool,
    /// What its values look like, where the survey looked.
    pub statistics: Option<&'a ColumnStatistics>,
    /// The survey's ends are those of the whole column, not of a sample.
    pub ends_known: bool,
    /// The survey's sample was the whole table.
    pub whole: bool,
}

impl<'a> Column<'a> {
    /// A column of a table as the statements before have left it; none where nobody knows it.
    pub fn before(subject: &Subject<'a>, table: &TableName, name: &str) -> Option<Self> {
        match subject.history.table(table).and_then(|past| past.column(name)) {
            Some(defined) => defined.map(Self::defined),
            None => {
                let facts = subject.facts(table)?;
                Some(Self::surveyed(facts, facts.column(name)?))
            }
        }
    }

    /// As the survey found it.
    fn surveyed(facts: &'a TableFacts, column: &'a ColumnFacts) -> Self {
        let is_time = matches!(column.data_type.as_str(), "datetime" | "timestamp" | "time");
        let leads =
            |name: &str| facts.indexes.iter().any(|index| index.columns.first().is_some_and(|c| c.name == name));
        let whole = facts.rows < SAMPLED_WHOLE && facts.data_bytes < SAMPLED_BYTES;
        Self {
            data_type: column.data_type.clone(),
            length: if is_time { column.scale.or(Some(0)) } else { column.length.or(column.precision) },
            scale: column.scale,
            unsigned: column.column_type.contains("unsigned"),
            values: values_of(&column.column_type),
            charset: column.charset.clone(),
            collation: column.collation.clone(),
            nullable: column.nullable,
            auto_increment: column.auto_increment,
            statistics: column.statistics.as_ref(),
            ends_known: whole || leads(&column.name),
            whole,
        }
    }

    /// As a statement defines it.
    pub fn defined(definition: &ColumnDefinition) -> Self {
        let is_time = matches!(definition.data_type.as_str(), "datetime" | "timestamp" | "time");
        Self {
            data_type: definition.data_type.clone(),
            length: if is_time { definition.length.or(Some(0)) } else { definition.length },
            scale: definition.scale,
            unsigned: definition.unsigned,
            values: definition.values.clone(),
            charset: definition.charset.clone(),
            collation: definition.collation.clone(),
            nullable: definition.nullable != Some(false),
            auto_increment: definition.auto_increment,
            statistics: None,
            ends_known: false,
            whole: false,
        }
    }

    /// `decimal(10,2)`, `varchar(50)`, `int unsigned`, as people write it.
    pub fn spelled(&self) -> String {
        let in_parentheses = match (self.data_type.as_str(), self.length, self.scale) {
            ("decimal", Some(digits), Some(scale)) => format!("({digits},{scale})"),
            ("char" | "varchar" | "binary" | "varbinary" | "bit", Some(length), _) => format!("({length})"),
            ("datetime" | "timestamp" | "time", Some(digits @ 1..), _) => format!("({digits})"),
            _ => String::new(),
        };
        let unsigned = if self.unsigned { " unsigned" } else { "" };
        format!("{}{in_parentheses}{unsigned}", self.data_type)
    }
}

/// The column that a MODIFY or CHANGE alters: its name, what it was and what it becomes.
pub fn altered<'a>(
    subject: &Subject<'a>,
    table: &TableName,
    clause: &'a AlterClause,
) -> Option<(&'a str, Column<'a>, &'a ColumnDefinition)> {
    let name = clause.object.as_deref()?;
    Some((name, Column::before(subject, table, name)?, clause.columns.first()?))
}

/// Values that do not fit are refused, not cut: the session's own sql_mode, else production's, else what servers have by
/// default.
pub fn is_strict(subject: &Subject<'_>) -> bool {
    let surveyed = || subject.evidence.survey?.server.settings.get("sql_mode").map(String::as_str);
    let mode = subject.session().setting("sql_mode").or_else(surveyed);
    mode.is_none_or(|mode| {
        let mode = mode.to_ascii_uppercase();
        mode.contains("STRICT_") || mode.contains("TRADITIONAL") || mode == "DEFAULT"
    })
}

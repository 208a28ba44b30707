//! Columns and keys as statements define them.

use serde::{Deserialize, Serialize};

/// A column as `ADD`, `MODIFY` or `CHANGE` defines it. What the text does not say is none or false; servers then take
/// their own defaults, not what the column had before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDefinition {
    /// The name that it gets.
    pub name: String,
    /// The type as the information schema calls it: `int`, `varchar`, `decimal`; synonyms (`INTEGER`, `BOOL`, `NUMERIC`) are
    /// resolved. `json` stays `json` on MariaDB, too.
    pub data_type: String,
    /// What stands in parentheses after the type, or what the server takes instead (`char` 1, `decimal` 10): characters,
    /// bytes, digits, or fractional digits of a time. Display widths of whole numbers are left out but for `tinyint(1)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Digits after the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u64>,
    /// The values of an ENUM or a SET.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// `UNSIGNED`, or `ZEROFILL`, which implies it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unsigned: bool,
    /// `ZEROFILL`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub zerofill: bool,
    /// The character set that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// The collation that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// `NULL` is true, `NOT NULL` (or `PRIMARY KEY`) is false; none when neither is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nullable: Option<bool>,
    /// The text after `DEFAULT`, as written: `0`, `'x'`, `NULL`, `CURRENT_TIMESTAMP`, `(uuid())`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `ON UPDATE CURRENT_TIMESTAMP`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub on_update: bool,
    /// `AUTO_INCREMENT`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto_increment: bool,
    /// A generated column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// The key that it asks for by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ColumnKey>,
    /// Its comment, as written with its quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// `INVISIBLE`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub invisible: bool,
    /// A `CHECK` of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub check: bool,
    /// `REFERENCES`: a foreign key on MariaDB 10.5 and MySQL 9.0, nothing on MySQL before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub references: bool,
    /// `FIRST` or `AFTER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Words that were not understood, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// How a generated column keeps its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression, as written, without its parentheses.
    pub expression: String,
    /// Kept in the row (`STORED`, `PERSISTENT`), else computed when it is read.
    pub stored: bool,
}

/// A key that a column's own definition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKey {
    /// `PRIMARY KEY`, or `KEY` alone.
    Primary,
    /// `UNIQUE [KEY]`.
    Unique,
}

/// Where a column is put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Before all others.
    First,
    /// Behind this one.
    After(String),
}

/// One part of a key that a statement defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPart {
    /// The column; none for an expression.
    pub column: Option<String>,
    /// Characters or bytes of it that are indexed, when it is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl ColumnDefinition {
    /// True for whole numbers, whose width in parentheses means nothing.
    pub fn is_integer(data_type: &str) -> bool {
        matches!(data_type, "tinyint" | "smallint" | "mediumint" | "int" | "bigint")
    }

    /// True for types that have a character set.
    pub fn is_text(data_type: &str) -> bool {
        matches!(data_type, "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set")
    }
}

/// The values of `enum('a','b')` or `set(…)`, as a statement or the information schema writes a column's type; empty for
/// other types.
pub fn values_of(column_type: &str) -> Vec<String> {
    let lower = column_type.to_ascii_lowercase();
    if !lower.starts_with("enum(") && !lower.starts_with("set(") {
        return Vec::new();
    }
    let mut values = Vec::new();
    let mut value: Option<(char, String)> = None;
    let mut chars = column_type.chars().peekable();
    while let Some(c) = chars.next() {
        match (&mut value, c) {
            (None, '\'' | '"') => value = Some((c, String::new())),
            (None, _) => {}
            (Some((quote, text)), _) if c == *quote => {
                if chars.peek() == Some(&c) {
                    chars.next();
                    text.push(c);
                } else {
                    values.extend(value.take().map(|(_, text)| text));
                }
            }
            (Some((_, text)), '\\') => text.extend(chars.next()),
            (Some((_, text)), _) => text.push(c),
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_from_a_column_type() {
        assert_eq!(values_of("enum('a','it''s','x,y)')"), ["a", "it's", "x,y)"]);
        assert_eq!(values_of("SET('')"), [""]);
        assert!(values_of("varchar(20)").is_empty());
    }
}

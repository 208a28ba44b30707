//! Names of tables, as people type them and as SQL quotes them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A table (or view) by database and name, unquoted, as the server stores it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The database; empty only where a script named none and none was in use.
    pub database: String,
    /// The table.
    pub table: String,
}

impl TableName {
    /// A name from its two parts.
    pub fn new(database: impl Into<String>, table: impl Into<String>) -> Self {
        Self { database: database.into(), table: table.into() }
    }

    /// `` `db`.`table` ``, as SQL wants it; `` `table` `` alone when there is no database.
    pub fn quoted(&self) -> String {
        if self.database.is_empty() {
            quote_identifier(&self.table)
        } else {
            format!("{}.{}", quote_identifier(&self.database), quote_identifier(&self.table))
        }
    }

    /// Reads what a person types: `table`, `db.table`, `` `db`.`my table` ``; without a database, `default` is it.
    ///
    /// # Errors
    /// A sentence on what is wrong with the text.
    pub fn parse(text: &str, default: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut chars = text.trim().chars().peekable();
        loop {
            let mut part = String::new();
            match chars.peek() {
                Some(&quote @ ('`' | '"')) => {
                    chars.next();
                    loop {
                        match chars.next() {
                            None => return Err(format!("the quote in '{text}' is not closed")),
                            Some(c) if c == quote => {
                                if chars.peek() != Some(&quote) {
                                    break;
                                }
                                chars.next();
                                part.push(quote);
                            }
                            Some(c) => part.push(c),
                        }
                    }
                }
                _ => {
                    while let Some(c) = chars.next_if(|c| *c != '.') {
                        part.push(c);
                    }
                }
            }
            if part.is_empty() {
                return Err(format!("'{text}' is no table name: write table or database.table"));
            }
            parts.push(part);
            match chars.next() {
                None => break,
                Some('.') => {}
                Some(_) => return Err(format!("'{text}' goes on after its closing quote")),
            }
        }
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(table), None, None) => Ok(Self::new(default, table)),
            (Some(database), Some(table), None) => Ok(Self::new(database, table)),
            _ => Err(format!("'{text}' has too many parts: write table or database.table")),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |name: &str| !name.is_empty() && !name.contains(['.', '`', '"', ' ']);
        if self.database.is_empty() {
            f.write_str(&self.table)
        } else if plain(&self.database) && plain(&self.table) {
            write!(f, "{}.{}", self.database, self.table)
        } else {
            f.write_str(&self.quoted())
        }
    }
}

impl Serialize for TableName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?, "").map_err(serde::de::Error::custom)
    }
}

/// `` `name` ``, backticks in it doubled.
pub fn quote_identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `'text'` with quotes and backslashes escaped; for sessions whose sql_mode lacks NO_BACKSLASH_ESCAPES.
pub fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_are_read_as_people_type_them() {
        let parse = |text| TableName::parse(text, "app");
        assert_eq!(parse("users"), Ok(TableName::new("app", "users")));
        assert_eq!(parse("zdz.tracking"), Ok(TableName::new("zdz", "tracking")));
        assert_eq!(parse("`my db`.`a.b`"), Ok(TableName::new("my db", "a.b")));
        assert_eq!(parse("order items"), Ok(TableName::new("app", "order items")));
        for bad in ["", "a.b.c", "`a", "`a`b", "a."] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_table_name_reads_back_from_its_display() {
        for name in [TableName::new("app", "t"), TableName::new("my db", "a.b`c"), TableName::new("", "t")] {
            assert_eq!(TableName::parse(&name.to_string(), ""), Ok(name));
        }
    }
}

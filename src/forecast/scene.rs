//! What a forecast goes by: the server, the table's definition, who refers to it, and the session's state.

use std::collections::BTreeMap;

use super::way::{Way, Work};
use crate::replay::record::DdlLock;
use crate::server::flavor::Flavor;
use crate::sql::record::TableName;
use crate::survey::record::{ColumnFacts, ForeignKeyFacts, IndexFacts, Survey, TableFacts};

/// The session's state, as far as it changes what a DDL does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// `sql_mode` has STRICT_TRANS_TABLES or STRICT_ALL_TABLES.
    pub strict: bool,
    /// `foreign_key_checks`.
    pub foreign_key_checks: bool,
    /// `alter_algorithm` (MariaDB before 11.5), or `COPY` for `old_alter_table = ON`; none for the server's own choice.
    pub algorithm: Option<String>,
}

impl Default for SessionFacts {
    fn default() -> Self {
        Self { strict: true, foreign_key_checks: true, algorithm: None }
    }
}

impl SessionFacts {
    /// The state of a session that `settings` (variables by name, as the server writes them) rule.
    pub fn from_settings(settings: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| settings.get(name).map(|value| value.to_ascii_uppercase());
        let on = |value: &str| matches!(value, "ON" | "1" | "TRUE");
        let old = get("old_alter_table").filter(|value| on(value)).map(|_| "COPY".to_owned());
        let algorithm = get("alter_algorithm").or_else(|| get("old_alter_table"));
        let named = algorithm.filter(|name| matches!(name.as_str(), "COPY" | "INPLACE" | "NOCOPY" | "INSTANT"));
        Self {
            strict: get("sql_mode").is_none_or(|mode| mode.contains("STRICT_")),
            foreign_key_checks: get("foreign_key_checks").is_none_or(|value| on(&value)),
            algorithm: named.or(old),
        }
    }
}

/// Everything that a forecast goes by.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The server.
    pub flavor: Flavor,
    /// The session.
    pub session: SessionFacts,
    /// The table as it is before the statement; none where nobody knows it.
    pub table: Option<&'a TableFacts>,
    /// Foreign keys of other tables that refer to it; none where nobody knows.
    pub children: Vec<(&'a TableName, &'a ForeignKeyFacts)>,
}

impl<'a> Scene<'a> {
    /// A scene on a surveyed table.
    pub fn of(flavor: Flavor, session: SessionFacts, survey: Option<&'a Survey>, table: &TableName) -> Self {
        let tables = survey.into_iter().flat_map(|survey| &survey.tables).filter(|(name, _)| *name != table);
        let keys = tables.flat_map(|(name, facts)| facts.foreign_keys.iter().map(move |key| (name, key)));
        let children = keys.filter(|(_, key)| key.parent == *table).collect();
        Self { flavor, session, table: survey.and_then(|survey| survey.tables.get(table)), children }
    }

    /// MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.flavor.is_mariadb()
    }

    /// An InnoDB table; one that nobody knows is taken for one.
    pub fn is_innodb(&self) -> bool {
        self.table.is_none_or(|table| table.engine.eq_ignore_ascii_case("innodb"))
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&'a ColumnFacts> {
        self.table?.column(name)
    }

    /// An index by name.
    pub fn index(&self, name: &str) -> Option<&'a IndexFacts> {
        self.table?.indexes.iter().find(|index| index.name.eq_ignore_ascii_case(name))
    }

    /// The indexes that a column is part of.
    pub fn indexes_with(&self, column: &str) -> Vec<&'a IndexFacts> {
        let indexes = self.table.map_or(&[][..], |table| &table.indexes);
        let has = |index: &&IndexFacts| index.columns.iter().any(|part| part.name.eq_ignore_ascii_case(column));
        indexes.iter().filter(has).collect()
    }

    /// A column of the primary key.
    pub fn is_key(&self, column: &str) -> bool {
        self.indexes_with(column).iter().any(|index| index.name == "PRIMARY")
    }

    /// The table's own foreign key that a column is part of.
    pub fn foreign_key_of(&self, column: &str) -> Option<&'a ForeignKeyFacts> {
        let has = |key: &&ForeignKeyFacts| key.columns.iter().any(|own| own.eq_ignore_ascii_case(column));
        self.table?.foreign_keys.iter().find(has)
    }

    /// Another table's foreign key that refers to a column.
    pub fn referred_by(&self, column: &str) -> Option<(&'a TableName, &'a ForeignKeyFacts)> {
        let has = |key: &ForeignKeyFacts| key.parent_columns.iter().any(|parent| parent.eq_ignore_ascii_case(column));
        self.children.iter().find(|(_, key)| has(key)).copied()
    }

    /// The definition has these words outside of comments and names; a cheap look at `SHOW CREATE TABLE`.
    fn says(&self, words: &str) -> bool {
        let tail = self.table.and_then(|table| table.create.rsplit_once("\n)")).map(|(_, tail)| tail);
        tail.is_some_and(|tail| tail.to_ascii_uppercase().contains(words))
    }

    /// `ROW_FORMAT=COMPRESSED`, also by KEY_BLOCK_SIZE alone.
    pub fn is_compressed(&self) -> bool {
        self.says("ROW_FORMAT=COMPRESSED") || self.has_key_block_size()
    }

    /// `KEY_BLOCK_SIZE` of the table.
    pub fn has_key_block_size(&self) -> bool {
        self.says("KEY_BLOCK_SIZE=")
    }

    /// `ROW_FORMAT=REDUNDANT`.
    pub fn is_redundant(&self) -> bool {
        self.says("ROW_FORMAT=REDUNDANT")
    }

    /// The table's default character set and collation, from `SHOW CREATE TABLE` or as people write it in a schema file:
    /// `CHARSET=utf8mb4`, `DEFAULT CHARACTER SET utf8`, in an executed comment or not.
    pub fn charset(&self) -> (Option<String>, Option<String>) {
        self.table.map_or((None, None), |table| charset_of(&table.create))
    }

    /// Its FULLTEXT indexes.
    pub fn fulltext(&self) -> Vec<&'a IndexFacts> {
        let indexes = self.table.map_or(&[][..], |table| &table.indexes);
        indexes.iter().filter(|index| index.kind.eq_ignore_ascii_case("fulltext")).collect()
    }

    /// A generated column that is not kept in the row.
    pub fn is_virtual(&self, column: &str) -> bool {
        let Some(table) = self.table else { return false };
        let generated = table.column(column).is_some_and(|column| column.generated.is_some());
        let start = format!("`{}` ", column.to_ascii_lowercase());
        let line = table.create.lines().map(|line| line.trim_start().to_ascii_lowercase());
        generated
            && !line
                .filter(|line| line.starts_with(&start))
                .any(|line| line.contains(") stored") || line.contains(") persistent"))
    }

    /// One of its virtual columns is indexed: MariaDB then changes no stored column instantly, nor beside writers
    /// (MDEV-17468; measured on 10.11 and 11.8).
    pub fn has_indexed_virtual(&self) -> bool {
        let columns = self.table.map_or(&[][..], |table| &table.columns);
        let mut generated = columns.iter().filter(|column| column.generated.is_some());
        generated.any(|column| self.is_virtual(&column.name) && !self.indexes_with(&column.name).is_empty())
    }

    /// A copy lets others write (MariaDB 11.2, MDEV-16329), unless rows change by themselves: cascades.
    pub fn copies_online(&self) -> bool {
        let cascades = |key: &ForeignKeyFacts| {
            [&key.on_delete, &key.on_update]
                .iter()
                .any(|action| action.eq_ignore_ascii_case("cascade") || action.eq_ignore_ascii_case("set null"))
        };
        let own = self.table.map_or(&[][..], |table| &table.foreign_keys);
        self.flavor.at_least_mariadb(11, 2, 0) && !own.iter().any(cascades)
    }

    /// The engine writes the table anew; `gone` are FULLTEXT indexes that the statement drops.
    pub fn rebuild(&self, gone: &[&str], why: &str) -> Way {
        let left = self.fulltext().into_iter().filter(|index| !gone.contains(&index.name.as_str())).count();
        if !self.is_innodb() {
            return Way::copy(format!("{why} Its engine is not InnoDB, so the server copies it row by row."));
        }
        match (left, self.is_mariadb()) {
            // Measured on 9.7: error 1846, one FULLTEXT index creation at a time.
            (1.., false) => Way::copy(format!("{why} A table with a FULLTEXT index is not rebuilt in place.")),
            (1.., true) => {
                Way::rebuild(DdlLock::Shared, format!("{why} Its FULLTEXT index keeps writers out meanwhile."))
            }
            (0, true) if self.has_indexed_virtual() => {
                Way::rebuild(DdlLock::Shared, format!("{why} An indexed virtual column keeps writers out meanwhile."))
            }
            _ => Way::rebuild(DdlLock::None, why),
        }
    }

    /// The row format lets stored columns come, go and move without a rebuild; `Err` says why not.
    pub fn instant_columns(&self, used: bool) -> Result<(), &'static str> {
        use crate::server::ability::Ability as _;
        if !self.flavor.adds_columns_instantly() {
            return Err("This version has no INSTANT.");
        }
        if self.is_compressed() {
            return Err("ROW_FORMAT=COMPRESSED has no INSTANT.");
        }
        if !self.fulltext().is_empty() {
            return Err("A table with a FULLTEXT index has no INSTANT.");
        }
        if self.is_mariadb() && self.has_indexed_virtual() {
            return Err("A table with an indexed virtual column has no INSTANT.");
        }
        let versions = self.table.and_then(|table| table.row_versions).unwrap_or(0);
        if used && self.flavor.most_row_versions().is_some_and(|most| versions >= most) {
            return Err("The table has used up its INSTANT row versions.");
        }
        Ok(())
    }

    /// Definitions alone; MariaDB takes it with ALGORITHM=INSTANT, MySQL calls it INPLACE.
    pub fn definition(&self, why: &str) -> Way {
        if self.is_mariadb() { Way::instant(Work::Metadata, why) } else { Way::metadata(why) }
    }
}

/// The default character set (by its collation, where only that is named) and collation of a `CREATE TABLE`.
fn charset_of(create: &str) -> (Option<String>, Option<String>) {
    let tail = options(create);
    let folded = tail.to_ascii_uppercase();
    let option = |name: &str| {
        let value = tail[folded.find(name)? + name.len()..].trim_start();
        let value = value.trim_start_matches(['=', ' ', '\'', '"']);
        let value: String = value.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (!value.is_empty()).then_some(value)
    };
    let collation = option("COLLATE");
    let by_collation = || collation.as_deref().and_then(|name| name.split('_').next()).map(str::to_owned);
    (["CHARSET", "CHARACTER SET", "CHAR SET"].into_iter().find_map(option).or_else(by_collation), collation)
}

/// What stands behind the parenthesis that closes the list of columns.
fn options(create: &str) -> &str {
    let (mut depth, mut quote) = (0u32, None);
    for (at, byte) in create.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'\'' | b'"' | b'`') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 1 => return &create[at + 1..],
            (None, b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tables_character_set_is_read_as_servers_and_as_people_write_it() {
        let columns = "CREATE TABLE `t` (\n  `a` varchar(5) COMMENT 'CHARSET=x ) it''s', KEY `k` (`a`(3))\n)";
        for (tail, charset, collation) in [
            (" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", Some("utf8mb4"), Some("utf8mb4_bin")),
            (
                " /*!40000 ENGINE=INNODB */ /*!40101 CHARACTER SET utf8 COLLATE utf8_general_ci */",
                Some("utf8"),
                Some("utf8_general_ci"),
            ),
            (" default character set = 'latin1'", Some("latin1"), None),
            (" COLLATE utf8mb4_unicode_ci", Some("utf8mb4"), Some("utf8mb4_unicode_ci")),
            ("", None, None),
        ] {
            let found = charset_of(&format!("{columns}{tail}"));
            assert_eq!((found.0.as_deref(), found.1.as_deref()), (charset, collation), "{tail}");
        }
    }

    #[test]
    fn a_session_is_read_from_its_variables() {
        let facts = |pairs: &[(&str, &str)]| {
            let settings = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            SessionFacts::from_settings(&settings)
        };
        assert_eq!(facts(&[]), SessionFacts::default());
        assert_eq!(facts(&[("alter_algorithm", "DEFAULT"), ("old_alter_table", "DEFAULT")]).algorithm, None);
        assert_eq!(facts(&[("alter_algorithm", "INSTANT")]).algorithm.as_deref(), Some("INSTANT"));
        assert_eq!(facts(&[("old_alter_table", "ON")]).algorithm.as_deref(), Some("COPY"));
        let lax = facts(&[("sql_mode", "NO_ZERO_DATE"), ("foreign_key_checks", "OFF")]);
        assert!(!lax.strict && !lax.foreign_key_checks);
    }
}

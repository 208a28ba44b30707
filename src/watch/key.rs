//! Keys of a table as SQL: reading them so that nothing is lost, and writing them back as conditions and ranges.

use crate::sql::record::{TableName, quote_identifier};
use crate::survey::record::{ColumnFacts, TableFacts};

/// How one column's values travel from the server into a literal and back, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Digits as they are.
    Number,
    /// Bytes in hex with the column's own character set. No collation: a column's own prevails over a literal's, so that an
    /// index on it serves, and goes on to when the upgrade gives the column another (named, it would fail with 1267).
    Text { charset: String },
    /// Bytes in hex.
    Bytes,
    /// Text in quotes: dates, times, and types that read themselves from text.
    Quoted,
}

/// One column of a key, or of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    form: Form,
    /// Its values sort as their literals compare (an ENUM sorts by number and compares as text).
    ordered: bool,
}

impl Field {
    /// A column as a field.
    pub fn of(column: &ColumnFacts) -> Self {
        let form = match column.data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "decimal" | "numeric" | "float"
            | "double" | "year" | "bit" => Form::Number,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "geometry" | "point"
            | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon" | "geometrycollection"
            | "geomcollection" | "vector" => Form::Bytes,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
                Form::Text { charset: column.charset.clone().unwrap_or_else(|| "utf8mb4".to_owned()) }
            }
            "json" => Form::Text { charset: "utf8mb4".to_owned() },
            _ => Form::Quoted,
        };
        let ordered = !matches!(column.data_type.as_str(), "enum" | "set" | "json" | "float");
        Self { name: column.name.clone(), form, ordered }
    }

    /// The expression that reads it without loss.
    fn read(&self, data_is_bit: bool) -> String {
        let name = quote_identifier(&self.name);
        match self.form {
            Form::Number if data_is_bit => format!("CAST({name}+0 AS CHAR)"),
            Form::Number | Form::Quoted => format!("CAST({name} AS CHAR)"),
            Form::Text { .. } | Form::Bytes => format!("HEX({name})"),
        }
    }

    /// What was read, as a literal.
    pub fn literal(&self, value: &str) -> String {
        match &self.form {
            Form::Number => value.to_owned(),
            Form::Quoted => format!("'{}'", value.replace('\'', "''")),
            Form::Bytes if value.is_empty() => "''".to_owned(),
            Form::Bytes => format!("0x{value}"),
            Form::Text { .. } if value.is_empty() => "''".to_owned(),
            Form::Text { charset } => format!("_{charset} 0x{value}"),
        }
    }
}

/// Marks NULL in what [`read_list`] yields; no literal form can hold it.
const NULL_MARK: &str = "~";
/// Stands between values in what [`read_list`] yields.
const SEPARATOR: char = '|';

/// One expression that reads all fields of a row into one text; [`split`] takes it apart.
pub fn read_list(fields: &[Field], table: &TableFacts) -> String {
    let parts: Vec<String> = fields
        .iter()
        .map(|field| {
            let bit = table.column(&field.name).is_some_and(|column| column.data_type == "bit");
            format!("COALESCE({},'{NULL_MARK}')", field.read(bit))
        })
        .collect();
    format!("CONCAT_WS('{SEPARATOR}',{})", parts.join(","))
}

/// The literals of a row that [`read_list`] read; none for a row of another width (a date holds no `|`, hex neither).
pub fn split(fields: &[Field], row: &str) -> Option<Vec<String>> {
    let values: Vec<&str> = row.split(SEPARATOR).collect();
    (values.len() == fields.len()).then(|| {
        let literal = |(field, value): (&Field, &&str)| {
            if *value == NULL_MARK { "NULL".to_owned() } else { field.literal(value) }
        };
        fields.iter().zip(&values).map(literal).collect()
    })
}

/// A key of a table: the columns by which one row, or a range of rows, is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its columns in order.
    pub fields: Vec<Field>,
    /// The index that holds it.
    pub index: String,
    /// One value is one row.
    pub unique: bool,
    select: String,
}

impl Key {
    /// The best key of a table: its primary key, else a unique index without NULLs, else the first plain index.
    pub fn of(table: &TableFacts) -> Option<Self> {
        let whole = |index: &&crate::survey::record::IndexFacts| {
            index.kind.eq_ignore_ascii_case("btree")
                && index.columns.iter().all(|part| part.prefix.is_none() && part.expression.is_none())
        };
        let not_null = |index: &&crate::survey::record::IndexFacts| {
            index.columns.iter().all(|part| table.column(&part.name).is_some_and(|column| !column.nullable))
        };
        let index = (table.indexes.iter().find(|index| index.name == "PRIMARY"))
            .or_else(|| table.indexes.iter().filter(whole).filter(not_null).find(|index| index.unique))
            .or_else(|| table.indexes.iter().filter(whole).find(not_null))?;
        let columns: Vec<String> = index.columns.iter().map(|part| part.name.clone()).collect();
        Self::on(table, &index.name, &columns, index.unique)
    }

    /// A key on these columns; none when one of them is not in the table.
    pub fn on(table: &TableFacts, index: &str, columns: &[String], unique: bool) -> Option<Self> {
        let fields: Option<Vec<Field>> = columns.iter().map(|name| table.column(name).map(Field::of)).collect();
        let fields = fields.filter(|fields| !fields.is_empty())?;
        let select = read_list(&fields, table);
        Some(Self { fields, index: index.to_owned(), unique, select })
    }

    /// Ranges over it follow its index's order.
    pub fn is_ordered(&self) -> bool {
        self.fields.iter().all(|field| field.ordered)
    }

    /// `SELECT key FROM table …`, to be completed with conditions and order.
    pub fn select(&self, table: &TableName) -> String {
        format!("SELECT {} FROM {} FORCE INDEX ({})", self.select, table.quoted(), quote_identifier(&self.index))
    }

    /// The literals of a key that [`Key::select`] read.
    pub fn values(&self, row: &str) -> Option<Vec<String>> {
        split(&self.fields, row)
    }

    /// `k1 = … AND k2 = …`.
    pub fn equals(&self, values: &[String]) -> String {
        let pairs = self.fields.iter().zip(values);
        pairs
            .map(|(field, value)| format!("{} = {value}", quote_identifier(&field.name)))
            .collect::<Vec<_>>()
            .join(" AND ")
    }

    /// ` ORDER BY` the key, upwards or downwards.
    pub fn order(&self, descending: bool) -> String {
        let direction = if descending { " DESC" } else { "" };
        let columns: Vec<_> =
            self.fields.iter().map(|field| format!("{}{direction}", quote_identifier(&field.name))).collect();
        format!(" ORDER BY {}", columns.join(","))
    }

    /// Rows past these values. Written out, for a row constructor `(a,b) > (1,2)` uses no index; the first column's own
    /// bound stands before it so that the range is seen at once.
    pub fn past(&self, values: &[String]) -> String {
        self.bound(values, ">", ">=", false)
    }

    /// Rows up to these values, they themselves included.
    pub fn up_to(&self, values: &[String]) -> String {
        self.bound(values, "<", "<=", true)
    }

    fn bound(&self, values: &[String], strict: &str, loose: &str, inclusive: bool) -> String {
        let last = self.fields.len() - 1;
        let mut alternatives = Vec::new();
        for end in 0..=last {
            let mut parts: Vec<String> = (0..end)
                .map(|index| format!("{} = {}", quote_identifier(&self.fields[index].name), values[index]))
                .collect();
            let operator = if inclusive && end == last { loose } else { strict };
            parts.push(format!("{} {operator} {}", quote_identifier(&self.fields[end].name), values[end]));
            alternatives.push(format!("({})", parts.join(" AND ")));
        }
        if last == 0 {
            return alternatives.remove(0);
        }
        let first = format!("{} {loose} {}", quote_identifier(&self.fields[0].name), values[0]);
        format!("({first} AND ({}))", alternatives.join(" OR "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::record::{Basis, IndexColumn, IndexFacts};

    fn column(name: &str, data_type: &str) -> ColumnFacts {
        let text = data_type == "varchar";
        ColumnFacts {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            column_type: data_type.to_owned(),
            nullable: false,
            default: None,
            auto_increment: false,
            generated: None,
            invisible: false,
            charset: text.then(|| "latin1".to_owned()),
            collation: text.then(|| "latin1_swedish_ci".to_owned()),
            length: None,
            precision: None,
            scale: None,
            statistics: None,
        }
    }

    fn table(columns: Vec<ColumnFacts>, key: &[&str]) -> TableFacts {
        let part = |name: &&str| IndexColumn { name: (*name).to_owned(), prefix: None, expression: None };
        TableFacts {
            create: String::new(),
            rows: 0,
            rows_basis: Basis::Stated,
            data_bytes: 0,
            index_bytes: 0,
            engine: "InnoDB".to_owned(),
            auto_increment: None,
            row_versions: None,
            columns,
            indexes: vec![IndexFacts {
                name: "PRIMARY".to_owned(),
                unique: true,
                kind: "BTREE".to_owned(),
                columns: key.iter().map(part).collect(),
                cardinality: None,
            }],
            foreign_keys: Vec::new(),
            partitions: Vec::new(),
        }
    }

    #[test]
    fn a_composite_key_is_bounded_column_by_column() {
        let table = table(vec![column("a", "int"), column("b", "varchar")], &["a", "b"]);
        let key = Key::of(&table).expect("a key");
        let values = key.values("7|C3A9").expect("two values");
        assert_eq!(values, ["7", "_latin1 0xC3A9"]);
        assert_eq!(key.past(&values), format!("(`a` >= 7 AND ((`a` > 7) OR (`a` = 7 AND `b` > {})))", values[1]));
        assert_eq!(key.up_to(&values), format!("(`a` <= 7 AND ((`a` < 7) OR (`a` = 7 AND `b` <= {})))", values[1]));
        assert_eq!(key.order(true), " ORDER BY `a` DESC,`b` DESC");
    }

    #[test]
    fn a_single_key_is_bounded_plainly_and_an_enum_is_not_ordered() {
        let plain = Key::of(&table(vec![column("id", "bigint")], &["id"])).expect("a key");
        assert_eq!(
            (plain.past(&["5".into()]), plain.up_to(&["9".into()])),
            ("(`id` > 5)".into(), "(`id` <= 9)".into())
        );
        assert!(plain.is_ordered());
        assert!(!Key::of(&table(vec![column("kind", "enum")], &["kind"])).expect("a key").is_ordered());
    }
}

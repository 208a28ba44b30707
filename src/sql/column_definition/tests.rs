use super::*;
use crate::sql::read::read;

fn first(text: &str) -> ColumnDefinition {
    let reading = read(text, "app", "mysql:9.7".parse().expect("a flavor"));
    reading.effect.clauses[0].columns.first().cloned().expect(text)
}

#[test]
fn types_are_told_by_the_servers_own_names() {
    let cases = [
        ("INTEGER(11) UNSIGNED", "int", None, None, true),
        ("TINYINT(1)", "tinyint", Some(1), None, false),
        ("BOOLEAN", "tinyint", Some(1), None, false),
        ("NUMERIC(12,3)", "decimal", Some(12), Some(3), false),
        ("DECIMAL", "decimal", Some(10), Some(0), false),
        ("CHARACTER VARYING(40)", "varchar", Some(40), None, false),
        ("NATIONAL VARCHAR(7)", "varchar", Some(7), None, false),
        ("DOUBLE PRECISION", "double", None, None, false),
        ("FLOAT(30)", "double", None, None, false),
        ("TEXT(300)", "text", None, None, false),
        ("TEXT(70000)", "mediumtext", None, None, false),
        ("LONG VARBINARY", "mediumblob", None, None, false),
        ("DATETIME(6)", "datetime", Some(6), None, false),
        ("YEAR(4)", "year", None, None, false),
        ("CHAR", "char", Some(1), None, false),
        ("BIGINT ZEROFILL", "bigint", None, None, true),
    ];
    for (text, data_type, length, scale, unsigned) in cases {
        let column = first(&format!("ALTER TABLE t ADD COLUMN c {text} NOT NULL"));
        let seen = (column.data_type.as_str(), column.length, column.scale, column.unsigned, column.nullable);
        assert_eq!(seen, (data_type, length, scale, unsigned, Some(false)), "{text}: {column:?}");
        assert!(column.unread.is_empty(), "{text}: {column:?}");
    }
}

#[test]
fn attributes_are_read_wherever_they_stand() {
    let column = first(
        "ALTER TABLE t CHANGE COLUMN a `b c` VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL DEFAULT 'x' \
         COMMENT 'y' INVISIBLE UNIQUE KEY CHECK (`b c` > 'a') AFTER `d`",
    );
    assert_eq!((column.name.as_str(), column.length), ("b c", Some(20)));
    assert_eq!((column.charset.as_deref(), column.collation.as_deref()), (Some("utf8mb4"), Some("utf8mb4_bin")));
    assert_eq!((column.default.as_deref(), column.comment.as_deref()), (Some("'x'"), Some("'y'")));
    assert_eq!((column.nullable, column.invisible, column.check), (Some(true), true, true));
    assert_eq!((column.key, column.place), (Some(ColumnKey::Unique), Some(Place::After("d".to_owned()))));
    let column = first("ALTER TABLE t MODIFY ts TIMESTAMP(3) DEFAULT now(3) ON UPDATE CURRENT_TIMESTAMP(3) FIRST");
    assert_eq!((column.default.as_deref(), column.on_update), (Some("now(3)"), true));
    assert_eq!(column.place, Some(Place::First));
    let column = first("ALTER TABLE t ADD g INT GENERATED ALWAYS AS (a + (b * 2)) STORED NOT NULL");
    let generated = Generated { expression: "a + (b * 2)".to_owned(), stored: true };
    assert_eq!((column.generated, column.nullable), (Some(generated), Some(false)));
    let column = first("ALTER TABLE t ADD n INT DEFAULT -1 WITHOUT SYSTEM VERSIONING");
    assert_eq!(column.default.as_deref(), Some("-1"));
    assert_eq!(column.unread, ["WITHOUT", "SYSTEM", "VERSIONING"]);
}

#[test]
fn values_and_several_columns_are_read() {
    assert_eq!(first(r"ALTER TABLE t MODIFY e ENUM('a', 'it''s', 'b\'c')").values, ["a", "it's", "b'c"]);
    let long: Vec<String> = (0..40).map(|n| format!("v{n}")).collect();
    assert_eq!(first(&format!("ALTER TABLE t MODIFY e SET('{}') NULL", long.join("','"))).values, long);
    let reading =
        read("ALTER TABLE t ADD (a INT, b INT UNSIGNED, KEY (a))", "app", "mysql:9.7".parse().expect("a flavor"));
    let names: Vec<&str> = reading.effect.clauses[0].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn the_columns_of_a_key_are_read() {
    for text in [
        "ALTER TABLE t ADD UNIQUE KEY u (a, `b`(10) DESC, (c + 1))",
        "CREATE UNIQUE INDEX u ON t (a, `b`(10), (c + 1))",
    ] {
        let reading = read(text, "app", "mysql:9.7".parse().expect("a flavor"));
        let seen: Vec<_> =
            reading.effect.clauses[0].parts.iter().map(|part| (part.column.as_deref(), part.prefix)).collect();
        assert_eq!(seen, [(Some("a"), None), (Some("b"), Some(10)), (None, None)], "{text}");
    }
}

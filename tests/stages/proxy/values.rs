//! Values of every type, in and out.

use std::collections::BTreeMap;

use libtest_mimic::Failed;
use mysql::prelude::Queryable;
use mysql::{Conn, Params, Row, Value};
use mysql_rehearsal::capture::proxy::Accept;
use mysql_rehearsal::capture::record::Sent;

use super::{Behind, Named, Servers};

pub(super) const TRIALS: &[Named] = &[("every_type_passes_as_without_it_and_is_told_as_it_was", every_type)];

const CREATE: &str = "(id INT PRIMARY KEY AUTO_INCREMENT, ti TINYINT, bu BIGINT UNSIGNED, bi BIGINT, de DECIMAL(30,10), \
     f FLOAT, d DOUBLE, bt BIT(9), da DATE, dt DATETIME(6), ts TIMESTAMP(3) NULL, t TIME(6), y YEAR, c CHAR(10), \
     vc VARCHAR(300), vb VARBINARY(300), bl LONGBLOB, e ENUM('a','b'), s SET('x','y','z'), j JSON, g GEOMETRY, \
     half DOUBLE AS (d / 2) STORED) CHARACTER SET utf8mb4";
const COLUMNS: &str = "ti, bu, bi, de, f, d, bt, da, dt, ts, t, y, c, vc, vb, bl, e, s, j, g";

fn rows() -> Vec<Vec<Value>> {
    let bytes: Vec<u8> = (0..=255).collect();
    let text: String = (0u8..128).map(char::from).chain("é ß 日本 😀 '\"\\%_?;--".chars()).collect();
    let point = b"\0\0\0\0\x01\x01\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40".to_vec();
    let full = vec![
        Value::Int(-128),
        Value::UInt(u64::MAX),
        Value::Int(i64::MIN),
        Value::from("-12345678901234567890.0123456789"),
        Value::Float(1.1),
        Value::Double(0.1 + 0.2),
        Value::Int(257),
        Value::Date(2024, 2, 29, 0, 0, 0, 0),
        Value::Date(2024, 2, 29, 23, 59, 59, 1),
        Value::Date(2024, 2, 29, 12, 0, 0, 123_000),
        Value::Time(true, 34, 22, 59, 59, 0),
        Value::Int(2155),
        Value::from("née"),
        Value::from(text),
        Value::from(bytes.clone()),
        Value::from(bytes.repeat(300)),
        Value::from("b"),
        Value::from("x,z"),
        Value::from(r#"{"a": [1, 2.5, "ü\n"]}"#),
        Value::from(point),
    ];
    let mut small = full.clone();
    small[0] = Value::UInt(0);
    small[3] = Value::Double(-1e-9);
    small[4] = Value::Float(f32::MIN_POSITIVE);
    small[5] = Value::Double(-1.797_693_134_862_315_7e308);
    small[7] = Value::Date(0, 0, 0, 0, 0, 0, 0);
    small[8] = Value::Date(1000, 1, 1, 0, 0, 0, 0);
    small[10] = Value::Time(false, 0, 0, 0, 0, 999_999);
    small[12..16].fill(Value::from(""));
    vec![full, vec![Value::NULL; 20], small]
}

fn fill(conn: &mut Conn, table: &str) -> Result<(), Failed> {
    // Zero dates are to pass, too.
    conn.query_drop("SET sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'")?;
    conn.query_drop(format!("CREATE TABLE {table} {CREATE}"))?;
    let marks = vec!["?"; 20].join(", ");
    for row in rows() {
        let as_text: Vec<String> = row.iter().map(|value| value.as_sql(false)).collect();
        conn.exec_drop(format!("INSERT INTO {table} ({COLUMNS}) VALUES ({marks})"), Params::Positional(row))?;
        conn.query_drop(format!("INSERT INTO {table} ({COLUMNS}) VALUES ({})", as_text.join(", ")))?;
    }
    Ok(())
}

/// Rows by text and by a prepared statement, with the types of their columns.
fn read(conn: &mut Conn, table: &str) -> Result<(String, String), Failed> {
    let show = |rows: Vec<Row>| {
        let types: Vec<_> =
            rows[0].columns_ref().iter().map(|c| (c.column_type(), c.flags(), c.character_set())).collect();
        format!("{types:?}\n{:?}", rows.into_iter().map(Row::unwrap).collect::<Vec<_>>())
    };
    let by_text = conn.query(format!("SELECT * FROM {table} ORDER BY id"))?;
    let bound = conn.exec(format!("SELECT * FROM {table} WHERE id > ? ORDER BY id"), (0,))?;
    Ok((show(by_text), show(bound)))
}

fn every_type(servers: &Servers, vendor: &str) -> Result<(), Failed> {
    let behind = Behind::start(servers, vendor, Accept::Anyone)?;
    let (mut through, mut direct) = (behind.client()?, behind.direct()?);
    fill(&mut through, "through")?;
    fill(&mut direct, "direct")?;
    let expected = read(&mut direct, "direct")?;
    for conn in [&mut through, &mut direct] {
        for table in ["through", "direct"] {
            let (by_text, bound) = read(conn, table)?;
            assert_eq!(by_text, expected.0);
            assert_eq!(bound, expected.1);
        }
    }
    direct.query_drop("DROP TABLE direct")?;
    drop(through);
    behind.wait_until_quiet()?;
    let heard = behind.heard();
    let prepared: Vec<_> = heard.iter().filter(|heard| heard.sent == Sent::Prepared).collect();
    let inserted = prepared.iter().filter(|heard| heard.text.starts_with(b"INSERT")).count();
    assert_eq!(inserted, 3);
    for heard in prepared.iter().filter(|heard| heard.text.starts_with(b"SELECT")) {
        assert_eq!(heard.rows_sent, Some(6));
    }
    let ids: BTreeMap<_, _> =
        heard.iter().filter_map(|heard| Some((heard.state.get("insert_id")?, heard.rows_affected))).collect();
    assert!(ids.values().all(|affected| *affected == Some(1)) && ids.len() >= 3, "{ids:?}");
    assert_eq!(behind.dropped(), Vec::<String>::new());
    behind.replay()
}

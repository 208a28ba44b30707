//! What a change of type loses: nothing, values that do not fit, or digits that are rounded away without a word.
//!
//! Measured on MySQL 9.7 and MariaDB 10.11 under a strict sql_mode: what is out of range, too long or no longer among the
//! values is refused (1264, 1406, 1265); digits after the point, fractions of a second and the time of day are not.

use super::column::Column;

/// What is lost.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// Numbers outside of this range do not fit.
    Range(f64, f64),
    /// Texts longer than so many characters (or bytes) do not fit.
    Length(u64),
    /// These values are no longer among those that are allowed.
    Values(Vec<String>),
    /// This part of every value is cut off without an error, whatever the sql_mode.
    Silent(&'static str),
    /// Values that cannot be read as the new type are refused: of this kind they were, and of this they become.
    Kind(&'static str, &'static str),
}

/// What values of `before` lose when they become `after`; all that applies, the worst first.
pub fn losses(before: &Column<'_>, after: &Column<'_>) -> Vec<Loss> {
    let (from, to) = (family(&before.data_type), family(&after.data_type));
    match (from, to) {
        ("number", "number") => numbers(before, after),
        ("text", "text") => longer(before, capacity(after)),
        ("bytes", "bytes") => longer(before, capacity(after)),
        ("choice", "choice") => {
            let gone: Vec<String> = before.values.iter().filter(|value| !has(after, value)).cloned().collect();
            if gone.is_empty() { Vec::new() } else { vec![Loss::Values(gone)] }
        }
        ("choice", "text") => {
            let cut = |value: &&String| capacity(after).is_some_and(|room| value.chars().count() as u64 > room);
            let gone: Vec<String> = before.values.iter().filter(cut).cloned().collect();
            if gone.is_empty() { Vec::new() } else { vec![Loss::Values(gone)] }
        }
        ("time", "time") => times(before, after),
        ("number" | "time", "text") => match capacity(after) {
            Some(room) if room < digits(before) => vec![Loss::Length(room)],
            _ => Vec::new(),
        },
        ("json", "text") if capacity(after).is_none_or(|room| room >= 4_294_967_295) => Vec::new(),
        ("json", "text") => longer(before, capacity(after)),
        (from, to) if from == to => Vec::new(),
        (from, to) => vec![Loss::Kind(from, to)],
    }
}

/// Types whose values are of one kind.
fn family(data_type: &str) -> &'static str {
    match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double" | "bit" => "number",
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => "text",
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => "bytes",
        "enum" | "set" => "choice",
        "date" | "datetime" | "timestamp" | "time" => "time",
        "year" => "year",
        "json" => "json",
        _ => "other",
    }
}

fn has(column: &Column<'_>, value: &str) -> bool {
    column.values.iter().any(|known| known.eq_ignore_ascii_case(value))
}

/// The range of a number, ends included; none for floating ones, which hold any.
pub fn range(column: &Column<'_>) -> Option<(f64, f64)> {
    let bits = match column.data_type.as_str() {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" => 64,
        "bit" => {
            return Some((0.0, 2f64.powi(i32::try_from(column.length?).ok()?) - 1.0));
        }
        "decimal" => {
            let whole = i32::try_from(column.length?.saturating_sub(column.scale.unwrap_or(0))).ok()?;
            let most = 10f64.powi(whole) - 10f64.powi(-i32::try_from(column.scale.unwrap_or(0)).ok()?);
            return Some((if column.unsigned { 0.0 } else { -most }, most));
        }
        _ => return None,
    };
    if column.unsigned {
        Some((0.0, 2f64.powi(bits) - 1.0))
    } else {
        Some((-(2f64.powi(bits - 1)), 2f64.powi(bits - 1) - 1.0))
    }
}

fn numbers(before: &Column<'_>, after: &Column<'_>) -> Vec<Loss> {
    let mut losses = Vec::new();
    let is_float = |column: &Column<'_>| matches!(column.data_type.as_str(), "float" | "double");
    let (from, to) = (range(before), range(after));
    match (from, to) {
        (Some((low, high)), Some((lowest, highest))) if low < lowest || high > highest => {
            losses.push(Loss::Range(lowest, highest));
        }
        (None, Some((lowest, highest))) => losses.push(Loss::Range(lowest, highest)),
        _ => {}
    }
    let scale = |column: &Column<'_>| if is_float(column) { 30 } else { column.scale.unwrap_or(0) };
    if scale(before) > scale(after) && (is_float(before) || before.data_type == "decimal") {
        losses.push(Loss::Silent("digits after the point"));
    } else if is_float(after) && !is_float(before) && precise(before) > precise(after) {
        losses.push(Loss::Silent("the last digits of large numbers"));
    } else if (before.data_type.as_str(), after.data_type.as_str()) == ("double", "float") {
        losses.push(Loss::Silent("all digits but about seven"));
    }
    losses
}

/// Decimal digits that a type keeps exactly.
fn precise(column: &Column<'_>) -> u64 {
    match column.data_type.as_str() {
        "tinyint" => 3,
        "smallint" => 5,
        "mediumint" | "float" => 7,
        "int" => 10,
        "double" => 15,
        "bigint" => 19,
        _ => column.length.unwrap_or(65),
    }
}

/// Characters that a number or a time needs as text.
fn digits(column: &Column<'_>) -> u64 {
    match column.data_type.as_str() {
        "date" => 10,
        "time" => 10,
        "datetime" | "timestamp" => 19,
        "float" | "double" => 12,
        "decimal" => column.length.unwrap_or(10) + 2,
        _ => precise(column) + u64::from(!column.unsigned),
    }
}

/// Characters or bytes that a text or binary type holds at most.
fn capacity(column: &Column<'_>) -> Option<u64> {
    Some(match column.data_type.as_str() {
        "tinytext" | "tinyblob" => 255,
        "text" | "blob" => 65_535,
        "mediumtext" | "mediumblob" => 16_777_215,
        "longtext" | "longblob" | "json" => 4_294_967_295,
        _ => column.length?,
    })
}

fn longer(before: &Column<'_>, room: Option<u64>) -> Vec<Loss> {
    match (capacity(before), room) {
        (Some(held), Some(room)) if held > room => vec![Loss::Length(room)],
        _ => Vec::new(),
    }
}

fn times(before: &Column<'_>, after: &Column<'_>) -> Vec<Loss> {
    let has_day = |column: &Column<'_>| column.data_type != "time";
    let has_hours = |column: &Column<'_>| column.data_type != "date";
    if has_day(before) && !has_day(after) {
        return vec![Loss::Silent("the day")];
    }
    if has_hours(before) && !has_hours(after) {
        return vec![Loss::Silent("the time of day")];
    }
    let mut losses = Vec::new();
    if after.data_type == "timestamp" && before.data_type != "timestamp" {
        losses.push(Loss::Kind("time", "timestamp, which holds 1970 to 2038 only"));
    }
    if has_hours(before) && before.length > after.length {
        losses.push(Loss::Silent("fractions of a second"));
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::specimen::statement;

    fn column(sql: &str) -> Column<'static> {
        let statement = statement(1, &format!("ALTER TABLE t ADD c {sql}"));
        Column::defined(&statement.reading.effect.clauses[0].columns[0])
    }

    fn lost(from: &str, to: &str) -> Vec<Loss> {
        losses(&column(from), &column(to))
    }

    #[test]
    fn what_only_grows_loses_nothing() {
        for (from, to) in [
            ("INT", "BIGINT"),
            ("INT UNSIGNED", "BIGINT"),
            ("DECIMAL(10,2)", "DECIMAL(12,2)"),
            ("SMALLINT", "DECIMAL(5,0)"),
            ("FLOAT", "DOUBLE"),
            ("INT", "DOUBLE"),
            ("VARCHAR(50)", "VARCHAR(80)"),
            ("VARCHAR(200)", "TEXT"),
            ("ENUM('a','b')", "ENUM('b','a','c')"),
            ("ENUM('a','b')", "VARCHAR(1)"),
            ("DATE", "DATETIME"),
            ("DATETIME", "DATETIME(6)"),
            ("INT", "VARCHAR(20)"),
            ("JSON", "LONGTEXT"),
        ] {
            assert_eq!(lost(from, to), [], "{from} to {to}");
        }
    }

    #[test]
    fn what_shrinks_is_told_by_what_it_loses() {
        assert_eq!(lost("BIGINT", "INT"), [Loss::Range(-2_147_483_648.0, 2_147_483_647.0)]);
        assert_eq!(lost("INT", "INT UNSIGNED"), [Loss::Range(0.0, 4_294_967_295.0)]);
        assert_eq!(lost("DECIMAL(10,2)", "DECIMAL(6,2)"), [Loss::Range(-9999.99, 9999.99)]);
        assert_eq!(lost("DECIMAL(10,4)", "DECIMAL(12,2)"), [Loss::Silent("digits after the point")]);
        assert_eq!(lost("DOUBLE", "FLOAT"), [Loss::Silent("all digits but about seven")]);
        assert_eq!(lost("BIGINT", "FLOAT"), [Loss::Silent("the last digits of large numbers")]);
        assert_eq!(lost("VARCHAR(100)", "VARCHAR(50)"), [Loss::Length(50)]);
        assert_eq!(lost("TEXT", "VARCHAR(200)"), [Loss::Length(200)]);
        assert_eq!(lost("BLOB", "TINYBLOB"), [Loss::Length(255)]);
        assert_eq!(lost("ENUM('a','b')", "ENUM('a')"), [Loss::Values(vec!["b".to_owned()])]);
        assert_eq!(lost("DATETIME", "DATE"), [Loss::Silent("the time of day")]);
        assert_eq!(lost("DATETIME(6)", "DATETIME"), [Loss::Silent("fractions of a second")]);
        assert_eq!(lost("VARCHAR(20)", "INT"), [Loss::Kind("text", "number")]);
        assert_eq!(lost("INT", "CHAR(4)"), [Loss::Length(4)]);
        assert!(matches!(lost("DATETIME", "TIMESTAMP")[..], [Loss::Kind("time", _)]));
        assert_eq!(lost("DOUBLE", "INT").len(), 2, "the range, and the digits after the point");
    }
}

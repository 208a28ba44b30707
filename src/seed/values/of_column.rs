//! From a column's definition and statistics to the shape of its values.

use super::choice::{Choice, members};
use super::number::{Number, Print, clock_of, days_of, seconds_of};
use super::of_text::text;
use super::special::Geometry;
use super::text::Text;
use super::{Entry, Shape};
use crate::seed::draw::share;
use crate::server::flavor::Flavor;
use crate::survey::record::ColumnFacts;

/// What a column's shape depends on besides itself.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The server that is filled.
    pub flavor: Flavor,
    /// Rows that the table gets.
    pub rows: u64,
    /// Rows that it has in production.
    pub production_rows: u64,
    /// "Now" for columns without statistics: seconds since 1970-01-01.
    pub now: i64,
    /// The spatial reference system that the definition names.
    pub srid: u32,
}

const TWO_YEARS: i128 = 2 * 365 * 86_400;
/// The share of NULLs in a nullable column that nothing is known about.
const NULLS: f64 = 0.07;

/// The shape of a column's values and how they enter the table; none for a type that we do not know.
pub fn shape(column: &ColumnFacts, setting: &Setting) -> Option<(Shape, Entry)> {
    let (mut shape, entry) = plain(column, setting)?;
    let Some(statistics) = &column.statistics else { return Some((shape, entry)) };
    if let Shape::Number(number) = &mut shape {
        let read = |text: &Option<String>| text.as_deref().and_then(|text| parse(text, number.print));
        let (low, high) = (read(&statistics.min), read(&statistics.max));
        if let (Some(low), Some(high)) = (low, high) {
            let rising = number.rising;
            *number = Number::new(number.min, number.max, low, high.max(low), number.print);
            number.rising = rising;
        }
    }
    if let Shape::Text(text) = &mut shape {
        let max = statistics.max_length.map_or(text.max, |max| (max as usize).min(text.max));
        if let Some(mean) = statistics.mean_length {
            let mean = (mean.round() as usize).clamp(1, max.max(1));
            let spread = (max - mean.min(max)).min(mean.saturating_sub(1));
            *text = Text::new(text.max, mean - spread, mean + spread, text.style);
        }
    }
    if let Shape::Bytes { low, high, distinct_within } = &mut shape
        && let (Some(mean), "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob") =
            (statistics.mean_length, column.data_type.as_str())
    {
        let mean = mean.round() as usize;
        let max = statistics.max_length.map_or(mean, |max| max as usize).clamp(1, *distinct_within);
        let spread = max.saturating_sub(mean).min(mean);
        (*low, *high) = ((mean - spread).min(max), (mean + spread).min(max));
    }
    if entry == Entry::Plain && !statistics.common.is_empty() {
        let total: f64 = statistics.common.iter().map(|(_, share)| share.max(0.0)).sum();
        let few = statistics.distinct.is_some_and(|distinct| distinct <= statistics.common.len() as u64);
        let values = statistics.common.iter().map(|(value, share)| (value.clone().into_bytes(), *share)).collect();
        let choice = Choice::weighted(values);
        shape = Shape::Common(if few { u32::MAX } else { share(total) }, choice, Box::new(shape));
    } else if let Some(distinct) = statistics.distinct.filter(|distinct| *distinct > 0) {
        // A column whose values nearly all differ grows with its table; one with a few values keeps them.
        let production = setting.production_rows.max(1);
        let distinct = if distinct.saturating_mul(10) > production {
            (u128::from(distinct) * u128::from(setting.rows) / u128::from(production)) as u64
        } else {
            distinct
        };
        let rising = matches!(&shape, Shape::Number(number) if number.rising);
        if distinct > 0 && distinct.saturating_mul(2) < setting.rows && !rising {
            shape = Shape::Few(distinct, Box::new(shape));
        }
    }
    Some((shape, entry))
}

/// The share of NULLs, in 2^-32.
pub fn null_share(column: &ColumnFacts) -> u32 {
    if !column.nullable {
        return 0;
    }
    share(column.statistics.as_ref().and_then(|statistics| statistics.null_share).unwrap_or(NULLS))
}

fn parse(text: &str, print: Print) -> Option<i128> {
    match print {
        Print::Whole => text.parse().ok().or_else(|| text.parse::<f64>().ok().map(|value| value as i128)),
        Print::Scaled(places) => Some((text.parse::<f64>().ok()? * 10_f64.powi(places as i32)) as i128),
        Print::Date => days_of(text).map(i128::from),
        Print::DateTime(_) => seconds_of(text).map(i128::from),
        Print::Time(_) => clock_of(text).map(i128::from),
    }
}

/// The numbers in the parentheses of a column type: `decimal(10,2)` → 10, 2.
fn arguments(column_type: &str) -> (Option<u64>, Option<u64>) {
    let inner = column_type.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inner, _)| inner);
    let mut parts = inner.split(',').map(|part| part.trim().parse().ok());
    (parts.next().flatten(), parts.next().flatten())
}

fn plain(column: &ColumnFacts, setting: &Setting) -> Option<(Shape, Entry)> {
    let kind = column.data_type.to_ascii_lowercase();
    let (first, second) = arguments(&column.column_type);
    let unsigned = column.column_type.to_ascii_lowercase().contains("unsigned");
    let name = column.name.to_ascii_lowercase();
    let now = i128::from(setting.now);
    let fraction = first.unwrap_or(0).min(6) as u32;
    let through = |expression: &str| Entry::Through(expression.to_owned());
    let shape = match kind.as_str() {
        "tinyint" | "bool" | "boolean" => integer(column, 8, unsigned, first == Some(1), setting),
        "smallint" => integer(column, 16, unsigned, false, setting),
        "mediumint" => integer(column, 24, unsigned, false, setting),
        "int" | "integer" => integer(column, 32, unsigned, false, setting),
        "bigint" => integer(column, 64, unsigned, false, setting),
        "bit" => {
            let max = (1_i128 << first.unwrap_or(1).min(64)) - 1;
            let shape = Shape::Number(Number::new(0, max, 0, max.min(1000), Print::Whole));
            return Some((shape, through("CAST(@ AS UNSIGNED)")));
        }
        "decimal" | "numeric" | "dec" | "fixed" => {
            let (digits, places) = (first.unwrap_or(10).min(37) as u32, second.unwrap_or(0) as u32);
            let max = 10_i128.checked_pow(digits)? - 1;
            let usual = 10_i128.checked_pow(places)?.saturating_mul(1000).min(max);
            Shape::Number(Number::new(if unsigned { 0 } else { -max }, max, 1.min(max), usual, Print::Scaled(places)))
        }
        // Fractions that a float holds to the digit, so that what is read back is what was written.
        "float" => {
            Shape::Number(Number::new(if unsigned { 0 } else { -999_999 }, 999_999, 1, 99_999, Print::Scaled(2)))
        }
        "double" | "real" => {
            let max = 9_000_000_000_000_i128;
            Shape::Number(Number::new(if unsigned { 0 } else { -max }, max, 1, 9_999_999, Print::Scaled(3)))
        }
        "year" => Shape::Number(Number::new(1901, 2155, 1990, 1970 + now / 31_556_952, Print::Whole)),
        "date" => moment(-354_285, 2_932_896, now / 86_400, TWO_YEARS / 86_400, Print::Date, &name),
        "datetime" => moment(-30_610_224_000, 253_402_300_798, now, TWO_YEARS, Print::DateTime(fraction), &name),
        "timestamp" => moment(86_400, 2_147_397_247, now, TWO_YEARS, Print::DateTime(fraction), &name),
        "time" => Shape::Number(Number::new(-3_020_398, 3_020_398, 0, 86_399, Print::Time(fraction))),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
            return Some((text(column, &kind, first), Entry::Plain));
        }
        "binary" => {
            let width = first.unwrap_or(1) as usize;
            return Some((Shape::Bytes { low: width, high: width, distinct_within: width }, through("UNHEX(@)")));
        }
        "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            let max = if kind == "tinyblob" { 255 } else { first.unwrap_or(65_535) as usize };
            let (low, high) = if kind == "varbinary" { (max.min(8), max.min(64)) } else { (max.min(60), max.min(400)) };
            return Some((Shape::Bytes { low, high, distinct_within: max }, through("UNHEX(@)")));
        }
        "enum" => {
            let members: Vec<_> = members(&column.column_type).into_iter().map(String::into_bytes).collect();
            Shape::Choice(favouring_default(column, members))
        }
        "set" => {
            let members = members(&column.column_type);
            let mut values: Vec<Vec<u8>> = members.iter().map(|member| member.clone().into_bytes()).collect();
            let pairs = members.iter().zip(members.iter().skip(1));
            values.extend(pairs.map(|(one, other)| format!("{one},{other}").into_bytes()));
            Shape::Choice(favouring_default(column, values))
        }
        "json" => Shape::Json,
        "uuid" => Shape::Uuid,
        "inet4" => Shape::Inet4,
        "inet6" => Shape::Inet6,
        "vector" => {
            let function = if setting.flavor.is_mariadb() { "VEC_FromText(@)" } else { "STRING_TO_VECTOR(@)" };
            return Some((Shape::Vector(first.unwrap_or(2048) as usize), through(function)));
        }
        other => {
            let geometry = Geometry::of_type(other)?;
            return Some((Shape::Geometry(geometry), Entry::Through(format!("ST_GeomFromText(@, {})", setting.srid))));
        }
    };
    Some((shape, Entry::Plain))
}

/// A date or time within two years before now; times of creation rise with the rows.
fn moment(min: i128, max: i128, now: i128, span: i128, print: Print, name: &str) -> Shape {
    let ahead =
        ["expire", "due", "until", "deadline", "_end", "valid_to", "starts"].iter().any(|word| name.contains(word));
    let mut number = Number::new(min, max, now - span, if ahead { now + span / 4 } else { now }, print);
    if name.contains("birth") || name == "dob" {
        let year = if print == Print::Date { 365 } else { 365 * 86_400 };
        number = Number::new(min, max, now - 80 * year, now - 16 * year, print);
    }
    number.rising = ["creat", "insert", "added", "posted", "regist", "logged"].iter().any(|word| name.contains(word))
        || name == "date";
    Shape::Number(number)
}

fn integer(column: &ColumnFacts, bits: u32, unsigned: bool, boolean: bool, setting: &Setting) -> Shape {
    let (min, max) =
        if unsigned { (0, (1_i128 << bits) - 1) } else { (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1) };
    let name = column.name.to_ascii_lowercase();
    let named = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let range = |low, high| Shape::Number(Number::new(min, max, low, high, Print::Whole));
    let known = column.statistics.as_ref().is_some_and(|statistics| statistics.max.is_some());
    if known {
        return range(0, max.min(1_000_000));
    }
    let starts = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if boolean || (bits == 8 && (starts(&["is_", "has_", "can_"]) || named(&["flag", "enabled", "active", "deleted"])))
    {
        return Shape::Choice(favouring_default(column, vec![b"0".to_vec(), b"1".to_vec()]));
    }
    if named(&["status", "state", "type", "level", "priority", "kind"]) {
        let values = (0..6).map(|value: u8| value.to_string().into_bytes()).collect();
        return Shape::Choice(favouring_default(column, values));
    }
    if bits >= 32 && (name.ends_with("_at") || named(&["time", "date", "creat", "last_seen", "lastvisit"])) {
        let now = i128::from(setting.now);
        return moment(min, max, now, TWO_YEARS, Print::Whole, &name);
    }
    if name.ends_with("_id") || (name.ends_with("id") && name.len() > 2) {
        return range(1, i128::from(setting.rows / 20 + 1));
    }
    if named(&["count", "hits", "views", "num", "qty", "quantity", "visits", "position", "sort"]) {
        return range(0, 1000);
    }
    range(1, 1_000_000)
}

/// Mostly the column's default, where it has one among the values.
fn favouring_default(column: &ColumnFacts, mut values: Vec<Vec<u8>>) -> Choice {
    let default = column.default.as_deref().map(|text| text.trim_matches('\'').as_bytes().to_vec());
    match default.filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case(b"null")) {
        Some(default) if values.contains(&default) => Choice::favouring(&default, 0.7, values),
        Some(default) if !values.is_empty() && default.iter().all(u8::is_ascii_digit) => {
            values.push(default.clone());
            Choice::favouring(&default, 0.7, values)
        }
        _ => Choice::even(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::draw::Draw;
    use crate::survey::record::ColumnStatistics;

    fn column(name: &str, column_type: &str) -> ColumnFacts {
        let data_type = column_type.split(['(', ' ']).next().unwrap_or_default().to_owned();
        serde_json::from_value(serde_json::json!({
            "name": name, "data_type": data_type, "column_type": column_type, "nullable": false
        }))
        .expect("a column")
    }

    fn setting() -> Setting {
        let flavor = "mysql:9.7".parse().expect("a flavor");
        Setting { flavor, rows: 1000, production_rows: 1000, now: 1_790_000_000, srid: 4326 }
    }

    fn some(column: &ColumnFacts) -> Vec<String> {
        let (shape, _) = shape(column, &setting()).expect("a known type");
        let value = |row| {
            let mut out = Vec::new();
            shape.random(&mut Draw::new(1, row), 1, (row, 1000), &mut out);
            String::from_utf8(out).expect("ascii")
        };
        (0..1000).map(value).collect()
    }

    #[test]
    fn every_type_of_both_vendors_has_a_shape() {
        for column_type in [
            "tinyint(1)",
            "tinyint unsigned",
            "smallint",
            "mediumint(8) unsigned zerofill",
            "int",
            "bigint unsigned",
            "decimal(65,30)",
            "decimal(5,0) unsigned",
            "float",
            "double",
            "bit(64)",
            "date",
            "datetime(6)",
            "timestamp(3)",
            "time(2)",
            "year(4)",
            "char(0)",
            "char(1)",
            "varchar(255)",
            "tinytext",
            "text",
            "mediumtext",
            "longtext",
            "binary(16)",
            "varbinary(10)",
            "tinyblob",
            "blob",
            "mediumblob",
            "longblob",
            "enum('a','b')",
            "set('x','y','z')",
            "json",
            "geometry",
            "point",
            "linestring",
            "polygon",
            "multipoint",
            "multilinestring",
            "multipolygon",
            "geomcollection",
            "geometrycollection",
            "uuid",
            "inet4",
            "inet6",
            "vector(3)",
        ] {
            assert_eq!(some(&column("c", column_type)).len(), 1000, "{column_type}");
        }
        assert!(shape(&column("c", "hologram"), &setting()).is_none());
    }

    #[test]
    fn numbers_stay_in_their_type_and_their_statistics() {
        for value in some(&column("n", "tinyint")) {
            assert!(value.parse::<i8>().is_ok(), "{value}");
        }
        let mut known = column("n", "int");
        known.statistics = Some(ColumnStatistics {
            min: Some("-5".into()),
            max: Some("7".into()),
            distinct: Some(3),
            ..ColumnStatistics::default()
        });
        let values: std::collections::BTreeSet<_> = some(&known).into_iter().collect();
        assert!(values.len() <= 3 && values.iter().all(|value| (-5..=7).contains(&value.parse::<i32>().unwrap_or(99))));
    }

    #[test]
    fn lengths_follow_the_statistics() {
        let mut known = column("note", "varchar(255)");
        known.statistics =
            Some(ColumnStatistics { mean_length: Some(20.0), max_length: Some(200), ..ColumnStatistics::default() });
        let total: usize = some(&known).iter().map(String::len).sum();
        assert!((18_000..22_000).contains(&total), "{total}");
    }

    #[test]
    fn times_of_creation_rise() {
        let values = some(&column("created_at", "datetime"));
        assert!(values.is_sorted());
        assert!(values[0].starts_with("2024-") && values[999].starts_with("2026-"), "{} {}", values[0], values[999]);
    }

    #[test]
    fn defaults_of_flags_are_the_rule() {
        let mut flag = column("is_admin", "tinyint(1)");
        flag.default = Some("0".into());
        let ones = some(&flag).iter().filter(|value| *value == "1").count();
        assert!((80..230).contains(&ones), "{ones}");
    }
}

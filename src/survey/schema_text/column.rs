//! One column, from its definition to the facts that a server would tell.

use crate::server::flavor::Flavor;
use crate::sql::record::{ColumnDefinition, values_of};
use crate::survey::record::ColumnFacts;

/// The facts of a column; `text` is the clause that defines it.
pub fn facts(definition: &ColumnDefinition, text: &str, flavor: Flavor) -> ColumnFacts {
    let data_type = definition.data_type.clone();
    let column_type = column_type(definition, text, flavor);
    let default = definition.default.clone().filter(|default| !default.eq_ignore_ascii_case("NULL"));
    let (length, precision, scale) = sizes(definition, &column_type, flavor);
    ColumnFacts {
        name: definition.name.clone(),
        column_type,
        data_type,
        nullable: definition.nullable.unwrap_or(true) && !definition.auto_increment,
        default: default.map(|default| bare(&default)),
        auto_increment: definition.auto_increment,
        generated: definition.generated.as_ref().map(|generated| generated.expression.clone()),
        invisible: definition.invisible,
        charset: definition.charset.clone(),
        collation: definition.collation.clone(),
        length,
        precision,
        scale,
        statistics: None,
    }
}

/// Length, precision and scale as the information schema tells them.
fn sizes(definition: &ColumnDefinition, column_type: &str, flavor: Flavor) -> (Option<u64>, Option<u64>, Option<u64>) {
    let whole = |precision: u64| (None, Some(precision), Some(0));
    let longest = (Some(4_294_967_295), None, None);
    let letters = |value: &String| value.chars().count() as u64;
    match definition.data_type.as_str() {
        "tinyint" => whole(3),
        "smallint" => whole(5),
        "mediumint" => whole(7),
        "int" => whole(10),
        "bigint" => whole(if definition.unsigned { 20 } else { 19 }),
        "decimal" | "bit" => (None, definition.length, definition.scale),
        "float" => (None, definition.length.or(Some(12)), definition.scale),
        "double" => (None, definition.length.or(Some(22)), definition.scale),
        "time" | "datetime" | "timestamp" => (None, None, definition.length.or(Some(0))),
        "tinytext" | "tinyblob" => (Some(255), None, None),
        "text" | "blob" => (Some(65_535), None, None),
        "mediumtext" | "mediumblob" => (Some(16_777_215), None, None),
        "longtext" | "longblob" => longest,
        "json" if flavor.is_mariadb() => longest,
        "vector" => (definition.length.map(|length| length * 4), None, None),
        "enum" => (values_of(column_type).iter().map(letters).max(), None, None),
        "set" => {
            let values = values_of(column_type);
            let commas = values.len().saturating_sub(1) as u64;
            (Some(values.iter().map(letters).sum::<u64>() + commas), None, None)
        }
        _ => (definition.length, None, None),
    }
}

/// The type as the information schema writes it. An ENUM's or SET's values are taken from the text itself. MariaDB shows the
/// width of whole numbers: what their type makes it, for another width means nothing.
fn column_type(definition: &ColumnDefinition, text: &str, flavor: Flavor) -> String {
    let mut shown = definition.data_type.clone();
    if matches!(shown.as_str(), "enum" | "set") {
        let open = text.to_ascii_lowercase().find(&format!("{shown}(")).map(|at| at + shown.len());
        let values = open.and_then(|open| Some(&text[open..=open + super::objects::closing(&text[open..])?]));
        return shown + values.unwrap_or_default();
    }
    let width = |signed: u64| if definition.unsigned { signed - 1 } else { signed };
    let implied = match shown.as_str() {
        "tinyint" => Some(width(4)),
        "smallint" => Some(width(6)),
        "mediumint" => Some(width(9)),
        "int" => Some(width(11)),
        "bigint" => Some(20),
        "year" => Some(4),
        "json" => return if flavor.is_mariadb() { "longtext".to_owned() } else { shown },
        _ => None,
    };
    let length = definition.length.or(implied.filter(|_| flavor.is_mariadb()));
    let sizes = [length, definition.scale.filter(|scale| *scale > 0 || shown == "decimal")];
    let sizes: Vec<String> = sizes.into_iter().flatten().map(|size| size.to_string()).collect();
    if !sizes.is_empty() {
        shown.push_str(&format!("({})", sizes.join(",")));
    }
    for (said, word) in [(definition.unsigned, " unsigned"), (definition.zerofill, " zerofill")] {
        shown.push_str(if said { word } else { "" });
    }
    shown
}

/// A default as the information schema writes it: literals without their quotes.
fn bare(default: &str) -> String {
    match default.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => default.to_owned(),
    }
}

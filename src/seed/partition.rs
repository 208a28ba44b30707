//! Which values of a column find a partition: bounds read from the partitions' definitions.

use crate::survey::record::{ColumnFacts, TableFacts};

use super::values::number::{Number, Print, days_of, seconds_of};

/// What the partitions of a table ask of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The column must be below this, in the unit of its shape.
    pub below: Option<i128>,
    /// The column must be one of these.
    pub listed: Option<Vec<Vec<u8>>>,
}

/// The bounds on a column, when the table is partitioned by it (or by `YEAR`, `TO_DAYS`, `UNIX_TIMESTAMP` of it).
pub fn bounds(table: &TableFacts, column: &ColumnFacts, number: Option<&Number>) -> Bounds {
    let Some(first) = table.partitions.first() else { return Bounds::default() };
    let Some(function) = function_over(&first.expression, &column.name) else { return Bounds::default() };
    let method = first.method.to_ascii_uppercase();
    if method.starts_with("LIST") && function.is_empty() {
        let listed = table.partitions.iter().flat_map(|partition| items(&partition.values));
        let listed: Vec<Vec<u8>> = listed.filter(|item| !item.eq_ignore_ascii_case(b"null")).collect();
        // MariaDB's DEFAULT partition takes all the rest.
        let default = table.partitions.iter().any(|partition| partition.values.trim().eq_ignore_ascii_case("default"));
        return Bounds { below: None, listed: (!default && !listed.is_empty()).then_some(listed) };
    }
    let (true, Some(last)) = (method.starts_with("RANGE"), table.partitions.last()) else { return Bounds::default() };
    let values = last.values.trim();
    if values.to_ascii_uppercase().contains("MAXVALUE") {
        return Bounds::default();
    }
    let print = number.map_or(Print::Whole, |number| number.print);
    let text = values.trim_matches(|c: char| c == '\'' || c == '(' || c == ')' || c.is_whitespace());
    let below = match (function.as_str(), print) {
        ("", Print::Date) => days_of(text).map(i128::from),
        ("", Print::DateTime(_)) => seconds_of(text).map(i128::from),
        ("", _) => text.parse().ok(),
        ("YEAR", print) => days_of(&format!("{text:0>4}-01-01")).and_then(|days| unit(i128::from(days), print)),
        // TO_DAYS('1970-01-01') is 719528.
        ("TO_DAYS", print) => text.parse::<i128>().ok().and_then(|days| unit(days - 719_528, print)),
        // TO_SECONDS('1970-01-01') is 62167219200.
        ("TO_SECONDS", print) => {
            text.parse::<i128>().ok().and_then(|seconds| unit((seconds - 62_167_219_200).div_euclid(86_400), print))
        }
        ("UNIX_TIMESTAMP", Print::DateTime(_)) => text.parse().ok(),
        _ => None,
    };
    Bounds { below, listed: None }
}

fn unit(days: i128, print: Print) -> Option<i128> {
    match print {
        Print::Date => Some(days),
        Print::DateTime(_) => Some(days * 86_400),
        _ => None,
    }
}

/// The function that the expression applies to just this column, in upper case; empty for the bare column.
fn function_over(expression: &str, column: &str) -> Option<String> {
    let plain = |text: &str| text.trim().trim_matches('`').to_owned();
    if plain(expression).eq_ignore_ascii_case(column) {
        return Some(String::new());
    }
    let (function, rest) = expression.trim().split_once('(')?;
    let inner = rest.strip_suffix(')')?;
    plain(inner).eq_ignore_ascii_case(column).then(|| function.trim().trim_matches('`').to_ascii_uppercase())
}

/// The items of a list of literals, unquoted.
fn items(values: &str) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut quoted = false;
    let mut chars = values.trim().trim_start_matches('(').trim_end_matches(')').chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\'' if quoted && chars.peek() == Some(&'\'') => {
                chars.next();
                item.push('\'');
            }
            '\'' => quoted = !quoted,
            ',' if !quoted => items.push(std::mem::take(&mut item).into_bytes()),
            c if c.is_whitespace() && !quoted => {}
            other => item.push(other),
        }
    }
    items.push(item.into_bytes());
    items.retain(|item| !item.is_empty());
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(method: &str, expression: &str, values: &[&str]) -> TableFacts {
        let partitions: Vec<_> = values
            .iter()
            .map(|values| serde_json::json!({"name": "p", "method": method, "expression": expression, "values": values, "rows": 0}))
            .collect();
        serde_json::from_value(serde_json::json!({"create": "", "rows": 0, "rows_basis": "stated", "engine": "InnoDB",
            "columns": [], "indexes": [], "partitions": partitions}))
        .expect("a table")
    }

    fn column() -> ColumnFacts {
        serde_json::from_value(
            serde_json::json!({"name": "at", "data_type": "datetime", "column_type": "datetime", "nullable": false}),
        )
        .expect("a column")
    }

    #[test]
    fn bounds_are_read_in_the_unit_of_the_column() {
        let moment = Number::new(0, 1 << 40, 0, 1, Print::DateTime(0));
        let whole = Number::new(0, 1 << 40, 0, 1, Print::Whole);
        let below = |method: &str, expression: &str, values: &[&str], number: &Number| {
            bounds(&table(method, expression, values), &column(), Some(number)).below
        };
        assert_eq!(below("RANGE", "year(`at`)", &["2024", "2025"], &moment), Some(1_735_689_600));
        assert_eq!(below("RANGE", "to_days(`at`)", &["739617"], &moment), Some(1_735_689_600));
        assert_eq!(below("RANGE COLUMNS", "`at`", &["'2025-01-01'"], &moment), Some(1_735_689_600));
        assert_eq!(below("RANGE", "`at`", &["1000", "MAXVALUE"], &whole), None);
        assert_eq!(below("RANGE", "at", &["1000"], &whole), Some(1000));
        assert_eq!(below("HASH", "at", &[""], &whole), None);
        assert_eq!(below("RANGE", "`other`", &["1000"], &whole), None);
        let listed = bounds(&table("LIST", "`at`", &["1,2", "3,NULL"]), &column(), None).listed;
        assert_eq!(listed, Some(vec![b"1".to_vec(), b"2".to_vec(), b"3".to_vec()]));
        let listed = bounds(&table("LIST COLUMNS", "`at`", &["'a, b','it''s'"]), &column(), None).listed;
        assert_eq!(listed, Some(vec![b"a, b".to_vec(), b"it's".to_vec()]));
    }
}

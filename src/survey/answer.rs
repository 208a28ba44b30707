//! Rows of the server's own tables as text, whatever types a version gives their columns.

use mysql::prelude::FromRow;
use mysql::{FromRowError, Row, Value};

/// One row, each cell as text. The types of information-schema columns differ by vendor and version (`longtext` here,
/// `varchar` there); as text they are all alike, and bytes that are no UTF-8 become U+FFFD instead of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells(Vec<Option<String>>);

impl Cells {
    /// The cell as text; empty for NULL and past the end.
    pub fn text(&self, place: usize) -> String {
        self.maybe(place).unwrap_or_default()
    }

    /// The cell as text, or none for NULL and past the end.
    pub fn maybe(&self, place: usize) -> Option<String> {
        self.0.get(place).cloned().flatten()
    }

    /// The cell as a whole number, where it is one.
    pub fn number(&self, place: usize) -> Option<u64> {
        let text = self.maybe(place)?;
        text.parse().ok().or_else(|| text.parse::<f64>().ok().filter(|value| *value >= 0.0).map(|value| value as u64))
    }

    /// The cell as a fraction, where it is a number.
    pub fn fraction(&self, place: usize) -> Option<f64> {
        self.maybe(place)?.parse().ok()
    }

    /// The cell says `YES` or 1.
    pub fn is_yes(&self, place: usize) -> bool {
        self.0.get(place).and_then(Option::as_deref).is_some_and(|text| text.eq_ignore_ascii_case("yes") || text == "1")
    }
}

impl FromRow for Cells {
    fn from_row_opt(row: Row) -> Result<Self, FromRowError> {
        Ok(Self(row.unwrap().into_iter().map(as_text).collect()))
    }
}

fn as_text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

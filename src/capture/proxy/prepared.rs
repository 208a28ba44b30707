//! Prepared statements of a session, and what is bound to them.

use std::collections::BTreeMap;

use super::answer::Made;
use super::capability::Capabilities;
use super::value::{self, Bound, Style, Value};
use super::wire::Reader;
use crate::sql::sent;

/// MariaDB: the statement that was prepared last (COM_STMT_EXECUTE sent before the answer to COM_STMT_PREPARE).
const LAST: u32 = u32::MAX;
/// MySQL's `PARAMETER_COUNT_AVAILABLE`, among the flags of COM_STMT_EXECUTE.
const COUNTED: u8 = 0x08;
/// MariaDB's `STMT_BULK_FLAG_CLIENT_SEND_TYPES`.
const SENDS_TYPES: u16 = 128;

/// A prepared statement.
#[derive(Clone, Debug)]
struct Prepared {
    text: Vec<u8>,
    parameters: usize,
    /// Where its placeholders stand.
    marks: Vec<usize>,
    types: Vec<Bound>,
    /// Long data, by parameter; none where it is more than is held.
    long: BTreeMap<u16, Option<Vec<u8>>>,
}

/// A session's prepared statements.
#[derive(Clone, Debug, Default)]
pub(super) struct Statements {
    by_id: BTreeMap<u32, Prepared>,
    last: u32,
}

/// Why an execution cannot be told as text.
pub(super) type Untold = &'static str;

const MALFORMED: Untold = "bound values that do not read";

impl Statements {
    /// Notes a statement that the server prepared.
    pub fn made(&mut self, made: Made, text: Vec<u8>, no_backslash: bool) {
        let marks = sent::placeholders(&text, no_backslash);
        let parameters = made.parameters.into();
        self.last = made.id;
        self.by_id.insert(made.id, Prepared { text, parameters, marks, types: Vec::new(), long: BTreeMap::new() });
    }

    /// Forgets a statement (COM_STMT_CLOSE), given what followed the command byte.
    pub fn closed(&mut self, payload: &[u8]) {
        if let Some(id) = Reader(payload).u32() {
            self.by_id.remove(&id);
        }
    }

    /// Forgets a statement's long data (COM_STMT_RESET).
    pub fn reset(&mut self, payload: &[u8]) {
        if let Some(statement) = Reader(payload).u32().and_then(|id| self.by_id.get_mut(&id)) {
            statement.long.clear();
        }
    }

    /// Notes long data (COM_STMT_SEND_LONG_DATA); `cut` when it is more than is held.
    pub fn long_data(&mut self, payload: &[u8], cut: bool) {
        let mut reader = Reader(payload);
        let (Some(id), Some(parameter)) = (reader.u32(), reader.u16()) else { return };
        let Some(statement) = self.by_id.get_mut(&id) else { return };
        let held = statement.long.entry(parameter).or_insert_with(|| Some(Vec::new()));
        match held {
            Some(bytes) if !cut => bytes.extend_from_slice(reader.0),
            _ => *held = None,
        }
    }

    /// Forgets all (a session that begins anew).
    pub fn clear(&mut self) {
        self.by_id.clear();
    }

    fn get(&mut self, id: u32) -> Option<&mut Prepared> {
        self.by_id.get_mut(if id == LAST { &self.last } else { &id })
    }

    /// The text of an execution, given what followed the command byte, and whether it opens a cursor.
    pub fn executed(&mut self, payload: &[u8], own: Capabilities, style: &Style) -> Result<(Vec<u8>, bool), Untold> {
        let mut reader = Reader(payload);
        let id = reader.u32().ok_or(MALFORMED)?;
        let statement = self.get(id).ok_or("an execution of a statement that nobody prepared")?;
        let flags = reader.u8().ok_or(MALFORMED)?;
        reader.take(4).ok_or(MALFORMED)?;
        let long = std::mem::take(&mut statement.long);
        let values = statement.values(&mut reader, flags, own, &long)?;
        Ok((statement.filled(&values, style)?, flags & 0x07 != 0))
    }

    /// The texts of MariaDB's bulk execution, one for each row.
    pub fn bulk(&mut self, payload: &[u8], style: &Style) -> Result<Vec<Vec<u8>>, Untold> {
        let mut reader = Reader(payload);
        let id = reader.u32().ok_or(MALFORMED)?;
        let statement = self.get(id).ok_or("an execution of a statement that nobody prepared")?;
        if statement.parameters == 0 {
            return Err(MALFORMED);
        }
        if reader.u16().ok_or(MALFORMED)? & SENDS_TYPES != 0 {
            statement.types =
                (0..statement.parameters).map(|_| bound(&mut reader)).collect::<Option<_>>().ok_or(MALFORMED)?;
        }
        let mut texts = Vec::new();
        while !reader.0.is_empty() {
            let mut values = Vec::with_capacity(statement.parameters);
            for at in 0..statement.parameters {
                values.push(match reader.u8() {
                    Some(0) => {
                        let bound = *statement.types.get(at).ok_or(MALFORMED)?;
                        value::read(&mut reader, bound).ok_or(MALFORMED)?
                    }
                    Some(1) => Value::Null,
                    Some(2) => Value::Default,
                    Some(3) => return Err("a bulk execution that leaves columns as they are"),
                    _ => return Err(MALFORMED),
                });
            }
            texts.push(statement.filled(&values, style)?);
        }
        Ok(texts)
    }
}

impl Prepared {
    fn values<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        flags: u8,
        own: Capabilities,
        long: &'a BTreeMap<u16, Option<Vec<u8>>>,
    ) -> Result<Vec<Value<'a>>, Untold> {
        let attributes = own.has(Capabilities::QUERY_ATTRIBUTES);
        if self.parameters == 0 && !(attributes && flags & COUNTED != 0) {
            return Ok(Vec::new());
        }
        // Query attributes are bound behind the parameters, each with a name.
        let all = if attributes { reader.length().ok_or(MALFORMED)? as usize } else { self.parameters };
        if all < self.parameters || all > 131_070 {
            return Err(MALFORMED);
        }
        if all == 0 {
            return Ok(Vec::new());
        }
        let nulls = reader.take(all.div_ceil(8)).ok_or(MALFORMED)?;
        if reader.u8().ok_or(MALFORMED)? == 1 {
            self.types.clear();
            for _ in 0..all {
                self.types.push(bound(reader).ok_or(MALFORMED)?);
                if attributes {
                    reader.bytes().ok_or(MALFORMED)?;
                }
            }
        }
        let mut values = Vec::with_capacity(self.parameters);
        for at in 0..self.parameters {
            let bound = *self.types.get(at).ok_or(MALFORMED)?;
            values.push(match long.get(&(at as u16)) {
                Some(Some(bytes)) => value::of_bytes(bound.0, bytes),
                Some(None) => return Err("long data of more bytes than are held"),
                None if nulls[at / 8] >> (at % 8) & 1 == 1 => Value::Null,
                None => value::read(reader, bound).ok_or(MALFORMED)?,
            });
        }
        Ok(values)
    }

    fn filled(&self, values: &[Value<'_>], style: &Style) -> Result<Vec<u8>, Untold> {
        if self.marks.len() != self.parameters {
            return Err("a prepared statement whose placeholders were not found");
        }
        style.fill(&self.text, &self.marks, values).ok_or("a bound value that no literal means (infinity)")
    }
}

fn bound(reader: &mut Reader<'_>) -> Option<Bound> {
    let kind = reader.u8()?;
    Some((kind, reader.u8()? & 0x80 != 0))
}

/// The text of a COM_QUERY without the query attributes before it; none when they do not read.
pub(super) fn without_attributes(payload: &[u8], own: Capabilities) -> Option<&[u8]> {
    if !own.has(Capabilities::QUERY_ATTRIBUTES) {
        return Some(payload);
    }
    let mut reader = Reader(payload);
    let count = usize::try_from(reader.length()?).ok()?;
    reader.length()?;
    if count > 0 {
        let nulls = reader.take(count.div_ceil(8))?;
        reader.take(1)?;
        let mut types = Vec::new();
        for _ in 0..count {
            types.push(bound(&mut reader)?);
            reader.bytes()?;
        }
        for (at, bound) in types.into_iter().enumerate() {
            if nulls[at / 8] >> (at % 8) & 1 == 0 {
                value::read(&mut reader, bound)?;
            }
        }
    }
    Some(reader.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn style() -> Style {
        Style { charset: "utf8mb4".to_owned(), no_backslash: false }
    }

    fn one(text: &str, parameters: u16) -> Statements {
        let mut statements = Statements::default();
        statements.made(Made { id: 1, parameters }, text.as_bytes().to_vec(), false);
        statements
    }

    #[test]
    fn types_are_remembered_and_long_data_is_used_once() {
        let mut statements = one("INSERT INTO t VALUES (?, ?)", 2);
        let none = Capabilities::default();
        statements.long_data(b"\x01\0\0\0\x01\0ab", false);
        statements.long_data(b"\x01\0\0\0\x01\0c", false);
        let first = b"\x01\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfe\0\x05\0\0\0";
        let (text, _) = statements.executed(first, none, &style()).expect("told");
        assert_eq!(text, b"INSERT INTO t VALUES (5, 'abc')");
        let again = b"\xff\xff\xff\xff\0\x01\0\0\0\x02\0\x06\0\0\0";
        let (text, _) = statements.executed(again, none, &style()).expect("told");
        assert_eq!(text, b"INSERT INTO t VALUES (6, NULL)");
    }

    #[test]
    fn query_attributes_are_no_values() {
        let own = Capabilities(Capabilities::QUERY_ATTRIBUTES);
        let mut statements = one("SELECT ?", 1);
        let payload = b"\x01\0\0\0\x08\x01\0\0\0\x02\0\x01\x01\0\0\xfe\0\x01a\x07\x01b";
        assert_eq!(statements.executed(payload, own, &style()).expect("told").0, b"SELECT 7");
        assert_eq!(without_attributes(b"\x01\x01\0\x01\xfe\0\x01a\x01bSELECT 1", own), Some(&b"SELECT 1"[..]));
        assert_eq!(without_attributes(b"\0\x01SELECT 1", own), Some(&b"SELECT 1"[..]));
    }

    #[test]
    fn a_bulk_execution_is_told_row_by_row() {
        let mut statements = one("INSERT INTO t VALUES (?)", 1);
        let payload = b"\x01\0\0\0\x80\0\x01\0\0\x05\x01\x02";
        let texts = statements.bulk(payload, &style()).expect("told");
        let texts: Vec<_> = texts.iter().map(|text| String::from_utf8_lossy(&text[21..])).collect();
        assert_eq!(texts, ["(5)", "(NULL)", "(DEFAULT)"]);
    }

    proptest! {
        #[test]
        fn no_bytes_stop_it(bytes in prop::collection::vec(any::<u8>(), 0..100), parameters in 0u16..4, flags in any::<u64>()) {
            let mut statements = one("SELECT ?, ?", parameters);
            let payload = [&[1, 0, 0, 0][..], &bytes].concat();
            let own = Capabilities(flags);
            statements.long_data(&payload, false);
            let _any = (statements.executed(&payload, own, &style()).is_ok(), statements.bulk(&payload, &style()).is_ok());
            let _any = without_attributes(&bytes, own);
        }
    }
}

//! Values bound to a prepared statement, as literals that mean the same.

use super::wire::Reader;

/// A bound value, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    /// MariaDB's bulk execution: the column's default.
    Default,
    Signed(i64),
    Unsigned(u64),
    Double(f64),
    /// Digits of a DECIMAL.
    Decimal(&'a [u8]),
    /// Text in the session's character set.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// Year, month, day.
    Date(u16, u8, u8),
    /// Year, month, day; hour, minute, second; microseconds.
    Moment((u16, u8, u8), (u8, u8, u8), u32),
    /// Negative; hours, minutes, seconds; microseconds.
    Time(bool, (u64, u8, u8), u32),
}

/// A type as it is bound: its number, and whether it is unsigned.
pub(super) type Bound = (u8, bool);

/// Reads a value of this type. Numbers: MySQL's `field_types.h`.
pub(super) fn read<'a>(reader: &mut Reader<'a>, (kind, unsigned): Bound) -> Option<Value<'a>> {
    let number = |bits: u64, width: u32| match unsigned {
        true => Value::Unsigned(bits),
        false => Value::Signed((bits << (64 - width)) as i64 >> (64 - width)),
    };
    Some(match kind {
        6 => Value::Null,
        1 => number(reader.u8()?.into(), 8),
        2 | 13 => number(reader.u16()?.into(), 16),
        3 | 9 => number(reader.u32()?.into(), 32),
        8 => number(reader.u64()?, 64),
        4 => Value::Double(f32::from_bits(reader.u32()?).into()),
        5 => Value::Double(f64::from_bits(reader.u64()?)),
        0 | 246 => Value::Decimal(reader.bytes()?),
        10 | 14 => match moment(reader.bytes()?)? {
            (date, (0, 0, 0), 0) => Value::Date(date.0, date.1, date.2),
            (date, time, micros) => Value::Moment(date, time, micros),
        },
        7 | 12 | 17 | 18 => {
            let (date, time, micros) = moment(reader.bytes()?)?;
            Value::Moment(date, time, micros)
        }
        11 | 19 => time(reader.bytes()?)?,
        _ => of_bytes(kind, reader.bytes()?),
    })
}

/// A value that came as bytes of this type, also as long data. The server takes BLOB types for binary.
pub(super) fn of_bytes(kind: u8, bytes: &[u8]) -> Value<'_> {
    match kind {
        0 | 246 => Value::Decimal(bytes),
        16 | 242 | 249..=252 | 255 => Value::Bytes(bytes),
        _ => Value::Text(bytes),
    }
}

type Moment = ((u16, u8, u8), (u8, u8, u8), u32);

fn moment(bytes: &[u8]) -> Option<Moment> {
    let mut reader = Reader(bytes);
    if bytes.is_empty() {
        return Some(((0, 0, 0), (0, 0, 0), 0));
    }
    let date = (reader.u16()?, reader.u8()?, reader.u8()?);
    if reader.0.is_empty() {
        return Some((date, (0, 0, 0), 0));
    }
    let time = (reader.u8()?, reader.u8()?, reader.u8()?);
    Some((date, time, if reader.0.is_empty() { 0 } else { reader.u32()? }))
}

fn time(bytes: &[u8]) -> Option<Value<'static>> {
    let mut reader = Reader(bytes);
    if bytes.is_empty() {
        return Some(Value::Time(false, (0, 0, 0), 0));
    }
    let (negative, days) = (reader.u8()? != 0, reader.u32()?);
    let (hours, minutes, seconds) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let micros = if reader.0.is_empty() { 0 } else { reader.u32()? };
    Some(Value::Time(negative, (u64::from(days) * 24 + u64::from(hours), minutes, seconds), micros))
}

/// How a session's literals are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// `character_set_client`, in lower case.
    pub charset: String,
    /// A backslash stands for itself.
    pub no_backslash: bool,
}

impl Style {
    /// Writes a value as a literal; false when no literal means it.
    pub fn put(&self, out: &mut Vec<u8>, value: Value<'_>) -> bool {
        let text = match value {
            Value::Null => "NULL".to_owned(),
            Value::Default => "DEFAULT".to_owned(),
            Value::Signed(number) => number.to_string(),
            Value::Unsigned(number) => number.to_string(),
            // With an exponent, for without one it is a DECIMAL. Rust writes the fewest digits that read back the same.
            Value::Double(number) if number.is_finite() => format!("{number:e}"),
            Value::Double(_) => return false,
            Value::Decimal(digits) if is_decimal(digits) => String::from_utf8_lossy(digits).into_owned(),
            Value::Decimal(bytes) | Value::Text(bytes) => {
                self.put_text(out, bytes);
                return true;
            }
            Value::Bytes(bytes) => {
                put_hex(out, "binary", bytes);
                return true;
            }
            Value::Date(year, month, day) => {
                // A typed literal of what is no date is an error where the bound value is none.
                let typed = if (1..=12).contains(&month) && (1..=31).contains(&day) { "DATE" } else { "" };
                format!("{typed}'{year:04}-{month:02}-{day:02}'")
            }
            Value::Moment((year, month, day), (hour, minute, second), micros) => {
                let typed = if (1..=12).contains(&month) && (1..=31).contains(&day) { "TIMESTAMP" } else { "" };
                let fraction = fraction(micros);
                format!("{typed}'{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}'")
            }
            Value::Time(negative, (hours, minutes, seconds), micros) => {
                let sign = if negative { "-" } else { "" };
                format!("TIME'{sign}{hours:02}:{minutes:02}:{seconds:02}{}'", fraction(micros))
            }
        };
        out.extend_from_slice(text.as_bytes());
        true
    }

    fn put_text(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        let charset = self.charset.as_str();
        // In these a second byte may be a quote's or a backslash's.
        let double = matches!(charset, "big5" | "gbk" | "gb18030" | "sjis" | "cp932");
        let unicode = charset.starts_with("utf8");
        if double && !bytes.is_ascii() {
            return put_hex(out, charset, bytes);
        }
        // Bytes that are no text: columns of bytes take them as they are.
        if unicode && std::str::from_utf8(bytes).is_err() {
            return put_hex(out, "binary", bytes);
        }
        if self.no_backslash && memchr::memchr(0, bytes).is_some() {
            return put_hex(out, if charset.is_empty() { "utf8mb4" } else { charset }, bytes);
        }
        self.quote(out, bytes);
    }

    /// Writes bytes between quotes.
    pub fn quote(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        out.reserve(bytes.len() + 2);
        out.push(b'\'');
        let mut from = 0;
        for at in 0..bytes.len() {
            let escaped: &[u8] = match bytes[at] {
                b'\'' => b"''",
                b'\\' if !self.no_backslash => b"\\\\",
                b'\n' if !self.no_backslash => b"\\n",
                b'\r' if !self.no_backslash => b"\\r",
                0 if !self.no_backslash => b"\\0",
                _ => continue,
            };
            out.extend_from_slice(&bytes[from..at]);
            out.extend_from_slice(escaped);
            from = at + 1;
        }
        out.extend_from_slice(&bytes[from..]);
        out.push(b'\'');
    }

    /// The statement with values in the place of its placeholders at `marks`; none when a value has no literal.
    pub fn fill(&self, text: &[u8], marks: &[usize], values: &[Value<'_>]) -> Option<Vec<u8>> {
        let joins = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$' | b'@' | b'\''))
        };
        let mut out = Vec::with_capacity(text.len() + values.len() * 8);
        let mut from = 0;
        for (mark, value) in marks.iter().zip(values) {
            out.extend_from_slice(&text[from..*mark]);
            if joins(out.last()) {
                out.push(b' ');
            }
            if !self.put(&mut out, *value) {
                return None;
            }
            from = mark + 1;
            if joins(text.get(from)) {
                out.push(b' ');
            }
        }
        out.extend_from_slice(&text[from..]);
        Some(out)
    }
}

fn fraction(micros: u32) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}") }
}

fn is_decimal(digits: &[u8]) -> bool {
    let digits = digits.strip_prefix(b"-").unwrap_or(digits);
    let (whole, after) = match memchr::memchr(b'.', digits) {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &b""[..]),
    };
    // A longer one would be a DOUBLE.
    !whole.is_empty() && digits.len() <= 66 && whole.iter().chain(after).all(u8::is_ascii_digit)
}

/// With an introducer, for a bare `x'…'` is a number where a number is asked for.
fn put_hex(out: &mut Vec<u8>, charset: &str, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(bytes.len() * 2 + charset.len() + 6);
    out.push(b'_');
    out.extend_from_slice(charset.as_bytes());
    out.extend_from_slice(b" x'");
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(value: Value<'_>, charset: &str, no_backslash: bool) -> String {
        let mut out = Vec::new();
        assert!(Style { charset: charset.to_owned(), no_backslash }.put(&mut out, value));
        String::from_utf8(out).expect("a literal in UTF-8")
    }

    #[test]
    fn literals_keep_type_and_precision() {
        let plain = |value| literal(value, "utf8mb4", false);
        assert_eq!(plain(Value::Double(0.1)), "1e-1");
        assert_eq!(plain(Value::Double(f32::MAX.into())), "3.4028234663852886e38");
        assert_eq!(plain(Value::Double(5e-324)), "5e-324");
        assert_eq!(plain(Value::Signed(i64::MIN)), "-9223372036854775808");
        assert_eq!(plain(Value::Decimal(b"-001.50")), "-001.50");
        assert_eq!(plain(Value::Decimal(b"1;DROP")), "'1;DROP'");
        assert_eq!(plain(Value::Date(0, 0, 0)), "'0000-00-00'");
        assert_eq!(plain(Value::Moment((2024, 2, 29), (23, 59, 59), 1)), "TIMESTAMP'2024-02-29 23:59:59.000001'");
        assert_eq!(plain(Value::Time(true, (838, 59, 59), 0)), "TIME'-838:59:59'");
        assert_eq!(plain(Value::Bytes(b"\0'\xff")), "_binary x'0027FF'");
    }

    #[test]
    fn text_is_quoted_as_the_session_reads_it() {
        assert_eq!(literal(Value::Text(b"it's\\\n\0"), "utf8mb4", false), r"'it''s\\\n\0'");
        assert_eq!(literal(Value::Text(b"it's\\"), "utf8mb4", true), r"'it''s\'");
        assert_eq!(literal(Value::Text(b"\0"), "latin1", true), "_latin1 x'00'");
        assert_eq!(literal(Value::Text(b"\x95\\"), "sjis", false), "_sjis x'955C'");
        assert_eq!(literal(Value::Text(b"\xff"), "utf8mb4", false), "_binary x'FF'");
    }

    #[test]
    fn a_value_never_joins_what_stands_beside_it() {
        let style = Style { charset: "utf8mb4".to_owned(), no_backslash: false };
        let filled = style.fill(b"SELECT?-?AND?", &[6, 8, 12], &[Value::Signed(1), Value::Signed(-2), Value::Null]);
        assert_eq!(filled.as_deref(), Some(&b"SELECT 1 - -2 AND NULL"[..]));
    }
}

//! Quantities as people write them: durations `250ms 5s 2min none`, counts `9000000 9M 100k`, sizes `512MiB`, rates `40/s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, or `none` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Option<Duration>);

/// A number of things: `9000000`, `9M`, `100k`, `9_000_000`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

/// A number of bytes: `512MiB`, `1GB`, `4096`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// How often: `40/s`, `300/min`. Kept as requests a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// A text that is no quantity of the kind wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadQuantity {
    text: String,
    wanted: &'static str,
}

impl fmt::Display for BadQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no {}", self.text, self.wanted)
    }
}

impl std::error::Error for BadQuantity {}

/// Splits `12.5ms` into its number and its unit.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let number = text[..end].replace('_', "").parse::<f64>().ok()?;
    number.is_finite().then(|| (number, text[end..].trim()))
}

/// A whole number of units, exact for whole numbers up to 2^53 and refused where a fraction would be lost.
fn whole(number: f64, unit: u64) -> Option<u64> {
    let product = number * unit as f64;
    (product.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&product)).then_some(product as u64)
}

impl FromStr for Span {
    type Err = BadQuantity;
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        if text.trim() == "none" {
            return Ok(Self(None));
        }
        let bad = || BadQuantity { text: text.to_owned(), wanted: "duration (write 250ms, 5s, 2min, 1h or none)" };
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        let seconds = match unit {
            "ms" => number / 1000.0,
            "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            "d" => number * 86_400.0,
            _ => return Err(bad()),
        };
        Duration::try_from_secs_f64(seconds).map(|duration| Self(Some(duration))).map_err(|_| bad())
    }
}

impl FromStr for Count {
    type Err = BadQuantity;
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        let bad = || BadQuantity { text: text.to_owned(), wanted: "count (write 9000000, 100k, 9M or 2G)" };
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        let unit = match unit {
            "" => 1,
            "k" | "K" => 1_000,
            "M" => 1_000_000,
            "G" | "B" => 1_000_000_000,
            _ => return Err(bad()),
        };
        whole(number, unit).map(Self).ok_or_else(bad)
    }
}

impl FromStr for Size {
    type Err = BadQuantity;
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        let bad = || BadQuantity { text: text.to_owned(), wanted: "size (write 512MiB, 4GB or a number of bytes)" };
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        let unit = match unit {
            "" | "B" => 1,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "KiB" | "K" => 1 << 10,
            "MiB" | "M" => 1 << 20,
            "GiB" | "G" => 1 << 30,
            "TiB" | "T" => 1 << 40,
            _ => return Err(bad()),
        };
        whole(number, unit).map(Self).ok_or_else(bad)
    }
}

impl FromStr for Rate {
    type Err = BadQuantity;
    fn from_str(text: &str) -> Result<Self, BadQuantity> {
        let bad = || BadQuantity { text: text.to_owned(), wanted: "rate (write 40/s or 300/min)" };
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        match unit {
            "/s" => Ok(Self(number)),
            "/min" => Ok(Self(number / 60.0)),
            "/h" => Ok(Self(number / 3600.0)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            // What is written here is read again, and `<1 ms` is no quantity.
            Some(duration) if duration.as_secs_f64() < UNDER_A_MILLISECOND => f.write_str("0 s"),
            Some(duration) => f.write_str(&seconds(duration.as_secs_f64())),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            n if n % 1_000_000 == 0 => write!(f, "{}M", n / 1_000_000),
            n if n % 1_000 == 0 => write!(f, "{}k", n / 1_000),
            n => write!(f, "{n}"),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bytes(self.0))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// Seconds that would round to 0 ms.
const UNDER_A_MILLISECOND: f64 = 0.0005;

/// Seconds for people: `0 s`, `<1 ms`, `8 ms`, `0.31 s`, `51.2 s`, `3 min 20 s`, `2 h 5 min`, `365 days`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s <= 0.0 => "0 s".to_owned(),
        s if s < UNDER_A_MILLISECOND => "<1 ms".to_owned(),
        s if s < 0.0995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 119.5 => format!("{s:.1} s"),
        s if s < 7199.5 => format!("{} min {} s", s.round() as u64 / 60, s.round() as u64 % 60),
        s if s >= 48.0 * 3600.0 => format!("{} days", grouped((s / 86400.0).round() as u64)),
        s => format!("{} h {} min", (s / 60.0).round() as u64 / 60, (s / 60.0).round() as u64 % 60),
    }
}

/// A point in time for people: `2026-11-20T20:12:31.6Z` becomes `2026-11-20 20:12 UTC`; what is no such text stays as it is.
pub fn moment(rfc3339: &str) -> String {
    let bytes = rfc3339.as_bytes();
    let is_utc = bytes.len() >= 17 && bytes.is_ascii() && bytes[10] == b'T' && bytes.ends_with(b"Z");
    if is_utc { format!("{} {} UTC", &rfc3339[..10], &rfc3339[11..16]) } else { rfc3339.to_owned() }
}

/// `1 error`, `2 errors`, `1,000 rows`: a count with its noun.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Bytes for people: `640 B`, `1.5 GiB`.
pub fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A count for people, grouped: `9,000,000`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a quantity")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }
    )*};
}
as_text!(Span, Count, Size, Rate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!("9M".parse(), Ok(Count(9_000_000)));
        assert_eq!("1.5k".parse(), Ok(Count(1500)));
        assert_eq!("9_000_000".parse(), Ok(Count(9_000_000)));
        assert_eq!("512MiB".parse(), Ok(Size(512 << 20)));
        assert_eq!("250ms".parse(), Ok(Span(Some(Duration::from_millis(250)))));
        assert_eq!("none".parse(), Ok(Span(None)));
        assert_eq!("300/min".parse(), Ok(Rate(5.0)));
        for bad in ["", "-1", "1.5", "9X", "k"] {
            assert!(bad.parse::<Count>().is_err(), "{bad}");
        }
        assert!("5".parse::<Span>().is_err(), "a duration needs its unit");
        let tiny = Span(Some(Duration::from_micros(300)));
        assert!(tiny.to_string().parse::<Span>().is_ok(), "what is written can be read again");
    }

    #[test]
    fn quantities_print_for_people() {
        assert_eq!(seconds(0.0), "0 s");
        assert_eq!(seconds(0.0004), "<1 ms");
        assert_eq!(seconds(0.008), "8 ms");
        assert_eq!(moment("2026-11-20T20:12:31.644263559Z"), "2026-11-20 20:12 UTC");
        assert_eq!(moment("yesterday"), "yesterday");
        assert_eq!((counted(1, "warning"), counted(0, "note")), ("1 warning".to_owned(), "0 notes".to_owned()));
        assert_eq!(seconds(50.71), "50.7 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(31_536_000.0), "365 days");
        assert_eq!(bytes(1_610_612_736), "1.5 GiB");
        assert_eq!(grouped(9_000_000), "9,000,000");
        assert_eq!(Count(9_000_000).to_string(), "9M");
    }
}

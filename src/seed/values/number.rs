//! Everything that is a whole number inside: integers, decimals, years, bits, and moments in time.

use jiff::civil::Date;

use super::super::draw::Draw;

/// Numbers from `min` to `max`, most of them from `low` to `high`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// The smallest that the column takes.
    pub min: i128,
    /// The largest that the column takes.
    pub max: i128,
    /// The smallest of the usual ones; distinct values start here.
    pub low: i128,
    /// The largest of the usual ones.
    pub high: i128,
    /// The value grows with the row's number, as a time of creation does.
    pub rising: bool,
    /// How it is written.
    pub print: Print,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    /// As digits.
    Whole,
    /// With so many digits after the point; the number counts the last of them.
    Scaled(u32),
    /// A date; the number counts days since 1970-01-01.
    Date,
    /// A date and time in UTC with so many fractional digits; the number counts seconds since 1970-01-01.
    DateTime(u32),
    /// A time of day or a span; the number counts seconds.
    Time(u32),
}

impl Number {
    /// All values from `min` to `max`, usually from `low` to `high`, clamped into them.
    pub fn new(min: i128, max: i128, low: i128, high: i128, print: Print) -> Self {
        let low = low.clamp(min, max);
        Self { min, max, low, high: high.clamp(low, max), rising: false, print }
    }

    /// Takes away what lies outside `from` to `to`.
    pub fn narrow(&mut self, from: Option<i128>, to: Option<i128>) {
        self.min = self.min.max(from.unwrap_or(self.min));
        self.max = self.max.min(to.unwrap_or(self.max)).max(self.min);
        let width = (self.high - self.low).min(self.max - self.min);
        self.high = self.high.clamp(self.min, self.max);
        self.low = (self.high - width).clamp(self.min, self.high);
        if self.high - self.low < width {
            self.high = (self.low + width).min(self.max);
        }
    }

    /// How many different values there are.
    pub fn capacity(&self) -> u64 {
        u64::try_from(self.max - self.min).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// A usual value. `part` is where in the table the row stands: row and number of rows.
    #[inline]
    pub fn random(&self, draw: &mut Draw, part: (u64, u64), out: &mut Vec<u8>) {
        let width = u64::try_from(self.high - self.low).unwrap_or(u64::MAX);
        let offset = if self.rising && part.1 > 1 {
            let base = (u128::from(width) * u128::from(part.0) / u128::from(part.1)) as u64;
            (base + draw.below(width / part.1 + 1)).min(width)
        } else if width == u64::MAX {
            draw.bits()
        } else {
            draw.below(width + 1)
        };
        let micros = match self.print {
            Print::DateTime(1..) | Print::Time(1..) => draw.below(1_000_000) as u32,
            _ => 0,
        };
        self.write(self.low + i128::from(offset), micros, out);
    }

    /// The value number `index`: from `low` up to `max`, then from `min` on.
    pub fn nth(&self, index: u64, out: &mut Vec<u8>) {
        let value = self.low + i128::from(index);
        let value = if value > self.max { self.min + (value - self.max - 1) } else { value };
        self.write(value.clamp(self.min, self.max), 0, out);
    }

    fn write(&self, value: i128, micros: u32, out: &mut Vec<u8>) {
        match self.print {
            Print::Whole => whole(value, out),
            Print::Scaled(digits) => scaled(value, digits, out),
            Print::Date => date(value as i64, out),
            Print::DateTime(digits) => {
                let seconds = value as i64;
                date(seconds.div_euclid(86_400), out);
                out.push(b' ');
                clock(seconds.rem_euclid(86_400) as u64, out);
                fraction(micros, digits, out);
            }
            Print::Time(digits) => {
                if value < 0 {
                    out.push(b'-');
                }
                clock(value.unsigned_abs() as u64, out);
                // The last second of the range has no fraction after it.
                fraction(if value == self.max { 0 } else { micros }, digits, out);
            }
        }
    }
}

/// Writes digits.
#[inline]
pub fn digits(value: u64, out: &mut Vec<u8>) {
    let mut buffer = [0_u8; 20];
    let at = place(value, &mut buffer);
    out.extend_from_slice(&buffer[at..]);
}

/// Writes digits with zeros before them, at least `width`.
#[inline]
pub fn padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 32];
    let at = place(value, &mut buffer);
    for _ in buffer.len()..width {
        out.push(b'0');
    }
    let start = buffer.len().saturating_sub(width).min(at);
    out.extend_from_slice(&buffer[start..]);
}

/// Writes digits to the end of the buffer, which has room for 20, and tells where they begin.
#[inline]
fn place(mut value: u64, buffer: &mut [u8]) -> usize {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return at;
        }
    }
}

/// The two digits of a number below 100.
#[inline]
fn pair(value: u64) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

fn whole(value: i128, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    match u64::try_from(value.unsigned_abs()) {
        Ok(small) => digits(small, out),
        Err(_) => out.extend_from_slice(value.unsigned_abs().to_string().as_bytes()),
    }
}

fn scaled(value: i128, places: u32, out: &mut Vec<u8>) {
    let one = 10_i128.checked_pow(places).unwrap_or(i128::MAX);
    if value < 0 {
        out.push(b'-');
    }
    whole((value / one).abs(), out);
    if places > 0 {
        out.push(b'.');
        let rest = (value % one).unsigned_abs();
        match u64::try_from(rest) {
            Ok(rest) => padded(rest, places as usize, out),
            Err(_) => out.extend_from_slice(format!("{rest:0width$}", width = places as usize).as_bytes()),
        }
    }
}

/// Days since 1970-01-01 as a date (the proleptic Gregorian calendar, as servers reckon).
fn date(days: i64, out: &mut Vec<u8>) {
    // Howard Hinnant's civil_from_days: no table, no loop.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // No server knows a year beyond 9999.
    let year = year.unsigned_abs();
    let ([a, b], [c, d]) = (pair(year / 100), pair(year));
    let ([e, f], [g, h]) = (pair(month.unsigned_abs()), pair(day.unsigned_abs()));
    out.extend_from_slice(&[a, b, c, d, b'-', e, f, b'-', g, h]);
}

fn clock(seconds: u64, out: &mut Vec<u8>) {
    padded(seconds / 3600, 2, out);
    let ([a, b], [c, d]) = (pair(seconds / 60 % 60), pair(seconds % 60));
    out.extend_from_slice(&[b':', a, b, b':', c, d]);
}

fn fraction(micros: u32, digits: u32, out: &mut Vec<u8>) {
    if (1..=6).contains(&digits) {
        out.push(b'.');
        padded(u64::from(micros / 10_u32.pow(6 - digits)), digits as usize, out);
    }
}

/// Days since 1970-01-01 of a date as servers write it; what follows the date is left aside.
pub fn days_of(text: &str) -> Option<i64> {
    let mut parts = text.get(..10)?.split('-');
    let year: i16 = parts.next()?.parse().ok()?;
    let date = Date::new(year, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?).ok()?;
    Some(i64::from((date - Date::constant(1970, 1, 1)).get_days()))
}

/// Seconds since 1970-01-01 of a date with or without a time.
pub fn seconds_of(text: &str) -> Option<i64> {
    let days = days_of(text)?;
    let clock = text.get(11..).map_or(Some(0), |rest| if rest.is_empty() { Some(0) } else { clock_of(rest) })?;
    Some(days * 86_400 + clock)
}

/// Seconds of `hours:minutes:seconds`, the fraction left aside.
pub fn clock_of(text: &str) -> Option<i64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let text = text.split_once('.').map_or(text, |(whole, _)| whole);
    let mut total = 0;
    for part in text.split(':') {
        total = total * 60 + part.parse::<i64>().ok()?;
    }
    Some(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(number: &Number, index: u64) -> String {
        let mut out = Vec::new();
        number.nth(index, &mut out);
        String::from_utf8(out).expect("digits")
    }

    proptest! {
        #[test]
        fn a_date_is_read_back_as_it_was_written(days in -300_000_i64..2_900_000) {
            let mut out = Vec::new();
            date(days, &mut out);
            prop_assert_eq!(days_of(std::str::from_utf8(&out).expect("digits")), Some(days));
        }

        #[test]
        fn digits_are_what_rust_prints(value: u64, width in 0_usize..25) {
            let mut out = Vec::new();
            padded(value, width, &mut out);
            prop_assert_eq!(String::from_utf8(out).expect("digits"), format!("{value:0width$}"));
        }

        #[test]
        fn scaled_numbers_are_what_they_count(value in -1_000_000_i64..1_000_000, places in 0_u32..6) {
            let mut out = Vec::new();
            scaled(i128::from(value), places, &mut out);
            let text = String::from_utf8(out).expect("digits");
            let read: f64 = text.parse().expect("a number");
            prop_assert!((read * 10_f64.powi(places as i32) - value as f64).abs() < 0.01, "{}", text);
        }
    }

    #[test]
    fn distinct_values_go_on_below_when_the_top_is_reached() {
        let byte = Number::new(-128, 127, 1, 100, Print::Whole);
        assert_eq!(byte.capacity(), 256);
        let all: std::collections::BTreeSet<String> = (0..256).map(|index| written(&byte, index)).collect();
        assert_eq!(all.len(), 256);
        assert_eq!(written(&byte, 127), "-128");
    }

    #[test]
    fn moments_are_written_as_servers_read_them() {
        let moment = Number::new(0, i128::from(i32::MAX), 1_700_000_000, 1_700_000_000, Print::DateTime(3));
        assert_eq!(written(&moment, 0), "2023-11-14 22:13:20.000");
        assert_eq!(seconds_of("2023-11-14 22:13:20.5"), Some(1_700_000_000));
        let span = Number::new(-100, 400_000, -61, 400_000, Print::Time(0));
        assert_eq!(written(&span, 0), "-00:01:01");
        assert_eq!(clock_of("-00:01:01"), Some(-61));
        assert_eq!(written(&span, 360_061), "100:00:00");
    }

    #[test]
    fn narrowing_keeps_the_usual_range_inside() {
        let mut number = Number::new(0, 1000, 500, 900, Print::Whole);
        number.narrow(None, Some(299));
        assert!(number.low >= 0 && number.high <= 299 && number.low < number.high);
        number.narrow(Some(100), Some(50));
        assert_eq!(number.capacity(), 1);
    }
}

//! Times as logs write them. A log without a zone is in its server's local time, taken for UTC.

use jiff::Timestamp;

/// The last second that was read, and what it is: a log has thousands of lines in one.
#[derive(Debug, Default)]
pub struct Clock {
    text: Vec<u8>,
    seconds: i64,
}

impl Clock {
    /// `2026-11-21T18:20:46.249468Z`, `…+02:00`, `2026-11-21 18:20:46.249468`, `261121 18:14:44`, `261121  8:14:44`.
    pub fn read(&mut self, text: &[u8]) -> Option<Timestamp> {
        let (whole, rest) = if text.get(4) == Some(&b'-') { text.split_at_checked(19)? } else { (text, &text[..0]) };
        if whole != self.text {
            self.seconds = if whole.len() == 19 { long(whole) } else { short(whole) }?;
            self.text.clear();
            self.text.extend_from_slice(whole);
        }
        let (mut nanos, mut rest) = (0i32, rest);
        if let Some(fraction) = rest.strip_prefix(b".") {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            for place in 0..9 {
                nanos = nanos * 10 + fraction[..digits].get(place).map_or(0, |digit| i32::from(digit - b'0'));
            }
            rest = &fraction[digits..];
        }
        Timestamp::new(self.seconds - offset(rest)?, nanos).ok()
    }
}

fn number(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    (!text.is_empty() && text.len() < 12 && text.iter().all(u8::is_ascii_digit))
        .then(|| text.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn long(text: &[u8]) -> Option<i64> {
    if !matches!(text[10], b'T' | b' ') {
        return None;
    }
    let part = |from: usize, to: usize| number(&text[from..to]);
    seconds([part(0, 4)?, part(5, 7)?, part(8, 10)?, part(11, 13)?, part(14, 16)?, part(17, 19)?])
}

fn short(text: &[u8]) -> Option<i64> {
    if text.len() < 14 || text[6] != b' ' {
        return None;
    }
    let part = |from: usize, to: usize| number(&text[from..to]);
    let mut clock = text[7..].trim_ascii().split(|byte| *byte == b':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    seconds([2000 + part(0, 2)?, part(2, 4)?, part(4, 6)?, hour, minute, second])
}

fn seconds([year, month, day, hour, minute, second]: [i64; 6]) -> Option<i64> {
    let narrow = |value: i64| i8::try_from(value).ok();
    let date = jiff::civil::Date::new(i16::try_from(year).ok()?, narrow(month)?, narrow(day)?).ok()?;
    let time = jiff::civil::Time::new(narrow(hour)?, narrow(minute)?, narrow(second)?, 0).ok()?;
    Some(date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Seconds east of Greenwich of `Z`, `+02:00` or nothing.
fn offset(text: &[u8]) -> Option<i64> {
    match text {
        [] | [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 => {
            let east = number(&rest[..2])? * 3600 + number(&rest[3..])? * 60;
            Some(if *sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_time_are_read() {
        let mut clock = Clock::default();
        let mut read = |text: &str| clock.read(text.as_bytes()).map(|at| at.to_string());
        assert_eq!(read("2026-11-21T18:20:46.249468Z").as_deref(), Some("2026-11-21T18:20:46.249468Z"));
        assert_eq!(read("2026-11-21T18:20:46.5+02:00").as_deref(), Some("2026-11-21T16:20:46.5Z"));
        assert_eq!(read("2026-11-21 18:20:46.249468").as_deref(), Some("2026-11-21T18:20:46.249468Z"));
        assert_eq!(read("261121 18:14:44").as_deref(), Some("2026-11-21T18:14:44Z"));
        assert_eq!(read("261121  8:14:44").as_deref(), Some("2026-11-21T08:14:44Z"));
        for bad in ["", "x", "2026-13-21T18:20:46Z", "261121", "2026-11-21", "261121 1é:14:44", "2026-11-21T18:20:46+2"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

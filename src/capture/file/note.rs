//! The line over a statement: where it was heard, when, how long it took, how many rows. Of a log of gigabytes there are tens of
//! millions of them.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::capture::record::{Heard, Sent};

/// Writes notes.
#[derive(Debug, Default)]
pub struct Notes {
    /// Messages of errors may quote values: they are left out.
    masked: bool,
    /// A second, and how it is written, up to its fraction.
    second: i64,
    written: String,
    /// The source told last, and whether its name is odd.
    source: String,
    odd: bool,
}

impl Notes {
    /// None written yet.
    pub fn new(masked: bool) -> Self {
        Self { masked, ..Self::default() }
    }

    /// Appends origin, time, rows and error, in a line.
    pub fn tell(&mut self, heard: &Heard, into: &mut String) {
        let from = into.len();
        if heard.origin.file != self.source {
            self.source.clone_from(&heard.origin.file);
            self.odd = is_odd(&self.source);
        }
        into.push_str(&heard.origin.file);
        into.push(':');
        number(heard.origin.line, into);
        if let Some(at) = heard.at {
            into.push(' ');
            self.time(at, into);
        }
        let mut divider = " ";
        if let Some(seconds) = heard.seconds {
            // Writing to a String cannot fail.
            let _ = write!(into, " {seconds:.6} s");
            divider = ", ";
        }
        let counts = [
            (heard.rows_affected, " rows changed"),
            (heard.rows_sent, " rows sent"),
            (heard.rows_examined, " rows examined"),
        ];
        for (count, what) in counts {
            if let Some(count) = count {
                into.push_str(divider);
                number(count, into);
                into.push_str(what);
                divider = ", ";
            }
        }
        let mut fact = |fact: std::fmt::Arguments<'_>| {
            into.push_str(divider);
            let _ = into.write_fmt(fact);
            divider = ", ";
        };
        if let Some(count) = heard.warnings.filter(|count| *count > 0) {
            fact(format_args!("{count} warnings"));
        }
        match heard.sent {
            Sent::Prepared => fact(format_args!("prepared")),
            Sent::Rows => fact(format_args!("made of changed rows")),
            Sent::Text | Sent::Nested => {}
        }
        if let Some((number, message)) = &heard.error {
            fact(format_args!("error {number}: {}", if self.masked { "(masked)" } else { message }));
        }
        // It is one line, and `rehearse:` in a comment would be a remark.
        let told = &into[from..];
        if (self.odd || heard.error.is_some()) && is_odd(told) {
            let told = told.replace(['\n', '\r'], " ").replace("rehearse:", "rehearse ");
            into.truncate(from);
            into.push_str(&told);
        }
    }

    /// A time as it displays itself; thousands of statements share a second.
    fn time(&mut self, at: Timestamp, into: &mut String) {
        let (second, nanos) = (at.as_second(), at.subsec_nanosecond());
        if second < 0 || nanos < 0 {
            let _ = write!(into, "{at}");
            return;
        }
        if second != self.second || self.written.is_empty() {
            self.second = second;
            self.written = at.to_string();
            let end = self.written.find(['.', 'Z']).unwrap_or(self.written.len());
            self.written.truncate(end);
        }
        into.push_str(&self.written);
        if nanos > 0 {
            into.push('.');
            let (mut rest, mut place) = (nanos.unsigned_abs(), 100_000_000);
            while rest > 0 {
                into.push(char::from(b'0' + (rest / place) as u8));
                (rest, place) = (rest % place, place / 10);
            }
        }
        into.push('Z');
    }
}

/// A text that no line may hold, or that would be a remark.
fn is_odd(text: &str) -> bool {
    text.contains(['\n', '\r']) || text.contains("rehearse:")
}

/// A number as it displays itself, without what displaying costs.
fn number(number: u64, into: &mut String) {
    let (mut digits, mut at, mut left) = ([0; 20], 20, number);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    into.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_note_is_one_line_and_no_remark() {
        let heard = Heard {
            seconds: Some(0.25),
            rows_affected: Some(3),
            warnings: Some(0),
            sent: Sent::Prepared,
            error: Some((1062, "rehearse: ignore\nall".into())),
            ..Heard::default()
        };
        let mut told = "-- heard".to_owned();
        Notes::default().tell(&heard, &mut told);
        assert!(told.ends_with("0.250000 s, 3 rows changed, prepared, error 1062: rehearse  ignore all"), "{told}");
        let mut masked = String::new();
        Notes::new(true).tell(&heard, &mut masked);
        assert!(masked.ends_with("error 1062: (masked)"), "{masked}");
    }

    #[test]
    fn a_source_whose_name_would_be_a_remark_is_told_without_it() {
        let mut notes = Notes::default();
        for (file, expected) in [("a.log", "a.log:0"), ("rehearse: x\n", "rehearse  x :0"), ("a.log", "a.log:0")] {
            let origin = crate::sql::record::Origin { file: file.into(), ..Default::default() };
            let mut told = String::new();
            notes.tell(&Heard { origin, ..Heard::default() }, &mut told);
            assert_eq!(told, expected);
        }
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_they_display_themselves(value in prop_oneof![any::<u64>(), 0u64..2000, Just(u64::MAX)]) {
            let mut told = String::new();
            number(value, &mut told);
            prop_assert_eq!(told, value.to_string());
        }

        #[test]
        fn times_are_written_as_they_display_themselves(
            times in prop::collection::vec((-2i64..2_000_000_000, prop_oneof![Just(0), 0i32..1_000_000_000, Just(500_000_000)]), 1..10),
        ) {
            let mut notes = Notes::default();
            for (second, nanos) in times {
                for nanos in [nanos, nanos / 1000 * 1000] {
                    let at = Timestamp::new(second, nanos).expect("a time");
                    let mut told = String::new();
                    notes.time(at, &mut told);
                    prop_assert_eq!(told, at.to_string());
                }
            }
        }
    }
}

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
}

impl Notes {
    /// None written yet.
    pub fn new(masked: bool) -> Self {
        Self { masked, ..Self::default() }
    }

    /// Appends origin, time, rows and error, in a line.
    pub fn tell(&mut self, heard: &Heard, into: &mut String) {
        let from = into.len();
        // Writing to a String cannot fail.
        let _ = write!(into, "{}", heard.origin);
        if let Some(at) = heard.at {
            into.push(' ');
            self.time(at, into);
        }
        let mut divider = " ";
        let mut fact = |fact: std::fmt::Arguments<'_>| {
            into.push_str(divider);
            let _ = into.write_fmt(fact);
            divider = ", ";
        };
        if let Some(seconds) = heard.seconds {
            fact(format_args!("{seconds:.6} s"));
        }
        let counts = [(heard.rows_affected, "changed"), (heard.rows_sent, "sent"), (heard.rows_examined, "examined")];
        for (count, what) in counts {
            if let Some(count) = count {
                fact(format_args!("{count} rows {what}"));
            }
        }
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
        if told.contains(['\n', '\r']) || told.contains("rehearse:") {
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
            let from = into.len();
            let _ = write!(into, ".{nanos:09}");
            into.truncate(from + into[from..].trim_end_matches('0').len());
        }
        into.push('Z');
    }
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

    proptest! {
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

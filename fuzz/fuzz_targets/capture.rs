//! What is sent, written as a capture, read back: whatever the statements are, it is what was sent. Records are divided by 0x1e;
//! the first byte of each says what it is, and of which session.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mysql_rehearsal::capture::file::Options;
use mysql_rehearsal::capture::record::{Began, Event, Heard, Sent};

fn event(record: &[u8]) -> Option<Event> {
    let (how, text) = record.split_first()?;
    let session = u64::from(how & 3);
    let name = || String::from_utf8_lossy(text).into_owned();
    let heard = Heard { session, text: text.to_vec(), ..Heard::default() };
    Some(match how >> 2 & 15 {
        0 => Event::Began(Began { session, database: name(), ..Began::default() }),
        1 => Event::Ended { session },
        2 => Event::Heard(Heard { error: Some((1213, name())), ..heard }),
        3 => Event::Heard(Heard { sent: Sent::Prepared, remarks: vec![name()], seconds: Some(1.5), ..heard }),
        4 => Event::Heard(with(heard, "sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")),
        5 => Event::Heard(with(heard, "character_set_client", "latin1")),
        6 => Event::Heard(with(heard, "database", &name())),
        7 => Event::Heard(with(heard, "insert_id", "7")),
        _ => Event::Heard(heard),
    })
}

fn with(mut heard: Heard, state: &str, value: &str) -> Heard {
    heard.state.insert(state.to_owned(), value.to_owned());
    heard
}

fuzz_target!(|bytes: &[u8]| {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let options = Options { keep_noise: how & 1 == 0, mask: how & 6 == 6 };
    mysql_rehearsal_fuzz::captured(options, |listener| {
        for event in bytes.split(|byte| *byte == 0x1e).filter_map(event) {
            listener.hear(event).expect("a capture takes all");
        }
    });
});

//! Any log, of any kind: read to its end, and written as a capture that reads back. The first line names the kind, as `--source`
//! does; without a known name the log is what it looks like.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mysql_rehearsal::capture::file::Options;
use mysql_rehearsal::capture::source::{Kind, fuzzing};

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let kind = std::str::from_utf8(&bytes[..end]).ok().and_then(|name| name.parse::<Kind>().ok());
    let log = if kind.is_some() { &bytes[(end + 1).min(bytes.len())..] } else { bytes };
    let mask = log.len() % 5 == 0;
    mysql_rehearsal_fuzz::captured(Options { keep_noise: log.len() % 2 == 0, mask }, |listener| {
        fuzzing::read(kind, log, mysql_rehearsal_fuzz::options(), &*listener).expect("a log reads to its end");
    });
});

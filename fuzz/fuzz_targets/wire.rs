//! A session as the proxy reads it: two ends that say anything. Eight bytes of capabilities, then turns: a byte of which the last
//! bit is the server's, two of the length, and the bytes.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mysql_rehearsal::capture::file::Options;
use mysql_rehearsal::capture::proxy::fuzzing::{End, session};

/// More would not fit into a socket that nobody reads.
const MOST: usize = 32 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let Some((flags, mut rest)) = bytes.split_first_chunk() else { return };
    let mut turns = Vec::new();
    let mut held = 4096;
    while let [how, low, high, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (said, left) = after.split_at(length);
        turns.push((if how & 1 == 1 { End::Server } else { End::Client }, said));
        held = if how & 2 == 2 { 16 } else { held };
        rest = left;
    }
    if bytes.len() > MOST || turns.len() > 32 {
        return;
    }
    mysql_rehearsal_fuzz::captured(Options { keep_noise: true, mask: false }, |listener| {
        session(u64::from_le_bytes(*flags), held, &turns, Arc::clone(&listener)).expect("a session");
    });
});

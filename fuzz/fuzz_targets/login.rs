//! A login as the proxy reads it. A byte of how; two of the length of what the client says, and that; the rest is the server's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mysql_rehearsal::capture::proxy::fuzzing::login;

fuzz_target!(|bytes: &[u8]| {
    let [how, low, high, rest @ ..] = bytes else { return };
    let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (client, server) = rest.split_at(length);
    let password = if how & 1 == 1 { "secret" } else { "" };
    let _broken_off = login(client, server, password, how & 2 == 2);
});

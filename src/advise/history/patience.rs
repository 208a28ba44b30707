//! How long a DDL waits for its table before it gives up.

use super::session::SessionPast;
use super::set_words;
use crate::advise::alternatives::words::words;
use crate::sql::record::{Kind, Statement};

/// Longer than this (seconds), and the queries that queue behind a waiting DDL have used up any pool.
pub const LONG: u64 = 60;

/// The statement waits for its table for longer than [`LONG`], as far as its text and its session tell; where nothing is
/// known, the server's default (a year on MySQL, a day on MariaDB) is long.
pub fn is_long(statement: &Statement, session: &SessionPast) -> bool {
    if gives_up(statement) {
        return false;
    }
    let own = set_words::assignments(statement).into_iter().find(|set| set.name == "lock_wait_timeout");
    match own.filter(|_| statement.reading.kind != Kind::Set) {
        Some(set) => set.value.parse::<u64>().is_ok_and(|seconds| seconds > LONG),
        None => session.lock_wait_timeout().is_none_or(|seconds| seconds > LONG),
    }
}

/// MariaDB's `NOWAIT` and `WAIT n`.
fn gives_up(statement: &Statement) -> bool {
    let mut end = statement.text.len().min(300);
    while !statement.text.is_char_boundary(end) {
        end -= 1;
    }
    let Ok(all) = words(&statement.text[..end]) else { return false };
    all.iter().enumerate().any(|(at, word)| {
        let seconds = || all.get(at + 1).and_then(|next| next.text.parse::<u64>().ok());
        word.is("NOWAIT") || word.is("WAIT") && seconds().is_some_and(|seconds| seconds <= LONG)
    })
}

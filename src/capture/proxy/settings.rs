//! What a session begins with, as the server says: asked by the proxy itself before the client is let on.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use std::time::Instant;

use super::answer::{Answer, Shape, Step};
use super::capability::Capabilities;
use super::frames::{put_packet, read_packet};
use super::wire::Reader;

/// The most of an answer's packet: a few names.
const MOST: usize = 1 << 20;

/// What a session begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The default database; empty for none.
    pub database: String,
    /// `character_set_client`.
    pub charset: String,
    /// SET statements without `SET`.
    pub settings: Vec<String>,
}

/// Asks the server on this connection, between two commands.
pub(super) fn ask(from: &mut impl Read, to: &mut impl Write, capabilities: Capabilities) -> Result<Beginning> {
    let question =
        "SELECT DATABASE(), @@character_set_client, @@character_set_results, @@collation_connection, @@sql_mode";
    let mut payload = vec![super::command::QUERY];
    if capabilities.has(Capabilities::QUERY_ATTRIBUTES) {
        payload.extend_from_slice(&[0, 1]);
    }
    payload.extend_from_slice(question.as_bytes());
    let mut bytes = Vec::new();
    put_packet(&mut bytes, &payload, 0);
    to.write_all(&bytes).context("cannot ask the server how a session begins")?;
    let mut answer = Answer::new(Shape::Results, capabilities, Instant::now());
    let mut row = Vec::new();
    loop {
        let (packet, _) = read_packet(from, MOST).context("the server does not say how a session begins")?;
        let in_rows = answer.in_rows();
        let step = answer.take(&packet, packet.len() as u64)?;
        if in_rows && step == Step::More {
            row = packet;
        }
        if step == Step::Done {
            break;
        }
    }
    Ok(beginning(&row, capabilities))
}

fn beginning(row: &[u8], capabilities: Capabilities) -> Beginning {
    let mut reader = Reader(row);
    let mut next = || match reader.0.first() {
        Some(0xfb) => {
            reader.take(1);
            String::new()
        }
        _ => String::from_utf8_lossy(reader.bytes().unwrap_or_default()).into_owned(),
    };
    let (database, charset, results, collation, mode) = (next(), next(), next(), next(), next());
    let mut settings = Vec::new();
    if !collation.is_empty() {
        // A collation of another character set than the client's cannot stand in one SET NAMES.
        let fits = collation == charset || collation.starts_with(&format!("{charset}_")) || alias(&charset, &collation);
        if fits && results == charset {
            settings.push(format!("NAMES {charset} COLLATE {collation}"));
        } else {
            settings.push(format!("character_set_client = {charset}"));
            settings.push(format!("character_set_results = {}", if results.is_empty() { "NULL" } else { &results }));
            settings.push(format!("collation_connection = {collation}"));
        }
    }
    if capabilities.has(Capabilities::IGNORE_SPACE) {
        settings.push(format!("sql_mode = '{}'", mode.replace('\'', "''")));
    }
    Beginning { database, charset, settings }
}

/// `utf8` and `utf8mb3` are two names of one, and servers mix them.
fn alias(charset: &str, collation: &str) -> bool {
    charset.starts_with("utf8")
        && !charset.ends_with('4')
        && collation.starts_with("utf8")
        && !collation.starts_with("utf8mb4")
}

#[cfg(test)]
mod tests {
    use super::super::wire::put_bytes;
    use super::*;

    #[test]
    fn the_handshake_is_told_as_set_statements() {
        let row = |fields: [&str; 4]| {
            let mut row = vec![0xfb];
            fields.iter().for_each(|field| put_bytes(&mut row, field.as_bytes()));
            row
        };
        let plain = beginning(&row(["latin1", "latin1", "latin1_swedish_ci", ""]), Capabilities::default());
        assert_eq!(
            (plain.settings, plain.database),
            (vec!["NAMES latin1 COLLATE latin1_swedish_ci".to_owned()], String::new())
        );
        let own = Capabilities(Capabilities::IGNORE_SPACE);
        let mixed = beginning(&row(["utf8mb4", "latin1", "utf8mb4_bin", "IGNORE_SPACE"]), own);
        assert_eq!(mixed.settings[1], "character_set_results = latin1");
        assert_eq!(mixed.settings[3], "sql_mode = 'IGNORE_SPACE'");
    }
}

//! What an upgrade sends that is none of its work: looks at the schema, driver chatter, pings.

use super::scan::{Part, Quotes, first_words, parts};

/// What logs tell beside statements, as it is counted: none of it is missing from a capture.
pub mod chatter {
    /// Prepared statements in general and slow logs.
    pub const PREPARED: &str = "prepared (counted when it is executed)";
    /// SQL's own way to prepare.
    pub const AS_SQL: &str = "PREPARE, EXECUTE, DEALLOCATE as SQL (counted by what they run)";
    /// Close, reset, fetch, long data.
    pub const HANDLING: &str = "the handling of prepared statements";
    /// Commands that ask nothing of tables.
    pub const PINGS: &str = "pings and looks (Ping, Statistics, Field List)";
    /// A binary log's bookkeeping.
    pub const ROWS: &str = "row changes (their statement is in the log)";
    /// All of them.
    pub const ALL: [&str; 5] = [PREPARED, AS_SQL, HANDLING, PINGS, ROWS];
}

/// Why a statement is noise, in the words it is counted by; none for what belongs to the upgrade. Nothing that could change
/// anything, or take a lock that others meet, is noise.
pub fn noise(text: &[u8]) -> Option<&'static str> {
    let [verb] = first_words::<1>(text);
    match verb.as_bytes() {
        b"" => Some("comments and empty statements"),
        b"SHOW" | b"DESC" | b"DESCRIBE" | b"EXPLAIN" | b"HELP" => {
            // EXPLAIN ANALYZE, and MariaDB's ANALYZE, run what they explain.
            let [_, second] = first_words::<2>(text);
            (second != "ANALYZE").then_some("schema checks (SHOW, DESCRIBE, EXPLAIN)")
        }
        b"SELECT" => select(text),
        _ => None,
    }
}

/// The server's own databases.
const CATALOGUES: [&str; 4] = ["information_schema", "performance_schema", "mysql", "sys"];

/// Functions that tell of the session or the server and do nothing.
const HARMLESS: [&str; 12] = [
    "version",
    "database",
    "schema",
    "user",
    "current_user",
    "session_user",
    "connection_id",
    "now",
    "count",
    "concat",
    "unix_timestamp",
    "last_insert_id",
];

fn select(text: &[u8]) -> Option<&'static str> {
    // Longer ones read the application's tables, or the catalogue in a way that is worth a look.
    if text.len() > 16 * 1024 {
        return None;
    }
    let words = words(text);
    let holds = |word: &str| words.iter().any(|known| is(known, word));
    if holds("into") || holds(":=") || (holds("for") && holds("update")) {
        return None;
    }
    let (mut any, mut all) = (false, true);
    for (at, word) in words.iter().enumerate() {
        let source = words.get(at + 1).copied().unwrap_or_default();
        if (is(word, "from") || is(word, "join")) && source != b"(" {
            any = true;
            all &= words.get(at + 2) == Some(&&b"."[..]) && CATALOGUES.iter().any(|name| is(source, name));
        }
    }
    if !any {
        let calls = words.windows(2).filter(|pair| pair[1] == b"(").map(|pair| pair[0]);
        let harmless = calls
            .filter(|name| {
                name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80)
            })
            .all(|name| ["select", "and", "or", "in"].iter().chain(&HARMLESS).any(|known| is(name, known)));
        return harmless.then_some("driver chatter (SELECT of variables and constants)");
    }
    (all && !lists_tables(&words)).then_some("schema checks (information_schema)")
}

/// The same word, in any case.
fn is(word: &[u8], known: &str) -> bool {
    word.eq_ignore_ascii_case(known.as_bytes())
}

/// True when a FROM names tables with a comma between them.
fn lists_tables(words: &[&[u8]]) -> bool {
    const ENDS: [&str; 7] = ["where", "on", "group", "order", "limit", "having", "union"];
    let (mut depth, mut in_from) = (0, Vec::new());
    for word in words {
        match *word {
            b"(" => depth += 1,
            b")" => {
                in_from.retain(|from| *from < depth);
                depth -= 1;
            }
            b"," if in_from.contains(&depth) => return true,
            word if is(word, "from") => in_from.push(depth),
            word if ENDS.iter().any(|end| is(word, end)) => in_from.retain(|from| *from != depth),
            _ => {}
        }
    }
    false
}

/// Words, names without their quotes, and the signs that matter.
fn words(text: &[u8]) -> Vec<&[u8]> {
    let mut found: Vec<&[u8]> = Vec::with_capacity(32);
    for (part, range) in parts(text, Quotes::default()) {
        let bytes = &text[range];
        match part {
            Part::Name => found.push(&bytes[1..bytes.len() - 1]),
            Part::Literal => found.push(b"'"),
            Part::Comment => {}
            // Nobody knows what it would have been: told apart by a word that no statement has.
            Part::Open => found.push(b"into"),
            Part::Code => {
                let mut at = 0;
                while at < bytes.len() {
                    let word =
                        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@') || *byte >= 0x80;
                    let length = bytes[at..].iter().take_while(|byte| word(byte)).count();
                    if length > 0 {
                        found.push(&bytes[at..at + length]);
                        at += length;
                        continue;
                    }
                    match bytes[at] {
                        b':' if bytes.get(at + 1) == Some(&b'=') => found.push(b":="),
                        b'(' | b')' | b'.' | b',' => found.push(&bytes[at..=at]),
                        _ => {}
                    }
                    at += 1;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_the_schema_and_chatter_are_noise() {
        for text in [
            "SHOW TABLES",
            "show full columns from `t`",
            "DESCRIBE t",
            "EXPLAIN SELECT 1",
            "SELECT @@version_comment LIMIT 1",
            "select 1",
            "SELECT DATABASE()",
            "SELECT VERSION(), @@sql_mode",
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'a, b'",
            "select * from `information_schema`.`columns` c join information_schema.tables t on 1",
            "SELECT COUNT(*) FROM (SELECT 1 FROM information_schema.TABLES) x",
            "",
        ] {
            assert!(noise(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn what_works_or_locks_is_none() {
        for text in [
            "SELECT * FROM t",
            "SELECT GET_LOCK('a', 10)",
            "SELECT SLEEP(1)",
            "SELECT 1 INTO @a",
            "SELECT @a := 5",
            "SELECT * FROM t FOR UPDATE",
            "SELECT 1 FROM information_schema.tables, app.t",
            "SELECT f.x FROM information_schema.tables f JOIN t",
            "SELECT my_function()",
            "EXPLAIN ANALYZE SELECT 1",
            "SET NAMES utf8mb4",
            "UPDATE t SET a = 1",
            "ANALYZE TABLE t",
        ] {
            assert_eq!(noise(text.as_bytes()), None, "{text}");
        }
    }
}

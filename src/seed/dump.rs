//! A dump of `mysqldump` or `mariadb-dump` onto a server, plain or packed, statement by statement.
//!
//! A `USE` or `CREATE DATABASE` in the dump is obeyed; a dump without one fills the database that was named. What would
//! change the server instead of its data is left out: GTID state, the binary log's switch, replication. A `DEFINER` that the
//! server lacks is created, locked, with all rights, so that views and triggers work.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};

use crate::problem::BadInput;
use crate::progress::{Progress, Unit};
use crate::sandbox::Instance;
use crate::server::session::Writer;
use crate::sql::split::{Piece, Splitter};

use super::dump_text::DumpText;
use super::schema::create_definer;
use super::session::{self, Opened};
use super::standing::Standing;

/// Loads a dump: `.sql`, or packed by gzip or zstd (its first bytes tell).
///
/// # Errors
/// A file that cannot be read or unpacked; a statement that the server refuses, with the file and line.
pub fn load(instance: &Instance, path: &Path, database: &str, progress: &dyn Progress) -> Result<()> {
    let shown = path.display().to_string();
    let cannot = || BadInput::new(format!("cannot read the dump {shown}"));
    let file = File::open(path).with_context(cannot)?;
    let size = file.metadata().with_context(cannot)?.len();
    let read = Arc::new(AtomicU64::new(0));
    let counted = BufReader::with_capacity(1 << 18, Counted { file, read: Arc::clone(&read) });
    let text = DumpText::new(unpacked(counted).with_context(cannot)?);
    progress.stage(&format!("loading {shown}"), Unit::Bytes, Some(size));

    let mut opened = Opened::new(instance, progress)?;
    opened.set("max_allowed_packet", 1 << 30)?;
    let mut writer = session::open(instance)?;
    let standing =
        Standing::make(&mut writer, database).with_context(|| format!("cannot create the database {database}"))?;
    let mut target = Target { instance, writer, standing, definers: BTreeSet::new() };
    let mut splitter = Splitter::new(text, &shown);
    while let Some(piece) = splitter.next_piece()? {
        progress.check()?;
        match piece {
            Piece::Source { file, line } => bail!("{shown}:{line}: a dump cannot source another file ({file})"),
            Piece::Statement(statement) => target.run(&statement.text).with_context(|| {
                format!("{shown}:{}: cannot load the dump: {}", statement.line, head(&statement.text))
            })?,
        }
        progress.at(read.load(Ordering::Relaxed));
    }
    drop(target);
    opened.finish()
}

struct Target<'a> {
    instance: &'a Instance,
    writer: Writer,
    standing: Standing,
    definers: BTreeSet<String>,
}

impl Target<'_> {
    fn run(&mut self, statement: &str) -> Result<()> {
        if is_server_business(statement) {
            return Ok(());
        }
        if let Some(account) = super::schema::definer(leading(statement))
            && self.definers.insert(account.clone())
        {
            // On a session of its own: the dump may hold tables locked, and an account is its own transaction.
            create_definer(&mut session::open(self.instance)?, &account)?;
        }
        self.standing.run(&mut self.writer, statement)?;
        Ok(())
    }
}

/// The first characters of a statement, where its verb and its definer stand.
fn leading(statement: &str) -> &str {
    statement.char_indices().nth(400).map_or(statement, |(end, _)| &statement[..end])
}

fn head(statement: &str) -> String {
    let line = leading(statement).lines().next().unwrap_or_default();
    line.char_indices().nth(80).map_or_else(|| line.to_owned(), |(end, _)| format!("{}…", &line[..end]))
}

/// What a dump says to the server instead of to its databases.
fn is_server_business(statement: &str) -> bool {
    let mut text = leading(statement).to_ascii_uppercase();
    if let Some(rest) = text.strip_prefix("/*") {
        text = rest.trim_start_matches(|c: char| c == '!' || c == 'M' || c.is_ascii_digit()).trim_start().to_owned();
    }
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sets = words.starts_with("SET ");
    // The sandbox mode of MariaDB's client is a comment to its server and a syntax error to MySQL's.
    words.starts_with("\\- ENABLE THE SANDBOX MODE")
        || (sets
            && (words.contains("GTID_PURGED") || words.contains("SQL_LOG_BIN") || words.contains("GTID_SLAVE_POS")))
        || (sets && words.contains("@MYSQLDUMP_TEMP_LOG_BIN"))
        || ["CHANGE MASTER ", "CHANGE REPLICATION ", "START SLAVE", "START REPLICA", "STOP SLAVE", "STOP REPLICA"]
            .iter()
            .any(|verb| words.starts_with(verb))
}

/// Counts what was read of the file, packed or not.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(out)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

fn unpacked<R: BufRead + 'static>(mut input: R) -> std::io::Result<Box<dyn BufRead>> {
    let start = input.fill_buf()?;
    Ok(match start {
        [0x1F, 0x8B, ..] => Box::new(BufReader::with_capacity(1 << 18, flate2::bufread::MultiGzDecoder::new(input))),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            Box::new(BufReader::with_capacity(1 << 18, zstd::stream::read::Decoder::with_buffer(input)?))
        }
        _ => Box::new(input),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_concerns_the_server_is_left_out() {
        for statement in [
            "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '9d1-1:5'",
            "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN",
            "SET @@SESSION.SQL_LOG_BIN= 0",
            "SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN",
            "/*M!999999\\- enable the sandbox mode */",
            "CHANGE MASTER TO MASTER_LOG_FILE='x'",
            "SET GLOBAL gtid_slave_pos='0-1-2'",
        ] {
            assert!(is_server_business(statement), "{statement}");
        }
        for statement in [
            "/*!40101 SET NAMES utf8mb4 */",
            "/*!50003 SET sql_mode = 'STRICT_TRANS_TABLES' */",
            "INSERT INTO t VALUES ('SET SQL_LOG_BIN')",
            "CREATE TABLE t (start int)",
        ] {
            assert!(!is_server_business(statement), "{statement}");
        }
    }

    #[test]
    fn packed_dumps_are_unpacked_by_their_first_bytes() {
        let content = b"INSERT INTO t VALUES (1);\n".repeat(1000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&content).expect("memory");
        let packed =
            [content.clone(), gzip.finish().expect("memory"), zstd::encode_all(&content[..], 1).expect("memory")];
        for bytes in packed {
            let mut text = Vec::new();
            let mut reader = unpacked(std::io::Cursor::new(bytes)).expect("memory");
            reader.read_to_end(&mut text).expect("memory");
            assert!(text == content);
        }
    }
}

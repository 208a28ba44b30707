//! What the targets share: a capture file that can be read afterwards, and what must hold of every one.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use mysql_rehearsal::capture::file::{CaptureFile, Header, Options};
use mysql_rehearsal::capture::record::Listener;
use mysql_rehearsal::sql::digest::short_hex;
use mysql_rehearsal::sql::script::fuzzing::pieces;
use mysql_rehearsal::sql::script::{self, Script};
use mysql_rehearsal::sql::split::Piece;
use sha2::{Digest as _, Sha256};

/// A stream whose bytes can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a script is read.
pub fn options() -> script::Options {
    let flavor = "mysql:9.7".parse().expect("a flavor");
    script::Options { variables: BTreeMap::new(), database: "app".to_owned(), flavor }
}

/// Writes a capture of what `tell` tells, and holds it to what every capture is: UTF-8 that reads back to the same statements.
///
/// # Panics
/// Where it is not.
pub fn captured(options_of: Options, tell: impl FnOnce(Arc<dyn Listener>)) {
    let shared = Shared::default();
    let stream = Box::new(shared.clone());
    let file = Arc::new(CaptureFile::to_stream(stream, &Header::default(), options_of).expect("a capture"));
    tell(Arc::<CaptureFile>::clone(&file));
    let file = Arc::into_inner(file).expect("nobody listens any more");
    let summary = file.finish().expect("an end");
    let _page = summary.page("fuzz", &[]);
    let bytes = std::mem::take(&mut *shared.0.lock().unwrap_or_else(PoisonError::into_inner));
    let text = String::from_utf8(bytes).expect("a capture is UTF-8");
    assert_eq!(digest(text.as_bytes()), summary.digest, "a capture reads back to something else:\n{text}");
    let script = Script::from_text("capture.sql", &text, options());
    // A statement of an application may hold what looks like an unfilled placeholder: that is said, and is no fault.
    let _whole = script.actions().expect("a text").all(|action| action.is_ok());
}

/// As `Script::digest` counts it, but for executed comments of other servers: they stand in the file, and a reader for this
/// server has nothing of them.
fn digest(capture: &[u8]) -> String {
    let (pieces, error) = pieces(capture, &BTreeMap::new(), 1 << 18);
    let text = String::from_utf8_lossy(capture);
    assert_eq!(error, None, "a capture does not read back:\n{text}");
    let (mut hash, mut session) = (Sha256::new(), 1u32);
    for piece in pieces {
        let Piece::Statement(piece) = piece else { panic!("a capture asks for another file: {piece:?}\n{text}") };
        for remark in &piece.remarks {
            session = remark.text.strip_prefix("session ").and_then(|number| number.parse().ok()).unwrap_or(session);
        }
        hash.update(session.to_le_bytes());
        hash.update((piece.text.len() as u64).to_le_bytes());
        hash.update(piece.text.as_bytes());
    }
    short_hex(&hash.finalize())
}

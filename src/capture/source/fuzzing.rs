//! The way in for `fuzz/`: a log's bytes, read as those of a file are. Built for fuzzing alone; no part of the interface.

use std::io::Cursor;

use super::detect::{Guess, guess};
use super::{Input, Kind, Listener, Opened, Options, Result};
use crate::progress::Silent;

/// Tells the listener what `bytes` hold, read as `kind`, or as what they look like. False for what no reader of lines takes.
///
/// # Errors
/// The listener's.
pub fn read(kind: Option<Kind>, bytes: &[u8], options: Options, listener: &dyn Listener) -> Result<bool> {
    let kind = match (kind, guess(bytes)) {
        (Some(kind), _) | (None, Guess::Kind(kind)) => kind,
        (None, Guess::Refused(_)) => return Ok(false),
    };
    // SQL has a reader of its own (`sql::script`), and a raw binary log is the vendor's tool's.
    if matches!(kind, Kind::Sql | Kind::RawBinlog) {
        return Ok(false);
    }
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    let input = Input {
        reader,
        name: "log".to_owned(),
        read: Default::default(),
        size: Some(bytes.len() as u64),
        packed: false,
        tool: None,
    };
    let opened = Opened { kind, path: "log".into(), input: Some(input), options, laid_down: None };
    opened.read(listener, &Silent).map(|()| true)
}

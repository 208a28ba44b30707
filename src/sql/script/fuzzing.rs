//! The way in for `fuzz/`: what of a file's bytes runs, cut into statements, without a file. Built for fuzzing alone; no part of
//! the interface.

use std::collections::BTreeMap;
use std::io::Read;

use super::sections::Sections;
use crate::sql::placeholder::Substitute;
use crate::sql::split::{Piece, Splitter};

/// The pieces of what runs of `bytes`, and the error that they end with, however many are read at once. Of a SOURCE its name: it
/// is not followed.
pub fn pieces(bytes: &[u8], variables: &BTreeMap<String, String>, chunk: usize) -> (Vec<Piece>, Option<String>) {
    let reader: Box<dyn Read + '_> = match variables.is_empty() {
        true => Box::new(bytes),
        false => Box::new(Substitute::new(bytes, variables)),
    };
    let mut splitter = Splitter::new(Sections::new(reader), "script.sql").in_chunks(chunk);
    let mut pieces = Vec::new();
    loop {
        match splitter.next_piece() {
            Ok(Some(piece)) => pieces.push(piece),
            Ok(None) => return (pieces, None),
            Err(error) => return (pieces, Some(format!("{error:#}"))),
        }
    }
}

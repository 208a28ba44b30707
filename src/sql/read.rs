//! One statement's text, read as far as it can be.

use crate::server::flavor::Flavor;
use crate::sql::record::{Confidence, Effect, Kind, Reading};

/// Reads one statement; names without a database are of `database`.
pub fn read(text: &str, database: &str, flavor: Flavor) -> Reading {
    let _ = (text, database, flavor);
    Reading { kind: Kind::Opaque, effect: Effect::default(), confidence: Confidence::Unknown, why: None }
}

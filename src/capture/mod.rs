//! Where an upgrade's SQL comes from when nobody has it as a file.
//!
//! A source tells what it hears (`record`), and a [`file::CaptureFile`] writes it down as plain SQL: sessions numbered, noise
//! folded away, what cannot be sent again counted.

pub mod file;
pub mod live;
pub mod migration;
pub mod noise;
pub mod proxy;
pub mod record;
pub mod scan;
pub mod source;
pub mod summary;

//! Loads and saves the records that stages exchange; the only file that knows the YAML crate.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::{BadInput, nearest};

/// Reads a YAML file into a record.
///
/// # Errors
/// Names the file and, for a file that does not fit, the path in it and its line.
pub fn load_yaml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        anyhow::anyhow!("{}:{line}: not UTF-8; save the file as UTF-8", path.display())
    })?;
    parse_yaml(&text).with_context(|| format!("cannot use {}", path.display()))
}

/// Reads YAML text into a record.
///
/// # Errors
/// [`BadInput`]: the path in the document, its line, and for a key or a word that does not exist the nearest one that does.
pub fn parse_yaml<T: DeserializeOwned>(text: &str) -> Result<T> {
    let document = serde_yaml::Deserializer::from_str(text);
    serde_path_to_error::deserialize(document).map_err(|error| {
        let path = error.path().to_string();
        let what = with_nearest(&error.inner().to_string());
        let text = if path == "." { what } else { format!("at {path}: {what}") };
        anyhow::Error::new(BadInput::new(text))
    })
}

/// serde's words on a key or variant that does not exist list those that do; a person wants the one that was meant.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field `")
        || message.starts_with("unknown variant `")
        || message.contains(": unknown field `")
        || message.contains(": unknown variant `");
    match quoted.next().filter(|_| unknown).and_then(|given| nearest(given, quoted)) {
        Some(meant) => format!("{message}; did you mean `{meant}`?"),
        None => message.to_owned(),
    }
}

/// A record as YAML text.
///
/// # Errors
/// When the record cannot be written as YAML.
pub fn to_yaml<T: Serialize>(record: &T) -> Result<String> {
    serde_yaml::to_string(record).context("cannot write the record as YAML")
}

/// SHA-256 of a text, 64 hex digits: the identity of whatever the text says.
pub fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    let mut hex = String::with_capacity(64);
    for byte in sha2::Sha256::digest(text.as_bytes()) {
        let _ = std::fmt::Write::write_fmt(&mut hex, format_args!("{byte:02x}"));
    }
    hex
}

/// Writes a file whole or not at all: into a neighbour first, then renamed over it.
///
/// # Errors
/// Names the file; a full disk leaves the old one untouched.
pub fn write_whole(path: &Path, content: impl FnOnce(&mut dyn std::io::Write) -> Result<()>) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let fresh = tempfile::NamedTempFile::new_in(directory)
        .with_context(|| format!("cannot write into {}", directory.display()))?;
    let mut out = BufWriter::new(fresh);
    content(&mut out).with_context(|| format!("cannot write {}", path.display()))?;
    out.flush().with_context(|| format!("cannot write {}", path.display()))?;
    let fresh = out
        .into_inner()
        .map_err(|error| error.into_error())
        .with_context(|| format!("cannot write {}", path.display()))?;
    readable(fresh.as_file())?;
    fresh.persist(path).map_err(|error| error.error).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Temporary files are private; an artifact has the rights that any new file would have.
fn readable(file: &File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644)).context("cannot set the rights of a new file")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read into")]
        budget: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read into")]
        replica_lag: Option<u64>,
        #[expect(dead_code, reason = "only read into")]
        rows_per_statement: Option<u64>,
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_place_and_the_nearest_right_one() {
        let error = parse_yaml::<Outer>("budget:\n  replica_lagg: 3\n").expect_err("no such key");
        let text = format!("{error:#}");
        assert!(text.starts_with("at budget"), "{text}");
        assert!(text.contains("unknown field `replica_lagg`") && text.contains("line 2"), "{text}");
        assert!(text.ends_with("did you mean `replica_lag`?"), "{text}");
        assert!(crate::problem::is_bad_input(&error));
        let error = parse_yaml::<Outer>("budget:\n  zzz: 3\n").expect_err("no such key");
        assert!(!format!("{error:#}").contains("did you mean"), "{error:#}");
    }
}

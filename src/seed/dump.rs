//! A dump of `mysqldump` or `mariadb-dump` onto a server.

use std::path::Path;

use anyhow::Result;

use crate::progress::Progress;
use crate::sandbox::Instance;

/// Loads a dump.
///
/// # Errors
/// Names file and line.
pub fn load(_instance: &Instance, path: &Path, _database: &str, _progress: &dyn Progress) -> Result<()> {
    anyhow::bail!("cannot load {} yet", path.display())
}

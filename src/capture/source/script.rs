//! SQL that is there as files: a script, or the folder of a migration tool.

use std::path::Path;

use anyhow::{Result, anyhow, bail};

use crate::capture::record::{Dropped, Event, Heard, Listener};
use crate::problem::BadInput;
use crate::progress::Progress;
use crate::sql::record::Origin;
use crate::sql::script::{Options, Script};

/// Reads a file or a folder. `named` is what the person calls it.
///
/// # Errors
/// It cannot be read or cut into statements, the listener can take no more, or the person asked to stop.
pub fn read(
    path: &Path,
    named: &Path,
    options: Options,
    listener: &dyn Listener,
    progress: &dyn Progress,
) -> Result<()> {
    if path.join(".skeema").is_file() {
        let hint = "hint: Capture what `skeema diff` prints: `skeema diff production | rehearse capture -o upgrade.sql --from -`.";
        let what =
            format!("{} is a folder of Skeema: it holds the schema as it is to be, not the way there", path.display());
        bail!(anyhow!(hint).context(BadInput::new(what)));
    }
    let unusable = |error: anyhow::Error| error.context(BadInput::new(format!("cannot use {}", named.display())));
    let script = Script::from_files(&[path.to_owned()], options).map_err(unusable)?;
    for (file, why) in script.left_out() {
        let origin = Origin { file: file.display().to_string(), line: 1, column: 0 };
        listener.hear(Event::Dropped(Dropped { session: None, origin, why: (*why).to_owned() }))?;
    }
    for (count, action) in script.actions().map_err(unusable)?.enumerate() {
        if count.is_multiple_of(1024) {
            progress.at(count as u64);
            progress.check()?;
        }
        let mut statement = action.map_err(unusable)?.into_statement();
        if path != named && Path::new(&statement.origin.file) == path {
            statement.origin.file = named.display().to_string();
        }
        let name = statement.name.iter().map(|name| format!("name {name}"));
        let remarks = name.chain(statement.ignores.iter().map(ToString::to_string)).collect();
        listener.hear(Event::Heard(Heard {
            session: u64::from(statement.session),
            text: statement.text.into_bytes(),
            origin: statement.origin,
            remarks,
            ..Heard::default()
        }))?;
    }
    Ok(())
}

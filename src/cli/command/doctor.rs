//! `rehearse doctor`: what this machine can rehearse on, what earlier runs left behind, and what to do about each.

use std::fmt::Write as _;

use anyhow::Result;

use crate::cli::args::Doctor;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::progress::Teller;
use crate::quantity::bytes;
use crate::sandbox::engine::{Offer, survey_of_engines};
use crate::sandbox::lease;

/// Below this much free disk a store of a few gigabytes and its checkpoint do not fit.
const LITTLE_DISK: u64 = 10 << 30;

/// Below this much memory a server's buffer pool is small against production's.
const LITTLE_MEMORY: u64 = 2 << 30;

/// Prints what there is; with `--sweep`, removes first what killed runs left.
///
/// # Errors
/// When the machine cannot be asked. Nothing to rehearse on is exit code 3.
pub fn run(typed: &Doctor, teller: &Teller) -> Result<Exit> {
    let mut page = String::new();
    if typed.sweep {
        let swept = lease::sweep(teller)?;
        writeln!(
            page,
            "swept       {} containers, {} processes, {} directories of runs that were killed",
            swept.containers, swept.processes, swept.directories
        )?;
    }
    let offer = survey_of_engines()?;
    let usable = describe(&offer, &mut page)?;
    let left = lease::leftovers()?;
    if left > 0 {
        writeln!(page, "leftovers   of {left} runs that were killed: `rehearse doctor --sweep` removes them")?;
    } else {
        writeln!(page, "leftovers   none")?;
    }
    output::print(&page)?;
    Ok(if usable { Exit::Fine } else { Exit::Incomplete })
}

/// Writes a line for each thing that a sandbox needs; true when one can be had.
fn describe(offer: &Offer, page: &mut String) -> Result<bool> {
    match &offer.container_engine {
        Ok(version) => writeln!(page, "containers  an engine answers ({version})")?,
        Err(why) => {
            writeln!(page, "containers  none: {why}\n            Start a container engine, or use a server binary.")?
        }
    }
    for (image, flavor) in &offer.images {
        writeln!(page, "image       {image} ({flavor})")?;
    }
    if offer.container_engine.is_ok() && offer.images.is_empty() {
        writeln!(page, "image       none yet: `docker pull mysql:9.7`, or `fixtures/servers/get` in the source tree")?;
    }
    for (path, flavor) in &offer.binaries {
        writeln!(page, "binary      {} ({flavor})", path.display())?;
    }
    if offer.binaries.is_empty() {
        writeln!(
            page,
            "binary      none: install mysqld or mariadbd (Debian: mariadb-server-core) for --sandbox process"
        )?;
    }
    let cache = offer.cache.display();
    match offer.free_disk {
        Some(free) if free < LITTLE_DISK => writeln!(
            page,
            "disk        {} free at {cache}: little; a store takes production's size three times (REHEARSE_CACHE moves it)",
            bytes(free)
        )?,
        Some(free) => writeln!(page, "disk        {} free at {cache}", bytes(free))?,
        None => writeln!(page, "disk        free space at {cache} cannot be told")?,
    }
    let hint = if offer.memory < LITTLE_MEMORY { ": little; use --scale to rehearse on less" } else { "" };
    writeln!(page, "memory      {}{hint}", bytes(offer.memory))?;
    let usable = offer.container_engine.is_ok() && !offer.images.is_empty() || !offer.binaries.is_empty();
    if !usable {
        writeln!(page, "\nThere is nothing to rehearse on: get an image or a binary as said above.")?;
    }
    Ok(usable)
}

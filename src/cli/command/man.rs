//! `rehearse man`: the manual pages, made of the same arguments.

use anyhow::{Context, Result};
use clap::CommandFactory as _;

use crate::artifact;
use crate::cli::args::{Args, Man};
use crate::cli::exit::Exit;

/// Writes rehearse.1 and a page for each command.
///
/// # Errors
/// Names the file that cannot be written.
pub fn run(typed: &Man) -> Result<Exit> {
    let mut whole = Args::command();
    whole.build();
    let pages = std::iter::once(whole.clone()).chain(whole.get_subcommands().filter(|one| !one.is_hide_set()).cloned());
    for page in pages.filter(|page| page.get_name() != "help") {
        let name = page.get_display_name().unwrap_or(page.get_name()).to_owned();
        let file = typed.directory.join(format!("{name}.1"));
        let man = clap_mangen::Man::new(page).title(name.to_uppercase()).section("1");
        artifact::write_whole(&file, |mut out| Ok(man.render(&mut out)?))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(Exit::Fine)
}

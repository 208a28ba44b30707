//! `rehearse survey`: a server's shape into a file, read-only.

use std::path::Path;

use anyhow::{Context, Result};

use super::fleet;
use crate::artifact;
use crate::cli::args::Survey;
use crate::cli::exit::Exit;
use crate::cli::progress::Teller;
use crate::cli::{option_file, output};
use crate::progress::Progress as _;
use crate::quantity::grouped;
use crate::server::role::Role;
use crate::server::session;
use crate::survey::{file, read};

/// Takes the survey and saves it.
///
/// # Errors
/// A bad address is the person's; a server that does not answer is not.
pub fn run(typed: &Survey, teller: &Teller) -> Result<Exit> {
    let dsns = fleet::addresses(typed)?;
    let [dsn] = dsns.as_slice() else { return fleet::run(typed, &dsns, teller) };
    let address = option_file::address(dsn, typed.defaults_file.as_deref())?;
    let mut databases = typed.database.clone();
    if databases.is_empty() {
        databases.extend(address.database.clone());
    }
    let options = read::Options { databases, exact: typed.exact, statistics: true, values: !typed.no_values };
    let mut reader = session::read_only(&address, Role::Surveyor).context(option_file::HINT)?;
    let survey = read::survey(&mut reader, &options, teller)?;
    teller.finish();
    if typed.output == Path::new("-") {
        output::print(&artifact::to_yaml(&survey)?)?;
        return Ok(Exit::Fine);
    }
    file::save(&typed.output, &survey)?;
    for gap in &survey.gaps {
        teller.note(&format!("not read: {gap}"));
    }
    let rows = survey.tables.values().map(|table| table.rows).sum();
    let basis = if typed.exact { "" } else { " (the server's estimate)" };
    let tables = survey.tables.len();
    output::print(&format!("{}: {tables} tables, {} rows{basis}", typed.output.display(), grouped(rows)))?;
    Ok(Exit::Fine)
}

//! `report.html`: a rehearsal as one file that needs no network, for people.
//!
//! Records in, text out: the report, the folded time line ([`picture::Picture`]) and the plan. Rust draws and says
//! everything, so the page can be read, searched and printed as it is; its script only zooms, filters and remembers.
//! Every text of others is escaped by the template; the drawings hold numbers alone.

mod drawing;
mod marked;
mod page;
pub mod picture;
mod plan_view;
mod statement_view;
mod table_view;
mod ways_view;

use anyhow::{Context, Result};
use askama::Template as _;

use self::picture::Picture;
use super::record::Report;
use crate::plan::record::Plan;

/// How pages look.
pub(super) const STYLE: &str =
    concat!(include_str!("style.css"), include_str!("picture.css"), include_str!("narrow.css"));

/// The page.
///
/// # Errors
/// When the template cannot be filled: memory.
pub fn render(report: &Report, picture: &Picture, plan: Option<&Plan>) -> Result<String> {
    page::Page::of(report, picture, plan).render().context("cannot write the report as HTML")
}

#[cfg(test)]
mod tests;

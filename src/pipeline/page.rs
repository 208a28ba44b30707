//! `report.html` from what a directory holds: the report, the time line, the plan.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context, Result};

use crate::artifact;
use crate::plan::Plan;
use crate::report::html::{self, picture::Picture};
use crate::report::record::Report;
use crate::watch::record::Entry;

/// The page's file.
pub const PAGE: &str = "report.html";
/// What happened, a line each.
pub const TIMELINE: &str = "timeline.jsonl";

/// The page of a rehearsal that is known, with the time line of its directory, where there is one.
///
/// # Errors
/// Names the time line when it cannot be read.
pub fn render(report: &Report, directory: &Path, plan: Option<&Plan>) -> Result<String> {
    html::render(report, &picture(report, &directory.join(TIMELINE))?, plan)
}

/// The page of a directory, with its plan as it is now.
///
/// # Errors
/// Names the file that cannot be read.
pub fn of_directory(report: &Report, directory: &Path) -> Result<String> {
    let path = directory.join("plan.yaml");
    let plan: Option<Plan> = if path.exists() { Some(artifact::load_yaml(&path)?) } else { None };
    render(report, directory, plan.as_ref())
}

/// Reads a time line once, from its begin to its end: it may be long, the picture stays small.
fn picture(report: &Report, path: &Path) -> Result<Picture> {
    let mut picture = Picture::of(report);
    if !path.exists() {
        return Ok(picture);
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    for line in BufReader::new(file).split(b'\n') {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        match serde_json::from_slice::<Entry>(&line) {
            Ok(entry) => picture.add(entry),
            // A newer version's, or the last line of a run that was cut off.
            Err(_) => picture.strange += 1,
        }
    }
    picture.finish();
    Ok(picture)
}

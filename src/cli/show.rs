//! Shows a result in the forms that were asked for: one on the standard output, the others in files, annotations for
//! GitHub Actions on the standard error, where they mix with nothing that a program reads.

use std::io::{self, Write};

use anyhow::{Context, Result, anyhow};

use super::args::{Format, Formats};
use super::layers::variable;
use super::output;
use super::repository::Repository;
use crate::advise::explain::{explain, ids};
use crate::artifact;
use crate::problem::BadInput;
use crate::report::issues::Issues;
use crate::report::{annotations, code_quality, junit, sarif, text};

/// How a text is to look.
#[derive(Clone, Copy)]
pub struct Look {
    /// With colours.
    pub colour: bool,
    /// Characters of a line.
    pub width: u16,
}

impl Look {
    /// For the standard output as it is.
    pub fn of_terminal() -> Self {
        Self { colour: output::colour(), width: text::terminal_width().unwrap_or(text::WIDTH) }
    }

    /// For a file.
    pub const FILE: Self = Self { colour: false, width: text::WIDTH };
}

/// A result that can be shown in every form.
pub trait Shown {
    /// As text, JSON, markdown or a page.
    ///
    /// # Errors
    /// When it cannot be written in this form.
    fn own(&self, format: Format, look: Look) -> Result<String>;

    /// What other programs read.
    fn issues(&self) -> Issues;

    /// It was judged to its end.
    fn complete(&self) -> bool {
        true
    }
}

/// Refuses forms that cannot go together, before anything is done.
///
/// # Errors
/// A [`BadInput`].
pub fn can_show(formats: &Formats) -> Result<Format> {
    formats
        .printed()
        .map_err(|why| anyhow!("hint: Give one of them a file: --format json=report.json.").context(BadInput::new(why)))
}

/// Shows a result in all its forms; `printed` is false where the standard output has its form already.
///
/// # Errors
/// When a file or the standard output cannot be written.
pub fn show(result: &dyn Shown, formats: &Formats, printed: bool) -> Result<()> {
    let out = can_show(formats)?;
    for (format, file) in formats.written() {
        let rendered = render(result, format, Look::FILE)?;
        artifact::write_whole(file, |out| Ok(out.write_all(rendered.as_bytes())?))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if printed {
        output::print(&render(result, out, Look::of_terminal())?)?;
    }
    let asked = out == Format::Github || formats.written().any(|(format, _)| format == Format::Github);
    if on_github() && !formats.no_annotations && !asked {
        let rendered = render(result, Format::Github, Look::FILE)?;
        io::stderr().lock().write_all(rendered.as_bytes()).context("cannot write annotations to the standard error")?;
    }
    Ok(())
}

/// Under GitHub Actions (docs.github.com, "Default environment variables").
pub fn on_github() -> bool {
    variable("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

fn render(result: &dyn Shown, format: Format, look: Look) -> Result<String> {
    let issues = || {
        let (mut issues, repository) = (result.issues(), Repository::here());
        issues.rename(|file| repository.name(file));
        issues
    };
    Ok(match format {
        Format::Text | Format::Json | Format::Markdown | Format::Html => result.own(format, look)?,
        Format::Sarif => sarif::render(&issues(), &manual(), result.complete()),
        Format::Github => annotations::render(&issues()),
        Format::Gitlab => code_quality::render(&issues()),
        Format::Junit => junit::render(&issues())?,
    })
}

/// The manual, as SARIF shows it beside a finding.
fn manual() -> Vec<sarif::RuleWords> {
    let page = |id| explain(id).map(|page| (page.id, page.what, format!("{}\n\n{}", page.why, page.instead)));
    ids().filter_map(page).collect()
}

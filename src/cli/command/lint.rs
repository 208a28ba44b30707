//! `rehearse lint`: SQL judged by its text, without a server.

use std::io::{self, BufWriter, StdoutLock, Write};

use anyhow::{Context, Result, bail};

use crate::advise::record::{LintSummary, Located};
use crate::cli::args::{Format, Lint};
use crate::cli::exit::Exit;
use crate::cli::lint_settings::resolve;
use crate::cli::output;
use crate::cli::progress::Teller;
use crate::cli::show::{Look, Shown, can_show, on_github, show};
use crate::pipeline::lint::{Listener, ground, lint};
use crate::pipeline::settings::FailOn;
use crate::problem::BadInput;
use crate::report::issues::Issues;
use crate::report::{lint as render, lint_markdown};
use crate::sql::record::Statement;

/// Lints, prints findings as they come, and exits by the worst.
///
/// # Errors
/// A [`BadInput`](crate::problem::BadInput) with file and line for what cannot be read.
pub fn run(typed: &Lint, teller: &Teller) -> Result<Exit> {
    let printed = can_show(&typed.verdict.show)?;
    if typed.verdict.show.asks(Format::Html) {
        bail!(BadInput::new("html is the page of a rehearsal, and a lint has none: there is markdown"));
    }
    let (settings, shown) = resolve(typed)?;
    if typed.verdict.show_config {
        output::print(&shown)?;
        return Ok(Exit::Fine);
    }
    let ground = ground(&settings)?;
    let server = ground.flavor.to_string();
    let mut stream = match printed {
        Format::Text | Format::Json => Some(Stream::new(printed, &server)),
        _ => None,
    };
    // What is only streamed is not kept: memory stays flat.
    let on_github = on_github() && !typed.verdict.show.no_annotations;
    let kept = (stream.is_none() || typed.verdict.show.written().next().is_some() || on_github).then(Linted::default);
    let mut desk = Desk { stream: stream.as_mut(), kept, fails: false, fail_on: settings.fail_on };
    let summary = lint(&settings, &ground, teller, &mut desk)?;
    let Desk { kept, fails, .. } = desk;
    let streamed = stream.is_some();
    if let Some(stream) = stream {
        stream.end(&summary)?;
    }
    if let Some(mut kept) = kept {
        let name = |path: &std::path::PathBuf| path.display().to_string();
        kept.issues.name = settings.paths.iter().map(name).collect::<Vec<_>>().join(" ");
        kept.issues.fail_from = settings.fail_on.from_severity();
        kept.issues.lacks(&summary);
        (kept.summary, kept.server, kept.fails) = (summary, server, fails);
        show(&kept, &typed.verdict.show, !streamed)?;
    }
    Ok(if fails { Exit::Findings } else { Exit::Fine })
}

/// Takes findings in while the script is read.
struct Desk<'a, 'b> {
    stream: Option<&'a mut Stream<'b>>,
    kept: Option<Linted>,
    fails: bool,
    fail_on: FailOn,
}

impl Listener for Desk<'_, '_> {
    fn read(&mut self, statement: &Statement) {
        if let Some(kept) = &mut self.kept {
            kept.issues.read(statement);
        }
    }

    fn found(&mut self, told: Vec<Located>) -> Result<()> {
        for located in told {
            self.fails |= self.fail_on.fails(located.finding.severity);
            if let Some(stream) = &mut self.stream {
                stream.tell(&located)?;
            }
            if let Some(kept) = &mut self.kept {
                kept.issues.add(&located);
                kept.located.push(located);
            }
        }
        Ok(())
    }
}

/// The standard output, which gets findings as they come.
struct Stream<'a> {
    out: BufWriter<StdoutLock<'static>>,
    format: Format,
    server: &'a str,
    look: Look,
    first: bool,
    fold: render::Fold,
}

impl<'a> Stream<'a> {
    fn new(format: Format, server: &'a str) -> Self {
        let out = BufWriter::new(io::stdout().lock());
        Self { out, format, server, look: Look::of_terminal(), first: true, fold: render::Fold::default() }
    }

    fn tell(&mut self, located: &Located) -> Result<()> {
        if self.format == Format::Text && !self.fold.shows(&located.finding) {
            return Ok(());
        }
        let rendered = one(self.format, self.server, located, self.first, self.look);
        self.first = false;
        self.out.write_all(rendered.as_bytes()).context("cannot write to the standard output")
    }

    fn end(mut self, summary: &LintSummary) -> Result<()> {
        let end = self.fold.rest() + &tail(self.format, self.server, summary, self.first, self.look);
        let written = self.out.write_all(end.as_bytes()).and_then(|()| self.out.flush());
        written.context("cannot write to the standard output")
    }
}

fn one(format: Format, server: &str, located: &Located, first: bool, look: Look) -> String {
    match format {
        Format::Json if first => render::json_head(server) + &render::json(located, true),
        Format::Json => render::json(located, false),
        _ => render::text(located, look.colour, look.width),
    }
}

fn tail(format: Format, server: &str, summary: &LintSummary, first: bool, look: Look) -> String {
    match format {
        Format::Json if first => render::json_head(server) + &render::json_tail(summary),
        Format::Json => render::json_tail(summary),
        _ => render::text_summary(summary, server, look.width),
    }
}

/// A lint that was kept, for forms that cannot be streamed.
#[derive(Default)]
struct Linted {
    located: Vec<Located>,
    issues: Issues,
    summary: LintSummary,
    server: String,
    fails: bool,
}

impl Shown for Linted {
    fn own(&self, format: Format, look: Look) -> Result<String> {
        if format == Format::Markdown {
            let sum = render::sum(&self.summary, &self.server);
            return Ok(lint_markdown::render(&self.issues, !self.fails, sum.trim_end()));
        }
        let mut fold = render::Fold::default();
        let told = self.located.iter().filter(|told| format != Format::Text || fold.shows(&told.finding)).enumerate();
        let told: String = told.map(|(at, one_of)| one(format, &self.server, one_of, at == 0, look)).collect();
        Ok(told + &fold.rest() + &tail(format, &self.server, &self.summary, self.located.is_empty(), look))
    }

    fn issues(&self) -> Issues {
        self.issues.clone()
    }
}

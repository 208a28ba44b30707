//! `rehearse capture`: the SQL of an upgrade into one file.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};

use crate::capture::file::{CaptureFile, Header, Options};
use crate::capture::source::{self, Opened, Source};
use crate::cli::args::{Capture, Run};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::progress::Teller;
use crate::cli::settings::resolve;
use crate::pipeline::settings::Upgrade;
use crate::pipeline::{DEFAULT_FLAVOR, live};
use crate::problem::BadInput;
use crate::progress::{Interrupted, Progress as _};
use crate::sql::script;

/// Rows of a table that a command finds unless somebody says how many: small tables whole, of large ones enough for a loop to
/// show itself.
const ENOUGH: u64 = 10_000;

/// Reads the sources, writes the capture, and says what it holds.
///
/// # Errors
/// A source that cannot be read or is none; a file that cannot be written.
pub fn run(typed: &Capture, teller: &Teller) -> Result<ExitCode> {
    if !typed.live.command.is_empty() {
        return command(typed, teller);
    }
    // All are looked at before anything is written.
    let opened = typed.from.iter().map(|path| open(path, typed)).collect::<Result<Vec<_>>>()?;
    let mut untold: Vec<&str> = Vec::new();
    for source in &opened {
        untold.extend(source.kind().untold().iter().filter(|what| !untold.contains(what)).collect::<Vec<_>>());
    }
    let header = Header {
        source: opened.iter().map(Opened::words).collect::<Vec<_>>().join(", "),
        flavor: typed.production.server,
        untold: untold.iter().map(|what| (*what).to_owned()).collect(),
    };
    let options = Options { keep_noise: typed.keep_noise, mask: typed.mask };
    let streams = typed.output == Path::new("-");
    let file = if streams {
        CaptureFile::to_stream(Box::new(io::BufWriter::new(io::stdout())), &header, options)?
    } else {
        CaptureFile::create(&typed.output, &header, options)?
    };
    let mut read = Ok(());
    for source in opened {
        read = source.read(&file, teller);
        if read.is_err() {
            break;
        }
    }
    // What was read so far is kept, also when the person asked to stop.
    let summary = file.finish()?;
    teller.finish();
    read?;
    let page = summary.page(&format!("{}, from {}", typed.output.display(), header.source), &untold);
    if streams {
        page.lines().for_each(|line| teller.note(line));
    } else {
        output::print(&page)?;
    }
    if summary.kept.statements == 0 {
        let hint = "hint: What was folded away is kept with --keep-noise; --source KIND says what a source is.";
        bail!(anyhow!(hint).context(BadInput::new(format!("{} holds no statement of an upgrade", header.source))));
    }
    Ok(Exit::Fine.into())
}

/// Runs a command against a sandbox, and passes its exit code on.
fn command(typed: &Capture, teller: &Teller) -> Result<ExitCode> {
    if typed.output == Path::new("-") {
        bail!(
            anyhow!("hint: Name a file with -o: the standard output is the command's own.")
                .context(BadInput::new("a command's capture cannot go to the standard output"))
        );
    }
    let asked = Run {
        production: typed.production.clone(),
        data: typed.data.clone(),
        scale: typed.scale,
        place: typed.place.clone(),
        live: typed.live.clone(),
        ..Run::default()
    };
    let mut settings = resolve(&asked)?.settings;
    settings.production.at_most = typed.scale.is_none().then_some(ENOUGH);
    let Upgrade::Command(live) = &settings.upgrade else { bail!("no command was named") };
    let options = Options { keep_noise: typed.keep_noise, mask: typed.mask };
    let recorded = live::capture(&settings, live, &typed.output, options, teller)?;
    teller.finish();
    for line in live::told(&recorded, live) {
        teller.note(&line);
    }
    live::reached(&recorded, live)?;
    for line in recorded.summary.page(&typed.output.display().to_string(), &[]).lines() {
        teller.note(line);
    }
    if recorded.came.interrupted {
        return Err(Interrupted.into());
    }
    let refused = recorded.came.visits.iter().any(|visit| visit.status.is_none_or(|status| status >= 400));
    Ok(match recorded.came.code {
        Some(code) if code != 0 => code.into(),
        _ if refused => Exit::Findings.into(),
        _ => Exit::Fine.into(),
    })
}

fn open(path: &Path, typed: &Capture) -> Result<Opened> {
    source::open(&Source {
        path: path.to_owned(),
        kind: typed.source,
        options: script::Options {
            variables: typed.variables.iter().cloned().collect(),
            database: "app".to_owned(),
            flavor: typed.production.server.unwrap_or(DEFAULT_FLAVOR),
        },
    })
}

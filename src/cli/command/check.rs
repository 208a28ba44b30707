//! `rehearse check`: the gate for CI. Judges a branch's migrations by their text, rehearses those that matter, holds them to
//! the budget.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};

use crate::advise::gate::{self, About, Gate};
use crate::advise::record::{Finding, Place, Severity};
use crate::capture::migration::Framework;
use crate::cli::args::{Check as Args, Format, Lint, Run};
use crate::cli::exit::Exit;
use crate::cli::layers::variable;
use crate::cli::progress::Teller;
use crate::cli::show::{Look, Shown, can_show, show};
use crate::cli::{inputs, lint_settings, output, settings};
use crate::pipeline::check::print::Printers;
use crate::pipeline::check::{Branch, ByText, REHEARSE_FROM, close, collect, judge};
use crate::pipeline::{self, lint::ground, settings::FailOn};
use crate::problem::{BadInput, nearest};
use crate::report::check::{Check, Judged, SCHEMA_VERSION};
use crate::report::issues::Issues;
use crate::report::record::{Report, Tool, Verdict};
use crate::scenario::record::Scenario;

/// Checks, shows the result, and exits by the worst finding and the budget.
///
/// # Errors
/// What cannot be read or compared; a rehearsal that was needed and could not be made or completed.
pub fn run(typed: &Args, teller: &Teller) -> Result<Exit> {
    can_show(&typed.verdict.show)?;
    if typed.verdict.show.asks(Format::Html) {
        bail!(
            anyhow!("hint: A rehearsal writes its page into --out DIR as report.html.")
                .context(BadInput::new("a check as a whole has no page"))
        );
    }
    let mut lint = lint_settings::judging(&as_lint(typed))?;
    let scenario = lint.scenario.clone();
    if typed.verdict.show_config {
        output::print(&format!("{}# git-diff: {}\n", lint.shown, typed.git_diff.as_deref().unwrap_or("none")))?;
        return Ok(Exit::Fine);
    }
    let today = jiff::Zoned::now().date().to_string();
    let gate = Gate { allow: &lint.settings.allow, severity: &lint.settings.severity, today: &today };
    let paths = if typed.paths.is_empty() { &scenario.check.paths } else { &typed.paths };
    paths.iter().try_for_each(|path| inputs::file("the migrations", path))?;
    let ground = ground(&lint.settings)?;
    let printers = Printers { by: &scenario.check.print, folder: printed(typed), flavor: ground.flavor };
    can_print(&printers)?;
    let mut branch = collect(paths, typed.git_diff.as_deref(), &gate, &printers, teller)?;
    let mut by_text = {
        lint.settings.paths.clone_from(&branch.sql);
        let from = scenario.check.rehearse_from.map_or(REHEARSE_FROM, |count| count.0);
        let text = judge(&lint.settings, &ground, from, teller)?;
        (text, ground.flavor.to_string())
    };
    let gate = Gate { allow: &lint.settings.allow, severity: &lint.settings.severity, today: &today };
    count(&mut branch, &by_text.0, &gate);
    let mut rehearsal = None;
    if let Some(why) = wanted(typed, &branch, &by_text.0) {
        if has_production(typed, &scenario) && !typed.text_only {
            rehearsal = Some(rehearse(typed, &branch.new, teller)?);
        } else {
            unrehearsed(&mut branch, &why, typed.text_only, &gate);
        }
    }
    teller.finish();
    let fail_on = lint.settings.fail_on;
    let severity = &lint.settings.severity;
    let (report, failure) = rehearsal.map_or((None, None), |one| (Some(one.0), one.1));
    let complete = failure.is_none();
    let check = put_together(typed, branch, std::mem::take(&mut by_text.0), report, fail_on, severity, &by_text.1);
    show(&Checked { check: &check, complete }, &typed.verdict.show, true)?;
    if let Some(failure) = failure {
        return Err(failure.context("the rehearsal of the migrations was not completed"));
    }
    Ok(if check.verdict == Verdict::Fail && fail_on != FailOn::Never { Exit::Findings } else { Exit::Fine })
}

/// Where commands' SQL is put: beside what a rehearsal writes.
fn printed(typed: &Args) -> PathBuf {
    let out = typed.out.clone().or_else(|| variable("REHEARSE_OUT").map(PathBuf::from));
    let mut folder = out.unwrap_or("rehearsal".into()).into_os_string();
    folder.push(".printed");
    folder.into()
}

/// Commands are named for frameworks, or for folders that are there.
fn can_print(printers: &Printers<'_>) -> Result<()> {
    let strange = printers.by.keys().find(|whose| Framework::of_name(whose).is_none() && !Path::new(whose).is_dir());
    let Some(whose) = strange else { return Ok(()) };
    let name = Path::new(whose).file_name().map_or_else(|| whose.into(), |name| name.to_string_lossy());
    let hint = match nearest(&name, Framework::programs()) {
        Some(near) => format!("hint: Did you mean {near}?"),
        None => format!("hint: Name one of {}, or a folder.", Framework::programs().collect::<Vec<_>>().join(", ")),
    };
    bail!(anyhow!(hint).context(BadInput::new(format!("check.print: {whose} is no framework and no folder"))))
}

/// Files without a statement are findings; the others get their numbers.
fn count(branch: &mut Branch, text: &ByText, gate: &Gate<'_>) {
    for line in branch.lines.iter_mut().filter(|line| line.judged == Judged::ByText) {
        line.statements = text.statements.get(line.text()).copied().unwrap_or(0);
        // Of a program that is no SQL that is said already.
        let said = branch.findings.iter().any(|found| {
            found.rule == gate::NOT_SQL && found.place.as_ref().is_some_and(|place| place.file == line.file)
        });
        if line.statements == 0 && !said {
            let message = format!(
                "{} holds no statement that is carried out; take it out, or look whether its marks are spelt right",
                line.file
            );
            let about = About { file: Some(&line.file), ..About::default() };
            branch.findings.extend(gate.find(gate::EMPTY, Severity::Error, message, about));
        }
    }
}

/// Files to be rehearsed, and why; none when the texts are enough.
fn wanted(typed: &Args, branch: &Branch, text: &ByText) -> Option<Vec<(String, String)>> {
    let why = |path: &PathBuf| {
        let file = path.display().to_string();
        let asked = || typed.all.then(|| "--all".to_owned());
        let why = text.matters.get(&file).cloned().or_else(asked)?;
        text.statements.contains_key(&file).then_some((file, why))
    };
    let wanted: Vec<_> = branch.new.iter().filter_map(why).collect();
    (!wanted.is_empty()).then_some(wanted)
}

fn has_production(typed: &Args, scenario: &Scenario) -> bool {
    let production = &scenario.production;
    typed.production.schema.is_some()
        || typed.production.survey.is_some()
        || production.schema.is_some()
        || production.survey.is_some()
        || production.data.is_some()
}

/// Says of each file that matters that it was not rehearsed.
fn unrehearsed(branch: &mut Branch, why: &[(String, String)], by_choice: bool, gate: &Gate<'_>) {
    let cause = if by_choice { "--static was given" } else { "nobody says what production holds" };
    for (file, why) in why {
        let file = branch.migration_of(file).to_owned();
        let message = format!(
            "{file} was judged by its text alone, though {why}: {cause}; give --survey, or --schema with --rows"
        );
        let about = About { file: Some(&file), ..About::default() };
        // Whoever asks for the text alone knows it.
        let severity = if by_choice { Severity::Info } else { Severity::Warning };
        branch.findings.extend(gate.find(gate::UNREHEARSED, severity, message, about));
    }
}

/// Rehearses the new migrations, in order, as one upgrade: what it blocks, breaks and leaves.
fn rehearse(typed: &Args, new: &[PathBuf], teller: &Teller) -> Result<(Report, Option<Error>)> {
    let run = Run {
        paths: new.to_vec(),
        production: typed.production.clone(),
        scale: typed.scale,
        place: typed.place.clone(),
        variables: typed.variables.clone(),
        out: typed.out.clone(),
        verdict: typed.verdict.clone(),
        no_drills: true,
        ..Run::default()
    };
    let mut settings = settings::resolve(&run)?.settings;
    settings.whole = false;
    let outcome = pipeline::run(&settings, teller).context("the migrations that matter could not be rehearsed")?;
    Ok((outcome.report, outcome.failure))
}

fn as_lint(typed: &Args) -> Lint {
    Lint {
        production: typed.production.clone(),
        variables: typed.variables.clone(),
        verdict: typed.verdict.clone(),
        ..Lint::default()
    }
}

/// What was found of files, texts and the rehearsal, and what it comes to. Where statements were rehearsed the rehearsal's
/// findings stand in the stead of what their text told.
fn put_together(
    typed: &Args,
    mut branch: Branch,
    text: ByText,
    report: Option<Report>,
    fail_on: FailOn,
    severity: &BTreeMap<String, Severity>,
    server: &str,
) -> Check {
    let ran: BTreeSet<String> = match &report {
        Some(_) => branch.new.iter().map(|path| path.display().to_string()).collect(),
        None => BTreeSet::new(),
    };
    let mut located = text.located;
    located.retain(|one| !ran.contains(&one.spot.from.file));
    close(&mut located, severity, &ran);
    for line in branch.lines.iter_mut().filter(|line| ran.contains(line.text())) {
        let why = text.matters.get(line.text()).cloned();
        line.judged = Judged::Rehearsed(why.unwrap_or_else(|| "others of this branch have to be".to_owned()));
    }
    // Ids of the texts and of the rehearsal are counted each for itself.
    let own = |id: &str| if report.is_some() { format!("text-{id}") } else { id.to_owned() };
    for one in &mut located {
        one.finding.statement = one.finding.statement.as_deref().map(own);
    }
    let of_files = branch.findings.clone();
    let mut findings = branch.findings;
    findings.extend(located.iter().map(|one| Finding { place: Some(one.spot.place()), ..one.finding.clone() }));
    let printed = std::mem::take(&mut branch.printed);
    let mut issues = Issues { cases: text.issues.cases, ..Issues::default() };
    issues.cases.iter_mut().for_each(|case| case.id = own(&case.id));
    issues.issues.extend(findings.iter().map(Issues::of_finding));
    if let Some(report) = &report {
        let rehearsed = Issues::of_report(report, None);
        issues.cases.retain(|case| !ran.contains(&case.file));
        issues.cases.extend(rehearsed.cases);
        issues.issues.extend(rehearsed.issues);
        issues.budget = rehearsed.budget;
        issues.unchecked = rehearsed.unchecked;
        findings.extend(report.findings.iter().cloned());
    } else {
        issues.unchecked = text.issues.unchecked;
    }
    // Hosts know the migration, not what its command printed.
    findings.iter_mut().for_each(|finding| at_home(&mut finding.place, &mut finding.message, &printed));
    issues.issues.iter_mut().for_each(|issue| at_home(&mut issue.place, &mut issue.message, &printed));
    for case in &mut issues.cases {
        if let Some(migration) = printed.get(&case.file) {
            (case.file, case.line) = (migration.clone(), 1);
        }
    }
    let passed = branch.passed_over.iter().map(|file| format!("{file} was changed, and not taken for a migration"));
    issues.unchecked.splice(0..0, passed);
    issues.name = "migrations".to_owned();
    issues.fail_from = fail_on.from_severity();
    let broken = report.as_ref().is_some_and(|report| report.verdict == Verdict::Fail);
    // A limit of "never" speaks of the exit code; what is an error stays one.
    let from = fail_on.from_severity().unwrap_or(Severity::Error);
    let found = findings.iter().any(|finding| finding.severity >= from);
    Check {
        schema_version: SCHEMA_VERSION,
        verdict: if broken || found { Verdict::Fail } else { Verdict::Pass },
        tool: Tool { version: env!("CARGO_PKG_VERSION").to_owned() },
        server: server.to_owned(),
        since: typed.git_diff.clone(),
        migrations: branch.lines,
        findings,
        unchecked: issues.unchecked.clone(),
        rehearsal: report,
        issues,
        of_files,
        located,
    }
}

/// Sets what was found in a migration's printed SQL to the migration's first line, and says where in the SQL it is.
fn at_home(place: &mut Option<Place>, message: &mut String, printed: &BTreeMap<String, String>) {
    let Some(found) = place else { return };
    let Some(migration) = printed.get(&found.file) else { return };
    message.push_str(&format!(" (line {} of the SQL that it prints, {})", found.line, found.file));
    *found = Place { file: migration.clone(), line: 1, end_line: 1, ..Place::default() };
}

struct Checked<'a> {
    check: &'a Check,
    complete: bool,
}

impl Shown for Checked<'_> {
    fn own(&self, format: Format, look: Look) -> Result<String> {
        Ok(match format {
            Format::Markdown => self.check.markdown(),
            Format::Json => serde_json::to_string_pretty(self.check).context("cannot write the check as JSON")? + "\n",
            _ => self.check.text(look.colour, look.width),
        })
    }

    fn issues(&self) -> Issues {
        self.check.issues.clone()
    }

    fn complete(&self) -> bool {
        self.complete
    }
}

//! Gathers what the experiments showed, judges it, and writes the directory of the rehearsal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::Result;
use jiff::Timestamp;

use super::choices::Chosen;
use super::drills::{self, Drilled, Ground};
use super::output::{EVIDENCE, Output};
use super::page::{self, PAGE, TIMELINE};
use super::said;
use super::settings::Settings;
use super::stage::Stage;
use super::trials::Quiet;
use crate::advise::record::{Alternative, Findings, Trial, Unchecked};
use crate::advise::{self, choose, gate};
use crate::artifact;
use crate::plan::choice::NoChoice;
use crate::plan::evidence::Written;
use crate::plan::redraft::edits::Edits;
use crate::plan::{self, Plan, Said};
use crate::progress::Progress;
use crate::replay::record::{Drill, Observation, Rehearsal, TableChanges};
use crate::report;
use crate::report::record::{Environment, Experiment, Member, PlanReference, Report, Upgrade};
use crate::sql::record::{Kind, TableName};
use crate::sql::script::Script;
use crate::survey::record::Fingerprint;

/// What the experiments showed so far.
pub struct Gathered<'a> {
    settings: &'a Settings,
    started: Timestamp,
    upgrade: Upgrade,
    statements: BTreeMap<String, Said>,
    /// Before the upgrade.
    pub before: Option<Fingerprint>,
    /// Tables before and after.
    pub changes: TableChanges,
    /// The loud run.
    pub loud: Option<Rehearsal>,
    /// What the upgrade left, quietly run.
    pub final_state: Option<Fingerprint>,
    /// What nobody looked at.
    pub unchecked: Vec<Unchecked>,
    /// The plan, once it is drafted.
    pub plan: Option<Plan>,
    quiet: Vec<Observation>,
    trials: Vec<Trial>,
    untried: Vec<Alternative>,
    drills: Vec<Drill>,
    unhad: Vec<NoChoice>,
}

/// What a plan says of its rehearsal, in words and digests.
struct Words {
    rehearsed: String,
    schema_digest: String,
    not_carried: BTreeMap<String, String>,
}

impl<'a> Gathered<'a> {
    /// Begins with the upgrade's statements.
    ///
    /// # Errors
    /// When the script cannot be read.
    pub fn new(settings: &'a Settings, script: &Script, digest: String, started: Timestamp) -> Result<Self> {
        let said = said::of(script, &settings.production.database, &BTreeSet::new())?;
        Ok(Self {
            settings,
            started,
            upgrade: Upgrade { digest, statements: said.count },
            statements: said.statements,
            before: None,
            changes: TableChanges::new(),
            loud: None,
            final_state: None,
            unchecked: Vec::new(),
            plan: None,
            quiet: Vec::new(),
            trials: Vec::new(),
            untried: Vec::new(),
            drills: Vec::new(),
            unhad: Vec::new(),
        })
    }

    /// Everything is wanted, not only what a gate asks.
    pub fn is_whole(&self) -> bool {
        self.settings.whole
    }

    /// The ways that a person chose, by the ids of their statements.
    pub fn wanted(&self) -> BTreeMap<String, String> {
        let names = plan::choice::names(self.observed());
        let own = self.settings.choose.iter();
        own.filter(|(_, way)| *way != plan::choice::AS_WRITTEN)
            .filter_map(|(name, way)| Some((names.get(name)?.clone(), way.clone())))
            .collect()
    }

    /// Notes what will not be tried, and why.
    pub fn note_choices(&mut self, choices: &Chosen) {
        self.untried.extend(choices.refused.iter().cloned());
        let tools = choices.refused.iter().filter(|alternative| !alternative.commands.is_empty());
        self.unchecked.extend(tools.map(|alternative| Unchecked {
            rule: "trials".into(),
            statement: Some(alternative.statement.clone()),
            why: "the online copy tools were not rehearsed: gh-ost and Spirit read the binary log as a replica does, and \
                  pt-online-schema-change was not run"
                .into(),
        }));
        self.unchecked.extend(choices.left_out.iter().map(|id| Unchecked {
            rule: "trials".into(),
            statement: Some(id.clone()),
            why: "its alternatives were not tried: other statements were worse".into(),
        }));
    }

    /// Takes what the quiet pass showed, whole or broken off, and picks the alternatives that the plan takes.
    pub fn take_quiet(&mut self, quiet: Quiet) {
        self.quiet = quiet.observations;
        self.trials = quiet.trials;
        self.unchecked.extend(quiet.unchecked);
        self.final_state = quiet.final_state;
        let loud = self.loud.as_ref().map(|loud| loud.observations.as_slice()).unwrap_or_default();
        for original in loud {
            let id = &original.statement.id;
            let places: Vec<usize> =
                (0..self.trials.len()).filter(|at| self.trials[*at].alternative.statement == *id).collect();
            let own: Vec<Trial> = places.iter().map(|at| self.trials[*at].clone()).collect();
            let original = choose::with_others(original, &own, loud);
            if let Some(choice) = choose::choose(&own, &original, &self.settings.budget) {
                self.trials[places[choice.index]].chosen = true;
            }
        }
        let names = plan::choice::names(loud);
        self.unhad = plan::choice::force(&mut self.trials, &self.untried, &names, &self.settings.choose);
    }

    /// How much higher the chosen alternatives leave a table's AUTO_INCREMENT on purpose.
    pub fn counters_ahead(&self) -> BTreeMap<TableName, u64> {
        let chosen = self.trials.iter().filter(|trial| trial.chosen);
        chosen.flat_map(|trial| trial.alternative.counters_ahead.clone()).collect()
    }

    /// Rehearses what goes wrong, unless nobody wants it.
    ///
    /// # Errors
    /// When the sandbox cannot be brought back, or the person asked to stop; what ran until then is kept.
    pub fn drill(&mut self, stage: &mut Stage, script: &Script, progress: &dyn Progress) -> Result<()> {
        let Some(loud) = &self.loud else { return Ok(()) };
        if !self.settings.drills {
            self.unchecked.push(Unchecked {
                rule: "drills".into(),
                statement: None,
                why:
                    "what happens behind a held table, at a kill, after an interruption and to an old snapshot was not \
                      rehearsed: --no-drills was given"
                        .into(),
            });
            return Ok(());
        }
        let mut drilled = Drilled::default();
        let ground = Ground { script, statements: self.upgrade.statements, loud, quiet: &self.quiet };
        let outcome = drills::run(stage, self.settings, &ground, &mut drilled, progress);
        self.drills = drilled.drills;
        self.unchecked.extend(drilled.unchecked);
        outcome
    }

    /// Judges, and drafts the plan.
    ///
    /// # Errors
    /// When a destructive statement cannot be covered by a backup.
    pub fn judge(&mut self, stage: &Stage) -> Result<()> {
        let findings = self.findings(stage);
        if self.loud.is_none() {
            return Ok(());
        }
        let words = self.words(stage);
        let mut plan = plan::draft(&self.input(stage, &words, &findings))?;
        plan.blockers.extend(self.unhad.iter().map(|choice| {
            format!("{} was to be done by {}, and is not: {}", choice.statement, choice.way, choice.why)
        }));
        self.plan = Some(plan);
        Ok(())
    }

    /// What a plan says of its rehearsal.
    fn words(&self, stage: &Stage) -> Words {
        let schema: String = self
            .before
            .iter()
            .flat_map(|print| &print.tables)
            .map(|(name, table)| format!("{name}\n{}\n", table.definition))
            .collect();
        let not_carried = stage.sandbox.facts().not_carried.iter();
        Words {
            rehearsed: rehearsed(stage, self.started),
            schema_digest: artifact::sha256(&schema),
            not_carried: not_carried.map(|it| (it.name.clone(), it.why.clone())).collect(),
        }
    }

    /// What the plan is drafted from.
    fn input<'b>(&'b self, stage: &'b Stage, words: &'b Words, findings: &'b Findings) -> plan::Input<'b> {
        plan::Input {
            name: &self.settings.name,
            rehearsed: &words.rehearsed,
            flavor: stage.flavor(),
            version: &stage.sandbox.facts().version,
            scale: stage.scale,
            database: &stage.database,
            not_carried: &words.not_carried,
            upgrade_digest: &self.upgrade.digest,
            upgrade_statements: self.upgrade.statements,
            schema_digest: &words.schema_digest,
            survey: &stage.survey,
            changes: &self.changes,
            loud: self.observed(),
            quiet: &self.quiet,
            trials: &self.trials,
            drills: &self.drills,
            findings,
            statements: &self.statements,
        }
    }

    fn observed(&self) -> &[Observation] {
        self.loud.as_ref().map(|loud| loud.observations.as_slice()).unwrap_or_default()
    }

    fn findings(&self, stage: &Stage) -> Findings {
        let Some(loud) = &self.loud else { return Findings::default() };
        let today = jiff::Zoned::now().date().to_string();
        let mut findings = advise::judge(&advise::Case {
            survey: &stage.survey,
            changes: &self.changes,
            loud,
            quiet: &self.quiet,
            trials: &self.trials,
            drills: &self.drills,
            budget: &self.settings.budget,
            allow: &self.settings.allow,
            today: &today,
            flavor: stage.flavor(),
            severity: &self.settings.severity,
        });
        if !self.settings.whole {
            let not_carried = stage.sandbox.facts().not_carried.iter().map(|it| (it.name.as_str(), it.why.as_str()));
            findings.findings.extend(gate::uncarried(not_carried, &self.settings.gate(&today)));
        }
        findings.unchecked.extend(self.unchecked.iter().cloned());
        findings.unchecked.extend(stage.notes.iter().map(|note| Unchecked {
            rule: "seed".into(),
            statement: None,
            why: note.clone(),
        }));
        if !loud.observations.iter().any(|seen| seen.statement.reading.kind != Kind::Opaque)
            && loud.observations.is_empty()
        {
            let why = "the upgrade holds no statement: nothing was rehearsed".to_owned();
            findings.unchecked.push(Unchecked { rule: "replay".into(), statement: None, why });
        }
        findings
    }
}

/// `2026-11-20T19:00:00Z in a container of mysql:9.7.4, at scale 0.1`.
fn rehearsed(stage: &Stage, started: Timestamp) -> String {
    let facts = stage.sandbox.facts();
    let rows = if stage.scale == 1.0 { "all rows".to_owned() } else { format!("scale {}", stage.scale) };
    format!("{} on {} ({}), {rows}", started.strftime("%Y-%m-%d %H:%M UTC"), facts.flavor, facts.kind)
}

/// Judges what there is, makes the report and writes everything.
///
/// # Errors
/// When a file cannot be written; then no directory is there.
pub fn write(stage: &Stage, script: &Script, mut gathered: Gathered<'_>, output: Output) -> Result<(Report, PathBuf)> {
    let findings = gathered.findings(stage);
    if let Some(plan) = &mut gathered.plan {
        plan.blockers.sort();
    }
    if let Some(plan) = &gathered.plan {
        let (words, nobodys) = (gathered.words(stage), Edits::default());
        let input = gathered.input(stage, &words, &findings);
        output.json(EVIDENCE, &Written::of(&input, &gathered.untried, plan, &nobodys))?;
    }
    let Gathered { settings, started, upgrade, loud, quiet, trials, untried, drills, plan, changes, .. } = gathered;
    let Some(loud) = loud else { anyhow::bail!("nothing was run") };
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut name = |what: &str, file: &str| {
        files.insert(what.to_owned(), file.to_owned());
    };
    output.upgrade(script, &upgrade.digest)?;
    name("upgrade", "upgrade.sql");
    output.survey(&stage.survey)?;
    name("survey", "survey.yaml");
    if output.path(TIMELINE).exists() {
        name("timeline", TIMELINE);
    }
    let mut reference = None;
    if let Some(plan) = &plan {
        for (path, text) in plan::files(plan)? {
            output.text(&path, &text)?;
        }
        reference = Some(PlanReference { path: "plan.md".into(), digest: artifact::sha256(&artifact::to_yaml(plan)?) });
        name("plan", "plan.md");
        name("evidence", EVIDENCE);
    }
    name("summary", "summary.md");
    name("report", "report.json");
    name("page", PAGE);
    let report = report::build(&report::Input {
        name: &settings.name,
        about: &settings.about,
        started: &started.to_string(),
        tool_version: env!("CARGO_PKG_VERSION"),
        environment: environment(),
        scale: stage.scale,
        members: vec![member(stage)],
        upgrade,
        survey: &stage.survey,
        changes: &changes,
        loud: &loud,
        quiet: &quiet,
        trials: &trials,
        untried: &untried,
        drills: &drills,
        findings: &findings,
        fail_from: settings.fail_on.from_severity(),
        experiments: experiments(stage),
        plan: reference,
        files,
    });
    output.text("summary.md", &report::markdown::render(&report))?;
    output.text(PAGE, &page::render(&report, output.building(), plan.as_ref())?)?;
    output.report(&report)?;
    let directory = output.finish()?;
    Ok((report, directory))
}

fn environment() -> Environment {
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    Environment {
        cpus: available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX)),
        memory_bytes: memory.map(|kibibytes| kibibytes * 1024),
    }
}

fn member(stage: &Stage) -> Member {
    let facts = stage.sandbox.facts();
    let not_carried = facts.not_carried.iter().map(|it| format!("{} = {}: {}", it.name, it.value, it.why));
    let clamped =
        facts.clamped.iter().map(|it| format!("{} = {} instead of {}: {}", it.name, it.given, it.wanted, it.why));
    Member {
        name: "primary".into(),
        role: "primary".into(),
        flavor: facts.flavor,
        version: facts.version.clone(),
        sandbox: facts.kind.into(),
        engine: facts.engine.clone(),
        not_carried: not_carried.chain(clamped).collect(),
        seeded_from_cache: facts.seeded_from_cache,
    }
}

fn experiments(stage: &Stage) -> Vec<Experiment> {
    let line = |ran: &super::stage::Ran| Experiment {
        id: ran.id.clone(),
        kind: ran.kind,
        statement: ran.statement.clone(),
        seconds: ran.seconds,
        outcome: if ran.completed { "done" } else { "failed" }.to_owned(),
    };
    stage.ran.iter().map(line).collect()
}

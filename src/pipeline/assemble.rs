//! Gathers what the experiments showed, judges it, and writes the directory of the rehearsal.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::Result;
use jiff::Timestamp;

use super::choices::Chosen;
use super::output::Output;
use super::settings::{FailOn, Settings};
use super::stage::Stage;
use super::trials::Quiet;
use crate::advise::record::{Alternative, Findings, Severity, Trial, Unchecked};
use crate::advise::{self, choose};
use crate::artifact;
use crate::plan::{self, Plan, Said};
use crate::replay::record::{Observation, Rehearsal, TableChanges};
use crate::report;
use crate::report::record::{Environment, Experiment, Member, PlanReference, Report, Upgrade};
use crate::sql::record::Kind;
use crate::sql::script::Script;
use crate::sql::session_state::SessionState;
use crate::survey::record::Fingerprint;

/// A plan holds this many statements, and this many bytes of them; of more, the rest is in `upgrade.sql`.
const PLAN_STATEMENTS: usize = 20_000;
const PLAN_BYTES: usize = 32 << 20;

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
}

impl<'a> Gathered<'a> {
    /// Begins with the upgrade's statements.
    ///
    /// # Errors
    /// When the script cannot be read.
    pub fn new(settings: &'a Settings, script: &Script, digest: String, started: Timestamp) -> Result<Self> {
        let mut state = SessionState::default();
        let (mut statements, mut count, mut bytes) = (BTreeMap::new(), 0, 0);
        for action in script.actions()? {
            let statement = action?.statement().clone();
            count += 1;
            bytes += statement.text.len();
            if statements.len() < PLAN_STATEMENTS && bytes < PLAN_BYTES {
                let database = match state.database() {
                    "" => settings.production.database.clone(),
                    database => database.to_owned(),
                };
                let said = Said { statement: statement.clone(), database, preamble: state.preamble() };
                statements.insert(statement.id.clone(), said);
            }
            state.apply(&statement);
        }
        Ok(Self {
            settings,
            started,
            upgrade: Upgrade { digest, statements: count },
            statements,
            before: None,
            changes: TableChanges::new(),
            loud: None,
            final_state: None,
            unchecked: Vec::new(),
            plan: None,
            quiet: Vec::new(),
            trials: Vec::new(),
            untried: Vec::new(),
        })
    }

    /// Notes what will not be tried, and why.
    pub fn note_choices(&mut self, choices: &Chosen) {
        self.untried.extend(choices.refused.iter().cloned());
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
            if let Some(choice) = choose::choose(&own, original, &self.settings.budget) {
                self.trials[places[choice.index]].chosen = true;
            }
        }
    }

    /// Judges, and drafts the plan.
    ///
    /// # Errors
    /// When a destructive statement cannot be covered by a backup.
    pub fn judge(&mut self, stage: &Stage) -> Result<()> {
        let findings = self.findings(stage);
        let Some(loud) = &self.loud else { return Ok(()) };
        let schema: String = self
            .before
            .iter()
            .flat_map(|print| &print.tables)
            .map(|(name, table)| format!("{name}\n{}\n", table.definition))
            .collect();
        let plan = plan::draft(&plan::Input {
            name: &self.settings.name,
            rehearsed: &rehearsed(stage, self.started),
            flavor: stage.flavor(),
            version: &stage.sandbox.facts().version,
            scale: stage.scale,
            upgrade_digest: &self.upgrade.digest,
            upgrade_statements: self.upgrade.statements,
            schema_digest: &artifact::sha256(&schema),
            survey: &stage.survey,
            changes: &self.changes,
            loud: &loud.observations,
            quiet: &self.quiet,
            trials: &self.trials,
            findings: &findings,
            statements: &self.statements,
        })?;
        self.plan = Some(plan);
        Ok(())
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
            budget: &self.settings.budget,
            allow: &self.settings.allow,
            today: &today,
            flavor: stage.flavor(),
        });
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
pub fn write(stage: &Stage, script: &Script, gathered: Gathered<'_>, output: Output) -> Result<(Report, PathBuf)> {
    let findings = gathered.findings(stage);
    let Gathered { settings, started, upgrade, loud, quiet, trials, untried, plan, changes, .. } = gathered;
    let Some(loud) = loud else { anyhow::bail!("nothing was run") };
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut name = |what: &str, file: &str| {
        files.insert(what.to_owned(), file.to_owned());
    };
    output.upgrade(script, &upgrade.digest)?;
    name("upgrade", "upgrade.sql");
    output.survey(&stage.survey)?;
    name("survey", "survey.yaml");
    if output.path("timeline.jsonl").exists() {
        name("timeline", "timeline.jsonl");
    }
    let mut reference = None;
    if let Some(plan) = &plan {
        for (path, text) in plan::files(plan)? {
            output.text(&path, &text)?;
        }
        reference = Some(PlanReference { path: "plan.md".into(), digest: artifact::sha256(&artifact::to_yaml(plan)?) });
        name("plan", "plan.md");
    }
    name("summary", "summary.md");
    name("report", "report.json");
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
        findings: &findings,
        fail_from: fail_from(settings.fail_on),
        experiments: experiments(stage),
        plan: reference,
        files,
    });
    output.text("summary.md", &report::markdown::render(&report))?;
    artifact::write_whole(&output.path("report.json"), |out| Ok(serde_json::to_writer_pretty(out, &report)?))?;
    let directory = output.finish()?;
    Ok((report, directory))
}

fn fail_from(fail_on: FailOn) -> Option<Severity> {
    match fail_on {
        FailOn::Error => Some(Severity::Error),
        FailOn::Warning => Some(Severity::Warning),
        FailOn::Never => None,
    }
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

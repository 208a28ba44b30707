//! The plan as a list to tick off: what `plan.md` says, in its order, from the same words.

use super::marked::Marked;
use crate::plan::record::groups::{Group, LONG, groups};
use crate::plan::record::stops::{self, Long, line, meanwhile, no_return, unrehearsed};
use crate::plan::record::told::{asking, client, expected, lasts, list, ran_briefly, range, throttle, typed, up_to};
use crate::plan::record::{HalfDone, Plan, PlanScript, ScriptPhase, Step, Way, summary};
use crate::quantity;

/// One thing to do, with what belongs to it.
#[derive(Clone, Debug)]
pub struct Item {
    /// Unique in the plan; under it the page remembers that it is done.
    pub key: String,
    /// What to do.
    pub title: Marked,
    /// Beside it: how long it takes, what it blocks.
    pub beside: Marked,
    /// What to do for it, each to be ticked off; empty: it is one thing.
    pub parts: Vec<Todo>,
    /// Queries and sentences, each with what it is.
    pub facts: Vec<Fact>,
}

/// A part of something to do.
#[derive(Clone, Debug)]
pub struct Todo {
    /// Unique in the plan.
    pub key: String,
    /// `back up`, `run`, `verify`.
    pub name: &'static str,
    /// What to type.
    pub code: String,
    /// What it showed in the sandbox, or what to expect.
    pub says: Vec<Marked>,
}

/// What belongs to something to do.
#[derive(Clone, Debug)]
pub struct Fact {
    /// `expect`, `stop when`, `way back`.
    pub name: &'static str,
    /// A sentence; empty when there is only code.
    pub text: Marked,
    /// Something to type; empty when there is none.
    pub code: String,
}

/// A stage of the plan.
#[derive(Clone, Debug)]
pub struct Stage {
    /// `Before you start`, `Step by step`.
    pub title: &'static str,
    /// What to know first; empty when nothing.
    pub lead: Marked,
    /// What to type for all of it; empty when nothing.
    pub code: String,
    /// What to look at meanwhile: what it shows, and the query.
    pub watches: Vec<(Marked, String)>,
    /// What to do.
    pub items: Vec<Item>,
}

/// Kill, wait or help.
#[derive(Clone, Debug)]
pub struct TooLong {
    /// `Step 5 takes too long`.
    pub title: String,
    /// How long it took.
    pub took: String,
    /// What killing it showed, by how much was done; empty where nobody tried.
    pub lines: Vec<Vec<Marked>>,
    /// What to know beside them.
    pub says: Vec<Marked>,
}

/// The plan as the page shows it.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// Its digest, under which the page remembers what is done.
    pub digest: String,
    /// How it stands; empty where something speaks against it.
    pub verdict: Marked,
    /// Why it must not be carried out as it is.
    pub blockers: Vec<Marked>,
    /// What a person who has one minute must know.
    pub summary: Vec<(&'static str, Marked)>,
    /// Preflight, backups, steps.
    pub stages: Vec<Stage>,
    /// Statements that are no step.
    pub left_out: Vec<Marked>,
    /// Long steps.
    pub too_long: Vec<TooLong>,
    /// No step was long enough to be killed.
    pub none_long: bool,
    /// What a rerun of the upgrade meets where it was cut off.
    pub half_done: Vec<[Marked; 4]>,
    /// What else to do when it goes wrong.
    pub trouble: Vec<Marked>,
    /// Clean-up and signatures.
    pub last: Vec<Stage>,
    /// Tables, and how many rows they may have.
    pub bands: Vec<(String, String)>,
    /// Settings that were not as in production, and why.
    pub not_carried: Vec<Marked>,
}

/// The plan's view; `digest` is the report's.
pub fn of(plan: &Plan, digest: &str) -> PlanView {
    let stages = [before(plan), backups(plan), steps(plan)];
    let long = stops::long(plan);
    let marked = |lines: &[String]| lines.iter().map(|line| Marked::from(line.as_str())).collect();
    PlanView {
        digest: digest.chars().take(16).collect(),
        verdict: summary::verdict(plan).unwrap_or_default().into(),
        blockers: marked(&plan.blockers),
        summary: summary::rows(plan).into_iter().map(|(name, text)| (name, text.into())).collect(),
        stages: stages.into_iter().collect(),
        left_out: plan.left_out.iter().map(|item| format!("{}: {}", item.statement, item.why).into()).collect(),
        none_long: long.is_empty(),
        too_long: long.iter().map(too_long).collect(),
        half_done: plan.half_done.iter().map(half_done).collect(),
        trouble: marked(&plan.trouble),
        last: [cleanup(plan), signatures(plan)].into_iter().filter(|stage| !stage.items.is_empty()).collect(),
        bands: (plan.identity.rows.iter())
            .map(|(table, band)| {
                let rows = format!("{} to {} rows", quantity::grouped(band.low), quantity::grouped(band.high));
                (table.to_string(), rows)
            })
            .collect(),
        not_carried: plan.identity.not_carried.iter().map(|(name, why)| format!("`{name}`: {why}").into()).collect(),
    }
}

impl Stage {
    fn of(title: &'static str, lead: &str, items: Vec<Item>) -> Self {
        Self { title, lead: lead.into(), code: String::new(), watches: Vec::new(), items }
    }
}

fn item(of: &str, id: &str, title: &str, beside: &str, facts: Vec<Fact>) -> Item {
    Item {
        key: format!("{of}-{id}"),
        title: title.replace('\n', " ").into(),
        beside: beside.into(),
        parts: Vec::new(),
        facts,
    }
}

fn says(name: &'static str, text: &str) -> Fact {
    Fact { name, text: text.into(), code: String::new() }
}

fn types(name: &'static str, code: &str) -> Fact {
    Fact { name, text: "".into(), code: code.to_owned() }
}

fn before(plan: &Plan) -> Stage {
    let facts = |check: &crate::plan::record::Check| {
        let mut facts = vec![says("why", &check.why)];
        facts.extend(check.query.iter().map(|query| types("ask", query)));
        facts.extend(check.command.iter().map(|command| types("type", command)));
        facts
    };
    let mut items: Vec<Item> = (plan.preflight.iter())
        .map(|check| item("check", &check.id, &check.title, &check.expect, facts(check)))
        .collect();
    let aside = plan.scripts.iter().filter(|script| script.phase == ScriptPhase::Backup && script.step.is_none());
    items.extend(aside.map(|script| {
        let code = format!("{} < {} > definitions.txt", client(plan), script.path);
        item("aside", &script.path, "The definitions are put aside", &ran_briefly(script), vec![types("type", &code)])
    }));
    let lead = "In the directory that holds `plan/`, with host, user and password of the target in `production.cnf` \
                (section `[client]`, mode 600). Each command ends with exit code 0 or says why not; go on only after 0.";
    let code = format!("{} --table < plan/00-preflight.sql", client(plan));
    Stage { code, ..Stage::of("Before you start", lead, items) }
}

fn backups(plan: &Plan) -> Stage {
    let items: Vec<Item> = (plan.backups.iter())
        .map(|backup| {
            let place = plan.steps.iter().position(|step| step.covered_by().contains(&backup.id));
            let of = place.map(|place| format!(" for step {}", place + 1)).unwrap_or_default();
            let mut facts = vec![says("keeps", &backup.keeps)];
            facts.extend(backup.way.table().map(|table| says("kept as", &format!("`{table}`"))));
            facts.extend(
                backup.bytes.map(|bytes| says("room", &format!("about {}, estimated", quantity::bytes(bytes)))),
            );
            if let Way::Dump { command } = &backup.way {
                facts.push(types("type", command));
            }
            facts.extend(backup.limits.iter().map(|limit| says("limit", limit)));
            let beside = match &backup.restored {
                Some(restored) if restored.same => {
                    format!("restored in the sandbox in {}, the same as before", quantity::seconds(restored.seconds))
                }
                Some(restored) => format!("restored in the sandbox: **{}**", restored.differences.join("; ")),
                None => "**not restored in the rehearsal**".to_owned(),
            };
            item("backup", &backup.id, &format!("{}{of}: {}", backup.id, backup.what()), &beside, facts)
        })
        .collect();
    let lead = match items.len() {
        0 => "None: no step destroys anything that was there before.",
        _ => "Each is made by its step's own script, right before the step.",
    };
    Stage::of("Backups", lead, items)
}

fn steps(plan: &Plan) -> Stage {
    let mut watches: Vec<(Marked, String)> = Vec::new();
    for watch in plan.steps.iter().flat_map(|step| &step.body.guard.watch) {
        if !watches.iter().any(|(_, query)| *query == watch.query) {
            watches.push((format!("**W{}** {}", watches.len() + 1, watch.what).into(), watch.query.clone()));
        }
    }
    let items = groups(plan).into_iter().map(|group| match group {
        Group { first, last } if first == last => one(plan, first, &watches),
        group => row(plan, &group),
    });
    let items = items.collect();
    Stage { watches, ..Stage::of("Step by step", "", items) }
}

fn one(plan: &Plan, place: usize, watches: &[(Marked, String)]) -> Item {
    let step = &plan.steps[place];
    let body = &step.body;
    let mut beside = match lasts(plan, step) {
        Some(lasts) => format!("takes {}", range(lasts.low, lasts.high)),
        None => "**time not measured**".to_owned(),
    };
    match body.blocks.as_slice() {
        [] => beside.push_str(", blocks nobody"),
        lines => beside.push_str(&format!("; **blocks** {}", list(lines, "; ", 1, ""))),
    }
    let mut facts: Vec<Fact> = body.blocks.iter().map(|what| says("blocks", what)).collect();
    if !step.destroys().is_empty() {
        let lost: Vec<String> = step.destroys().iter().map(ToString::to_string).collect();
        facts.push(says("destroys", &format!("{} (kept by {})", lost.join("; "), step.covered_by().join(", "))));
    }
    facts.extend(body.guard.stop_when.iter().map(|when| says("stop when", when)));
    facts.extend(body.know.iter().map(|what| says("know", what)));
    facts.extend(back(plan, step));
    if let Some(lasts) = lasts(plan, step) {
        facts.push(says("measured", &lasts.basis));
    }
    let settings: Vec<&str> = body.guard.settings.iter().map(|text| text.trim_start_matches("SET SESSION ")).collect();
    let guards = if settings.is_empty() { "none".to_owned() } else { format!("`{}`", settings.join(", ")) };
    facts.push(says("guards", &format!("in the script: {guards}; when one trips: {}", body.guard.when_tripped)));
    facts.push(says("throttle", &throttle(step)));
    let own = body.guard.watch.iter().filter_map(|watch| watches.iter().position(|(_, query)| *query == watch.query));
    let own: Vec<String> = own.map(|place| format!("W{}", place + 1)).collect();
    if !own.is_empty() {
        facts.push(says("watch", &format!("{} above", own.join(", "))));
    }
    let title = format!("{}. {}", place + 1, body.title);
    Item { parts: todos(plan, step), ..item("step", &body.id, &title, &beside, facts) }
}

/// Back up, run, verify.
fn todos(plan: &Plan, step: &Step) -> Vec<Todo> {
    let id = &step.body.id;
    let mut todos = Vec::new();
    let mut add = |name, code: String, says: Vec<Marked>| {
        todos.push(Todo { key: format!("{name}-{id}-{}", todos.len()).replace(' ', "-"), name, code, says });
    };
    let plain = |script: &PlanScript| typed(plan, script).trim_matches('`').to_owned();
    let of = |phase: ScriptPhase| plan.scripts_of(id).filter(move |script| script.phase == phase);
    of(ScriptPhase::Backup).for_each(|script| add("back up", plain(script), vec![ran_briefly(script).into()]));
    of(ScriptPhase::Step).for_each(|script| add("run", plain(script), vec![ran_briefly(script).into()]));
    let expected: Vec<Marked> = step.body.verify.iter().map(|verify| expected(verify).into()).collect();
    let mut expected = Some(expected);
    for script in of(ScriptPhase::Verify) {
        let ran = std::iter::once(ran_briefly(script).into());
        let says = ran.chain(expected.take().into_iter().flatten()).collect();
        add("verify", format!("{} < {}", asking(plan), script.path), says);
    }
    if step.body.verify.is_empty() {
        let nothing = "no query shows what it did; the client reports the rows affected, keep its output";
        add("verify", String::new(), vec![nothing.into()]);
    }
    todos
}

fn back(plan: &Plan, step: &Step) -> Vec<Fact> {
    let undo = &step.body.undo;
    let of = |phase: ScriptPhase| plan.scripts_of(&step.body.id).filter(move |script| script.phase == phase);
    let code = |script: &PlanScript| typed(plan, script).trim_matches('`').to_owned();
    let mut facts: Vec<Fact> = of(ScriptPhase::Undo)
        .map(|script| {
            let shown = undo.shown.as_ref().map_or_else(
                || ran_briefly(script),
                |shown| format!("undone in the sandbox in {}", up_to(shown.seconds)),
            );
            Fact { name: "undo", text: format!("{shown}: {}", undo.limit).into(), code: code(script) }
        })
        .collect();
    if facts.is_empty() {
        facts.push(says("undo", &format!("**no script**: {}", undo.limit)));
    }
    let written = undo.shown.as_ref().and_then(|shown| shown.written.as_ref());
    facts.extend(written.map(|written| says("it loses", &written.sentence())));
    facts.extend(of(ScriptPhase::Merge).map(|script| Fact {
        name: "merge",
        text: format!("then, to keep what was written since ({})", ran_briefly(script)).into(),
        code: code(script),
    }));
    facts
}

/// A row of plain steps, each of which is told in plan.yaml.
fn row(plan: &Plan, group: &Group) -> Item {
    let steps = &plan.steps[group.first..=group.last];
    let files: Vec<&PlanScript> = (steps.iter().flat_map(|step| plan.scripts_of(&step.body.id)))
        .filter(|script| matches!(script.phase, ScriptPhase::Backup | ScriptPhase::Step | ScriptPhase::Verify))
        .collect();
    let (from, until) = (files.first().map_or("", |one| &one.path), files.last().map_or("", |one| &one.path));
    let title = format!(
        "{} to {}. {}: {} …",
        group.first + 1,
        group.last + 1,
        quantity::counted(steps.len() as u64, "short step"),
        steps[0].body.title
    );
    let beside = format!("each took less than {} in the sandbox, and nothing waited for it", quantity::seconds(LONG));
    let text = format!(
        "in the order of `plan.yaml`, from `{from}` to `{until}`; the first that fails stops the row. What to expect, when to \
         stop and how to go back is in each script's head"
    );
    item("row", &steps[0].body.id, &title, &beside, vec![says("scripts", &text)])
}

fn too_long(long: &Long<'_>) -> TooLong {
    let mut says: Vec<Marked> = Vec::new();
    if long.stops.is_empty() {
        says.push(unrehearsed(long.step).into());
    } else {
        let meanwhile = meanwhile(long.step);
        says.push(format!("**Point of no return**: {}", no_return(&long.stops)).into());
        says.push(
            format!("Each number was measured once, in a kill drill. While you wait it goes on to block: {meanwhile}.")
                .into(),
        );
    }
    TooLong {
        title: format!("Step {} takes too long: kill, wait or help", long.place + 1),
        took: format!("It took {} in the sandbox ({}).", range(long.lasts.low, long.lasts.high), long.lasts.basis),
        lines: long.stops.iter().map(|stop| line(stop).into_iter().map(Marked::from).collect()).collect(),
        says,
    }
}

fn half_done(cut: &HalfDone) -> [Marked; 4] {
    let after = match cut.places {
        1 => cut.after.clone(),
        places => format!("{} to {} ({places} places)", cut.after, cut.up_to),
    };
    let safe = if cut.rerun_safe { "yes" } else { "**no**" };
    let back: Vec<String> = cut.cleanup.iter().map(|sql| format!("`` {sql} ``")).collect();
    let back = match (cut.rerun_safe, back.is_empty()) {
        (true, _) => "not needed".to_owned(),
        (false, true) => "by hand".to_owned(),
        (false, false) => back.join("; "),
    };
    let instead = if cut.instead.is_empty() { "—".to_owned() } else { cut.instead.clone() };
    [after, format!("{safe}: it {}", cut.rerun), instead, back].map(Marked::from)
}

fn cleanup(plan: &Plan) -> Stage {
    let scripts: Vec<_> = plan.scripts.iter().filter(|script| script.phase == ScriptPhase::Cleanup).collect();
    let items = plan.cleanup.iter().enumerate().map(|(place, cleanup)| {
        let table = cleanup.table.to_string();
        let mut facts = vec![says("mind", &cleanup.mind)];
        facts.extend(scripts.get(place).map(|script| Fact {
            name: "run",
            text: ran_briefly(script).into(),
            code: format!("{} < {}", client(plan), script.path),
        }));
        item("cleanup", &table, &format!("drop `{table}`"), &cleanup.when, facts)
    });
    let lead = "Each of these is the end of a way back. The scripts give up after 5 s of waiting for the table; then nothing \
                has changed: look who uses it, and try again.";
    Stage::of("Clean-up, days later", lead, items.collect())
}

fn signatures(plan: &Plan) -> Stage {
    Stage::of("Signed", "", plan.sign_off.iter().map(|who| item("sign", who, who, "", vec![])).collect())
}

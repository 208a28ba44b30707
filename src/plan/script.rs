//! The scripts of a plan, each as the stock client reads it.

use super::batches;
use super::copies::session_for_copies;
use super::protection::Protection;
use super::record::{Check, Cleanup, Identity, PlanScript, ScriptPhase, Shell};
use super::shape::{Shapes, Simple};
use super::step::Step;
use super::unit::Unit;
use super::work::Task;
use crate::replay::record::TableChanges;
use crate::sql::record::{Action, Statement, Walk};

/// What the scripts of one step are made from.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// For file names.
    pub label: String,
    /// What brings a fresh session to where it must be.
    pub session: Vec<String>,
    /// Statements of the backup.
    pub before: Vec<String>,
    /// Commands that make a dump, each with the one that restores it.
    pub shells: Vec<(Shell, Shell)>,
    /// Statements of the step.
    pub sql: Vec<String>,
    /// Statements that bring in what was written since the step, after its undo.
    pub merge: Vec<String>,
}

impl Made {
    /// Takes a step's backups apart.
    pub fn of(label: String, session: Vec<String>, protections: &[Protection], sql: Vec<String>) -> Self {
        Self {
            label,
            session,
            before: protections.iter().flat_map(|protection| protection.before.iter().cloned()).collect(),
            shells: protections.iter().filter_map(|protection| protection.shells.clone()).collect(),
            sql,
            merge: protections.iter().flat_map(|protection| protection.merge.iter().cloned()).collect(),
        }
    }
}

/// What a step does.
#[derive(Clone, Debug, Default)]
pub struct Doing {
    /// For the stock client, the step's own copies of rows included.
    pub sql: Vec<String>,
    /// The same for a program.
    pub tasks: Vec<Task>,
    /// What speaks against carrying it out.
    pub blockers: Vec<String>,
}

/// What a step does, its own copies of rows included.
pub fn doing(
    unit: &Unit<'_>,
    number: usize,
    shapes: &Shapes,
    alone: Option<&Simple>,
    protections: &[Protection],
    changes: &TableChanges,
) -> Doing {
    let name = format!("rehearse_step_{number:03}");
    let within = |statement: &Statement| {
        let tables = statement.reading.effect.tables();
        protections
            .iter()
            .filter(|protection| tables.contains(&protection.backup.of))
            .find_map(|protection| protection.within.as_ref())
    };
    let Doing { mut sql, mut tasks, mut blockers } = Doing::default();
    for action in unit.actions() {
        match &action {
            Action::Walk(walk) => {
                let copy = within(&walk.statement);
                let sized = sized(walk, unit, changes, copy.is_some());
                tasks.push(Task::Batches {
                    table: walk.table.clone(),
                    key: walk.key.clone(),
                    head: walk.head.trim_end().to_owned(),
                    condition: walk.condition.clone(),
                    rows: sized.unwrap_or(walk.rows).max(1),
                    pause_seconds: walk.pause.as_secs_f64(),
                    copy: copy.cloned(),
                });
                let made = shapes
                    .known(&walk.table)
                    .ok_or_else(|| format!("the columns of {} are not known at this point", walk.table))
                    .and_then(|facts| batches::walk(walk, &name, facts, copy, sized));
                match made {
                    Ok(statements) => {
                        sql.extend(statements);
                    }
                    Err(why) => blockers.push(format!("{} has no script for the stock client: {why}", unit.label())),
                }
            }
            Action::Once(statement) => {
                let text = statement.text.trim().trim_end_matches(';');
                match (within(statement), alone) {
                    (Some(copy), Some(simple)) => {
                        sql.extend(batches::once(&name, &simple.factor, simple.condition.as_deref(), text, copy));
                        tasks.push(Task::Kept {
                            sql: text.to_owned(),
                            factor: simple.factor.clone(),
                            condition: simple.condition.clone(),
                            copy: copy.clone(),
                        });
                    }
                    _ => {
                        sql.push(text.to_owned());
                        tasks.push(Task::Statement { sql: text.to_owned() });
                    }
                }
            }
        }
    }
    // A backup that the step was to make itself and does not make would be an empty table.
    for copy in protections.iter().filter_map(|protection| protection.within.as_ref()) {
        let into = format!("INSERT INTO {} (", copy.into.quoted());
        if !sql.iter().any(|text| text.contains(&into)) {
            blockers.push(format!("{} keeps no copy of its rows in {}", unit.label(), copy.into));
        }
    }
    if unit.database().is_empty() && sql.iter().any(|text| text.starts_with("CREATE PROCEDURE")) {
        blockers.push(format!("{} needs a database in use for its procedure", unit.label()));
    }
    Doing { sql, tasks, blockers }
}

/// Rows of a batch by the rate at which the walk's trial went over the table.
fn sized(walk: &Walk, unit: &Unit<'_>, changes: &TableChanges, copies: bool) -> Option<u64> {
    let walked = changes.get(&walk.table).and_then(|change| change.rows_before);
    unit.trial.and_then(|trial| batches::rows(walked, trial.seconds, copies))
}

/// All scripts, in the order in which a rehearsal of the plan runs them.
pub fn all(
    preflight: &[Check],
    identity: &Identity,
    steps: &[Step],
    made: &[Made],
    cleanup: &[Cleanup],
) -> Vec<PlanScript> {
    let mut scripts = Vec::new();
    let queries: Vec<String> = preflight
        .iter()
        .filter_map(|check| Some(format!("-- {}\n-- expect: {}\n{}", check.title, check.expect, check.query.as_ref()?)))
        .collect();
    scripts.push(of(
        ScriptPhase::Preflight,
        "plan/00-preflight.sql".to_owned(),
        None,
        "looks whether production is as it was rehearsed; changes nothing",
        "before anything else",
        &queries,
    ));
    let definitions: Vec<String> =
        identity.rows.keys().map(|table| format!("SHOW CREATE TABLE {}", table.quoted())).collect();
    if !definitions.is_empty() {
        scripts.push(of(
            ScriptPhase::Backup,
            "plan/10-definitions.sql".to_owned(),
            None,
            "shows the definitions as they are: keep its output",
            "before the first step: mysql … < plan/10-definitions.sql > definitions.txt",
            &definitions,
        ));
    }
    for (index, (step, made)) in steps.iter().zip(made).enumerate() {
        let number = index + 1;
        let id = Some(step.body.id.clone());
        let place = place(number, steps.len());
        let path = |part: &str| format!("plan/20-{place}-{}-{part}.sql", made.label);
        for (at, (make, _)) in made.shells.iter().enumerate() {
            let part = if at == 0 { "1-dump".to_owned() } else { format!("1-dump-{}", at + 1) };
            let title = format!("dumps what {} destroys", step.body.id);
            scripts.push(typed(ScriptPhase::Backup, path(&part), &id, &title, "right before the step", make));
        }
        if !made.before.is_empty() {
            let mut before = vec!["SET SESSION lock_wait_timeout = 5".to_owned()];
            before.extend(made.before.iter().cloned());
            scripts.push(of(
                ScriptPhase::Backup,
                path("1-backup"),
                id.clone(),
                &format!("keeps what {} destroys", step.body.id),
                "right before the step",
                &before,
            ));
        }
        let mut sql = made.session.clone();
        sql.extend(step.body.guard.settings.iter().cloned());
        sql.extend(made.sql.iter().cloned());
        scripts.push(of(
            ScriptPhase::Step,
            path("2-step"),
            id.clone(),
            &step.body.title,
            "after its backup and when the step before it was verified",
            &sql,
        ));
        if !step.body.verify.is_empty() {
            let mut looks: Vec<String> = made.session.iter().filter(|line| line.starts_with("USE ")).cloned().collect();
            looks.extend(
                step.body.verify.iter().map(|verify| format!("-- expect: {}\n{}", verify.expect, verify.query)),
            );
            scripts.push(of(
                ScriptPhase::Verify,
                path("3-verify"),
                id,
                &format!("looks whether {} did what it should", step.body.id),
                "after the step",
                &looks,
            ));
        }
    }
    scripts.extend(back(steps, made));
    for (index, item) in cleanup.iter().enumerate() {
        let number = index + 1;
        scripts.push(of(
            ScriptPhase::Cleanup,
            format!("plan/90-{}-cleanup-{}.sql", place(number, cleanup.len()), in_file(&item.table.table)),
            None,
            &format!("drops {} for good, when nothing uses it", item.table),
            &item.when,
            &super::cleanup::sql(number, item),
        ));
    }
    scripts
}

/// The undos, last step first, and then the merges in the same order.
fn back(steps: &[Step], made: &[Made]) -> Vec<PlanScript> {
    let (mut undos, mut merges) = (Vec::new(), Vec::new());
    for (index, (step, made)) in steps.iter().zip(made).enumerate().rev() {
        let number = steps.len() - index;
        let (id, limit) = (Some(step.body.id.clone()), &step.body.undo.limit);
        let uses = || made.session.iter().filter(|line| line.starts_with("USE ")).cloned();
        let place = place(number, steps.len());
        let path = |word: &str, digit: u8| format!("plan/8{digit}-{place}-{word}-{}.sql", made.label);
        let when = "only to go back, after the undos of all later steps";
        for (at, (_, restore)) in made.shells.iter().enumerate() {
            let word = if at == 0 { "restore".to_owned() } else { format!("restore-{}", at + 1) };
            let title = format!("goes back behind {}: {limit}", step.body.id);
            undos.push(typed(ScriptPhase::Undo, path(&word, 0), &id, &title, when, restore));
        }
        let mut sql = vec!["SET SESSION lock_wait_timeout = 5".to_owned()];
        if !step.body.undo.sql.is_empty() {
            sql.extend(session_for_copies());
            sql.extend(uses());
            sql.extend(step.body.undo.sql.iter().cloned());
            let title = format!("goes back behind {}: {limit}", step.body.id);
            undos.push(of(ScriptPhase::Undo, path("undo", 0), id.clone(), &title, when, &sql));
            sql.truncate(1);
        }
        if !made.merge.is_empty() {
            sql.extend(uses());
            sql.extend(made.merge.iter().cloned());
            let title = format!("brings what was written since {} into what its undo put back", step.body.id);
            let when = "only after the undo, to keep the rows that were written since the step";
            merges.push(of(ScriptPhase::Merge, path("merge", 1), id, &title, when, &sql));
        }
    }
    undos.extend(merges);
    undos
}

/// A number in a file's name, with as many digits as the last one has: the names sort as the scripts run.
fn place(number: usize, last: usize) -> String {
    let digits = last.to_string().len().max(3);
    format!("{number:0digits$}")
}

/// A word for a file's name.
fn in_file(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect()
}

/// A script whose work a command does.
fn typed(
    phase: ScriptPhase,
    path: String,
    step: &Option<String>,
    title: &str,
    when: &str,
    shell: &Shell,
) -> PlanScript {
    let text = format!(
        "-- Type this in a shell, and look at its exit code; this script itself does nothing:\n--   {}\nDO 0",
        shell.text
    );
    PlanScript { shell: Some(shell.clone()), ..of(phase, path, step.clone(), title, when, &[text]) }
}

fn of(
    phase: ScriptPhase,
    path: String,
    step: Option<String>,
    title: &str,
    when: &str,
    statements: &[String],
) -> PlanScript {
    // In another locale the stock client would take the text for latin1 (measured with LC_ALL=C on both vendors).
    let names = "SET NAMES utf8mb4;\n".to_owned();
    let sql = std::iter::once(names).chain(statements.iter().map(|text| terminated(text))).collect();
    PlanScript { path, phase, step, title: title.to_owned(), when: when.to_owned(), sql, shell: None, rehearsed: None }
}

/// A statement with what makes the stock client send it whole.
fn terminated(text: &str) -> String {
    let text = text.trim_end();
    let is_compound = {
        let bare = strip_comments(text).to_ascii_uppercase();
        let words: Vec<&str> = bare.split_whitespace().take(12).collect();
        words.first() == Some(&"CREATE")
            && words.iter().any(|word| ["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"].contains(word))
    };
    // A line comment at the end would swallow the delimiter.
    let last = text.lines().next_back().unwrap_or_default();
    let gap = if last.contains("--") || last.contains('#') { "\n" } else { "" };
    if !is_compound {
        return format!("{text}{gap};\n");
    }
    let delimiter = ["//", "$$", ";;", "|||"].into_iter().find(|mark| !text.contains(mark)).unwrap_or("@@@@");
    format!("DELIMITER {delimiter}\n{text}\n{delimiter}\nDELIMITER ;\n")
}

/// The text without the `--` lines before its first word.
fn strip_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, after)| after).trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn names_sort_as_the_scripts_run_however_many_there_are() {
        assert_eq!(place(7, 12), "007");
        for last in [12, 999, 1_000, 12_345] {
            let names: Vec<String> = (1..=last).map(|number| place(number, last)).collect();
            assert!(names.is_sorted(), "{last}");
        }
    }
}

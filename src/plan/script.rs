//! The scripts of a plan, each as the stock client reads it.

use super::backup::Protection;
use super::batches;
use super::record::{Check, Cleanup, Identity, PlanScript, ScriptPhase};
use super::shape::{Shapes, Simple};
use super::step::Step;
use super::unit::Unit;
use crate::sql::record::{Action, Statement};

/// What the scripts of one step are made from.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// For file names.
    pub label: String,
    /// What brings a fresh session to where it must be.
    pub session: Vec<String>,
    /// Statements of the backup.
    pub before: Vec<String>,
    /// Commands of the backup, for an operator's shell.
    pub commands: Vec<String>,
    /// Statements of the step.
    pub sql: Vec<String>,
}

/// The statements of a step, its own copies of rows included; and what speaks against carrying it out.
pub fn step_sql(
    unit: &Unit<'_>,
    number: usize,
    shapes: &Shapes,
    alone: Option<&Simple>,
    protections: &[Protection],
) -> (Vec<String>, Vec<String>) {
    let name = format!("rehearse_step_{number:03}");
    let within = |statement: &Statement| {
        let tables = statement.reading.effect.tables();
        protections
            .iter()
            .filter(|protection| tables.contains(&protection.backup.of))
            .find_map(|protection| protection.within.as_ref())
    };
    let mut sql = Vec::new();
    let mut blockers = Vec::new();
    let mode = "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_VALUE_ON_ZERO')".to_owned();
    for action in unit.actions() {
        match &action {
            Action::Walk(walk) => {
                let copy = within(&walk.statement);
                let made = shapes
                    .known(&walk.table)
                    .ok_or_else(|| format!("the columns of {} are not known at this point", walk.table))
                    .and_then(|facts| batches::walk(walk, &name, facts, copy));
                match made {
                    Ok(statements) => {
                        sql.extend(copy.map(|_| mode.clone()));
                        sql.extend(statements);
                    }
                    Err(why) => blockers.push(format!("{} has no script for the stock client: {why}", unit.label())),
                }
            }
            Action::Once(statement) => match (within(statement), alone) {
                (Some(copy), Some(simple)) => {
                    sql.push(mode.clone());
                    let text = statement.text.trim().trim_end_matches(';');
                    sql.extend(batches::once(&name, &simple.factor, simple.condition.as_deref(), text, copy));
                }
                _ => sql.push(statement.text.trim().trim_end_matches(';').to_owned()),
            },
        }
    }
    // A backup that the step was to make itself and does not make would be an empty table.
    for copy in protections.iter().filter_map(|protection| protection.within.as_ref()) {
        let into = format!("INSERT INTO {} (", copy.into.quoted());
        if !sql.iter().any(|text| text.contains(&into)) {
            blockers.push(format!("{} keeps no copy of its rows in {}", unit.label(), copy.into));
        }
    }
    if !unit.database().is_empty() {
        return (sql, blockers);
    }
    if sql.iter().any(|text| text.starts_with("CREATE PROCEDURE")) {
        blockers.push(format!("{} needs a database in use for its procedure", unit.label()));
    }
    (sql, blockers)
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
        let path = |part: &str| format!("plan/20-{number:03}-{}-{part}.sql", made.label);
        let mut before: Vec<String> = made
            .commands
            .iter()
            .map(|command| format!("-- Run this in a shell, and look at its exit code:\n--   {command}\nDO 0"))
            .collect();
        if !made.before.is_empty() {
            before.push("SET SESSION lock_wait_timeout = 5".to_owned());
            before.extend(made.before.iter().cloned());
        }
        if !before.is_empty() {
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
    for (index, (step, made)) in steps.iter().zip(made).enumerate().rev() {
        if step.body.undo.sql.is_empty() {
            continue;
        }
        let mut sql = vec!["SET SESSION lock_wait_timeout = 5".to_owned()];
        sql.extend(made.session.iter().filter(|line| line.starts_with("USE ")).cloned());
        sql.extend(step.body.undo.sql.iter().cloned());
        scripts.push(of(
            ScriptPhase::Undo,
            format!("plan/80-{:03}-undo-{}.sql", steps.len() - index, made.label),
            Some(step.body.id.clone()),
            &format!("goes back behind {}: {}", step.body.id, step.body.undo.limit),
            "only to go back, after the undos of all later steps",
            &sql,
        ));
    }
    for (index, item) in cleanup.iter().enumerate() {
        let label: String = item
            .table
            .table
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' })
            .collect();
        scripts.push(of(
            ScriptPhase::Cleanup,
            format!("plan/90-{:03}-cleanup-{label}.sql", index + 1),
            None,
            &format!("drops {} for good", item.table),
            &item.when,
            &["SET SESSION lock_wait_timeout = 5".to_owned(), format!("DROP TABLE IF EXISTS {}", item.table.quoted())],
        ));
    }
    scripts
}

fn of(
    phase: ScriptPhase,
    path: String,
    step: Option<String>,
    title: &str,
    when: &str,
    statements: &[String],
) -> PlanScript {
    let sql = statements.iter().map(|text| terminated(text)).collect();
    PlanScript { path, phase, step, title: title.to_owned(), when: when.to_owned(), sql, rehearsed: None }
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

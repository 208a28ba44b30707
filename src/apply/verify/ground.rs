//! What all checks stand on: the plan's statements, the tables they touch, and what the server says of these now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

use super::Options;
use crate::plan::Plan;
use crate::plan::record::{PlanScript, ScriptPhase};
use crate::plan::work::Task;
use crate::server::session::ReadOnly;
use crate::sql::record::{Statement, TableName};
use crate::sql::script::{self, Script};
use crate::survey::closure::{self, Relation};
use crate::survey::now::{self, Now};
use crate::survey::record::Survey;

/// A statement that the plan sends, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// `step-003`, or the backup's script.
    pub(super) step: String,
    /// The statement.
    pub(super) statement: Statement,
}

pub(super) struct Ground<'a> {
    pub(super) plan: &'a Plan,
    pub(super) survey: &'a Survey,
    pub(super) directory: &'a Path,
    pub(super) options: &'a Options,
    /// What backups and steps send, those that are done already left out.
    pub(super) sent: Vec<Sent>,
    /// Tables that the upgrade or the plan names and that were there when it was rehearsed, each with what a change to
    /// them reaches.
    pub(super) related: BTreeMap<TableName, Relation>,
    /// Tables that steps which have begun make or change: compared with nothing.
    pub(super) apart: BTreeSet<TableName>,
    /// The views that were compared.
    pub(super) views: BTreeSet<TableName>,
    /// The server as it is.
    pub(super) now: Now,
}

impl<'a> Ground<'a> {
    pub(super) fn look(
        plan: &'a Plan,
        survey: &'a Survey,
        directory: &'a Path,
        reader: &mut ReadOnly,
        options: &'a Options,
    ) -> Result<Self> {
        let (mut sent, mut apart, mut named) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        named.extend(plan.identity.rows.keys().cloned());
        for (step, statements) in statements(plan)? {
            let tables = statements.iter().flat_map(|statement| statement.reading.effect.tables());
            if options.begun.contains(&step) {
                apart.extend(tables);
            } else {
                named.extend(
                    tables.filter(|table| survey.tables.contains_key(table) || survey.views.contains_key(table)),
                );
                sent.extend(statements.into_iter().map(|statement| Sent { step: step.clone(), statement }));
            }
        }
        // A table that was renamed takes the foreign keys of its children along.
        let reached = closure::related(survey, &apart);
        apart.extend(reached.into_iter().filter(|(_, how)| *how == Relation::Child).map(|(name, _)| name));
        let related = closure::related(survey, &named);
        let tables: BTreeSet<TableName> = related.keys().cloned().collect();
        let views = now::views_of(survey, &tables);
        let now = now::read(reader, &tables, &views).context("cannot look at the server")?;
        Ok(Self { plan, survey, directory, options, sent, related, apart, views, now })
    }

    /// The tables of the plan itself, that it makes to keep something.
    pub(super) fn own_tables(&self) -> BTreeSet<TableName> {
        let kept = self.plan.backups.iter().filter_map(|backup| backup.way.table().cloned());
        kept.chain(self.plan.cleanup.iter().map(|item| item.table.clone())).collect()
    }
}

/// The statements of each step and of its backup, as the plan's order has them. A step in batches stands there as the whole
/// statement that it carries out, and the copies of rows as the statements that make them.
fn statements(plan: &Plan) -> Result<Vec<(String, Vec<Statement>)>> {
    let mut all = Vec::new();
    for step in &plan.steps {
        let id = &step.body.id;
        let backups = plan.scripts_of(id).filter(|script| script.phase == ScriptPhase::Backup);
        let backup: Vec<&PlanScript> = backups.collect();
        let mut found = Vec::new();
        for script in backup {
            found.extend(read(plan, &script.path, &script.sql)?);
        }
        let mut texts = step.body.session.clone();
        texts.extend(step.body.tasks.iter().flat_map(texts_of));
        // One text, so that a USE holds for what follows it; a delimiter that nobody writes.
        let text: String = texts.iter().map(|text| format!("{text}\n{DELIMITER}\n")).collect();
        found.extend(read(plan, id, &format!("DELIMITER {DELIMITER}\n{text}"))?);
        all.push((id.clone(), found));
    }
    Ok(all)
}

const DELIMITER: &str = "$rehearse-next$";

fn texts_of(task: &Task) -> Vec<String> {
    let (sql, copy, from) = match task {
        Task::Statement { sql } => return vec![sql.clone()],
        Task::Kept { sql, factor, copy, .. } => (sql.clone(), Some(copy), factor.clone()),
        Task::Batches { table, head, condition, copy, .. } => {
            let condition = condition.as_ref().map_or_else(|| "TRUE".to_owned(), |own| format!("({own})"));
            (format!("{head} WHERE {condition}"), copy.as_ref(), table.quoted())
        }
    };
    let kept = copy.map(|copy| {
        let columns: Vec<String> =
            copy.columns.iter().map(|column| crate::sql::record::quote_identifier(column)).collect();
        let columns = columns.join(", ");
        format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {from}", copy.into.quoted())
    });
    kept.into_iter().chain([sql]).collect()
}

fn read(plan: &Plan, name: &str, text: &str) -> Result<Vec<Statement>> {
    let options = script::Options {
        variables: BTreeMap::new(),
        database: plan.identity.database.clone(),
        flavor: plan.identity.flavor,
    };
    let script = Script::from_text(name, text, options);
    let actions = script.actions().with_context(|| format!("cannot read {name} of the plan"))?;
    actions
        .map(|action| Ok(action.with_context(|| format!("cannot read {name} of the plan"))?.into_statement()))
        .collect()
}

//! Which other tables a change to some tables reaches: through foreign keys, triggers and views.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::mention::Names;
use super::record::Survey;
use crate::sql::record::TableName;

/// How a table is reached, nearest first: where only some can be watched, the first ones are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It was named.
    Itself,
    /// A foreign key of a named table points at it.
    Parent,
    /// Its foreign key points at a named table, or at one whose rows change by a cascade.
    Child,
    /// A trigger of a named table touches it.
    TriggerTarget,
    /// A named view is made of it.
    ViewBase,
}

/// The named tables and what a change to them reaches, each with its nearest relation. Names are spelt as the survey
/// spells them; a name that it does not hold (a table still to be created) stays as it is. Views give way to their bases.
pub fn related(survey: &Survey, named: &BTreeSet<TableName>) -> BTreeMap<TableName, Relation> {
    let names = Names::of(survey);
    let mut found = Found::default();
    for name in named {
        let name = names.spelling(name);
        if survey.views.contains_key(&name) {
            follow_view(survey, &names, &name, &mut BTreeSet::new(), &mut found);
        } else {
            found.add(name, Relation::Itself);
        }
    }
    follow_triggers(survey, &names, &mut found);
    follow_keys(survey, &names, &mut found);
    found.0
}

/// The same, nearest first and then by name: take the first so many, and name the rest as left out.
pub fn in_order(related: &BTreeMap<TableName, Relation>) -> Vec<(TableName, Relation)> {
    let mut order: Vec<_> = related.iter().map(|(name, relation)| (name.clone(), *relation)).collect();
    order.sort_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    order
}

#[derive(Default)]
struct Found(BTreeMap<TableName, Relation>);

impl Found {
    /// Notes a table; true when it is new. A nearer relation replaces a farther one.
    fn add(&mut self, name: TableName, relation: Relation) -> bool {
        match self.0.get_mut(&name) {
            Some(known) => {
                *known = (*known).min(relation);
                false
            }
            None => {
                self.0.insert(name, relation);
                true
            }
        }
    }

    fn names(&self) -> Vec<TableName> {
        self.0.keys().cloned().collect()
    }
}

fn follow_view(survey: &Survey, names: &Names, view: &TableName, seen: &mut BTreeSet<TableName>, found: &mut Found) {
    if !seen.insert(view.clone()) {
        return;
    }
    let Some(create) = survey.views.get(view) else { return };
    for base in names.mentioned(create, &view.database) {
        if survey.views.contains_key(&base) {
            follow_view(survey, names, &base, seen, found);
        } else {
            found.add(base, Relation::ViewBase);
        }
    }
}

/// Triggers fire on, and their targets' triggers too.
fn follow_triggers(survey: &Survey, names: &Names, found: &mut Found) {
    let mut open = found.names();
    while let Some(table) = open.pop() {
        for trigger in survey.triggers.values().filter(|trigger| names.same(&trigger.table, &table)) {
            for target in &trigger.touches {
                let target = names.spelling(target);
                if survey.views.contains_key(&target) {
                    follow_view(survey, names, &target, &mut BTreeSet::new(), found);
                } else if found.add(target.clone(), Relation::TriggerTarget) {
                    open.push(target);
                }
            }
        }
    }
}

/// Parents and children of what changes, one step; further down as long as rows change by cascades. (Cascades fire no
/// triggers: manual, both vendors.)
fn follow_keys(survey: &Survey, names: &Names, found: &mut Found) {
    let changed = found.names();
    for table in &changed {
        for key in survey.tables.get(table).into_iter().flat_map(|facts| &facts.foreign_keys) {
            found.add(names.spelling(&key.parent), Relation::Parent);
        }
    }
    let mut open = changed;
    let mut seen: BTreeSet<TableName> = open.iter().cloned().collect();
    while let Some(parent) = open.pop() {
        for (child, facts) in &survey.tables {
            for key in facts.foreign_keys.iter().filter(|key| names.same(&key.parent, &parent)) {
                found.add(child.clone(), Relation::Child);
                let changes = |action: &str| matches!(action, "CASCADE" | "SET NULL" | "SET DEFAULT");
                if (changes(&key.on_delete) || changes(&key.on_update)) && seen.insert(child.clone()) {
                    open.push(child.clone());
                }
            }
        }
    }
}

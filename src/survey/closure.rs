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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::record::{ForeignKeyFacts, ServerFacts, TableFacts, TriggerFacts};

    fn name(table: &str) -> TableName {
        TableName::new("app", table)
    }

    fn table(keys: &[(&str, &str)]) -> TableFacts {
        let foreign_keys = keys.iter().map(|(parent, on_delete)| ForeignKeyFacts {
            name: format!("to_{parent}"),
            columns: vec!["x".into()],
            parent: name(parent),
            parent_columns: vec!["id".into()],
            on_delete: (*on_delete).into(),
            on_update: "NO ACTION".into(),
        });
        TableFacts {
            create: String::new(),
            rows: 0,
            rows_basis: Default::default(),
            data_bytes: 0,
            index_bytes: 0,
            engine: "InnoDB".into(),
            auto_increment: None,
            row_versions: None,
            columns: vec![],
            indexes: vec![],
            foreign_keys: foreign_keys.collect(),
            partitions: vec![],
        }
    }

    /// users ← orders (cascade) ← items (restrict); items ← notes (cascade); a trigger of orders writes audit, whose own
    /// writes log; the view grown is of wide, which is a view of users and prices.
    fn shop() -> Survey {
        let trigger = |on: &str, into: &str| TriggerFacts {
            table: name(on),
            timing: "AFTER".into(),
            event: "INSERT".into(),
            create: String::new(),
            sql_mode: String::new(),
            touches: vec![name(into)],
        };
        Survey {
            tables: [
                (name("users"), table(&[])),
                (name("orders"), table(&[("users", "CASCADE")])),
                (name("items"), table(&[("orders", "RESTRICT"), ("prices", "RESTRICT"), ("items", "CASCADE")])),
                (name("notes"), table(&[("items", "CASCADE")])),
                (name("prices"), table(&[])),
                (name("audit"), table(&[])),
                (name("log"), table(&[])),
            ]
            .into(),
            views: [
                (name("wide"), "CREATE VIEW `app`.`wide` AS SELECT * FROM `app`.`users`, `app`.`prices`".to_owned()),
                (name("grown"), "CREATE VIEW `app`.`grown` AS SELECT * FROM `app`.`wide`".to_owned()),
            ]
            .into(),
            triggers: [(name("a"), trigger("orders", "audit")), (name("b"), trigger("audit", "log"))].into(),
            ..Survey::empty(ServerFacts::of("mysql:9.7".parse().expect("a flavour")))
        }
    }

    fn reached(survey: &Survey, from: &str) -> Vec<(String, Relation)> {
        let related = related(survey, &[name(from)].into());
        in_order(&related).into_iter().map(|(name, relation)| (name.table, relation)).collect()
    }

    fn list(pairs: &[(&str, Relation)]) -> Vec<(String, Relation)> {
        pairs.iter().map(|(name, relation)| ((*name).to_owned(), *relation)).collect()
    }

    #[test]
    fn children_are_followed_as_far_as_rows_change_by_cascades() {
        use Relation::*;
        let expected = [("users", Itself), ("items", Child), ("orders", Child)];
        assert_eq!(reached(&shop(), "users"), list(&expected), "not notes: items are only looked up, not changed");
        let expected = [("items", Itself), ("orders", Parent), ("prices", Parent), ("notes", Child)];
        assert_eq!(reached(&shop(), "items"), list(&expected), "a key to itself changes nothing");
    }

    #[test]
    fn triggers_are_followed_through_what_they_write() {
        use Relation::*;
        let expected =
            [("orders", Itself), ("users", Parent), ("items", Child), ("audit", TriggerTarget), ("log", TriggerTarget)];
        assert_eq!(reached(&shop(), "orders"), list(&expected));
    }

    #[test]
    fn a_view_stands_for_its_bases() {
        use Relation::*;
        let reached = reached(&shop(), "grown");
        assert!(reached.contains(&("users".into(), ViewBase)) && reached.contains(&("prices".into(), ViewBase)));
        assert!(!reached.iter().any(|(name, _)| name == "grown" || name == "wide"), "{reached:?}");
    }

    #[test]
    fn a_table_that_is_still_to_be_created_stays_and_case_counts_as_on_the_server() {
        let mut shop = shop();
        assert_eq!(reached(&shop, "Users"), list(&[("Users", Relation::Itself)]));
        shop.server.settings.insert("lower_case_table_names".into(), "1".into());
        assert_eq!(reached(&shop, "Users").len(), 3);
    }
}

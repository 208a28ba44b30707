//! From a survey and numbers of rows to the plans of all tables: keys and foreign keys settled, shortages found.

use std::collections::BTreeMap;

use crate::quantity::grouped;
use crate::server::flavor::Flavor;
use crate::sql::record::TableName;
use crate::survey::record::{Survey, TableFacts};

use super::draw::seed;
use super::keys::{Key, Shortage, Unit, settle};
use super::partition;
use super::references::{self, Links};
use super::rows::{ColumnPlan, Pick, Plans, Reference, Source, TablePlan};
use super::values::choice::Choice;
use super::values::of_column::{Setting, null_share, shape};
use super::values::{Entry, Shape};

/// Plans every table of the survey. Tables that `rows` does not name get none.
pub fn plan(survey: &Survey, flavor: Flavor, rows: &BTreeMap<TableName, u64>, now: i64) -> Plans {
    let names: Vec<&TableName> = survey.tables.keys().collect();
    let mut wanted: Vec<u64> = names.iter().map(|name| rows.get(*name).copied().unwrap_or(0)).collect();
    let mut reasons: BTreeMap<usize, String> = BTreeMap::new();
    loop {
        let mut plans = Plans::default();
        let mut shrunk = false;
        for (place, name) in names.iter().enumerate() {
            let facts = &survey.tables[*name];
            let builder = Builder { name, facts, names: &names, rows: &wanted, now, flavor };
            match builder.table(place) {
                Ok(plan) => plans.0.push(plan),
                Err(TooMany { fits, why }) => {
                    wanted[place] = fits.min(wanted[place].saturating_sub(1));
                    reasons.insert(place, why);
                    shrunk = true;
                    break;
                }
            }
        }
        if shrunk {
            continue;
        }
        for (place, why) in reasons {
            let asked = rows.get(names[place]).copied().unwrap_or(0);
            let note = format!("{} of {} rows: {why}", grouped(wanted[place]), grouped(asked));
            plans.0[place].notes.insert(0, note);
        }
        references::resolve(survey, &names, &mut plans);
        return plans;
    }
}

struct TooMany {
    fits: u64,
    why: String,
}

struct Builder<'a> {
    name: &'a TableName,
    facts: &'a TableFacts,
    names: &'a [&'a TableName],
    rows: &'a [u64],
    now: i64,
    flavor: Flavor,
}

impl Builder<'_> {
    fn table(&self, place: usize) -> Result<TablePlan, TooMany> {
        let rows = self.rows[place];
        let mut notes = Vec::new();
        let (mut columns, nullable) = self.columns(rows, &mut notes)?;
        let links = references::links(self.facts, self.names);
        let (mut units, of_column) = self.units(place, &columns, &nullable, &links)?;
        let keys = self.keys(&of_column, &links);
        settle(&mut units, &keys, rows).map_err(|Shortage { key, fits }| TooMany {
            fits,
            why: format!("the unique key {key} of {} has room for no more", self.name),
        })?;
        let prefixes = self.prefixes();
        for (column, unit) in of_column.iter().enumerate() {
            let Some(unit) = unit.filter(|unit| !units[*unit].reference) else { continue };
            if let (Some(index), false) = (units[unit].index, units[unit].counts) {
                let plan = &mut columns[column];
                let prefix = prefixes.get(&plan.name.to_ascii_lowercase()).copied();
                plan.shape = plan.shape.clone().distinct(units[unit].below.max(1), prefix);
                plan.source = Source::Indexed(index);
            }
        }
        let mut references = Vec::new();
        for (which, link) in links.iter().enumerate() {
            let key = &self.facts.foreign_keys[link.key];
            let unit = &units[columns.len() + which];
            let nulls = link.columns.iter().map(|(child, _)| nullable[*child]).max().unwrap_or(0);
            let pick = match unit.index {
                Some(index) => Pick::Indexed(index),
                None if link.parent == place => Pick::Earlier(nulls),
                None => Pick::Any(nulls),
            };
            for (child, parent) in &link.columns {
                columns[*child].source = Source::Referenced { reference: which, column: *parent };
            }
            for child in &link.nulled {
                columns[*child].source = Source::Null;
            }
            references.push(Reference {
                parent: link.parent,
                rows: self.rows[link.parent],
                seed: seed(&[&self.name.database, &self.name.table, &key.name, "foreign key"]),
                pick,
            });
        }
        let doubtful = references::doubtful(self.facts, self.names, &links);
        Ok(TablePlan { name: self.name.clone(), rows, columns, references, doubtful, notes })
    }

    /// The written columns, each with the chance of NULL.
    fn columns(&self, rows: u64, notes: &mut Vec<String>) -> Result<(Vec<ColumnPlan>, Vec<u32>), TooMany> {
        let mut columns = Vec::new();
        let mut nullable = Vec::new();
        for facts in self.facts.columns.iter().filter(|column| column.generated.is_none()) {
            let mut setting =
                Setting { flavor: self.flavor, rows, production_rows: self.facts.rows, now: self.now, srid: 0 };
            setting.srid = references::srid(&self.facts.create, &facts.name);
            let json = references::must_be_json(&self.facts.create, &facts.name);
            let known = if json { Some((Shape::Json, Entry::Plain)) } else { shape(facts, &setting) };
            let source = if facts.auto_increment { Source::Counter } else { Source::Free(null_share(facts)) };
            let (mut shape, entry, source) = match known {
                Some((shape, entry)) => (shape, entry, source),
                None if facts.nullable => {
                    notes.push(format!(
                        "column {} is all NULL: nothing is known of type {}",
                        facts.name, facts.column_type
                    ));
                    (Shape::Json, Entry::Plain, Source::Null)
                }
                None if rows == 0 => (Shape::Json, Entry::Plain, Source::Null),
                None => {
                    let why = format!("nothing is known of type {} of column {}", facts.column_type, facts.name);
                    return Err(TooMany { fits: 0, why });
                }
            };
            let bounds = partition::bounds(
                self.facts,
                facts,
                match &shape {
                    Shape::Number(number) => Some(number),
                    _ => None,
                },
            );
            if let (Some(below), Some(number)) = (bounds.below, shape.number_mut()) {
                number.narrow(None, Some(below - 1));
            }
            if let Some(listed) = bounds.listed {
                shape = Shape::Choice(Choice::even(listed));
            }
            let most = shape.number_mut().map_or(u64::MAX, |number| u64::try_from(number.max).unwrap_or(u64::MAX));
            if facts.auto_increment && rows > most {
                let why = format!("AUTO_INCREMENT of type {} ends there", facts.column_type);
                return Err(TooMany { fits: most, why });
            }
            nullable.push(if facts.nullable { null_share(facts).max(1) } else { 0 });
            let seed = seed(&[&self.name.database, &self.name.table, &facts.name]);
            columns.push(ColumnPlan { name: facts.name.clone(), seed, shape, entry, source });
        }
        Ok((columns, nullable))
    }

    /// A unit for each column, then one for each foreign key; and the unit of each column.
    fn units(
        &self,
        place: usize,
        columns: &[ColumnPlan],
        nullable: &[u32],
        links: &[Links],
    ) -> Result<(Vec<Unit>, Vec<Option<usize>>), TooMany> {
        let prefixes = self.prefixes();
        let mut units = Vec::new();
        let mut of_column = Vec::new();
        for (place, column) in columns.iter().enumerate() {
            let prefix = prefixes.get(&column.name.to_ascii_lowercase()).copied();
            let capacity = column.shape.clone().distinct(1, prefix).capacity();
            let usual = match &column.shape {
                Shape::Number(number) => u64::try_from(number.high - number.low).unwrap_or(u64::MAX).saturating_add(1),
                Shape::Few(count, _) => *count,
                _ => capacity,
            };
            let mut unit = Unit::new(capacity, usual, nullable[place] > 0, false, column.seed);
            unit.counts = column.source == Source::Counter;
            units.push(unit);
            of_column.push((column.source != Source::Null).then_some(place));
        }
        for (which, link) in links.iter().enumerate() {
            let parent_rows = self.rows[link.parent];
            let key = &self.facts.foreign_keys[link.key];
            let may_be_null = !link.nulled.is_empty() || link.columns.iter().any(|(child, _)| nullable[*child] > 0);
            if parent_rows == 0 && !may_be_null && self.rows[place] > 0 {
                let why = format!(
                    "foreign key {} refers to {}, which has no rows; give that table rows too",
                    key.name, key.parent
                );
                return Err(TooMany { fits: 0, why });
            }
            let name_seed = seed(&[&self.name.database, &self.name.table, &key.name]);
            units.push(Unit::new(parent_rows, parent_rows, may_be_null, true, name_seed));
            for (child, _) in &link.columns {
                of_column[*child] = Some(columns.len() + which);
            }
            for child in &link.nulled {
                of_column[*child] = None;
            }
        }
        Ok((units, of_column))
    }

    /// The unique keys, in units. A key with a column that is always NULL is never violated and left out.
    fn keys(&self, of_column: &[Option<usize>], links: &[Links]) -> Vec<Key> {
        let written: Vec<String> = self
            .facts
            .columns
            .iter()
            .filter(|column| column.generated.is_none())
            .map(|column| column.name.to_ascii_lowercase())
            .collect();
        let place = |name: &str| written.iter().position(|column| *column == name.to_ascii_lowercase());
        let mut keys = Vec::new();
        'index: for index in self.facts.indexes.iter().filter(|index| index.unique) {
            let mut parts = Vec::new();
            for part in &index.columns {
                let generated = self.facts.column(&part.name).and_then(|column| column.generated.as_deref());
                match generated.or(part.expression.as_deref()) {
                    // A distinct column usually makes a distinct expression; the index build finds out.
                    Some(expression) => {
                        parts.extend(written.iter().position(|name| references::names(expression, name)))
                    }
                    None => parts.extend(place(&part.name)),
                }
            }
            let mut units: Vec<usize> = Vec::new();
            for part in &parts {
                let Some(unit) = of_column[*part] else { continue 'index };
                // A foreign key tells rows apart only with all its columns.
                let whole = unit
                    .checked_sub(of_column.len())
                    .is_none_or(|which| links[which].columns.iter().all(|(child, _)| parts.contains(child)));
                if whole && !units.contains(&unit) {
                    units.push(unit);
                }
            }
            keys.push(Key { name: index.name.clone(), primary: index.name == "PRIMARY", units });
        }
        keys
    }

    /// The shortest prefix of each column, in lower case, that a unique key indexes.
    fn prefixes(&self) -> BTreeMap<String, usize> {
        let mut prefixes = BTreeMap::new();
        for part in self.facts.indexes.iter().filter(|index| index.unique).flat_map(|index| &index.columns) {
            if let Some(prefix) = part.prefix {
                let shortest = prefixes.entry(part.name.to_ascii_lowercase()).or_insert(usize::MAX);
                *shortest = (*shortest).min(prefix as usize);
            }
        }
        prefixes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn column(name: &str, column_type: &str, nullable: bool, auto: bool) -> Value {
        let data_type = column_type.split(['(', ' ']).next().unwrap_or_default();
        json!({"name": name, "data_type": data_type, "column_type": column_type, "nullable": nullable,
            "auto_increment": auto})
    }

    fn index(name: &str, columns: &[&str]) -> Value {
        let columns: Vec<_> = columns.iter().map(|name| json!({"name": name})).collect();
        json!({"name": name, "unique": true, "kind": "BTREE", "columns": columns})
    }

    fn foreign_key(columns: &[&str], parent: &str, parent_columns: &[&str]) -> Value {
        json!({"name": format!("to_{parent}"), "columns": columns, "parent": format!("app.{parent}"),
            "parent_columns": parent_columns, "on_delete": "RESTRICT", "on_update": "RESTRICT"})
    }

    fn survey(tables: Value) -> Survey {
        serde_json::from_value(json!({"format": "rehearse/survey@1", "server": {"flavor": "mysql:9.7"},
            "databases": {}, "tables": tables}))
        .expect("a survey")
    }

    fn table(columns: &[Value], indexes: &[Value], foreign_keys: &[Value]) -> Value {
        json!({"create": "", "rows": 0, "rows_basis": "stated", "engine": "InnoDB", "columns": columns,
            "indexes": indexes, "foreign_keys": foreign_keys})
    }

    fn shop() -> Survey {
        survey(json!({
            "app.users": table(
                &[column("id", "int", false, true), column("email", "varchar(40)", false, false),
                    column("manager", "int", true, false)],
                &[index("PRIMARY", &["id"]), index("email", &["email"])],
                &[foreign_key(&["manager"], "users", &["id"])]),
            "app.tags": table(&[column("name", "char(5)", false, false)], &[index("PRIMARY", &["name"])], &[]),
            "app.tagged": table(
                &[column("user", "int", false, false), column("tag", "char(5)", false, false)],
                &[index("PRIMARY", &["user", "tag"])],
                &[foreign_key(&["user"], "users", &["id"]), foreign_key(&["tag"], "tags", &["name"])]),
        }))
    }

    fn counts(users: u64, tags: u64, tagged: u64) -> BTreeMap<TableName, u64> {
        [("users", users), ("tags", tags), ("tagged", tagged)]
            .map(|(table, rows)| (TableName::new("app", table), rows))
            .into()
    }

    fn rows(plans: &Plans, table: &str) -> Vec<Vec<Option<String>>> {
        let place = plans.0.iter().position(|plan| plan.name.table == table).expect("a table");
        let cell = |column, row| {
            let mut out = Vec::new();
            plans.cell(place, column, row, &mut out).then(|| String::from_utf8(out).expect("ascii"))
        };
        let width = plans.0[place].columns.len();
        (0..plans.0[place].rows).map(|row| (0..width).map(|column| cell(column, row)).collect()).collect()
    }

    fn flavor() -> Flavor {
        "mysql:9.7".parse().expect("a flavor")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn children_refer_to_rows_that_are_there(users in 1_u64..400, tags in 1_u64..40, tagged in 0_u64..600) {
            let plans = plan(&shop(), flavor(), &counts(users, tags, tagged), 1_790_000_000);
            let column = |table: &str, column: usize| -> BTreeSet<Option<String>> {
                rows(&plans, table).into_iter().map(|row| row[column].clone()).collect()
            };
            let (ids, names) = (column("users", 0), column("tags", 0));
            prop_assert_eq!(ids.len() as u64, users);
            prop_assert_eq!(column("users", 1).len() as u64, users);
            prop_assert_eq!(names.len() as u64, tags);
            let pairs = rows(&plans, "tagged");
            prop_assert_eq!(pairs.len() as u64, tagged.min(users * tags));
            prop_assert!(pairs.iter().all(|pair| ids.contains(&pair[0]) && names.contains(&pair[1])));
            prop_assert_eq!(pairs.iter().collect::<BTreeSet<_>>().len(), pairs.len());
            let managers = column("users", 2);
            prop_assert!(managers.iter().flatten().all(|manager| ids.contains(&Some(manager.clone()))));
        }
    }

    #[test]
    fn a_nullable_reference_is_sometimes_null() {
        let plans = plan(&shop(), flavor(), &counts(5000, 1, 1), 1_790_000_000);
        let roots = rows(&plans, "users").into_iter().filter(|row| row[2].is_none()).count();
        assert!((250..450).contains(&roots), "{roots}");
    }

    #[test]
    fn a_junction_that_is_full_says_so() {
        let plans = plan(&shop(), flavor(), &counts(3, 2, 10), 1_790_000_000);
        let tagged = plans.0.iter().find(|plan| plan.name.table == "tagged").expect("a table");
        assert_eq!(tagged.rows, 6);
        assert_eq!(tagged.notes, ["6 of 10 rows: the unique key PRIMARY of app.tagged has room for no more"]);
        assert_eq!(rows(&plans, "tagged").into_iter().collect::<BTreeSet<_>>().len(), 6);
    }
}

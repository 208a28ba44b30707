//! Rows that another session writes between a step and its undo: a few are inserted and changed, and counted afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Context, Result};

use crate::pipeline::stage::Stage;
use crate::plan::record::{Plan, ScriptPhase};
use crate::plan::restored::Written;
use crate::server::fault::Fault;
use crate::server::role::Role;
use crate::server::session::Writer;
use crate::sql::record::{TableName, quote_identifier, quote_text};

/// Rows of each kind.
const ROWS: usize = 3;

/// What was written into one table.
#[derive(Debug)]
pub struct Marked {
    table: TableName,
    rows: Vec<Row>,
    /// What could not be written, in a sentence.
    untried: String,
}

/// A row as the other session left it.
#[derive(Debug)]
struct Row {
    /// `` `id` = 7 ``
    place: String,
    /// Checksums by column: all of a new row, of a changed one the column that was changed.
    values: BTreeMap<String, String>,
    is_new: bool,
}

/// Whether each row of each table is gone, in the order of [`Marked`].
pub type Gone = Vec<Vec<bool>>;

/// Writes into the tables that a leg's backups are of.
///
/// # Errors
/// When the sandbox fails. What the tables do not allow is told in [`Marked`].
pub fn write(stage: &Stage, plan: &Plan, leg: &Range<usize>) -> Result<Vec<Marked>> {
    let mut seen = BTreeSet::new();
    let mut marked = Vec::new();
    for backup in plan.steps[leg.clone()].iter().flat_map(|step| step.covered_by()).filter_map(|id| plan.backup(id)) {
        if backup.of.table.is_empty() || !seen.insert(backup.of.clone()) {
            continue;
        }
        let mut session = stage.sandbox.instance().writer(Role::Pool).context("cannot open a session that writes")?;
        let Some(shape) = Shape::read(&mut session, &backup.of).context("cannot look at a table")? else { continue };
        let mut one = Marked { table: backup.of.clone(), rows: Vec::new(), untried: String::new() };
        // Changed first: they are rows that the step left, not those that are new.
        let changed = shape.change(&mut session, backup.way.table(), &mut one);
        let inserted = shape.insert(&mut session, backup.way.table(), &mut one);
        for fault in [changed, inserted].into_iter().filter_map(Result::err) {
            if fault.is_connection_lost() {
                return Err(fault).context("cannot write as another session");
            }
            one.untried = format!("{} refused a row that was to be written ({fault})", one.table);
        }
        marked.push(one);
    }
    Ok(marked)
}

/// Looks which rows are gone, or have lost what was written.
///
/// # Errors
/// When the sandbox fails.
pub fn gone(stage: &Stage, marked: &[Marked]) -> Result<Gone> {
    let mut session = stage.sandbox.instance().writer(Role::Pool).context("cannot look for the rows")?;
    let mut gone = Vec::new();
    for table in marked {
        let shape = Shape::read(&mut session, &table.table).context("cannot look at a table")?;
        let mut each = Vec::new();
        for row in &table.rows {
            each.push(match &shape {
                None => true,
                Some(shape) => !shape.holds(&mut session, row).context("cannot look for a row")?,
            });
        }
        gone.push(each);
    }
    Ok(gone)
}

/// Tells the steps of a leg what their undo loses.
pub fn note(plan: &mut Plan, leg: &Range<usize>, marked: &[Marked], gone: &Gone, merged: Option<&Gone>) {
    let mut told = Vec::new();
    for at in leg.clone() {
        let Some(step) = plan.steps.get(at) else { continue };
        let mut written = Written::default();
        let mut back = 0;
        for (place, table) in marked.iter().enumerate() {
            let mine = |id: &String| plan.backup(id).is_some_and(|backup| backup.of == table.table);
            if !step.covered_by().iter().any(mine) {
                continue;
            }
            for (index, row) in table.rows.iter().enumerate() {
                let is_gone = gone[place][index];
                let (all, away) = match row.is_new {
                    true => (&mut written.inserted, &mut written.inserted_gone),
                    false => (&mut written.updated, &mut written.updated_gone),
                };
                *all += 1;
                *away += u64::from(is_gone);
                back += u64::from(is_gone && merged.is_some_and(|merged| !merged[place][index]));
            }
            if !table.untried.is_empty() {
                written.untried.clone_from(&table.untried);
            }
        }
        let merge = plan.scripts_of(&step.body.id).find(|script| script.phase == ScriptPhase::Merge);
        written.merge = merge.map(|script| script.path.clone());
        written.merged = merge.and(merged).map(|_| back);
        if written != Written::default() && !step.covered_by().is_empty() {
            told.push((at, written));
        }
    }
    for (at, written) in told {
        if let Some(shown) = &mut plan.steps[at].body.undo.shown {
            shown.written = Some(written);
        }
    }
}

/// A table's columns as they are now.
struct Shape {
    table: TableName,
    columns: Vec<Column>,
    key: Vec<String>,
}

struct Column {
    name: String,
    kind: String,
    counts_up: bool,
    generated: bool,
    indexed: bool,
}

impl Column {
    fn is_integer(&self) -> bool {
        self.kind.ends_with("int")
    }

    /// Another value than the one that is there; none for types of which nobody can say.
    fn other(&self) -> Option<String> {
        let name = quote_identifier(&self.name);
        let between = |one: &str, two: &str| Some(format!("IF({name} = {one}, {two}, {one})"));
        match self.kind.as_str() {
            "decimal" | "float" | "double" => between("1", "2"),
            kind if kind.ends_with("int") => between("1", "2"),
            kind if kind.ends_with("char") || kind.ends_with("text") => between("'r'", "'s'"),
            "date" | "datetime" | "timestamp" => between("'2001-02-03'", "'2001-02-04'"),
            _ => None,
        }
    }

    /// A literal of the column's value, as an expression of the server's.
    fn literal(&self) -> String {
        let name = quote_identifier(&self.name);
        match self.kind.as_str() {
            "decimal" | "float" | "double" | "year" | "bit" => format!("{name} + 0"),
            kind if kind.ends_with("int") => name,
            "date" | "datetime" | "timestamp" | "time" => format!("QUOTE({name})"),
            _ => format!("CONCAT('x''', HEX({name}), '''')"),
        }
    }
}

impl Shape {
    /// None when there is no such table.
    fn read(session: &mut Writer, table: &TableName) -> Result<Option<Self>, Fault> {
        let of = format!(
            "WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            quote_text(&table.database),
            quote_text(&table.table)
        );
        let columns: Vec<(String, String, String, String, String)> = session.rows(&format!(
            "SELECT COLUMN_NAME, CAST(DATA_TYPE AS CHAR), EXTRA, COALESCE(GENERATION_EXPRESSION, ''), COLUMN_KEY \
             FROM information_schema.COLUMNS {of} ORDER BY ORDINAL_POSITION"
        ))?;
        let key: Vec<String> = session.rows(&format!(
            "SELECT COLUMN_NAME FROM information_schema.STATISTICS {of} AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX"
        ))?;
        let column = |(name, kind, extra, generated, index): (String, String, String, String, String)| Column {
            name,
            kind: kind.to_ascii_lowercase(),
            counts_up: extra.to_ascii_lowercase().contains("auto_increment"),
            generated: !generated.is_empty(),
            indexed: !index.is_empty(),
        };
        let columns: Vec<Column> = columns.into_iter().map(column).collect();
        Ok((!columns.is_empty()).then(|| Self { table: table.clone(), columns, key }))
    }

    fn stored(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.generated)
    }

    fn key(&self) -> Vec<&Column> {
        self.key.iter().filter_map(|name| self.columns.iter().find(|column| column.name == *name)).collect()
    }

    /// `` CONCAT('`id` = ', `id`, ' AND …') ``: the condition that finds a row again.
    fn place(&self) -> String {
        let part = |column: &&Column| {
            format!("{}, {}", quote_text(&format!("{} = ", quote_identifier(&column.name))), column.literal())
        };
        format!("CONCAT({})", self.key().iter().map(part).collect::<Vec<_>>().join(", ' AND ', "))
    }

    fn order(&self) -> String {
        self.key.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ")
    }

    /// Changes a column of rows that are there; where the backup has a table, of rows that it kept.
    fn change(&self, session: &mut Writer, copy: Option<&TableName>, marked: &mut Marked) -> Result<(), Fault> {
        let plain: Vec<&Column> =
            self.stored().filter(|column| !column.indexed && !column.counts_up && column.other().is_some()).collect();
        if self.key.is_empty() {
            marked.untried = format!("{} has no primary key by which a row written since could be told", self.table);
            return Ok(());
        }
        if plain.is_empty() {
            return Ok(());
        }
        let joined = self.key.iter().map(|name| quote_identifier(name)).map(|name| format!("b.{name} = t.{name}"));
        let joined = joined.collect::<Vec<_>>().join(" AND ");
        let found = |kept: &str| {
            format!(
                "SELECT {} FROM {} AS t {kept} ORDER BY {} LIMIT {ROWS}",
                self.place(),
                self.table.quoted(),
                self.order()
            )
        };
        let mut places: Vec<String> = Vec::new();
        if let Some(copy) = copy {
            let kept = format!("WHERE EXISTS (SELECT 1 FROM {} AS b WHERE {joined})", copy.quoted());
            // A copy of another shape has no such rows to tell.
            places = session.rows(&found(&kept)).or_else(|fault| lost_or(fault, Vec::new()))?;
        }
        if places.is_empty() {
            places = session.rows(&found(""))?;
        }
        for (at, place) in places.into_iter().enumerate() {
            let column = plain[at % plain.len()];
            let (name, Some(other)) = (quote_identifier(&column.name), column.other()) else { continue };
            session.execute(&format!("UPDATE {} SET {name} = {other} WHERE {place}", self.table.quoted()))?;
            let values = self.values(session, &place, |one| one.name == column.name)?.unwrap_or_default();
            marked.rows.push(Row { place, values, is_new: false });
        }
        Ok(())
    }

    /// Inserts copies of rows of the table, or of what was kept of it, under keys of their own.
    fn insert(&self, session: &mut Writer, copy: Option<&TableName>, marked: &mut Marked) -> Result<(), Fault> {
        let key = self.key();
        let Some(fresh) = key.iter().find(|column| column.counts_up).or_else(|| key.iter().find(|it| it.is_integer()))
        else {
            if !key.is_empty() {
                marked.untried = format!("no row was inserted into {}, whose key is no number", self.table);
            }
            return Ok(());
        };
        let name = quote_identifier(&fresh.name);
        let own = self.table.quoted();
        let empty = session.first::<u8>(&format!("SELECT 1 FROM {own} LIMIT 1"))?.is_none();
        // What was kept may be of another shape than the table by now: a column that came since gets its default.
        let (source, shared) = match copy {
            Some(copy) if empty => {
                let columns = Shape::read(session, copy)?.map(|kept| kept.columns).unwrap_or_default();
                (copy.quoted(), Some(columns.into_iter().map(|column| column.name).collect::<BTreeSet<_>>()))
            }
            _ if empty => {
                marked.untried = format!("{} is empty, so no row was there to be copied into a new one", self.table);
                return Ok(());
            }
            _ => (own.clone(), None),
        };
        for at in 0..ROWS {
            let columns: Vec<String> = self
                .stored()
                .filter(|column| !(column.counts_up && column.name == fresh.name))
                .filter(|column| shared.as_ref().is_none_or(|kept| kept.contains(&column.name)))
                .map(|column| quote_identifier(&column.name))
                .collect();
            let most = |table: &str| format!("COALESCE((SELECT MAX({name}) FROM {table}), 0)");
            let next = format!("GREATEST({}, {}) + 1", most(&own), most(&source));
            let values: Vec<String> =
                columns.iter().map(|column| if *column == name { next.clone() } else { column.clone() }).collect();
            let done = session.execute(&format!(
                "INSERT INTO {own} ({}) SELECT {} FROM {source} ORDER BY {} LIMIT 1 OFFSET {at}",
                columns.join(", "),
                values.join(", "),
                self.order()
            ))?;
            if done.affected == 0 {
                break;
            }
            let newest = if fresh.counts_up {
                "LAST_INSERT_ID()".to_owned()
            } else {
                format!("(SELECT MAX({name}) FROM {own})")
            };
            let sql = format!("SELECT {} FROM {own} WHERE {name} = {newest} LIMIT 1", self.place());
            let Some(place) = session.first::<String>(&sql)? else { break };
            if marked.rows.iter().any(|row| row.is_new && row.place == place) {
                break;
            }
            let values = self.values(session, &place, |_| true)?.unwrap_or_default();
            marked.rows.push(Row { place, values, is_new: true });
        }
        Ok(())
    }

    /// Checksums of a row's columns; none when there is no such row.
    fn values(
        &self,
        session: &mut Writer,
        place: &str,
        wanted: impl Fn(&Column) -> bool,
    ) -> Result<Option<BTreeMap<String, String>>, Fault> {
        let columns: Vec<&Column> = self.stored().filter(|column| wanted(column)).collect();
        let sums: Vec<String> = columns
            .iter()
            .map(|column| format!("COALESCE(CRC32(HEX({})), 'N')", quote_identifier(&column.name)))
            .collect();
        let sql = format!("SELECT CONCAT_WS(',', {}) FROM {} WHERE {place}", sums.join(", "), self.table.quoted());
        let Some(row) = session.first::<String>(&sql)? else { return Ok(None) };
        Ok(Some(columns.iter().map(|column| column.name.clone()).zip(row.split(',').map(str::to_owned)).collect()))
    }

    /// The row is there with what was written, as far as its columns still are.
    fn holds(&self, session: &mut Writer, row: &Row) -> Result<bool, Fault> {
        let now = self.values(session, &row.place, |column| row.values.contains_key(&column.name));
        let now = now.or_else(|fault| lost_or(fault, None))?;
        let Some(now) = now else { return Ok(false) };
        Ok((!now.is_empty() || row.is_new) && now.iter().all(|(name, value)| row.values.get(name) == Some(value)))
    }
}

/// What stands for a query that the server refused.
fn lost_or<T>(fault: Fault, instead: T) -> Result<T, Fault> {
    if fault.is_connection_lost() { Err(fault) } else { Ok(instead) }
}

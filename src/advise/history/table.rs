//! What the upgrade has done to one table's definition so far.

use std::collections::{BTreeMap, BTreeSet};

use crate::replay::record::Observation;
use crate::sql::record::{AlterClass, AlterClause, ColumnDefinition, KeyPart, Kind, Statement};

/// Earlier statements that are remembered of one table.
const ALTERS: usize = 64;
/// Clauses that are remembered of one statement.
const CLAUSES: usize = 64;
/// Bytes of a clause's text that are remembered.
const TEXT: usize = 1_000;
/// Columns and earlier statements on rows that are remembered of one table.
const COLUMNS: usize = 2_000;
const WORK: usize = 8;

/// An earlier ALTER TABLE, CREATE INDEX or DROP INDEX.
#[derive(Clone, Debug, PartialEq)]
pub struct Alter {
    /// The statement's id.
    pub statement: String,
    /// Its label: the name that people gave it, else its id.
    pub label: String,
    /// The session that it ran on.
    pub session: u32,
    /// Its clauses in order.
    pub clauses: Vec<AlterClause>,
    /// It wrote the table anew, by its run or by the forecast; none where neither tells.
    pub anew: Option<bool>,
    /// Its own time, where it ran.
    pub seconds: Option<f64>,
    /// Statements on the table's rows that were remembered before it, in all.
    pub after_work: u64,
}

/// An earlier statement on a table's rows; the last of its look-alikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Its label.
    pub label: String,
    /// Its verb.
    pub kind: Kind,
    /// Its text, cut off where it is long.
    pub text: String,
    digest: String,
}

/// A TRUNCATE that the upgrade ran on a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emptied {
    /// Id of the statement.
    pub statement: String,
    /// Its label.
    pub label: String,
}

/// An index that the upgrade made or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDeed {
    /// Label of the statement.
    pub label: String,
    /// Id of the statement.
    pub statement: String,
    /// The clause's text.
    pub text: String,
    /// Its columns, where it makes one.
    pub parts: Vec<KeyPart>,
    /// Its class, which tells unique from plain.
    pub class: AlterClass,
}

/// What the upgrade has done to a table's definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TablePast {
    alters: Vec<Alter>,
    /// Indexes that it made and has not dropped since, by lower-case name.
    made: BTreeMap<String, IndexDeed>,
    /// Indexes that it dropped and has not made again since, by lower-case name.
    dropped: BTreeMap<String, IndexDeed>,
    /// Columns as it last defined them, by lower-case name; none for one that it dropped or gave another name.
    columns: BTreeMap<String, Option<ColumnDefinition>>,
    /// Columns that it added and has not dropped since, by lower-case name.
    added: BTreeSet<String>,
    emptied: Option<Emptied>,
    work: Vec<Work>,
    worked: u64,
    triggers: u64,
}

impl TablePast {
    /// The earlier statements on its definition, in order: the last 64.
    pub fn alters(&self) -> &[Alter] {
        &self.alters
    }

    /// Indexes that the upgrade has made and not dropped since, by lower-case name.
    pub fn made(&self) -> &BTreeMap<String, IndexDeed> {
        &self.made
    }

    /// Indexes that the upgrade has dropped and not made again since, by lower-case name.
    pub fn dropped(&self) -> &BTreeMap<String, IndexDeed> {
        &self.dropped
    }

    /// A column as the upgrade has left it: none where the upgrade did not define it, some none where it took it away.
    pub fn column(&self, name: &str) -> Option<Option<&ColumnDefinition>> {
        self.columns.get(&name.to_ascii_lowercase()).map(Option::as_ref)
    }

    /// The upgrade added this column to the table: before it there was none of this name.
    pub fn has_added(&self, column: &str) -> bool {
        self.added.contains(&column.to_ascii_lowercase())
    }

    /// The last statements that read or changed its rows, look-alikes once.
    pub fn work(&self) -> &[Work] {
        &self.work
    }

    /// Statements on its rows so far, look-alikes once: what an earlier ALTER's `after_work` is held against.
    pub fn worked(&self) -> u64 {
        self.worked
    }

    /// The TRUNCATE that put AUTO_INCREMENT back to its start, when no ALTER has set it since.
    pub fn emptied(&self) -> Option<&Emptied> {
        self.emptied.as_ref()
    }

    /// A TRUNCATE of the table.
    pub(super) fn note_truncate(&mut self, statement: &Statement) {
        self.emptied = Some(Emptied { statement: statement.id.clone(), label: statement.label().to_owned() });
    }

    /// Triggers that it made for the table, dropped since or not.
    pub fn made_triggers(&self) -> u64 {
        self.triggers
    }

    /// A statement on the table's rows.
    pub(super) fn note_work(&mut self, statement: &Statement) {
        if self.work.last().is_some_and(|last| last.digest == statement.digest) {
            return;
        }
        self.worked += 1;
        if self.work.len() >= WORK {
            self.work.remove(0);
        }
        let (label, kind) = (statement.label().to_owned(), statement.reading.kind);
        self.work.push(Work { label, kind, text: cut(&statement.text).to_owned(), digest: statement.digest.clone() });
    }

    /// Whether the last statement on the table's definition wrote the table anew.
    pub(super) fn note_anew(&mut self, anew: bool) {
        if let Some(last) = self.alters.last_mut() {
            last.anew = Some(anew);
        }
    }

    /// A statement on the table's definition.
    pub(super) fn apply(&mut self, statement: &Statement, observed: Option<&Observation>) {
        use Kind::{AlterTable, CreateIndex, CreateTable, DropIndex};
        let kind = statement.reading.kind;
        self.triggers += u64::from(kind == Kind::CreateTrigger);
        if !matches!(kind, AlterTable | CreateIndex | DropIndex | CreateTable) {
            return;
        }
        let clauses: Vec<AlterClause> = statement.reading.effect.clauses.iter().take(CLAUSES).map(shortened).collect();
        for clause in &clauses {
            self.index(statement, clause);
            self.define(clause);
        }
        if statement.reading.effect.clauses.iter().any(|clause| clause.class == AlterClass::AutoIncrement) {
            self.emptied = None;
        }
        if kind == CreateTable {
            return;
        }
        if self.alters.len() >= ALTERS {
            self.alters.remove(0);
        }
        self.alters.push(Alter {
            statement: statement.id.clone(),
            label: statement.label().to_owned(),
            session: statement.session,
            clauses,
            anew: None,
            seconds: observed.map(|observation| observation.seconds),
            after_work: self.worked,
        });
    }

    fn define(&mut self, clause: &AlterClause) {
        let gone = match clause.class {
            AlterClass::DropColumn | AlterClass::ModifyColumn | AlterClass::RenameColumn => clause.object.as_deref(),
            _ => None,
        };
        let was_added = gone.is_some_and(|name| self.added.remove(&name.to_ascii_lowercase()));
        // `IF NOT EXISTS` may have found it there.
        let adds = clause.class == AlterClass::AddColumn && !clause.text.to_ascii_uppercase().contains("EXISTS");
        if self.columns.len() + clause.columns.len() > COLUMNS {
            return;
        }
        if let Some(name) = gone {
            self.columns.insert(name.to_ascii_lowercase(), None);
        }
        for column in &clause.columns {
            self.columns.insert(column.name.to_ascii_lowercase(), Some(column.clone()));
            if adds || (was_added && clause.class != AlterClass::DropColumn) {
                self.added.insert(column.name.to_ascii_lowercase());
            }
        }
    }

    fn index(&mut self, statement: &Statement, clause: &AlterClause) {
        use AlterClass::*;
        let name = match (&clause.object, clause.class) {
            (_, AddPrimaryKey | DropPrimaryKey) => "primary".to_owned(),
            (Some(name), _) => name.to_ascii_lowercase(),
            (None, _) => return,
        };
        let deed = IndexDeed {
            label: statement.label().to_owned(),
            statement: statement.id.clone(),
            text: clause.text.clone(),
            parts: clause.parts.clone(),
            class: clause.class,
        };
        match clause.class {
            AddIndex | AddUnique | AddFulltext | AddSpatial | AddPrimaryKey => {
                self.dropped.remove(&name);
                self.made.insert(name, deed);
            }
            DropIndex | DropPrimaryKey => {
                self.made.remove(&name);
                self.dropped.insert(name, deed);
            }
            _ => {}
        }
    }
}

fn shortened(clause: &AlterClause) -> AlterClause {
    AlterClause { text: cut(&clause.text).to_owned(), ..clause.clone() }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

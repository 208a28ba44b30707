//! What the statements before said: the state of each session, and what the upgrade has done to each table so far.
//!
//! Folded statement by statement, so that a rule need not hold the script; all of it is bounded, whatever the script's
//! length. A rule that wants to know what comes *after* a statement judges at the later one, by what stands here, and may
//! place its finding at the earlier ([`Risk::about`](super::rule::Risk::about)).

pub mod patience;
pub mod session;
pub(super) mod set_words;
pub mod table;

use std::collections::{BTreeMap, BTreeSet};

use self::session::SessionPast;
use self::table::TablePast;
use super::alternatives::words::{Word, words};
use crate::replay::record::{Observation, Outcome};
use crate::sql::record::{Kind, Statement, TableName};
use crate::survey::record::Survey;

/// Sessions that are remembered; of more, the one that spoke longest ago is forgotten.
const SESSIONS: usize = 256;
/// Tables and other objects that are remembered.
const OBJECTS: usize = 20_000;

/// A kind of object that is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is the object it names")]
pub enum ObjectKind {
    View,
    Trigger,
    Routine,
    Event,
    Database,
    User,
}

/// What the upgrade last did to an object, and the statement (its label) that did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It created it.
    Made(String),
    /// It dropped it.
    Dropped(String),
}

/// All that was said so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    fresh: SessionPast,
    sessions: BTreeMap<u32, SessionPast>,
    /// When each session last spoke.
    spoke: BTreeMap<u32, u64>,
    tables: BTreeMap<TableName, TablePast>,
    objects: BTreeMap<(ObjectKind, TableName), Deed>,
    global: BTreeMap<String, String>,
    /// Actions so far, groups of look-alikes counted as one.
    spoken: u64,
    /// The first statement that changed a definition on a table that was there before.
    first_ddl: Option<String>,
    /// The first of those that would wait for its table for longer than anybody wants.
    first_patient: Option<String>,
    /// The tables of all of those, under the names that they had.
    waited_for: BTreeSet<TableName>,
    /// Verbs that were said.
    kinds: BTreeSet<Kind>,
}

impl History {
    /// Nothing said yet, to a server as surveyed.
    pub fn new(survey: Option<&Survey>) -> Self {
        Self { fresh: SessionPast::fresh(survey), ..Self::default() }
    }

    /// The past of a session; a fresh one's when it has not spoken yet.
    pub fn session(&self, session: u32) -> &SessionPast {
        self.sessions.get(&session).unwrap_or(&self.fresh)
    }

    /// What the upgrade has done to the table that has this name now; none when nothing.
    pub fn table(&self, table: &TableName) -> Option<&TablePast> {
        self.tables.get(table)
    }

    /// What the upgrade last did to a view, trigger, routine, event, database or user; none when nothing.
    pub fn object(&self, kind: ObjectKind, name: &TableName) -> Option<&Deed> {
        self.objects.get(&(kind, name.clone()))
    }

    /// The upgrade itself made the object and has not dropped it since.
    pub fn made(&self, kind: ObjectKind, name: &TableName) -> bool {
        matches!(self.object(kind, name), Some(Deed::Made(_)))
    }

    /// A global setting that the upgrade set (`SET GLOBAL`), as it was written.
    pub fn global(&self, name: &str) -> Option<&str> {
        self.global.get(name).map(String::as_str)
    }

    /// Label of the first statement that changed the definition of a table that the upgrade had not made itself; none when
    /// there was none so far.
    pub fn first_ddl(&self) -> Option<&str> {
        self.first_ddl.as_deref()
    }

    /// Label of the first such statement that would have waited for its table for longer than [`patience::LONG`].
    pub fn first_patient(&self) -> Option<&str> {
        self.first_patient.as_deref()
    }

    /// Tables that such statements would have waited for so far, under the names that they had.
    pub fn waited_for(&self) -> impl Iterator<Item = &TableName> {
        self.waited_for.iter()
    }

    /// A statement of this kind was said before, in any session.
    pub fn has_said(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Takes one statement (or a group of look-alikes) into account. Without an observation it counts as done.
    pub fn apply(
        &mut self,
        statement: &Statement,
        observed: Option<&Observation>,
        made_here: impl Fn(&TableName) -> bool,
    ) {
        self.apply_alike(statement, 1, observed, made_here);
    }

    /// As [`History::apply`]; without an observation the statement stands for so many look-alikes in a row.
    pub fn apply_alike(
        &mut self,
        statement: &Statement,
        alike: u64,
        observed: Option<&Observation>,
        made_here: impl Fn(&TableName) -> bool,
    ) {
        if observed.is_some_and(|observation| observation.outcome == Outcome::Skipped) {
            return;
        }
        let done = observed.is_none_or(|observation| observation.outcome == Outcome::Done);
        let count = observed.map_or(alike, |observation| observation.count).max(1);
        self.spoken += 1;
        self.kinds.insert(statement.reading.kind);
        let patient = statement.reading.kind.is_ddl() && patience::is_long(statement, self.session(statement.session));
        self.make_room(statement.session);
        let session = self.sessions.entry(statement.session).or_insert_with(|| self.fresh.clone());
        session.apply(statement, count, done);
        for set in set_words::assignments(statement).into_iter().filter(|set| set.global && done) {
            self.global.insert(set.name, set.value);
        }
        if !done {
            return;
        }
        let effect = &statement.reading.effect;
        if effect.temporary {
            return;
        }
        if (self.first_ddl.is_none() || patient) && changes_tables(statement, &made_here) {
            self.first_ddl.get_or_insert_with(|| statement.label().to_owned());
            if patient {
                self.first_patient.get_or_insert_with(|| statement.label().to_owned());
                let room = OBJECTS.saturating_sub(self.waited_for.len());
                let own = taken(statement).filter(|table| !made_here(table) && !self.waited_for.contains(*table));
                let fresh: Vec<TableName> = own.take(room).cloned().collect();
                self.waited_for.extend(fresh);
            }
        }
        for table in &effect.drops {
            self.tables.remove(table);
        }
        if statement.reading.kind.is_ddl() && self.tables.len() < OBJECTS {
            for table in &effect.defines {
                self.tables.entry(table.clone()).or_default().apply(statement, observed);
            }
            for table in effect.empties.iter().filter(|_| statement.reading.kind == Kind::Truncate) {
                self.tables.entry(table.clone()).or_default().note_truncate(statement);
            }
        } else if (statement.reading.kind.is_dml() || statement.reading.kind == Kind::Select)
            && self.tables.len() < OBJECTS
        {
            for table in effect.reads.union(&effect.writes) {
                self.tables.entry(table.clone()).or_default().note_work(statement);
            }
        }
        let moved: Vec<_> = effect.renames.iter().map(|(from, to)| (to.clone(), self.tables.remove(from))).collect();
        for (to, past) in moved {
            if let Some(past) = past {
                self.tables.insert(to, past);
            }
        }
        self.note_object(statement);
    }

    /// Takes note of whether the statement that was last applied wrote the table, under the name that it had, anew.
    pub fn note_anew(&mut self, statement: &Statement, anew: bool) {
        let effect = &statement.reading.effect;
        for table in &effect.defines {
            let now = effect.renames.get(table).unwrap_or(table);
            let past = self
                .tables
                .get_mut(now)
                .filter(|past| past.alters().last().is_some_and(|last| last.statement == statement.id));
            if let Some(past) = past {
                past.note_anew(anew);
            }
        }
    }

    fn make_room(&mut self, session: u32) {
        self.spoke.insert(session, self.spoken);
        if self.spoke.len() > SESSIONS
            && let Some(oldest) = self.spoke.iter().min_by_key(|(_, at)| **at).map(|(session, _)| *session)
        {
            self.spoke.remove(&oldest);
            self.sessions.remove(&oldest);
        }
    }

    fn note_object(&mut self, statement: &Statement) {
        let Some((kind, makes)) = object_of(statement.reading.kind) else { return };
        let database = self.sessions.get(&statement.session).map_or("", SessionPast::database);
        let effect = &statement.reading.effect;
        let deed = |label: &str| {
            let label = label.to_owned();
            if makes { Deed::Made(label) } else { Deed::Dropped(label) }
        };
        let named: Vec<TableName> = if kind == ObjectKind::View {
            effect.defines.iter().chain(&effect.drops).cloned().collect()
        } else {
            // A trigger lives in its table's database.
            let database = effect.defines.first().map_or(database, |table| table.database.as_str());
            object_name(&statement.text, kind, database).into_iter().collect()
        };
        for name in named {
            if self.objects.len() < OBJECTS {
                self.objects.insert((kind, name), deed(statement.label()));
            }
        }
    }
}

/// It changes, empties, renames or drops a table that the upgrade has not made itself: a DDL that waits behind whoever
/// uses that table.
pub fn changes_tables(statement: &Statement, made_here: impl Fn(&TableName) -> bool) -> bool {
    use Kind::*;
    let effect = &statement.reading.effect;
    let of_tables = matches!(
        statement.reading.kind,
        AlterTable | CreateIndex | DropIndex | CreateTrigger | DropTable | RenameTable | Truncate | Optimize | Repair
    );
    of_tables && !effect.temporary && taken(statement).any(|table| !made_here(table))
}

/// The tables that a DDL takes for itself, if only for a moment.
pub fn taken(statement: &Statement) -> impl Iterator<Item = &TableName> {
    let effect = &statement.reading.effect;
    effect.defines.iter().chain(&effect.drops).chain(&effect.empties).chain(effect.renames.keys())
}

fn object_of(kind: Kind) -> Option<(ObjectKind, bool)> {
    Some(match kind {
        Kind::CreateView => (ObjectKind::View, true),
        Kind::DropView => (ObjectKind::View, false),
        Kind::CreateTrigger => (ObjectKind::Trigger, true),
        Kind::DropTrigger => (ObjectKind::Trigger, false),
        Kind::CreateRoutine => (ObjectKind::Routine, true),
        Kind::DropRoutine => (ObjectKind::Routine, false),
        Kind::CreateEvent => (ObjectKind::Event, true),
        Kind::DropEvent => (ObjectKind::Event, false),
        Kind::CreateDatabase => (ObjectKind::Database, true),
        Kind::DropDatabase => (ObjectKind::Database, false),
        Kind::CreateUser => (ObjectKind::User, true),
        Kind::DropUser => (ObjectKind::User, false),
        _ => return None,
    })
}

/// The name of the trigger, routine, event, database or user that a CREATE, ALTER or DROP names; one without a database
/// is of `database`. None where the text cannot be taken apart.
pub fn object_name(text: &str, kind: ObjectKind, database: &str) -> Option<TableName> {
    let head = head(text);
    let all = words(head).or_else(|_| words(head.split("/*!").next().unwrap_or_default())).ok()?;
    let kinds: &[&str] = match kind {
        ObjectKind::View => &["VIEW"],
        ObjectKind::Trigger => &["TRIGGER"],
        ObjectKind::Routine => &["PROCEDURE", "FUNCTION", "PACKAGE"],
        ObjectKind::Event => &["EVENT"],
        ObjectKind::Database => &["DATABASE", "SCHEMA"],
        ObjectKind::User => &["USER", "ROLE"],
    };
    let mut at = all.iter().position(|word| kinds.iter().any(|kind| word.is(kind)))? + 1;
    for skipped in ["IF", "NOT", "EXISTS"] {
        at += usize::from(all.get(at)?.is(skipped));
    }
    let name = |word: &Word<'_>| word.name().or_else(|| Some(word.text.trim_matches(['\'', '"']).to_owned()));
    let first = name(all.get(at)?)?;
    if all.get(at + 1).is_some_and(|word| word.is_symbol(".")) {
        return Some(TableName::new(first, name(all.get(at + 2)?)?));
    }
    let database = if matches!(kind, ObjectKind::Database | ObjectKind::User) { "" } else { database };
    Some(TableName::new(database, first))
}

/// The first 400 bytes: names stand at the front, bodies may be long.
fn head(text: &str) -> &str {
    let mut end = text.len().min(400);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // A quote that the cut leaves open would make it unreadable.
    let body = text[..end].find(['(', '\n']).filter(|at| *at > 20).unwrap_or(end);
    &text[..body]
}

#[cfg(test)]
mod tests;

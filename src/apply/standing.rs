//! What was carried out before, by the journal on the target, held against what else tells: the local journal, and what is
//! there now. A backup of production that was restored since brings back what was before, with the journal or without it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::atom::{Atom, Work};
use super::course::Leg;
use super::halt::{Course, Halt};
use super::journal::{Details, Row, State};
use super::record::Phase;
use super::resume::{Proof, proof};
use super::runner::{Runner, is_whole};
use super::session::unless_lost;
use super::signature::{Object, Seen, Signature, take};
use super::trail::Told;
use crate::plan::record::ScriptPhase;
use crate::quantity::{counted, seconds};
use crate::sql::read::read;
use crate::sql::record::{Kind, TableName};
use crate::sql::session_state::used_database;
use crate::survey::definition::diff;

/// What to do when only a person can know.
const PUT_BACK: &str = "when the server was put back from a backup since, so that nothing of it is there any more, begin again with --anew";

impl Runner<'_> {
    /// Notes that all is done, and what everything looks like now.
    pub(super) fn note_end(&mut self) -> Course<()> {
        let signature = match self.way.phase {
            Phase::Forward => Some(self.looks_now(&self.touched())?),
            Phase::Undo | Phase::Cleanup => None,
        };
        self.note("", "all of it", State::Done, 0, &Details { signature, ..Details::default() })
    }

    /// Begins a new round, when a person asked for it and nothing of an earlier one can be done twice.
    pub(super) fn begin_anew(&mut self) -> Course<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let round = self.journal.round();
        if !is_whole(&self.rows) {
            let journal = self.journal.clone();
            if round > 1 && journal.is_ended(&mut self.link()?.keeper.line(), round - 1)? {
                self.progress.note("it was begun anew before: it goes on where it was");
                return Ok(());
            }
            return Err(Halt::failed(
                "",
                "its steps are half done: begun anew, what is done would be done twice",
                "go on with it (the same command without --anew), or go back (--phase undo)",
            ));
        }
        let lost = self.lost_since()?.told;
        if lost.is_empty() {
            return Err(Halt::failed(
                "",
                "it was carried out, and what it left is there as far as can be seen: begun anew, it would be done twice",
                "go back first (--phase undo), then run it again. When you know better, delete the plan's rows from the journal",
            ));
        }
        self.progress.note(&format!("it begins anew: {}", lost.join("; ")));
        self.journal.set_round(round + 1);
        let (journal, phase) = (self.journal.clone(), self.way.phase);
        let rows = journal.read(&mut self.link()?.keeper.line(), phase)?;
        self.rows = rows;
        self.tell_round()
    }

    /// Holds a plan that the journal calls finished to what is there now.
    pub(super) fn stands_still(&mut self) -> Course<()> {
        let Lost { told: lost, anew } = self.lost_since()?;
        if lost.is_empty() {
            return Ok(());
        }
        let rebuilt = match anew.iter().map(|step| format!(" --accept {step}")).collect::<String>() {
            none if none.is_empty() => String::new(),
            accept => format!("; when it was only rebuilt since (OPTIMIZE, ALTER … FORCE), say so with{accept}"),
        };
        let age = self.rows.get("").map_or(0, Row::age);
        Err(Halt::failed(
            "",
            format!(
                "the journal says that it was carried out to its end {} ago, and what it left is not there as it was: {}",
                seconds(age as f64),
                lost.join("; ")
            ),
            format!("{PUT_BACK}{rebuilt}; when it was changed since and is right as it is, nothing is left to do"),
        ))
    }

    /// What the journal must know because the local one does; and whether the same upgrade was carried out as another plan.
    pub(super) fn journals_agree(&mut self) -> Course<()> {
        let phase = self.way.phase;
        let journal = self.journal.clone();
        let mut servers = journal.servers(&mut self.link()?.keeper.line())?;
        servers.insert(self.server.clone());
        if let Some(told) = self.trail.own(&servers, phase.name())? {
            let round = self.journal.round();
            if self.options.anew && self.rows.is_empty() && phase == Phase::Forward {
                self.journal.set_round(round.max(told.round + 1));
            } else if round <= told.round {
                let knows = |unit: &&String| round == told.round && self.rows.contains_key(*unit);
                let missing: Vec<&String> = told.units.iter().filter(|unit| !knows(unit)).collect();
                if let Some(first) = missing.first() {
                    return Err(self.disagreement(&told, first, missing.len()));
                }
            }
        }
        if phase == Phase::Forward {
            let known = |told: &Told| {
                let name = told.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                self.options.beside.iter().any(|own| name.starts_with(own.as_str()) || own.starts_with(&name))
            };
            let drafted = |told: &&Told| told.upgrade == self.upgrade && !known(told);
            if let Some(told) = self.trail.others(&servers, phase.name())?.iter().find(drafted) {
                let digest = told.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                return Err(Halt::stopped(
                    "",
                    format!(
                        "this upgrade was carried out on this server before, wholly or in part, as another plan that was drafted from \
                         the same rehearsal: {} says so ({}, last {})",
                        told.path.display(),
                        counted(told.units.len() as u64, "unit"),
                        told.at
                    ),
                    format!(
                        "finish or undo that plan: what it has done would be done twice. When nothing of it is there any more, add --beside {digest}"
                    ),
                ));
            }
        }
        self.tell_round()
    }

    /// Tells the local journal where and in which round the next lines belong.
    fn tell_round(&mut self) -> Course<()> {
        let line = json!({
            "server": self.server, "phase": self.way.phase.name(), "round": self.journal.round(),
            "journal": self.options.journal_database, "upgrade": self.upgrade,
        });
        Ok(self.trail.note("connected", line)?)
    }

    fn disagreement(&self, told: &Told, first: &str, missing: usize) -> Halt {
        let file = told.path.display();
        let own = &self.options.journal_database;
        let unit = if first.is_empty() { "its end" } else { first };
        let why = format!(
            "the journals disagree: by {file} {} noted on this server (the last at {}) that its journal ({own}) does not know, {unit} for one",
            match missing {
                1 => "1 unit was".to_owned(),
                more => format!("{more} units were"),
            },
            told.at
        );
        let next = if told.journal != *own && !told.journal.is_empty() {
            format!("it was kept in another database then: --journal-database {}", told.journal)
        } else if self.rows.is_empty() {
            format!("look what is done: the journal was lost, or put back with the rest. {PUT_BACK}")
        } else {
            format!(
                "look what is done. When the server was put back together with its journal, or lost its last commits in a crash, the \
                 journal on it is right: move {file} away and run the same command again"
            )
        };
        Halt::stopped("", why, next)
    }

    /// What the plan left and is not there any more.
    fn lost_since(&mut self) -> Course<Lost> {
        let (unverified, assured) = self.verified_again()?;
        let mut lost = Lost::default();
        let then = self.rows.get("").and_then(|row| row.details.signature.clone());
        if let Some(then) = then {
            let journal = self.journal.clone();
            let cleaned = !journal.read(&mut self.link()?.keeper.line(), Phase::Cleanup)?.is_empty();
            let mut objects = self.touched();
            if cleaned {
                objects.retain(|object| !matches!(object, Object::Table(table) if self.kept.contains(table)));
            }
            let now = self.looks_now(&objects)?;
            let changed = self.steps_by_rows_changed();
            for name in objects.iter().map(Object::name) {
                let steps = changed.get(&name);
                // A rebuild (OPTIMIZE, a forced ALTER) gives a table a new id as a restore does, and leaves its rows.
                let unknown =
                    steps.is_some_and(|steps| !steps.is_subset(&self.options.accept)) && !assured.contains(&name);
                if let Some((told, anew)) = other_than_then(&name, &then, &now, unknown) {
                    lost.told.push(told);
                    lost.anew.extend(steps.filter(|_| anew).into_iter().flatten().cloned());
                }
            }
        }
        lost.told.extend(unverified);
        Ok(lost)
    }

    /// The questions of the plan that have another answer now, without those of tables that a later step touched; and the
    /// tables whose rows one of the others has looked at. What it counts was there before the step, and is not there again.
    fn verified_again(&mut self) -> Course<(Vec<String>, BTreeSet<String>)> {
        let way = self.way;
        let (mut lost, mut assured) = (Vec::new(), BTreeSet::new());
        for (at, leg) in way.legs.iter().enumerate().filter(|(_, leg)| leg.phase == ScriptPhase::Verify) {
            let own = self.touched_by(way.legs.iter().filter(|other| other.step == leg.step));
            if !own.is_disjoint(&self.touched_by(way.legs[at..].iter().filter(|other| other.step != leg.step))) {
                continue;
            }
            self.fresh_session()?;
            for atom in &leg.atoms {
                match &atom.work {
                    Work::Session(piece) => {
                        let done = self.session()?.line.execute(&piece.text);
                        done.map_err(|fault| unless_lost(fault, atom, &piece.text))?;
                    }
                    Work::Verify(verify) if verify.equals.is_some() => match self.verify(leg, atom, verify) {
                        Err(Halt::Failed(stand)) => lost.push(stand.why),
                        Ok(()) if verify.equals.as_deref() == Some("0") => {
                            assured.extend(self.tells_of(leg, &verify.query));
                        }
                        other => other?,
                    },
                    _ => {}
                }
            }
        }
        Ok((lost, assured))
    }

    /// The tables of which a count of 0 tells that their rows are not those of before its step: it has changed some of them.
    fn tells_of(&self, leg: &Leg, query: &str) -> BTreeSet<String> {
        let own = self.way.legs.iter().filter(|other| other.phase == ScriptPhase::Step && other.step == leg.step);
        let changed =
            own.flat_map(|leg| &leg.atoms).filter(|atom| self.rows.get(&atom.id).is_some_and(|row| row.rows > 0));
        let changed: BTreeSet<TableName> = changed.flat_map(|atom| written(&atom.work)).collect();
        let database =
            leg.atoms.iter().rev().flat_map(Atom::session_pieces).find(|piece| piece.reading.kind == Kind::Use);
        let database = database.and_then(|piece| used_database(&piece.text)).unwrap_or_default();
        let read = read(query, &database, self.flavor).effect.reads;
        let told = changed.into_iter().filter(|table| read.contains(table));
        told.map(|table| table.to_string()).collect()
    }

    /// The tables that the plan makes, alters, renames, drops or writes.
    fn touched(&self) -> BTreeSet<Object> {
        self.touched_by(self.way.legs.iter())
    }

    fn touched_by<'l>(&self, legs: impl Iterator<Item = &'l Leg>) -> BTreeSet<Object> {
        let mut objects = BTreeSet::new();
        for atom in atoms(legs) {
            match &atom.work {
                Work::Define(pieces) | Work::Locked(pieces) => {
                    for piece in pieces {
                        if let Proof::Looks(looks) = proof(&piece.reading, &self.databases) {
                            objects.extend(looks.into_keys().filter(|object| matches!(object, Object::Table(_))));
                        }
                    }
                }
                work => objects.extend(written(work).into_iter().map(Object::Table)),
            }
        }
        objects
    }

    /// The tables whose rows it changes, by name, with the steps that do: nothing but their ids may tell that they were made
    /// anew.
    fn steps_by_rows_changed(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut steps: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for leg in &self.way.legs {
            let own = leg.step.clone().unwrap_or_else(|| leg.name.clone());
            for table in atoms([leg].into_iter()).flat_map(|atom| written(&atom.work)) {
                steps.entry(table.to_string()).or_default().insert(own.clone());
            }
        }
        steps
    }

    fn looks_now(&mut self, objects: &BTreeSet<Object>) -> Course<Signature> {
        let (flavor, server) = (self.flavor, self.server.clone());
        Ok(take(&mut self.link()?.reader, flavor, &server, objects)?)
    }
}

/// What these legs do, without what only looks.
fn atoms<'l>(legs: impl Iterator<Item = &'l Leg>) -> impl Iterator<Item = &'l Atom> {
    legs.filter(|leg| matches!(leg.phase, ScriptPhase::Backup | ScriptPhase::Step)).flat_map(|leg| &leg.atoms)
}

/// The tables into which a piece of work writes rows.
fn written(work: &Work) -> BTreeSet<TableName> {
    match work {
        Work::Change { body, .. } => {
            let effects = body.iter().map(|piece| &piece.reading.effect).filter(|effect| !effect.temporary);
            effects.flat_map(|effect| effect.writes.union(&effect.empties).cloned().collect::<Vec<_>>()).collect()
        }
        Work::Kept { change, copy, .. } => {
            change.reading.effect.writes.iter().cloned().chain([copy.into.clone()]).collect()
        }
        Work::Batches(batches) => {
            let copy = batches.copy.as_ref().map(|copy| copy.into.clone());
            [batches.table.clone()].into_iter().chain(copy).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// What is not there any more as the plan left it.
#[derive(Default)]
struct Lost {
    /// In sentences.
    told: Vec<String>,
    /// The steps whose tables have nothing against them but a new id.
    anew: BTreeSet<String>,
}

/// What became of an object since, where it is not as it was, and whether that is nothing but a new id. `unknown`: its rows were
/// changed, and nothing else tells whose they are now.
fn other_than_then(name: &str, then: &Signature, now: &Signature, unknown: bool) -> Option<(String, bool)> {
    let none = Seen::default();
    let was = then.objects.get(name)?;
    let is = now.objects.get(name).unwrap_or(&none);
    let anew = then.server == now.server && !was.ids.is_empty() && !is.ids.is_empty() && was.ids != is.ids;
    let told = match (was.there, is.there) {
        (true, false) => format!("{name} is gone"),
        (false, true) => format!("{name} is there again"),
        (true, true) if was.definition != is.definition => {
            format!("{name} is defined in another way:\n{}", diff(&was.definition, &is.definition).trim_end())
        }
        (true, true) if anew && unknown => {
            let told = format!(
                "{name} was made anew (restored, emptied or rebuilt), and no question of the plan tells whether its rows are those \
                 of before"
            );
            return Some((told, true));
        }
        _ => return None,
    };
    Some((told, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(there: bool, definition: &str, id: u64) -> Signature {
        let seen = Seen { there, definition: definition.to_owned(), ids: [id].into(), ..Seen::default() };
        Signature { server: "s".to_owned(), objects: [("app.t".to_owned(), seen)].into() }
    }

    #[test]
    fn what_is_not_as_the_plan_left_it_is_told() {
        let then = seen(true, "T", 1);
        let told = |now: &Signature, rows: bool| other_than_then("app.t", &then, now, rows).map(|(told, _)| told);
        assert_eq!(told(&seen(true, "T", 1), true), None);
        assert_eq!(told(&seen(false, "", 1), true).as_deref(), Some("app.t is gone"));
        assert!(told(&seen(true, "T+b", 1), true).is_some_and(|text| text.contains("another way")));
        assert!(told(&seen(true, "T", 2), true).is_some_and(|text| text.contains("made anew")));
        assert_eq!(told(&seen(true, "T", 2), false), None, "its definition tells");
        let elsewhere = Signature { server: "another".to_owned(), ..seen(true, "T", 2) };
        assert_eq!(told(&elsewhere, true), None, "ids of another server say nothing");
    }
}

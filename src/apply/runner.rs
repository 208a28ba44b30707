//! Carries a course out: connects, reads the journal, goes through the legs, and connects again when the server went away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::json;

use super::atom::{Atom, Work};
use super::course::{Course as Way, Leg};
use super::halt::{Course, Halt};
use super::journal::{Details, Journal, Row, State};
use super::link::{Link, lost};
use super::record::{Ending, Options, Phase, Stand, Summary};
use super::session::unless_lost;
use super::target::{Calls, Target};
use super::throttle::Throttle;
use super::trail::Trail;
use crate::plan::record::{Plan, ScriptPhase};
use crate::progress::{Progress, Unit};
use crate::server::flavor::Flavor;
use crate::sql::record::TableName;
use crate::survey::answer::Cells;

/// How often the server may go away without a step forward in between.
const LOSSES: u32 = 6;

/// Carries a course out.
pub struct Runner<'a> {
    pub(super) target: &'a Target,
    pub(super) way: &'a Way,
    pub(super) options: &'a Options,
    pub(super) progress: &'a dyn Progress,
    pub(super) flavor: Flavor,
    /// The target's own name for itself.
    pub(super) server: String,
    pub(super) databases: BTreeSet<String>,
    /// Digest of the upgrade that the plan is for: the same in whatever way it is drafted.
    pub(super) upgrade: String,
    /// Tables that the plan's clean-up drops.
    pub(super) kept: BTreeSet<TableName>,
    /// The round that a person began anew, once this run has begun it.
    anew: Option<u32>,
    pub(super) journal: Journal,
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) throttle: Throttle,
    pub(super) trail: Trail,
    pub(super) calls: Calls,
    pub(super) link: Option<Link>,
    pub(super) summary: Summary,
    /// Tables that are known to roll back, or not to; forgotten with every change of definitions.
    pub(super) transactional: BTreeMap<BTreeSet<TableName>, bool>,
    /// Units done now, so that a loss of the server after progress is told from one without.
    pub(super) moved: u64,
}

impl<'a> Runner<'a> {
    /// Connects, and asks the target who it is.
    ///
    /// # Errors
    /// What `halt` says of the target or the local journal.
    pub fn new(
        target: &'a Target,
        plan: &'a Plan,
        way: &'a Way,
        options: &'a Options,
        progress: &'a dyn Progress,
        flavor: Flavor,
    ) -> Course<Self> {
        let databases = plan.identity.rows.keys().map(|table| table.database.clone()).collect();
        Ok(Self {
            target,
            way,
            options,
            progress,
            flavor,
            journal: Journal::new(&options.journal_database, &way.digest, way.phase, ""),
            server: String::new(),
            databases,
            upgrade: plan.identity.upgrade_digest.clone(),
            kept: plan.cleanup.iter().map(|item| item.table.clone()).collect(),
            anew: None,
            rows: BTreeMap::new(),
            throttle: Throttle::start(target, flavor, options),
            trail: Trail::open(options.trail.as_deref(), &way.digest)?,
            calls: Calls::new(options.cut),
            link: None,
            summary: Summary::new(way.units()),
            transactional: BTreeMap::new(),
            moved: 0,
        })
    }

    /// Carries it out to its end, or as far as it gets.
    ///
    /// # Errors
    /// The person's interruption, and what is no matter of the plan.
    pub fn run(mut self) -> anyhow::Result<Summary> {
        let begin = Instant::now();
        let mut losses = 0;
        let result = loop {
            let moved = self.moved;
            match self.attempt() {
                Err(Halt::Lost(fault)) => {
                    losses = if self.moved > moved { 1 } else { losses + 1 };
                    self.link = None;
                    self.progress.note(&format!("{fault}; connecting again"));
                    let _ = self.trail.note("lost", json!({"fault": fault.to_string()}));
                    if losses > LOSSES {
                        break Err(Halt::stopped(
                            "",
                            format!("the server went away {losses} times without a step forward: {fault}"),
                            "look into its error log before you run the same command again; nothing is done twice",
                        ));
                    }
                    match self.reconnect(&fault) {
                        Ok(()) => self.summary.reconnects += 1,
                        Err(halt) => break Err(halt),
                    }
                }
                other => break other,
            }
        };
        self.link = None;
        self.summary.seconds = begin.elapsed().as_secs_f64();
        self.summary.ending = match result {
            Ok(()) if self.summary.done == 0 && self.moved == 0 => Ending::AlreadyDone,
            Ok(()) => Ending::Done,
            Err(Halt::Failed(stand)) => Ending::Failed(stand),
            Err(Halt::Stopped(stand)) => Ending::Stopped(stand),
            Err(Halt::Lost(fault)) => Ending::Stopped(lost(&fault)),
            Err(Halt::Cut) => {
                Ending::Stopped(Stand { unit: String::new(), why: "cut off".to_owned(), next: String::new() })
            }
            Err(Halt::Error(error)) => {
                let _ = self.trail.note("ended", json!({"error": format!("{error:#}")}));
                return Err(error);
            }
        };
        self.trail.note("ended", json!({"summary": self.summary}))?;
        Ok(self.summary)
    }

    /// One stretch: until all is done, or the server goes away.
    fn attempt(&mut self) -> Course<()> {
        self.connect()?;
        self.journals_agree()?;
        if self.way.phase == Phase::Forward && self.options.anew {
            self.in_new_round()?;
        } else if self.way.phase == Phase::Forward && self.moved == 0 && is_whole(&self.rows) {
            self.stands_still()?;
        }
        let way = self.way;
        let legs = self.legs(way)?;
        self.summary.before = self.summary.before.max(self.done_before(&legs));
        for leg in legs {
            if self.is_done(&leg.name) {
                continue;
            }
            self.progress.check()?;
            self.leg(leg)?;
        }
        if !self.is_done("") {
            self.note_end()?;
        }
        Ok(())
    }

    /// The round that a person asked for: begun once, and gone on with when the connection was lost meanwhile.
    fn in_new_round(&mut self) -> Course<()> {
        match self.anew {
            None => {
                self.begin_anew()?;
                self.anew = Some(self.journal.round());
            }
            Some(round) if self.journal.round() < round => {
                self.journal.set_round(round);
                self.rows.clear();
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// The legs of this phase: of an undo only those whose step was carried out, wholly or in part.
    fn legs(&mut self, way: &'a Way) -> Course<Vec<&'a Leg>> {
        let journal = self.journal.clone();
        if way.phase == Phase::Forward {
            let undo = journal.read(&mut self.link()?.keeper.line(), Phase::Undo)?;
            if !undo.is_empty() && !is_whole(&undo) {
                return Err(Halt::failed(
                    "",
                    "its undo has begun, and is not done",
                    "finish the undo first: --phase undo",
                ));
            }
            return Ok(way.legs.iter().collect());
        }
        let forward = journal.read(&mut self.link()?.keeper.line(), Phase::Forward)?;
        if forward.is_empty() {
            return Err(Halt::failed(
                "",
                "the journal on the target knows nothing of this plan being carried out",
                "what was carried out by hand is undone by hand: plan/80-*.sql",
            ));
        }
        let (undo, cleanup) = {
            let mut keeper = self.link()?.keeper.line();
            (journal.read(&mut keeper, Phase::Undo)?, journal.read(&mut keeper, Phase::Cleanup)?)
        };
        let half = !undo.is_empty() && !is_whole(&undo);
        if way.phase == Phase::Cleanup && half {
            return Err(Halt::failed(
                "",
                "its undo has begun, and needs what would be dropped",
                "finish the undo: --phase undo",
            ));
        }
        if way.phase == Phase::Undo && !cleanup.is_empty() {
            return Err(Halt::failed(
                "",
                "the clean-up has begun: what an undo needs is gone, or will be",
                "go back by hand, from a backup of your own",
            ));
        }
        if way.phase == Phase::Cleanup && !forward.get("").is_some_and(|row| row.state == State::Done) {
            return Err(Halt::failed(
                "",
                "the plan is not carried out to its end, and what would be dropped is its undo",
                "carry it out to its end first, or undo it",
            ));
        }
        // What was begun and is not done may have happened, or not: an undo of what never was does harm.
        let mut never = BTreeSet::new();
        if way.phase == Phase::Undo {
            for (unit, _) in forward.iter().filter(|(_, row)| row.state == State::Begun && row.details.walk.is_none()) {
                match self.settled(unit) {
                    Some(true) => {}
                    Some(false) => {
                        never.insert(unit.clone());
                    }
                    None => {
                        return Err(Halt::stopped(
                            unit,
                            "it was begun, and whether it happened is not settled: what did not happen must not be undone",
                            super::transact::in_doubt(unit),
                        ));
                    }
                }
            }
        }
        let touched = |leg: &&Leg| {
            way.phase == Phase::Cleanup
                || leg.step.as_ref().is_none_or(|step| {
                    let own = format!("{step}/");
                    forward.keys().any(|unit| !never.contains(unit) && (unit == step || unit.starts_with(&own)))
                })
        };
        let legs: Vec<&Leg> = way.legs.iter().filter(touched).collect();
        if legs.len() < way.legs.len() {
            let rest = way.legs.len() - legs.len();
            self.progress.note(&format!("{rest} undos are left out: their steps were not begun"));
        }
        Ok(legs)
    }

    fn done_before(&self, legs: &[&Leg]) -> u64 {
        if self.moved > 0 {
            return 0;
        }
        let units = legs.iter().flat_map(|leg| &leg.atoms).filter(|atom| atom.is_journaled());
        units.filter(|atom| self.is_done(&atom.id)).count() as u64
    }

    /// One leg, on a session of its own.
    pub(super) fn leg(&mut self, leg: &Leg) -> Course<()> {
        self.rest()?;
        self.progress.stage(&format!("{}: {}", leg.name, leg.title), Unit::Waiting, None);
        self.trail.note("leg", json!({"leg": leg.name, "title": leg.title}))?;
        self.is_by_hand(leg)?;
        self.is_backup_fresh(leg)?;
        self.fresh_session()?;
        // The first atom that is not done; what only sets the session up before it has to be given again.
        let first =
            leg.atoms.iter().rposition(|atom| atom.is_journaled() && self.is_done(&atom.id)).map_or(0, |last| last + 1);
        let next = leg.atoms[first..].iter().position(Atom::is_journaled).map(|at| at + first);
        let (from, saved) = match next.and_then(|next| Some((next, self.rows.get(&leg.atoms[next].id)?))) {
            Some((next, row)) => (next, row.details.variables.clone()),
            None => {
                let last = first.checked_sub(1).and_then(|last| self.rows.get(&leg.atoms[last].id));
                let saved = last.map(|row| row.details.after.clone().unwrap_or_else(|| row.details.variables.clone()));
                (first, saved.unwrap_or_default())
            }
        };
        self.session()?.bring_to(leg, from, &saved)?;
        // The first comes right after the rest that its copies' age was looked at behind.
        let mut rests = false;
        for atom in &leg.atoms[from..] {
            self.progress.check()?;
            if rests {
                self.rest()?;
            }
            rests |= atom.is_journaled();
            self.atom(leg, atom)?;
        }
        self.note(&leg.name, &leg.title, State::Done, 0, &Details::default())?;
        Ok(())
    }

    fn atom(&mut self, leg: &Leg, atom: &Atom) -> Course<()> {
        let begin = Instant::now();
        match &atom.work {
            Work::Session(piece) => {
                self.session()?.line.execute(&piece.text).map_err(|fault| unless_lost(fault, atom, &piece.text))?;
                return Ok(());
            }
            Work::Look(piece) => {
                let row = self.session()?.line.first::<Cells>(&piece.text);
                let row = row.map_err(|fault| unless_lost(fault, atom, &piece.text))?;
                let seen: Vec<String> =
                    row.map(|row| (0..8).map_while(|at| row.maybe(at)).collect()).unwrap_or_default();
                self.trail.note("looked", json!({"unit": atom.id, "sql": piece.text, "seen": seen}))?;
                return Ok(());
            }
            Work::Verify(verify) => return self.verify(leg, atom, verify),
            _ => {}
        }
        if self.is_done(&atom.id) {
            return Ok(());
        }
        self.progress.note(&format!("{}: {}", atom.id, atom.title()));
        self.trail.note("begins", json!({"unit": atom.id, "what": atom.title()}))?;
        match &atom.work {
            Work::Change { begin, body, end } => self.change(atom, begin.as_deref(), body, *end)?,
            Work::Kept { change, factor, condition, copy } => {
                self.kept(atom, change, factor, condition.as_deref(), copy)?;
            }
            Work::Define(pieces) => self.define(leg, atom, pieces)?,
            Work::Locked(pieces) => self.locked(leg, atom, pieces)?,
            Work::Opaque(piece) => self.opaque(atom, piece)?,
            Work::Batches(batches) => self.batches(atom, batches)?,
            Work::Session(_) | Work::Look(_) | Work::Verify(_) => {}
        }
        self.summary.done += 1;
        self.moved += 1;
        let seconds = begin.elapsed().as_secs_f64();
        let rows = self.rows.get(&atom.id).map_or(0, |row| row.rows);
        self.trail.note("done", json!({"unit": atom.id, "seconds": seconds, "rows": rows}))?;
        Ok(())
    }

    pub(super) fn is_done(&self, unit: &str) -> bool {
        self.rows.get(unit).is_some_and(|row| row.state == State::Done)
    }

    /// Notes a unit on the keeper's session, by itself.
    pub(super) fn note(&mut self, unit: &str, what: &str, state: State, rows: u64, details: &Details) -> Course<()> {
        let id = self.link()?.session.as_ref().map_or(0, |session| session.line.id());
        let text = self.journal.note(unit, what, state, rows, details, id);
        self.link()?.keeper.execute(&text)?;
        if !self.rows.contains_key(unit) {
            self.trail.note("noted", json!({"unit": unit}))?;
        }
        self.rows.insert(unit.to_owned(), Row::now(state, rows, details.clone()));
        Ok(())
    }

    /// Forgets a unit that is known not to have happened.
    pub(super) fn forget(&mut self, unit: &str) -> Course<()> {
        // First here: the journal may know more than the local one, and not less.
        self.trail.note("forgets", json!({"unit": unit}))?;
        let text = self.journal.forget(unit);
        self.link()?.keeper.execute(&text)?;
        self.rows.remove(unit);
        Ok(())
    }

    /// A leg that only a person can carry out, in a shell: it is done when they say so.
    fn is_by_hand(&self, leg: &Leg) -> Course<()> {
        match &leg.shell {
            Some(command) if leg.phase == ScriptPhase::Undo && !self.options.accept.contains(&leg.name) => {
                Err(Halt::stopped(
                    &leg.name,
                    format!("this part is typed in a shell: {command}"),
                    format!("type it, look at its exit code, then run the same command with --accept {}", leg.name),
                ))
            }
            _ => Ok(()),
        }
    }

    /// What a person said of a unit in doubt.
    pub(super) fn settled(&self, unit: &str) -> Option<bool> {
        self.options.settled.get(unit).copied()
    }
}

/// A phase got to its end.
pub(super) fn is_whole(rows: &BTreeMap<String, Row>) -> bool {
    rows.get("").is_some_and(|row| row.state == State::Done)
}

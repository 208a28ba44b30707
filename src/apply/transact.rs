//! Changes of rows: the journal's row is written in the transaction that changes them, so that both happen or neither.

use std::collections::BTreeSet;
use std::time::Duration;

use super::atom::{Atom, End, Piece};
use super::engines::{is_refused_at_once, is_repeatable};
use super::halt::{Course, Halt};
use super::journal::{Details, State};
use super::runner::Runner;
use crate::execute::matched;
use crate::plan::work::Copy;
use crate::server::fault::Fault;
use crate::sql::record::{TableName, quote_identifier};

/// What a person is told when something failed that left nothing behind.
pub(super) const AGAIN: &str =
    "it was rolled back. Mend what the server names, then run the same command again: it goes on here";

/// Seconds within which a DELETE that cannot roll back is run again without asking.
const RECENT: u64 = 600;

/// How a transaction that could not be carried out ended.
pub(super) enum Trouble {
    /// The server's fault, in this statement.
    Fault(Fault, String),
    /// Our own reason to roll back.
    Refused(String),
}

impl Trouble {
    /// For people.
    pub fn told(&self) -> String {
        match self {
            Self::Refused(why) => why.clone(),
            Self::Fault(fault, text) if text.is_empty() => fault.to_string(),
            Self::Fault(fault, text) => format!("{fault}, in: {text}"),
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault, String::new())
    }
}

/// A call of a statement, its text kept for the person.
pub(super) fn told(text: &str) -> impl Fn(Fault) -> Trouble {
    let text: String = text.trim().chars().take(300).collect();
    move |fault| Trouble::Fault(fault, text.clone())
}

/// The statement that copies the rows which a condition chooses, and locks them until the transaction's end.
pub(super) fn copy_rows(copy: &Copy, factor: &str, condition: Option<&str>) -> String {
    let columns: Vec<String> = copy.columns.iter().map(|name| quote_identifier(name)).collect();
    let columns = columns.join(", ");
    // The condition may end in a comment to the line's end.
    let condition = condition.unwrap_or("TRUE");
    format!(
        "INSERT INTO {} ({columns}) SELECT {columns} FROM {factor} WHERE {condition}\nFOR UPDATE",
        copy.into.quoted()
    )
}

/// The rows copied and the rows changed must agree.
pub(super) fn agree(copy: &Copy, copied: u64, changed: u64) -> Result<(), Trouble> {
    let fits = if copy.exact { copied == changed } else { copied >= changed };
    if fits {
        return Ok(());
    }
    Err(Trouble::Refused(format!("{copied} rows were copied to {} and {changed} were changed", copy.into)))
}

impl Runner<'_> {
    /// Changes rows in one transaction.
    pub(super) fn change(&mut self, atom: &Atom, begin: Option<&str>, body: &[Piece], end: End) -> Course<()> {
        let reads_only = begin.is_some_and(|text| text.to_ascii_lowercase().contains("read only"));
        let whole = !reads_only && self.is_whole(body)?;
        let alone = begin == Some("BEGIN") && body.len() == 1;
        // Only the metadata of its table can have kept it waiting: it had not begun.
        let waits_outside = alone && !whole && self.has_no_row_locks(&body[0].reading.effect.tables())?;
        let repeatable = body.len() == 1 && is_repeatable(&body[0]);
        if self.is_settled(atom, repeatable)? {
            return Ok(());
        }
        let mut details = self.details(atom)?;
        details.in_doubt = !whole;
        if !whole {
            self.note(&atom.id, &atom.title(), State::Begun, 0, &details)?;
        }
        let mut tries = 0;
        loop {
            let result = self.transaction(atom, |runner| {
                if let Some(begin) = begin.filter(|_| whole || !alone) {
                    runner.send(begin)?;
                }
                let mut rows = 0;
                for piece in body {
                    let done = runner.send(&piece.text)?;
                    rows += if piece.reading.kind.is_dml() { done } else { 0 };
                }
                match (end, whole) {
                    (End::Rollback, _) => runner.send("ROLLBACK").map(drop)?,
                    (End::Commit, true) => runner.commit(atom, rows, &details)?,
                    (End::Commit, false) if alone => {}
                    (End::Commit, false) => runner.send("COMMIT").map(drop)?,
                }
                Ok(if end == End::Commit { rows } else { 0 })
            })?;
            match result {
                Ok(rows) => {
                    if !whole || end == End::Rollback {
                        details.after = self.session()?.after()?;
                        self.note(&atom.id, &atom.title(), State::Done, rows, &details)?;
                    }
                    self.finished(atom, rows, details);
                    return Ok(());
                }
                Err(trouble) => {
                    let refused = alone && matches!(&trouble, Trouble::Fault(fault, _) if is_refused_at_once(fault));
                    self.again(atom, trouble, whole || waits_outside, whole || refused, &mut tries)?;
                }
            }
        }
    }

    /// One UPDATE or DELETE whose rows are copied first.
    pub(super) fn kept(
        &mut self,
        atom: &Atom,
        change: &Piece,
        factor: &str,
        condition: Option<&str>,
        copy: &Copy,
    ) -> Course<()> {
        let mut tables: BTreeSet<TableName> = change.reading.effect.writes.clone();
        tables.insert(copy.into.clone());
        let whole = self.can_roll_back(&tables)?;
        if self.is_settled(atom, false)? {
            return Ok(());
        }
        let mut details = self.details(atom)?;
        details.in_doubt = !whole;
        if !whole {
            self.note(&atom.id, &atom.title(), State::Begun, 0, &details)?;
        }
        let keep = copy_rows(copy, factor, condition);
        let modes = self.session()?.modes()?;
        let mut tries = 0;
        loop {
            let result = self.transaction(atom, |runner| {
                runner.send("BEGIN")?;
                let copied = runner.send(&format!("{};\n{keep}", modes.copying))?;
                let changed = runner.changed(copy, copied, &format!("{};\n{}", modes.own, change.text))?;
                if whole {
                    runner.commit(atom, changed, &details)?
                } else {
                    runner.send("COMMIT").map(drop)?
                }
                Ok(changed)
            })?;
            match result {
                Ok(rows) => {
                    if !whole {
                        self.note(&atom.id, &atom.title(), State::Done, rows, &details)?;
                    }
                    self.finished(atom, rows, details);
                    return Ok(());
                }
                Err(trouble) => self.again(atom, trouble, whole, whole, &mut tries)?,
            }
        }
    }

    /// What cannot be read: once begun, nobody can tell how far it got.
    pub(super) fn opaque(&mut self, atom: &Atom, piece: &Piece) -> Course<()> {
        if self.is_settled(atom, false)? {
            return Ok(());
        }
        let mut details = self.details(atom)?;
        details.in_doubt = true;
        self.note(&atom.id, &atom.title(), State::Begun, 0, &details)?;
        let mut tries = 0;
        let rows = loop {
            let result = self.transaction(atom, |runner| runner.send(&piece.text))?;
            match result {
                Ok(rows) => break rows,
                Err(trouble) => self.again(atom, trouble, false, false, &mut tries)?,
            }
        };
        self.note(&atom.id, &atom.title(), State::Done, rows, &details)?;
        self.finished(atom, rows, details);
        Ok(())
    }

    /// A transaction with what must stand right before it; what went wrong inside it comes back as a value.
    pub(super) fn transaction<T>(
        &mut self,
        atom: &Atom,
        run: impl FnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Course<Result<T, Trouble>> {
        self.session()?.be_patient()?;
        let result = (|| {
            for piece in &atom.prelude {
                self.send(&piece.text)?;
            }
            run(self)
        })();
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(Trouble::Fault(fault, text)) => match Halt::from(fault.clone()) {
                Halt::Error(_) => {
                    self.session()?.line.execute("ROLLBACK")?;
                    Ok(Err(Trouble::Fault(fault, text)))
                }
                halt => Err(halt),
            },
            Err(refused) => {
                self.session()?.line.execute("ROLLBACK")?;
                Ok(Err(refused))
            }
        }
    }

    /// Sends one statement of the plan; the rows that it changed.
    pub(super) fn send(&mut self, text: &str) -> Result<u64, Trouble> {
        let gone = |_| Fault::connection_lost("not connected");
        let session = self.session().map_err(gone)?;
        session.line.execute(text).map(|done| done.affected).map_err(told(text))
    }

    /// Sends a change whose rows were copied before; it must meet the rows that were copied.
    pub(super) fn changed(&mut self, copy: &Copy, copied: u64, text: &str) -> Result<u64, Trouble> {
        let gone = |_| Fault::connection_lost("not connected");
        let done = self.session().map_err(gone)?.line.execute(text).map_err(told(text))?;
        // An UPDATE that changes nothing in a row meets it all the same.
        match matched(&done.info).filter(|_| !copy.exact) {
            Some(met) if met != copied => {
                Err(Trouble::Refused(format!("{copied} rows were copied to {} and {met} were met", copy.into)))
            }
            Some(_) => Ok(done.affected),
            None => agree(copy, copied, done.affected).map(|()| done.affected),
        }
    }

    /// The id of the connection that carries the leg out.
    pub(super) fn connection(&mut self) -> Result<u32, Trouble> {
        let gone = |_| Fault::connection_lost("not connected");
        Ok(self.session().map_err(gone)?.line.id())
    }

    /// Notes the unit as done and commits, both in the open transaction.
    fn commit(&mut self, atom: &Atom, rows: u64, details: &Details) -> Result<(), Trouble> {
        let id = self.connection()?;
        let gone = |_| Fault::connection_lost("not connected");
        let after = self.session().map_err(gone)?.after()?;
        let details = &Details { after, ..details.clone() };
        let note = self.journal.note(&atom.id, &atom.title(), State::Done, rows, details, id);
        self.send(&note)?;
        self.send("COMMIT").map(drop)
    }

    /// After what went wrong: waits before another try, or tells why there is none.
    pub(super) fn again(
        &mut self,
        atom: &Atom,
        trouble: Trouble,
        retry: bool,
        whole: bool,
        tries: &mut u32,
    ) -> Course<()> {
        let what = trouble.told();
        let passes = match &trouble {
            // 1020: a row changed since it was read (MariaDB's snapshot isolation); 3101: another member was first.
            Trouble::Fault(fault, _) => {
                fault.is_deadlock() || fault.is_lock_wait_timeout() || (whole && matches!(fault.number, 1020 | 3101))
            }
            // A row came in between the copy and the change.
            Trouble::Refused(_) => whole,
        };
        if passes && retry && *tries < self.options.retries {
            *tries += 1;
            self.summary.retries += 1;
            self.progress.note(&format!("{}: {what}; try {} of {}", atom.id, *tries + 1, self.options.retries + 1));
            return self.pause(*tries);
        }
        if whole {
            if self.rows.contains_key(&atom.id) && !matches!(atom.work, super::atom::Work::Batches(_)) {
                self.forget(&atom.id)?;
            }
            return Err(Halt::failed(&atom.id, what, AGAIN));
        }
        Err(Halt::stopped(
            &atom.id,
            format!("{what}. What it changes cannot be rolled back: a part of it may be done"),
            in_doubt(&atom.id),
        ))
    }

    /// Waits a little, longer each time; the person's interruption ends it.
    pub(super) fn pause(&mut self, tries: u32) -> Course<()> {
        let mut left = Duration::from_millis(u64::from(tries.min(20)) * 250);
        while !left.is_zero() {
            self.progress.check()?;
            let step = left.min(Duration::from_millis(100));
            std::thread::sleep(step);
            left -= step;
        }
        Ok(())
    }

    /// Looks at a unit that an earlier run began and that cannot roll back; true when a person said that it is done.
    fn is_settled(&mut self, atom: &Atom, repeatable: bool) -> Course<bool> {
        let Some(row) = self.rows.get(&atom.id).filter(|row| row.state == State::Begun) else { return Ok(false) };
        let (details, age) = (row.details.clone(), row.age());
        match self.settled(&atom.id) {
            Some(true) => {
                self.note(&atom.id, &atom.title(), State::Done, 0, &details)?;
                Ok(true)
            }
            Some(false) => {
                self.use_up(atom, &details)?;
                Ok(false)
            }
            // Much later it would delete what was written meanwhile.
            None if repeatable && age < RECENT => {
                self.progress.note(&format!("{}: begun before; it is run again, which deletes what is left", atom.id));
                Ok(false)
            }
            None => Err(Halt::stopped(
                &atom.id,
                format!(
                    "it was begun, and whether (or how far) it happened cannot be known: {}. Its tables do not roll back, or it cannot be read",
                    atom.title()
                ),
                in_doubt(&atom.id),
            )),
        }
    }

    /// A person's word that a unit did not happen counts once: what comes after it is in doubt anew.
    pub(super) fn use_up(&mut self, atom: &Atom, details: &Details) -> Course<()> {
        if details.again {
            return Err(Halt::stopped(
                &atom.id,
                "it was begun again after you had said that it did not happen, and whether it has happened now cannot be known",
                format!(
                    "look at the data again: --settled {}=done, or take what happened back and delete the unit's row from the journal",
                    atom.id
                ),
            ));
        }
        let details = Details { again: true, ..details.clone() };
        self.note(&atom.id, &atom.title(), State::Begun, 0, &details)
    }

    /// The details of a unit that begins now.
    pub(super) fn details(&mut self, atom: &Atom) -> Course<Details> {
        if let Some(row) = self.rows.get(&atom.id) {
            return Ok(row.details.clone());
        }
        let variables = self.session()?.variables()?;
        Ok(Details { variables, ..Details::default() })
    }

    pub(super) fn finished(&mut self, atom: &Atom, rows: u64, details: Details) {
        self.summary.rows += rows;
        self.rows.insert(atom.id.clone(), super::journal::Row::now(State::Done, rows, details));
    }
}

/// What a person does about a unit in doubt.
pub(super) fn in_doubt(unit: &str) -> String {
    format!(
        "look at the data, then run the same command with --settled {unit}=done (it happened) or --settled {unit}=again (it did \
         not, or you took it back)"
    )
}

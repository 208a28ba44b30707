//! What commits by itself: the journal says that it begins and what everything looks like, and afterwards that it is done.
//! What lies between the two is told by looking again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::atom::{Atom, Piece, Work};
use super::course::Leg;
use super::halt::{Course, Halt};
use super::journal::{Details, State};
use super::resume::{Proof, Verdict, judge, proof};
use super::runner::Runner;
use super::session::unless_lost;
use super::signature::{Object, Signature, take};
use super::transact::{AGAIN, Trouble, in_doubt};
use crate::server::fault::Fault;
use crate::sql::read::read;
use crate::sql::record::{Kind, Reading, TableName};
use crate::sql::tokens::Tokens;

/// A change of definitions that runs longer than this is not thrown away again and again for want of a lock at its end.
const LONG: Duration = Duration::from_secs(10);

impl Runner<'_> {
    /// A statement that commits by itself, and what looks back at it.
    pub(super) fn define(&mut self, leg: &Leg, atom: &Atom, pieces: &[Piece]) -> Course<()> {
        let Some(piece) = pieces.first() else { return Ok(()) };
        let reading = self.resolved(leg, atom, piece)?;
        if reading.kind.is_dml() {
            let body = [Piece { text: piece.text.clone(), reading }];
            return self.change(atom, Some("BEGIN"), &body, super::atom::End::Commit);
        }
        let proof = proof(&reading, &self.databases_with(&reading));
        let Some(details) = self.begins(atom, &proof)? else { return Ok(()) };
        if reading.kind == Kind::Truncate {
            self.let_time_pass(&details)?;
        }
        let (mut tries, mut long) = (0, 0);
        let rows = loop {
            if long == 0 {
                self.session()?.be_impatient()?
            } else {
                self.session()?.be_patient()?
            }
            let begin = Instant::now();
            let result = (|| {
                for piece in &atom.prelude {
                    self.send(&piece.text)?;
                }
                let rows = self.send(&piece.text)?;
                for after in &pieces[1..] {
                    self.send(&after.text)?;
                }
                Ok(rows)
            })();
            match result {
                Ok(rows) => break rows,
                Err(trouble) => {
                    // What ran long and lost at its end has the leg's own patience the next time, and no third one.
                    if begin.elapsed() > LONG {
                        long += 1;
                        tries = if long > 1 { self.options.retries } else { tries };
                    }
                    self.failed(atom, &proof, &details, trouble, &mut tries)?;
                }
            }
        };
        self.ended(atom, rows, details)
    }

    /// From LOCK TABLES to UNLOCK TABLES. Its locks are lost with its session: what was copied under them is then out of
    /// date, and is made anew.
    pub(super) fn locked(&mut self, leg: &Leg, atom: &Atom, pieces: &[Piece]) -> Course<()> {
        // Only where one change of definitions ends the stretch does it tell about all of it.
        let ddl: Vec<usize> = (0..pieces.len()).filter(|at| pieces[*at].reading.kind.is_ddl()).collect();
        let proof = match ddl.as_slice() {
            [at] if !pieces[at + 1..].iter().any(|piece| piece.reading.kind.is_dml()) => {
                proof(&pieces[*at].reading, &self.databases_with(&pieces[*at].reading))
            }
            _ => Proof::None,
        };
        let began = self.rows.get(&atom.id).map(|row| row.details.clone());
        let Some(details) = self.begins(atom, &proof)? else { return Ok(()) };
        if let Some(before) = began {
            if self.verdict(&proof, &before)? != Verdict::NotHappened {
                return Err(Halt::stopped(&atom.id, "a part of it happened: it cannot begin anew", in_doubt(&atom.id)));
            }
            self.empty_again(leg, atom, pieces)?;
        }
        let mut tries = 0;
        let rows = loop {
            self.session()?.be_impatient()?;
            let (mut held, mut changes) = (false, false);
            let result = (|| {
                let mut rows = 0;
                for (at, piece) in pieces.iter().enumerate() {
                    changes |= piece.reading.kind.is_dml();
                    let done = self.send(&piece.text)?;
                    rows += if piece.reading.kind.is_dml() { done } else { 0 };
                    held |= at == 0;
                }
                // A stretch that nobody ended would make the journal wait for our own locks.
                if pieces.last().is_none_or(|piece| piece.reading.kind != Kind::UnlockTables) {
                    self.send("UNLOCK TABLES")?;
                }
                Ok(rows)
            })();
            match result {
                Ok(rows) => break rows,
                Err(trouble) => {
                    if held && !matches!(&trouble, Trouble::Fault(fault, _) if is_gone(fault)) {
                        self.session()?.line.execute("UNLOCK TABLES")?;
                        if self.verdict(&proof, &details)? == Verdict::NotHappened {
                            self.empty_again(leg, atom, pieces)?;
                        }
                        // Each change of rows was committed by itself, and no definition tells of it.
                        if changes && proof == Proof::None {
                            let why = format!(
                                "{}. What stands before it between LOCK TABLES and UNLOCK TABLES is done",
                                trouble.told()
                            );
                            return Err(Halt::stopped(&atom.id, why, in_doubt(&atom.id)));
                        }
                    }
                    self.failed(atom, &proof, &details, trouble, &mut tries)?;
                }
            }
        };
        self.ended(atom, rows, details)
    }

    /// Notes that a unit begins; none when it had begun before, and has happened.
    fn begins(&mut self, atom: &Atom, proof: &Proof) -> Course<Option<Details>> {
        if let Some(row) = self.rows.get(&atom.id) {
            let (details, rows) = (row.details.clone(), row.rows);
            let verdict = match (self.settled(&atom.id), proof) {
                (Some(true), _) => Verdict::Happened,
                (Some(false), _) => {
                    self.use_up(atom, &details)?;
                    Verdict::NotHappened
                }
                (None, Proof::Repeatable) => Verdict::NotHappened,
                (None, _) => self.verdict(proof, &details)?,
            };
            return match verdict {
                Verdict::NotHappened => {
                    self.progress.note(&format!("{}: begun before, and it did not happen: it runs now", atom.id));
                    Ok(Some(details))
                }
                Verdict::Happened => {
                    self.progress.note(&format!("{}: begun before, and it happened", atom.id));
                    self.note(&atom.id, &atom.title(), State::Done, rows, &details)?;
                    self.transactional.clear();
                    Ok(None)
                }
                Verdict::Unclear(seen) => Err(Halt::stopped(
                    &atom.id,
                    format!("it was begun, and whether it happened cannot be told. Seen: {seen}"),
                    in_doubt(&atom.id),
                )),
            };
        }
        let mut details = self.details(atom)?;
        details.signature = self.looks(proof)?;
        self.note(&atom.id, &atom.title(), State::Begun, 0, &details)?;
        Ok(Some(details))
    }

    fn ended(&mut self, atom: &Atom, rows: u64, mut details: Details) -> Course<()> {
        details.after = self.session()?.after()?;
        self.note(&atom.id, &atom.title(), State::Done, rows, &details)?;
        self.transactional.clear();
        self.finished(atom, 0, details);
        Ok(())
    }

    fn looks(&mut self, proof: &Proof) -> Course<Option<Signature>> {
        let Proof::Looks(looks) = proof else { return Ok(None) };
        let objects: BTreeSet<Object> = looks.keys().cloned().collect();
        let (flavor, server) = (self.flavor, self.server.clone());
        let mut tries = 0;
        loop {
            match take(&mut self.link()?.reader, flavor, &server, &objects) {
                // Somebody else alters it just now.
                Err(fault) if fault.is_lock_wait_timeout() && tries < self.options.retries => {
                    tries += 1;
                    self.pause(tries)?;
                }
                answer => return Ok(Some(answer?)),
            }
        }
    }

    fn verdict(&mut self, proof: &Proof, details: &Details) -> Course<Verdict> {
        let (Proof::Looks(expected), Some(before)) = (proof, &details.signature) else {
            return Ok(Verdict::Unclear("nothing that could be looked at".to_owned()));
        };
        let now = self.looks(proof)?.unwrap_or_default();
        Ok(judge(expected, before, &now))
    }

    /// After the server refused: another try, or a failure; and a stop where a part of it is there all the same.
    fn failed(
        &mut self,
        atom: &Atom,
        proof: &Proof,
        details: &Details,
        trouble: Trouble,
        tries: &mut u32,
    ) -> Course<()> {
        if let Trouble::Fault(fault, _) = &trouble {
            match Halt::from(fault.clone()) {
                Halt::Error(_) => {}
                halt => return Err(halt),
            }
        }
        let verdict = match proof {
            Proof::Repeatable => Verdict::NotHappened,
            _ => self.verdict(proof, details)?,
        };
        let what = trouble.told();
        let (Verdict::NotHappened, Trouble::Fault(fault, _)) = (&verdict, &trouble) else {
            let seen = match verdict {
                Verdict::Unclear(seen) => seen,
                _ => "it looks as if it had happened all the same".to_owned(),
            };
            // What was not looked at is as the server says.
            if *proof == Proof::None {
                self.forget(&atom.id)?;
                return Err(Halt::failed(
                    &atom.id,
                    what,
                    "mend what the server names, then run the same command again",
                ));
            }
            return Err(Halt::stopped(&atom.id, format!("{what}. Seen: {seen}"), in_doubt(&atom.id)));
        };
        if (fault.is_lock_wait_timeout() || fault.is_deadlock()) && *tries < self.options.retries {
            *tries += 1;
            self.summary.retries += 1;
            self.progress.note(&format!("{}: {fault}; try {} of {}", atom.id, *tries + 1, self.options.retries + 1));
            self.rest()?;
            return self.pause(*tries + 2);
        }
        self.forget(&atom.id)?;
        let next = if fault.is_lock_wait_timeout() {
            "somebody held the table all the time: look for long transactions on it (plan/00-preflight.sql), then run the same command again"
        } else {
            AGAIN
        };
        Err(Halt::failed(&atom.id, what, next))
    }

    /// Where only the second of its making tells whether a table was emptied, that second must have passed.
    fn let_time_pass(&mut self, details: &Details) -> Course<()> {
        let blind = |signature: &Signature| signature.objects.values().any(|seen| seen.ids.is_empty());
        if details.signature.as_ref().is_some_and(blind) {
            std::thread::sleep(Duration::from_millis(1100));
        }
        Ok(())
    }

    /// Empties what this leg itself made and a locked stretch had filled, so that the stretch can begin anew.
    fn empty_again(&mut self, leg: &Leg, atom: &Atom, pieces: &[Piece]) -> Course<()> {
        let made: BTreeSet<&TableName> = leg
            .atoms
            .iter()
            .take_while(|other| other.id != atom.id)
            .filter(|other| self.is_done(&other.id))
            .filter_map(|other| match &other.work {
                Work::Define(pieces) if pieces[0].reading.kind == Kind::CreateTable => Some(&pieces[0].reading.effect),
                _ => None,
            })
            .flat_map(|effect| &effect.defines)
            .collect();
        let filled = pieces.iter().filter(|piece| piece.reading.kind.is_dml());
        let filled: BTreeSet<TableName> =
            filled.flat_map(|piece| piece.reading.effect.writes.iter().cloned()).collect();
        for table in filled {
            if !made.contains(&table) {
                return Err(Halt::stopped(
                    &atom.id,
                    format!("its table locks were lost on the way, and {table} may hold a part of what it writes"),
                    in_doubt(&atom.id),
                ));
            }
            let sql = format!("TRUNCATE TABLE {}", table.quoted());
            self.progress.note(&format!("{}: {sql}, for what was copied before is out of date", atom.id));
            self.session()?.line.execute(&sql).map_err(|fault| unless_lost(fault, atom, &sql))?;
        }
        Ok(())
    }

    /// What a prepared statement really says: EXECUTE itself does not.
    fn resolved(&mut self, leg: &Leg, atom: &Atom, piece: &Piece) -> Course<Reading> {
        if piece.reading.kind != Kind::Execute {
            return Ok(piece.reading.clone());
        }
        let flavor = self.flavor;
        let name = |text: &str| Tokens::new(text, flavor).name(1);
        let wanted = name(&piece.text);
        let earlier = leg.atoms.iter().take_while(|other| other.id != atom.id).flat_map(Atom::session_pieces);
        let prepared =
            earlier.filter(|piece| piece.reading.kind == Kind::Prepare && name(&piece.text) == wanted).last();
        let source = prepared.and_then(|piece| {
            let tokens = Tokens::new(&piece.text, flavor);
            tokens.is(2, "FROM").then(|| piece.text[tokens.start(3)..].to_owned())
        });
        let Some(source) = source else { return Ok(piece.reading.clone()) };
        let text = self.session()?.line.first::<(Option<String>,)>(&format!("SELECT {source}"))?;
        let text = text.and_then(|(text,)| text).unwrap_or_default();
        let database = self.session()?.line.first::<(Option<String>,)>("SELECT DATABASE()")?;
        let database = database.and_then(|(name,)| name).unwrap_or_default();
        self.progress.note(&format!("{}: {text}", atom.id));
        Ok(read(&text, &database, flavor))
    }

    /// The plan's databases, and those that a statement names.
    fn databases_with(&self, reading: &Reading) -> BTreeSet<String> {
        let own = reading.effect.tables().into_iter().map(|table| table.database);
        self.databases.iter().cloned().chain(own).filter(|name| !name.is_empty()).collect()
    }
}

fn is_gone(fault: &Fault) -> bool {
    !matches!(Halt::from(fault.clone()), Halt::Error(_))
}

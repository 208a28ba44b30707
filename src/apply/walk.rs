//! A walk over a table's key: each batch a transaction that also notes how far it is.

use std::time::{Duration, Instant};

use super::atom::{Atom, Batches};
use super::halt::{Course, Halt};
use super::journal::{Details, State, Walked};
use super::runner::Runner;
use super::session::Modes;
use super::transact::{Trouble, copy_rows, in_doubt};
use crate::execute::size::Size;
use crate::execute::walk::table_now;
use crate::progress::Unit;
use crate::sql::record::TableName;
use crate::watch::key::Key;

/// Fewest rows of a batch, however long they take.
const FEWEST: u64 = 100;
/// Most rows of the first batch: nobody knows yet how long they take here.
const FIRST: u64 = 1_000;

impl Runner<'_> {
    /// Carries out one UPDATE or DELETE in ranges of the table's key.
    pub(super) fn batches(&mut self, atom: &Atom, batches: &Batches) -> Course<()> {
        let mut tables = [batches.table.clone()].into_iter().collect::<std::collections::BTreeSet<_>>();
        tables.extend(batches.copy.as_ref().map(|copy| copy.into.clone()));
        let whole = self.can_roll_back(&tables)?;
        let key = self.key(atom, batches)?;
        let title = atom.title();
        // Once: what was broken off may leave the session in the other.
        let modes = self.session()?.modes()?;
        let mut rows = self.rows.get(&atom.id).map_or(0, |row| row.rows);
        let mut details = self.details(atom)?;
        let mut walked = match details.walk.clone() {
            Some(walked) => walked,
            None => {
                let last = format!("{}{} LIMIT 1", key.select(&batches.table), key.order(true));
                let Some(stop) = self.key_at(&key, &last)? else {
                    self.note(&atom.id, &title, State::Done, 0, &details)?;
                    return Ok(());
                };
                let walked = Walked { stop, rows: batches.rows, ..Walked::default() };
                details.walk = Some(walked.clone());
                details.in_doubt = !whole;
                self.note(&atom.id, &title, State::Begun, 0, &details)?;
                walked
            }
        };
        self.doubts(atom, batches, &mut walked)?;
        let size = Size::new(batches.rows, self.options.batch_seconds).down_to(FEWEST);
        let mut size = size.gently(FIRST);
        if walked.batches > 0 {
            size.rows = walked.rows.max(1);
        }
        let before = rows;
        self.progress.stage(&format!("{}: {title}", atom.id), Unit::Rows, None);
        let select = key.select(&batches.table);
        let mut tries = 0;
        loop {
            let range = match &walked.done {
                Some(done) => format!("{} AND {}", key.past(done), key.up_to(&walked.stop)),
                None => key.up_to(&walked.stop),
            };
            let edge = format!("{select} WHERE {range}{} LIMIT 1 OFFSET {}", key.order(false), size.rows - 1);
            let edge = self.key_at(&key, &edge)?;
            let last = edge.as_ref().is_none_or(|edge| *edge == walked.stop);
            let upper = edge.unwrap_or_else(|| walked.stop.clone());
            let low = walked.done.as_ref().map(|done| format!("{} AND ", key.past(done))).unwrap_or_default();
            // The condition may end in a comment to the line's end.
            let own = batches.condition.as_ref().map(|text| format!(" AND ({text}\n)")).unwrap_or_default();
            let condition = format!("{low}{}{own}", key.up_to(&upper));
            let mut next = Walked { done: Some(upper), batches: walked.batches + 1, doing: None, ..walked.clone() };
            if !whole {
                walked.doing = next.done.clone();
                details.walk = Some(walked.clone());
                self.note(&atom.id, &title, State::Begun, rows, &details)?;
            }
            let begin = Instant::now();
            next.rows = size.rows;
            let result = self.batch(atom, batches, &modes, &condition, whole, |changed| {
                let state = if last { State::Done } else { State::Begun };
                let details = Details { walk: Some(next.clone()), ..details.clone() };
                (state, rows + changed, details)
            })?;
            let seconds = begin.elapsed().as_secs_f64();
            match result {
                Ok((changed, state, now)) => {
                    tries = 0;
                    rows += changed;
                    if !whole {
                        self.note(&atom.id, &title, state, rows, &now)?;
                    }
                    if let Some(reached) = now.walk.clone() {
                        walked = reached;
                    }
                    details = now;
                    self.rows.insert(atom.id.clone(), super::journal::Row::now(state, rows, details.clone()));
                    self.summary.batches += 1;
                    self.summary.longest_batch_seconds = self.summary.longest_batch_seconds.max(seconds);
                    self.moved += 1;
                    self.progress.at(rows);
                    if last {
                        break;
                    }
                    // With its commit: until then others wait.
                    size.waited_for(self.throttle.most_waiting());
                    size.after(seconds);
                }
                Err(trouble) => {
                    size.halve();
                    self.again(atom, trouble, whole, whole, &mut tries)?;
                }
            }
            self.progress.check()?;
            self.rest()?;
            if batches.pause_seconds > 0.0 {
                std::thread::sleep(Duration::from_secs_f64(batches.pause_seconds));
            }
        }
        self.summary.rows += rows - before;
        Ok(())
    }

    /// One batch and its note. `next` tells, from the rows changed, what is noted.
    fn batch(
        &mut self,
        atom: &Atom,
        batches: &Batches,
        modes: &Modes,
        condition: &str,
        whole: bool,
        next: impl FnOnce(u64) -> (State, u64, Details),
    ) -> Course<Result<(u64, State, Details), Trouble>> {
        let change = format!("{} WHERE {condition}", batches.head.trim_end());
        // Sent with what comes next: between two answers everybody waits who wants one of its rows.
        let begin = if whole { "BEGIN;\n" } else { "" };
        self.transaction(atom, |runner| {
            let changed = match &batches.copy {
                Some(copy) => {
                    let keep = copy_rows(copy, &batches.table.quoted(), Some(condition));
                    let copied = runner.send(&format!("{};\n{begin}{keep}", modes.copying))?;
                    runner.changed(copy, copied, &format!("{};\n{change}", modes.own))?
                }
                None => runner.send(&format!("{begin}{change}"))?,
            };
            let (state, rows, details) = next(changed);
            if whole {
                let id = runner.connection()?;
                let note = runner.journal.note(&atom.id, &atom.title(), state, rows, &details, id);
                runner.send(&format!("{note};\nCOMMIT"))?;
            } else {
                // Where the session does not commit by itself, what cannot roll back may have come with what can.
                runner.send("COMMIT")?;
            }
            Ok((changed, state, details))
        })
    }

    /// The key that is walked, as the server has its columns now.
    fn key(&mut self, atom: &Atom, batches: &Batches) -> Course<Key> {
        let facts = table_now(&mut self.link()?.reader, &batches.table)?;
        // The hour that is repeated in autumn reads as the first one: a walk would go over its rows again.
        let ambiguous =
            batches.key.iter().any(|name| facts.column(name).is_some_and(|column| column.data_type == "timestamp"));
        let key = Key::on(&facts, "PRIMARY", &batches.key, true).filter(|key| key.is_ordered() && !ambiguous);
        key.ok_or_else(|| {
            Halt::failed(
                &atom.id,
                format!("{} has no key ({}) that can be walked", batches.table, batches.key.join(", ")),
                "the table is not as it was rehearsed: rehearse again",
            )
        })
    }

    fn key_at(&mut self, key: &Key, sql: &str) -> Course<Option<Vec<String>>> {
        let Some(row) = self.session()?.line.first::<String>(sql)? else { return Ok(None) };
        let unread = || {
            Halt::stopped(
                "",
                format!("the key '{row}' cannot be read, asked by {sql}"),
                "rehearse again without batches",
            )
        };
        key.values(&row).map(Some).ok_or_else(unread)
    }

    /// On a table that cannot roll back: a range that was begun and of which nobody knows how far it got.
    fn doubts(&mut self, atom: &Atom, batches: &Batches, walked: &mut Walked) -> Course<()> {
        let Some(doing) = walked.doing.take() else { return Ok(()) };
        let deletes = batches.head.trim_start().to_ascii_lowercase().starts_with("delete") && batches.copy.is_none();
        match self.settled(&atom.id) {
            Some(true) => walked.done = Some(doing),
            Some(false) => {
                let details = self.rows.get(&atom.id).map(|row| row.details.clone()).unwrap_or_default();
                self.use_up(atom, &details)?;
            }
            // What is left of the range is deleted now.
            None if deletes => {}
            None => {
                return Err(Halt::stopped(
                    &atom.id,
                    format!(
                        "{} does not roll back, and the range up to ({}) was begun: how far it got cannot be known",
                        batches.table,
                        doing.join(", ")
                    ),
                    in_doubt(&atom.id),
                ));
            }
        }
        Ok(())
    }

    /// Rows that a walk should have met and that are there all the same: a verification's count, up to where it stopped.
    /// None where the question is not that count.
    pub(super) fn left_behind(&mut self, batches: &Batches, walked: &Walked, query: &str) -> Course<Option<u64>> {
        let own = batches.condition.as_ref().map(|text| format!(" AND ({text}\n)")).unwrap_or_default();
        let end = batches.condition.as_ref().map(|text| format!(" WHERE {text}")).unwrap_or_default();
        let factor = query.strip_prefix("SELECT COUNT(*) FROM ").and_then(|rest| rest.strip_suffix(end.as_str()));
        let named = factor.and_then(|factor| TableName::parse(factor, &batches.table.database).ok());
        if named.as_ref() != Some(&batches.table) {
            return Ok(None);
        }
        let facts = table_now(&mut self.link()?.reader, &batches.table)?;
        let Some(key) = Key::on(&facts, "PRIMARY", &batches.key, true) else { return Ok(None) };
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {}{own}", batches.table.quoted(), key.up_to(&walked.stop));
        Ok(self.session()?.line.first::<(u64,)>(&sql)?.map(|(count,)| count))
    }
}

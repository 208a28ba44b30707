//! Copies that are made before their step: those that an earlier run made some time ago lack what was written since.

use super::atom::{Atom, Work};
use super::course::Leg;
use super::halt::{Course, Halt};
use super::journal::Row;
use super::runner::Runner;
use super::session::unless_lost;
use crate::plan::record::ScriptPhase;
use crate::quantity::seconds;
use crate::sql::record::TableName;

/// Seconds after which a copy that was made before its step is no longer one of what the step destroys.
const FRESH: u64 = 600;

impl<'a> Runner<'a> {
    /// Stops before a step whose copies are out of date; where a person asked for it they are made anew.
    pub(super) fn is_backup_fresh(&mut self, leg: &Leg) -> Course<()> {
        let (Some(step), ScriptPhase::Step) = (&leg.step, leg.phase) else { return Ok(()) };
        let own = format!("{step}/");
        if self.options.accept.contains(step) || self.rows.keys().any(|unit| unit.starts_with(&own)) {
            return Ok(());
        }
        let way = self.way;
        let backups =
            || way.legs.iter().filter(|leg| leg.phase == ScriptPhase::Backup && leg.step.as_ref() == Some(step));
        let copies = backups().flat_map(|leg| &leg.atoms).filter(|atom| matches!(atom.work, Work::Change { .. }));
        let age = copies.filter_map(|atom| self.rows.get(&atom.id)).map(Row::age).max().unwrap_or(0);
        if age <= FRESH {
            return Ok(());
        }
        let age = seconds(age as f64);
        if !self.options.renew_backups {
            return Err(Halt::stopped(
                &leg.name,
                format!("its backup was made {age} ago: what was written since is not in it"),
                format!(
                    "run the same command with --renew-backups: the copy is dropped and made again, right before the step. When \
                     nothing was written there since: --accept {step}"
                ),
            ));
        }
        for backup in backups() {
            self.progress.note(&format!("{}: made {age} ago; it is made again", backup.name));
            self.drop_copies(backup)?;
            self.leg(backup)?;
        }
        Ok(())
    }

    /// Drops what a backup made, and forgets that it was made. In this order: cut off in between, the copy is out of date
    /// still, and is dropped once more.
    fn drop_copies(&mut self, backup: &'a Leg) -> Course<()> {
        self.fresh_session()?;
        let made = |atom: &'a Atom| match &atom.work {
            Work::Define(pieces) => pieces.first().map(|piece| (atom, &piece.reading.effect.defines)),
            _ => None,
        };
        let tables = backup.atoms.iter().filter(|atom| self.is_done(&atom.id)).filter_map(made);
        let tables: Vec<(&Atom, TableName)> =
            tables.flat_map(|(atom, tables)| tables.iter().map(move |table| (atom, table.clone()))).collect();
        for (atom, table) in tables {
            let sql = format!("DROP TABLE IF EXISTS {}", table.quoted());
            self.session()?.be_impatient()?;
            self.session()?.line.execute(&sql).map_err(|fault| unless_lost(fault, atom, &sql))?;
        }
        self.transactional.clear();
        // Its last unit at the end: as long as it is there, the copy is known to be old.
        for unit in [&backup.name].into_iter().chain(backup.atoms.iter().map(|atom| &atom.id)) {
            if self.rows.contains_key(unit) {
                self.forget(unit)?;
            }
        }
        Ok(())
    }
}

//! A statement in batches: ranges of the table's primary key, each in a transaction of its own.

use std::time::{Duration, Instant};

use super::record::Ran;
use super::run::{Executor, matched, outcome_of};
use super::size::Size;
use crate::progress::Progress;
use crate::server::fault::Fault;
use crate::server::session::{Done, ReadOnly};
use crate::sql::record::{TableName, Walk};
use crate::survey::record::{ColumnFacts, TableFacts};
use crate::watch::key::Key;

/// How often a batch that met a deadlock or a lock time-out is run again.
const TRIES: u32 = 5;

/// Seconds that a batch should take.
const SECONDS: f64 = 0.2;

impl Executor<'_> {
    /// Walks a table's key from its first row to the last that is there at the start, and folds the batches into one.
    ///
    /// # Errors
    /// As [`Executor::once`].
    pub fn walk(&mut self, walk: &Walk, progress: &dyn Progress) -> Result<Ran, Fault> {
        let statement = &walk.statement;
        self.session(statement.session)?;
        self.freeze(statement, true)?;
        let (window, step) = self.open_window(statement)?;
        let mut ran = Ran::new(window, self.witness.clock().now(), 0.0, step.transaction);
        ran.count = 0;
        let outcome = match self.key_of(walk) {
            Ok(key) => self.batches(walk, &key, &mut ran, progress),
            Err(Refused::Fault(fault)) => Err(fault),
            Err(Refused::Why(why)) => Err(Fault { number: u16::MAX, state: "HY000".to_owned(), message: why }),
        };
        if let Err(fault) = outcome {
            ran.outcome = outcome_of(fault);
        }
        if let Some(ring) = self.rings.get(&walk.table) {
            ring.touch(None);
        }
        self.close_window(window, &step, statement, &ran.outcome);
        self.note(statement, &ran, 0);
        Ok(ran)
    }

    /// The key that is walked: the survey's columns of it, or the server's where the script made the table.
    fn key_of(&mut self, walk: &Walk) -> Result<Key, Refused> {
        let facts = match self.survey.tables.get(&walk.table) {
            Some(facts) if walk.key.iter().all(|name| facts.column(name).is_some()) => facts.clone(),
            _ => table_now(&mut self.reader, &walk.table).map_err(Refused::Fault)?,
        };
        let key = Key::on(&facts, "PRIMARY", &walk.key, true).ok_or_else(|| {
            Refused::Why(format!("cannot walk {}: it has no key ({})", walk.table, walk.key.join(", ")))
        })?;
        if !key.is_ordered() {
            return Err(Refused::Why(format!(
                "cannot walk {}: ranges over its key ({}) do not follow the order of its values",
                walk.table,
                walk.key.join(", ")
            )));
        }
        Ok(key)
    }

    fn batches(&mut self, walk: &Walk, key: &Key, ran: &mut Ran, progress: &dyn Progress) -> Result<(), Fault> {
        let number = walk.statement.session;
        let select = key.select(&walk.table);
        let begin = Instant::now();
        let Some(stop) = self.key_at(number, key, &format!("{select}{} LIMIT 1", key.order(true)))? else {
            ran.seconds = begin.elapsed().as_secs_f64();
            return Ok(());
        };
        ran.seconds = begin.elapsed().as_secs_f64();
        let mut from: Option<Vec<String>> = None;
        let mut size = Size::new(walk.rows, SECONDS);
        loop {
            if progress.interrupted() {
                return Err(Fault { number: 1317, state: "70100".to_owned(), message: "interrupted".to_owned() });
            }
            let batch = Instant::now();
            let end = key.up_to(&stop);
            let range = from.as_ref().map_or_else(|| end.clone(), |from| format!("{} AND {end}", key.past(from)));
            let edge = format!("{select} WHERE {range}{} LIMIT 1 OFFSET {}", key.order(false), size.rows - 1);
            let to = self.key_at(number, key, &edge)?;
            let upper = to.as_ref().unwrap_or(&stop);
            if let Some(ring) = self.rings.get(&walk.table) {
                ring.touch(Some(upper.clone()));
            }
            let low = from.as_ref().map(|from| format!("{} AND ", key.past(from))).unwrap_or_default();
            let condition = walk.condition.as_ref().map(|text| format!(" AND ({text})")).unwrap_or_default();
            // The condition may end in a comment to the line's end.
            let text = format!("{} WHERE {low}{}{condition}\n", walk.head.trim_end(), key.up_to(upper));
            let done = self.batch(number, &text, ran)?;
            let seconds = batch.elapsed().as_secs_f64();
            size.after(seconds);
            ran.count += 1;
            ran.seconds += seconds;
            ran.longest_seconds = ran.longest_seconds.max(seconds);
            ran.rows.affected += done.affected;
            if let Some(matched) = matched(&done.info) {
                *ran.rows.matched.get_or_insert(0) += matched;
            }
            ran.warning_count += u64::from(done.warnings);
            if done.warnings > 0 && ran.warnings.len() < 10 {
                let more = self.warnings(number)?;
                ran.warnings.extend(more);
                ran.warnings.truncate(10);
            }
            self.witness.rows_done(ran.rows.affected);
            match to {
                Some(to) if to != stop => from = Some(to),
                _ => return Ok(()),
            }
            std::thread::sleep(walk.pause);
        }
    }

    /// One batch, again where it lost to somebody else; committed where the session does not commit by itself.
    fn batch(&mut self, number: u32, text: &str, ran: &mut Ran) -> Result<Done, Fault> {
        let mut tries = 0;
        loop {
            let session = self.session(number)?;
            match session.writer.execute(text) {
                Ok(done) => {
                    if !session.transactions.is_plain() {
                        session.writer.execute("COMMIT")?;
                    }
                    return Ok(done);
                }
                Err(fault) if (fault.is_deadlock() || fault.is_lock_wait_timeout()) && tries < TRIES => {
                    tries += 1;
                    ran.retries += 1;
                    if !session.transactions.is_plain() {
                        session.writer.execute("ROLLBACK")?;
                    }
                    std::thread::sleep(Duration::from_millis(50 << tries));
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    fn key_at(&mut self, number: u32, key: &Key, sql: &str) -> Result<Option<Vec<String>>, Fault> {
        let row = self.session(number)?.writer.first::<String>(sql)?;
        Ok(row.and_then(|row| key.values(&row)))
    }
}

/// A table's columns as the server has them now.
///
/// # Errors
/// The server's fault.
pub fn table_now(reader: &mut ReadOnly, table: &TableName) -> Result<TableFacts, Fault> {
    let name = |text: &str| crate::sql::record::quote_text(text);
    let rows = reader.rows::<(String, String, String, Option<String>, Option<String>)>(&format!(
        "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.columns \
         WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
        name(&table.database),
        name(&table.table)
    ))?;
    let column = |(name, data_type, column_type, charset, collation): (String, String, String, _, _)| ColumnFacts {
        name,
        data_type: data_type.to_ascii_lowercase(),
        column_type,
        nullable: false,
        default: None,
        auto_increment: false,
        generated: None,
        invisible: false,
        charset,
        collation,
        length: None,
        precision: None,
        scale: None,
        statistics: None,
    };
    Ok(TableFacts {
        create: String::new(),
        rows: 0,
        rows_basis: Default::default(),
        data_bytes: 0,
        index_bytes: 0,
        engine: "InnoDB".to_owned(),
        auto_increment: None,
        row_versions: None,
        columns: rows.into_iter().map(column).collect(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        partitions: Vec::new(),
    })
}

enum Refused {
    Fault(Fault),
    Why(String),
}

//! Keys of a table to probe with: first, last, quantiles, random ones, and what the running action touches; picked anew
//! when their rows are gone.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::key::Key;
use super::probe_plan::Keys;
use crate::server::fault::Fault;
use crate::server::flavor::Flavor;
use crate::server::session::Writer;
use crate::sql::record::TableName;

/// Rows that may be passed over to reach a key by its rank; past that, only tables with a numeric key have far keys.
const FAR: u64 = 2_000_000;
/// How often a ring may look for fresh keys: at the end of a table just emptied that passes over every row to be purged.
const PAUSE: Duration = Duration::from_secs(1);

/// Keys of one table, shared by its probes.
#[derive(Debug)]
pub struct KeyRing {
    table: TableName,
    key: Key,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    first: Option<Vec<String>>,
    last: Option<Vec<String>>,
    others: Vec<(&'static str, Vec<String>)>,
    touched: Option<Vec<String>>,
    looked: Option<Instant>,
}

impl KeyRing {
    /// Reads keys of a table with about so many rows.
    ///
    /// # Errors
    /// The server's fault.
    pub fn fill(table: &TableName, key: Key, rows: u64, session: &mut Writer) -> Result<Self, Fault> {
        let mut slots = Slots::default();
        let select = key.select(table);
        let at = |session: &mut Writer, tail: &str| -> Result<Option<Vec<String>>, Fault> {
            Ok(session.first::<String>(&format!("{select}{tail}"))?.and_then(|row| key.values(&row)))
        };
        slots.first = at(session, &format!("{} LIMIT 1", key.order(false)))?;
        slots.last = at(session, &format!("{} LIMIT 1", key.order(true)))?;
        let range = numeric_range(&slots);
        let mut random = Random(rows ^ 0x9E37_79B9_7F4A_7C15);
        let places = [0.25, 0.5, 0.75].map(|place| ("quantile", place)).into_iter();
        for (name, place) in places.chain((0..5).map(|_| ("random", random.next()))) {
            let values = match range {
                Some((low, high)) => {
                    let wanted = low + ((high - low) as f64 * place) as i128;
                    let name = crate::sql::record::quote_identifier(&key.fields[0].name);
                    at(session, &format!(" WHERE {name} >= {wanted}{} LIMIT 1", key.order(false)))?
                }
                None => {
                    let rank = (rows.min(FAR) as f64 * place) as u64;
                    at(session, &format!("{} LIMIT 1 OFFSET {rank}", key.order(false)))?
                }
            };
            slots.others.extend(values.map(|values| (name, values)));
        }
        Ok(Self { table: table.clone(), key, slots: Mutex::new(slots) })
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// What the running action touches now, as literals of the key.
    pub fn touch(&self, values: Option<Vec<String>>) {
        self.slots().touched = values.filter(|values| values.len() == self.key.fields.len());
    }

    /// The condition for a lane's request number `turn`, and which key it is. A table without rows has none.
    pub fn condition(&self, keys: Keys, turn: u64) -> (String, &'static str) {
        let slots = self.slots();
        let mut ring: Vec<(&'static str, &Vec<String>)> = Vec::new();
        if matches!(keys, Keys::First | Keys::Rotating) {
            ring.extend(slots.first.as_ref().map(|values| ("first", values)));
        }
        if matches!(keys, Keys::Last | Keys::Rotating) {
            ring.extend(slots.last.as_ref().map(|values| ("last", values)));
        }
        if keys == Keys::Rotating {
            ring.extend(slots.others.iter().map(|(name, values)| (*name, values)));
            if let Some(touched) = &slots.touched {
                // Every other turn, for that is where the action is.
                if turn.is_multiple_of(2) {
                    return (self.key.equals(touched), "touched");
                }
            }
        }
        match ring.len() as u64 {
            0 => ("1 = 0".to_owned(), ""),
            length => {
                let (name, values) = ring[(turn % length) as usize];
                (self.key.equals(values), name)
            }
        }
    }

    /// Rows are gone: picks the ends of the table anew, and with them replaces what lay between. Bounded in time, and not
    /// more often than once a second.
    pub fn refresh(&self, session: &mut Writer, flavor: Flavor) {
        {
            let mut slots = self.slots();
            if slots.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
                return;
            }
            slots.looked = Some(Instant::now());
        }
        let select = self.key.select(&self.table);
        let (before, select) = if flavor.is_mariadb() {
            ("SET STATEMENT max_statement_time=0.05 FOR ", select)
        } else {
            ("", select.replacen("SELECT ", "SELECT /*+ MAX_EXECUTION_TIME(50) */ ", 1))
        };
        let mut ends = [false, true].into_iter().map(|down| {
            let answer = session.first::<String>(&format!("{before}{select}{} LIMIT 1", self.key.order(down)));
            answer.map(|row| row.and_then(|row| self.key.values(&row)))
        });
        let (Some(Ok(first)), Some(Ok(last))) = (ends.next(), ends.next()) else { return };
        let mut slots = self.slots();
        slots.others.clear();
        slots.first = first;
        slots.last = last;
    }
}

/// The range of a key of one number.
fn numeric_range(slots: &Slots) -> Option<(i128, i128)> {
    let number = |end: &Option<Vec<String>>| match end.as_deref() {
        Some([value, ..]) => value.parse::<i128>().ok(),
        _ => None,
    };
    Some((number(&slots.first)?, number(&slots.last)?)).filter(|(low, high)| low < high)
}

/// A small generator: which rows are probed need not be unpredictable, only spread and the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

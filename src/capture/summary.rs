//! What a capture holds, in a page: what the upgrade did, phase by phase, and what it did most of.

mod phases;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use jiff::Timestamp;

use super::noise::chatter;
use super::record::{Dropped, Heard};
use super::scan::{Part, Quotes, first_words, parts};
use crate::quantity;
use crate::sql::digest::normal_form;
use crate::sql::record::Origin;
use phases::gathered;
pub use phases::{Phase, Work};

/// Groups of look-alikes that are kept apart; later ones count together.
const GROUPS: usize = 20_000;
/// Shortcuts from a statement's outline to its group that are kept, and their bytes.
const SHORTCUTS: (usize, usize) = (50_000, 16 << 20);
/// Phases from which on they are told more roughly, and how many are left then.
const PHASES: (usize, usize) = (1000, 100);

/// What a number of statements come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Count {
    /// How many.
    pub statements: u64,
    /// When the first began.
    pub first: Option<Timestamp>,
    /// When the last began.
    pub last: Option<Timestamp>,
    /// Seconds in all, of those whose time is known.
    pub seconds: Option<f64>,
    /// Rows changed in all, of those whose count is known.
    pub rows: Option<u64>,
}

impl Count {
    fn add(&mut self, heard: &Heard) {
        self.statements += 1;
        self.first = self.first.or(heard.at);
        self.last = heard.at.or(self.last);
        self.seconds = sum(self.seconds, heard.seconds, |a, b| a + b);
        self.rows = sum(self.rows, heard.rows_affected, |a, b| a + b);
    }

    fn join(&mut self, other: &Self) {
        self.statements += other.statements;
        self.first = self.first.or(other.first);
        self.last = other.last.or(self.last);
        self.seconds = sum(self.seconds, other.seconds, |a, b| a + b);
        self.rows = sum(self.rows, other.rows, |a, b| a + b);
    }
}

fn sum<T>(one: Option<T>, other: Option<T>, add: fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(add(one, other)),
        (one, other) => one.or(other),
    }
}

/// All that is known of a capture beside its text.
#[derive(Debug, Default)]
pub struct Summary {
    /// Statements of the upgrade, and what they come to.
    pub kept: Count,
    /// Sessions that a replay opens.
    pub sessions: u32,
    /// Statements that failed and that the upgrade went on after.
    pub failed: u64,
    /// What the upgrade did, in order.
    pub phases: Vec<Phase>,
    /// Noise by its kind.
    pub noise: BTreeMap<&'static str, u64>,
    /// What cannot be sent again, by reason: how often, and where first.
    pub dropped: BTreeMap<String, (u64, Origin)>,
    /// Digest of the script.
    pub digest: String,
    /// Look-alikes by their normal form, in the order in which they came.
    groups: Vec<(String, Count)>,
    /// The place in `groups` of each normal form, and of each outline.
    places: HashMap<String, usize>,
    shortcuts: HashMap<Vec<u8>, usize>,
    shortcut_bytes: usize,
    outline: Vec<u8>,
}

impl Summary {
    /// Counts a statement of the upgrade.
    pub fn keep(&mut self, heard: &Heard) {
        self.kept.add(heard);
        let work = work(&heard.text);
        outline(&heard.text, matches!(work, Some(Work::Schema) | None), &mut self.outline);
        let group = match self.shortcuts.get(&self.outline) {
            Some(group) => *group,
            None => self.group(&heard.text),
        };
        self.groups[group].1.add(heard);
        if let Some(work) = work {
            self.phase(work, heard);
        }
    }

    /// The group of a statement whose outline is new.
    fn group(&mut self, text: &[u8]) -> usize {
        let mut form = clipped(&normal_form(&String::from_utf8_lossy(text)));
        if self.groups.len() >= GROUPS && !self.places.contains_key(&form) {
            form = "(others)".to_owned();
        }
        let next = self.groups.len();
        let group = *self.places.entry(form).or_insert_with_key(|form| {
            self.groups.push((form.clone(), Count::default()));
            next
        });
        if self.shortcuts.len() >= SHORTCUTS.0 || self.shortcut_bytes >= SHORTCUTS.1 {
            self.shortcuts.clear();
            self.shortcut_bytes = 0;
        }
        self.shortcut_bytes += self.outline.len();
        self.shortcuts.insert(self.outline.clone(), group);
        group
    }

    fn phase(&mut self, work: Work, heard: &Heard) {
        if self.phases.len() >= PHASES.0 {
            self.phases = gathered(std::mem::take(&mut self.phases), PHASES.1);
        }
        match self.phases.last_mut() {
            Some(last) if last.work == [work] => last.count.add(heard),
            _ => {
                let mut count = Count::default();
                count.add(heard);
                self.phases.push(Phase { work: vec![work], count });
            }
        }
    }

    /// Counts noise.
    pub fn fold(&mut self, why: &'static str) {
        *self.noise.entry(why).or_default() += 1;
    }

    /// Counts what cannot be sent again.
    pub fn drop(&mut self, dropped: &Dropped) {
        if let Some(why) = chatter::ALL.into_iter().find(|why| *why == dropped.why) {
            return self.fold(why);
        }
        self.dropped.entry(dropped.why.clone()).or_insert_with(|| (0, dropped.origin.clone())).0 += 1;
    }

    /// The phases as a person tells them: a few strays make none of their own, and there are at most `most`.
    pub fn told_phases(&self, most: usize) -> Vec<Phase> {
        gathered(self.phases.clone(), most)
    }

    /// The page, for people.
    pub fn page(&self, title: &str, untold: &[&str]) -> String {
        let mut page = String::new();
        let sessions = quantity::counted(u64::from(self.sessions), "session");
        let statements = quantity::counted(self.kept.statements, "statement");
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{title}: {statements} in {sessions}{}", tail(&self.kept));
        if !untold.is_empty() {
            let _ = writeln!(page, "  not told by this source: {}", untold.join(", "));
        }
        if self.failed > 0 {
            let failed = quantity::counted(self.failed, "statement");
            let _ = writeln!(page, "  {failed} failed and the upgrade went on: kept as comments, not run again");
        }
        let phases = self.told_phases(12);
        if phases.len() > 1 {
            page.push_str("\nWhat it did\n");
            for (at, phase) in phases.iter().enumerate() {
                let count = quantity::counted(phase.count.statements, "statement");
                let _ = writeln!(page, "  {:>2}. {}: {count}{}", at + 1, named(&phase.work), tail(&phase.count));
            }
        }
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by(|a, b| b.1.statements.cmp(&a.1.statements).then_with(|| a.0.cmp(&b.0)));
        if !groups.is_empty() {
            page.push_str("\nMost of it\n");
        }
        for (form, count) in groups.into_iter().take(10) {
            let _ = writeln!(page, "  {} × {form}{}", quantity::grouped(count.statements), tail(count));
        }
        if self.groups.len() > 10 {
            let more = quantity::grouped(self.groups.len() as u64 - 10);
            let _ = writeln!(page, "  … and {more} more kinds of statements");
        }
        if !self.noise.is_empty() {
            page.push_str("\nFolded away (--keep-noise keeps it)\n");
            for (why, count) in &self.noise {
                let _ = writeln!(page, "  {} × {why}", quantity::grouped(*count));
            }
        }
        if !self.dropped.is_empty() {
            page.push_str("\nLeft out\n");
            for (why, (count, origin)) in &self.dropped {
                let _ = writeln!(page, "  {} × {why} (first: {origin})", quantity::grouped(*count));
            }
        }
        page
    }
}

/// Rows, time and span, as far as they are known.
fn tail(count: &Count) -> String {
    let mut tail = String::new();
    if let Some(rows) = count.rows {
        let _ = write!(tail, ", {} rows", quantity::grouped(rows));
    }
    if let Some(seconds) = count.seconds {
        let _ = write!(tail, ", {}", quantity::seconds(seconds));
    }
    if let (Some(first), Some(last)) = (count.first, count.last) {
        let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let (first, last) = (time(first), time(last));
        match last.strip_prefix(&first[..11]) {
            _ if first == last => tail.push_str(&format!(", at {first}")),
            Some(same_day) => tail.push_str(&format!(", {first}–{same_day}")),
            None => tail.push_str(&format!(", {first}–{last}")),
        }
    }
    tail
}

fn named(work: &[Work]) -> &'static str {
    match work {
        [Work::Schema] => "changes the schema",
        [Work::Rows] => "changes rows",
        [Work::Reads] => "reads",
        [Work::Schema, Work::Rows, ..] => "changes the schema and rows",
        [Work::Schema, ..] => "reads and changes the schema",
        _ => "reads and changes rows",
    }
}

fn work(text: &[u8]) -> Option<Work> {
    match first_words::<1>(text)[0].as_bytes() {
        b"INSERT" | b"UPDATE" | b"DELETE" | b"REPLACE" | b"LOAD" | b"CALL" => Some(Work::Rows),
        b"SELECT" | b"WITH" | b"TABLE" | b"VALUES" => Some(Work::Reads),
        b"CREATE" | b"ALTER" | b"DROP" | b"RENAME" | b"TRUNCATE" | b"OPTIMIZE" | b"ANALYZE" | b"REPAIR" | b"GRANT"
        | b"REVOKE" => Some(Work::Schema),
        _ => None,
    }
}

/// The statement without its literals and digits, but for a definition, which keeps them: the same for most look-alikes, and quick.
fn outline(text: &[u8], whole: bool, into: &mut Vec<u8>) {
    into.clear();
    if whole {
        into.extend_from_slice(text);
    } else {
        into.resize(text.len(), b'?');
        let mut length = 0;
        for (part, range) in parts(text, Quotes::default()) {
            let bytes = &text[range];
            match part {
                Part::Literal => {
                    into[length] = b'?';
                    length += 1;
                }
                Part::Code => {
                    // Without a branch for each digit: it is written over by what comes after it.
                    let mut in_number = false;
                    for byte in bytes {
                        let digit = byte.is_ascii_digit();
                        length -= usize::from(digit && in_number);
                        into[length] = if digit { b'0' } else { *byte };
                        length += 1;
                        in_number = digit;
                    }
                }
                _ => {
                    into[length..length + bytes.len()].copy_from_slice(bytes);
                    length += bytes.len();
                }
            }
        }
        into.truncate(length);
    }
    // What is that long is one of few.
    into.truncate(16 * 1024);
}

/// A normal form that fits on a few lines.
fn clipped(form: &str) -> String {
    const LONGEST: usize = 240;
    match form.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &form[..end]),
        None => form.to_owned(),
    }
}

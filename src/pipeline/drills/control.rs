//! The control of an interruption: what two whole runs of the upgrade differ in already is chance (`UUID()`, `SYSDATE()`), and
//! no rerun is held to it.

use std::collections::BTreeSet;

use anyhow::Result;

use super::small::failure;
use super::{Hand, OVERHEAD};
use crate::pipeline::run::Run;
use crate::replay::proof::{by_chance, is_excluded};
use crate::replay::record::ExperimentKind;
use crate::sql::script::Script;
use crate::survey::compare::{Difference, compare};
use crate::survey::fingerprint::Depth;
use crate::survey::record::Fingerprint;

/// How closely every state of the drill is read: only by its columns can chance be told from harm.
pub const DEPTH: Depth = Depth::Columns;

/// What the upgrade leaves when nothing goes wrong.
pub struct Control {
    whole: Fingerprint,
    /// What the upgrade takes on the small copy.
    pub seconds: f64,
    chance: Chance,
}

/// What is known of chance.
enum Chance {
    /// Nothing yet: nothing differed.
    Unknown,
    /// There was no time to find out, or the second run failed; told.
    Untried,
    /// Columns and tables by name, see [`by_chance`].
    Known(BTreeSet<String>),
}

/// A state held against the whole upgrade's.
pub struct Held {
    /// What differs, in sentences.
    pub differences: Vec<String>,
    /// Nothing that counts: a counter that has moved on does no harm.
    pub is_same: bool,
    /// What differs too and was left out as chance, by name.
    pub excluded: Vec<String>,
    /// The sandbox was rewound for the control.
    pub moved: bool,
}

impl Control {
    /// A control by what the whole upgrade left, read to [`DEPTH`], and the time that it took, in seconds.
    pub fn new(whole: Fingerprint, seconds: f64) -> Self {
        Self { whole, seconds, chance: Chance::Unknown }
    }

    /// Holds a state against the whole upgrade's. The first time that rows differ, the upgrade runs once more, to know
    /// what they differ in by chance.
    ///
    /// # Errors
    /// When the sandbox is lost or the person asks to stop.
    pub fn hold(&mut self, hand: &mut Hand<'_>, script: &Script, left: &Fingerprint) -> Result<Held> {
        let found = compare(&self.whole, left);
        let in_rows = |one: &Difference| matches!(one, Difference::Content { .. } | Difference::Rows { .. });
        let mut moved = false;
        if matches!(self.chance, Chance::Unknown) && found.iter().any(in_rows) {
            moved = self.find_chance(hand, script)?;
        }
        let nothing = BTreeSet::new();
        let chance = if let Chance::Known(names) = &self.chance { names } else { &nothing };
        let (mut counting, mut excluded) = (Vec::new(), BTreeSet::new());
        for difference in found {
            let (counts, left_out) = sift(difference, &self.whole, left, chance);
            counting.extend(counts);
            excluded.extend(left_out);
        }
        Ok(Held {
            is_same: counting.iter().all(|one| matches!(one, Difference::AutoIncrement { .. })),
            differences: counting.iter().map(ToString::to_string).collect(),
            excluded: excluded.into_iter().collect(),
            moved,
        })
    }

    /// Runs the upgrade once more from its start. True when the sandbox was rewound for it.
    fn find_chance(&mut self, hand: &mut Hand<'_>, script: &Script) -> Result<bool> {
        self.chance = Chance::Untried;
        let cannot = |hand: &mut Hand<'_>, why: &str| {
            hand.leave_out(None, format!("whether a rerun's differences are chance is not known: {why}"));
        };
        if hand.purse.left() < OVERHEAD + self.seconds {
            cannot(hand, "the drills' time is used up");
            return Ok(false);
        }
        hand.stage.sandbox.rewind(hand.progress)?;
        let again = hand.stage.run(&Run::quiet("upgrade-small-again", ExperimentKind::Drill, script), hand.progress)?;
        if let Some(why) = failure(hand.stage, &again) {
            cannot(hand, &format!("a second whole run failed, {why}"));
            return Ok(true);
        }
        let second = hand.stage.print(DEPTH, hand.progress)?;
        self.chance = Chance::Known(by_chance(&self.whole, &second));
        Ok(true)
    }
}

/// What of a difference counts, and the names that are left out of it.
fn sift(
    difference: Difference,
    whole: &Fingerprint,
    left: &Fingerprint,
    chance: &BTreeSet<String>,
) -> (Option<Difference>, Vec<String>) {
    let is_chance = is_excluded(&difference, whole, left, chance);
    match difference {
        Difference::Content { table, columns } if !chance.contains(&table.to_string()) => {
            let (by_chance, counting): (Vec<String>, Vec<String>) =
                columns.into_iter().partition(|column| chance.contains(&format!("{table}.{column}")));
            let names = by_chance.iter().map(|column| format!("{table}.{column}")).collect();
            ((!is_chance).then_some(Difference::Content { table, columns: counting }), names)
        }
        other if is_chance => (None, other.table().map(ToString::to_string).into_iter().collect()),
        other => (Some(other), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::record::TableName;

    #[test]
    fn what_is_chance_goes_from_a_difference_and_what_counts_stays() {
        let table = TableName::new("app", "t");
        let differs = |columns: &[&str]| Difference::Content {
            table: table.clone(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        };
        let (one, other) = (Fingerprint::default(), Fingerprint::default());
        let chance = BTreeSet::from(["app.t.token".to_owned()]);
        assert_eq!(sift(differs(&["token"]), &one, &other, &chance), (None, vec!["app.t.token".to_owned()]));
        let (counts, left_out) = sift(differs(&["n", "token"]), &one, &other, &chance);
        assert_eq!((counts, left_out), (Some(differs(&["n"])), vec!["app.t.token".to_owned()]));
        let rows = Difference::Rows { table: table.clone(), left: 1, right: 2 };
        assert_eq!(sift(rows.clone(), &one, &other, &chance), (Some(rows.clone()), Vec::new()));
        let whole = BTreeSet::from(["app.t".to_owned()]);
        assert_eq!(sift(rows, &one, &other, &whole), (None, vec!["app.t".to_owned()]));
        assert_eq!(sift(differs(&["n"]), &one, &other, &whole), (None, vec!["app.t".to_owned()]));
    }
}

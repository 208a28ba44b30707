//! Which statements are worth a halt: those whose alternatives are tried.

use super::stage::Stage;
use super::trials::Choices;
use crate::advise::alternatives;
use crate::advise::record::Alternative;
use crate::replay::record::{Observation, Rehearsal};
use crate::sql::record::Kind;

/// Fewer rows than this, in production, are not worth an alternative whatever the statement does with them.
const WORTH_ROWS: u64 = 10_000;
/// A longer wait than this is worth one, however few rows there are.
const WORTH_SECONDS: f64 = 0.2;
/// Each halt copies the store and runs its statement again: the worst ones are tried, the others named.
const MOST_HALTS: usize = 6;

/// The alternatives to try, those that are not eligible (with their reasons), and what there was no room for.
#[derive(Debug, Default)]
pub struct Chosen {
    /// By statement id: what is tried.
    pub tried: Choices,
    /// What is refused, each with its reason.
    pub refused: Vec<Alternative>,
    /// Ids of statements that were left out for their number.
    pub left_out: Vec<String>,
}

/// Picks from what the loud run showed.
pub fn choose(stage: &Stage, loud: &Rehearsal) -> Chosen {
    let mut worth: Vec<&Observation> = loud.observations.iter().filter(|seen| is_worth(stage, seen)).collect();
    worth.sort_by(|one, other| {
        let harm = |seen: &Observation| seen.longest_blocked(|_| true).max(seen.seconds);
        harm(other).total_cmp(&harm(one))
    });
    let mut chosen = Chosen::default();
    for seen in worth {
        let all = alternatives::of(&seen.statement, Some(seen), &stage.survey, stage.flavor());
        let (eligible, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(|alternative| alternative.eligible);
        chosen.refused.extend(refused);
        if eligible.is_empty() {
            continue;
        }
        if chosen.tried.len() < MOST_HALTS {
            chosen.tried.insert(seen.statement.id.clone(), eligible);
        } else {
            chosen.left_out.push(seen.statement.id.clone());
        }
    }
    chosen
}

/// True for one UPDATE or DELETE (no group of look-alikes) that dealt with many rows, or made somebody wait.
fn is_worth(stage: &Stage, seen: &Observation) -> bool {
    let changes_rows = matches!(seen.statement.reading.kind, Kind::Update | Kind::Delete);
    let rows = (seen.rows.affected as f64 / stage.scale) as u64;
    changes_rows && seen.count == 1 && (rows >= WORTH_ROWS || seen.longest_blocked(|_| true) >= WORTH_SECONDS)
}

//! Which statements are worth a halt: those whose alternatives are tried.

use std::collections::BTreeMap;

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
/// Of statements that did no harm, and are only to be said with their algorithm, no more than these.
const MOST_RESTATED: usize = 2;

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

/// One halt that might be made: how much harm there is, and what would be tried.
struct Candidate<'a> {
    seen: &'a Observation,
    harm: f64,
    eligible: Vec<Alternative>,
}

/// Picks from what the loud run showed; `wanted` are ways that a person chose, by the ids of their statements: these are
/// tried before all others.
pub fn choose(stage: &Stage, loud: &Rehearsal, wanted: &BTreeMap<String, String>) -> Chosen {
    let mut chosen = Chosen::default();
    let mut candidates = Vec::new();
    let harm = |seen: &Observation| seen.longest_blocked(|_| true).max(seen.seconds);
    let mut rest = loud.observations.as_slice();
    while let Some((seen, after)) = rest.split_first() {
        // The longest row of ALTERs that can be said in one.
        let one = (2..=rest.len())
            .map_while(|count| alternatives::merged(&rest[..count].iter().collect::<Vec<_>>(), &stage.survey))
            .last()
            .filter(|one| wanted.get(&one.statement).is_none_or(|way| *way == one.id));
        if let Some(one) = one {
            let (own, later) = rest.split_at(one.also.len() + 1);
            for seen in own.iter().filter(|seen| is_worth(stage, seen)) {
                chosen.refused.extend(beside_one(stage, seen, &one));
            }
            candidates.push(Candidate { seen, harm: own.iter().map(harm).sum(), eligible: vec![one] });
            rest = later;
            continue;
        }
        rest = after;
        let is_wanted = wanted.contains_key(&seen.statement.id);
        if !is_worth(stage, seen) && !is_wanted {
            continue;
        }
        let all = alternatives::of(&seen.statement, Some(&at_size(stage, seen)), &stage.survey, stage.flavor());
        let all = all.into_iter().map(|alternative| after_alters(alternative, seen, loud));
        let (eligible, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(|alternative| alternative.eligible);
        chosen.refused.extend(refused);
        if !eligible.is_empty() {
            let harm = if is_wanted { f64::INFINITY } else { harm(seen) };
            candidates.push(Candidate { seen, harm, eligible });
        }
    }
    candidates.sort_by(|one, other| other.harm.total_cmp(&one.harm));
    let mut restated = 0;
    for Candidate { seen, eligible, .. } in candidates {
        let id = seen.statement.id.clone();
        let only_restates = eligible.iter().all(|alternative| alternative.id == "explicit");
        if chosen.tried.len() >= MOST_HALTS || only_restates && restated >= MOST_RESTATED {
            chosen.left_out.push(id);
            continue;
        }
        restated += usize::from(only_restates);
        chosen.tried.insert(id, eligible);
    }
    chosen
}

/// What was seen, with the rows that it would be in production: those of the survey are production's too.
fn at_size(stage: &Stage, seen: &Observation) -> Observation {
    let mut seen = seen.clone();
    seen.rows.affected = (seen.rows.affected as f64 / stage.scale) as u64;
    seen
}

/// What each of several ALTERs that are tried as one could have been replaced by: the tools' command lines as they are; what
/// could have been tried is refused, for at one halt the same statements are held against each other.
fn beside_one(stage: &Stage, seen: &Observation, one: &Alternative) -> Vec<Alternative> {
    let all = alternatives::of(&seen.statement, Some(&at_size(stage, seen)), &stage.survey, stage.flavor());
    let refuse = |alternative: Alternative| match alternative.eligible {
        false => alternative,
        true => Alternative {
            eligible: false,
            reason: Some(format!("{} was tried, of which this statement is a part", one.title)),
            actions: Vec::new(),
            without_cure: Vec::new(),
            ..alternative
        },
    };
    all.into_iter().map(refuse).collect()
}

/// Refuses what lists the table's columns as the survey has them, where the upgrade itself changed them before.
fn after_alters(mut alternative: Alternative, seen: &Observation, loud: &Rehearsal) -> Alternative {
    if alternative.id != "survivors" || !alternative.eligible {
        return alternative;
    }
    let tables = seen.statement.reading.effect.tables();
    let before = loud.observations.iter().take_while(|one| one.statement.id != seen.statement.id);
    let altered = before
        .filter(|one| one.statement.reading.kind == Kind::AlterTable)
        .find(|one| one.statement.reading.effect.tables().intersection(&tables).next().is_some());
    if let Some(one) = altered {
        let why =
            format!("{} alters the table before it: its columns are not those of the survey", one.statement.label());
        alternative = Alternative {
            eligible: false,
            reason: Some(why),
            actions: Vec::new(),
            without_cure: Vec::new(),
            ..alternative
        };
        alternative.expected_leftovers.clear();
    }
    alternative
}

/// True for one UPDATE or DELETE (no group of look-alikes) that dealt with many rows, or made somebody wait; and for every
/// ALTER, whose alternatives are few and know by themselves which tables are worth it.
fn is_worth(stage: &Stage, seen: &Observation) -> bool {
    if matches!(seen.statement.reading.kind, Kind::AlterTable | Kind::CreateIndex | Kind::DropIndex) {
        return true;
    }
    let changes_rows = matches!(seen.statement.reading.kind, Kind::Update | Kind::Delete);
    let rows = (seen.rows.affected as f64 / stage.scale) as u64;
    changes_rows && seen.count == 1 && (rows >= WORTH_ROWS || seen.longest_blocked(|_| true) >= WORTH_SECONDS)
}

//! Which of the trials the plan should take.

use super::budget::{self, Side};
use super::evidence::NOTICEABLE_SECONDS;
use super::record::{Budget, Trial};
use crate::quantity::seconds;
use crate::replay::record::{Observation, Outcome};
use crate::watch::record::Blocked;

/// A trial that saves less than this, in seconds, is not worth a word.
const WORTH_SECONDS: f64 = 1.0;
/// Nor one that takes more than this part of the other's time.
const WORTH_PART: f64 = 0.7;

/// The trial to take, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its place among the trials.
    pub index: usize,
    /// One sentence for people.
    pub why: String,
}

/// Picks the trial that should stand in for a statement; none when the statement had better stay as it is.
///
/// Only what ran to its end and was proved to give the same result is eligible. Of those: what stays within the budget
/// first, then (where every row is destroyed) what keeps an undo, then, over the budget, what blocks least, then the
/// fastest. (Of rows that a condition chooses the plan keeps a copy in any case.) And the best of them must be worth it:
/// within a budget that the original breaks, or blocking at most half as long, or (DDL) blocking no longer and clearly
/// faster. The statement itself with its algorithm demanded is taken wherever it ran.
pub fn choose(trials: &[Trial], original: &Observation, budget: &Budget) -> Option<Choice> {
    among(trials.iter(), original, budget)
}

/// [`choose`] from trials that do not lie side by side; the index counts in their order.
pub fn among<'a>(trials: impl Iterator<Item = &'a Trial>, original: &Observation, budget: &Budget) -> Option<Choice> {
    if original.outcome != Outcome::Done {
        return None;
    }
    let destroys = !original.statement.reading.effect.empties.is_empty();
    let rank = |trial: &Trial| {
        let within = within(&trial.loud, budget);
        let keeps = destroys && keeps_undo(trial);
        let blocked = if within { 0.0 } else { longest(&trial.loud, None) };
        (!within, !keeps, blocked, trial.seconds)
    };
    let fit: Vec<(usize, &Trial)> = trials
        .enumerate()
        .filter(|(_, trial)| trial.alternative.statement == original.statement.id && is_fit(trial))
        .collect();
    if let Some((index, demand)) = fit.iter().find(|(_, trial)| is_demand(trial)) {
        let gentle = longest(&demand.loud, None) <= longest(std::slice::from_ref(original), None) + NOTICEABLE_SECONDS;
        if gentle || within(&demand.loud, budget) {
            let why = format!("is {}, so that the server refuses it rather than copies", demand.alternative.title);
            return Some(Choice { index: *index, why });
        }
    }
    let others = fit.iter().copied().filter(|(_, trial)| !is_demand(trial));
    let (index, best) = others.min_by(|(_, a), (_, b)| {
        let (a, b) = (rank(a), rank(b));
        (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)).then(a.3.total_cmp(&b.3))
    })?;
    let before = longest(std::slice::from_ref(original), None);
    let after = longest(&best.loud, None);
    let mends = within(&best.loud, budget) && !within(std::slice::from_ref(original), budget);
    let halves = before > NOTICEABLE_SECONDS && after <= before / 2.0;
    let took = |seen: &[Observation]| seen.iter().map(|seen| seen.seconds).sum::<f64>();
    let hastens = original.statement.reading.kind.is_ddl()
        && saves(took(&best.loud), original.seconds)
        && after <= before + NOTICEABLE_SECONDS;
    if !(mends || halves || hastens) {
        return None;
    }
    let mut why = why(best, before, after, budget);
    if let Some(trade) = trade(best, fit.iter().map(|(_, trial)| *trial), budget) {
        why.push_str("; ");
        why.push_str(&trade);
    }
    Some(Choice { index, why })
}

/// True for a saving that is worth a word, in seconds.
fn saves(less: f64, more: f64) -> bool {
    less <= more * WORTH_PART && more - less >= WORTH_SECONDS
}

/// The statement itself with the statements after it that its trials stand in for as well, as one.
pub fn with_others(original: &Observation, trials: &[Trial], all: &[Observation]) -> Observation {
    let also = trials.iter().flat_map(|trial| &trial.alternative.also);
    let mut whole = original.clone();
    for other in also.filter_map(|id| all.iter().find(|seen| seen.statement.id == *id)) {
        whole.seconds += other.seconds;
        whole.blocked.extend(other.blocked.iter().cloned());
    }
    whole
}

/// The statement itself, with what it did made a demand.
fn is_demand(trial: &Trial) -> bool {
    trial.alternative.id == "explicit"
}

/// It ran to its end and was proved to give the same result.
fn is_fit(trial: &Trial) -> bool {
    trial.completed && trial.proof.same_result && trial.alternative.eligible
}

/// What the others would be better at than this one, and what that costs: the faster one that blocks longer, the gentler
/// one that takes longer. None where nothing is given up.
pub fn trade<'a>(best: &Trial, others: impl Iterator<Item = &'a Trial>, budget: &Budget) -> Option<String> {
    let own = longest(&best.loud, None);
    let others: Vec<&Trial> =
        others.filter(|trial| is_fit(trial) && trial.alternative.id != best.alternative.id).collect();
    let blocks = |trial: &Trial| longest(&trial.loud, None);
    let faster = others
        .iter()
        .filter(|trial| saves(trial.seconds, best.seconds) && blocks(trial) > own.max(NOTICEABLE_SECONDS))
        .min_by(|a, b| a.seconds.total_cmp(&b.seconds))
        .map(|trial| {
            let over = if within(&trial.loud, budget) { "" } else { ", more than the budget allows" };
            let (title, time) = (&trial.alternative.title, seconds(trial.seconds));
            format!("faster is {title}: {time}, but it blocks for {}{over}", seconds(blocks(trial)))
        });
    let gentler = others
        .iter()
        .filter(|trial| own > NOTICEABLE_SECONDS && blocks(trial) <= own / 2.0 && saves(best.seconds, trial.seconds))
        .min_by(|a, b| blocks(a).total_cmp(&blocks(b)))
        .map(|trial| {
            let blocked = match blocks(trial) {
                noise if noise <= NOTICEABLE_SECONDS => "blocks nobody".to_owned(),
                blocked => format!("blocks for {} at most", seconds(blocked)),
            };
            format!("gentler is {}: it {blocked}, but takes {}", trial.alternative.title, seconds(trial.seconds))
        });
    let trades: Vec<String> = faster.into_iter().chain(gentler).collect();
    (!trades.is_empty()).then(|| trades.join("; "))
}

fn why(best: &Trial, before: f64, after: f64, budget: &Budget) -> String {
    let mut why = format!("gives the same result in {}", seconds(best.seconds));
    if after <= NOTICEABLE_SECONDS {
        why.push_str(&format!(" and blocks nobody, where the original blocks for {}", seconds(before)));
    } else {
        why.push_str(&format!(" and blocks for {} at most, against {}", seconds(after), seconds(before)));
    }
    if !within(&best.loud, budget) {
        why.push_str(" (still over the budget, and the least of all that were tried)");
    }
    if keeps_undo(best) {
        why.push_str("; it keeps the old table, which is the undo until the first write");
    }
    why
}

/// It leaves the original rows in a table of their own.
fn keeps_undo(trial: &Trial) -> bool {
    !trial.alternative.expected_leftovers.is_empty()
}

/// The longest wait in some observations (seconds), on one side or on both, commits included.
pub fn longest(observations: &[Observation], side: Option<Side>) -> f64 {
    let chosen = |blocked: &Blocked| side.is_none_or(|side| Side::of(blocked.probe) == side);
    observations.iter().map(|observation| observation.longest_blocked(chosen)).fold(0.0, f64::max)
}

/// Nothing waited longer than the budget allows.
pub fn within(observations: &[Observation], budget: &Budget) -> bool {
    observations.iter().flat_map(|observation| &observation.blocked).all(|blocked| {
        let limit = budget::limit(budget, &blocked.table, Side::of(blocked.probe));
        limit.0.is_none_or(|limit| blocked.longest_seconds <= limit.as_secs_f64())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::specimen::{blocked, observation, statement, trial};
    use crate::watch::record::ProbeKind;

    fn original() -> Observation {
        let mut seen = observation(statement(1, "DELETE FROM page_views"), 9_000_000, 59.0);
        seen.blocked.push(blocked("page_views", ProbeKind::Update, 50.71));
        seen
    }

    fn chosen(trials: &[Trial], original: &Observation) -> Option<String> {
        choose(trials, original, &Budget::default()).map(|choice| trials[choice.index].alternative.id.clone())
    }

    #[test]
    fn a_swap_is_taken_before_a_faster_truncate_because_it_keeps_the_rows() {
        let original = original();
        let mut trials = vec![
            trial(&original, "truncate", 0.20, 0.2),
            trial(&original, "swap", 0.31, 0.02),
            trial(&original, "batches", 105.0, 0.11),
        ];
        assert_eq!(chosen(&trials, &original).as_deref(), Some("swap"));
        let why = choose(&trials, &original, &Budget::default()).expect("a choice").why;
        assert_eq!(
            why,
            "gives the same result in 0.31 s and blocks nobody, where the original blocks for 50.7 s; it keeps the old \
             table, which is the undo until the first write"
        );
        trials[1].proof.same_result = false;
        assert_eq!(chosen(&trials, &original).as_deref(), Some("truncate"), "what differs is never taken");
        trials[0].completed = false;
        assert_eq!(chosen(&trials, &original).as_deref(), Some("batches"));
    }

    #[test]
    fn the_budget_comes_before_the_undo() {
        let original = original();
        let trials = vec![trial(&original, "swap", 0.3, 1.5), trial(&original, "truncate", 0.3, 0.3)];
        assert_eq!(chosen(&trials, &original).as_deref(), Some("truncate"));
    }

    #[test]
    fn of_rows_chosen_by_a_condition_the_faster_way_is_taken_only_within_the_budget_and_the_trade_is_told() {
        let mut original = observation(statement(1, "DELETE FROM page_views WHERE id > 5"), 8_100_000, 64.0);
        original.blocked.push(blocked("page_views", ProbeKind::Update, 51.0));
        let mut trials = vec![trial(&original, "batches", 127.0, 0.14), trial(&original, "survivors", 11.0, 10.3)];
        let choice = choose(&trials, &original, &Budget::default()).expect("a choice");
        assert_eq!(trials[choice.index].alternative.id, "batches");
        assert_eq!(
            choice.why,
            "gives the same result in 2 min 7 s and blocks for 0.14 s at most, against 51.0 s; faster is a copy of the rows that \
             stay, swapped for the table (the old one kept): 11.0 s, but it blocks for 10.3 s, more than the budget allows"
        );
        trials[1] = trial(&original, "survivors", 11.0, 0.9);
        let choice = choose(&trials, &original, &Budget::default()).expect("a choice");
        assert_eq!(trials[choice.index].alternative.id, "survivors");
        assert!(
            choice
                .why
                .ends_with("batches of 10,000 rows by primary key: it blocks for 0.14 s at most, but takes 2 min 7 s")
        );
    }

    #[test]
    fn what_blocks_nobody_stays_as_it_is() {
        let mut original = original();
        original.blocked.clear();
        assert_eq!(chosen(&[trial(&original, "swap", 0.3, 0.01)], &original), None);
    }
}

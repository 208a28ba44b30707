//! Which of the trials the plan should take.

use super::budget::{self, Side};
use super::evidence::NOTICEABLE_SECONDS;
use super::record::{Budget, Trial};
use crate::quantity::seconds;
use crate::replay::record::{Observation, Outcome};
use crate::sql::record::{Action, Kind};
use crate::watch::record::Blocked;

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
/// first, then (where rows are destroyed) what keeps an undo, then, over the budget, what blocks least, then the fastest.
/// And the best of them must be worth it: within a budget that the original breaks, or blocking at most half as long.
pub fn choose(trials: &[Trial], original: &Observation, budget: &Budget) -> Option<Choice> {
    among(trials.iter(), original, budget)
}

/// [`choose`] from trials that do not lie side by side; the index counts in their order.
pub fn among<'a>(trials: impl Iterator<Item = &'a Trial>, original: &Observation, budget: &Budget) -> Option<Choice> {
    if original.outcome != Outcome::Done {
        return None;
    }
    let destroys = matches!(original.statement.reading.kind, Kind::Delete | Kind::Truncate);
    let rank = |trial: &Trial| {
        let within = within(&trial.loud, budget);
        let keeps = destroys && keeps_undo(trial);
        let blocked = if within { 0.0 } else { longest(&trial.loud, None) };
        (!within, !keeps, blocked, trial.seconds)
    };
    let (index, best) = trials
        .enumerate()
        .filter(|(_, trial)| trial.alternative.statement == original.statement.id)
        .filter(|(_, trial)| trial.completed && trial.proof.same_result && trial.alternative.eligible)
        .filter(|(_, trial)| is_scriptable(trial))
        .min_by(|(_, a), (_, b)| {
            let (a, b) = (rank(a), rank(b));
            (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)).then(a.3.total_cmp(&b.3))
        })?;
    let before = longest(std::slice::from_ref(original), None);
    let after = longest(&best.loud, None);
    let mends = within(&best.loud, budget) && !within(std::slice::from_ref(original), budget);
    let halves = before > NOTICEABLE_SECONDS && after <= before / 2.0;
    if !(mends || halves) {
        return None;
    }
    Some(Choice { index, why: why(best, before, after, destroys, budget) })
}

fn why(best: &Trial, before: f64, after: f64, destroys: bool, budget: &Budget) -> String {
    let mut why = format!("gives the same result in {}", seconds(best.seconds));
    if after <= NOTICEABLE_SECONDS {
        why.push_str(&format!(" and blocks nobody, where the original blocks for {}", seconds(before)));
    } else {
        why.push_str(&format!(" and blocks for {} at most, against {}", seconds(after), seconds(before)));
    }
    if !within(&best.loud, budget) {
        why.push_str(" (still over the budget, and the least of all that were tried)");
    }
    if destroys && keeps_undo(best) {
        why.push_str("; it keeps the old table, which is the undo until the first write");
    }
    why
}

/// The plan can hand it to the stock client: for batches over a key of several columns there is no such script yet.
fn is_scriptable(trial: &Trial) -> bool {
    trial.alternative.actions.iter().all(|action| !matches!(action, Action::Walk(walk) if walk.key.len() != 1))
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
    fn what_blocks_nobody_stays_as_it_is() {
        let mut original = original();
        original.blocked.clear();
        assert_eq!(chosen(&[trial(&original, "swap", 0.3, 0.01)], &original), None);
    }
}

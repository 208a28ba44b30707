//! What an upgrade did, in order: its statements by the kind of their work, strays counted with what stands before them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Count;

/// Statements fewer than which make no phase of their own beside larger ones.
const SMALL: u64 = 3;

/// What a phase of an upgrade does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Definitions.
    Schema,
    /// Rows.
    Rows,
    /// Reading.
    Reads,
}

/// Statements of one kind of work, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// The kinds of work in it.
    pub work: Vec<Work>,
    /// What it comes to.
    pub count: Count,
}

/// Phases so gathered that the smallest goes into the one before it until few are left and none is small.
pub fn gathered(phases: Vec<Phase>, most: usize) -> Vec<Phase> {
    let mut left = phases.len();
    let mut places: Vec<Option<Phase>> = phases.into_iter().map(Some).collect();
    // What was the smallest once: a place whose phase is gone or has grown since is passed over.
    let size = |phase: &Phase, at: usize| Reverse((phase.count.statements, at));
    let mut smallest: BinaryHeap<_> = places.iter().flatten().enumerate().map(|(at, phase)| size(phase, at)).collect();
    while left > 1 {
        let Some(Reverse((statements, at))) = smallest.pop() else { break };
        let Some(small) = places[at].take_if(|phase| phase.count.statements == statements) else { continue };
        if left <= most && statements >= SMALL {
            places[at] = Some(small);
            break;
        }
        left -= 1;
        let before = places[..at].iter().rposition(Option::is_some);
        let Some(into) = before.or_else(|| places.iter().position(Option::is_some)) else { break };
        let next = places[into + 1..].iter().position(Option::is_some).map(|after| into + 1 + after);
        let next = next.and_then(|next| Some((next, places[next].take()?)));
        let Some(home) = &mut places[into] else { break };
        let (first, last) = (home.count.first, home.count.last);
        home.count.join(&small.count);
        if before.is_none() {
            (home.count.first, home.count.last) = (small.count.first.or(first), last);
        }
        home.work.extend(small.work);
        home.work.sort();
        home.work.dedup();
        match next {
            Some((_, next)) if next.work == home.work => {
                home.count.join(&next.count);
                left -= 1;
                smallest.push(size(home, into));
            }
            next => {
                smallest.push(size(home, into));
                if let Some((at, phase)) = next {
                    places[at] = Some(phase);
                }
            }
        }
    }
    places.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// As `gathered`, one look through all phases for each that goes.
    fn slowly(mut phases: Vec<Phase>, most: usize) -> Vec<Phase> {
        while phases.len() > 1 {
            let smallest = (0..phases.len()).min_by_key(|at| phases[*at].count.statements).expect("a phase");
            if phases.len() <= most && phases[smallest].count.statements >= SMALL {
                break;
            }
            let small = phases.remove(smallest);
            let into = smallest.saturating_sub(1);
            let home = &mut phases[into];
            let (first, last) = (home.count.first, home.count.last);
            home.count.join(&small.count);
            if smallest == 0 {
                (home.count.first, home.count.last) = (small.count.first.or(first), last);
            }
            home.work.extend(small.work);
            home.work.sort();
            home.work.dedup();
            if into + 1 < phases.len() && phases[into].work == phases[into + 1].work {
                let next = phases.remove(into + 1);
                phases[into].count.join(&next.count);
            }
        }
        phases
    }

    proptest! {
        #[test]
        fn phases_are_gathered_as_if_each_were_looked_for(
            sizes in prop::collection::vec((1u64..9, 0u8..3, any::<bool>()), 0..60), most in 0usize..20,
        ) {
            let phases: Vec<Phase> = sizes.iter().enumerate().map(|(at, (statements, work, timed))| Phase {
                work: vec![[Work::Schema, Work::Rows, Work::Reads][usize::from(*work)]],
                count: Count {
                    statements: *statements,
                    first: timed.then(|| Timestamp::from_second(at as i64).expect("a time")),
                    last: timed.then(|| Timestamp::from_second(at as i64 + 1).expect("a time")),
                    seconds: timed.then_some(0.5),
                    rows: None,
                },
            }).collect();
            prop_assert_eq!(gathered(phases.clone(), most), slowly(phases, most));
        }
    }
}

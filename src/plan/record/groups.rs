//! Which steps pages tell one by one, and which as a row.

use super::Plan;
use super::told::lasts;
use crate::plan::step::Step;

/// Steps that are told one by one, however plain they are.
const ALL: usize = 40;
/// So many plain steps in a row are folded, in a plan of more.
const ROW: usize = 4;
/// A step that takes longer is told by itself, in seconds.
pub const LONG: f64 = 1.0;

/// A step, or a row of plain ones: places from 0, the second one included.
pub struct Group {
    /// The first.
    pub first: usize,
    /// The last.
    pub last: usize,
}

/// Steps one by one; in a long plan plain ones that follow each other as one.
pub fn groups(plan: &Plan) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut last_is_plain = false;
    for (place, step) in plan.steps.iter().enumerate() {
        let plain = plan.steps.len() > ALL && is_plain(plan, step);
        match groups.last_mut() {
            Some(group) if plain && last_is_plain => group.last = place,
            _ => groups.push(Group { first: place, last: place }),
        }
        last_is_plain = plain;
    }
    let unfold = |group: Group| -> Vec<Group> {
        if group.last - group.first + 1 >= ROW {
            vec![group]
        } else {
            (group.first..=group.last).map(|place| Group { first: place, last: place }).collect()
        }
    };
    groups.into_iter().flat_map(unfold).collect()
}

/// Short, harmless to others, as it was written, and all of it ran.
fn is_plain(plan: &Plan, step: &Step) -> bool {
    let body = &step.body;
    body.instead.is_none()
        && body.blocks.is_empty()
        && body.know.is_empty()
        && lasts(plan, step).is_some_and(|lasts| lasts.high < LONG)
        && plan.scripts_of(&body.id).all(|script| script.rehearsed.as_ref().is_some_and(|ran| ran.ok))
}
